// The length that stands behind an element of a listpack, so that it can be read from behind: 7
// bits per byte, the least significant last; a set top bit says that more follow to the left.
// Shared by Listpack and Segment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/ds/element.h"

namespace hearth::ds {

[[nodiscard]] inline std::size_t back_length_size(std::uint64_t length) {
  if (length < (1U << 7)) return 1;
  if (length < (1U << 14)) return 2;
  if (length < (1U << 21)) return 3;
  if (length < (1U << 28)) return 4;
  return 5;
}

inline void write_back_length(char* out, std::uint64_t length) {
  const std::size_t size = back_length_size(length);
  for (std::size_t i = size; i-- > 0;) {
    out[i] = static_cast<char>((length & 0x7f) | (i == 0 ? 0 : 0x80));
    length >>= 7;
  }
}

// `last`: its rightmost byte.
[[nodiscard]] inline std::uint64_t read_back_length(const char* last) {
  std::uint64_t length = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto c = static_cast<unsigned char>(*last--);
    length |= static_cast<std::uint64_t>(c & 0x7f) << shift;
    if ((c & 0x80) == 0) break;
  }
  return length;
}

// Bytes of the element at p, back length included. p is trusted.
[[nodiscard]] inline std::size_t stored_size_at(const char* p) {
  const std::uint64_t body = layout_at(p, 5).size();
  return body + back_length_size(body);
}

// The same of an element that is to be written.
[[nodiscard]] inline std::size_t stored_size(const EncodedElement& e) {
  return e.size() + back_length_size(e.size());
}
inline void store(const EncodedElement& e, char* out) {
  e.write(out);
  write_back_length(out + e.size(), e.size());
}

}  // namespace hearth::ds
