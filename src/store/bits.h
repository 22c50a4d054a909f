// Bits of byte strings, as the bitmap commands see them: bit 0 is the highest bit of byte 0.
//
// Ranges are half open, in bits: [first, end) with first <= end <= 8 * size.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hearth::bits {

// Ones in a range. O(bytes), a word at a time.
[[nodiscard]] std::uint64_t count_ones(std::string_view bytes, std::uint64_t first,
                                       std::uint64_t end);
// Place of the first bit of this value in a range; nothing if there is none.
[[nodiscard]] std::optional<std::uint64_t> find(std::string_view bytes, bool value,
                                                std::uint64_t first, std::uint64_t end);

// `width` bits (1 .. 64) from `offset` on, the first the most significant. Bits past the end are 0.
[[nodiscard]] std::uint64_t read_field(std::string_view bytes, std::uint64_t offset,
                                       unsigned width);
// The same for writing: all bytes concerned must exist.
void write_field(char* bytes, std::uint64_t offset, unsigned width, std::uint64_t value);

// X is the first source, the others are Y.
enum class Operation : std::uint8_t {
  kAnd,
  kOr,
  kXor,
  kNot,    // of X alone
  kDiff,   // in X and in no Y
  kDiff1,  // in some Y and not in X
  kAndOr,  // in X and in some Y
  kOne,    // in exactly one source
};
// Combines the sources into out[0, size); size is that of the longest, shorter ones are taken as
// continued by zeros. out must overlap no source.
void combine(Operation operation, std::span<const std::string_view> sources, char* out,
             std::uint64_t size);

}  // namespace hearth::bits
