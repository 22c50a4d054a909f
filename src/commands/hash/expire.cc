// Field deadlines: HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HPERSIST.
#include "src/command/common_specs.h"
#include "src/command/deadline.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"
#include "src/commands/hash/spec_parts.h"

namespace hearth::commands {
namespace {

// Replies for one field.
constexpr std::int64_t kNotTimed = -1;  // HPERSIST: it has no deadline
constexpr std::int64_t kRefused = 0;    // the condition does not hold
constexpr std::int64_t kChanged = 1;
constexpr std::int64_t kRemoved = 2;  // the deadline has passed already

enum class Condition : std::uint8_t { kAlways, kNone, kTimed, kLater, kEarlier };

Condition condition_at(const ArgReader& args, std::size_t i) {
  if (args.is(i, "NX")) return Condition::kNone;
  if (args.is(i, "XX")) return Condition::kTimed;
  if (args.is(i, "GT")) return Condition::kLater;
  if (args.is(i, "LT")) return Condition::kEarlier;
  return Condition::kAlways;
}

// A field without a deadline lives for ever: nothing is later, anything is earlier.
bool holds(Condition condition, std::int64_t old, std::int64_t deadline) {
  switch (condition) {
    case Condition::kAlways: return true;
    case Condition::kNone: return old == Hash::kNone;
    case Condition::kTimed: return old != Hash::kNone;
    case Condition::kLater: return old != Hash::kNone && deadline > old;
    case Condition::kEarlier: return old == Hash::kNone || deadline < old;
  }
  return false;
}

struct Order {
  std::int64_t deadline = 0;
  Condition condition = Condition::kAlways;
  std::span<const std::string_view> fields;
};

Result<Order, ReplyError> parse(const CommandContext& ctx, TimeUnit unit, std::string_view name) {
  const ArgReader& args = ctx.args();
  Order order;
  HEARTH_TRY(const std::int64_t value, args.integer(2));
  if (value < 0) return refuse("ERR invalid expire time, must be >= 0");
  HEARTH_TRY(order.deadline, deadline_of(value, unit, ctx.clock(), name));
  if (order.deadline > kFieldDeadlineMax) {
    return refuse("ERR invalid expire time in '" + std::string(name) + "' command");
  }
  order.condition = condition_at(args, 3);
  HEARTH_TRY(order.fields, fields_block(args, order.condition == Condition::kAlways ? 3 : 4));
  return order;
}

void no_fields(CommandContext& ctx, std::size_t count) {
  ctx.reply().array(count);
  for (std::size_t i = 0; i < count; ++i) ctx.reply().integer(kNoField);
}

// Replies for each field; returns those that have another deadline now or, if that has `passed`,
// are gone.
std::vector<std::string> expire_each(CommandContext& ctx, Hash& hash, const Order& order,
                                     bool passed) {
  std::vector<std::string> changed;
  ctx.reply().array(order.fields.size());
  for (const std::string_view field : order.fields) {
    const auto old = hash.deadline(field, ctx.now());
    if (!old) {
      ctx.reply().integer(kNoField);
    } else if (!holds(order.condition, *old, order.deadline)) {
      ctx.reply().integer(kRefused);
    } else if (passed) {
      hash.erase(field, ctx.now());
      changed.emplace_back(field);
      ctx.reply().integer(kRemoved);
    } else {
      hash.set_deadline(field, order.deadline, ctx.now(), hash_limits(ctx));
      changed.emplace_back(field);
      ctx.reply().integer(kChanged);
    }
  }
  return changed;
}

Outcome expire(CommandContext& ctx, TimeUnit unit, std::string_view name) {
  HEARTH_TRY(const Order order, parse(ctx, unit, name));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_hash(ctx, key));
  if (!at) {
    no_fields(ctx, order.fields.size());
    return {};
  }
  const bool passed = order.deadline <= ctx.now().ms;
  const std::vector<std::string> changed =
      expire_each(ctx, *ctx.keys().change(key, at)->hash(), order, passed);
  if (changed.empty()) return {};
  const std::string count = std::to_string(changed.size());
  const std::string deadline = std::to_string(order.deadline);
  ctx.effects().replicate_words(
      passed ? command_words({"HDEL", key.name}, changed)
             : command_words({"HPEXPIREAT", key.name, deadline, "FIELDS", count}, changed));
  ctx.effects().event(Notify::kHash, passed ? "hdel" : "hexpire", key.name);
  remove_if_empty(ctx, key, at);
  return {};
}

Outcome hexpire(CommandContext& ctx) { return expire(ctx, TimeUnit::kSeconds, "hexpire"); }
Outcome hpexpire(CommandContext& ctx) { return expire(ctx, TimeUnit::kMilliseconds, "hpexpire"); }
Outcome hexpireat(CommandContext& ctx) { return expire(ctx, TimeUnit::kUnixSeconds, "hexpireat"); }
Outcome hpexpireat(CommandContext& ctx) {
  return expire(ctx, TimeUnit::kUnixMilliseconds, "hpexpireat");
}

Outcome hpersist(CommandContext& ctx) {
  HEARTH_TRY(const auto fields, fields_block(ctx.args(), 2));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_hash(ctx, key));
  if (!at) {
    no_fields(ctx, fields.size());
    return {};
  }
  std::vector<std::string> changed;
  const Change change = ctx.keys().change(key, at);
  ctx.reply().array(fields.size());
  for (const std::string_view field : fields) {
    const auto old = at->hash()->deadline(field, ctx.now());
    if (!old) {
      ctx.reply().integer(kNoField);
    } else if (*old == Hash::kNone) {
      ctx.reply().integer(kNotTimed);
    } else {
      change->hash()->set_deadline(field, Hash::kNone, ctx.now(), hash_limits(ctx));
      changed.emplace_back(field);
      ctx.reply().integer(kChanged);
    }
  }
  if (changed.empty()) return {};
  const std::string count = std::to_string(changed.size());
  ctx.effects().replicate_words(command_words({"HPERSIST", key.name, "FIELDS", count}, changed));
  ctx.effects().event(Notify::kHash, "hpersist", key.name);
  return {};
}

constexpr ArgDoc kExpireConditions[] = {args::token("nx", "NX"), args::token("xx", "XX"),
                                        args::token("gt", "GT"), args::token("lt", "LT")};
constexpr ArgDoc kCondition = args::one_of("condition", kExpireConditions).opt();
constexpr ArgDoc kSecondsArgs[] = {args::key(), args::integer("seconds"), kCondition, kFields};
constexpr ArgDoc kMillisArgs[] = {args::key(), args::integer("milliseconds"), kCondition, kFields};
constexpr ArgDoc kUnixSecondsArgs[] = {args::key(), args::unix_time("unix-time-seconds"),
                                       kCondition, kFields};
constexpr ArgDoc kUnixMillisArgs[] = {args::key(), args::unix_time("unix-time-milliseconds"),
                                      kCondition, kFields};
constexpr ArgDoc kPersistArgs[] = {args::key(), kFields};

}  // namespace

constexpr CommandSpec kHExpire{
    .name = "HEXPIRE",
    .summary = "Gives fields of a hash a time to live in seconds.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(6),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kSecondsArgs,
    .reply = Shape::kArray,
    .handler = hexpire,
};
constexpr CommandSpec kHPExpire{
    .name = "HPEXPIRE",
    .summary = "Gives fields of a hash a time to live in milliseconds.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(6),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kMillisArgs,
    .reply = Shape::kArray,
    .handler = hpexpire,
};
constexpr CommandSpec kHExpireAt{
    .name = "HEXPIREAT",
    .summary = "Lets fields of a hash expire at a Unix time in seconds.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(6),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kUnixSecondsArgs,
    .reply = Shape::kArray,
    .handler = hexpireat,
};
constexpr CommandSpec kHPExpireAt{
    .name = "HPEXPIREAT",
    .summary = "Lets fields of a hash expire at a Unix time in milliseconds.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(6),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kUnixMillisArgs,
    .reply = Shape::kArray,
    .handler = hpexpireat,
};
constexpr CommandSpec kHPersist{
    .name = "HPERSIST",
    .summary = "Takes the deadline away from fields of a hash.",
    .complexity = kPerField,
    .since = "7.4.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kPersistArgs,
    .reply = Shape::kArray,
    .handler = hpersist,
};

}  // namespace hearth::commands
