// Indexes of lists as clients give them: from 0 at the head, or from -1 at the tail.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace hearth::commands {

// Nothing if no item has this index.
[[nodiscard]] inline std::optional<std::uint64_t> list_index(std::int64_t index,
                                                             std::uint64_t size) {
  const auto length = static_cast<std::int64_t>(size);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  return static_cast<std::uint64_t>(index);
}

struct ListRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
// From start to stop, both included, as far as there are items.
[[nodiscard]] inline ListRange list_range(std::int64_t start, std::int64_t stop,
                                          std::uint64_t size) {
  const auto length = static_cast<std::int64_t>(size);
  if (start < 0) start = std::max<std::int64_t>(0, start + length);
  if (stop < 0) stop += length;
  stop = std::min(stop, length - 1);
  if (start > stop) return {};
  return {static_cast<std::uint64_t>(start), static_cast<std::uint64_t>(stop - start + 1)};
}

}  // namespace hearth::commands
