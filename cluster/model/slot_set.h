// Sets of slots: a bitmap of 2048 bytes, and the same as ranges.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/bytes.h"
#include "src/base/ids.h"

namespace hearth::cluster {

// first .. last, both included.
struct SlotRange {
  Slot first = 0;
  Slot last = 0;

  [[nodiscard]] int size() const { return last - first + 1; }
  friend auto operator<=>(const SlotRange&, const SlotRange&) = default;
};

// Slot s is bit s%8 (least significant first) of byte s/8: the layout that the bus sends.
class SlotSet {
 public:
  static constexpr std::size_t kBytes = kSlotCount / 8;

  [[nodiscard]] bool has(Slot s) const { return (bits_[s >> 3] & (1U << (s & 7))) != 0; }
  void add(Slot s) { bits_[s >> 3] = static_cast<std::uint8_t>(bits_[s >> 3] | (1U << (s & 7))); }
  void remove(Slot s) {
    bits_[s >> 3] = static_cast<std::uint8_t>(bits_[s >> 3] & ~(1U << (s & 7)));
  }
  void add(SlotRange range) {
    for (int s = range.first; s <= range.last; ++s) add(static_cast<Slot>(s));
  }
  void clear() { bits_.fill(0); }

  [[nodiscard]] int count() const;
  [[nodiscard]] bool empty() const { return *this == SlotSet{}; }
  // Ascending, neighbours joined.
  [[nodiscard]] std::vector<SlotRange> ranges() const;

  // Visits the members in ascending order; O(words + members). The set may change meanwhile: a word
  // is read before its members are visited.
  template <typename F>
  void for_each(F&& visit) const {
    for (std::size_t at = 0; at < kBytes; at += 8) {
      for (auto word = load_le<std::uint64_t>(bits_.data() + at); word != 0; word &= word - 1) {
        visit(static_cast<Slot>(at * 8 + static_cast<unsigned>(std::countr_zero(word))));
      }
    }
  }

  // kBytes bytes, as on the bus. `bytes` must be kBytes long.
  [[nodiscard]] std::string_view wire_bytes() const;
  static SlotSet from_wire(std::string_view bytes);
  // Every slot of every range; ranges may overlap.
  static SlotSet of(const std::vector<SlotRange>& ranges);

  friend bool operator==(const SlotSet&, const SlotSet&) = default;

 private:
  std::array<std::uint8_t, kBytes> bits_{};
};

// "5" or "0-5460": how CLUSTER NODES and nodes.conf write a range.
[[nodiscard]] std::string range_text(SlotRange range);

}  // namespace hearth::cluster
