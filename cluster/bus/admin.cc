// The administrator's requests. The answers' texts are part of the client protocol.
#include "cluster/model/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <set>
#include <type_traits>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

AdminReply ok() { return {}; }
AdminReply status(std::string text) { return {AdminReply::Kind::kStatus, std::move(text), 0}; }
AdminReply integer(std::int64_t n) { return {AdminReply::Kind::kInteger, {}, n}; }
template <typename... A>
AdminReply error(fmt::format_string<A...> f, A&&... a) {
  return {AdminReply::Kind::kError, "ERR " + fmt::format(f, std::forward<A>(a)...), 0};
}

AdminReply check_no_repeats(const std::vector<Slot>& slots) {
  std::bitset<kSlotCount> seen;
  for (const Slot slot : slots) {
    if (seen[slot]) return error("Slot {} specified multiple times", slot);
    seen.set(slot);
  }
  return ok();
}

AdminReply run(State& s, const admin::AddSlots& in) {
  for (const Slot slot : in.slots) {
    if (s.owner[slot] != nullptr) return error("Slot {} is already busy", slot);
  }
  if (auto repeats = check_no_repeats(in.slots); repeats.is_error()) return repeats;
  stop_formation(s, "slots were assigned by an administrator");
  for (const Slot slot : in.slots) {
    s.importing.erase(slot);
    s.give_slot(*s.myself, slot);
  }
  s.must_save();
  return ok();
}

AdminReply run(State& s, const admin::DelSlots& in) {
  for (const Slot slot : in.slots) {
    if (s.owner[slot] == nullptr) return error("Slot {} is already unassigned", slot);
  }
  if (auto repeats = check_no_repeats(in.slots); repeats.is_error()) return repeats;
  for (const Slot slot : in.slots) {
    if (s.owner[slot] == s.myself) s.migrating.erase(slot);
    s.take_slot(slot);
  }
  s.must_save();
  return ok();
}

AdminReply run(State& s, const admin::FlushSlots& in) {
  if (in.has_keys) return error("DB must be empty to perform CLUSTER FLUSHSLOTS.");
  s.take_all_slots(*s.myself);
  s.migrating.clear();
  s.must_save();
  return ok();
}

// The node a SETSLOT names; on error null and the answer in `refusal`.
Node* primary_named(State& s, const std::string& name, std::string_view unknown,
                    AdminReply& refusal) {
  Node* node = s.find(std::string_view(name));
  if (node == nullptr) {
    refusal = error("{} {}", unknown, name);
    return nullptr;
  }
  if (!node->is_primary()) {
    refusal = error("Target node is not a master");
    return nullptr;
  }
  return node;
}

AdminReply refuse_if_replica(const State& s) {
  return s.myself->is_replica() ? error("Please use SETSLOT only with masters.") : ok();
}

using admin::SlotOrder;

// The primary's word for it is enough: it has checked it.
AdminReply follow(State& s, const OpenSlot& open) {
  if (s.myself->is_replica()) open_slot(s, open);
  return ok();
}

AdminReply run(State& s, const admin::SetSlotMigrating& in) {
  if (in.order == SlotOrder::kFollow)
    return NodeId::is_valid(in.node) ? follow(s, {in.slot, NodeId(in.node), false}) : ok();
  AdminReply refusal = refuse_if_replica(s);
  if (refusal.is_error()) return refusal;
  if (s.owner[in.slot] != s.myself) return error("I'm not the owner of hash slot {}", in.slot);
  Node* target = primary_named(s, in.node, "I don't know about node", refusal);
  if (target == nullptr) return refusal;
  if (in.order == SlotOrder::kAsk) return ok();
  s.migrating[in.slot] = target;
  s.may_save();
  return ok();
}

AdminReply run(State& s, const admin::SetSlotImporting& in) {
  if (in.order == SlotOrder::kFollow)
    return NodeId::is_valid(in.node) ? follow(s, {in.slot, NodeId(in.node), true}) : ok();
  AdminReply refusal = refuse_if_replica(s);
  if (refusal.is_error()) return refusal;
  if (s.owner[in.slot] == s.myself) {
    return error("I'm already the owner of hash slot {}", in.slot);
  }
  Node* source = primary_named(s, in.node, "I don't know about node", refusal);
  if (source == nullptr) return refusal;
  if (in.order == SlotOrder::kAsk) return ok();
  s.importing[in.slot] = source;
  s.may_save();
  return ok();
}

AdminReply run(State& s, const admin::SetSlotStable& in) {
  if (in.order != SlotOrder::kFollow) {
    if (auto refusal = refuse_if_replica(s); refusal.is_error()) return refusal;
    if (in.order == SlotOrder::kAsk) return ok();
  }
  close_slot(s, in.slot);
  return ok();
}

AdminReply run(State& s, const admin::SetSlotNode& in) {
  if (in.order == SlotOrder::kFollow) return ok();
  AdminReply refusal = refuse_if_replica(s);
  if (refusal.is_error()) return refusal;
  Node* node = primary_named(s, in.node, "Unknown node", refusal);
  if (node == nullptr) return refusal;
  const bool was_mine = s.owner[in.slot] == s.myself;
  if (was_mine && node != s.myself && in.has_keys) {
    return error(
        "Can't assign hashslot {} to a different node while I still hold keys for this "
        "hash slot.",
        in.slot);
  }
  if (in.order == SlotOrder::kAsk) return ok();
  stop_formation(s, "slots were assigned by an administrator");
  if (!in.has_keys) s.migrating.erase(in.slot);
  s.take_slot(in.slot);
  s.give_slot(*node, in.slot);
  // Moving many slots is many of these: only the node that claims the slot waits for its disk.
  if (node == s.myself) {
    s.must_save();
  } else {
    s.may_save();
    // The node that imports the slot may be waiting for this one to give it up.
    if (was_mine) s.broadcast_pong_when_saved();
  }
  if (node == s.myself && s.importing.erase(in.slot) > 0) {
    // The import is over: with a greater epoch than everyone's, every other claim of this slot is
    // stale at once.
    bump_my_epoch(s);
    s.broadcast_pong_when_saved();
  }
  return ok();
}

AdminReply run(State& s, const admin::AdoptOpenSlots& in) {
  if (s.myself->is_replica()) adopt_open_slots(s, in.slots);
  return ok();
}

AdminReply run(State& s, const admin::Meet& in) {
  if (in.ip.find_first_of(":.") == std::string::npos || !is_safe_ip(in.ip) || in.port == 0 ||
      in.cport == 0) {
    return error("Invalid node address specified: {}:{}", in.ip, in.port);
  }
  if (!s.may_shake_hands(Origin::kCalled, nullptr)) return error("Too many nodes are being met");
  start_handshake(s, {in.ip, in.port, 0, in.cport}, Origin::kCalled, node_flag::kMeet);
  return ok();
}

AdminReply run(State& s, const admin::Forget& in) {
  Node* node = s.find(std::string_view(in.node));
  if (node == nullptr) {
    // Forgetting what was forgotten a moment ago succeeds: the order reached me by gossip first.
    if (NodeId::is_valid(in.node) && s.banned.count(NodeId(in.node)) != 0) return ok();
    return error("Unknown node {}", in.node);
  }
  if (node == s.myself) return error("I tried hard but I can't forget myself...");
  if (s.myself->is_replica() && s.myself->replica_of == node->id) {
    return error("Can't forget my master!");
  }
  const NodeId id = node->id;
  ban(s, id, s.settings.forget_ban.count());
  release_promise_to(s, id);
  s.remove_node(*node);
  s.must_save();
  return ok();
}

AdminReply run(State& s, const admin::BumpEpoch&) {
  stop_formation(s, "the config epoch was set by an administrator");
  const bool bumped = bump_my_epoch(s);
  return status(fmt::format("{} {}", bumped ? "BUMPED" : "STILL", s.myself->config_epoch));
}

AdminReply run(State& s, const admin::SetConfigEpoch& in) {
  if (in.epoch < 0 || static_cast<Epoch>(in.epoch) > kEpochMax)
    return error("Invalid config epoch specified: {}", in.epoch);
  if (s.nodes.size() > 1) {
    return error(
        "The user can assign a config epoch only when the node does not know any other "
        "node.");
  }
  if (s.myself->config_epoch != 0) return error("Node config epoch is already non-zero");
  stop_formation(s, "the config epoch was set by an administrator");
  s.myself->config_epoch = static_cast<Epoch>(in.epoch);
  s.current_epoch = std::max(s.current_epoch, s.myself->config_epoch);
  s.must_save();
  s.note(log::Level::kNotice,
         fmt::format("configEpoch set to {} via CLUSTER SET-CONFIG-EPOCH", s.myself->config_epoch));
  return ok();
}

AdminReply run(State& s, const admin::SaveConfig&) {
  s.must_save();
  return ok();
}

AdminReply run(State& s, const admin::Reset& in) {
  if (s.myself->is_primary() && in.has_keys) {
    return error("CLUSTER RESET can't be called with master nodes containing keys");
  }
  end_failover(s);
  if (s.myself->is_replica()) give_data_up(s);
  become_primary(s, *s.myself);
  s.myself->unset(node_flag::kMigrateTo);
  stop_formation(s, "the node was reset");
  s.formation.state = {};
  s.draining = false;
  close_all_slots(s);
  for (auto& [id, node] : s.nodes) s.take_all_slots(node);
  std::vector<Node*> others;
  for (auto& [id, node] : s.nodes) {
    if (&node != s.myself) others.push_back(&node);
  }
  for (Node* node : others) s.remove_node(*node);
  s.banned.clear();
  if (in.hard) {
    s.current_epoch = 0;
    s.myself->config_epoch = 0;
    s.last_vote_epoch = 0;
    s.rename_node(*s.myself, NodeId(s.rng.hex(NodeId::kLength)));
    s.note(log::Level::kNotice,
           fmt::format("configEpoch set to 0 via CLUSTER RESET HARD, node ID is now {}",
                       s.myself->id.view()));
  }
  s.myself->shard_id = s.myself->id;
  s.must_save();
  return ok();
}

AdminReply run(State& s, const admin::Replicate& in) { return replicate(s, in); }
AdminReply run(State& s, const admin::ReplicateNoOne&) { return replicate_no_one(s); }
AdminReply run(State& s, const admin::Failover& in) { return fail_over(s, in); }

AdminReply run(State& s, const admin::HandOver&) { return hand_over(s); }

// An epoch of one's own may be that of an election which took one's slots meanwhile.
AdminReply out_of_touch() {
  return error("this node has not heard a majority of the primaries for long enough");
}

AdminReply run(State& s, const admin::ReserveEpoch&) {
  if (s.myself->is_replica()) return error("a replica has no slots to move");
  if (!knows_the_majority(s)) return out_of_touch();
  s.current_epoch = greatest_epoch(s) + 1;
  // No election gets this node's vote with the epoch.
  s.last_vote_epoch = std::max(s.last_vote_epoch, s.current_epoch);
  s.must_save();
  return integer(static_cast<std::int64_t>(s.current_epoch));
}

AdminReply stale(std::string_view why) {
  return {AdminReply::Kind::kError, fmt::format("STALE {}", why), 0};
}

AdminReply run(State& s, const admin::TakeSlots& in) {
  if (s.myself->is_replica()) return error("this node is a replica");
  if (s.draining) return error("this node is being drained and takes no slots");
  const Node* source = s.find(std::string_view(in.source));
  if (source == nullptr || source == s.myself) return error("Unknown node {}", in.source);
  bool owned = true;
  in.slots.for_each([&](Slot slot) { owned = owned && s.owner[slot] == source; });
  if (!owned) return error("not all slots are owned by node {} any more", in.source);
  // The source is judged by the majority: its replica may be about to take its place.
  if (!source->is_primary() || source->has(node_flag::kFail))
    return error("node {} has failed, or is no primary any more", in.source);
  if (in.epoch > kEpochMax || in.epoch <= s.myself->config_epoch)
    return stale("the epoch is not above this node's");
  // The source has told its current epoch, which is this one. A later one is somebody else's, and
  // so is one that this node has voted for: it may be that of the replica that takes its place.
  if (greatest_epoch(s) > in.epoch || s.last_vote_epoch >= in.epoch)
    return stale("there is a later epoch, or an election with this one");
  if (s.manual.is_under_way()) return error("a failover of this node is under way");
  if (!knows_the_majority(s)) return out_of_touch();
  stop_formation(s, "slots were moved here");
  in.slots.for_each([&](Slot slot) {
    s.importing.erase(slot);
    s.take_slot(slot);
    s.give_slot(*s.myself, slot);
  });
  s.current_epoch = s.myself->config_epoch = s.last_vote_epoch = in.epoch;
  s.must_save();
  s.broadcast_pong_when_saved();
  return ok();
}

AdminReply run(State& s, const admin::Outbid& in) {
  if (s.myself->is_replica()) return error("this node is a replica");
  if (!knows_the_majority(s)) return out_of_touch();
  s.current_epoch = std::max(greatest_epoch(s), std::min(in.epoch, kEpochMax));
  bump_my_epoch(s);
  s.must_save();
  s.broadcast_pong_when_saved();
  return ok();
}

AdminReply run(State& s, const admin::Drain& in) { return drain(s, in); }
AdminReply run(State& s, const admin::TellBalance& in) { return tell_balance(s, in); }
AdminReply run(State& s, const admin::Recover& in) { return recover(s, in); }

AdminReply run(State& s, const admin::CountFailureReports& in) {
  Node* node = s.find(std::string_view(in.node));
  if (node == nullptr) return error("Unknown node {}", in.node);
  return integer(count_failure_reports(s, *node));
}

}  // namespace

void ban(State& s, const NodeId& id, Ms length) {
  const Ms end = s.now_ms + length;
  if (const auto at = s.banned.find(id); at != s.banned.end()) {
    at->second = std::max(at->second, end);
    return;
  }
  if (s.banned.size() >= limits::kBannedMax) {
    s.banned.erase(
        std::min_element(s.banned.begin(), s.banned.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  s.banned.emplace(id, end);
}

AdminReply administer(State& s, const AdminRequest& request) {
  return std::visit([&s](const auto& in) { return run(s, in); }, request);
}

}  // namespace hearth::cluster::bus
