// Operands that a request names several times.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <vector>

namespace hearth {

// Leaves `most(times)` of the values with the same id(value) that stand there `times` times, the
// first of them, in their order. So a key that is repeated costs a word and not its whole value
// again. O(n log n).
template <typename T, typename Id, typename Most>
void keep_of_repeats(std::vector<T>& values, Id id, Most most) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::invoke(id, values[a]) < std::invoke(id, values[b]);
  });
  std::vector<bool> goes(values.size());
  bool any = false;
  for (std::size_t i = 0, next = 0; i < order.size(); i = next) {
    next = i + 1;
    while (next < order.size() &&
           std::invoke(id, values[order[next]]) == std::invoke(id, values[order[i]]))
      ++next;
    for (std::size_t k = i + most(next - i); k < next; ++k) {
      goes[order[k]] = true;
      any = true;
    }
  }
  if (!any) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!goes[i]) values[kept++] = values[i];
  }
  values.erase(values.begin() + static_cast<std::ptrdiff_t>(kept), values.end());
}

template <typename T>
void drop_repeats(std::vector<T>& values) {
  keep_of_repeats(
      values, [](const T& value) { return value; }, [](std::size_t) { return std::size_t{1}; });
}

}  // namespace hearth
