// SET and its older relatives.
#include <optional>

#include "src/command/context.h"
#include "src/command/deadline.h"
#include "src/command/options.h"
#include "src/command/write_guard.h"
#include "src/commands/string/condition.h"
#include "src/commands/string/family.h"
#include "src/commands/string/past.h"
#include "src/commands/string/spec_parts.h"

namespace hearth::commands {
namespace {

struct SetOptions {
  bool only_if_absent = false, only_if_present = false, get = false, keep_ttl = false;
  std::int64_t deadline = kNoDeadline;
  std::optional<Condition> condition;
  WriteGuard guard;
};

enum class SetWord : std::uint8_t {
  kSeconds,
  kMilliseconds,
  kUnixSeconds,
  kUnixMilliseconds,
  kNx,
  kXx,
  kGet,
  kKeepTtl,
  kCondition,
  kGuard,
};
// Times first: nearly every SET with options has one.
constexpr OptionWord<SetWord> kSetWords[] = {{SetWord::kSeconds, "EX", 1},
                                             {SetWord::kMilliseconds, "PX", 1},
                                             {SetWord::kNx, "NX"},
                                             {SetWord::kXx, "XX"},
                                             {SetWord::kGet, "GET"},
                                             {SetWord::kKeepTtl, "KEEPTTL"},
                                             {SetWord::kUnixSeconds, "EXAT", 1},
                                             {SetWord::kUnixMilliseconds, "PXAT", 1},
                                             {SetWord::kCondition, "IFEQ", 1},
                                             {SetWord::kCondition, "IFNE", 1},
                                             {SetWord::kCondition, "IFDEQ", 1},
                                             {SetWord::kCondition, "IFDNE", 1},
                                             {SetWord::kGuard, "VER", 1},
                                             {SetWord::kGuard, "WARM", 1}};

Result<SetOptions, ReplyError> parse_set_options(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  SetOptions o;
  std::optional<TimeUnit> unit;
  std::size_t time_at = 0;
  const auto parse_word = [&](SetWord word, std::size_t i) -> Outcome {
    const bool conditional = o.condition || o.only_if_absent || o.only_if_present;
    switch (word) {
      case SetWord::kNx:
        if (o.only_if_present || o.condition) return syntax_error();
        o.only_if_absent = true;
        break;
      case SetWord::kXx:
        if (o.only_if_absent || o.condition) return syntax_error();
        o.only_if_present = true;
        break;
      case SetWord::kGet: o.get = true; break;
      case SetWord::kKeepTtl:
        if (unit) return syntax_error();
        o.keep_ttl = true;
        break;
      case SetWord::kCondition: {
        HEARTH_TRY(o.condition, condition_at(args, i));
        if (conditional) return syntax_error();
        break;
      }
      case SetWord::kGuard: {
        HEARTH_TRY(const bool is_new, read_guard(args, i, o.guard));
        if (!is_new) return syntax_error();
        break;
      }
      default:  // a time
        if (unit || o.keep_ttl) return syntax_error();
        unit = time_unit(args[i]);
        time_at = i + 1;
    }
    return {};
  };
  HEARTH_TRY_VOID(walk_options(args, 3, kSetWords, parse_word));
  // An unknown option is reported before a time that is no number.
  if (unit) {
    HEARTH_TRY(o.deadline, positive_deadline(args, time_at, *unit, ctx.clock(), "set"));
  }
  return o;
}

void log_set(CommandContext& ctx, const KeyRef& key, std::string_view value, std::int64_t deadline,
             bool keep_ttl) {
  // Words for the reply and the conditions are left out; a relative time would start again on
  // replay.
  if (keep_ttl)
    ctx.effects().replicate_as("SET", key.name, value, "KEEPTTL");
  else if (deadline != kNoDeadline && !(ctx.args().size() == 5 && ctx.args().is(3, "PXAT")))
    ctx.effects().replicate_as("SET", key.name, value, "PXAT", deadline);
  else if (deadline != kNoDeadline || ctx.args().size() == 3)
    ctx.effects().replicate_verbatim();
  else
    ctx.effects().replicate_as("SET", key.name, value);
  ctx.effects().event(Notify::kString, "set", key.name);
  if (deadline != kNoDeadline) ctx.effects().event(Notify::kGeneric, "expire", key.name);
}

Outcome set(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const std::string_view value = ctx.arg(2);
  SetOptions options;
  if (ctx.args().size() > 3) {
    HEARTH_TRY(options, parse_set_options(ctx));
  }
  const bool is_guarded = options.guard.is_set();
  if (is_guarded) [[unlikely]]
    announce_guarded(ctx, options.guard);
  const Found at = options.get ? ctx.keys().read(key) : ctx.keys().write(key);
  bool holds = !(options.only_if_absent && at) && !(options.only_if_present && !at);
  if (holds && is_guarded) [[unlikely]] {
    HEARTH_TRY(holds, admits(ctx, options.guard, key, at));
  }
  if (options.condition && holds) {
    HEARTH_TRY(holds, options.condition->holds(at ? &*at : nullptr));
  }
  if (options.get) {
    // The old value is copied: storing may reuse its memory.
    if (at && at->type() != Type::kString) return refuse(std::string(kWrongType));
    char scratch[kInt64TextMax];
    if (at)
      ctx.reply().bulk(at->string_value(scratch));
    else
      ctx.reply().null();
  }
  if (!holds) {
    if (!options.get) ctx.reply().null();
    return {};
  }
  if (is_guarded) [[unlikely]]
    begin_guarded(ctx, options.guard);
  if (is_past(ctx, options.deadline)) {
    remove_as_past(ctx, key, at);
    end_guarded(ctx, options.guard, key);
    if (!options.get) ctx.reply().ok();
    return {};
  }
  const std::int64_t deadline = options.keep_ttl && at ? at->deadline() : options.deadline;
  ctx.keys().put_string(key, at, value, deadline);
  log_set(ctx, key, value, options.deadline, options.keep_ttl);
  if (is_guarded) [[unlikely]]
    end_guarded(ctx, options.guard, key);
  if (!options.get) ctx.reply().ok();
  return {};
}

Outcome set_with_ttl(CommandContext& ctx, TimeUnit unit, std::string_view name) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const std::int64_t deadline,
             positive_deadline(ctx.args(), 2, unit, ctx.clock(), name));
  ctx.keys().put_string(key, ctx.keys().write(key), ctx.arg(3), deadline);
  log_set(ctx, key, ctx.arg(3), deadline, false);
  ctx.reply().ok();
  return {};
}

Outcome setex(CommandContext& ctx) { return set_with_ttl(ctx, TimeUnit::kSeconds, "setex"); }
Outcome psetex(CommandContext& ctx) { return set_with_ttl(ctx, TimeUnit::kMilliseconds, "psetex"); }

Outcome setnx(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().write(key);
  if (at) {
    ctx.reply().integer(0);
    return {};
  }
  ctx.keys().put_string(key, at, ctx.arg(2), kNoDeadline);
  ctx.effects().replicate_as("SET", key.name, ctx.arg(2));
  ctx.effects().event(Notify::kString, "set", key.name);
  ctx.reply().integer(1);
  return {};
}

Outcome getset(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().read(key, Type::kString));
  char scratch[kInt64TextMax];
  if (at)
    ctx.reply().bulk(at->string_value(scratch));
  else
    ctx.reply().null();
  ctx.keys().put_string(key, at, ctx.arg(2), kNoDeadline);
  ctx.effects().replicate_as("SET", key.name, ctx.arg(2));
  ctx.effects().event(Notify::kString, "set", key.name);
  return {};
}

constexpr ArgDoc kCondition[] = {args::token("nx", "NX"),
                                 args::token("xx", "XX"),
                                 args::string("ifeq-value", "IFEQ").from("8.4.0"),
                                 args::string("ifne-value", "IFNE").from("8.4.0"),
                                 args::string("ifdeq-digest", "IFDEQ").from("8.4.0"),
                                 args::string("ifdne-digest", "IFDNE").from("8.4.0")};
constexpr ArgDoc kTtl[] = {args::integer("seconds", "EX").from("2.6.12"),
                           args::integer("milliseconds", "PX").from("2.6.12"),
                           args::unix_time("unix-time-seconds", "EXAT").from("6.2.0"),
                           args::unix_time("unix-time-milliseconds", "PXAT").from("6.2.0"),
                           args::token("keepttl", "KEEPTTL").from("6.0.0")};
constexpr ArgDoc kSetArgs[] = {args::key(),
                               args::string("value"),
                               args::one_of("condition", kCondition).opt().from("2.6.12"),
                               args::token("get", "GET").opt().from("6.2.0"),
                               args::one_of("expiration", kTtl).opt(),
                               args::integer("version", "VER").opt(),
                               args::string("epoch", "WARM").opt()};
constexpr ArgDoc kSetExArgs[] = {args::key(), args::integer("seconds"), args::string("value")};
constexpr ArgDoc kPSetExArgs[] = {args::key(), args::integer("milliseconds"),
                                  args::string("value")};

constexpr KeySpec kSetKey[] = {[] {
  KeySpec k =
      KeySpec::one(1, access::kRW | access::kAccess | access::kUpdate | access::kVariableFlags);
  k.notes = "The old value is read only with GET and conditions on it";
  return k;
}()};
bool set_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  std::uint16_t how = access::kOverwrite;
  static_cast<void>(
      walk_options(ArgReader(argv), 3, kSetWords, [&](SetWord word, std::size_t) -> Outcome {
        // Conditions on the value read it too.
        if (word == SetWord::kGet || word == SetWord::kCondition) how = access::kModifyRead;
        return {};
      }));
  out.push_back({1, how});
  return true;
}
constexpr KeySpec kOverwriteKey[] = {KeySpec::one(1, access::kOverwrite)};
constexpr KeySpec kSetInsertKey[] = {KeySpec::one(1, access::kOW | access::kInsert)};
constexpr KeySpec kSwapKey[] = {KeySpec::one(1, access::kModifyRead)};

}  // namespace

constexpr CommandSpec kSet{
    .name = "SET",
    .summary =
        "Stores a string under a key, whatever the key held; options set conditions and a time to "
        "live.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kSetKey,
    .args = kSetArgs,
    .reply = Shape::kOk | Shape::kNull | Shape::kBulk,
    .handler = set,
    .find_keys = set_keys,
};
constexpr CommandSpec kSetEx{
    .name = "SETEX",
    .summary = "Stores a string with a time to live in seconds.",
    .complexity = "O(1)",
    .since = "2.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kOverwriteKey,
    .args = kSetExArgs,
    .reply = Shape::kOk,
    .handler = setex,
    .deprecated_since = "2.6.12",
    .replaced_by = "`SET` with the `EX` argument",
};
constexpr CommandSpec kPSetEx{
    .name = "PSETEX",
    .summary = "Stores a string with a time to live in milliseconds.",
    .complexity = "O(1)",
    .since = "2.6.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kOverwriteKey,
    .args = kPSetExArgs,
    .reply = Shape::kOk,
    .handler = psetex,
    .deprecated_since = "2.6.12",
    .replaced_by = "`SET` with the `PX` argument",
};
constexpr CommandSpec kSetNx{
    .name = "SETNX",
    .summary = "Stores a string if the key does not exist.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kSetInsertKey,
    .args = kKeyValue,
    .reply = Shape::kInteger,
    .handler = setnx,
    .deprecated_since = "2.6.12",
    .replaced_by = "`SET` with the `NX` argument",
};
constexpr CommandSpec kGetSet{
    .name = "GETSET",
    .summary = "Stores a string and returns the one it replaces.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kSwapKey,
    .args = kKeyValue,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = getset,
    .deprecated_since = "6.2.0",
    .replaced_by = "`SET` with the `GET` argument",
};

}  // namespace hearth::commands
