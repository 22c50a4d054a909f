// How the bus grows with the cluster: hearth_sim_scale NODES [SECONDS]
//
// A cluster of primaries without replicas meets by itself, stands for the given time, loses a node,
// and hands a slot over. Printed: bytes of gossip that a node sends, how long until all nodes have
// met, until all know of the lost node and of the slot's new owner, and what the simulation takes.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "src/base/log.h"
#include "tests/sim/sim_cluster.h"

namespace {

using hearth::sim::SimCluster;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Seconds until `condition` holds for all running nodes; -1: it does not within `most`.
template <typename F>
double seconds_until(SimCluster& c, std::int64_t most, F&& condition) {
  const std::int64_t begun = c.now_ms();
  const bool done = c.run_until(most, [&] {
    for (int i = 0; i < c.size(); ++i) {
      if (c.is_up(i) && !condition(i)) return false;
    }
    return true;
  });
  return done ? static_cast<double>(c.now_ms() - begun) / 1000 : -1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: hearth_sim_scale NODES [SECONDS]\n");
    return 2;
  }
  hearth::log::set_level(hearth::log::Level::kNothing);
  const int nodes = std::atoi(argv[1]);
  const std::int64_t seconds = argc > 2 ? std::atoi(argv[2]) : 20;
  SimCluster c(1, std::chrono::milliseconds{15'000});
  std::vector<int> members;
  for (int i = 0; i < nodes; ++i) members.push_back(c.add_node());
  c.create(members);
  const double met = seconds_until(c, 600'000, [&](int i) {
    return c.node(i).view != nullptr &&
           c.node(i).view->nodes.size() == static_cast<std::size_t>(nodes) &&
           c.node(i).view->state == hearth::cluster::ClusterState::kOk;
  });
  c.run_for(30'000);

  const std::uint64_t bytes_before = c.bytes_sent();
  const double cpu_before = cpu_seconds();
  c.run_for(seconds * 1000);
  const double cpu = cpu_seconds() - cpu_before;
  const double gossip =
      static_cast<double>(c.bytes_sent() - bytes_before) / static_cast<double>(seconds) / nodes;

  const hearth::NodeId taker = c.id(1);
  c.admin(1, hearth::cluster::admin::SetSlotImporting{0, c.id(0).str()});
  c.admin(1, hearth::cluster::admin::SetSlotNode{0, taker.str(), false});
  const double owner = seconds_until(c, 120'000, [&](int i) {
    const auto* n = c.node(i).view->owner_of(0);
    return n != nullptr && n->id == taker;
  });

  const hearth::NodeId lost = c.id(nodes - 1);
  c.crash(nodes - 1);
  const double failed = seconds_until(c, 120'000, [&](int i) {
    const auto at = c.node(i).view->find(lost);
    return at != hearth::cluster::kNoNode &&
           c.node(i).view->nodes[at].has(hearth::cluster::node_flag::kFail);
  });

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "nodes %d: met after %.1f s, gossip %.1f KiB/s a node, new owner known after %.1f s, lost "
      "node failed after %.1f s; %.2f simulated seconds per CPU second, %.0f MiB\n",
      nodes, met, gossip / 1024, owner, failed, static_cast<double>(seconds) / cpu,
      static_cast<double>(usage.ru_maxrss) / 1024);
  return 0;
}
