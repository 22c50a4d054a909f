// KeySizes: how many keys of each type have how many bytes or elements, by powers of two.
//
// A key of size n counts where the largest power of two stands that is not above n; size 0 has a
// place of its own. Source: public documentation of INFO keysizes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "src/store/entry.h"

namespace hearth {

class FigureView;

class KeySizes {
 public:
  void add(const Entry& entry);
  // Makes counts of `looked_at` keys stand for `all` of them. What was seen at all stays at
  // least 1.
  void scale(std::uint64_t all, std::uint64_t looked_at);
  // A member for each type that has keys, with a part for each size: <prefix>strings_sizes has
  // parts 1, 8, 2K and so on, <prefix>lists_items too.
  void write(const std::string& prefix, FigureView& view) const;

 private:
  // 0, then 2^0 .. 2^63.
  std::array<std::array<std::uint64_t, 65>, kTypeCount> counts_{};
};

}  // namespace hearth
