// Entries that are pending: XPENDING.
#include "src/command/common_specs.h"
#include "src/commands/stream/entry_reply.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/groups.h"
#include "src/commands/stream/ids.h"

namespace hearth::commands {
namespace {

struct Query {
  std::int64_t min_idle_ms = 0;
  StreamId from, to;
  std::uint64_t count = 0;
  std::optional<std::string_view> consumer;
};

// The words behind key and group, of which there is at least one.
Result<Query, ReplyError> parse_pending(const ArgReader& args) {
  if (args.size() < 6 || args.size() > 9) return syntax_error();
  Query q;
  std::size_t at = 3;
  if (args.is(3, "IDLE")) {
    HEARTH_TRY(q.min_idle_ms, args.integer(4));
    if (args.size() < 8) return syntax_error();
    at = 5;
  }
  HEARTH_TRY(const std::int64_t count, args.integer(at + 2));
  q.count = count < 0 ? 0 : static_cast<std::uint64_t>(count);
  HEARTH_TRY(q.from, interval_start(args[at]));
  HEARTH_TRY(q.to, interval_end(args[at + 1]));
  if (at + 3 < args.size()) q.consumer = args[at + 3];
  return q;
}

void reply_summary(CommandContext& ctx, const StreamGroup& group) {
  const PendingList& pending = group.pending();
  ReplyWriter& reply = ctx.reply();
  reply.array(4);
  reply.integer(static_cast<std::int64_t>(pending.size()));
  if (pending.empty()) {
    reply.null();
    reply.null();
    reply.null_array();
    return;
  }
  reply_id(reply, pending.front().id);
  reply_id(reply, pending.back().id);
  std::size_t busy = 0;
  for (const auto& [name, consumer] : group.consumers()) busy += consumer->pending.empty() ? 0 : 1;
  reply.array(busy);
  for (const auto& [name, consumer] : group.consumers()) {
    if (consumer->pending.empty()) continue;
    reply.array(2);
    reply.bulk(name);
    reply.bulk_integer(static_cast<std::int64_t>(consumer->pending.size()));
  }
}

void reply_pending(CommandContext& ctx, const PendingEntry& entry) {
  ReplyWriter& reply = ctx.reply();
  reply.array(4);
  reply_id(reply, entry.id);
  reply.bulk(entry.consumer != nullptr ? std::string_view(entry.consumer->name) : "");
  // An entry that was handed back has not been idle with anybody.
  reply.integer(entry.consumer == nullptr
                    ? -1
                    : std::max<std::int64_t>(0, ctx.clock().ms - entry.delivered_ms));
  reply.integer(static_cast<std::int64_t>(entry.deliveries));
}

// Calls visit(entry) for those that match, until it has been called q.count times.
template <typename F>
void for_each_match(const StreamGroup& group, const StreamConsumer* consumer, const Query& q,
                    UnixMillis now, F&& visit) {
  std::uint64_t left = q.count;
  const auto matches = [&](const PendingEntry& entry) {
    return q.min_idle_ms <= 0 || now.ms - entry.delivered_ms >= q.min_idle_ms;
  };
  if (consumer != nullptr) {
    const StreamIdSet& ids = consumer->pending;
    for (auto p = ids.lower_bound(q.from); left > 0 && p != ids.end(); p = ids.next(p)) {
      if (ids.at(p) > q.to) return;
      const PendingEntry& entry = *group.find(ids.at(p));
      if (!matches(entry)) continue;
      visit(entry);
      --left;
    }
    return;
  }
  const PendingList& pending = group.pending();
  for (auto p = pending.lower_bound(q.from); left > 0 && p != pending.end(); p = pending.next(p)) {
    if (pending.at(p).id > q.to) return;
    if (!matches(pending.at(p))) continue;
    visit(pending.at(p));
    --left;
  }
}

Outcome xpending(CommandContext& ctx) {
  const bool summary = ctx.args().size() == 3;
  Query query;
  if (!summary) {
    HEARTH_TRY(query, parse_pending(ctx.args()));
  }
  HEARTH_TRY(const GroupView at, group_for_read(ctx, ctx.key(1), ctx.arg(2)));
  if (summary) {
    reply_summary(ctx, at.group);
    return {};
  }
  const StreamConsumer* consumer = nullptr;
  if (query.consumer) {
    consumer = at.group.consumer(*query.consumer);
    if (consumer == nullptr) {
      ctx.reply().array(0);
      return {};
    }
  }
  std::size_t count = 0;
  for_each_match(at.group, consumer, query, ctx.clock(), [&](const PendingEntry&) { ++count; });
  ctx.reply().array(count);
  for_each_match(at.group, consumer, query, ctx.clock(),
                 [&](const PendingEntry& entry) { reply_pending(ctx, entry); });
  return {};
}

constexpr ArgDoc kFilterParts[] = {args::integer("min-idle-time", "IDLE").opt().from("6.2.0"),
                                   args::string("start"), args::string("end"),
                                   args::integer("count"), args::string("consumer").opt()};
constexpr ArgDoc kArgs[] = {args::key(), args::string("group"),
                            args::block("filters", kFilterParts).opt()};
constexpr HistoryNote kPendingHistory[] = {
    {"6.2.0", "Accepts `IDLE` and intervals that leave their ends out."}};

}  // namespace

constexpr CommandSpec kXPending{
    .name = "XPENDING",
    .summary = "Tells which entries of a group were given out and not acknowledged.",
    .complexity =
        "O(N) with the number of entries that are looked at, O(M) with the number of consumers "
        "for the summary.",
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kReadKey,
    .args = kArgs,
    .reply = Shape::kArray,
    .handler = xpending,
    .tips = kNondeterministic,
    .history = kPendingHistory,
};

}  // namespace hearth::commands
