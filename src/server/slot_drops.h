// SlotDrops: removes the keys of slots that are not this node's, a bounded number at a time.
//
// From add() on nobody comes across them: the slots are hidden until they are empty. What is
// removed is replicated and logged as DEL of each key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "cluster/model/slot_set.h"
#include "src/engine/engine.h"

namespace hearth {

class SlotDrops {
 public:
  // Whether somebody may have read, watched or tracked the keys, who then hears of their end.
  enum class Events : std::uint8_t { kTold, kNone };

  explicit SlotDrops(Engine& engine) : engine_(engine) {}

  void add(const cluster::SlotSet& slots, Events events);
  // Removes up to `most` keys. Returns how many it did.
  std::uint64_t step(std::uint64_t most);
  // All at once: of those slots that are among `slots`.
  std::uint64_t finish(const cluster::SlotSet& slots);
  std::uint64_t finish_all() { return step(UINT64_MAX); }

  [[nodiscard]] bool is_empty() const { return pending_.empty(); }
  [[nodiscard]] bool has(Slot slot) const { return pending_.contains(slot); }

 private:
  // Removes up to `most` of the slot's keys; the slot is no more pending when it is empty.
  std::uint64_t drop_some(Slot slot, std::uint64_t most);

  Engine& engine_;
  std::map<Slot, Events> pending_;
};

// The slot's keys are seen by clients, or are not, in all databases.
void hide_slot(Engine& engine, Slot slot, bool hidden);

}  // namespace hearth
