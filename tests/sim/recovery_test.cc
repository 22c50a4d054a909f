// A majority that is lost with its zone: CLUSTER RECOVER on a node that is left.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

// Primaries 0 .. n-1 and their replicas n .. 2n-1. The first `lost` primaries stand in the zone
// that is lost, with the replicas of the others.
struct Zones {
  Zones(std::uint64_t seed, int primaries, int lost) : c(seed), count(primaries) {
    std::vector<int> members;
    for (int i = 0; i < count; ++i) members.push_back(c.add_node());
    c.create(members);
    for (int i = count; i < 2 * count; ++i) {
      c.start(c.add_node());
      c.meet(0, i);
    }
    REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
    for (int i = count; i < 2 * count; ++i)
      REQUIRE(c.replicate(i, i - count).kind == AdminReply::Kind::kOk);
    REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
    for (int i = 0; i < 2 * count; ++i) {
      const bool primary_lost = i % count < lost;
      (primary_lost == (i < count) ? gone : left).push_back(i);
    }
    first_owner = c.owners(0);
  }
  void lose() {
    for (const int i : gone) c.crash(i);
  }
  void cut_off() {
    std::vector<int> groups(static_cast<std::size_t>(2 * count), 0);
    for (const int i : gone) groups[static_cast<std::size_t>(i)] = 1;
    c.set_groups(groups);
  }
  AdminReply recover(int by, std::int64_t lost) { return c.admin(by, admin::Recover{lost, {}}); }
  [[nodiscard]] bool left_is_ok() {
    return std::all_of(left.begin(), left.end(),
                       [&](int i) { return c.node(i).view->state == ClusterState::kOk; });
  }
  // Each slot of a lost primary is its replica's, each other one where it was.
  void check_owners() {
    const std::vector<int> now = c.owners(left.front());
    for (std::size_t slot = 0; slot < now.size(); ++slot) {
      const int before = first_owner[slot];
      const bool lost = std::find(gone.begin(), gone.end(), before) != gone.end();
      if (now[slot] != (lost ? before + count : before)) {
        FAIL("slot " << slot << " of node " << before << " is now of node " << now[slot]);
      }
    }
    for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
  }

  SimCluster c;
  int count;
  std::vector<int> gone, left, first_owner;
};

}  // namespace

TEST_CASE("half of the primaries is lost with a zone: replicas take over by one command") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Zones z(seed, 4, 2);
    CHECK(z.recover(2, 2).text.find("a majority") != std::string::npos);
    CHECK(z.c.view(2)->recovery_hint.empty());
    z.lose();
    z.c.run_for(2'500);
    CHECK(z.recover(2, 2).is_error());  // it may be nothing
    z.c.run_for(10'000);
    CHECK_FALSE(z.left_is_ok());  // nobody takes over by itself
    CHECK(z.c.view(3)->recovery_hint.find("CLUSTER RECOVER LOST 2") != std::string::npos);
    CHECK(z.recover(3, 1).text.find("2 of 4 primaries are lost") != std::string::npos);
    CHECK(z.recover(3, 3).is_error());
    const int by = z.left[z.c.rng.below(z.left.size())];  // primary or replica
    const AdminReply reply = z.recover(by, 2);
    INFO(z.c.story(60));
    REQUIRE(reply.kind == AdminReply::Kind::kStatus);
    CHECK(reply.text.find("2 of 2") != std::string::npos);
    REQUIRE(z.c.run_until(15'000, [&] { return z.left_is_ok(); }));
    CHECK(z.c.view(by)->recovery_hint.empty());
    z.check_owners();
    // The zone comes back: its primaries become replicas.
    for (const int i : z.gone) z.c.start(i);
    REQUIRE(z.c.run_until(60'000, [&] { return z.c.is_converged(); }));
    z.check_owners();
    for (const int i : z.gone) CHECK(z.c.view(i)->me().is_replica());
  }
}

TEST_CASE("the loss may be named by its nodes, all of them and no others") {
  Zones z(1, 4, 2);
  z.lose();
  z.c.run_for(10'000);
  const auto name = [&](int i) { return z.c.node(i).durable->me().id.str(); };
  CHECK(z.c.admin(2, admin::Recover{0, {name(0)}}).text.find("was not named") != std::string::npos);
  CHECK(z.c.admin(2, admin::Recover{0, {name(0), name(1), name(3)}}).text.find("no primary") !=
        std::string::npos);
  CHECK(z.c.admin(2, admin::Recover{0, {name(1), name(0)}}).kind == AdminReply::Kind::kStatus);
  CHECK(z.c.run_until(15'000, [&] { return z.left_is_ok(); }));
}

TEST_CASE("a zone that was cut off and went on by itself gives way to the recovered side") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    // Three of five: a majority, whose replicas of the other two are elected there.
    Zones z(seed, 5, 3);
    z.cut_off();
    z.c.run_for(15'000);
    CHECK(z.c.node(z.gone.front()).view->state == ClusterState::kOk);
    CHECK_FALSE(z.left_is_ok());
    const AdminReply reply = z.recover(z.left.front(), 3);
    CAPTURE(reply.text);
    REQUIRE(reply.kind == AdminReply::Kind::kStatus);
    REQUIRE(z.c.run_until(15'000, [&] { return z.left_is_ok(); }));
    z.c.run_for(static_cast<std::int64_t>(z.c.rng.below(5'000)));
    z.c.heal();
    INFO(z.c.story(80));
    REQUIRE(z.c.run_until(60'000, [&] { return z.c.is_converged(); }));
    z.check_owners();
  }
}

TEST_CASE("lost messages and a crash in the middle of it: the command is repeated") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Zones z(seed, 4, 2);
    z.lose();
    z.c.run_for(12'000);
    z.c.faults = {0.3, 0.1, 1, 200};
    bool ok = false;
    for (int tries = 0; tries < 20 && !ok; ++tries) {
      for (const int i : z.left) {
        if (!z.c.is_up(i)) z.c.start(i);
      }
      const int by = z.left[z.c.rng.below(z.left.size())];
      std::int64_t lost = 0;
      const ViewPtr v = z.c.view(by);
      for (const auto& n : v->nodes) {
        const bool silent = n.has(node_flag::kPfail | node_flag::kFail);
        lost += n.is_primary() && n.slot_count > 0 && silent ? 1 : 0;
      }
      static_cast<void>(z.recover(by, lost));
      // Not a replica: without its primary it has no data that it may stand for.
      if (tries == 0) z.c.crash(z.left[z.c.rng.below(2)]);
      ok = z.c.run_until(8'000, [&] { return z.left_is_ok(); });
      if (tries == 3) z.c.faults = {};
    }
    z.c.faults = {};
    INFO(z.c.story(80));
    REQUIRE(ok);
    for (int i = 0; i < 8; ++i) {
      if (!z.c.is_up(i)) z.c.start(i);
    }
    REQUIRE(z.c.run_until(60'000, [&] { return z.c.is_converged(); }));
    z.check_owners();
  }
}

TEST_CASE("a replica that was started without its primary is no heir") {
  Zones z(1, 4, 2);
  z.lose();
  z.c.run_for(5'000);
  z.c.crash(4);
  z.c.start(4);
  z.c.run_for(10'000);
  CHECK(z.recover(2, 2).kind == AdminReply::Kind::kStatus);
  z.c.run_for(10'000);
  CHECK(z.c.view(4)->me().is_replica());
  CHECK(z.c.view(5)->me().is_primary());
  CHECK(z.c.admin(4, admin::Failover{admin::Failover::Mode::kTakeover}).kind ==
        AdminReply::Kind::kOk);
  CHECK(z.c.run_until(15'000, [&] { return z.left_is_ok(); }));
  z.check_owners();
}

TEST_CASE("without replicas that make a majority there is nothing to recover") {
  Zones z(1, 4, 2);
  z.lose();
  z.c.crash(4);
  z.c.crash(5);
  z.c.run_for(10'000);
  CHECK(z.recover(2, 2).text.find("makes no majority") != std::string::npos);
  CHECK(z.c.view(2)->recovery_hint.find("makes no majority") != std::string::npos);
}

TEST_CASE("an order to take a place is not followed while the primary is heard") {
  Zones z(1, 4, 2);
  const Epoch epoch = z.c.view(4)->current_epoch;
  std::string payload(18, '\0');
  payload[6] = payload[14] = 2;  // epochs 512
  payload[17] = 1;
  payload += z.c.id(0).view();
  Message m;
  m.type = MessageType::kModule;
  m.header = z.c.header_of(2);
  for (const std::string& bytes : {payload, payload.substr(0, 40), std::string(18, '\xff')}) {
    m.body = ModuleBody{0x4845415254485631ULL, 1, bytes};
    z.c.inject(2, 4, m);
    z.c.run_for(1'000);
    CHECK(z.c.view(4)->me().is_replica());
    CHECK(z.c.view(4)->current_epoch == epoch);
  }
}
