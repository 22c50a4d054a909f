// Deleting entries and acknowledging them: XDEL, XDELEX, XACK, XACKDEL, XNACK.
#include "src/command/common_specs.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/groups.h"
#include "src/commands/stream/ids.h"
#include "src/commands/stream/spec_parts.h"
#include "src/commands/stream/trim_options.h"

namespace hearth::commands {
namespace {

// Replies for one id.
constexpr std::int64_t kNotThere = -1;
constexpr std::int64_t kDeleted = 1;
constexpr std::int64_t kStillReferenced = 2;

Outcome xdel(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at) {
    ctx.reply().integer(0);
    return {};
  }
  HEARTH_TRY(const std::vector<StreamId> ids, strict_ids(ctx.args().from(2)));
  std::uint64_t deleted = 0;
  const Change change = ctx.keys().change(key, at);
  for (const StreamId id : ids) deleted += change->stream()->erase(id) ? 1 : 0;
  if (deleted > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(deleted - 1);
    ctx.effects().event(Notify::kStream, "xdel", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(deleted));
  return {};
}

struct IdBlock {
  std::optional<StreamReferences> references;
  std::vector<StreamId> ids;
};

// IDS <n> <id> ... at word i; moves i to its last word.
Outcome parse_ids(const ArgReader& args, std::size_t& i, std::vector<StreamId>& ids) {
  if (!ids.empty()) return syntax_error();
  HEARTH_TRY(const std::int64_t count,
             args.integer(i + 1, "ERR Number of IDs must be a positive integer"));
  if (count < 1) return refuse("ERR Number of IDs must be a positive integer");
  if (static_cast<std::uint64_t>(count) > args.size() - i - 2)
    return refuse("ERR The `numids` parameter must match the number of arguments");
  HEARTH_TRY(ids, strict_ids(args.from(i + 2).first(static_cast<std::size_t>(count))));
  i += 1 + static_cast<std::size_t>(count);
  return {};
}

// [KEEPREF | DELREF | ACKED] and IDS, in any order.
Result<IdBlock, ReplyError> parse_block(const ArgReader& args, std::size_t from) {
  IdBlock block;
  for (std::size_t i = from; i < args.size(); ++i) {
    if (args.is(i, "IDS", 1)) {
      HEARTH_TRY_VOID(parse_ids(args, i, block.ids));
      continue;
    }
    const auto references = references_option(args[i]);
    if (!references || block.references) return syntax_error();
    block.references = references;
  }
  if (block.ids.empty()) return syntax_error();
  return block;
}

void reply_all_absent(CommandContext& ctx, std::size_t count) {
  ctx.reply().array(count);
  for (std::size_t i = 0; i < count; ++i) ctx.reply().integer(kNotThere);
}

struct Deletion {
  std::uint64_t entries = 0;
  bool changed = false;
};

// Deletes an entry as far as its references allow it.
std::int64_t delete_entry(Stream& stream, StreamId id, StreamReferences references,
                          Deletion& done) {
  if (references == StreamReferences::kAcked) {
    if (!stream.contains(id)) return kNotThere;
    // A stream without groups has nobody who could have acknowledged anything.
    if (stream.groups().empty() || !stream.is_acknowledged(id)) return kStillReferenced;
  }
  if (references == StreamReferences::kDrop && stream.drop_references(id)) done.changed = true;
  if (!stream.erase(id)) return kNotThere;
  ++done.entries;
  done.changed = true;
  return kDeleted;
}

void log_deletion(CommandContext& ctx, std::string_view key, const Deletion& done) {
  if (!done.changed) return;
  ctx.effects().replicate_verbatim();
  if (done.entries == 0) return;
  ctx.effects().count_changes(done.entries - 1);
  ctx.effects().event(Notify::kStream, "xdel", key);
}

Outcome xdelex(CommandContext& ctx) {
  HEARTH_TRY(const IdBlock block, parse_block(ctx.args(), 2));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at) {
    reply_all_absent(ctx, block.ids.size());
    return {};
  }
  const StreamReferences references = block.references.value_or(StreamReferences::kKeep);
  Deletion done;
  const Change change = ctx.keys().change(key, at);
  ctx.reply().array(block.ids.size());
  for (const StreamId id : block.ids)
    ctx.reply().integer(delete_entry(*change->stream(), id, references, done));
  log_deletion(ctx, key.name, done);
  return {};
}

Outcome xackdel(CommandContext& ctx) {
  HEARTH_TRY(const IdBlock block, parse_block(ctx.args(), 3));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at || at->stream()->group(ctx.arg(2)) == nullptr) {
    reply_all_absent(ctx, block.ids.size());
    return {};
  }
  const Change change = ctx.keys().change(key, at);
  Stream& stream = *change->stream();
  StreamGroup* group = stream.group(ctx.arg(2));
  const StreamReferences references = block.references.value_or(StreamReferences::kKeep);
  Deletion done;
  ctx.reply().array(block.ids.size());
  for (const StreamId id : block.ids) {
    if (!group->acknowledge(id)) {
      ctx.reply().integer(kNotThere);
      continue;
    }
    done.changed = true;
    const std::int64_t outcome = delete_entry(stream, id, references, done);
    // It was pending, so it was an entry; that it is gone already is as good.
    ctx.reply().integer(outcome == kNotThere ? kDeleted : outcome);
  }
  log_deletion(ctx, key.name, done);
  return {};
}

Outcome xack(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at || at->stream()->group(ctx.arg(2)) == nullptr) {
    ctx.reply().integer(0);
    return {};
  }
  HEARTH_TRY(const std::vector<StreamId> ids, strict_ids(ctx.args().from(3)));
  std::uint64_t acknowledged = 0;
  const Change change = ctx.keys().change(key, at);
  StreamGroup* group = change->stream()->group(ctx.arg(2));
  for (const StreamId id : ids) acknowledged += group->acknowledge(id) ? 1 : 0;
  if (acknowledged > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(acknowledged - 1);
  }
  ctx.reply().integer(static_cast<std::int64_t>(acknowledged));
  return {};
}

// --- XNACK ---

enum class NackMode : std::uint8_t { kSilent, kFail, kFatal };

struct NackOptions {
  NackMode mode = NackMode::kFail;
  std::vector<StreamId> ids;
  std::optional<std::uint64_t> deliveries;
  bool force = false;
};

Result<NackOptions, ReplyError> parse_nack(const ArgReader& args) {
  NackOptions o;
  if (args.is(3, "SILENT"))
    o.mode = NackMode::kSilent;
  else if (args.is(3, "FATAL"))
    o.mode = NackMode::kFatal;
  else if (!args.is(3, "FAIL"))
    return syntax_error();
  for (std::size_t i = 4; i < args.size(); ++i) {
    if (args.is(i, "IDS", 1)) {
      HEARTH_TRY_VOID(parse_ids(args, i, o.ids));
    } else if (args.is(i, "RETRYCOUNT", 1)) {
      HEARTH_TRY(const std::int64_t count, args.integer(++i));
      if (count < 0) return refuse(std::string(kNotInteger));
      o.deliveries = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "FORCE")) {
      o.force = true;
    } else {
      return syntax_error();
    }
  }
  if (o.ids.empty()) return syntax_error();
  return o;
}

std::uint64_t deliveries_after(const NackOptions& o, const PendingEntry* before) {
  constexpr std::uint64_t kNeverAgain = INT64_MAX;
  if (o.deliveries) return *o.deliveries;
  if (o.mode == NackMode::kFatal) return kNeverAgain;
  const std::uint64_t deliveries = before != nullptr ? before->deliveries : 0;
  return o.mode == NackMode::kSilent && deliveries > 0 ? deliveries - 1 : deliveries;
}

Outcome xnack(CommandContext& ctx) {
  HEARTH_TRY(const NackOptions o, parse_nack(ctx.args()));
  HEARTH_TRY(const GroupAt at, group_for_write(ctx, ctx.key(1), ctx.arg(2)));
  std::int64_t released = 0;
  for (const StreamId id : o.ids) {
    const PendingEntry* before = at.group.find(id);
    if (before == nullptr && !(o.force && at.stream.contains(id))) continue;
    const std::uint64_t deliveries = deliveries_after(o, before);
    at.group.assign(id, nullptr, 0).deliveries = deliveries;
    ++released;
  }
  if (released > 0) {
    ctx.effects().replicate_verbatim();
    // Readers that wait for entries to claim may have one now.
    ctx.effects().side_event(Notify::kStream, "xnack", ctx.arg(1));
  }
  ctx.reply().integer(released);
  return {};
}

constexpr ArgDoc kModes[] = {args::token("silent", "SILENT"), args::token("fail", "FAIL"),
                             args::token("fatal", "FATAL")};
constexpr ArgDoc kIdParts[] = {args::integer("numids"), args::string("id").many()};
constexpr ArgDoc kIds = args::block("ids", kIdParts, "IDS");
constexpr ArgDoc kDelArgs[] = {args::key(), args::string("id").many()};
constexpr ArgDoc kDelExArgs[] = {args::key(), args::one_of("condition", kReferences).opt(), kIds};
constexpr ArgDoc kAckArgs[] = {args::key(), args::string("group"), args::string("id").many()};
constexpr ArgDoc kAckDelArgs[] = {args::key(), args::string("group"),
                                  args::one_of("condition", kReferences).opt(), kIds};
constexpr ArgDoc kNackArgs[] = {args::key(),
                                args::string("group"),
                                args::one_of("mode", kModes),
                                kIds,
                                args::integer("count", "RETRYCOUNT").opt(),
                                args::token("force", "FORCE").opt()};
constexpr KeySpec kAckDelKey[] = {KeySpec::one(1, access::kRW | access::kUpdate | access::kDelete)};
constexpr Flag kFlags = Flag::kWrite | Flag::kFast;
constexpr std::string_view kDelComplexity = "O(1) for each id, whatever the length of the stream.";

}  // namespace

constexpr CommandSpec kXDel{
    .name = "XDEL",
    .summary = "Deletes entries of a stream and returns how many there were.",
    .complexity = kDelComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = kFlags,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kDeleteKey,
    .args = kDelArgs,
    .reply = Shape::kInteger,
    .handler = xdel,
};
constexpr CommandSpec kXDelEx{
    .name = "XDELEX",
    .summary = "Deletes entries of a stream with regard to the groups that read it.",
    .complexity = kDelComplexity,
    .since = "8.2.0",
    .arity = Arity::at_least(5),
    .flags = kFlags,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kDeleteKey,
    .args = kDelExArgs,
    .reply = Shape::kArray,
    .handler = xdelex,
};
constexpr CommandSpec kXAck{
    .name = "XACK",
    .summary = "Acknowledges entries that were given to a consumer, and returns how many.",
    .complexity = kDelComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(4),
    .flags = kFlags,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kAckArgs,
    .reply = Shape::kInteger,
    .handler = xack,
};
constexpr CommandSpec kXAckDel{
    .name = "XACKDEL",
    .summary = "Acknowledges entries for a group and deletes them.",
    .complexity = kDelComplexity,
    .since = "8.2.0",
    .arity = Arity::at_least(6),
    .flags = kFlags,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kAckDelKey,
    .args = kAckDelArgs,
    .reply = Shape::kArray,
    .handler = xackdel,
};
constexpr CommandSpec kXNack{
    .name = "XNACK",
    .summary = "Hands pending entries back to their group, for any consumer to claim.",
    .complexity = kDelComplexity,
    .since = "8.8.0",
    .arity = Arity::at_least(7),
    .flags = kFlags,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kNackArgs,
    .reply = Shape::kInteger,
    .handler = xnack,
};

}  // namespace hearth::commands
