#include "cluster/model/slot_set.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "src/base/check.h"

namespace hearth::cluster {

int SlotSet::count() const {
  int n = 0;
  for (std::size_t at = 0; at < kBytes; at += 8) {
    n += std::popcount(load_le<std::uint64_t>(bits_.data() + at));
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
  return {reinterpret_cast<const char*>(bits_.data()), kBytes};
}

SlotSet SlotSet::from_wire(std::string_view bytes) {
  HEARTH_CHECK(bytes.size() == kBytes);
  SlotSet set;
  std::memcpy(set.bits_.data(), bytes.data(), kBytes);
  return set;
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
