// Counters: HINCRBY, HINCRBYFLOAT.
#include <cmath>

#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"
#include "src/commands/hash/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome hincrby(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t delta, ctx.args().integer(3));
  const KeyRef key = ctx.key(1);
  const std::string_view field = ctx.arg(2);
  HEARTH_TRY(Found at, write_hash(ctx, key));
  std::int64_t value = 0;
  Hash::Scratch scratch;
  if (const auto old = at ? at->hash()->get(field, ctx.now(), scratch) : std::nullopt) {
    const auto number = parse_int64(*old);
    if (!number) return refuse("ERR hash value is not an integer");
    value = *number;
  }
  if (__builtin_add_overflow(value, delta, &value))
    return refuse("ERR increment or decrement would overflow");
  at = made_hash(ctx, key, at);
  log_if_expired(ctx, key, *at->hash(), field);
  char text[kInt64TextMax];
  ctx.keys().change(key, at)->hash()->set(field, {text, format_int64(value, text)}, Hash::kKeep,
                                          ctx.now(), hash_limits(ctx));
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kHash, "hincrby", key.name);
  ctx.reply().integer(value);
  return {};
}

Outcome hincrbyfloat(CommandContext& ctx) {
  const auto delta = parse_long_double(ctx.arg(3));
  if (!delta) return refuse(std::string(kNotFloat));
  if (std::isinf(*delta)) return refuse("ERR value is NaN or Infinity");
  const KeyRef key = ctx.key(1);
  const std::string_view field = ctx.arg(2);
  HEARTH_TRY(Found at, write_hash(ctx, key));
  long double value = 0;
  Hash::Scratch scratch;
  if (const auto old = at ? at->hash()->get(field, ctx.now(), scratch) : std::nullopt) {
    const auto number = parse_long_double(*old);
    if (!number) return refuse("ERR hash value is not a float");
    value = *number;
  }
  value += *delta;
  if (std::isnan(value) || std::isinf(value))
    return refuse("ERR increment would produce NaN or Infinity");
  const std::string text = long_double_text(value);
  at = made_hash(ctx, key, at);
  ctx.keys().change(key, at)->hash()->set(field, text, Hash::kKeep, ctx.now(), hash_limits(ctx));
  // The sum depends on this machine's floating point: the result is logged, and since setting a
  // field ends its deadline, the deadline too.
  ctx.effects().replicate_as("HSET", key.name, field, text);
  const std::int64_t deadline = at->hash()->deadline(field, ctx.now()).value_or(Hash::kNone);
  if (deadline != Hash::kNone) {
    ctx.effects().replicate_as("HPEXPIREAT", key.name, deadline, "FIELDS", "1", field);
  }
  ctx.effects().event(Notify::kHash, "hincrbyfloat", key.name);
  ctx.reply().bulk(text);
  return {};
}

constexpr ArgDoc kIntegerArgs[] = {args::key(), args::string("field"), args::integer("increment")};
constexpr ArgDoc kFloatArgs[] = {args::key(), args::string("field"), args::real("increment")};
constexpr KeySpec kCounterKey[] = {KeySpec::one(1, access::kModifyRead)};

}  // namespace

constexpr CommandSpec kHIncrBy{
    .name = "HINCRBY",
    .summary = "Adds a number to the integer in a field; an absent field counts as 0.",
    .complexity = "O(1)",
    .since = "2.0.0",
    .arity = Arity::exactly(4),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kCounterKey,
    .args = kIntegerArgs,
    .reply = Shape::kInteger,
    .handler = hincrby,
    .member_at = 2,
};
constexpr CommandSpec kHIncrByFloat{
    .name = "HINCRBYFLOAT",
    .summary = "Adds a floating-point number to the one in a field; an absent field counts as 0.",
    .complexity = "O(1)",
    .since = "2.6.0",
    .arity = Arity::exactly(4),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kCounterKey,
    .args = kFloatArgs,
    .reply = Shape::kBulk,
    .handler = hincrbyfloat,
    .member_at = 2,
};

}  // namespace hearth::commands
