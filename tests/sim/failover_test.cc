// Replicas: who follows whom, elections, failovers by hand, replicas that move to orphans.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

using Mode = admin::Failover::Mode;

constexpr std::int64_t kTimeout = 2000;
// A killed primary: suspected after the time-out, failed when the majority has said so, replaced
// when the votes are there; the rest is ticks and the disk.
constexpr std::int64_t kReplaced = kTimeout + 600;

// Primaries 0 .. primaries-1, and replicas behind them in the order of `of`.
struct Shards : SimCluster {
  Shards(int primaries, const std::vector<int>& of, std::uint64_t seed = 1) : SimCluster(seed) {
    std::vector<int> members;
    for (int i = 0; i < primaries; ++i) members.push_back(add_node());
    create(members);
    for (std::size_t k = 0; k < of.size(); ++k) {
      const int replica = add_node();
      start(replica);
      meet(0, replica);
    }
    REQUIRE(run_until(15'000, [this] { return is_converged(); }));
    for (std::size_t k = 0; k < of.size(); ++k) {
      const auto done = replicate(primaries + static_cast<int>(k), of[k]);
      REQUIRE(done.kind == AdminReply::Kind::kOk);
    }
    REQUIRE(run_until(15'000, [this] { return is_converged(); }));
    for (int i = 0; i < primaries; ++i) node(i).offset = 1000;
    run_for(1'500);
  }
  void change(int i, const std::function<void(BusSettings&)>& how) {
    how(node(i).settings);
    if (is_up(i)) feed(i, input::SettingsChanged{node(i).settings});
  }
  [[nodiscard]] bool leads(int i) { return is_up(i) && node(i).view->served.any(); }
  [[nodiscard]] bool saw(std::string_view text) const {
    return std::any_of(log.begin(), log.end(), [text](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
  AdminReply fail_over(int i, Mode mode = Mode::kAgreed) { return admin(i, admin::Failover{mode}); }
};

// Gives all slots of a primary but a few to another one, so that moving the rest is quick.
SlotSet leave_few(SimCluster& c, int from, int to) {
  constexpr int kFew = 5;
  SlotSet few;
  admin::DelSlots most;
  c.view(from)->me().slots.for_each([&](Slot slot) {
    if (few.count() < kFew)
      few.add(slot);
    else
      most.slots.push_back(slot);
  });
  for (int i = 0; i < c.size(); ++i) c.admin(i, most);
  REQUIRE(c.admin(to, admin::AddSlots{most.slots}).kind == AdminReply::Kind::kOk);
  REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
  return few;
}

void move_all(SimCluster& c, const SlotSet& slots, int from, int to) {
  const std::string source = c.id(from).str();
  slots.for_each([&](Slot slot) {
    c.admin(to, admin::SetSlotImporting{slot, source});
    c.admin(to, admin::SetSlotNode{slot, c.id(to).str(), false});
  });
}

void obey(SimCluster& c) {
  for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
}

}  // namespace

TEST_CASE("REPLICATE makes an empty node a replica, which all others learn") {
  Shards c(3, {0, 0, 1});
  for (int by = 0; by < 6; ++by) {
    CAPTURE(by);
    CHECK(c.primary_of(by, 3) == 0);
    CHECK(c.primary_of(by, 4) == 0);
    CHECK(c.primary_of(by, 5) == 1);
    CHECK(c.primary_of(by, 0) == -1);
  }
  CHECK(c.node(3).followed == "10.0.0.1:6000");
  CHECK(c.view(3)->me().shard_id == c.view(0)->me().shard_id);
  CHECK(c.view(0)->nodes[c.view(0)->find(c.id(3))].replication_offset == 1000);
  obey(c);
}

TEST_CASE("REPLICATE says why it refuses") {
  Shards c(3, {0});
  const auto refusal = [&](int i, const std::string& node, bool has_keys = false) {
    return c.admin(i, admin::Replicate{node, has_keys}).text;
  };
  const int fresh = c.add_node();
  c.start(fresh);
  c.meet(0, fresh);
  REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
  CHECK(refusal(fresh, "abc") == "ERR Unknown node abc");
  CHECK(refusal(fresh, c.id(fresh).str()) == "ERR Can't replicate myself");
  CHECK(refusal(fresh, c.id(3).str()) == "ERR I can only replicate a master, not a replica.");
  const std::string not_empty =
      "ERR To set a master the node must be empty and without assigned slots.";
  CHECK(refusal(1, c.id(0).str()) == not_empty);
  CHECK(refusal(fresh, c.id(0).str(), true) == not_empty);
  CHECK(refusal(3, c.id(1).str(), true).empty());  // a replica may change sides with its data
  CHECK(c.run_until(5'000, [&] { return c.primary_of(0, 3) == 1; }));
  CHECK(c.admin(0, admin::Forget{c.id(1).str()}).kind == AdminReply::Kind::kOk);
  CHECK(c.admin(3, admin::Forget{c.id(1).str()}).text == "ERR Can't forget my master!");
}

TEST_CASE("REPLICATE NO ONE makes an empty primary of its own shard") {
  Shards c(3, {0});
  CHECK(c.admin(3, admin::ReplicateNoOne{}).kind == AdminReply::Kind::kOk);
  CHECK(c.view(3)->me().is_primary());
  CHECK(c.node(3).followed.empty());
  CHECK(c.node(3).dropped.count() == kSlotCount);
  CHECK(c.view(3)->me().shard_id != c.view(0)->me().shard_id);
  CHECK(c.run_until(10'000, [&] { return c.is_converged() && c.primary_of(1, 3) == -1; }));
  CHECK(c.admin(0, admin::ReplicateNoOne{}).kind == AdminReply::Kind::kOk);  // it is one already
  CHECK(c.view(0)->me().slot_count > 0);
  obey(c);
}

TEST_CASE("a replica is one again after a restart, and follows its primary to a new address") {
  Shards c(3, {0});
  c.crash(3);
  c.run_for(500);
  c.start(3);
  CHECK(c.run_until(10'000, [&] { return c.is_converged(); }));
  CHECK(c.view(3)->me().replica_of == c.id(0));
  CHECK(c.node(3).followed == "10.0.0.1:6000");
  c.crash(0);
  c.node(0).ip = "10.5.5.5";
  c.start(0);
  CHECK(c.run_until(10'000, [&] { return c.node(3).followed == "10.5.5.5:6000"; }));
  obey(c);
}

TEST_CASE("a killed primary is replaced, and comes back as its successor's replica") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    Shards c(3, {0, 1, 2}, seed);
    const SlotSet slots = c.view(0)->me().slots;
    const Epoch before = c.view(1)->current_epoch;
    c.crash(0);
    const bool replaced = c.run_until(kReplaced, [&] {
      return c.leads(3) && c.view(1)->nodes[c.view(1)->find(c.id(3))].slots == slots &&
             c.node(1).view->state == ClusterState::kOk;
    });
    INFO(c.story(60));
    REQUIRE(replaced);
    CHECK(c.view(3)->me().config_epoch > before);
    CHECK(c.node(3).followed.empty());
    c.start(0);
    CHECK(c.run_until(10'000, [&] { return c.is_converged(); }));
    CHECK(c.view(0)->me().replica_of == c.id(3));
    CHECK(c.node(0).followed == "10.0.0.4:6000");
    CHECK(c.node(0).dropped.empty());
    obey(c);
  }
}

TEST_CASE("the replica with the most data wins, and the others follow it") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    Shards c(3, {0, 0, 0}, seed);
    const int best = 3 + static_cast<int>(seed % 3);
    for (int i = 3; i < 6; ++i) c.node(i).replicates = false;
    c.run_for(100);
    for (int i = 3; i < 6; ++i) c.node(i).offset = i == best ? 1500 : 1200;
    c.run_for(2'500);  // heartbeats tell of it
    c.crash(0);
    for (int i = 3; i < 6; ++i) c.node(i).replicates = true;
    const bool replaced = c.run_until(kReplaced, [&] { return c.leads(best); });
    INFO(c.story(60));
    CHECK(replaced);
    CHECK(c.run_until(5'000, [&] {
      for (int i = 3; i < 6; ++i) {
        if (i != best && c.view(i)->me().replica_of != c.id(best)) return false;
      }
      return true;
    }));
    CHECK(c.node(best == 3 ? 4 : 3).followed == c.node(best).ip + ":6000");
    obey(c);
  }
}

TEST_CASE("a replica whose data is too old does not stand, unless any age will do") {
  for (const bool any_age : {false, true}) {
    CAPTURE(any_age);
    Shards c(3, {0});
    c.change(3, [&](BusSettings& s) {
      s.replica_validity_factor = any_age ? 0 : 2;
      s.repl_ping_period = std::chrono::milliseconds{1000};
    });
    c.node(3).replicates = false;
    c.run_for(2 * kTimeout + 1000 + kTimeout + 100);
    c.crash(0);
    CHECK(c.run_until(kReplaced, [&] { return c.leads(3); }) == any_age);
    CHECK(c.saw("data is too old") == !any_age);
    obey(c);
  }
}

TEST_CASE("a replica that never had its primary's data does not stand") {
  Shards c(3, {0});
  c.crash(3);
  c.node(3).replicates = false;
  c.start(3);
  c.run_for(3'000);
  c.crash(0);
  c.run_for(10'000);
  CHECK_FALSE(c.leads(3));
  obey(c);
}

TEST_CASE("cluster-replica-no-failover keeps a replica from standing by itself, not by hand") {
  Shards c(3, {0});
  c.change(3, [](BusSettings& s) { s.no_failover = true; });
  c.crash(0);
  c.run_for(8'000);
  CHECK_FALSE(c.leads(3));
  CHECK(c.fail_over(3).text == "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE");
  CHECK(c.fail_over(3, Mode::kForce).kind == AdminReply::Kind::kOk);
  CHECK(c.run_until(1'000, [&] { return c.leads(3); }));
  obey(c);
}

TEST_CASE("a replica that is not warm is not promoted, by itself or by hand, until it is") {
  Shards c(3, {0, 0});
  c.node(3).is_warming = c.node(4).is_warming = true;
  for (const Mode mode : {Mode::kAgreed, Mode::kForce, Mode::kTakeover}) {
    CHECK(c.fail_over(3, mode).text ==
          "ERR this node is not warm yet (warm-gate); WARM OPEN makes it serve");
  }
  c.crash(0);
  c.run_for(8'000);
  CHECK_FALSE(c.leads(3));
  CHECK_FALSE(c.leads(4));
  CHECK(c.saw("it is not warm yet (warm-gate)"));
  c.node(4).is_warming = false;
  CHECK(c.run_until(2'000, [&] { return c.leads(4); }));
  CHECK_FALSE(c.leads(3));
  obey(c);
}

TEST_CASE("an election without a majority is held again until there is one") {
  Shards c(5, {0});
  c.crash(0);
  // The replica hears of the failure, and then only two of the five.
  REQUIRE(c.run_until(kReplaced, [&] {
    const ViewPtr v = c.view(5);
    return v->nodes[v->find(c.node(0).durable->me().id)].has(node_flag::kFail) ||
           v->me().is_primary();
  }));
  if (c.view(5)->me().is_replica()) {
    c.set_groups({0, 0, 1, 1, 1, 0});
    c.run_for(6'000);
    CHECK_FALSE(c.leads(5));
    CHECK(c.saw("Failover attempt of epoch"));
    c.heal();
  }
  CHECK(c.run_until(6'000, [&] { return c.leads(5); }));
  obey(c);
}

TEST_CASE("several primaries that fail at once are all replaced") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Shards c(7, {0, 1, 2}, seed);
    for (int i = 0; i < 3; ++i) c.crash(i);
    const bool replaced =
        c.run_until(kTimeout + 1'500, [&] { return c.leads(7) && c.leads(8) && c.leads(9); });
    INFO(c.story(80));
    CHECK(replaced);
    CHECK(c.node(4).view->state == ClusterState::kOk);
    obey(c);
  }
}

TEST_CASE("a primary in a minority is replaced by its replica in the majority, and steps down") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Shards c(3, {0, 1, 2}, seed);
    c.set_groups({1, 0, 0, 0, 0, 0});
    std::int64_t stopped_at = 0;
    std::int64_t replaced_at = 0;
    const std::int64_t began = c.now_ms();
    CHECK(c.run_until(8'000, [&] {
      if (stopped_at == 0 && !c.leads(0)) stopped_at = c.now_ms();
      if (replaced_at == 0 && c.leads(3)) replaced_at = c.now_ms();
      return stopped_at != 0 && replaced_at != 0;
    }));
    CHECK(stopped_at - began <= kTimeout + 1'200);
    c.heal();
    CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));
    CHECK(c.view(0)->me().replica_of == c.id(3));
    obey(c);
  }
}

TEST_CASE("a primary that stood still for longer than the time-out does not serve when it wakes") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    Shards c(3, {0, 1, 2}, seed);
    c.pause(0, 6'000);
    REQUIRE(c.run_until(5'500, [&] { return c.leads(3); }));
    c.run_for(6'000 - 5'000);
    for (int t = 0; t < 3'000; ++t) {
      c.run_for(1);
      if (c.now_ms() > c.node(0).paused_until_ms) REQUIRE_FALSE(c.leads(0));
    }
    CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));
    CHECK(c.view(0)->me().replica_of == c.id(3));
    obey(c);
  }
}

TEST_CASE("a promotion is on the disk before it is told, and before a client is served") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    Shards c(3, {0}, seed);
    c.node(3).disk_delay_ms_min = c.node(3).disk_delay_ms_max = 400;
    c.crash(0);
    REQUIRE(c.run_until(kReplaced + 1'500, [&] { return c.view(3)->me().is_primary(); }));
    CHECK_FALSE(c.leads(3));
    c.crash(3);  // in the middle of it
    c.start(3);
    c.run_for(10'000);
    CHECK((c.leads(3) || c.view(3)->me().is_replica()));
    obey(c);
  }
}

TEST_CASE("a failover by hand waits until the replica has all that was written") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    Shards c(3, {0, 1, 2}, seed);
    const Epoch before = c.view(0)->current_epoch;
    CHECK(c.fail_over(0).text == "ERR You should send CLUSTER FAILOVER to a replica");
    CHECK(c.fail_over(3).kind == AdminReply::Kind::kOk);
    CHECK(c.run_until(1'000, [&] { return c.leads(3); }));
    CHECK(c.saw("writes are held at offset 1000"));
    CHECK(c.view(3)->current_epoch == before + 1);
    CHECK(c.run_until(5'000, [&] { return c.is_converged(); }));
    CHECK(c.view(0)->me().replica_of == c.id(3));
    CHECK_FALSE(c.node(0).writes_held);
    CHECK_FALSE(c.saw("FAIL"));
    obey(c);
  }
}

TEST_CASE("a failover by hand that does not come to its end lets the primary go on") {
  Shards c(3, {0});
  c.node(3).replicates = false;
  c.node(0).offset = 2000;  // which the replica never gets
  CHECK(c.fail_over(3).is_error());
  c.node(3).replicates = true;
  CHECK(c.fail_over(3).kind == AdminReply::Kind::kOk);
  c.node(3).replicates = false;
  c.node(3).offset = 1000;
  c.run_for(1'000);
  CHECK(c.node(0).writes_held);
  c.run_for(9'000);
  CHECK_FALSE(c.node(0).writes_held);
  CHECK(c.leads(0));
  CHECK_FALSE(c.leads(3));
  CHECK(c.saw("Manual failover timed out."));
  obey(c);
}

TEST_CASE("FORCE needs no primary, TAKEOVER no majority either") {
  Shards c(3, {0, 1, 2});
  c.set_groups({1, 0, 0, 0, 0, 0});
  c.run_for(500);
  CHECK(c.fail_over(3, Mode::kForce).kind == AdminReply::Kind::kOk);
  CHECK(c.run_until(1'000, [&] { return c.leads(3); }));
  c.heal();
  CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));

  c.set_groups({0, 1, 1, 1, 1, 0});
  c.run_for(500);
  CHECK(c.fail_over(5, Mode::kTakeover).kind == AdminReply::Kind::kOk);
  c.run_for(100);
  CHECK(c.view(5)->me().is_primary());
  c.heal();
  CHECK(c.run_until(20'000, [&] { return c.is_converged(); }));
  CHECK(c.view(2)->me().replica_of == c.id(5));
  obey(c);
}

TEST_CASE("a replica follows who got all slots of its primary") {
  for (const bool may_move : {true, false}) {
    CAPTURE(may_move);
    Shards c(3, {0});
    for (int i = 0; i < 4; ++i) {
      c.change(i, [&](BusSettings& s) { s.allow_replica_migration = may_move; });
    }
    move_all(c, leave_few(c, 0, 1), 0, 1);
    CHECK(c.run_until(10'000, [&] { return c.view(0)->me().slot_count == 0; }));
    c.run_for(3'000);
    CHECK(c.view(3)->me().replica_of == (may_move ? c.id(1) : c.id(0)));
    CHECK(c.view(0)->me().is_replica() == may_move);
    CHECK(c.run_until(10'000, [&] { return c.is_converged(); }));
    obey(c);
  }
}

TEST_CASE("a replica of a replica follows the primary of both") {
  Shards c(4, {0});
  // Primary 3 gives its slots away by hand and becomes a replica; its replica 5 has to move on.
  const int below = c.add_node();
  c.start(below);
  c.meet(0, below);
  REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
  REQUIRE(c.replicate(below, 3).kind == AdminReply::Kind::kOk);
  c.change(below, [](BusSettings& s) { s.allow_replica_migration = false; });
  c.change(3, [](BusSettings& s) { s.allow_replica_migration = false; });
  move_all(c, leave_few(c, 3, 1), 3, 1);
  REQUIRE(c.run_until(10'000, [&] { return c.view(3)->me().slot_count == 0; }));
  c.run_for(2'000);
  CHECK(c.view(below)->me().replica_of == c.id(3));
  CHECK(c.replicate(3, 2).kind == AdminReply::Kind::kOk);
  CHECK(c.run_until(5'000, [&] { return c.view(below)->me().replica_of == c.id(2); }));
  CHECK(c.run_until(10'000, [&] { return c.is_converged(); }));
  obey(c);
}

// Primary 3 and its replica 5 have more data than shard 0, go to that shard with their last slot,
// and get nothing of its data before its primary is lost. Replica 4 has all of it.
TEST_CASE("who came from another shard tells no offset and goes last until it has the data") {
  for (const bool below_moves_by_itself : {true, false}) {
    CAPTURE(below_moves_by_itself);
    Shards c(4, {0, 3});
    for (const int i : {3, 5}) {
      c.change(i, [&](BusSettings& s) {
        s.replica_validity_factor = 0;
        s.allow_replica_migration = i == 3 || below_moves_by_itself;
      });
    }
    c.node(3).offset = 5'000;
    c.run_for(1'500);
    CHECK(c.node(5).offset == 5'000);
    c.node(3).replicates = c.node(5).replicates = false;
    move_all(c, leave_few(c, 3, 0), 3, 0);
    REQUIRE(c.run_until(15'000, [&] {
      return c.view(3)->me().replica_of == c.id(0) && c.view(5)->me().replica_of == c.id(0);
    }));
    CHECK(c.saw("I'm a sub-replica") != below_moves_by_itself);
    REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
    c.run_for(2'500);
    for (const int i : {3, 5}) {
      const cluster::NodeIndex seen = c.view(4)->find(c.id(i));
      REQUIRE(seen != kNoNode);
      CHECK(c.view(4)->nodes[static_cast<std::size_t>(seen)].replication_offset == 0);
    }
    c.crash(0);
    CHECK(c.run_until(kReplaced + 1'000, [&] { return c.leads(4); }));
    CHECK(c.saw("(rank #0, primary rank #0, offset 1000)"));
    CHECK_FALSE(c.saw("offset 5000)"));
    // Once it has the new primary's data it counts as any other.
    c.node(3).replicates = c.node(5).replicates = true;
    CHECK(c.run_until(10'000, [&] { return c.view(3)->me().replica_of == c.id(4); }));
    c.run_for(2'500);
    const cluster::NodeIndex seen = c.view(4)->find(c.id(3));
    CHECK(c.view(4)->nodes[static_cast<std::size_t>(seen)].replication_offset == 1'000);
    obey(c);
  }
}

TEST_CASE("a primary that stays without slots says so") {
  Shards c(3, {});
  c.change(0, [](BusSettings& s) { s.allow_replica_migration = false; });
  move_all(c, leave_few(c, 0, 1), 0, 1);
  CHECK(c.run_until(10'000, [&] { return c.view(0)->me().slot_count == 0; }));
  CHECK(c.saw("I am now an empty primary."));
}

TEST_CASE("a primary without replicas gets one from where there are most") {
  Shards c(3, {0, 0, 1, 2});
  c.crash(5);
  c.crash(6);  // two orphans, and one replica to spare
  CHECK(c.run_until(20'000, [&] {
    return c.primary_of(0, 3) == 1 || c.primary_of(0, 4) == 1 || c.primary_of(0, 3) == 2 ||
           c.primary_of(0, 4) == 2;
  }));
  c.run_for(10'000);
  CHECK((c.primary_of(0, 3) == 0) != (c.primary_of(0, 4) == 0));  // one stays
  obey(c);
}

TEST_CASE("a primary that was promoted and is left alone gets a replica") {
  Shards c(4, {0, 1, 1});
  c.crash(0);
  CHECK(c.run_until(kReplaced, [&] { return c.leads(4); }));
  CHECK(c.run_until(20'000, [&] { return c.primary_of(2, 5) == 4 || c.primary_of(2, 6) == 4; }));
  c.run_for(10'000);
  CHECK((c.primary_of(2, 5) == 1) != (c.primary_of(2, 6) == 1));  // one stays
  obey(c);
}

TEST_CASE("no replica moves to another primary below the barrier") {
  Shards c(3, {0, 0, 1});
  for (const int i : {3, 4}) {
    c.change(i, [](BusSettings& s) { s.migration_barrier = 2; });
  }
  c.crash(5);
  c.run_for(15'000);
  CHECK(c.primary_of(0, 3) == 0);
  CHECK(c.primary_of(0, 4) == 0);
}

TEST_CASE("no replica moves where it is switched off, or to a primary that never had one") {
  Shards c(3, {0, 0, 1});
  for (const int i : {3, 4}) {
    c.change(i, [](BusSettings& s) { s.allow_replica_migration = false; });
  }
  c.crash(5);
  c.run_for(15'000);
  CHECK(c.primary_of(0, 3) == 0);
  CHECK(c.primary_of(0, 4) == 0);
  CHECK(c.primary_of(0, 5) == 1);
}

TEST_CASE("a primary that is asked to hand over does so to the replica that has most") {
  Shards c(3, {0, 0});
  CHECK(c.admin(1, admin::HandOver{}).text == "ERR no replica to hand over to");
  CHECK(c.admin(3, admin::HandOver{}).is_error());
  c.node(3).replicates = false;
  c.node(3).offset = 500;
  c.run_for(2'500);
  CHECK(c.admin(0, admin::HandOver{}).kind == AdminReply::Kind::kOk);
  CHECK(c.run_until(1'500, [&] { return c.leads(4); }));
  CHECK(c.run_until(3'000, [&] { return c.view(0)->me().is_replica(); }));
  obey(c);
}

TEST_CASE("random faults among primaries and replicas break no rule, and all is mended") {
  constexpr int kAll = 6;
  for (const auto seed : sim::seeds(5)) {
    CAPTURE(seed);
    Shards c(3, {0, 1, 2}, seed);
    c.faults = {0.03, 0.03, 1, 80};
    for (int i = 0; i < kAll; ++i) {
      c.node(i).crash_per_action = 0.0005;
      if (c.rng.chance(0.3)) c.node(i).disk_delay_ms_max = 600;
    }
    for (int k = 0; k < 50; ++k) {
      const int i = static_cast<int>(c.rng.below(kAll));
      switch (c.rng.below(9)) {
        case 0: c.crash(i); break;
        case 1:
        case 2:
          if (!c.is_up(i)) c.start(i);
          break;
        case 3: {
          std::vector<int> groups;
          for (int n = 0; n < kAll; ++n) groups.push_back(static_cast<int>(c.rng.below(2)));
          c.set_groups(groups);
          break;
        }
        case 4: c.heal(); break;
        case 5: c.pause(i, static_cast<std::int64_t>(c.rng.below(6'000))); break;
        case 6: c.fail_over(i); break;
        case 7: c.fail_over(i, c.rng.chance(0.8) ? Mode::kForce : Mode::kAgreed); break;
        default: c.node(i).offset += c.rng.below(1'000); break;
      }
      c.run_for(static_cast<std::int64_t>(c.rng.below(3'000)));
    }
    c.heal();
    c.faults = {};
    for (int i = 0; i < kAll; ++i) {
      c.node(i).crash_per_action = 0;
      if (!c.is_up(i)) c.start(i);
    }
    const bool mended = c.run_until(60'000, [&] { return c.is_converged(); });
    INFO(c.story(100));
    CHECK(mended);
    for (int i = 0; i < kAll; ++i) {
      if (c.view(i)->me().is_replica()) CHECK(c.view(i)->me().slot_count == 0);
    }
    obey(c);
    if (!c.checker.violations().empty()) break;
  }
}

TEST_CASE("without full coverage the other shards go on while one is down") {
  Shards c(3, {0});
  for (int i = 0; i < 4; ++i) {
    c.change(i, [](BusSettings& s) { s.require_full_coverage = false; });
  }
  c.change(3, [](BusSettings& s) { s.no_failover = true; });
  c.crash(0);
  for (int t = 0; t < 80; ++t) {
    c.run_for(100);
    REQUIRE(c.leads(1));
    REQUIRE(c.leads(2));
  }
}

TEST_CASE("RESET of a replica makes it a lonely primary without data") {
  Shards c(3, {0});
  CHECK(c.admin(3, admin::Reset{false, true}).kind == AdminReply::Kind::kOk);
  CHECK(c.view(3)->me().is_primary());
  CHECK(c.view(3)->nodes.size() == 1);
  CHECK(c.node(3).dropped.count() == kSlotCount);
  CHECK(c.node(3).followed.empty());
}
