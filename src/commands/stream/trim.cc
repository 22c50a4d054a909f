// Trimming and positions: XTRIM, XSETID.
#include "src/command/common_specs.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/ids.h"
#include "src/commands/stream/spec_parts.h"
#include "src/commands/stream/trim_options.h"

namespace hearth::commands {
namespace {

Outcome xtrim(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  TrimOptions options;
  for (std::size_t i = 2; i < args.size(); ++i) {
    HEARTH_TRY(const bool trims, parse_trim_option(args, i, options));
    if (!trims) return syntax_error();
  }
  if (!options.given && options.trim.limit == 0)
    return refuse("ERR syntax error, XTRIM must be called with a trimming strategy");
  HEARTH_TRY_VOID(finish_trim_options(ctx, options));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  const std::uint64_t deleted = at ? ctx.keys().change(key, at)->stream()->trim(options.trim) : 0;
  if (deleted > 0) {
    ctx.effects().event(Notify::kStream, "xtrim", key.name);
    ctx.effects().count_changes(deleted - 1);
    std::vector<std::string> words{"XTRIM", std::string(key.name)};
    append_exact_trim(options, *at->stream(), words);
    ctx.effects().replicate_words(std::move(words));
  }
  ctx.reply().integer(static_cast<std::int64_t>(deleted));
  return {};
}

struct Position {
  StreamId last_id;
  std::optional<std::uint64_t> entries_added;
  std::optional<StreamId> max_deleted_id;
};

Result<Position, ReplyError> parse_position(const ArgReader& args) {
  Position p;
  HEARTH_TRY(p.last_id, strict_id(args[2]));
  for (std::size_t i = 3; i < args.size(); ++i) {
    if (args.is(i, "ENTRIESADDED", 1)) {
      HEARTH_TRY(const std::int64_t added, args.integer(++i));
      if (added < 0) return refuse("ERR entries_added must be positive");
      p.entries_added = static_cast<std::uint64_t>(added);
    } else if (args.is(i, "MAXDELETEDID", 1)) {
      HEARTH_TRY(p.max_deleted_id, strict_id(args[++i]));
      if (p.last_id < *p.max_deleted_id) {
        return refuse(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      return syntax_error();
    }
  }
  // 0-0 says that nothing was deleted, which does not undo what was.
  if (p.max_deleted_id && p.max_deleted_id->is_zero()) p.max_deleted_id.reset();
  return p;
}

Outcome xsetid(CommandContext& ctx) {
  HEARTH_TRY(const Position p, parse_position(ctx.args()));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at) return refuse(std::string(kNoSuchKey));
  const Change change = ctx.keys().change(key, at);
  Stream& stream = *change->stream();
  if (p.last_id < stream.max_deleted_id()) {
    return refuse("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  if (const auto top = stream.last_entry_id()) {
    if (p.last_id < *top) {
      return refuse("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (p.entries_added && *p.entries_added < stream.length()) {
      return refuse(
          "ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
  }
  stream.set_history(p.last_id, p.entries_added, p.max_deleted_id);
  ctx.effects().replicate_verbatim();
  ctx.effects().side_event(Notify::kStream, "xsetid", key.name);
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kTrimBlock[] = {
    args::one_of("strategy", kStrategy), args::one_of("operator", kOperator).opt(),
    args::string("threshold"), args::integer("count", "LIMIT").opt().from("6.2.0"),
    args::one_of("condition", kReferences).opt().from("8.2.0")};
constexpr ArgDoc kTrimArgs[] = {args::key(), args::block("trim", kTrimBlock)};
constexpr ArgDoc kTrimSetIdArgs[] = {
    args::key(), args::string("last-id"),
    args::integer("entries-added", "ENTRIESADDED").opt().from("7.0.0"),
    args::string("max-deleted-id", "MAXDELETEDID").opt().from("7.0.0")};
constexpr HistoryNote kTrimHistory[] = {{"6.2.0", "Accepts `MINID` and `LIMIT`."},
                                        {"8.2.0", "Accepts `KEEPREF`, `DELREF` and `ACKED`."}};
constexpr HistoryNote kSetIdHistory[] = {{"7.0.0", "Accepts `ENTRIESADDED` and `MAXDELETEDID`."}};

}  // namespace

constexpr CommandSpec kXTrim{
    .name = "XTRIM",
    .summary = "Deletes the oldest entries of a stream.",
    .complexity = "O(N) with the number of entries that are deleted.",
    .since = "5.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kDeleteKey,
    .args = kTrimArgs,
    .reply = Shape::kInteger,
    .handler = xtrim,
    .tips = kNondeterministic,
    .history = kTrimHistory,
};
constexpr CommandSpec kXSetId{
    .name = "XSETID",
    .summary = "Sets the last id of a stream; for replication.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kUpdateKey,
    .args = kTrimSetIdArgs,
    .reply = Shape::kOk,
    .handler = xsetid,
    .history = kSetIdHistory,
};

}  // namespace hearth::commands
