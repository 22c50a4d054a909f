#include "cluster/migration/import.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace hearth::cluster::migration {
namespace {

using Actions = std::vector<ImportAction>;
using State = Import::State;
using enum ImportAction;

struct Move {
  Import machine{milliseconds(60'000), MonoTime(0)};
  MonoTime now{0};
  Actions step(const ImportInput& input) { return machine.step(input, now); }
  bool commit(Epoch epoch) {
    return step(to::Commit{epoch}) == Actions{kCopy} && step(to::Copied{}) == Actions{kTake};
  }
};

TEST_CASE("Chunks are answered one by one, and the take shows the keys") {
  Move move;
  CHECK(move.step(to::Applied{}) == Actions{kAnswer});
  CHECK(move.machine.answer().empty());
  CHECK(move.step(to::Copied{}).empty());
  CHECK(move.step(to::Commit{9}) == Actions{kCopy});
  CHECK(move.step(to::Copied{}) == Actions{kTake});
  CHECK(move.step(to::Copied{}).empty());
  CHECK(move.machine.epoch() == 9);
  CHECK(move.step(to::Applied{}) == Actions{kAnswer});
  CHECK_FALSE(move.machine.answer().empty());
  CHECK(move.step(to::Taken{}) == Actions{kAnswer, kShow});
  CHECK(move.machine.answer().empty());
  CHECK(move.machine.state() == State::kSuccess);
}

TEST_CASE("Whatever ends an import before the take drops its keys") {
  const ImportInput ends[] = {to::Closed{},
                              to::Cancel{},
                              to::Spoiled{"flushed"},
                              to::Cluster{to::Owner::kOther},
                              to::Cluster{to::Owner::kMe},
                              to::Applied{"ERR bad chunk"}};
  for (const ImportInput& end : ends) {
    Move move;
    const Actions done = move.step(end);
    CHECK(std::count(done.begin(), done.end(), kDrop) == 1);
    CHECK(move.machine.is_over());
    CHECK(move.step(to::Commit{3}).empty());
  }
}

TEST_CASE("What no replica has is given up like what has not come") {
  const ImportInput ends[] = {to::Closed{}, to::Cancel{}, to::Spoiled{"flushed"},
                              to::Cluster{to::Owner::kOther}};
  for (const ImportInput& end : ends) {
    Move move;
    REQUIRE(move.step(to::Commit{9}) == Actions{kCopy});
    const Actions done = move.step(end);
    CHECK(std::count(done.begin(), done.end(), kDrop) == 1);
    CHECK(move.machine.is_over());
    CHECK(move.step(to::Copied{}).empty());
  }
}

TEST_CASE("A take that was begun is finished without the source") {
  Move move;
  CHECK(move.commit(9));
  CHECK(move.step(to::Closed{}).empty());
  CHECK(move.step(to::Cancel{}).empty());
  SUBCASE("taken") { CHECK(move.step(to::Taken{}) == Actions{kShow}); }
  SUBCASE("refused") { CHECK(move.step(to::Taken{"STALE"}) == Actions{kDrop}); }
}

TEST_CASE("After a stale epoch the source may come again") {
  Move move;
  CHECK(move.commit(9));
  CHECK(move.step(to::Taken{"STALE there is a later epoch"}) == Actions{kAnswer});
  CHECK(move.commit(10));
  CHECK(move.step(to::Taken{"ERR not its owner"}) == Actions{kAnswer, kDrop, kClose});
}

TEST_CASE("A silent source is given up") {
  Move move;
  move.now = MonoTime(60'000'000);
  CHECK(move.step(to::Tick{}).empty());
  move.now = MonoTime(60'001'000);
  CHECK(move.step(to::Tick{}) == Actions{kDrop, kClose});
}

}  // namespace
}  // namespace hearth::cluster::migration
