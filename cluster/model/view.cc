#include "cluster/model/view.h"

#include <algorithm>

#include "src/base/check.h"

namespace hearth::cluster {
namespace {

NodeIndex peer_of(const std::vector<SlotInMotion>& moving, Slot slot) {
  if (moving.empty()) return kNoNode;
  const auto at = std::lower_bound(moving.begin(), moving.end(), slot,
                                   [](const SlotInMotion& m, Slot s) { return m.slot < s; });
  return at != moving.end() && at->slot == slot ? at->peer : kNoNode;
}

}  // namespace

void View::index() {
  HEARTH_CHECK(nodes.size() < kNoNode && myself < nodes.size());
  owner.fill(kNoNode);
  served.reset();
  assigned = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto& node = nodes[i];
    node.slot_count = node.slots.count();
    if (node.slot_count == 0) continue;
    node.slots.for_each([&](Slot s) { owner[s] = static_cast<NodeIndex>(i); });
    assigned += node.slot_count;
  }
  if (state != ClusterState::kOk) return;
  nodes[myself].slots.for_each([this](Slot s) { served.set(s); });
  for (const auto& m : migrating) served.reset(m.slot);
  for (const auto& m : importing) served.reset(m.slot);
}

NodeIndex View::find(const NodeId& id) const {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].id == id) return static_cast<NodeIndex>(i);
  }
  return kNoNode;
}

NodeIndex View::migrating_to(Slot slot) const { return peer_of(migrating, slot); }
NodeIndex View::importing_from(Slot slot) const { return peer_of(importing, slot); }

}  // namespace hearth::cluster
