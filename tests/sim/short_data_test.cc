// Primaries that start with less data than their replicas have: cluster/bus/short_data.cc.
#include <doctest/doctest.h>

#include "tests/sim/bare_machine.h"
#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::BareMachine;
using hearth::sim::SimCluster;

namespace {

constexpr int kMe = 2;

// A primary with slots that starts on a file with two others: `mate`, and another shard's primary.
struct Restarted : BareMachine {
  Restarted(NodeFlags mate, bool is_replica_of_me, DataState with) {
    // As in the server: nothing is there while it is loaded.
    data.is_empty = true;
    View file = file_of(kMe);
    for (auto& node : file.nodes) node.shard_id = id_of(100);
    file.nodes[1].shard_id = id_of(101);
    file.nodes[0].flags = mate;
    if (is_replica_of_me) file.nodes[0].replica_of = file.nodes[kMe].id;
    for (int i = 0; i < kSlotCount; ++i)
      file.nodes[i < 100 ? kMe : 1].slots.add(static_cast<Slot>(i));
    file.index();
    machine = std::make_unique<Machine>(settings, file, 1, now());
    feed(input::Loading{true});
    tick(3);
    data = with;
    feed(input::Loading{false});
    in = accept();
  }
  // The mate says how much it has.
  void hear(std::uint64_t offset) {
    Message m = heartbeat(MessageType::kPing, 0);
    m.header.replication_offset = offset;
    receive(in, std::move(m));
    tick();
  }
  bool waits() { return view()->awaits_heir; }
  LinkId in = 0;
};

constexpr NodeFlags kPrimary = node_flag::kPrimary;
constexpr NodeFlags kReplica = node_flag::kReplica;

}  // namespace

TEST_CASE("a primary without data waits for whoever of its shard may have them") {
  const DataState none{.is_empty = true};
  CHECK(Restarted(kReplica, true, none).waits());
  // FAIL was said before; it may just have come back, and not be known as a replica yet.
  CHECK(Restarted(kReplica | node_flag::kFail, true, none).waits());
  CHECK(Restarted(kPrimary | node_flag::kFail, false, none).waits());
  CHECK_FALSE(Restarted(kReplica | node_flag::kNoFailover, true, none).waits());
  CHECK_FALSE(Restarted(kReplica, true, DataState{.offset = 10}).waits());
}

TEST_CASE("a primary that acknowledged what its replicas had waits until none has more") {
  const DataState some{.offset = 1'000, .owes_replicas = true};
  Restarted equal(kReplica, true, some);
  CHECK(equal.waits());
  equal.tick(3);
  CHECK(equal.waits());
  equal.hear(1'000);
  CHECK_FALSE(equal.waits());

  Restarted behind(kReplica, true, some);
  behind.hear(1'001);
  CHECK(behind.waits());
  // Nobody takes its place: it serves in the end.
  behind.tick(static_cast<int>(4 * behind.settings.node_timeout.count() / 100 + 30));
  CHECK_FALSE(behind.waits());
}

TEST_CASE("a primary that is back at once without its last writes gives way to its replica") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    SimCluster c(seed);
    std::vector<int> members;
    for (int i = 0; i < 3; ++i) members.push_back(c.add_node());
    c.create(members);
    for (int i = 3; i < 6; ++i) {
      c.start(c.add_node());
      c.meet(0, i);
    }
    REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
    for (int i = 0; i < 3; ++i) {
      REQUIRE(c.replicate(i + 3, i).kind == AdminReply::Kind::kOk);
      c.node(i).owes_replicas = true;
      c.node(i).offset = 1'000;
    }
    REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
    c.run_for(1'500);
    c.crash(0);
    const bool has_none = c.rng.chance(0.5);
    c.node(0).offset = has_none ? 0 : 900;
    c.start(0);
    const bool replaced = c.run_until(20'000, [&] {
      REQUIRE_FALSE((c.is_up(0) && c.node(0).view->served.any()));
      return c.node(3).view->served.any();
    });
    REQUIRE(replaced);
    REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
    CHECK(c.view(0)->me().replica_of == c.id(3));
    CHECK(c.node(3).offset == 1'000);
    // A start that has all goes on at once.
    c.crash(1);
    c.start(1);
    CHECK(c.run_until(5'000, [&] { return c.is_up(1) && c.node(1).view->served.any(); }));
    CHECK(c.view(4)->me().is_replica());
  }
}
