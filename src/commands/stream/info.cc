// Facts about a stream: XINFO STREAM, GROUPS, CONSUMERS, HELP.
#include "src/command/common_specs.h"
#include "src/command/docs.h"
#include "src/commands/stream/entry_reply.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/spec_parts.h"
#include "src/store/stream_idempotency.h"

namespace hearth::commands {
namespace {

constexpr std::uint64_t kFullCount = 10;  // entries that FULL shows of each list, unless told

void field(ReplyWriter& reply, std::string_view name, std::uint64_t value) {
  reply.bulk(name);
  reply.integer(static_cast<std::int64_t>(value));
}
void field(ReplyWriter& reply, std::string_view name, StreamId id) {
  reply.bulk(name);
  reply_id(reply, id);
}
void number_or_null(ReplyWriter& reply, std::string_view name, std::optional<std::int64_t> value) {
  reply.bulk(name);
  if (value)
    reply.integer(*value);
  else
    reply.null();
}
void read_and_lag(ReplyWriter& reply, const Stream& stream, const StreamGroup& group) {
  const bool known = group.entries_read != StreamGroup::kUnknown;
  number_or_null(reply, "entries-read",
                 known ? std::optional<std::int64_t>(group.entries_read) : std::nullopt);
  number_or_null(reply, "lag", stream.lag(group));
}

Result<const Stream*, ReplyError> stream_of(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(2), Type::kStream));
  if (!at) return refuse(std::string(kNoSuchKey));
  return at->stream();
}

// --- STREAM ---

constexpr std::size_t kHeadFields = 7;
void reply_head(ReplyWriter& reply, const Stream& stream) {
  const std::uint64_t nodes = stream.nodes().size();
  field(reply, "length", stream.length());
  field(reply, "radix-tree-keys", nodes);
  // Peers count the inner nodes of their index: a root at least.
  field(reply, "radix-tree-nodes", nodes + 1);
  field(reply, "last-generated-id", stream.last_id());
  field(reply, "max-deleted-entry-id", stream.max_deleted_id());
  field(reply, "entries-added", stream.entries_added());
  field(reply, "recorded-first-entry-id", stream.first_id());
}

constexpr std::size_t kIdempotencyFields = 6;
void reply_idempotency(ReplyWriter& reply, StreamIdempotency& idempotency, UnixMillis now) {
  idempotency.expire(now);
  field(reply, "idmp-duration", static_cast<std::uint64_t>(idempotency.limits().duration_s));
  field(reply, "idmp-maxsize", static_cast<std::uint64_t>(idempotency.limits().max_size));
  field(reply, "pids-tracked", idempotency.producers());
  field(reply, "iids-tracked", idempotency.messages());
  field(reply, "iids-added", idempotency.added());
  field(reply, "iids-duplicates", idempotency.duplicates());
}

void reply_edge(ReplyWriter& reply, const Stream& stream, StreamReader::Order order) {
  StreamReader reader(stream, kStreamIdMin, kStreamIdMax, order);
  if (reader.next())
    reply_entry(reply, reader);
  else
    reply.null();
}

void reply_group_pending(ReplyWriter& reply, const PendingList& pending, std::uint64_t most) {
  std::uint64_t left = std::min<std::uint64_t>(most, pending.size());
  reply.array(left);
  for (auto p = pending.begin(); left > 0; p = pending.next(p), --left) {
    const PendingEntry& entry = pending.at(p);
    reply.array(4);
    reply_id(reply, entry.id);
    reply.bulk(entry.consumer != nullptr ? std::string_view(entry.consumer->name) : "");
    reply.integer(entry.delivered_ms);
    reply.integer(static_cast<std::int64_t>(entry.deliveries));
  }
}

void reply_full_consumer(ReplyWriter& reply, const StreamGroup& group,
                         const StreamConsumer& consumer, std::uint64_t most) {
  const StreamIdSet& ids = consumer.pending;
  reply.map(5);
  reply.bulk("name");
  reply.bulk(consumer.name);
  reply.bulk("seen-time");
  reply.integer(consumer.seen_ms);
  reply.bulk("active-time");
  reply.integer(consumer.active_ms);
  field(reply, "pel-count", ids.size());
  reply.bulk("pending");
  std::uint64_t left = std::min<std::uint64_t>(most, ids.size());
  reply.array(left);
  for (auto p = ids.begin(); left > 0; p = ids.next(p), --left) {
    const PendingEntry& entry = *group.find(ids.at(p));
    reply.array(3);
    reply_id(reply, entry.id);
    reply.integer(entry.delivered_ms);
    reply.integer(static_cast<std::int64_t>(entry.deliveries));
  }
}

void reply_full(ReplyWriter& reply, const Stream& stream, std::uint64_t most) {
  reply.bulk("entries");
  reply_range(reply, stream, kStreamIdMin, kStreamIdMax, StreamReader::Order::kAscending, most);
  reply.bulk("groups");
  reply.array(stream.groups().size());
  for (const auto& [name, group] : stream.groups()) {
    reply.map(7);
    reply.bulk("name");
    reply.bulk(name);
    field(reply, "last-delivered-id", group.last_id);
    read_and_lag(reply, stream, group);
    field(reply, "pel-count", group.pending().size());
    reply.bulk("pending");
    reply_group_pending(reply, group.pending(), most);
    reply.bulk("consumers");
    reply.array(group.consumers().size());
    for (const auto& [consumer_name, consumer] : group.consumers())
      reply_full_consumer(reply, group, *consumer, most);
  }
}

struct FullOption {
  bool full = false;
  std::uint64_t most = kFullCount;
};

Result<FullOption, ReplyError> parse_full(const ArgReader& args) {
  const auto refused = [&] {
    return refuse("ERR unknown subcommand or wrong number of arguments for '" +
                  std::string(args[1]) + "'. Try XINFO HELP.");
  };
  FullOption o;
  if (args.size() == 3) return o;
  if (!args.is(3, "FULL") || (args.size() != 4 && args.size() != 6)) return refused();
  o.full = true;
  if (args.size() == 4) return o;
  if (!args.is(4, "COUNT")) return refused();
  HEARTH_TRY(const std::int64_t count, args.integer(5));
  if (count > 0) o.most = static_cast<std::uint64_t>(count);
  if (count == 0) o.most = UINT64_MAX;
  return o;
}

Outcome stream_info(CommandContext& ctx) {
  HEARTH_TRY(const Stream* stream, stream_of(ctx));
  HEARTH_TRY(const FullOption o, parse_full(ctx.args()));
  ReplyWriter& reply = ctx.reply();
  StreamIdempotency* idempotency = stream->idempotency();
  reply.map(kHeadFields + (idempotency != nullptr ? kIdempotencyFields : 0) + (o.full ? 2 : 3));
  reply_head(reply, *stream);
  if (idempotency != nullptr) reply_idempotency(reply, *idempotency, ctx.clock());
  if (o.full) {
    reply_full(reply, *stream, o.most);
    return {};
  }
  field(reply, "groups", stream->groups().size());
  reply.bulk("first-entry");
  reply_edge(reply, *stream, StreamReader::Order::kAscending);
  reply.bulk("last-entry");
  reply_edge(reply, *stream, StreamReader::Order::kDescending);
  return {};
}

// --- GROUPS, CONSUMERS ---

Outcome groups_info(CommandContext& ctx) {
  HEARTH_TRY(const Stream* stream, stream_of(ctx));
  ReplyWriter& reply = ctx.reply();
  reply.array(stream->groups().size());
  for (const auto& [name, group] : stream->groups()) {
    reply.map(6);
    reply.bulk("name");
    reply.bulk(name);
    field(reply, "consumers", group.consumers().size());
    field(reply, "pending", group.pending().size());
    field(reply, "last-delivered-id", group.last_id);
    read_and_lag(reply, *stream, group);
  }
  return {};
}

Outcome consumers_info(CommandContext& ctx) {
  HEARTH_TRY(const Stream* stream, stream_of(ctx));
  const StreamGroup* group = stream->group(ctx.arg(3));
  if (group == nullptr) {
    return refuse("NOGROUP No such consumer group '" + std::string(ctx.arg(3)) +
                  "' for key name '" + std::string(ctx.arg(2)) + "'");
  }
  ReplyWriter& reply = ctx.reply();
  reply.array(group->consumers().size());
  for (const auto& [name, consumer] : group->consumers()) {
    reply.map(4);
    reply.bulk("name");
    reply.bulk(name);
    field(reply, "pending", consumer->pending.size());
    reply.bulk("idle");
    reply.integer(std::max<std::int64_t>(0, ctx.clock().ms - consumer->seen_ms));
    reply.bulk("inactive");
    reply.integer(consumer->active_ms == StreamConsumer::kNever
                      ? StreamConsumer::kNever
                      : ctx.clock().ms - consumer->active_ms);
  }
  return {};
}

constexpr ArgDoc kFullParts[] = {args::token("full", "FULL"),
                                 args::integer("count", "COUNT").opt()};
constexpr ArgDoc kStreamArgs[] = {args::key(), args::block("full-block", kFullParts).opt()};
constexpr ArgDoc kConsumersArgs[] = {args::key(), args::string("group")};
constexpr KeySpec kInfoReadKey[] = {KeySpec::one(2, access::kRead)};
constexpr HistoryNote kStreamHistory[] = {
    {"6.0.0", "Accepts `FULL`."},
    {"7.0.0", "Tells more of what was deleted, added and read."},
    {"7.2.0", "Tells when a consumer was last active besides when it was last seen."}};
constexpr HistoryNote kGroupsHistory[] = {{"7.0.0", "Tells `entries-read` and `lag`."}};
constexpr HistoryNote kConsumersHistory[] = {{"7.2.0", "Tells `inactive`."}};

constexpr CommandSpec kStream{
    .name = "STREAM",
    .summary = "Tells the figures of a stream, or all that it holds.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kInfoReadKey,
    .args = kStreamArgs,
    .reply = Shape::kMap,
    .handler = stream_info,
    .history = kStreamHistory,
};
constexpr CommandSpec kGroups{
    .name = "GROUPS",
    .summary = "Lists the groups of a stream.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kInfoReadKey,
    .args = kKeyArg,
    .reply = Shape::kArray,
    .handler = groups_info,
    .history = kGroupsHistory,
};
constexpr CommandSpec kConsumers{
    .name = "CONSUMERS",
    .summary = "Lists the consumers of a group.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kInfoReadKey,
    .args = kConsumersArgs,
    .reply = Shape::kArray,
    .handler = consumers_info,
    .tips = kNondeterministic,
    .history = kConsumersHistory,
};
constexpr const CommandSpec* kInfoSubcommands[] = {&kConsumers, &kGroups, &kStreamHelp, &kStream};

}  // namespace

constexpr CommandSpec kXInfo{
    .name = "XINFO",
    .summary = "Holds the commands that look into a stream.",
    .complexity = "Depends on the subcommand.",
    .since = "5.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kStream,
    .reply = Shape::kNone,
    .subcommands = kInfoSubcommands,
};

}  // namespace hearth::commands
