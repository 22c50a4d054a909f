// When fields expire: HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME.
#include "src/command/common_specs.h"
#include "src/command/deadline.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"
#include "src/commands/hash/spec_parts.h"

namespace hearth::commands {
namespace {

std::int64_t rounded_up_seconds(std::int64_t ms) { return (ms + 999) / 1000; }

std::int64_t in_unit(std::int64_t deadline, TimeUnit unit, UnixMillis now) {
  switch (unit) {
    case TimeUnit::kSeconds: return rounded_up_seconds(deadline - now.ms);
    case TimeUnit::kMilliseconds: return deadline - now.ms;
    case TimeUnit::kUnixSeconds: return rounded_up_seconds(deadline);
    case TimeUnit::kUnixMilliseconds: break;
  }
  return deadline;
}

Outcome tell(CommandContext& ctx, TimeUnit unit) {
  HEARTH_TRY(const auto fields, fields_block(ctx.args(), 2));
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  ctx.reply().array(fields.size());
  for (const std::string_view field : fields) {
    const auto deadline = at ? at->hash()->deadline(field, ctx.now()) : std::nullopt;
    if (!deadline)
      ctx.reply().integer(kNoField);
    else if (*deadline == Hash::kNone)
      ctx.reply().integer(kNotTimed);
    else
      ctx.reply().integer(in_unit(*deadline, unit, ctx.clock()));
  }
  return {};
}

Outcome httl(CommandContext& ctx) { return tell(ctx, TimeUnit::kSeconds); }
Outcome hpttl(CommandContext& ctx) { return tell(ctx, TimeUnit::kMilliseconds); }
Outcome hexpiretime(CommandContext& ctx) { return tell(ctx, TimeUnit::kUnixSeconds); }
Outcome hpexpiretime(CommandContext& ctx) { return tell(ctx, TimeUnit::kUnixMilliseconds); }

constexpr ArgDoc kTtlArgs[] = {args::key(), args::block("fields", kFieldParts, "FIELDS")};

}  // namespace

constexpr CommandSpec kHTtl{
    .name = "HTTL",
    .summary = "Returns how many seconds fields of a hash have left.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kTtlArgs,
    .reply = Shape::kArray,
    .handler = httl,
    .tips = kNondeterministic,
    .member_at = 4,
};
constexpr CommandSpec kHPTtl{
    .name = "HPTTL",
    .summary = "Returns how many milliseconds fields of a hash have left.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kTtlArgs,
    .reply = Shape::kArray,
    .handler = hpttl,
    .tips = kNondeterministic,
    .member_at = 4,
};
constexpr CommandSpec kHExpireTime{
    .name = "HEXPIRETIME",
    .summary = "Returns the Unix time in seconds at which fields of a hash expire.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kTtlArgs,
    .reply = Shape::kArray,
    .handler = hexpiretime,
};
constexpr CommandSpec kHPExpireTime{
    .name = "HPEXPIRETIME",
    .summary = "Returns the Unix time in milliseconds at which fields of a hash expire.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kTtlArgs,
    .reply = Shape::kArray,
    .handler = hpexpiretime,
};

}  // namespace hearth::commands
