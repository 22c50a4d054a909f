// Counters: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.
#include <cmath>
#include <limits>

#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/commands/string/family.h"
#include "src/store/string.h"

namespace hearth::commands {
namespace {

Outcome add(CommandContext& ctx, std::int64_t delta) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  std::int64_t value = 0;
  if (at && at->is_int()) {
    value = at->int_value();
  } else if (at) {
    char scratch[kInt64TextMax];
    const auto parsed = parse_int64(at->string_value(scratch));
    if (!parsed) return refuse(std::string(kNotInteger));
    value = *parsed;
  }
  if (__builtin_add_overflow(value, delta, &value))
    return refuse("ERR increment or decrement would overflow");
  ctx.keys().put_int(key, at, value);
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kString, "incrby", key.name);
  ctx.reply().integer(value);
  return {};
}

Outcome incr(CommandContext& ctx) { return add(ctx, 1); }
Outcome decr(CommandContext& ctx) { return add(ctx, -1); }

Outcome incrby(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t delta, ctx.args().integer(2));
  return add(ctx, delta);
}

Outcome decrby(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t delta, ctx.args().integer(2));
  if (delta == std::numeric_limits<std::int64_t>::min())
    return refuse("ERR decrement would overflow");
  return add(ctx, -delta);
}

Outcome incrbyfloat(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  long double value = 0;
  if (at) {
    char scratch[kInt64TextMax];
    const auto parsed = parse_long_double(at->string_value(scratch));
    if (!parsed) return refuse(std::string(kNotFloat));
    value = *parsed;
  }
  const auto delta = parse_long_double(ctx.arg(2));
  if (!delta) return refuse(std::string(kNotFloat));
  value += *delta;
  if (std::isnan(value) || std::isinf(value))
    return refuse("ERR increment would produce NaN or Infinity");
  const std::string text = long_double_text(value);
  ctx.keys().put_string(key, at, text, at ? at->deadline() : kNoDeadline);
  // The sum depends on this machine's floating point: the result is logged, not the sum.
  ctx.effects().replicate_as("SET", key.name, text, "KEEPTTL");
  ctx.effects().event(Notify::kString, "incrbyfloat", key.name);
  ctx.reply().bulk(text);
  return {};
}

constexpr ArgDoc kIncrement[] = {args::key(), args::integer("increment")};
constexpr ArgDoc kDecrement[] = {args::key(), args::integer("decrement")};
constexpr ArgDoc kFloatIncrement[] = {args::key(), args::real("increment")};
constexpr KeySpec kCounter[] = {KeySpec::one(1, access::kModifyRead)};
constexpr Flag kFlags = Flag::kWrite | Flag::kDenyOom | Flag::kFast;

}  // namespace

constexpr CommandSpec kIncr{
    .name = "INCR",
    .summary = "Adds one to the integer stored under a key; an absent key counts as 0.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = kFlags,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kCounter,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = incr,
};
constexpr CommandSpec kDecr{
    .name = "DECR",
    .summary = "Takes one from the integer stored under a key; an absent key counts as 0.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = kFlags,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kCounter,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = decr,
};
constexpr CommandSpec kIncrBy{
    .name = "INCRBY",
    .summary = "Adds a number to the integer stored under a key; an absent key counts as 0.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = kFlags,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kCounter,
    .args = kIncrement,
    .reply = Shape::kInteger,
    .handler = incrby,
};
constexpr CommandSpec kDecrBy{
    .name = "DECRBY",
    .summary = "Takes a number from the integer stored under a key; an absent key counts as 0.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = kFlags,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kCounter,
    .args = kDecrement,
    .reply = Shape::kInteger,
    .handler = decrby,
};
constexpr CommandSpec kIncrByFloat{
    .name = "INCRBYFLOAT",
    .summary =
        "Adds a floating-point number to the one stored under a key; an absent key counts as 0.",
    .complexity = "O(1)",
    .since = "2.6.0",
    .arity = Arity::exactly(3),
    .flags = kFlags,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kCounter,
    .args = kFloatIncrement,
    .reply = Shape::kBulk,
    .handler = incrbyfloat,
};

}  // namespace hearth::commands
