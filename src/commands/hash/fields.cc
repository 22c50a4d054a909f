// Reading and changing at once: HGETDEL, HGETEX, HSETEX.
#include "src/command/common_specs.h"
#include "src/command/deadline.h"
#include "src/command/write_guard.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"
#include "src/commands/hash/spec_parts.h"

namespace hearth::commands {
namespace {

void reply_values(CommandContext& ctx, Found at, std::span<const std::string_view> fields) {
  ctx.reply().array(fields.size());
  Hash::Scratch scratch;
  for (const std::string_view field : fields) {
    const auto value = at ? at->hash()->get(field, ctx.now(), scratch) : std::nullopt;
    if (value)
      ctx.reply().bulk(*value);
    else
      ctx.reply().null();
  }
}

// Removes the visible ones among the fields; logs and tells if there were any.
void remove_fields(CommandContext& ctx, const KeyRef& key, Found at,
                   const std::vector<std::string>& fields) {
  std::vector<std::string> gone;
  {
    const Change change = ctx.keys().change(key, at);
    for (const std::string& field : fields) {
      if (change->hash()->erase(field, ctx.now())) gone.push_back(field);
    }
  }
  if (gone.empty()) return;
  ctx.effects().replicate_words(command_words({"HDEL", key.name}, gone));
  ctx.effects().event(Notify::kHash, "hdel", key.name);
  remove_if_empty(ctx, key, at);
}

Outcome hgetdel(CommandContext& ctx) {
  HEARTH_TRY(const auto fields, fields_block(ctx.args(), 2));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_hash(ctx, key));
  reply_values(ctx, at, fields);
  if (at) remove_fields(ctx, key, at, {fields.begin(), fields.end()});
  return {};
}

enum class Life : std::uint8_t { kUnchanged, kDeadline, kPersist, kKeep };
enum class Only : std::uint8_t { kAlways, kIfNone, kIfAll };

struct Options {
  Life life = Life::kUnchanged;
  std::int64_t deadline = Hash::kNone;
  Only only = Only::kAlways;
  WriteGuard guard;
  std::size_t fields_at = 0;  // the word FIELDS
};

// The words between the key and FIELDS. HGETEX knows PERSIST, HSETEX knows KEEPTTL, FNX, FXX, VER
// and WARM.
Result<Options, ReplyError> parse_options(const CommandContext& ctx, std::string_view name,
                                          bool setting) {
  const ArgReader& args = ctx.args();
  Options o;
  std::size_t i = 2;
  for (; i < args.size() && !args.is(i, "FIELDS"); ++i) {
    const auto unit = time_unit(args[i]);
    const bool is_life = unit || (setting ? args.is(i, "KEEPTTL") : args.is(i, "PERSIST"));
    const bool is_condition = setting && (args.is(i, "FNX") || args.is(i, "FXX"));
    if (is_life && o.life != Life::kUnchanged) {
      return refuse(
          setting ? "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
                  : "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified");
    }
    if (is_condition && o.only != Only::kAlways) {
      return refuse("ERR Only one of FXX or FNX arguments can be specified");
    }
    if (unit) {
      if (i + 1 >= args.size()) return syntax_error();
      HEARTH_TRY(o.deadline, positive_deadline(args, ++i, *unit, ctx.clock(), name));
      if (o.deadline > kFieldDeadlineMax) {
        return refuse("ERR invalid expire time in '" + std::string(name) + "' command");
      }
      o.life = Life::kDeadline;
    } else if (is_life) {
      o.life = setting ? Life::kKeep : Life::kPersist;
    } else if (is_condition) {
      o.only = args.is(i, "FNX") ? Only::kIfNone : Only::kIfAll;
    } else {
      bool is_guard = false;
      if (setting) {
        HEARTH_TRY(is_guard, read_guard(args, i, o.guard));
      }
      if (!is_guard) return refuse("ERR unknown argument: " + std::string(args[i]));
      ++i;
    }
  }
  o.fields_at = i;
  return o;
}

Outcome hgetex(CommandContext& ctx) {
  HEARTH_TRY(const Options options, parse_options(ctx, "hgetex", false));
  HEARTH_TRY(const auto fields, fields_block(ctx.args(), options.fields_at));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_hash(ctx, key));
  reply_values(ctx, at, fields);
  if (!at || options.life == Life::kUnchanged) return {};

  if (options.life == Life::kDeadline && options.deadline <= ctx.now().ms) {
    remove_fields(ctx, key, at, {fields.begin(), fields.end()});
    return {};
  }
  const bool persist = options.life == Life::kPersist;
  std::vector<std::string> changed;
  const Change change = ctx.keys().change(key, at);
  for (const std::string_view field : fields) {
    const auto old = at->hash()->deadline(field, ctx.now());
    if (!old || (persist && *old == Hash::kNone)) continue;
    change->hash()->set_deadline(field, persist ? Hash::kNone : options.deadline, ctx.now(),
                                 hash_limits(ctx));
    changed.emplace_back(field);
  }
  if (changed.empty()) return {};
  const std::string count = std::to_string(changed.size());
  const std::string deadline = std::to_string(options.deadline);
  ctx.effects().replicate_words(
      persist ? command_words({"HPERSIST", key.name, "FIELDS", count}, changed)
              : command_words({"HPEXPIREAT", key.name, deadline, "FIELDS", count}, changed));
  ctx.effects().event(Notify::kHash, persist ? "hpersist" : "hexpire", key.name);
  return {};
}

bool may_set(const CommandContext& ctx, Only only, Found at,
             std::span<const std::string_view> pairs) {
  if (only == Only::kAlways) return true;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    const bool present = at && at->hash()->exists(pairs[i], ctx.now());
    if (present != (only == Only::kIfAll)) return false;
  }
  return true;
}

// The effect: one command that sets the same fields without the condition, which held here.
void log_set(CommandContext& ctx, const KeyRef& key, const Options& options,
             std::span<const std::string_view> pairs) {
  const std::vector<std::string> tail(pairs.begin(), pairs.end());
  const std::string count = std::to_string(pairs.size() / 2);
  const std::string deadline = std::to_string(options.deadline);
  switch (options.life) {
    case Life::kDeadline:
      ctx.effects().replicate_words(
          command_words({"HSETEX", key.name, "PXAT", deadline, "FIELDS", count}, tail));
      break;
    case Life::kKeep:
      ctx.effects().replicate_words(
          command_words({"HSETEX", key.name, "KEEPTTL", "FIELDS", count}, tail));
      break;
    default: ctx.effects().replicate_words(command_words({"HSET", key.name}, tail));
  }
  ctx.effects().event(Notify::kHash, "hset", key.name);
  if (options.life == Life::kDeadline) ctx.effects().event(Notify::kHash, "hexpire", key.name);
}

Outcome hsetex(CommandContext& ctx) {
  HEARTH_TRY(const Options options, parse_options(ctx, "hsetex", true));
  HEARTH_TRY(const auto pairs, fields_block(ctx.args(), options.fields_at, 2));
  announce_guarded(ctx, options.guard);
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, write_hash(ctx, key));
  HEARTH_TRY(const bool admitted, admits(ctx, options.guard, key, at));
  if (!admitted || !may_set(ctx, options.only, at, pairs)) {
    ctx.reply().integer(0);
    return {};
  }
  begin_guarded(ctx, options.guard);
  ctx.reply().integer(1);
  if (options.life == Life::kDeadline && options.deadline <= ctx.now().ms) {
    // Set and gone in the same moment: what remains is that the old fields are gone.
    std::vector<std::string> fields;
    for (std::size_t i = 0; i < pairs.size(); i += 2) fields.emplace_back(pairs[i]);
    if (at) remove_fields(ctx, key, at, fields);
    end_guarded(ctx, options.guard, key);
    return {};
  }
  at = made_hash(ctx, key, at);
  const HashLimits limits = hash_limits(ctx);
  const std::int64_t deadline = options.life == Life::kKeep ? Hash::kKeep : options.deadline;
  {
    const Change change = ctx.keys().change(key, at);
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
      if (options.life == Life::kKeep) log_if_expired(ctx, key, *at->hash(), pairs[i]);
      change->hash()->set(pairs[i], pairs[i + 1], deadline, ctx.now(), limits);
    }
  }
  log_set(ctx, key, options, pairs);
  end_guarded(ctx, options.guard, key);
  return {};
}

constexpr ArgDoc kPairParts[] = {args::integer("numfields"),
                                 args::block("data", kFieldValue).many()};
constexpr ArgDoc kGetLife[] = {args::integer("seconds", "EX"), args::integer("milliseconds", "PX"),
                               args::unix_time("unix-time-seconds", "EXAT"),
                               args::unix_time("unix-time-milliseconds", "PXAT"),
                               args::token("persist", "PERSIST")};
constexpr ArgDoc kSetLife[] = {args::integer("seconds", "EX"), args::integer("milliseconds", "PX"),
                               args::unix_time("unix-time-seconds", "EXAT"),
                               args::unix_time("unix-time-milliseconds", "PXAT"),
                               args::token("keepttl", "KEEPTTL")};
constexpr ArgDoc kFieldsConditions[] = {args::token("fnx", "FNX"), args::token("fxx", "FXX")};
constexpr ArgDoc kGetDelArgs[] = {args::key(), kFields};
constexpr ArgDoc kGetExArgs[] = {args::key(), args::one_of("expiration", kGetLife).opt(), kFields};
constexpr ArgDoc kSetExArgs[] = {args::key(),
                                 args::one_of("condition", kFieldsConditions).opt(),
                                 args::one_of("expiration", kSetLife).opt(),
                                 args::integer("version", "VER").opt(),
                                 args::string("epoch", "WARM").opt(),
                                 args::block("fields", kPairParts, "FIELDS")};
constexpr KeySpec kTakeKey[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kDelete)};
constexpr KeySpec kTouchKey[] = {KeySpec::one(1, access::kModifyRead)};

}  // namespace

constexpr CommandSpec kHGetDel{
    .name = "HGETDEL",
    .summary = "Returns the values of fields of a hash and removes the fields.",
    .complexity = kPerField,
    .since = "8.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kTakeKey,
    .args = kGetDelArgs,
    .reply = Shape::kArray,
    .handler = hgetdel,
    .member_at = 4,
};
constexpr CommandSpec kHGetEx{
    .name = "HGETEX",
    .summary = "Returns the values of fields of a hash and sets or clears their time to live.",
    .complexity = kPerField,
    .since = "8.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kTouchKey,
    .args = kGetExArgs,
    .reply = Shape::kArray,
    .handler = hgetex,
};
constexpr CommandSpec kHSetEx{
    .name = "HSETEX",
    .summary =
        "Sets fields of a hash together with their time to live, under a condition if wanted.",
    .complexity = kPerField,
    .since = "8.0.0",
    .arity = Arity::at_least(6),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kSetExArgs,
    .reply = Shape::kInteger,
    .handler = hsetex,
};

}  // namespace hearth::commands
