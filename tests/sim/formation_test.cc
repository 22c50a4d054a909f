// Self-formation out of cluster-seeds and cluster-expected-size.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

// `count` fresh nodes that expect `expected`, seeds at the nodes named.
struct Fresh : SimCluster {
  Fresh(std::uint64_t seed, int count, int expected, const std::vector<int>& seed_nodes)
      : SimCluster(seed) {
    for (int i = 0; i < count; ++i) add_node();
    for (int i = 0; i < count; ++i) {
      for (const int s : seed_nodes) {
        node(i).settings.seeds.push_back(
            {node(s).ip, node(s).port, static_cast<std::uint16_t>(node(s).port + kBusPortOffset)});
      }
      node(i).settings.expected_size = expected;
    }
  }
  [[nodiscard]] int owners_count(int i) {
    const ViewPtr v = view(i);
    return static_cast<int>(std::count_if(v->nodes.begin(), v->nodes.end(),
                                          [](const NodeView& n) { return n.slot_count > 0; }));
  }
};

void check_rules(const SimCluster& c) {
  for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
}

}  // namespace

TEST_CASE("fresh nodes divide the slots among themselves, whatever their number and seeds") {
  for (const int count : {1, 2, 3, 5, 8}) {
    CAPTURE(count);
    Fresh c(static_cast<std::uint64_t>(count), count, count, {0});
    for (int i = 0; i < count; ++i) c.start(i);
    const bool formed = c.run_until(15'000, [&] { return c.is_converged(); });
    INFO(c.story(60));
    CHECK(formed);
    CHECK(c.view(0)->assigned == kSlotCount);
    CHECK(c.owners_count(0) == count);
    for (int i = 0; i < count; ++i) CHECK(c.view(i)->me().slot_count >= kSlotCount / count - 1);
    check_rules(c);
  }
}

TEST_CASE("three nodes get the shares that redis-cli would give them") {
  Fresh c(4, 3, 3, {0, 1, 2});
  for (int i = 0; i < 3; ++i) c.start(i);
  REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
  std::vector<std::vector<SlotRange>> shares;
  for (int i = 0; i < 3; ++i) shares.push_back(c.view(i)->me().slots.ranges());
  std::sort(shares.begin(), shares.end());
  CHECK(shares ==
        std::vector<std::vector<SlotRange>>{{{0, 5460}}, {{5461, 10922}}, {{10923, 16383}}});
}

TEST_CASE("any start order works, and nothing is claimed before the last node is there") {
  std::vector<int> order{0, 1, 2};
  do {
    Fresh c(7, 3, 3, {0, 1, 2});
    c.start(order[0]);
    c.run_for(3'000);
    c.start(order[1]);
    c.run_for(60'000);
    CHECK(c.view(order[0])->assigned == 0);
    CHECK(c.view(order[1])->assigned == 0);
    c.start(order[2]);
    CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));
    CHECK(c.owners_count(0) == 3);
    check_rules(c);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("one node too many joins without slots, and all agree who that is") {
  for (const auto seed : sim::seeds(6)) {
    CAPTURE(seed);
    Fresh c(seed, 4, 3, {0, 1});
    for (int i = 0; i < 4; ++i) c.start(i);
    const bool formed = c.run_until(30'000, [&] { return c.is_converged(); });
    INFO(c.story(60));
    CHECK(formed);
    CHECK(c.owners_count(0) == 3);
    check_rules(c);
  }
}

TEST_CASE("a node added later joins the formed cluster and claims nothing") {
  Fresh c(9, 4, 3, {0, 1, 2});
  for (int i = 0; i < 3; ++i) c.start(i);
  REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
  const auto before = c.owners(0);
  c.start(3);
  CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));
  CHECK(c.owners(3) == before);
  CHECK(c.run_until(5'000,
                    [&] { return c.view(3)->formation.phase == FormationState::Phase::kOff; }));
  CHECK(c.owners(3) == before);
  check_rules(c);
}

TEST_CASE("a restarted node keeps its nodes.conf, with new seeds or none") {
  Fresh c(10, 3, 3, {0});
  for (int i = 0; i < 3; ++i) c.start(i);
  REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
  const auto before = c.owners(0);
  const NodeId id = c.id(1);
  c.crash(1);
  c.node(1).settings.expected_size = 2;
  c.start(1);
  CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));
  CHECK(c.id(1) == id);
  CHECK(c.owners(0) == before);
  check_rules(c);
}

TEST_CASE("without an expected size a fresh node joins what its seeds know") {
  Fresh c(11, 4, 3, {0});
  for (int i = 0; i < 3; ++i) c.start(i);
  c.node(3).settings.expected_size = 0;
  REQUIRE(c.run_until(15'000, [&] { return c.is_converged(); }));
  c.start(3);
  CHECK(c.run_until(15'000, [&] { return c.is_converged(); }));
  CHECK(c.view(3)->nodes.size() == 4);
}

TEST_CASE("two halves that cannot see each other do not both form a cluster") {
  Fresh c(12, 6, 3, {0, 1, 2, 3});
  c.set_groups({0, 0, 0, 1, 1, 1});
  for (int i = 0; i < 6; ++i) c.start(i);
  c.run_for(30'000);
  CHECK(c.view(0)->assigned == kSlotCount);  // three of the four seeds are here
  CHECK(c.view(4)->assigned == 0);
  c.heal();
  CHECK(c.run_until(60'000, [&] { return c.is_converged(); }));
  CHECK(c.owners_count(4) == 3);
  check_rules(c);
}

TEST_CASE("crashes at any moment of forming, restarts and a bad network never assign twice") {
  for (const auto seed : sim::seeds(12)) {
    CAPTURE(seed);
    const int expected = 2 + static_cast<int>(seed % 4);
    const int count = expected + static_cast<int>(seed % 2);
    Fresh c(seed, count, expected, {0, 1});
    c.faults = {0.05, 0.05, 1, 100};
    for (int i = 0; i < count; ++i) c.node(i).crash_per_action = 0.01;
    for (int round = 0; round < 60; ++round) {
      for (int i = 0; i < count; ++i) {
        if (!c.is_up(i) && c.rng.chance(0.5)) c.start(i);
      }
      if (c.rng.chance(0.2)) {
        std::vector<int> groups;
        for (int i = 0; i < count; ++i) groups.push_back(static_cast<int>(c.rng.below(2)));
        c.set_groups(groups);
      } else {
        c.heal();
      }
      c.run_for(500);
    }
    c.heal();
    c.faults = {};
    for (int i = 0; i < count; ++i) {
      c.node(i).crash_per_action = 0;
      if (!c.is_up(i)) c.start(i);
    }
    const bool formed = c.run_until(90'000, [&] { return c.is_converged(); });
    INFO(c.story(60));
    CHECK(formed);
    CHECK(c.owners_count(0) == expected);
    check_rules(c);
    if (!formed || !c.checker.violations().empty()) break;
  }
}

TEST_CASE("a member that is lost for good holds the plan until an administrator forgets it") {
  // The plan is promised by all, and one member dies before anyone could claim.
  for (const auto seed : sim::seeds(10)) {
    CAPTURE(seed);
    Fresh c(seed, 4, 3, {0, 1});
    for (int i = 0; i < 3; ++i) c.start(i);
    c.run_until(15'000, [&] {
      return c.is_up(2) && c.view(2)->formation.phase == FormationState::Phase::kPromised;
    });
    const NodeId lost = c.id(2);
    c.crash(2);
    c.wipe(2);
    c.run_for(20'000);
    const int assigned = c.view(0)->assigned;
    for (const int i : {0, 1}) c.admin(i, admin::Forget{lost.str()});
    c.start(3);
    c.run_for(40'000);
    if (assigned == 0) {
      // Node 3 takes the place.
      CHECK(c.view(0)->assigned == kSlotCount);
      CHECK(c.owners_count(3) == 3);
    } else {
      // The plan was decided: the share of the lost one is the administrator's to give.
      CHECK(c.owners_count(0) == 2);
      CHECK(c.view(3)->me().slot_count == 0);
    }
    check_rules(c);
  }
}

TEST_CASE("with replicas expected, the nodes form primaries and replicas by themselves") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Fresh c(seed, 6, 3, {0, 1, 2, 3, 4, 5});
    for (int i = 0; i < 6; ++i) {
      c.node(i).settings.replicas_per_shard = 1;
      c.start(i);
    }
    const auto is_complete = [&c] {
      int replicas = 0;
      for (int i = 0; i < 6; ++i) replicas += c.view(i)->me().is_replica() ? 1 : 0;
      return replicas == 3 && c.is_converged();
    };
    const bool complete = c.run_until(30'000, is_complete);
    INFO(c.story(60));
    REQUIRE(complete);
    CHECK(c.owners_count(0) == 3);
    CHECK(c.view(0)->assigned == kSlotCount);
    std::set<NodeId> primaries;
    for (int i = 0; i < 6; ++i) {
      if (c.view(i)->me().is_replica()) primaries.insert(c.view(i)->me().replica_of);
    }
    CHECK(primaries.size() == 3);  // one each

    // One that comes later finds a place where a replica is lost for good.
    int lost = 0;
    while (!c.view(lost)->me().is_replica()) ++lost;
    const NodeId widow = c.view(lost)->me().replica_of;
    const std::string gone = c.id(lost).str();
    c.crash(lost);
    c.run_for(8'000);
    for (int i = 0; i < 6; ++i) {
      if (i != lost) c.admin(i, admin::Forget{gone});
    }
    const int late = c.add_node();
    c.node(late).settings.seeds = c.node(lost == 0 ? 1 : 0).settings.seeds;
    c.node(late).settings.expected_size = 3;
    c.node(late).settings.replicas_per_shard = 1;
    c.start(late);
    CHECK(c.run_until(20'000, [&] { return c.view(late)->me().replica_of == widow; }));
    check_rules(c);
  }
}

TEST_CASE("nodes that mean other numbers of replicas form no cluster together") {
  Fresh c(9, 4, 4, {0, 1, 2, 3});
  for (int i = 0; i < 4; ++i) {
    if (i % 2 == 0) {
      c.node(i).settings.expected_size = 2;
      c.node(i).settings.replicas_per_shard = 1;
    }
    c.start(i);
  }
  c.run_for(20'000);
  for (int i = 0; i < 4; ++i) CHECK(c.view(i)->assigned == 0);
  check_rules(c);
}
