// Single precision numbers, as people wrote them.
#pragma once

#include <charconv>

namespace hearth::warm {

// The double whose shortest text is that of the float: 0.1f becomes 0.1, not 0.10000000149.
[[nodiscard]] inline double as_short_double(float number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  double result = number;
  std::from_chars(text, end, result);
  return result;
}

}  // namespace hearth::warm
