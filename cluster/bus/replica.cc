// This node becomes a replica, or another primary's: by an administrator's word, because its shard
// has another primary now, or because a primary elsewhere has none.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cluster/bus/state.h"
#include "cluster/model/admin.h"

namespace hearth::cluster::bus {
namespace {

constexpr Ms kPlacePatience = 2000;
constexpr Ms kOrphanPatience = 5000;  // a replica of its own may come back, or one be elected

AdminReply cannot_replicate(std::string text) {
  return {AdminReply::Kind::kError, "ERR " + std::move(text), 0};
}

bool works(const Node& node) {
  return node.is_replica() && !node.has(node_flag::kPfail | node_flag::kFail | node_flag::kNoAddr |
                                        node_flag::kHandshake);
}

// The primary with slots of the same shard, if there is one: what is left of its slots went with
// it, whatever else was moved elsewhere since.
Node* primary_of_shard(State& s, const NodeId& shard) {
  for (auto& [id, node] : s.nodes) {
    if (&node != s.myself && node.shard_id == shard && node.votes()) return &node;
  }
  return nullptr;
}

std::map<NodeId, int> working_replicas(const State& s) {
  std::map<NodeId, int> count;
  for (const auto& [id, node] : s.nodes) {
    if (&node == s.myself ? node.is_replica() : works(node)) ++count[node.replica_of];
  }
  return count;
}

int count_of(const std::map<NodeId, int>& counts, const NodeId& id) {
  const auto at = counts.find(id);
  return at == counts.end() ? 0 : at->second;
}

void note_orphans(State& s, const std::map<NodeId, int>& replicas) {
  for (auto& [id, node] : s.nodes) {
    const bool orphaned = node.votes() && node.has(node_flag::kMigrateTo) &&
                          !node.has(node_flag::kFail) && count_of(replicas, id) == 0;
    if (!orphaned) {
      node.orphaned_since = kNever;
    } else if (node.orphaned_since == kNever) {
      node.orphaned_since = s.now_ms;
    }
  }
}

// All replicas decide by the same rule, so that one moves: the smallest id among the replicas of
// the primaries that have most.
bool is_my_turn(const State& s, const std::map<NodeId, int>& replicas, int most) {
  for (const auto& [id, node] : s.nodes) {
    if (&node == s.myself || !works(node) || node.id > s.myself->id) continue;
    if (count_of(replicas, node.replica_of) == most) return false;
  }
  return true;
}

void help_an_orphan(State& s, const std::map<NodeId, int>& replicas) {
  if (!s.settings.allow_replica_migration || s.cluster_state != ClusterState::kOk) return;
  int most = 0;
  for (const auto& [id, count] : replicas) {
    const Node* primary = s.find(id);
    if (primary != nullptr && primary->votes() && !primary->has(node_flag::kFail)) {
      most = std::max(most, count);
    }
  }
  const int mine = count_of(replicas, s.myself->replica_of);
  if (most < 2 || mine != most || mine <= s.settings.migration_barrier) return;
  if (!is_my_turn(s, replicas, most)) return;
  for (auto& [id, node] : s.nodes) {
    if (node.orphaned_since == kNever || s.age(node.orphaned_since) < kOrphanPatience) continue;
    s.note(log::Level::kNotice, fmt::format("Migrating to orphaned primary {}", named(node)));
    return follow_node(s, node);
  }
}

// --- cluster-replicas-per-shard

// A primary with nothing to do.
bool is_spare(const State& s, const Node& node) {
  constexpr NodeFlags kOut =
      node_flag::kPfail | node_flag::kFail | node_flag::kNoAddr | node_flag::kHandshake;
  return node.is_primary() && node.slot_count == 0 && !node.has(kOut) && !is_draining(s, node);
}

// Primaries that miss replicas, once for each; those that miss most come first.
std::vector<const Node*> missing_places(const State& s, const std::map<NodeId, int>& replicas) {
  std::vector<const Node*> places;
  for (int round = 0; round < s.settings.replicas_per_shard; ++round) {
    for (const auto& [id, node] : s.nodes) {
      const bool lacks =
          node.votes() && !node.has(node_flag::kFail) && count_of(replicas, id) <= round;
      if (lacks) places.push_back(&node);
    }
  }
  return places;
}

// Every spare node finds the same answer for all of them, so that each takes another place: in the
// order of their ids, preferably with a primary on another host. Null: none is left for me.
const Node* place_of_me(const State& s, const std::map<NodeId, int>& replicas) {
  std::vector<const Node*> places = missing_places(s, replicas);
  for (const auto& [id, node] : s.nodes) {
    if (!is_spare(s, node) || places.empty()) continue;
    auto at = std::find_if(
        places.begin(), places.end(),
        [&ip = node.address.ip](const Node* primary) { return primary->address.ip != ip; });
    if (at == places.end()) at = places.begin();
    if (&node == s.myself) return *at;
    places.erase(at);
  }
  return nullptr;
}

void take_a_place(State& s, const std::map<NodeId, int>& replicas) {
  const bool may = s.settings.replicas_per_shard > 0 && is_spare(s, *s.myself) &&
                   s.now.data.is_empty && !is_forming(s) && s.cluster_state == ClusterState::kOk;
  const Node* place = may ? place_of_me(s, replicas) : nullptr;
  const NodeId id = place == nullptr ? NodeId{} : place->id;
  if (id != s.place) {
    s.place = id;
    s.place_since = s.now_ms;
  }
  // The moves of others at the same time become known meanwhile.
  if (place == nullptr || s.age(s.place_since) < kPlacePatience) return;
  Node& primary = *s.find(id);
  s.note(log::Level::kNotice, fmt::format("Becoming a replica of {}, which misses one (cluster-"
                                          "replicas-per-shard).",
                                          named(primary)));
  follow_node(s, primary);
}

}  // namespace

void note_has_replica(State& s, const NodeId& primary) {
  if (Node* node = s.find(primary); node != nullptr) node->set(node_flag::kMigrateTo);
}

void follow_node(State& s, Node& primary) {
  Node& me = *s.myself;
  end_failover(s);
  const Node* before = s.primary_of(me);
  // A primary that took the place of the one before has its data. Nodes that tell no shard change
  // theirs by that. That the one before is its replica now proves nothing: it may have gone there
  // when it lost its last slot.
  const bool has_same_data =
      primary.shard_id == me.shard_id || (before != nullptr && primary.promoted_from == before->id);
  s.awaits_data = s.awaits_data || !has_same_data;
  s.take_all_slots(me);
  if (!has_same_data) close_all_slots(s);
  me.unset(node_flag::kPrimary | node_flag::kMigrateTo);
  me.set(node_flag::kReplica);
  me.replica_of = primary.id;
  me.promoted_from = NodeId{};
  me.shard_id = primary.shard_id;
  primary.set(node_flag::kMigrateTo);
  // The primary tells what the data is from now on.
  s.dirty_slots.clear();
  s.must_save();
  // Voters must know whose replica this is before it can take that one's place.
  s.broadcast_pong_when_saved();
  s.publish_now();
  s.check_state = true;
}

void follow_successor(State& s, Node& taker, Node& before) {
  Node* next = &taker;
  if (!succeeds(taker, before)) {
    if (Node* same = primary_of_shard(s, before.shard_id); same != nullptr && same != &before) {
      next = same;
    } else if (!s.settings.allow_replica_migration) {
      s.note(log::Level::kNotice,
             fmt::format("The last slot of {} was migrated to node {} in shard {}.{}",
                         named(before), named(taker), taker.shard_id.view(),
                         &before == s.myself ? " I am now an empty primary." : ""));
      return;
    }
  }
  if (next == s.myself) return;
  s.note(log::Level::kNotice,
         fmt::format("Configuration change detected. Reconfiguring myself as a replica of node {} "
                     "in shard {}",
                     named(*next), next->shard_id.view()));
  follow_node(s, *next);
}

void mend_own_primary(State& s) {
  Node& me = *s.myself;
  if (!me.is_replica()) return;
  Node* primary = s.find(me.replica_of);
  if (primary == nullptr || primary->has(node_flag::kHandshake)) return;
  if (primary->is_replica() && primary->replica_of != me.id) {
    Node* next = s.find(primary->replica_of);
    if (next == nullptr || next == primary || next->has(node_flag::kHandshake)) return;
    s.note(log::Level::kNotice,
           fmt::format("I'm a sub-replica! Reconfiguring myself from {} to its primary {}",
                       named(*primary), named(*next)));
    return follow_node(s, *next);
  }
  if (me.shard_id != primary->shard_id) {
    me.shard_id = primary->shard_id;
    s.may_save();
  }
}

void tick_replicas(State& s) {
  mend_own_primary(s);
  const std::map<NodeId, int> replicas = working_replicas(s);
  note_orphans(s, replicas);
  if (s.myself->is_replica()) {
    help_an_orphan(s, replicas);
  } else {
    take_a_place(s, replicas);
  }
}

void tell_followed(State& s) {
  std::optional<State::Followed> wanted;
  if (s.myself->is_replica()) {
    const Node* primary = s.find(s.myself->replica_of);
    if (primary == nullptr || primary->address.ip.empty() || primary->address.port == 0) return;
    wanted = {primary->id, primary->address.ip, primary->address.port};
  }
  if (wanted == s.followed) {
    if (wanted && s.now.data.silence) s.awaits_data = false;
    return;
  }
  s.followed = wanted;
  if (wanted) {
    s.out.emplace_back(action::Follow{wanted->primary, wanted->host, wanted->port, s.awaits_data});
  } else {
    s.awaits_data = false;
    s.out.emplace_back(action::Lead{});
  }
}

std::uint64_t own_offset(const State& s) {
  return s.myself->is_replica() && s.awaits_data ? 0 : s.now.data.offset;
}

void give_data_up(State& s) {
  for (int slot = 0; slot < kSlotCount; ++slot) s.dirty_slots.add(static_cast<Slot>(slot));
}

AdminReply replicate(State& s, const admin::Replicate& in) {
  Node* node = s.find(std::string_view(in.node));
  if (node == nullptr || node->has(node_flag::kHandshake)) {
    return cannot_replicate(fmt::format("Unknown node {}", in.node));
  }
  if (node == s.myself) return cannot_replicate("Can't replicate myself");
  if (node->is_replica()) return cannot_replicate("I can only replicate a master, not a replica.");
  if (s.myself->is_primary() && (s.myself->slot_count > 0 || in.has_keys)) {
    return cannot_replicate("To set a master the node must be empty and without assigned slots.");
  }
  if (s.myself->replica_of == node->id) return {};
  stop_formation(s, "an administrator made this node a replica");
  follow_node(s, *node);
  return {};
}

AdminReply replicate_no_one(State& s) {
  if (s.myself->is_primary()) return {};
  s.note(log::Level::kNotice, "Stop replication and turn myself into an empty primary.");
  end_failover(s);
  become_primary(s, *s.myself);
  s.myself->unset(node_flag::kMigrateTo);
  s.myself->promoted_from = NodeId{};
  // Of no shard any more: a heartbeat of the old primary must not take it for its successor.
  s.myself->shard_id = NodeId(s.rng.hex(NodeId::kLength));
  give_data_up(s);
  s.must_save();
  s.publish_now();
  return {};
}

}  // namespace hearth::cluster::bus
