// FAILOVER of a primary, event by event.
#include "src/replication/handover.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace hearth;
using namespace hearth::replication;

namespace {

using State = Handover::State;

template <typename A>
const A* find(const Handover::Actions& actions) {
  for (const auto& action : actions) {
    if (const A* a = std::get_if<A>(&action)) return a;
  }
  return nullptr;
}

MonoTime at(std::int64_t ms) { return MonoTime{ms * 1000}; }

const std::vector<Handover::Candidate> kTwo{{"a", 1, 90}, {"b", 2, 99}};

}  // namespace

TEST_CASE("writes are held until a replica has everything, which then is followed") {
  Handover handover;
  const auto begun = handover.begin(at(0), {});
  REQUIRE(find<Handover::HoldWrites>(begun) != nullptr);
  CHECK(find<Handover::HoldWrites>(begun)->on);
  CHECK(find<Handover::AskForAcks>(begun) != nullptr);
  CHECK(handover.look(at(10), 100, kTwo).empty());
  const auto level = handover.look(at(20), 99, kTwo);
  REQUIRE(find<Handover::Follow>(level) != nullptr);
  CHECK(find<Handover::Follow>(level)->host == "b");
  CHECK(handover.state() == State::kHandingOver);
  const auto done = handover.answered(true);
  REQUIRE(find<Handover::HoldWrites>(done) != nullptr);
  CHECK_FALSE(find<Handover::HoldWrites>(done)->on);
  CHECK(find<Handover::Lead>(done) == nullptr);
  CHECK(handover.state() == State::kNone);
}

TEST_CASE("the replica that is named has to be the one") {
  Handover handover;
  static_cast<void>(handover.begin(at(0), {"a", 1, false, milliseconds{0}}));
  CHECK(handover.look(at(10), 99, kTwo).empty());
  CHECK(find<Handover::Follow>(handover.look(at(10), 90, kTwo)) != nullptr);
}

TEST_CASE("a time-out ends the wait, with FORCE by handing over") {
  for (const bool force : {false, true}) {
    CAPTURE(force);
    Handover handover;
    static_cast<void>(handover.begin(at(0), {"a", 1, force, milliseconds{500}}));
    CHECK(handover.look(at(499), 100, kTwo).empty());
    const auto late = handover.look(at(500), 100, kTwo);
    CHECK((find<Handover::Follow>(late) != nullptr) == force);
    CHECK((find<Handover::HoldWrites>(late) != nullptr) == !force);
    CHECK(handover.state() == (force ? State::kHandingOver : State::kNone));
  }
}

TEST_CASE("a refusal and an abort give the place back") {
  Handover handover;
  CHECK_FALSE(handover.abort());
  for (const bool refused : {true, false}) {
    static_cast<void>(handover.begin(at(0), {}));
    static_cast<void>(handover.look(at(1), 99, kTwo));
    Handover::Actions end;
    if (refused) {
      end = handover.answered(false);
    } else {
      CHECK(handover.abort());
      end = handover.take();
    }
    CHECK(find<Handover::Lead>(end) != nullptr);
    REQUIRE(find<Handover::HoldWrites>(end) != nullptr);
    CHECK_FALSE(find<Handover::HoldWrites>(end)->on);
  }
  // Before anybody was followed there is nothing to give back.
  static_cast<void>(handover.begin(at(0), {}));
  CHECK(handover.abort());
  CHECK(find<Handover::Lead>(handover.take()) == nullptr);
}
