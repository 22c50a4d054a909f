#include "src/engine/key_sizes.h"

#include <algorithm>
#include <bit>

#include "src/metrics/figures.h"
#include "src/store/value_type.h"

namespace hearth {
namespace {

// 2^power as 512, 1K, 64M.
std::string power_text(std::size_t power) {
  static constexpr const char* kUnits[] = {"", "K", "M", "G", "T", "P", "E"};
  return std::to_string(1ULL << (power % 10)) + kUnits[power / 10];
}

}  // namespace

void KeySizes::add(const Entry& entry) {
  ++counts_[static_cast<std::size_t>(entry.type())][std::bit_width(element_count(entry))];
}

void KeySizes::scale(std::uint64_t all, std::uint64_t looked_at) {
  const double factor = static_cast<double>(all) / static_cast<double>(looked_at);
  for (auto& of_type : counts_) {
    for (std::uint64_t& n : of_type) {
      if (n > 0)
        n = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(n) * factor));
    }
  }
}

void KeySizes::write(const std::string& prefix, FigureView& view) const {
  for (const ValueType& type : kValueTypes) {
    const auto& of_type = counts_[static_cast<std::size_t>(type.type)];
    if (std::all_of(of_type.begin(), of_type.end(), [](std::uint64_t n) { return n == 0; }))
      continue;
    view.begin_member(prefix + std::string(type.figure));
    for (std::size_t width = 0; width < of_type.size(); ++width) {
      if (of_type[width] > 0)
        view.add_part(width == 0 ? "0" : power_text(width - 1), of_type[width]);
    }
    view.end_member();
  }
}

}  // namespace hearth
