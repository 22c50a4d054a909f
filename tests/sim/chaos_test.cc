// Random operations under random faults: the rules hold all the time, and once the faults end the
// views converge within a bound.
#include <doctest/doctest.h>

#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

constexpr int kNodes = 5;
constexpr std::int64_t kHealBound = 60'000;

void move_a_slot(SimCluster& c) {
  const auto slot = static_cast<Slot>(c.rng.below(kSlotCount));
  const int to = static_cast<int>(c.rng.below(kNodes));
  if (!c.is_up(to)) return;
  const int from = c.owners(to)[slot];
  if (from < 0 || from == to || !c.is_up(from) || c.owners(from)[slot] != from) return;
  // The end of an import takes an epoch without asking anyone. An administrator who does that with
  // a target that has not heard of the source's last epoch breaks the rule for the protocol.
  const ViewPtr seen = c.view(to);
  const auto at = seen->find(c.id(from));
  if (at == kNoNode || seen->nodes[at].config_epoch != c.view(from)->me().config_epoch) return;
  c.admin(to, admin::SetSlotImporting{slot, c.id(from).str()});
  if (!c.is_up(to) || !c.is_up(from)) return;
  c.admin(from, admin::SetSlotMigrating{slot, c.id(to).str()});
  if (!c.is_up(to)) return;
  c.admin(to, admin::SetSlotNode{slot, c.id(to).str(), false});
  if (!c.is_up(to) || !c.is_up(from)) return;
  c.admin(from, admin::SetSlotNode{slot, c.id(to).str(), false});
}

void one_operation(SimCluster& c) {
  const int i = static_cast<int>(c.rng.below(kNodes));
  switch (c.rng.below(8)) {
    case 0: c.crash(i); break;
    case 1:
    case 2:
      if (!c.is_up(i)) c.start(i);
      break;
    case 3: {
      std::vector<int> groups;
      for (int k = 0; k < kNodes; ++k) groups.push_back(static_cast<int>(c.rng.below(2)));
      c.set_groups(groups);
      break;
    }
    case 4: c.heal(); break;
    case 5: c.admin(i, admin::BumpEpoch{}); break;
    default: move_a_slot(c); break;
  }
}

// Importing without the other half done is what an administrator would tidy up.
void tidy(SimCluster& c) {
  for (int i = 0; i < kNodes; ++i) {
    const ViewPtr v = c.view(i);
    for (const auto& m : v->importing) c.admin(i, admin::SetSlotStable{m.slot});
    for (const auto& m : v->migrating) c.admin(i, admin::SetSlotStable{m.slot});
  }
}

}  // namespace

TEST_CASE("random faults never break a rule, and views converge after healing") {
  for (const auto seed : sim::seeds(8)) {
    CAPTURE(seed);
    SimCluster c(seed);
    std::vector<int> members;
    for (int i = 0; i < kNodes; ++i) members.push_back(c.add_node());
    c.create(members);
    REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
    c.faults = {0.03, 0.03, 1, 80};
    for (int i = 0; i < kNodes; ++i) {
      c.node(i).crash_per_action = 0.0005;
      if (c.rng.chance(0.4)) c.node(i).disk_delay_ms_max = 600;  // longer than votes take
    }
    for (int k = 0; k < 60; ++k) {
      one_operation(c);
      c.run_for(static_cast<std::int64_t>(c.rng.below(1500)));
    }
    c.heal();
    c.faults = {};
    for (int i = 0; i < kNodes; ++i) {
      c.node(i).crash_per_action = 0;
      if (!c.is_up(i)) c.start(i);
    }
    tidy(c);
    const bool converged = c.run_until(kHealBound, [&] { return c.is_converged(); });
    INFO(c.story(80));
    CHECK(converged);
    for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
    if (!c.checker.violations().empty()) break;
  }
}
