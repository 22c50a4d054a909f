// Reading on from an id, and waiting for what comes: XREAD, XREADGROUP.
//
// First every stream is asked what it has to give, which for a group is where entries are assigned;
// then the reply is written, whose outer count is known by then. A reader that is given nothing may
// wait for its keys: its command is run again when one of them changed.
#include <algorithm>

#include "src/command/blocking_control.h"
#include "src/command/client_control.h"
#include "src/command/deadline.h"
#include "src/command/options.h"
#include "src/commands/stream/entry_reply.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/groups.h"
#include "src/commands/stream/ids.h"

namespace hearth::commands {
namespace {

struct ReadOptions {
  bool group_read = false;
  std::string_view group, consumer;
  std::uint64_t count = UINT64_MAX;                              // for each stream
  std::uint64_t max_count = UINT64_MAX, max_bytes = UINT64_MAX;  // for all together
  std::optional<MonoTime> block;                                 // until when; 0: for ever
  std::size_t block_at = 0;                                      // the word
  std::optional<std::int64_t> claim_idle_ms;
  bool no_ack = false;
  std::size_t keys_at = 0, stream_count = 0;
};

// Where one stream is read from, and what it gives.
struct Source {
  std::size_t key_at = 0;
  std::optional<Change> change;    // XREADGROUP: it assigns entries
  const Stream* stream = nullptr;  // nullptr: no such key
  StreamGroup* group = nullptr;
  bool undelivered = false;  // ">"
  StreamId after;

  struct Claimed {
    StreamId id;
    std::int64_t idle_ms = 0;
    std::uint64_t deliveries = 0;
  };
  bool served = false;
  std::vector<Claimed> claimed;
  std::vector<StreamId> history;
  StreamId from;  // `fresh` entries from here on
  std::uint64_t fresh = 0;
};

// The budget that is left for this reader.
struct Budget {
  std::uint64_t entries, bytes;
  bool spent_any = false;  // the first entry is always given, however large
};

// --- parsing ---

// An option that only XREADGROUP has.
tl::unexpected<ReplyError> only_for_groups(std::string_view option) {
  return refuse("ERR The " + std::string(option) +
                " option is only supported by XREADGROUP. You called XREAD instead.");
}

Outcome take_limit(const ArgReader& args, std::size_t at, std::uint64_t& limit) {
  HEARTH_TRY(const std::int64_t value, args.integer(at));
  limit = value <= 0 ? UINT64_MAX : static_cast<std::uint64_t>(value);
  return {};
}

enum class ReadWord : std::uint8_t {
  kBlock,
  kCount,
  kMaxCount,
  kMaxSize,
  kGroup,
  kNoAck,
  kClaim,
  kStreams,
};
constexpr OptionWord<ReadWord> kReadWords[] = {
    {ReadWord::kBlock, "BLOCK", 1},       {ReadWord::kCount, "COUNT", 1},
    {ReadWord::kMaxCount, "MAXCOUNT", 1}, {ReadWord::kMaxSize, "MAXSIZE", 1},
    {ReadWord::kGroup, "GROUP", 2},       {ReadWord::kNoAck, "NOACK"},
    {ReadWord::kClaim, "CLAIM", 1},       {ReadWord::kStreams, "STREAMS", 1, true}};

Outcome parse_group_word(const ArgReader& args, ReadWord word, std::size_t i, ReadOptions& o) {
  if (!o.group_read) {
    const auto same = [word](const OptionWord<ReadWord>& w) { return w.id == word; };
    return only_for_groups(std::ranges::find_if(kReadWords, same)->word);
  }
  if (word == ReadWord::kGroup) {
    o.group = args[i + 1];
    o.consumer = args[i + 2];
  } else if (word == ReadWord::kNoAck) {
    o.no_ack = true;
  } else {
    HEARTH_TRY(o.claim_idle_ms, args.integer(i + 1));
    if (*o.claim_idle_ms < 0) return refuse("ERR min-idle-time must be a non-negative integer");
  }
  return {};
}

// How many streams the words behind STREAMS name: as many as ids. Nothing if they are unbalanced.
std::optional<std::size_t> stream_count(std::size_t words) {
  return words % 2 == 0 ? std::optional<std::size_t>(words / 2) : std::nullopt;
}

Outcome parse_streams(const ArgReader& args, std::size_t at, ReadOptions& o) {
  const auto count = stream_count(args.size() - at);
  if (!count) {
    return refuse(o.group_read ? "ERR Unbalanced 'xreadgroup' list of streams: for each stream key "
                                 "an ID or '>' must be specified."
                               : "ERR Unbalanced 'xread' list of streams: for each stream key an "
                                 "ID or '$' must be specified.");
  }
  o.keys_at = at;
  o.stream_count = *count;
  return {};
}

bool stream_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  std::size_t first = 0;
  static_cast<void>(
      walk_options(ArgReader(argv), 1, kReadWords, [&](ReadWord word, std::size_t i) -> Outcome {
        if (word == ReadWord::kStreams) first = i + 1;
        return {};
      }));
  const auto count = first == 0 ? std::nullopt : stream_count(argv.size() - first);
  for (std::size_t i = 0; i < count.value_or(0); ++i)
    out.push_back({static_cast<std::uint32_t>(first + i), access::kRead});
  return count.has_value();
}

Result<ReadOptions, ReplyError> parse_read(CommandContext& ctx, bool group_read) {
  const ArgReader& args = ctx.args();
  ReadOptions o;
  o.group_read = group_read;
  bool has_group = false;
  const auto parse_word = [&](ReadWord word, std::size_t i) -> Outcome {
    switch (word) {
      case ReadWord::kBlock: {
        o.block_at = i + 1;
        HEARTH_TRY(o.block, wait_deadline(args, i + 1, TimeUnit::kMilliseconds,
                                          ctx.services().clients->mono_now()));
        return {};
      }
      case ReadWord::kCount: return take_limit(args, i + 1, o.count);
      case ReadWord::kMaxCount: return take_limit(args, i + 1, o.max_count);
      case ReadWord::kMaxSize: return take_limit(args, i + 1, o.max_bytes);
      case ReadWord::kStreams: return parse_streams(args, i + 1, o);
      case ReadWord::kGroup:
      case ReadWord::kNoAck:
      case ReadWord::kClaim: break;
    }
    has_group = has_group || word == ReadWord::kGroup;
    return parse_group_word(args, word, i, o);
  };
  HEARTH_TRY_VOID(walk_options(args, 1, kReadWords, parse_word));
  if (o.keys_at == 0) return syntax_error();
  if (group_read && !has_group) return refuse("ERR Missing GROUP option for XREADGROUP");
  return o;
}

tl::unexpected<ReplyError> meaningless(std::string_view id) {
  const std::string text(id);
  return refuse("ERR The " + text +
                " ID is meaningless in the context of XREADGROUP: you want to read the history of "
                "this consumer by specifying a proper ID, or use the > ID to get new messages. "
                "The " +
                text + " ID would just return an empty result set.");
}

Outcome set_position(Source& source, std::string_view word, bool group_read) {
  if (word == "$") {
    if (group_read) return meaningless(word);
    if (source.stream != nullptr) source.after = source.stream->last_id();
  } else if (word == "+") {
    if (group_read) return meaningless(word);
    const auto last =
        source.stream != nullptr ? source.stream->last_entry_id() : std::optional<StreamId>();
    if (last)
      source.after = *predecessor(*last);
    else if (source.stream != nullptr)
      source.after = source.stream->last_id();
  } else if (word == ">") {
    if (!group_read) {
      return refuse(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
          "<consumer> option.");
    }
    source.undelivered = true;
  } else {
    HEARTH_TRY(source.after, strict_id(word));
  }
  return {};
}

Result<std::vector<Source>, ReplyError> find_sources(CommandContext& ctx, const ReadOptions& o) {
  std::vector<Source> sources(o.stream_count);
  ctx.let_expired_go(o.keys_at, o.keys_at + o.stream_count);
  for (std::size_t i = 0; i < o.stream_count; ++i) {
    Source& source = sources[i];
    source.key_at = o.keys_at + i;
    HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(source.key_at), Type::kStream));
    if (at) source.stream = at->stream();
    if (o.group_read) {
      if (at) source.change.emplace(ctx.keys().change(ctx.key(source.key_at), at));
      source.group = at ? (*source.change)->stream()->group(o.group) : nullptr;
      if (source.group == nullptr) {
        return refuse("NOGROUP No such key '" + std::string(ctx.arg(source.key_at)) +
                      "' or consumer group '" + std::string(o.group) +
                      "' in XREADGROUP with GROUP option");
      }
    }
    HEARTH_TRY_VOID(set_position(source, ctx.arg(source.key_at + o.stream_count), o.group_read));
  }
  return sources;
}

// --- taking ---

std::uint64_t entry_bytes(StreamReader& reader) {
  std::uint64_t bytes = 0;
  reader.for_each_field([&](std::string_view field, std::string_view value) {
    bytes += field.size() + value.size();
  });
  return bytes;
}

bool spend(Budget& budget, std::uint64_t bytes) {
  if (budget.entries == 0 || (budget.spent_any && bytes > budget.bytes)) return false;
  --budget.entries;
  budget.bytes -= std::min(bytes, budget.bytes);
  budget.spent_any = true;
  return true;
}

bool spend_entry(const Stream& stream, StreamId id, Budget& budget) {
  if (budget.bytes == UINT64_MAX) return spend(budget, 0);
  StreamReader reader(stream, id, id);
  return spend(budget, reader.next() ? entry_bytes(reader) : 0);
}

// How many entries from `from` on can be given.
std::uint64_t spend_range(const Stream& stream, StreamId from, std::uint64_t most, Budget& budget) {
  if (budget.bytes == UINT64_MAX) {
    const std::uint64_t count = stream.count(from, kStreamIdMax, std::min(most, budget.entries));
    budget.entries -= budget.entries == UINT64_MAX ? 0 : count;
    return count;
  }
  std::uint64_t count = 0;
  StreamReader reader(stream, from, kStreamIdMax);
  while (count < most && reader.next() && spend(budget, entry_bytes(reader))) ++count;
  return count;
}

void take_plain(Source& source, const ReadOptions& o, Budget& budget) {
  const auto from = successor(source.after);
  if (source.stream == nullptr || !from) return;
  source.from = *from;
  source.fresh = spend_range(*source.stream, *from, o.count, budget);
  source.served = source.fresh > 0;
}

// Entries that the consumer was given before and has not acknowledged.
void take_history(CommandContext& ctx, Source& source, const ReadOptions& o,
                  StreamConsumer& consumer, Budget& budget, PendingEffects& effects) {
  source.served = true;
  const auto from = successor(source.after);
  if (!from) return;
  const StreamIdSet& ids = consumer.pending;
  for (auto p = ids.lower_bound(*from); p != ids.end() && source.history.size() < o.count;
       p = ids.next(p)) {
    const StreamId id = ids.at(p);
    if (!spend_entry(*source.stream, id, budget)) return;
    source.history.push_back(id);
    if (!source.stream->contains(id)) continue;
    PendingEntry& entry = source.group->assign(id, &consumer, ctx.clock().ms);
    if (entry.deliveries < INT64_MAX) ++entry.deliveries;
    effects.delivered(entry);
  }
}

// Entries that others have had for too long.
void take_claims(CommandContext& ctx, Source& source, const ReadOptions& o,
                 StreamConsumer& consumer, Budget& budget, PendingEffects& effects) {
  const std::int64_t now = ctx.clock().ms;
  const std::uint64_t most = std::min(o.count, budget.entries);
  for (const StreamId id : source.group->delivered_until(now - *o.claim_idle_ms, most)) {
    if (!source.stream->contains(id)) {
      source.group->acknowledge(id);
      effects.acknowledged(id);
      continue;
    }
    if (!spend_entry(*source.stream, id, budget)) return;
    const PendingEntry& before = *source.group->find(id);
    // Of an entry that XNACK released nobody knows how long it lay.
    const std::int64_t idle = before.consumer == nullptr ? -1 : now - before.delivered_ms;
    source.claimed.push_back({id, idle, before.deliveries});
    PendingEntry& entry = source.group->assign(id, &consumer, now);
    if (entry.deliveries < INT64_MAX) ++entry.deliveries;
    consumer.active_ms = now;
    effects.delivered(entry);
  }
}

void take_fresh(CommandContext& ctx, Source& source, const ReadOptions& o, StreamConsumer& consumer,
                Budget& budget, PendingEffects& effects) {
  const auto from = successor(source.group->last_id);
  if (!from) return;
  source.from = *from;
  const std::uint64_t most = o.count == UINT64_MAX ? o.count : o.count - source.claimed.size();
  source.fresh = spend_range(*source.stream, *from, most, budget);
  if (source.fresh == 0) return;
  StreamReader reader(*source.stream, *from, kStreamIdMax);
  for (std::uint64_t left = source.fresh; left > 0 && reader.next(); --left) {
    source.stream->advance(*source.group, reader.id());
    if (o.no_ack) continue;
    // It may be pending already, if the group was set back: it starts again.
    PendingEntry& entry = source.group->assign(reader.id(), &consumer, ctx.clock().ms);
    entry.deliveries = 1;
    effects.delivered(entry);
    consumer.active_ms = ctx.clock().ms;
  }
}

void take_for_group(CommandContext& ctx, Source& source, const ReadOptions& o, Budget& budget) {
  const std::string_view key = ctx.arg(source.key_at);
  StreamConsumer& consumer = seen_consumer(ctx, key, o.group, *source.group, o.consumer);
  PendingEffects effects(ctx, key, o.group, *source.group);
  if (source.undelivered) {
    if (o.claim_idle_ms) take_claims(ctx, source, o, consumer, budget, effects);
    take_fresh(ctx, source, o, consumer, budget, effects);
    source.served = source.fresh > 0 || !source.claimed.empty();
  } else {
    take_history(ctx, source, o, consumer, budget, effects);
  }
  effects.log();
  if (source.fresh > 0) log_group_position(ctx, key, o.group, *source.group);
}

// --- replying ---

void reply_history(ReplyWriter& reply, const Source& source) {
  reply.array(source.history.size());
  for (const StreamId id : source.history) {
    StreamReader reader(*source.stream, id, id);
    if (reader.next()) {
      reply_entry(reply, reader);
      continue;
    }
    reply.array(2);
    reply_id(reply, id);
    reply.null_array();
  }
}

// With CLAIM every entry tells how long it was idle and how often it was delivered before.
void reply_entry_with_past(ReplyWriter& reply, StreamReader& reader, std::int64_t idle_ms,
                           std::uint64_t deliveries) {
  reply.array(4);
  reply_entry_parts(reply, reader);
  reply.integer(idle_ms);
  reply.integer(static_cast<std::int64_t>(deliveries));
}

void reply_new(ReplyWriter& reply, const Source& source, bool with_past) {
  reply.array(source.claimed.size() + source.fresh);
  for (const Source::Claimed& claimed : source.claimed) {
    StreamReader reader(*source.stream, claimed.id, claimed.id);
    reader.next();
    reply_entry_with_past(reply, reader, claimed.idle_ms, claimed.deliveries);
  }
  if (source.fresh == 0) return;
  StreamReader reader(*source.stream, source.from, kStreamIdMax);
  for (std::uint64_t left = source.fresh; left > 0 && reader.next(); --left) {
    if (with_past)
      reply_entry_with_past(reply, reader, 0, 0);
    else
      reply_entry(reply, reader);
  }
}

void reply_sources(CommandContext& ctx, const std::vector<Source>& sources, const ReadOptions& o) {
  ReplyWriter& reply = ctx.reply();
  std::size_t served = 0;
  for (const Source& source : sources) served += source.served ? 1 : 0;
  // In RESP2 a map's pairs stand in arrays of their own.
  const bool pairs_as_arrays = reply.resp() < 3;
  if (pairs_as_arrays)
    reply.array(served);
  else
    reply.map(served);
  for (const Source& source : sources) {
    if (!source.served) continue;
    if (pairs_as_arrays) reply.array(2);
    reply.bulk(ctx.arg(source.key_at));
    if (o.group_read && !source.undelivered)
      reply_history(reply, source);
    else
      reply_new(reply, source, o.claim_idle_ms.has_value());
  }
}

// --- waiting ---

// When a pending entry of these groups may have been idle for long enough, in ms from now. Entries
// that are given out meanwhile are idle no earlier than that long from now.
std::int64_t next_claim_ms(CommandContext& ctx, const ReadOptions& o,
                           const std::vector<Source>& sources) {
  constexpr std::int64_t kLeast = 1, kLeastUnknown = 100;
  std::int64_t next = std::max(*o.claim_idle_ms, kLeastUnknown);
  for (const Source& source : sources) {
    if (!source.undelivered || source.group->pending().empty()) continue;
    const std::int64_t idle = ctx.clock().ms - source.group->earliest_delivery();
    next = std::min(next, std::max(*o.claim_idle_ms - idle, kLeast));
  }
  return next;
}

// A reader that claims is run again when there may be something to claim. Its time goes on: the
// words it is run with say how much of it is left by then.
void wake_for_claims(CommandContext& ctx, const ReadOptions& o, const std::vector<Source>& sources,
                     BlockingControl::KeyWait& order) {
  constexpr std::int64_t kUsPerMs = 1000;
  const MonoTime now = ctx.services().clients->mono_now();
  const std::int64_t claim_ms = next_claim_ms(ctx, o, sources);
  std::int64_t left_ms = 0;
  if (order.deadline.us != 0) {
    left_ms = (order.deadline.us - now.us) / kUsPerMs - claim_ms;
    if (left_ms <= 0) return;
  }
  if (claim_ms > INT64_MAX / kUsPerMs - now.us / kUsPerMs - 1) return;
  const auto words = ctx.args().words();
  if (order.again.empty()) order.again.assign(words.begin(), words.end());
  order.again[o.block_at] = std::to_string(left_ms);
  order.deadline = MonoTime{now.us + claim_ms * kUsPerMs};
  order.on_timeout = BlockingControl::OnTimeout::kRunAgain;
}

// Whether the command may wait. One that claims may when it was run to look for entries to claim,
// since the end of its own time does not run it again.
bool may_wait(CommandContext& ctx, const ReadOptions& o) {
  if (!o.block) return false;
  if (ctx.timed_out()) return o.claim_idle_ms.has_value();
  return ctx.may_block();
}

void wait(CommandContext& ctx, const ReadOptions& o, const std::vector<Source>& sources) {
  const auto words = ctx.args().words();
  BlockingControl::KeyWait order;
  order.keys = words.subspan(o.keys_at, o.stream_count);
  order.type = Type::kStream;
  order.deadline = *o.block;
  // A reader of a group is told when the group goes away.
  order.wakes_without_type = o.group_read;
  for (const Source& source : sources) {
    const std::size_t id_at = source.key_at + o.stream_count;
    if (words[id_at] != "$") continue;
    // "$" is where the stream stands now, also when the command is run again.
    if (order.again.empty()) order.again.assign(words.begin(), words.end());
    order.again[id_at] = stream_id_text(source.after);
  }
  if (o.claim_idle_ms) wake_for_claims(ctx, o, sources, order);
  ctx.services().blocking->wait_for_keys(ctx, std::move(order));
}

Outcome read(CommandContext& ctx, bool group_read) {
  HEARTH_TRY(const ReadOptions o, parse_read(ctx, group_read));
  HEARTH_TRY(std::vector<Source> sources, find_sources(ctx, o));
  Budget budget{o.max_count, o.max_bytes};
  bool served = false;
  for (Source& source : sources) {
    if (group_read)
      take_for_group(ctx, source, o, budget);
    else
      take_plain(source, o, budget);
    served = served || source.served;
  }
  if (served)
    reply_sources(ctx, sources, o);
  else if (may_wait(ctx, o))
    wait(ctx, o, sources);
  else
    ctx.reply().null_array();
  return {};
}

Outcome xread(CommandContext& ctx) { return read(ctx, false); }
Outcome xreadgroup(CommandContext& ctx) { return read(ctx, true); }

constexpr ArgDoc kStreams[] = {args::key().many(), args::string("id").many()};
constexpr ArgDoc kReadArgs[] = {args::integer("count", "COUNT").opt(),
                                args::integer("maxcount", "MAXCOUNT").opt().from("8.10.0"),
                                args::integer("maxsize", "MAXSIZE").opt().from("8.10.0"),
                                args::integer("milliseconds", "BLOCK").opt(),
                                args::block("streams", kStreams, "STREAMS")};
constexpr ArgDoc kGroup[] = {args::string("group"), args::string("consumer")};
constexpr ArgDoc kReadGroupArgs[] = {args::block("group-block", kGroup, "GROUP"),
                                     args::integer("count", "COUNT").opt(),
                                     args::integer("maxcount", "MAXCOUNT").opt().from("8.10.0"),
                                     args::integer("maxsize", "MAXSIZE").opt().from("8.10.0"),
                                     args::integer("milliseconds", "BLOCK").opt(),
                                     args::integer("min-idle-time", "CLAIM").opt().from("8.4.0"),
                                     args::token("noack", "NOACK").opt(),
                                     args::block("streams", kStreams, "STREAMS")};

// Half of the words behind STREAMS are keys.
constexpr KeySpec streams_keys(int start_from) {
  KeySpec k = KeySpec::after_keyword("STREAMS", start_from, -1, access::kRead);
  k.limit = 2;
  return k;
}
constexpr KeySpec kReadKeys[] = {streams_keys(1)};
constexpr KeySpec kReadGroupKeys[] = {streams_keys(4)};
constexpr HistoryNote kReadHistory[] = {{"7.4.0", "Accepts `+` for the last entry."},
                                        {"8.10.0", "Accepts `MAXCOUNT` and `MAXSIZE`."}};
constexpr HistoryNote kReadGroupHistory[] = {{"8.4.0", "Accepts `CLAIM`."},
                                             {"8.10.0", "Accepts `MAXCOUNT` and `MAXSIZE`."}};
constexpr std::string_view kReadComplexity =
    "O(N) with the number of entries that are returned. Adding an entry costs O(M) with the number "
    "of clients that wait for the stream.";

}  // namespace

constexpr CommandSpec kXRead{
    .name = "XREAD",
    .summary = "Returns the entries of streams behind the given ids, and may wait for some.",
    .complexity = kReadComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly | Flag::kBlocking,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kReadKeys,
    .args = kReadArgs,
    .reply = Shape::kMap | Shape::kNullArray | Shape::kNone,
    .handler = xread,
    .history = kReadHistory,
    .find_keys = stream_keys,
};
constexpr CommandSpec kXReadGroup{
    .name = "XREADGROUP",
    .summary = "Gives a consumer entries that its group has not read, or those it has pending.",
    .complexity = kReadComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(7),
    .flags = Flag::kWrite | Flag::kBlocking,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kReadGroupKeys,
    .args = kReadGroupArgs,
    .reply = Shape::kMap | Shape::kNullArray | Shape::kNone,
    .handler = xreadgroup,
    .history = kReadGroupHistory,
    .find_keys = stream_keys,
};

}  // namespace hearth::commands
