// Giving keys a time to live and taking it away: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST.
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/deadline.h"
#include "src/commands/key/family.h"

namespace hearth::commands {
namespace {

// When the new deadline may replace the current one.
struct Condition {
  bool only_without = false;  // NX
  bool only_with = false;     // XX
  bool only_later = false;    // GT; no deadline counts as the latest of all
  bool only_earlier = false;  // LT

  [[nodiscard]] bool allows(std::int64_t current, std::int64_t wanted) const {
    const bool timed = current != kNoDeadline;
    if (only_without && timed) return false;
    if (only_with && !timed) return false;
    if (only_later && (!timed || wanted <= current)) return false;
    return !(only_earlier && timed && wanted >= current);
  }
};

Result<Condition, ReplyError> parse_condition(const ArgReader& args) {
  Condition c;
  for (std::size_t i = 3; i < args.size(); ++i) {
    if (args.is(i, "NX"))
      c.only_without = true;
    else if (args.is(i, "XX"))
      c.only_with = true;
    else if (args.is(i, "GT"))
      c.only_later = true;
    else if (args.is(i, "LT"))
      c.only_earlier = true;
    else
      return refuse("ERR Unsupported option " + std::string(args[i]));
  }
  if (c.only_without && (c.only_with || c.only_later || c.only_earlier)) {
    return refuse("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (c.only_later && c.only_earlier)
    return refuse("ERR GT and LT options at the same time are not compatible");
  return c;
}

Outcome set_deadline(CommandContext& ctx, TimeUnit unit) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Condition condition, parse_condition(ctx.args()));
  HEARTH_TRY(const std::int64_t value, ctx.args().integer(2));
  HEARTH_TRY(const std::int64_t deadline,
             deadline_of(value, unit, ctx.clock(), ctx.command().full_name));
  const Found at = ctx.keys().write(key);
  if (!at || !condition.allows(at->deadline(), deadline)) {
    ctx.reply().integer(0);
    return {};
  }
  if (deadline <= ctx.now().ms) {
    // Due already: the key goes at once, and nobody who replays the log needs to look at a clock.
    const bool lazy = ctx.settings().lazyfree_lazy_expire;
    ctx.keys().remove(key, at, lazy);
    ctx.effects().replicate_as(lazy ? "UNLINK" : "DEL", key.name);
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  } else {
    ctx.keys().set_deadline(key, at, deadline);
    ctx.effects().replicate_as("PEXPIREAT", key.name, deadline);
    ctx.effects().event(Notify::kGeneric, "expire", key.name);
  }
  ctx.reply().integer(1);
  return {};
}

Outcome expire(CommandContext& ctx) { return set_deadline(ctx, TimeUnit::kSeconds); }
Outcome pexpire(CommandContext& ctx) { return set_deadline(ctx, TimeUnit::kMilliseconds); }
Outcome expireat(CommandContext& ctx) { return set_deadline(ctx, TimeUnit::kUnixSeconds); }
Outcome pexpireat(CommandContext& ctx) { return set_deadline(ctx, TimeUnit::kUnixMilliseconds); }

Outcome persist(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().write(key);
  if (!at || !at->has_deadline()) {
    ctx.reply().integer(0);
    return {};
  }
  ctx.keys().set_deadline(key, at, kNoDeadline);
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kGeneric, "persist", key.name);
  ctx.reply().integer(1);
  return {};
}

constexpr ArgDoc kConditions[] = {args::token("nx", "NX"), args::token("xx", "XX"),
                                  args::token("gt", "GT"), args::token("lt", "LT")};
constexpr ArgDoc kCondition = args::one_of("condition", kConditions).opt().from("7.0.0");
constexpr ArgDoc kExpireArgs[] = {args::key(), args::integer("seconds"), kCondition};
constexpr ArgDoc kPExpireArgs[] = {args::key(), args::integer("milliseconds"), kCondition};
constexpr ArgDoc kExpireAtArgs[] = {args::key(), args::unix_time("unix-time-seconds"), kCondition};
constexpr ArgDoc kPExpireAtArgs[] = {args::key(), args::unix_time("unix-time-milliseconds"),
                                     kCondition};
constexpr HistoryNote kExpireHistory[] = {
    {"7.0.0", "Takes the conditions `NX`, `XX`, `GT` and `LT`."}};

constexpr CommandSpec expire_spec(std::string_view name, std::string_view summary,
                                  std::string_view since, std::span<const ArgDoc> args,
                                  Handler handler) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(1)",
      .since = since,
      .arity = Arity::at_least(3),
      .flags = Flag::kWrite | Flag::kFast,
      .acl = Acl::kKeyspace,
      .group = Group::kGeneric,
      .keys = kUpdateKey,
      .args = args,
      .reply = Shape::kInteger,
      .handler = handler,
      .history = kExpireHistory,
  };
}

}  // namespace

constexpr CommandSpec kExpire =
    expire_spec("EXPIRE", "Gives a key a time to live in seconds.", "1.0.0", kExpireArgs, expire);
constexpr CommandSpec kPExpire = expire_spec(
    "PEXPIRE", "Gives a key a time to live in milliseconds.", "2.6.0", kPExpireArgs, pexpire);
constexpr CommandSpec kExpireAt =
    expire_spec("EXPIREAT", "Lets a key end at a time in seconds since 1970.", "1.2.0",
                kExpireAtArgs, expireat);
constexpr CommandSpec kPExpireAt =
    expire_spec("PEXPIREAT", "Lets a key end at a time in milliseconds since 1970.", "2.6.0",
                kPExpireAtArgs, pexpireat);
constexpr CommandSpec kPersist{
    .name = "PERSIST",
    .summary = "Takes the time to live away from a key.",
    .complexity = "O(1)",
    .since = "2.2.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kUpdateKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = persist,
};

}  // namespace hearth::commands
