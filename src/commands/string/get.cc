// GET and the commands that read and then change the key's life.
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/deadline.h"
#include "src/commands/string/family.h"
#include "src/commands/string/past.h"

namespace hearth::commands {
namespace {

Outcome get(CommandContext& ctx) {
  const Found at = ctx.keys().read(ctx.key(1));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  if (at->type() != Type::kString) return refuse(std::string(kWrongType));
  char scratch[kInt64TextMax];
  ctx.reply().bulk(at->string_value(scratch));
  return {};
}

Outcome getdel(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().read(key, Type::kString));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  char scratch[kInt64TextMax];
  ctx.reply().bulk(at->string_value(scratch));
  ctx.keys().remove(key, at);
  ctx.effects().replicate_as("DEL", key.name);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
  return {};
}

Outcome getex(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const std::size_t words = ctx.args().size();
  bool persist = words > 2;
  for (std::size_t i = 2; i < words; ++i) persist = persist && ctx.args().is(i, "PERSIST");
  const auto unit = words == 4 ? time_unit(ctx.arg(2)) : std::nullopt;
  if (words > 2 && !persist && !unit) return syntax_error();
  HEARTH_TRY(const Found at, ctx.keys().read(key, Type::kString));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  // As with peers, the time of a key that is not there is not looked at.
  std::int64_t deadline = kNoDeadline;
  if (unit) {
    HEARTH_TRY(deadline, positive_deadline(ctx.args(), 3, *unit, ctx.clock(), "getex"));
  }
  char scratch[kInt64TextMax];
  ctx.reply().bulk(at->string_value(scratch));
  if (persist && at->has_deadline()) {
    ctx.keys().set_deadline(key, at, kNoDeadline);
    ctx.effects().replicate_as("PERSIST", key.name);
    ctx.effects().event(Notify::kGeneric, "persist", key.name);
  } else if (is_past(ctx, deadline)) {
    remove_as_past(ctx, key, at);
  } else if (deadline != kNoDeadline) {
    ctx.keys().set_deadline(key, at, deadline);
    ctx.effects().replicate_as("PEXPIREAT", key.name, deadline);
    ctx.effects().event(Notify::kGeneric, "expire", key.name);
  }
  return {};
}

Outcome strlen(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  ctx.reply().integer(at ? static_cast<std::int64_t>(at->string_length()) : 0);
  return {};
}

constexpr ArgDoc kLife[] = {args::integer("seconds", "EX"), args::integer("milliseconds", "PX"),
                            args::unix_time("unix-time-seconds", "EXAT"),
                            args::unix_time("unix-time-milliseconds", "PXAT"),
                            args::token("persist", "PERSIST")};
constexpr ArgDoc kGetExArgs[] = {args::key(), args::one_of("expiration", kLife).opt()};
constexpr KeySpec kMetaKey[] = {KeySpec::one(1, access::kReadMeta)};
constexpr KeySpec kTakeKey[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kDelete)};
constexpr KeySpec kTouchKey[] = {[] {
  KeySpec k = KeySpec::one(1, access::kModifyRead);
  k.notes = "RW and UPDATE because it changes the TTL";
  return k;
}()};

}  // namespace

constexpr CommandSpec kGet{
    .name = "GET",
    .summary = "Returns the string stored under a key.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = get,
};
constexpr CommandSpec kGetDel{
    .name = "GETDEL",
    .summary = "Returns the string stored under a key and removes the key.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kTakeKey,
    .args = kKeyArg,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = getdel,
};
constexpr CommandSpec kGetEx{
    .name = "GETEX",
    .summary = "Returns the string stored under a key and sets or clears its time to live.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kTouchKey,
    .args = kGetExArgs,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = getex,
};
constexpr CommandSpec kStrLen{
    .name = "STRLEN",
    .summary = "Returns the length of a string in bytes.",
    .complexity = "O(1)",
    .since = "2.2.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kMetaKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = strlen,
};

}  // namespace hearth::commands
