// INCREX: a counter with bounds and a time to live, for rate limits.
#include <cmath>
#include <limits>

#include "src/command/context.h"
#include "src/command/deadline.h"
#include "src/commands/string/family.h"
#include "src/commands/string/past.h"

namespace hearth::commands {
namespace {

__extension__ using Wide = __int128;

enum class Life : std::uint8_t { kUnchanged, kDeadline, kPersist };

struct IncrexOptions {
  bool real = false;
  std::string_view increment = "1";
  std::string_view low, high;  // empty: the bounds of the type
  bool saturate = false;
  Life life = Life::kUnchanged;
  std::int64_t deadline = kNoDeadline;
  bool only_without_deadline = false;
};

Result<IncrexOptions, ReplyError> parse(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  IncrexOptions o;
  bool has_increment = false;
  for (std::size_t i = 2; i < args.size(); ++i) {
    if ((args.is(i, "BYINT", 1) || args.is(i, "BYFLOAT", 1)) && !has_increment) {
      has_increment = true;
      o.real = args.is(i, "BYFLOAT");
      o.increment = args[++i];
    } else if (args.is(i, "LBOUND", 1) && o.low.empty()) {
      o.low = args[++i];
    } else if (args.is(i, "UBOUND", 1) && o.high.empty()) {
      o.high = args[++i];
    } else if (args.is(i, "SATURATE")) {
      o.saturate = true;
    } else if (args.is(i, "ENX")) {
      o.only_without_deadline = true;
    } else if (args.is(i, "PERSIST") && o.life == Life::kUnchanged) {
      o.life = Life::kPersist;
    } else if (const auto unit = time_unit(args[i]);
               unit && i + 1 < args.size() && o.life == Life::kUnchanged) {
      HEARTH_TRY(o.deadline, positive_deadline(args, ++i, *unit, ctx.clock(), "increx"));
      o.life = Life::kDeadline;
    } else {
      return syntax_error();
    }
  }
  if (o.only_without_deadline && o.life != Life::kDeadline) return syntax_error();
  return o;
}

// A sum within bounds, and what was really added. `skipped`: out of bounds, nothing is to change.
template <typename T>
struct Sum {
  T value{};
  T added{};
  bool skipped = false;
};

constexpr std::string_view kBadBounds = "ERR LBOUND can't be greater than UBOUND";

Result<std::int64_t, ReplyError> integer(std::string_view text, std::int64_t otherwise) {
  if (text.empty()) return otherwise;
  if (const auto v = parse_int64(text)) return *v;
  return refuse(std::string(kNotInteger));
}

Result<Sum<std::int64_t>, ReplyError> add_integer(std::string_view old_text,
                                                  const IncrexOptions& o) {
  using Limits = std::numeric_limits<std::int64_t>;
  HEARTH_TRY(const std::int64_t increment, integer(o.increment, 1));
  HEARTH_TRY(const std::int64_t low, integer(o.low, Limits::min()));
  HEARTH_TRY(const std::int64_t high, integer(o.high, Limits::max()));
  if (low > high) return refuse(std::string(kBadBounds));
  HEARTH_TRY(const std::int64_t old, integer(old_text, 0));
  Wide sum = Wide{old} + increment;
  if (sum < low || sum > high) {
    if (!o.saturate) return Sum<std::int64_t>{old, 0, true};
    sum = sum < low ? low : high;
  }
  const Wide added = sum - old;
  if (added < Limits::min() || added > Limits::max())
    return refuse("ERR increment or decrement would overflow");
  return Sum<std::int64_t>{static_cast<std::int64_t>(sum), static_cast<std::int64_t>(added), false};
}

Result<long double, ReplyError> real(std::string_view text, long double otherwise) {
  if (text.empty()) return otherwise;
  const auto v = parse_long_double(text);
  if (!v || std::isnan(*v)) return refuse(std::string(kNotFloat));
  return *v;
}

Result<Sum<long double>, ReplyError> add_real(std::string_view old_text, const IncrexOptions& o) {
  using Limits = std::numeric_limits<long double>;
  HEARTH_TRY(const long double increment, real(o.increment, 1));
  HEARTH_TRY(const long double low, real(o.low, Limits::lowest()));
  HEARTH_TRY(const long double high, real(o.high, Limits::max()));
  if (low > high) return refuse(std::string(kBadBounds));
  HEARTH_TRY(const long double old, real(old_text, 0));
  if (std::isinf(increment)) return refuse("ERR increment would produce NaN or Infinity");
  long double sum = old + increment;
  if (sum < low || sum > high) {
    if (!o.saturate) return Sum<long double>{old, 0, true};
    sum = sum < low ? low : high;
  }
  const long double added = sum - old;
  if (!std::isfinite(sum) || !std::isfinite(added))
    return refuse("ERR increment would produce NaN or Infinity");
  return Sum<long double>{sum, added, false};
}

void store(CommandContext& ctx, const KeyRef& key, Found at, std::string_view text,
           const IncrexOptions& o) {
  const std::int64_t old_deadline = at ? at->deadline() : kNoDeadline;
  std::int64_t deadline = old_deadline;
  if (o.life == Life::kPersist) deadline = kNoDeadline;
  if (o.life == Life::kDeadline && !(o.only_without_deadline && old_deadline != kNoDeadline))
    deadline = o.deadline;
  if (is_past(ctx, deadline)) {
    remove_as_past(ctx, key, at);
    return;
  }
  ctx.keys().put_string(key, at, text, deadline);
  // Bounds and times were looked at here: the result is logged.
  if (deadline != kNoDeadline)
    ctx.effects().replicate_as("SET", key.name, text, "PXAT", deadline);
  else
    ctx.effects().replicate_as("SET", key.name, text);
  ctx.effects().event(Notify::kString, o.real ? "incrbyfloat" : "incrby", key.name);
  if (deadline == old_deadline) return;
  ctx.effects().event(Notify::kGeneric, deadline == kNoDeadline ? "persist" : "expire", key.name);
}

void reply_real(CommandContext& ctx, long double value) {
  if (ctx.reply().resp() >= 3)
    ctx.reply().real(static_cast<double>(value));
  else
    ctx.reply().bulk(long_double_text(value));
}

Outcome increx(CommandContext& ctx) {
  HEARTH_TRY(const IncrexOptions options, parse(ctx));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  char scratch[kInt64TextMax];
  const std::string_view old = at ? at->string_value(scratch) : "0";
  if (old.empty()) return refuse(std::string(options.real ? kNotFloat : kNotInteger));
  if (options.real) {
    HEARTH_TRY(const Sum<long double> sum, add_real(old, options));
    if (!sum.skipped) store(ctx, key, at, long_double_text(sum.value), options);
    ctx.reply().array(2);
    reply_real(ctx, sum.value);
    reply_real(ctx, sum.added);
    return {};
  }
  HEARTH_TRY(const Sum<std::int64_t> sum, add_integer(old, options));
  if (!sum.skipped) store(ctx, key, at, int64_text(sum.value), options);
  ctx.reply().array(2);
  ctx.reply().integer(sum.value);
  ctx.reply().integer(sum.added);
  return {};
}

constexpr ArgDoc kIncrements[] = {args::real("float", "BYFLOAT"),
                                  args::integer("integer", "BYINT")};
constexpr ArgDoc kLives[] = {args::integer("seconds", "EX"), args::integer("milliseconds", "PX"),
                             args::unix_time("unix-time-seconds", "EXAT"),
                             args::unix_time("unix-time-milliseconds", "PXAT"),
                             args::token("persist", "PERSIST")};
constexpr ArgDoc kIncrexArgs[] = {args::key(),
                                  args::one_of("increment", kIncrements).opt(),
                                  args::token("saturate", "SATURATE").opt(),
                                  args::string("lowerbound", "LBOUND").opt(),
                                  args::string("upperbound", "UBOUND").opt(),
                                  args::one_of("expiration", kLives).opt(),
                                  args::token("enx", "ENX").opt()};
constexpr KeySpec kKey[] = {KeySpec::one(1, access::kModifyRead)};

}  // namespace

constexpr CommandSpec kIncrEx{
    .name = "INCREX",
    .summary = "Adds to a number within bounds and sets its time to live.",
    .complexity = "O(1)",
    .since = "8.8.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kKey,
    .args = kIncrexArgs,
    .reply = Shape::kArray,
    .handler = increx,
};

}  // namespace hearth::commands
