// Helpers of the bitmap commands: bit offsets, and strings long enough to write to.
#pragma once

#include "src/command/context.h"

namespace hearth::commands {

inline constexpr std::string_view kBadBitOffset =
    "ERR bit offset is not an integer or out of range";

// Word i as the number of a bit. With `width` above 0 the form "#3" counts in fields of that many
// bits. Refused if the bit lies past the longest allowed string.
[[nodiscard]] Result<std::uint64_t, ReplyError> bit_offset(const CommandContext& ctx, std::size_t i,
                                                           unsigned width = 0);

struct WritableBits {
  char* bytes = nullptr;
  std::uint64_t size = 0;
  bool grown = false;  // the key was made or its value became longer
};
// The string under a key with room for bit `last`, made or grown with zeros if need be. `at` is
// what Keys::write gave.
[[nodiscard]] WritableBits writable_bits(CommandContext& ctx, const KeyRef& key, Found at,
                                         std::uint64_t last);

}  // namespace hearth::commands
