// Sets of slots: a bitmap of 2048 bytes that copies share, and the same as ranges.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <memory>
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
// Copies share their bits until one of them changes, so that views, headers and disk snapshots of
// a thousand nodes cost a thousand pointers. Like any value, one set is used by one thread at a
// time; copies that share bits are changed on one thread only.
class SlotSet {
 public:
  static constexpr std::size_t kBytes = kSlotCount / 8;

  [[nodiscard]] bool has(Slot s) const { return (bits()[s >> 3] & (1U << (s & 7))) != 0; }
  void add(Slot s) {
    auto& byte = own_bits()[s >> 3];
    byte = static_cast<std::uint8_t>(byte | (1U << (s & 7)));
  }
  void remove(Slot s) {
    if (!has(s)) return;
    auto& byte = own_bits()[s >> 3];
    byte = static_cast<std::uint8_t>(byte & ~(1U << (s & 7)));
  }
  void add(SlotRange range) {
    for (int s = range.first; s <= range.last; ++s) add(static_cast<Slot>(s));
  }
  void clear() { bits_.reset(); }
  // Keeps what `other` has too, or what it has not.
  void intersect(const SlotSet& other);
  void subtract(const SlotSet& other);

  [[nodiscard]] int count() const;
  [[nodiscard]] bool empty() const { return bits_ == nullptr || *bits_ == kNone; }
  [[nodiscard]] bool contains(const SlotSet& other) const;
  // Ascending, neighbours joined.
  [[nodiscard]] std::vector<SlotRange> ranges() const;

  // Visits the members in ascending order; O(words + members). The set may change meanwhile; what
  // is visited is the set as it was when the call began.
  template <typename F>
  void for_each(F&& visit) const {
    const std::shared_ptr<const Bits> held = bits_;
    if (held == nullptr) return;
    for (std::size_t at = 0; at < kBytes; at += 8) {
      for (auto word = load_le<std::uint64_t>(held->data() + at); word != 0; word &= word - 1) {
        visit(static_cast<Slot>(at * 8 + static_cast<unsigned>(std::countr_zero(word))));
      }
    }
  }

  // kBytes bytes, as on the bus. `bytes` must be kBytes long.
  [[nodiscard]] std::string_view wire_bytes() const;
  static SlotSet from_wire(std::string_view bytes);
  // Every slot of every range; ranges may overlap.
  static SlotSet of(const std::vector<SlotRange>& ranges);

  friend bool operator==(const SlotSet& a, const SlotSet& b) {
    return a.bits_ == b.bits_ || a.bits() == b.bits();
  }

 private:
  using Bits = std::array<std::uint8_t, kBytes>;
  static constexpr Bits kNone{};

  [[nodiscard]] const Bits& bits() const { return bits_ == nullptr ? kNone : *bits_; }
  Bits& own_bits() {
    if (bits_ == nullptr || bits_.use_count() > 1) bits_ = std::make_shared<Bits>(bits());
    return *bits_;
  }

  std::shared_ptr<Bits> bits_;  // null: no members
};

// "5" or "0-5460": how CLUSTER NODES and nodes.conf write a range.
[[nodiscard]] std::string range_text(SlotRange range);

}  // namespace hearth::cluster
