// The cost of slots: CLUSTER SLOT-STATS. What counts for which slot: src/engine/slot_costs.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "src/base/ids.h"

namespace hearth {

struct SlotFigures {
  std::uint64_t cpu_us = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

class SlotStats {
 public:
  // 400 KB, from the first call on.
  void add(Slot slot, const SlotFigures& more) {
    if (all_ == nullptr) all_ = std::make_unique<All>();
    SlotFigures& figures = (*all_)[slot];
    figures.cpu_us += more.cpu_us;
    figures.bytes_in += more.bytes_in;
    figures.bytes_out += more.bytes_out;
  }
  [[nodiscard]] SlotFigures of(Slot slot) const {
    return all_ == nullptr ? SlotFigures{} : (*all_)[slot];
  }
  void forget(Slot slot) {
    if (all_ != nullptr) (*all_)[slot] = {};
  }
  [[nodiscard]] bool empty() const { return all_ == nullptr; }
  void reset() { all_.reset(); }

 private:
  using All = std::array<SlotFigures, kSlotCount>;
  std::unique_ptr<All> all_;
};

}  // namespace hearth
