#include "src/commands/bitmap/bit_string.h"

#include <algorithm>

#include "src/store/string.h"

namespace hearth::commands {

Result<std::uint64_t, ReplyError> bit_offset(const CommandContext& ctx, std::size_t i,
                                             unsigned width) {
  std::string_view text = ctx.arg(i);
  const bool in_fields = width > 0 && text.starts_with('#');
  if (in_fields) text.remove_prefix(1);
  const auto number = parse_int64(text);
  std::int64_t offset = number.value_or(-1);
  if (in_fields && __builtin_mul_overflow(offset, static_cast<std::int64_t>(width), &offset))
    offset = -1;
  if (offset < 0 || static_cast<std::uint64_t>(offset) / 8 >= ctx.string_bytes_most()) {
    return refuse(std::string(kBadBitOffset));
  }
  return static_cast<std::uint64_t>(offset);
}

WritableBits writable_bits(CommandContext& ctx, const KeyRef& key, Found at, std::uint64_t last) {
  const std::uint64_t size = at ? at->string_length() : 0;
  const std::uint64_t needed = last / 8 + 1;
  WritableBits bits;
  bits.grown = !at || needed > size;
  bits.size = std::max(size, needed);
  bits.bytes = ctx.keys().writable_range(key, at, 0, bits.size);
  return bits;
}

}  // namespace hearth::commands
