// Slot claims. A primary's heartbeats claim its slots with its config epoch; among two claims the
// greater epoch is right. Who sees a stale claim answers with an UPDATE of what it knows.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

void take_over(State& s, Node& sender, Slot slot) {
  const Node* before = s.owner[slot];
  if (before == s.myself) s.dirty_slots.add(slot);
  // A node that takes the place of the source goes on with the move.
  const bool goes_on = before != nullptr && succeeds(sender, *before);
  if (!goes_on) s.migrating.erase(slot);
  if (const auto import = s.importing.find(slot); import != s.importing.end()) {
    if (s.myself->replica_of == sender.id)
      s.importing.erase(import);
    else if (goes_on && import->second == before)
      import->second = &sender;
  }
  s.take_slot(slot);
  s.give_slot(sender, slot);
}

// A sender's header of this epoch also tells which slots it owns no more.
void learn_what_is_claimed(State& s, Node& sender, const SlotSet& claimed) {
  if (sender.slots == claimed && sender.unclaimed.empty()) return;
  SlotSet unclaimed = sender.slots;
  unclaimed.subtract(claimed);
  if (unclaimed == sender.unclaimed) return;
  sender.unclaimed = unclaimed;
  note_given_up(s, sender);
  s.may_save();
}

// An import of this slot stands in the way of the claim.
bool is_held_by_import(const State& s, const Node& sender, Slot slot) {
  const auto import = s.importing.find(slot);
  if (import == s.importing.end()) return false;
  // A replica's primary claims it: that is the end of the import.
  if (s.myself->replica_of == sender.id) return false;
  const Node* owner = s.owner[slot];
  // The source is another node now, after a failover.
  if (owner == import->second && succeeds(sender, *owner)) return false;
  // Else its end is the administrator's: SETSLOT NODE, here or at a source that gave the slot up.
  return owner == nullptr || !owner->unclaimed.has(slot);
}

// Slots that were on their way to a primary go on to the node that takes its place.
void redirect_moves(State& s, const Node& before, Node& after) {
  if (&before == s.myself) return;
  for (auto& [slot, target] : s.migrating) {
    if (target == &before) target = &after;
  }
}

}  // namespace

bool succeeds(const Node& node, const Node& before) {
  return node.shard_id == before.shard_id || node.promoted_from == before.id ||
         before.replica_of == node.id;
}

// Without what it does not claim any more: its old slots under its new epoch would beat claims that
// are newer than they are.
SlotSet slots_claimed_by(const Node& node) {
  SlotSet claimed = node.slots;
  claimed.subtract(node.unclaimed);
  return claimed;
}

void learn_claims(State& s, Node& sender, Epoch epoch, const SlotSet& claimed) {
  if (&sender == s.myself) return;
  // Of my shard: I, or whom I replicate.
  Node* mine = s.primary_of(*s.myself);
  const bool we_had_slots = mine != nullptr && mine != &sender && mine->slot_count > 0;
  const bool is_latest = epoch >= sender.config_epoch;  // not an older word that came late
  bool changed = false;
  if (is_latest) learn_what_is_claimed(s, sender, claimed);
  SlotSet news = claimed;
  news.subtract(sender.slots);
  news.for_each([&](Slot slot) {
    const Node* owner = s.owner[slot];
    if (is_held_by_import(s, sender, slot)) return;
    const bool free = owner == nullptr || owner->unclaimed.has(slot);
    if (!free && owner->config_epoch >= epoch) return;
    take_over(s, sender, slot);
    changed = true;
  });
  if (!changed) return;
  s.may_save();
  // A node that an administrator drains is to be taken away: it becomes nobody's replica.
  const bool drained = s.draining && mine == s.myself;
  if (we_had_slots && mine->slot_count == 0 && (!drained || succeeds(sender, *mine)))
    follow_successor(s, sender, *mine);
}

void correct_stale_claims(State& s, Link& link, Node& sender, Epoch epoch, const SlotSet& claimed) {
  const Node* claimant = s.primary_of(sender);
  SlotSet disputed = claimed;
  if (claimant != nullptr) disputed.subtract(claimant->slots);
  const Node* better = nullptr;
  disputed.for_each([&](Slot slot) {
    const Node* owner = s.owner[slot];
    if (better != nullptr || owner == nullptr || owner == claimant || owner == &sender) return;
    // A slot that its owner gave up is no news to correct anyone with.
    if (owner->config_epoch > epoch && !owner->unclaimed.has(slot)) better = owner;
  });
  if (better == nullptr) return;
  s.note(log::Level::kVerbose,
         fmt::format("Node {} has old slots configuration, sending an UPDATE message about {}",
                     named(sender), named(*better)));
  // One node per heartbeat is enough: the next heartbeat brings the next.
  s.send(link, MessageType::kUpdate,
         UpdateBody{better->id, better->config_epoch, slots_claimed_by(*better)});
}

void on_update_message(State& s, const Node& sender, const UpdateBody& body) {
  static_cast<void>(sender);  // any node of the cluster may bring news of any other
  Node* node = s.find(body.node);
  if (node == nullptr || node->has(node_flag::kHandshake) ||
      node->config_epoch >= body.config_epoch) {
    return;
  }
  if (node == s.myself) {
    // My own epochs are on my disk before anyone hears of them, so nobody can know a greater one,
    // unless the disk was replaced by an older one. Then that epoch is burnt: step over it.
    s.current_epoch = std::max(s.current_epoch, body.config_epoch);
    s.must_save();
    return;
  }
  if (node->is_replica()) become_primary(s, *node);
  node->config_epoch = body.config_epoch;
  on_new_epoch(s, *node);
  s.may_save();
  if (body.config_epoch > s.current_epoch) {
    s.current_epoch = body.config_epoch;
    s.must_save();
  }
  learn_claims(s, *node, body.config_epoch, body.slots);
}

// A primary says that it is a replica now. Its slots stay with it, for anyone to claim, until its
// successor does; without that they would be nobody's for a moment, and the cluster down. The
// header tells the successor's epoch and slots. A node that went to another shard has none to hand
// over.
void become_replica(State& s, Node& node, const MessageHeader& header) {
  Node* successor = s.find(header.replica_of);
  if (successor != nullptr && successor->has(node_flag::kHandshake)) successor = nullptr;
  const bool elsewhere = successor != nullptr && !succeeds(*successor, node) &&
                         successor->replica_of != node.id && successor->is_primary();
  if (elsewhere) s.take_all_slots(node);
  node.unset(node_flag::kPrimary | node_flag::kMigrateTo);
  node.set(node_flag::kReplica);
  node.replica_of = header.replica_of;
  node.unclaimed = node.slots;
  s.may_save();
  s.check_state = true;
  // It said that it took the place before this node heard that the place was given up.
  if (successor != nullptr && successor->is_primary() && succeeds(*successor, node))
    redirect_moves(s, node, *successor);
  if (elsewhere || successor == nullptr || successor == s.myself || successor == &node) return;
  if (header.config_epoch < successor->config_epoch) return;  // an older word that came late
  become_primary(s, *successor);
  successor->config_epoch = header.config_epoch;
  learn_claims(s, *successor, header.config_epoch, header.slots);
}

void become_primary(State& s, Node& node) {
  if (node.is_primary()) return;
  node.promoted_from = node.replica_of;
  const Node* before = s.find(node.replica_of);
  if (before != nullptr && (before->is_replica() || before->has(node_flag::kFail)))
    redirect_moves(s, *before, node);
  node.replica_of = NodeId{};
  node.unset(node_flag::kReplica);
  // It comes from a shard that had replicas, and misses one from now on.
  node.set(node_flag::kPrimary | node_flag::kMigrateTo);
  s.may_save();
  s.check_state = true;
}

}  // namespace hearth::cluster::bus
