#include "cluster/model/slot_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "src/base/check.h"

namespace hearth::cluster {

int SlotSet::count() const {
  if (bits_ == nullptr) return 0;
  int n = 0;
  for (std::size_t at = 0; at < kBytes; at += 8) {
    n += std::popcount(load_le<std::uint64_t>(bits_->data() + at));
  }
  return n;
}

std::vector<SlotRange> SlotSet::ranges() const {
  std::vector<SlotRange> out;
  for_each([&out](Slot s) {
    if (!out.empty() && out.back().last + 1 == s) {
      out.back().last = s;
    } else {
      out.push_back({s, s});
    }
  });
  return out;
}

std::string_view SlotSet::wire_bytes() const {
  return {reinterpret_cast<const char*>(bits().data()), kBytes};
}

SlotSet SlotSet::from_wire(std::string_view bytes) {
  HEARTH_CHECK(bytes.size() == kBytes);
  SlotSet set;
  if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; })) return set;
  std::memcpy(set.own_bits().data(), bytes.data(), kBytes);
  return set;
}

void SlotSet::intersect(const SlotSet& other) {
  if (bits_ == nullptr || other.contains(*this)) return;
  Bits& mine = own_bits();
  const Bits& theirs = other.bits();
  for (std::size_t i = 0; i < kBytes; ++i) {
    mine[i] = static_cast<std::uint8_t>(mine[i] & theirs[i]);
  }
}

void SlotSet::subtract(const SlotSet& other) {
  if (bits_ == nullptr || other.bits_ == nullptr) return;
  if (bits_ == other.bits_) {
    clear();
    return;
  }
  Bits& mine = own_bits();
  const Bits& theirs = other.bits();
  for (std::size_t i = 0; i < kBytes; ++i) {
    mine[i] = static_cast<std::uint8_t>(mine[i] & ~theirs[i]);
  }
}

bool SlotSet::contains(const SlotSet& other) const {
  if (bits_ == other.bits_) return true;
  for (std::size_t i = 0; i < kBytes; ++i) {
    if ((other.bits()[i] & ~bits()[i]) != 0) return false;
  }
  return true;
}

SlotSet SlotSet::of(const std::vector<SlotRange>& ranges) {
  SlotSet set;
  for (const auto& range : ranges) set.add(range);
  return set;
}

std::string range_text(SlotRange range) {
  if (range.first == range.last) return fmt::format("{}", range.first);
  return fmt::format("{}-{}", range.first, range.last);
}

}  // namespace hearth::cluster
