// Slots that move the classic way (SETSLOT MIGRATING and IMPORTING), and the replicas of the two
// primaries: each keeps the open slots of its primary, so that the one that takes its place goes on
// with the move. They come to a replica in its primary's stream, and with the data set.
//
// A replica follows that a slot is opened or closed, but never gives one to another node: owners
// are learned from claims, by everybody in the same way.
//
// An import also ends when its source gives the slot up (its administrator said SETSLOT NODE there
// first): nobody would own the slot then. The importing node claims it under its own epoch, which
// is enough for a slot that is free and loses against anyone who has a claim. It waits a while
// before, because the word of a node that took the slot may be on its way.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr Ms kPatienceParts = 4;  // of the node time-out

bool is_free(const State& s, Slot slot, const Node& source) {
  return s.owner[slot] == &source && source.unclaimed.has(slot);
}

void claim(State& s, Slot slot) {
  s.note(log::Level::kNotice,
         fmt::format("Taking slot {}: {} gave it up while it was being imported from there.", slot,
                     named(*s.importing[slot])));
  s.importing.erase(slot);
  s.take_slot(slot);
  s.give_slot(*s.myself, slot);
  s.must_save();
  s.broadcast_pong_when_saved();
}

void claim_what_is_free(State& s) {
  if (s.given_up.empty()) return;
  const bool may = s.myself->is_primary() && s.cluster_state == ClusterState::kOk;
  for (auto at = s.given_up.begin(); at != s.given_up.end();) {
    const Slot slot = at->first;
    const auto import = s.importing.find(slot);
    const bool stays = import != s.importing.end() && is_free(s, slot, *import->second);
    const bool is_due = stays && may && s.age(at->second) >= s.timeout() / kPatienceParts;
    if (is_due) claim(s, slot);
    at = !stays || is_due ? s.given_up.erase(at) : std::next(at);
  }
}

}  // namespace

void open_slot(State& s, const OpenSlot& open) {
  Node* node = s.find(open.node);
  if (node == nullptr || node->has(node_flag::kHandshake)) {
    // Gossip is slower than the stream.
    s.unplaced[{open.slot, open.imports}] = open.node;
    return;
  }
  s.unplaced.erase({open.slot, open.imports});
  (open.imports ? s.importing : s.migrating)[open.slot] = node;
  s.may_save();
}

void close_slot(State& s, Slot slot) {
  s.importing.erase(slot);
  s.migrating.erase(slot);
  s.unplaced.erase({slot, false});
  s.unplaced.erase({slot, true});
  s.may_save();
}

void close_all_slots(State& s) {
  s.migrating.clear();
  s.importing.clear();
  s.unplaced.clear();
  s.given_up.clear();
}

void adopt_open_slots(State& s, const std::vector<OpenSlot>& all) {
  if (all.empty() && s.migrating.empty() && s.importing.empty() && s.unplaced.empty()) return;
  close_all_slots(s);
  for (const OpenSlot& open : all) open_slot(s, open);
  s.may_save();
}

void keep_own_open_slots(State& s) {
  std::erase_if(s.migrating, [&s](const auto& move) { return s.owner[move.first] != s.myself; });
  std::erase_if(s.importing, [&s](const auto& move) { return s.owner[move.first] == s.myself; });
}

void note_given_up(State& s, const Node& owner) {
  for (const auto& [slot, source] : s.importing) {
    if (source == &owner && is_free(s, slot, owner)) s.given_up.try_emplace(slot, s.now_ms);
  }
}

void tick_open_slots(State& s) {
  claim_what_is_free(s);
  if (s.unplaced.empty() || s.ticks % 10 != 0) return;
  const auto again = std::exchange(s.unplaced, {});
  for (const auto& [slot, node] : again) {
    if (s.myself->is_replica()) open_slot(s, {slot.first, node, slot.second});
  }
}

}  // namespace hearth::cluster::bus
