// BITFIELD and BITFIELD_RO: a string as an array of integers of any width.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/command/options.h"
#include "src/commands/bitmap/bit_string.h"
#include "src/commands/bitmap/family.h"
#include "src/store/bits.h"

namespace hearth::commands {
namespace {

__extension__ using Wide = __int128;

enum class Overflow : std::uint8_t { kWrap, kSaturate, kFail };
enum class Verb : std::uint8_t { kGet, kSet, kIncrease };

struct FieldType {
  bool is_signed = false;
  unsigned width = 0;

  // Both ends of what the type holds.
  [[nodiscard]] Wide least() const { return is_signed ? -(Wide{1} << (width - 1)) : 0; }
  [[nodiscard]] Wide most() const { return (Wide{1} << (is_signed ? width - 1 : width)) - 1; }
  [[nodiscard]] Wide value_of(std::uint64_t bits) const {
    const bool negative = is_signed && ((bits >> (width - 1)) & 1) != 0;
    return negative ? static_cast<Wide>(bits) - (Wide{1} << width) : static_cast<Wide>(bits);
  }
};

struct Step {
  Verb verb = Verb::kGet;
  FieldType type;
  std::uint64_t offset = 0;
  std::int64_t operand = 0;
  Overflow overflow = Overflow::kWrap;
};

Result<FieldType, ReplyError> parse_type(std::string_view text) {
  constexpr unsigned kSignedMost = 64, kUnsignedMost = 63;
  FieldType type;
  type.is_signed = text.starts_with('i');
  const auto width = text.empty() ? std::nullopt : parse_int64(text.substr(1));
  const unsigned most = type.is_signed ? kSignedMost : kUnsignedMost;
  if ((!type.is_signed && !text.starts_with('u')) || !width || *width < 1 || *width > most) {
    return refuse(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
        "i64 is.");
  }
  type.width = static_cast<unsigned>(*width);
  return type;
}

Result<Overflow, ReplyError> parse_overflow(const ArgReader& args, std::size_t i) {
  if (args.is(i, "WRAP")) return Overflow::kWrap;
  if (args.is(i, "SAT")) return Overflow::kSaturate;
  if (args.is(i, "FAIL")) return Overflow::kFail;
  return refuse("ERR Invalid OVERFLOW type specified");
}

enum class StepWord : std::uint8_t { kGet, kSet, kIncrease, kOverflow };
constexpr OptionWord<StepWord> kStepWords[] = {{StepWord::kGet, "GET", 2},
                                               {StepWord::kSet, "SET", 3},
                                               {StepWord::kIncrease, "INCRBY", 3},
                                               {StepWord::kOverflow, "OVERFLOW", 1}};

Result<std::vector<Step>, ReplyError> parse(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  std::vector<Step> steps;
  Overflow overflow = Overflow::kWrap;
  const auto parse_step = [&](StepWord word, std::size_t i) -> Outcome {
    if (word == StepWord::kOverflow) {
      HEARTH_TRY(overflow, parse_overflow(args, i + 1));
      return {};
    }
    Step step;
    if (word != StepWord::kGet) step.verb = word == StepWord::kSet ? Verb::kSet : Verb::kIncrease;
    step.overflow = overflow;
    HEARTH_TRY(step.type, parse_type(args[i + 1]));
    HEARTH_TRY(step.offset, bit_offset(ctx, i + 2, step.type.width));
    if (step.verb != Verb::kGet) {
      HEARTH_TRY(step.operand, args.integer(i + 3));
    }
    steps.push_back(step);
    return {};
  };
  HEARTH_TRY_VOID(walk_options(args, 2, kStepWords, parse_step));
  return steps;
}

// The new value of a field; nothing if it does not fit and the step fails then.
std::optional<std::uint64_t> result_of(const Step& step, Wide old) {
  const FieldType& type = step.type;
  Wide wanted = old + step.operand;
  if (step.verb == Verb::kSet) {
    // A negative number that is set into an unsigned field counts as a large one.
    wanted = type.is_signed ? Wide{step.operand} : Wide{static_cast<std::uint64_t>(step.operand)};
  }
  if (wanted < type.least() || wanted > type.most()) {
    if (step.overflow == Overflow::kFail) return std::nullopt;
    if (step.overflow == Overflow::kSaturate)
      wanted = wanted < type.least() ? type.least() : type.most();
  }
  return static_cast<std::uint64_t>(wanted);
}

void reply_value(CommandContext& ctx, const FieldType& type, std::uint64_t bits) {
  ctx.reply().integer(static_cast<std::int64_t>(type.value_of(bits)));
}

std::uint64_t cut(std::uint64_t bits, unsigned width) {
  return width == 64 ? bits : bits & ((std::uint64_t{1} << width) - 1);
}

Outcome read_only(CommandContext& ctx, std::span<const Step> steps) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  char scratch[kInt64TextMax];
  const std::string_view value = at ? at->string_value(scratch) : std::string_view();
  ctx.reply().array(steps.size());
  for (const Step& step : steps)
    reply_value(ctx, step.type, bits::read_field(value, step.offset, step.type.width));
  return {};
}

Outcome bitfield(CommandContext& ctx) {
  HEARTH_TRY(const std::vector<Step> steps, parse(ctx));
  std::uint64_t last = 0;
  bool writes = false;
  for (const Step& step : steps) {
    if (step.verb == Verb::kGet) continue;
    writes = true;
    last = std::max(last, step.offset + step.type.width - 1);
  }
  if (!writes) return read_only(ctx, steps);

  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  const WritableBits string = writable_bits(ctx, key, at, last);
  const std::string_view value(string.bytes, string.size);
  std::uint64_t changes = 0;
  ctx.reply().array(steps.size());
  for (const Step& step : steps) {
    const std::uint64_t old = bits::read_field(value, step.offset, step.type.width);
    if (step.verb == Verb::kGet) {
      reply_value(ctx, step.type, old);
      continue;
    }
    const auto result = result_of(step, step.type.value_of(old));
    if (!result) {
      ctx.reply().null();
      continue;
    }
    const std::uint64_t now = cut(*result, step.type.width);
    bits::write_field(string.bytes, step.offset, step.type.width, now);
    if (string.grown || now != old) ++changes;
    reply_value(ctx, step.type, step.verb == Verb::kSet ? old : now);
  }
  // A string that only grew, since all steps failed, has changed too.
  if (string.grown && changes == 0) changes = 1;
  if (changes > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(changes - 1);
    ctx.effects().event(Notify::kString, "setbit", key.name);
  }
  return {};
}

Outcome bitfield_ro(CommandContext& ctx) {
  HEARTH_TRY(const std::vector<Step> steps, parse(ctx));
  if (std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.verb != Verb::kGet; }))
    return refuse("ERR BITFIELD_RO only supports the GET subcommand");
  return read_only(ctx, steps);
}

// Without a step that writes, the key is only read.
bool bitfield_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  std::uint16_t how = access::kRead;
  static_cast<void>(
      walk_options(ArgReader(argv), 2, kStepWords, [&](StepWord word, std::size_t) -> Outcome {
        if (word == StepWord::kSet || word == StepWord::kIncrease) how = access::kModifyRead;
        return {};
      }));
  out.push_back({1, how});
  return true;
}

constexpr ArgDoc kGetParts[] = {args::string("encoding"), args::integer("offset")};
constexpr ArgDoc kModes[] = {args::token("wrap", "WRAP"), args::token("sat", "SAT"),
                             args::token("fail", "FAIL")};
constexpr ArgDoc kWriteParts[] = {args::string("encoding"), args::integer("offset"),
                                  args::integer("value")};
constexpr ArgDoc kIncreaseParts[] = {args::string("encoding"), args::integer("offset"),
                                     args::integer("increment")};
constexpr ArgDoc kWriteVerbs[] = {args::block("set-block", kWriteParts, "SET"),
                                  args::block("incrby-block", kIncreaseParts, "INCRBY")};
constexpr ArgDoc kWriting[] = {args::one_of("overflow-block", kModes, "OVERFLOW").opt(),
                               args::one_of("write-operation", kWriteVerbs)};
constexpr ArgDoc kSteps[] = {args::block("get-block", kGetParts, "GET"),
                             args::block("write", kWriting)};
constexpr ArgDoc kBitfieldArgs[] = {args::key(), args::one_of("operation", kSteps).opt().many()};
constexpr ArgDoc kReadArgs[] = {args::key(),
                                args::block("get-block", kGetParts, "GET").opt().repeats_token()};
constexpr KeySpec kKey[] = {KeySpec::one(1, access::kModifyRead | access::kVariableFlags)};
constexpr std::string_view kComplexity = "O(1) for each step.";

}  // namespace

constexpr CommandSpec kBitField{
    .name = "BITFIELD",
    .summary = "Reads and changes integers of any width at any bit of a string.",
    .complexity = kComplexity,
    .since = "3.2.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kKey,
    .args = kBitfieldArgs,
    .reply = Shape::kArray,
    .handler = bitfield,
    .find_keys = bitfield_keys,
};
constexpr CommandSpec kBitFieldRo{
    .name = "BITFIELD_RO",
    .summary = "Reads integers of any width at any bit of a string.",
    .complexity = kComplexity,
    .since = "6.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kReadKey,
    .args = kReadArgs,
    .reply = Shape::kArray,
    .handler = bitfield_ro,
};

}  // namespace hearth::commands
