// Nodes that come back: into a minority, to other addresses, to a cluster whose slots went on.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

struct Created : SimCluster {
  explicit Created(int count, std::uint64_t seed = 1) : SimCluster(seed) {
    std::vector<int> members;
    for (int i = 0; i < count; ++i) members.push_back(add_node());
    create(members);
    REQUIRE(run_until(10'000, [this] { return is_converged(); }));
  }
  void move_to(int i, const std::string& ip, std::uint16_t port) {
    node(i).ip = ip;
    node(i).port = port;
    node(i).settings.announced.port = port;
    node(i).settings.announced.cport = static_cast<std::uint16_t>(port + kBusPortOffset);
  }
};

Seed seed_at(SimCluster& c, int i) {
  return {c.node(i).ip, c.node(i).port,
          static_cast<std::uint16_t>(c.node(i).port + kBusPortOffset)};
}

}  // namespace

TEST_CASE("a primary that starts in a minority never says ok") {
  for (int alone = 1; alone <= 2; ++alone) {
    CAPTURE(alone);
    Created c(5);
    for (int i = 0; i < 5; ++i) c.node(i).settings.require_full_coverage = false;
    for (int i = 0; i < alone; ++i) c.crash(i);
    std::vector<int> groups(5, 0);
    for (int i = 0; i < alone; ++i) groups[static_cast<std::size_t>(i)] = 1;
    c.set_groups(groups);
    for (int i = 0; i < alone; ++i) c.start(i);
    for (int t = 0; t < 300; ++t) {
      c.run_for(50);
      for (int i = 0; i < alone; ++i) {
        const bool serves = c.node(i).view->state == ClusterState::kOk;
        REQUIRE_FALSE(serves);
      }
    }
    c.heal();
    CHECK(c.run_until(20'000, [&] { return c.is_converged(); }));
  }
}

TEST_CASE("a primary that starts among the others is ok after two seconds, and not before") {
  Created c(3);
  c.crash(1);
  c.run_for(300);
  c.start(1);
  std::int64_t served_after = 0;
  const std::int64_t began = c.now_ms();
  CHECK(c.run_until(6'000, [&] {
    served_after = c.now_ms() - began;
    return c.node(1).view->state == ClusterState::kOk;
  }));
  CHECK(served_after >= 2'000);
  CHECK(served_after <= 3'000);
}

TEST_CASE("a node that does not answer connects is suspected a time-out after the first attempt") {
  Created c(4);
  c.crash(3);
  c.crash(0);
  c.set_groups({0, 0, 0, 1});  // connects to node 3 are not even refused
  c.start(0);
  const NodeId dead = c.node(3).durable->me().id;
  const std::int64_t began = c.now_ms();
  CHECK(c.run_until(10'000, [&] {
    const ViewPtr v = c.view(0);
    return v->nodes[v->find(dead)].has(node_flag::kPfail | node_flag::kFail);
  }));
  CHECK(c.now_ms() - began <= 2'000 + 400);
}

TEST_CASE("all nodes come back at other addresses, and one administrator introduces them again") {
  Created c(3);
  const auto owners = c.owners(0);
  for (int i = 0; i < 3; ++i) c.crash(i);
  for (int i = 0; i < 3; ++i) {
    c.move_to(i, "10.7.7." + std::to_string(i + 1), static_cast<std::uint16_t>(6500 + i));
    c.start(i);
  }
  c.run_for(10'000);
  CHECK(c.node(0).view->state == ClusterState::kFail);
  c.meet(0, 1);
  c.meet(0, 2);
  const bool met = c.run_until(20'000, [&] { return c.is_converged(); });
  INFO(c.story(40));
  CHECK(met);
  CHECK(c.owners(2) == owners);
  for (int i = 0; i < 3; ++i) {
    const ViewPtr v = c.view(i);
    for (int k = 0; k < 3; ++k) CHECK(v->nodes[v->find(c.id(k))].address.ip == c.node(k).ip);
  }
}

TEST_CASE("nodes that come back at other addresses find each other through the seeds") {
  Created c(3);
  for (int i = 0; i < 3; ++i) c.crash(i);
  for (int i = 0; i < 3; ++i) c.move_to(i, "10.8.8." + std::to_string(i + 1), 6400);
  for (int i = 0; i < 3; ++i) {
    c.node(i).settings.seeds = {seed_at(c, 0), seed_at(c, 1)};
    c.start(i);
  }
  const bool met = c.run_until(20'000, [&] { return c.is_converged(); });
  INFO(c.story(40));
  CHECK(met);
}

TEST_CASE("a seed that belongs to another cluster by now is not joined by asking it") {
  Created c(3);
  const int stranger = c.add_node();
  c.start(stranger);
  for (int i = 0; i < 2; ++i) c.crash(i);
  c.crash(2);
  c.node(2).settings.seeds = {seed_at(c, stranger)};
  c.start(2);
  c.run_for(20'000);
  CHECK(c.view(2)->nodes.size() == 3);
  CHECK(c.view(stranger)->nodes.size() == 1);
}

TEST_CASE("MEET with the new address of a known node takes the address") {
  Created c(3);
  c.crash(2);
  c.run_for(500);
  c.move_to(2, "10.9.1.1", 6600);
  c.set_groups({0, 0, 1});  // it cannot announce itself
  c.start(2);
  c.run_for(5'000);
  c.heal();
  c.meet(0, 2);
  CHECK(c.run_until(3'000, [&] {
    const ViewPtr v = c.view(0);
    return v->nodes[v->find(c.id(2))].address.ip == "10.9.1.1";
  }));
  CHECK(c.run_until(20'000, [&] { return c.is_converged(); }));
}

TEST_CASE("a node that comes back with another address of its own tells clients the new one") {
  Created c(4);
  CHECK(c.view(2)->me().address.ip == "10.0.0.3");
  c.crash(2);
  c.move_to(2, "10.6.6.6", 6000);
  c.start(2);
  CHECK(c.run_until(10'000, [&] { return c.view(2)->me().address.ip == "10.6.6.6"; }));
  CHECK(c.run_until(10'000, [&] { return c.is_converged(); }));
}

TEST_CASE("an address that is configured is announced whatever the links say") {
  Created c(3);
  c.crash(1);
  c.node(1).settings.announced.ip = c.node(1).ip;
  c.start(1);
  c.run_for(10'000);
  CHECK(c.view(1)->me().address.ip == c.node(1).ip);
}

TEST_CASE("while it loads its data a node takes part and does not serve") {
  Created c(3);
  c.crash(0);
  c.start(0);
  c.run_for(1);
  c.feed(0, input::Loading{true});
  c.run_for(8'000);
  CHECK(c.node(0).view->state == ClusterState::kFail);
  CHECK(c.node(1).view->state == ClusterState::kOk);  // nobody misses it
  c.feed(0, input::Loading{false});
  c.run_for(1);
  CHECK(c.node(0).view->state == ClusterState::kOk);
}
