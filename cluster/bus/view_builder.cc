// State <-> View.
#include <algorithm>

#include "cluster/bus/state.h"
#include "src/base/check.h"

namespace hearth::cluster::bus {
namespace {

UnixMillis shown(const State& s, Ms at) {
  return at == kNever ? UnixMillis{} : UnixMillis{s.now.unix.ms - s.age(at)};
}

NodeView view_of(const State& s, const Node& node) {
  NodeView v;
  v.id = node.id;
  v.address = node.address;
  v.hostname = node.hostname;
  v.human_name = node.human_name;
  v.client_ipv4 = node.client_ipv4;
  v.client_ipv6 = node.client_ipv6;
  v.shard_id = node.shard_id;
  v.flags = node.flags;
  v.replica_of = node.replica_of;
  v.config_epoch = node.config_epoch;
  v.ping_sent = shown(s, node.ping_sent);
  v.pong_received = shown(s, node.pong_received);
  v.replication_offset = &node == s.myself ? own_offset(s) : node.replication_offset;
  const auto link = s.links.find(node.link);
  v.link_connected = &node == s.myself || (link != s.links.end() && link->second.connected);
  v.slots = node.slots;
  if (const BalanceNews* news = balance_of(s, node); news != nullptr) v.balance = *news;
  return v;
}

std::vector<SlotInMotion> in_motion(const View& view, const std::map<Slot, Node*>& moving) {
  std::vector<SlotInMotion> out;
  const auto by_id = [](const NodeView& node, const NodeId& id) { return node.id < id; };
  for (const auto& [slot, peer] : moving) {
    const auto at = std::lower_bound(view.nodes.begin(), view.nodes.end(), peer->id, by_id);
    out.push_back({slot, static_cast<NodeIndex>(at - view.nodes.begin())});
  }
  return out;
}

}  // namespace

View build_durable_view(const State& s) {
  View view = build_view(s);
  bool changed = false;
  for (auto& node : view.nodes) {
    const Node& known = s.nodes.at(node.id);
    if (known.unclaimed.empty()) continue;
    node.slots = slots_claimed_by(known);
    changed = true;
  }
  if (changed) view.index();
  return view;
}

State::Durable durable_part(const State& s) {
  return {s.current_epoch, s.myself->config_epoch, s.myself->replica_of,
          slots_claimed_by(*s.myself)};
}

View build_view(const State& s) {
  View view;
  view.nodes.reserve(s.nodes.size());
  for (const auto& [id, node] : s.nodes) {
    if (&node == s.myself) view.myself = static_cast<NodeIndex>(view.nodes.size());
    view.nodes.push_back(view_of(s, node));
  }
  view.state = s.cluster_state;
  view.awaits_heir = s.awaits_heir();
  view.draining = s.draining;
  if (s.cluster_state == ClusterState::kFail) view.recovery_hint = recovery_hint(s);
  view.current_epoch = s.current_epoch;
  view.last_vote_epoch = s.last_vote_epoch;
  view.size = s.size;
  view.migrating = in_motion(view, s.migrating);
  view.importing = in_motion(view, s.importing);
  view.formation = s.formation.state;
  view.settings = s.settings.redirect;
  view.stats = s.stats;
  view.index();
  return view;
}

void restore(State& s, const View& saved) {
  for (const auto& v : saved.nodes) {
    // The file is kept whole, but for flags that only make sense for others or while running.
    NodeFlags flags = v.flags;
    if (v.has(node_flag::kMyself)) {
      flags = static_cast<NodeFlags>(node_flag::kMyself |
                                     (v.is_replica() ? node_flag::kReplica : node_flag::kPrimary));
    }
    Node& node = s.add_node(v.id, flags);
    node.unset(node_flag::kHandshake | node_flag::kMeet);
    if (v.has(node_flag::kMyself)) s.myself = &node;
    node.address = v.address;
    node.hostname = v.hostname;
    node.human_name = v.human_name;
    node.client_ipv4 = v.client_ipv4;
    node.client_ipv6 = v.client_ipv6;
    if (!v.shard_id.is_null()) node.shard_id = v.shard_id;
    node.replica_of = v.replica_of;
    node.config_epoch = v.config_epoch;
    // Suspicion is this process's own and starts anew; FAIL was agreed and stays.
    node.unset(node_flag::kPfail);
    if (node.has(node_flag::kFail)) node.failed_since = s.now_ms;
    v.slots.for_each([&](Slot slot) {
      if (s.owner[slot] == nullptr) s.give_slot(node, slot);
    });
  }
  HEARTH_CHECK(s.myself != nullptr);
  s.current_epoch = saved.current_epoch;
  s.last_vote_epoch = saved.last_vote_epoch;
  for (const auto& m : saved.migrating) s.migrating[m.slot] = s.find(saved.nodes[m.peer].id);
  for (const auto& m : saved.importing) s.importing[m.slot] = s.find(saved.nodes[m.peer].id);
  s.formation.state = saved.formation;
  s.draining = saved.draining;
}

}  // namespace hearth::cluster::bus
