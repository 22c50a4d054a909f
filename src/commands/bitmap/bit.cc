// Single bits and ranges of bits: SETBIT, GETBIT, BITCOUNT, BITPOS.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/commands/bitmap/bit_string.h"
#include "src/commands/bitmap/family.h"
#include "src/store/bits.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kBadBit = "ERR bit is not an integer or out of range";

Outcome setbit(CommandContext& ctx) {
  HEARTH_TRY(const std::uint64_t offset, bit_offset(ctx, 2));
  HEARTH_TRY(const std::int64_t value, ctx.args().integer_between(3, 0, 1, kBadBit));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  const WritableBits string = writable_bits(ctx, key, at, offset);
  char& byte = string.bytes[offset / 8];
  const auto mask = static_cast<unsigned char>(0x80U >> (offset % 8));
  const bool old = (static_cast<unsigned char>(byte) & mask) != 0;
  if (string.grown || old != (value == 1)) {
    byte = static_cast<char>(value == 1 ? static_cast<unsigned char>(byte) | mask
                                        : static_cast<unsigned char>(byte) & ~mask);
    ctx.effects().replicate_verbatim();
    ctx.effects().event(Notify::kString, "setbit", key.name);
  }
  ctx.reply().integer(old ? 1 : 0);
  return {};
}

Outcome getbit(CommandContext& ctx) {
  HEARTH_TRY(const std::uint64_t offset, bit_offset(ctx, 2));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  char scratch[kInt64TextMax];
  const std::string_view value = at ? at->string_value(scratch) : std::string_view();
  const bool set = offset / 8 < value.size() &&
                   (static_cast<unsigned char>(value[offset / 8]) & (0x80U >> (offset % 8))) != 0;
  ctx.reply().integer(set ? 1 : 0);
  return {};
}

// The optional words [start [end [BYTE|BIT]]] from word `first` on.
struct Range {
  std::optional<std::int64_t> start, end;
  bool in_bits = false;
};

Result<Range, ReplyError> parse_range(const ArgReader& args, std::size_t first) {
  Range range;
  if (args.size() > first + 3) return syntax_error();
  if (args.size() > first) {
    HEARTH_TRY(range.start, args.integer(first));
  }
  if (args.size() == first + 3) {
    range.in_bits = args.is(first + 2, "BIT");
    if (!range.in_bits && !args.is(first + 2, "BYTE")) return syntax_error();
  }
  if (args.size() > first + 1) {
    HEARTH_TRY(range.end, args.integer(first + 1));
  }
  return range;
}

struct BitRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // exclusive; == first if the range is empty
};

// Negative places count from the end; what lies outside of the value is cut off.
BitRange in_value(const Range& range, std::uint64_t size) {
  const auto total = static_cast<std::int64_t>(range.in_bits ? size * 8 : size);
  std::int64_t start = range.start.value_or(0);
  std::int64_t end = range.end.value_or(total - 1);
  if (start < 0) start = std::max<std::int64_t>(0, start + total);
  if (end < 0) end = std::max<std::int64_t>(0, end + total);
  end = std::min(end, total - 1);
  if (start > end) return {};
  const std::uint64_t unit = range.in_bits ? 1 : 8;
  return {static_cast<std::uint64_t>(start) * unit, (static_cast<std::uint64_t>(end) + 1) * unit};
}

Outcome bitcount(CommandContext& ctx) {
  HEARTH_TRY(const Range range, parse_range(ctx.args(), 2));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  // Backwards from the end stays empty however short the value is.
  const bool backwards =
      range.start.value_or(0) < 0 && range.end.value_or(0) < 0 && *range.start > *range.end;
  if (!at || backwards) {
    ctx.reply().integer(0);
    return {};
  }
  char scratch[kInt64TextMax];
  const std::string_view value = at->string_value(scratch);
  const BitRange bits = in_value(range, value.size());
  ctx.reply().integer(static_cast<std::int64_t>(bits::count_ones(value, bits.first, bits.end)));
  return {};
}

Outcome bitpos(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t bit, ctx.args().integer(2));
  if (bit != 0 && bit != 1) return refuse("ERR The bit argument must be 1 or 0.");
  HEARTH_TRY(const Range range, parse_range(ctx.args(), 3));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  if (!at) {
    ctx.reply().integer(bit == 1 ? -1 : 0);
    return {};
  }
  char scratch[kInt64TextMax];
  const std::string_view value = at->string_value(scratch);
  const BitRange bits = in_value(range, value.size());
  std::int64_t place = -1;
  if (bits.first < bits.end) {
    if (const auto found = bits::find(value, bit == 1, bits.first, bits.end))
      place = static_cast<std::int64_t>(*found);
    else if (bit == 0 && !range.end)
      place = static_cast<std::int64_t>(bits.end);  // zeros go on behind a value without an end
  }
  ctx.reply().integer(place);
  return {};
}

constexpr ArgDoc kSetArgs[] = {args::key(), args::integer("offset"), args::integer("value")};
constexpr ArgDoc kGetArgs[] = {args::key(), args::integer("offset")};
constexpr ArgDoc kUnits[] = {args::token("byte", "BYTE"), args::token("bit", "BIT")};
constexpr ArgDoc kEndParts[] = {args::integer("end"),
                                args::one_of("unit", kUnits).opt().from("7.0.0")};
constexpr ArgDoc kRangeParts[] = {args::integer("start"),
                                  args::block("end-unit-block", kEndParts).opt()};
constexpr ArgDoc kCountArgs[] = {args::key(), args::block("range", kRangeParts).opt()};
constexpr ArgDoc kPosArgs[] = {args::key(), args::integer("bit"),
                               args::block("range", kRangeParts).opt()};
constexpr KeySpec kBitUpdateKey[] = {KeySpec::one(1, access::kModifyRead)};
constexpr HistoryNote kUnitHistory[] = {{"7.0.0", "Accepts BYTE and BIT."}};

}  // namespace

constexpr CommandSpec kSetBit{
    .name = "SETBIT",
    .summary = "Sets or clears a bit of a string and returns what it was.",
    .complexity = "O(1)",
    .since = "2.2.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kBitUpdateKey,
    .args = kSetArgs,
    .reply = Shape::kInteger,
    .handler = setbit,
};
constexpr CommandSpec kGetBit{
    .name = "GETBIT",
    .summary = "Returns a bit of a string.",
    .complexity = "O(1)",
    .since = "2.2.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kReadKey,
    .args = kGetArgs,
    .reply = Shape::kInteger,
    .handler = getbit,
};
constexpr CommandSpec kBitCount{
    .name = "BITCOUNT",
    .summary = "Counts the ones of a string or of a part of it.",
    .complexity = "O(N) with the length of the part.",
    .since = "2.6.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kReadKey,
    .args = kCountArgs,
    .reply = Shape::kInteger,
    .handler = bitcount,
    .history = kUnitHistory,
};
constexpr CommandSpec kBitPos{
    .name = "BITPOS",
    .summary = "Finds the first one or zero of a string or of a part of it.",
    .complexity = "O(N) with the length of the part.",
    .since = "2.8.7",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kReadKey,
    .args = kPosArgs,
    .reply = Shape::kInteger,
    .handler = bitpos,
    .history = kUnitHistory,
};

}  // namespace hearth::commands
