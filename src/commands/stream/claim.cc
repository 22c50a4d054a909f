// Taking over pending entries: XCLAIM, XAUTOCLAIM.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/commands/stream/entry_reply.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/groups.h"
#include "src/commands/stream/ids.h"

namespace hearth::commands {
namespace {

struct ClaimOptions {
  std::int64_t min_idle_ms = 0;
  std::vector<StreamId> ids;
  std::optional<std::int64_t> delivered_ms;
  std::optional<std::uint64_t> deliveries;
  bool force = false;
  bool just_id = false;
  StreamId last_id;
};

Result<std::int64_t, ReplyError> min_idle(const ArgReader& args, std::string_view error) {
  HEARTH_TRY(const std::int64_t ms, args.integer(4, error));
  return std::max<std::int64_t>(0, ms);
}

Result<bool, ReplyError> parse_time(const ArgReader& args, std::size_t& i, UnixMillis now,
                                    ClaimOptions& o) {
  if (args.is(i, "IDLE", 1)) {
    HEARTH_TRY(const std::int64_t idle,
               args.integer(++i, "ERR Invalid IDLE option argument for XCLAIM"));
    std::int64_t time = 0;
    o.delivered_ms = __builtin_sub_overflow(now.ms, idle, &time) ? now.ms : time;
    return true;
  }
  if (args.is(i, "TIME", 1)) {
    HEARTH_TRY(o.delivered_ms, args.integer(++i, "ERR Invalid TIME option argument for XCLAIM"));
    return true;
  }
  return false;
}

Result<ClaimOptions, ReplyError> parse_claim(const ArgReader& args, UnixMillis now) {
  ClaimOptions o;
  HEARTH_TRY(o.min_idle_ms, min_idle(args, "ERR Invalid min-idle-time argument for XCLAIM"));
  std::size_t i = 5;
  for (; i < args.size(); ++i) {
    const auto id = parse_stream_id(args[i], 0);
    if (!id) break;
    o.ids.push_back(*id);
  }
  for (; i < args.size(); ++i) {
    HEARTH_TRY(const bool is_time, parse_time(args, i, now, o));
    if (is_time) continue;
    if (args.is(i, "FORCE")) {
      o.force = true;
    } else if (args.is(i, "JUSTID")) {
      o.just_id = true;
    } else if (args.is(i, "RETRYCOUNT", 1)) {
      HEARTH_TRY(const std::int64_t count,
                 args.integer(++i, "ERR Invalid RETRYCOUNT option argument for XCLAIM"));
      if (count >= 0) o.deliveries = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "LASTID", 1)) {
      HEARTH_TRY(o.last_id, strict_id(args[++i]));
    } else {
      return refuse("ERR Unrecognized XCLAIM option '" + std::string(args[i]) + "'");
    }
  }
  // Clients reckon with their own clocks: a time that cannot be is now.
  if (!o.delivered_ms || *o.delivered_ms < 0 || *o.delivered_ms > now.ms) o.delivered_ms = now.ms;
  return o;
}

void reply_claimed(CommandContext& ctx, const Stream& stream, const std::vector<StreamId>& ids,
                   bool just_id) {
  ctx.reply().array(ids.size());
  for (const StreamId id : ids) {
    if (just_id) {
      reply_id(ctx.reply(), id);
      continue;
    }
    StreamReader reader(stream, id, id);
    reader.next();
    reply_entry(ctx.reply(), reader);
  }
}

// Claims what can be claimed for the consumer; returns the ids.
std::vector<StreamId> claim(CommandContext& ctx, const GroupAt& at, const ClaimOptions& o,
                            StreamConsumer& consumer, PendingEffects& effects) {
  std::vector<StreamId> claimed;
  for (const StreamId id : o.ids) {
    const PendingEntry* pending = at.group.find(id);
    if (!at.stream.contains(id)) {
      if (pending != nullptr && at.group.acknowledge(id)) effects.acknowledged(id);
      continue;
    }
    if (pending == nullptr && !o.force) continue;
    if (pending != nullptr && pending->consumer != nullptr && o.min_idle_ms > 0 &&
        ctx.clock().ms - pending->delivered_ms < o.min_idle_ms) {
      continue;
    }
    const bool is_new = pending == nullptr;
    PendingEntry& entry = at.group.assign(id, &consumer, *o.delivered_ms);
    if (is_new) entry.deliveries = 1;
    if (o.deliveries)
      entry.deliveries = *o.deliveries;
    else if (!o.just_id && entry.deliveries < INT64_MAX)
      ++entry.deliveries;
    consumer.active_ms = ctx.clock().ms;
    effects.delivered(entry);
    claimed.push_back(id);
  }
  return claimed;
}

Outcome xclaim(CommandContext& ctx) {
  HEARTH_TRY(const GroupAt at, group_for_write(ctx, ctx.key(1), ctx.arg(2)));
  HEARTH_TRY(const ClaimOptions o, parse_claim(ctx.args(), ctx.clock()));
  const bool moves_on = o.last_id > at.group.last_id;
  if (moves_on) at.group.last_id = o.last_id;
  StreamConsumer& consumer = seen_consumer(ctx, ctx.arg(1), ctx.arg(2), at.group, ctx.arg(3));
  PendingEffects effects(ctx, ctx.arg(1), ctx.arg(2), at.group);
  const std::vector<StreamId> claimed = claim(ctx, at, o, consumer, effects);
  effects.log();
  if (moves_on && claimed.empty()) log_group_position(ctx, ctx.arg(1), ctx.arg(2), at.group);
  reply_claimed(ctx, at.stream, claimed, o.just_id);
  return {};
}

// --- XAUTOCLAIM ---

struct AutoClaim {
  std::int64_t min_idle_ms = 0;
  StreamId start;
  std::uint64_t count = 100;
  bool just_id = false;
};

Result<AutoClaim, ReplyError> parse_autoclaim(const ArgReader& args) {
  constexpr std::int64_t kCountMost = INT64_MAX / 16;
  AutoClaim o;
  HEARTH_TRY(o.min_idle_ms, min_idle(args, "ERR Invalid min-idle-time argument for XAUTOCLAIM"));
  HEARTH_TRY(o.start, interval_start(args[5]));
  for (std::size_t i = 6; i < args.size(); ++i) {
    if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count,
                 args.integer_between(++i, 1, kCountMost, "ERR COUNT must be > 0"));
      o.count = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "JUSTID")) {
      o.just_id = true;
    } else {
      return syntax_error();
    }
  }
  return o;
}

struct AutoClaimed {
  std::vector<StreamId> claimed, deleted;
  StreamId next;  // 0-0: that was all
};

AutoClaimed autoclaim(CommandContext& ctx, const GroupAt& at, const AutoClaim& o,
                      StreamConsumer& consumer, PendingEffects& effects) {
  // Entries that are looked at for each that is asked for: bounds the work of one call.
  constexpr std::uint64_t kAttempts = 10;
  AutoClaimed done;
  const PendingList& pending = at.group.pending();
  std::uint64_t attempts = o.count * kAttempts;
  std::uint64_t left = o.count;
  auto p = pending.lower_bound(o.start);
  while (p != pending.end() && left > 0 && attempts-- > 0) {
    const PendingEntry& found = pending.at(p);
    const StreamId id = found.id;
    if (!at.stream.contains(id)) {
      at.group.acknowledge(id);
      effects.acknowledged(id);
      done.deleted.push_back(id);
      --left;
      p = pending.lower_bound(id);
      continue;
    }
    p = pending.next(p);
    if (o.min_idle_ms > 0 && ctx.clock().ms - found.delivered_ms < o.min_idle_ms) continue;
    PendingEntry& entry = at.group.assign(id, &consumer, ctx.clock().ms);
    if (!o.just_id && entry.deliveries < INT64_MAX) ++entry.deliveries;
    consumer.active_ms = ctx.clock().ms;
    effects.delivered(entry);
    done.claimed.push_back(id);
    --left;
  }
  if (p != pending.end()) done.next = pending.at(p).id;
  return done;
}

Outcome xautoclaim(CommandContext& ctx) {
  HEARTH_TRY(const AutoClaim o, parse_autoclaim(ctx.args()));
  HEARTH_TRY(const GroupAt at, group_for_write(ctx, ctx.key(1), ctx.arg(2)));
  StreamConsumer& consumer = seen_consumer(ctx, ctx.arg(1), ctx.arg(2), at.group, ctx.arg(3));
  PendingEffects effects(ctx, ctx.arg(1), ctx.arg(2), at.group);
  const AutoClaimed done = autoclaim(ctx, at, o, consumer, effects);
  effects.log();
  ctx.reply().array(3);
  reply_id(ctx.reply(), done.next);
  reply_claimed(ctx, at.stream, done.claimed, o.just_id);
  ctx.reply().array(done.deleted.size());
  for (const StreamId id : done.deleted) reply_id(ctx.reply(), id);
  return {};
}

constexpr ArgDoc kClaimArgs[] = {args::key(),
                                 args::string("group"),
                                 args::string("consumer"),
                                 args::string("min-idle-time"),
                                 args::string("id").many(),
                                 args::integer("ms", "IDLE").opt(),
                                 args::unix_time("unix-time-milliseconds", "TIME").opt(),
                                 args::integer("count", "RETRYCOUNT").opt(),
                                 args::token("force", "FORCE").opt(),
                                 args::token("justid", "JUSTID").opt(),
                                 args::string("lastid", "LASTID").opt()};
constexpr ArgDoc kAutoClaimArgs[] = {args::key(),
                                     args::string("group"),
                                     args::string("consumer"),
                                     args::string("min-idle-time"),
                                     args::string("start"),
                                     args::integer("count", "COUNT").opt(),
                                     args::token("justid", "JUSTID").opt()};
constexpr HistoryNote kAutoClaimHistory[] = {
    {"7.0.0", "Tells which pending entries it found deleted, and lets go of them."}};

}  // namespace

constexpr CommandSpec kXClaim{
    .name = "XCLAIM",
    .summary = "Gives pending entries of a group to another consumer.",
    .complexity = "O(log N) for each id, with the number of entries that the group has pending.",
    .since = "5.0.0",
    .arity = Arity::at_least(6),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kClaimArgs,
    .reply = Shape::kArray,
    .handler = xclaim,
    .tips = kNondeterministic,
};
constexpr CommandSpec kXAutoClaim{
    .name = "XAUTOCLAIM",
    .summary = "Gives entries that have been pending for long to a consumer, step by step.",
    .complexity = "O(1) if COUNT is small.",
    .since = "6.2.0",
    .arity = Arity::at_least(6),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kDeleteKey,
    .args = kAutoClaimArgs,
    .reply = Shape::kArray,
    .handler = xautoclaim,
    .tips = kNondeterministic,
    .history = kAutoClaimHistory,
};

}  // namespace hearth::commands
