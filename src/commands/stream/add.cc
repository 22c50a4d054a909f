// Adding: XADD; and what idempotent producers need: XCFGSET, XIDMPRECORD.
#include "src/base/hash.h"
#include "src/command/common_specs.h"
#include "src/commands/stream/entry_reply.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/groups.h"
#include "src/commands/stream/ids.h"
#include "src/commands/stream/spec_parts.h"
#include "src/commands/stream/trim_options.h"
#include "src/store/stream_idempotency.h"

namespace hearth::commands {
namespace {

enum class IdKind : std::uint8_t { kAuto, kAutoSeq, kFull };

struct AddOptions {
  bool make = true;
  TrimOptions trim;
  IdKind kind = IdKind::kAuto;
  StreamId id;            // kAutoSeq: its ms
  std::size_t id_at = 0;  // the word
  bool idempotent = false;
  std::string_view producer;
  std::string message;
};

Outcome parse_id(std::string_view word, AddOptions& o) {
  if (word == "*") return {};
  if (word.ends_with("-*")) {
    const auto ms = parse_stream_id_part(word.substr(0, word.size() - 2));
    if (ms) {
      o.kind = IdKind::kAutoSeq;
      o.id = {*ms, 0};
      return {};
    }
  }
  o.kind = IdKind::kFull;
  HEARTH_TRY(o.id, strict_id(word));
  return {};
}

// The same pairs have the same id, in this process and in others.
std::string message_id(std::span<const std::string_view> pairs) {
  std::uint64_t words[2] = {0x6964656d, 0x706f7465};
  for (const std::string_view text : pairs) {
    for (std::uint64_t& word : words) word = hash_bytes(text, word * 0x9e3779b97f4a7c15ULL + 1);
  }
  return {reinterpret_cast<const char*>(words), sizeof words};
}

Result<bool, ReplyError> parse_producer(const ArgReader& args, std::size_t& i, AddOptions& o) {
  const bool is_auto = args.is(i, "IDMPAUTO", 1);
  if (!is_auto && !args.is(i, "IDMP", 2)) return false;
  if (o.idempotent) return syntax_error();
  o.idempotent = true;
  o.producer = args[++i];
  if (!is_auto) o.message = args[++i];
  if (o.producer.empty() || (!is_auto && o.message.empty())) return syntax_error();
  return true;
}

Result<AddOptions, ReplyError> parse_add(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  AddOptions o;
  std::size_t i = 2;
  for (; i < args.size() && args[i] != "*"; ++i) {
    HEARTH_TRY(const bool trims, parse_trim_option(args, i, o.trim));
    if (trims) continue;
    if (args.is(i, "NOMKSTREAM")) {
      o.make = false;
      continue;
    }
    HEARTH_TRY(const bool produces, parse_producer(args, i, o));
    if (produces) continue;
    HEARTH_TRY_VOID(parse_id(args[i], o));
    break;
  }
  HEARTH_TRY_VOID(finish_trim_options(ctx, o.trim));
  o.id_at = i;
  const std::size_t words = args.size() > i + 1 ? args.size() - i - 1 : 0;
  if (words < 2 || words % 2 != 0)
    return refuse("ERR wrong number of arguments for 'xadd' command");
  if (o.kind == IdKind::kFull && o.id.is_zero())
    return refuse("ERR The ID specified in XADD must be greater than 0-0");
  if (o.idempotent && o.kind != IdKind::kAuto) return syntax_error();
  return o;
}

Result<StreamId, ReplyError> choose_id(const AddOptions& o, StreamId last, UnixMillis now) {
  if (last == kStreamIdMax) {
    return refuse("ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  StreamId id = o.id;
  if (o.kind == IdKind::kAuto) {
    const auto ms = static_cast<std::uint64_t>(now.ms);
    return ms > last.ms ? StreamId{ms, 0} : *successor(last);
  }
  if (o.kind == IdKind::kAutoSeq && id.ms == last.ms && last.seq != UINT64_MAX)
    id.seq = last.seq + 1;
  if (id <= last) {
    return refuse(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  }
  return id;
}

void log_add(CommandContext& ctx, const AddOptions& o, const Stream& stream, StreamId id) {
  const CommandEffects effects = ctx.effects();
  if (!effects.wants_commands()) {
    effects.replicate_verbatim();  // counts the change
    return;
  }
  std::vector<std::string> words{"XADD", std::string(ctx.arg(1))};
  append_exact_trim(o.trim, stream, words);
  words.push_back(stream_id_text(id));
  for (const std::string_view word : ctx.args().from(o.id_at + 1)) words.emplace_back(word);
  effects.replicate_words(std::move(words));
  // An entry that was trimmed at once can't be recorded elsewhere.
  if (o.idempotent && stream.contains(id)) {
    effects.replicate_as("XIDMPRECORD", ctx.arg(1), o.producer, o.message, stream_id_text(id));
  }
}

Outcome xadd(CommandContext& ctx) {
  HEARTH_TRY(AddOptions o, parse_add(ctx));
  const auto pairs = ctx.args().from(o.id_at + 1);
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, ctx.keys().write(key, Type::kStream));
  if (!at && !o.make) {
    ctx.reply().null();
    return {};
  }
  if (o.idempotent) {
    if (o.message.empty()) o.message = message_id(pairs);
    StreamIdempotency* known = at ? at->stream()->idempotency() : nullptr;
    const auto entry =
        known != nullptr ? known->find(o.producer, o.message, ctx.clock()) : std::nullopt;
    if (entry) {
      known->count_duplicate();
      reply_id(ctx.reply(), *entry);
      return {};
    }
  }
  HEARTH_TRY(const StreamId id,
             choose_id(o, at ? at->stream()->last_id() : StreamId{}, ctx.clock()));
  if (!Stream::fits(pairs)) return refuse("ERR Elements are too large to be stored");

  at = made_stream(ctx, key, at);
  const Change change = ctx.keys().change(key, at);
  Stream& stream = *change->stream();
  stream.append(id, pairs, stream_limits(ctx));
  if (o.idempotent) stream.make_idempotency().record(o.producer, o.message, id, ctx.clock());
  ctx.effects().event(Notify::kStream, "xadd", key.name);
  if (o.trim.given && stream.trim(o.trim.trim) > 0)
    ctx.effects().event(Notify::kStream, "xtrim", key.name);
  log_add(ctx, o, stream, id);
  reply_id(ctx.reply(), id);
  return {};
}

// --- idempotency ---

Outcome xcfgset(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  std::optional<std::int64_t> duration, size;
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "IDMP-DURATION", 1)) {
      HEARTH_TRY(duration, args.integer_between(++i, 1, StreamIdempotency::kDurationMost,
                                                "ERR invalid duration"));
    } else if (args.is(i, "IDMP-MAXSIZE", 1)) {
      HEARTH_TRY(size, args.integer_between(++i, 1, StreamIdempotency::kMaxSizeMost,
                                            "ERR invalid maxsize"));
    } else {
      return syntax_error();
    }
  }
  if (!duration && !size) return syntax_error();
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at) return refuse(std::string(kNoSuchKey));
  const Change change = ctx.keys().change(key, at);
  StreamIdempotency& idempotency = change->stream()->make_idempotency();
  StreamIdempotency::Limits limits = idempotency.limits();
  limits.duration_s = duration.value_or(limits.duration_s);
  limits.max_size = size.value_or(limits.max_size);
  idempotency.set_limits(limits);
  ctx.effects().replicate_verbatim();
  ctx.effects().side_event(Notify::kStream, "xcfgset", key.name);
  ctx.reply().ok();
  return {};
}

Outcome xidmprecord(CommandContext& ctx) {
  const std::string_view producer = ctx.arg(2), message = ctx.arg(3);
  if (producer.empty() || message.empty()) return syntax_error();
  HEARTH_TRY(const StreamId id, strict_id(ctx.arg(4)));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at) return refuse(std::string(kNoSuchKey));
  const Change change = ctx.keys().change(key, at);
  Stream& stream = *change->stream();
  if (!stream.contains(id)) return refuse("ERR no such entry in the stream");
  StreamIdempotency& idempotency = stream.make_idempotency();
  const auto known = idempotency.find(producer, message, ctx.clock());
  if (known && *known != id) {
    return refuse("ERR the producer's message is recorded with another ID");
  }
  if (!known) {
    idempotency.record(producer, message, id, ctx.clock());
    ctx.effects().replicate_verbatim();
  }
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kAutoProducer[] = {args::string("pid")};
constexpr ArgDoc kProducer[] = {args::string("pid"), args::string("iid")};
constexpr ArgDoc kIdempotency[] = {args::block("idmpauto-with-pid", kAutoProducer, "IDMPAUTO"),
                                   args::block("idmp-with-pid-iid", kProducer, "IDMP")};
constexpr ArgDoc kAddTrim[] = {args::one_of("strategy", kStrategy),
                               args::one_of("operator", kOperator).opt(), args::string("threshold"),
                               args::integer("count", "LIMIT").opt().from("6.2.0")};
constexpr ArgDoc kAddId[] = {args::token("auto-id", "*"), args::string("id")};
constexpr ArgDoc kPair[] = {args::string("field"), args::string("value")};
constexpr ArgDoc kAddArgs[] = {args::key(),
                               args::token("nomkstream", "NOMKSTREAM").opt().from("6.2.0"),
                               args::one_of("condition", kReferences).opt().from("8.2.0"),
                               args::one_of("idmp", kIdempotency).opt().from("8.6.0"),
                               args::block("trim", kAddTrim).opt(),
                               args::one_of("id-selector", kAddId),
                               args::block("data", kPair).many()};
constexpr ArgDoc kConfigArgs[] = {args::key(),
                                  args::integer("idmp-duration", "IDMP-DURATION").opt(),
                                  args::integer("idmp-maxsize", "IDMP-MAXSIZE").opt()};
constexpr ArgDoc kRecordArgs[] = {args::key(), args::string("pid"), args::string("iid"),
                                  args::string("stream-id")};
constexpr HistoryNote kAddHistory[] = {
    {"6.2.0", "Accepts `NOMKSTREAM`, `MINID` and `LIMIT`."},
    {"7.0.0", "Accepts an id whose sequence number is generated, `<ms>-*`."},
    {"8.2.0", "Accepts `KEEPREF`, `DELREF` and `ACKED`."},
    {"8.6.0", "Accepts `IDMP` and `IDMPAUTO`."}};

}  // namespace

constexpr CommandSpec kXAdd{
    .name = "XADD",
    .summary = "Adds an entry to a stream, making the stream if it does not exist.",
    .complexity = "O(1) for the entry, O(N) with the number of entries that are trimmed.",
    .since = "5.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kAddArgs,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = xadd,
    .tips = kNondeterministic,
    .history = kAddHistory,
};
constexpr CommandSpec kXCfgSet{
    .name = "XCFGSET",
    .summary = "Sets how long and how many messages of producers a stream remembers.",
    .complexity = "O(1)",
    .since = "8.6.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kConfigArgs,
    .reply = Shape::kOk,
    .handler = xcfgset,
};
constexpr CommandSpec kXIdmpRecord{
    .name = "XIDMPRECORD",
    .summary = "Notes which entry a producer's message became; for replication.",
    .complexity = "O(1)",
    .since = "8.6.2",
    .arity = Arity::exactly(5),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kRecordArgs,
    .reply = Shape::kOk,
    .handler = xidmprecord,
};

}  // namespace hearth::commands
