// Several strings at once: MGET, MSET, MSETNX, MSETEX.
#include <limits>

#include "src/command/context.h"
#include "src/command/deadline.h"
#include "src/commands/string/family.h"
#include "src/commands/string/past.h"

namespace hearth::commands {
namespace {

Outcome mget(CommandContext& ctx) {
  const std::size_t count = ctx.args().size() - 1;
  ctx.reply().array(count);
  char scratch[kInt64TextMax];
  ctx.for_each_key(1, count + 1, 1, [&](const KeyRef& key, std::size_t) {
    const Found at = ctx.keys().read(key);
    // A value of another type reads as absent: one wrong key does not spoil the rest.
    if (at && at->type() == Type::kString)
      ctx.reply().bulk(at->string_value(scratch));
    else
      ctx.reply().null();
  });
  return {};
}

void set_pairs(CommandContext& ctx) {
  ctx.for_each_key(1, ctx.args().size(), 2, [&](const KeyRef& key, std::size_t i) {
    ctx.keys().put_string(key, ctx.keys().write(key), ctx.arg(i + 1), kNoDeadline);
    ctx.effects().event(Notify::kString, "set", key.name);
  });
  ctx.effects().replicate_verbatim();
  ctx.effects().count_changes((ctx.args().size() - 1) / 2 - 1);
}

Result<void, ReplyError> check_pairs(const CommandContext& ctx) {
  if (ctx.args().size() % 2 == 0) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  return {};
}

Outcome mset(CommandContext& ctx) {
  HEARTH_TRY_VOID(check_pairs(ctx));
  set_pairs(ctx);
  ctx.reply().ok();
  return {};
}

Outcome msetnx(CommandContext& ctx) {
  HEARTH_TRY_VOID(check_pairs(ctx));
  for (std::size_t i = 1; i < ctx.args().size(); i += 2) {
    if (ctx.keys().exists(ctx.key(i))) {
      ctx.reply().integer(0);
      return {};
    }
  }
  set_pairs(ctx);
  ctx.reply().integer(1);
  return {};
}

struct SetAllOptions {
  std::size_t pairs = 0;
  bool only_if_absent = false, only_if_present = false, keep_ttl = false;
  std::int64_t deadline = kNoDeadline;
};

Result<SetAllOptions, ReplyError> parse_msetex(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  SetAllOptions o;
  HEARTH_TRY(const std::int64_t pairs,
             args.integer_between(1, 1, std::numeric_limits<std::int32_t>::max(),
                                  "ERR invalid numkeys value"));
  o.pairs = static_cast<std::size_t>(pairs);
  if (o.pairs > (args.size() - 2) / 2) return refuse("ERR wrong number of key-value pairs");
  for (std::size_t i = 2 + 2 * o.pairs; i < args.size(); ++i) {
    const bool timed = o.deadline != kNoDeadline || o.keep_ttl;
    if (args.is(i, "NX") && !o.only_if_present) {
      o.only_if_absent = true;
    } else if (args.is(i, "XX") && !o.only_if_absent) {
      o.only_if_present = true;
    } else if (args.is(i, "KEEPTTL") && !timed) {
      o.keep_ttl = true;
    } else if (const auto unit = time_unit(args[i]); unit && i + 1 < args.size() && !timed) {
      HEARTH_TRY(o.deadline, positive_deadline(args, ++i, *unit, ctx.clock(), "msetex"));
    } else {
      return syntax_error();
    }
  }
  return o;
}

bool condition_holds(CommandContext& ctx, const SetAllOptions& o) {
  if (!o.only_if_absent && !o.only_if_present) return true;
  for (std::size_t i = 0; i < o.pairs; ++i) {
    if (ctx.keys().exists(ctx.key(2 + 2 * i)) != o.only_if_present) return false;
  }
  return true;
}

Outcome msetex(CommandContext& ctx) {
  HEARTH_TRY(const SetAllOptions o, parse_msetex(ctx));
  if (!condition_holds(ctx, o)) {
    ctx.reply().integer(0);
    return {};
  }
  ctx.for_each_key(2, 2 + 2 * o.pairs, 2, [&](const KeyRef& key, std::size_t i) {
    const std::string_view value = ctx.arg(i + 1);
    const Found at = ctx.keys().write(key);
    if (is_past(ctx, o.deadline)) return remove_as_past(ctx, key, at);
    const std::int64_t deadline = o.keep_ttl && at ? at->deadline() : o.deadline;
    ctx.keys().put_string(key, at, value, deadline);
    // As single commands, which every reader of the log knows.
    if (deadline != kNoDeadline)
      ctx.effects().replicate_as("SET", key.name, value, "PXAT", deadline);
    else
      ctx.effects().replicate_as("SET", key.name, value);
    ctx.effects().event(Notify::kString, "set", key.name);
    if (o.deadline != kNoDeadline) ctx.effects().event(Notify::kGeneric, "expire", key.name);
  });
  ctx.reply().integer(1);
  return {};
}

constexpr ArgDoc kMultiKeyKeys[] = {args::key().many()};
constexpr ArgDoc kPair[] = {args::key(), args::string("value")};
constexpr ArgDoc kPairs[] = {args::block("data", kPair).many()};
constexpr ArgDoc kSetAllConditions[] = {args::token("nx", "NX"), args::token("xx", "XX")};
constexpr ArgDoc kSetAllLives[] = {
    args::integer("seconds", "EX"), args::integer("milliseconds", "PX"),
    args::unix_time("unix-time-seconds", "EXAT"), args::unix_time("unix-time-milliseconds", "PXAT"),
    args::token("keepttl", "KEEPTTL")};
constexpr ArgDoc kSetAllArgs[] = {args::integer("numkeys"), args::block("data", kPair).many(),
                                  args::one_of("condition", kSetAllConditions).opt(),
                                  args::one_of("expiration", kSetAllLives).opt()};
constexpr KeySpec kSetAllKeys[] = {[] {
  KeySpec keys = KeySpec::counted(1, access::kOverwrite);
  keys.step = 2;
  return keys;
}()};
constexpr KeySpec kReadKeys[] = {KeySpec::range(1, -1, 1, access::kRead)};
constexpr KeySpec kWriteKeys[] = {KeySpec::range(1, -1, 2, access::kOverwrite)};
constexpr KeySpec kInsertKeys[] = {KeySpec::range(1, -1, 2, access::kOW | access::kInsert)};
constexpr std::string_view kPerShard[] = {"request_policy:multi_shard"};
constexpr std::string_view kPerShardAll[] = {"request_policy:multi_shard",
                                             "response_policy:all_succeeded"};

}  // namespace

constexpr CommandSpec kMGet{
    .name = "MGET",
    .summary = "Returns the strings stored under several keys.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kReadKeys,
    .args = kMultiKeyKeys,
    .reply = Shape::kArray,
    .handler = mget,
    .tips = kPerShard,
};
constexpr CommandSpec kMSet{
    .name = "MSET",
    .summary = "Stores strings under several keys, all in one step.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.1",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kWriteKeys,
    .args = kPairs,
    .reply = Shape::kOk,
    .handler = mset,
    .tips = kPerShardAll,
};
constexpr CommandSpec kMSetNx{
    .name = "MSETNX",
    .summary = "Stores strings under several keys if none of the keys exists.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.1",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kInsertKeys,
    .args = kPairs,
    .reply = Shape::kInteger,
    .handler = msetnx,
};

constexpr CommandSpec kMSetEx{
    .name = "MSETEX",
    .summary = "Stores several strings with one time to live, all of them or none.",
    .complexity = "O(N) with the number of keys.",
    .since = "8.4.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kSetAllKeys,
    .args = kSetAllArgs,
    .reply = Shape::kInteger,
    .handler = msetex,
};

}  // namespace hearth::commands
