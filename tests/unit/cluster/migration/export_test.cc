#include "cluster/migration/export.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace hearth::cluster::migration {
namespace {

using Actions = std::vector<ExportAction>;
using State = Export::State;
using enum ExportAction;

// A move with a clock of its own.
struct Move {
  Export machine{ExportSettings{}, MonoTime(1)};
  MonoTime now{1'000'000};

  Actions step(const ExportInput& input) { return machine.step(input, now); }
  Actions pass(milliseconds time) {
    now = now + time;
    return step(from::Tick{});
  }
  Actions progress(bool walked, std::uint64_t lag, bool idle = true) {
    return step(from::Progress{walked, lag, idle});
  }
  void begin() {
    CHECK(pass(milliseconds(0)) == Actions{kConnect});
    CHECK(step(from::Opened{}) == Actions{kEstablish});
    CHECK(step(from::Answer{}).empty());
    CHECK(machine.state() == State::kSnapshot);
  }
  void begin_commit() {
    begin();
    CHECK(progress(true, 0) == Actions{kHold});
    CHECK(progress(true, 0) == Actions{kReserve});
    CHECK(step(from::Reserved{7}) == Actions{kCommit});
    CHECK(machine.epoch() == 7);
  }
  [[nodiscard]] State state() const { return machine.state(); }
};

TEST_CASE("A move goes through its states and ends with the target's claim") {
  Move move;
  move.begin();
  CHECK(move.progress(false, 500).empty());
  CHECK(move.progress(true, 2 << 20).empty());
  CHECK(move.state() == State::kStreaming);
  CHECK(move.progress(true, 1 << 20) == Actions{kHold});
  CHECK(move.state() == State::kPaused);
  CHECK(move.progress(true, 10).empty());
  CHECK(move.progress(true, 0, false).empty());  // a transaction is in its middle
  CHECK(move.progress(true, 0) == Actions{kReserve});
  CHECK(move.step(from::Reserved{7}) == Actions{kCommit});
  CHECK(move.step(from::Answer{}).empty());
  CHECK(move.state() == State::kClaimed);
  CHECK(move.step(from::Cluster{from::Owner::kOther, false}) == Actions{kClose, kRelease});
  CHECK(move.state() == State::kSuccess);
}

TEST_CASE("The claim may come before the answer") {
  Move move;
  move.begin_commit();
  CHECK(move.step(from::Cluster{from::Owner::kOther, false}) == Actions{kClose, kRelease});
  CHECK(move.state() == State::kSuccess);
}

TEST_CASE("Writers that are faster than the target wait, and go on, while the snapshot is sent") {
  Move move;
  move.begin();
  CHECK(move.progress(false, kBacklogMost + 1) == Actions{kHold});
  CHECK(move.progress(false, kBacklogMost + 1).empty());
  CHECK(move.progress(false, kBacklogResume).empty());
  CHECK(move.progress(false, kBacklogResume - 1) == Actions{kRelease});
}

TEST_CASE("Streaming ends after its time at whatever lag") {
  Move move;
  move.begin();
  CHECK(move.progress(true, 8 << 20).empty());
  move.now = move.now + kStreamingMost;
  CHECK(move.progress(true, 8 << 20) == Actions{kHold});
  CHECK(move.state() == State::kPaused);
}

TEST_CASE("A pause is bounded") {
  Move move;
  move.begin();
  CHECK(move.progress(true, 100) == Actions{kHold});
  CHECK(move.pass(milliseconds(10'000)).empty());
  CHECK(move.machine.paused_for(move.now) == milliseconds(10'000));
  CHECK(move.pass(milliseconds(1)) == Actions{kClose, kRelease});
  CHECK(move.state() == State::kFailed);
}

TEST_CASE("Before the hand-over anything ends the move, and the writers go on") {
  const ExportInput ends[] = {from::Closed{"reset"}, from::Cancel{}, from::Spoiled{"flushed"},
                              from::Cluster{from::Owner::kOther, false},
                              from::Answer{"ERR no room"}};
  for (const ExportInput& end : ends) {
    Move move;
    move.begin();
    CHECK(move.progress(true, 100) == Actions{kHold});
    const Actions done = move.step(end);
    CHECK(std::count(done.begin(), done.end(), kRelease) == 1);
    CHECK(move.machine.is_over());
    CHECK(move.state() != State::kSuccess);
    CHECK(move.pass(milliseconds(1'000'000)).empty());
  }
}

TEST_CASE("A busy target is asked again, but not for ever") {
  Move move;
  CHECK(move.pass(milliseconds(0)) == Actions{kConnect});
  CHECK(move.step(from::Opened{}) == Actions{kEstablish});
  CHECK(move.step(from::Answer{"TRYAGAIN old keys"}) == Actions{kClose});
  CHECK(move.pass(milliseconds(199)).empty());
  CHECK(move.pass(milliseconds(1)) == Actions{kConnect});
  CHECK(move.step(from::Opened{}) == Actions{kEstablish});
  move.now = move.now + kConnectMost;
  CHECK(move.step(from::Answer{"TRYAGAIN old keys"}) == Actions{kClose});
  CHECK(move.state() == State::kFailed);
}

TEST_CASE("A refused hand-over is repeated with a later epoch when that is the reason") {
  Move move;
  move.begin_commit();
  CHECK(move.step(from::Answer{"STALE there is a later epoch"}) == Actions{kReserve});
  CHECK(move.step(from::Reserved{9}) == Actions{kCommit});
  CHECK(move.step(from::Answer{"ERR this node is a replica"}) == Actions{kClose, kRelease});
  CHECK(move.state() == State::kFailed);
}

TEST_CASE("When the outcome is open the writers wait until the target says it") {
  Move move;
  move.begin_commit();
  CHECK(move.step(from::Cancel{}).empty());
  CHECK(move.step(from::Spoiled{"flushed"}).empty());
  CHECK(move.step(from::Closed{"reset"}).empty());
  CHECK(move.state() == State::kResolving);
  CHECK(move.pass(milliseconds(0)) == Actions{kAsk});
  CHECK(move.pass(milliseconds(100)).empty());
  CHECK(move.step(from::Told{from::Verdict::kUnknown}).empty());
  CHECK(move.pass(milliseconds(200)) == Actions{kAsk});
  SUBCASE("not taken") {
    CHECK(move.step(from::Told{from::Verdict::kNotTaken}) == Actions{kRelease});
    CHECK(move.state() == State::kFailed);
  }
  SUBCASE("taken") {
    CHECK(move.step(from::Told{from::Verdict::kTaken}).empty());
    CHECK(move.step(from::Cluster{from::Owner::kOther, false}) == Actions{kRelease});
    CHECK(move.state() == State::kSuccess);
  }
  SUBCASE("a failed target is outbid before the writers go on") {
    CHECK(move.step(from::Cluster{from::Owner::kMe, true}).empty());
    CHECK(move.pass(milliseconds(100)) == Actions{kFence});
    CHECK(move.step(from::Fenced{true}) == Actions{kRelease});
    CHECK(move.state() == State::kFailed);
  }
  SUBCASE("where it can't be outbid they wait on") {
    CHECK(move.step(from::Cluster{from::Owner::kMe, true}).empty());
    CHECK(move.pass(milliseconds(100)) == Actions{kFence});
    CHECK(move.step(from::Fenced{false}).empty());
    CHECK(move.pass(milliseconds(100)) == Actions{kFence});
  }
}

TEST_CASE("A hand-over without an answer is looked into") {
  Move move;
  move.begin_commit();
  CHECK(move.pass(milliseconds(10'001)) == Actions{kClose});
  CHECK(move.state() == State::kResolving);
}

TEST_CASE("A silent target is given up") {
  Move move;
  move.begin();
  CHECK(move.pass(milliseconds(60'000)).empty());
  CHECK(move.step(from::Answer{}).empty());
  CHECK(move.pass(milliseconds(60'000)).empty());
  CHECK(move.pass(milliseconds(1)) == Actions{kClose});
}

}  // namespace
}  // namespace hearth::cluster::migration
