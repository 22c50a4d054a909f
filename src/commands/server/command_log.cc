// COMMANDLOG: commands that took long or were large; and SLOWLOG, which knows the slow ones only.
#include "src/metrics/command_log.h"

#include <algorithm>

#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

constexpr std::int64_t kShownByDefault = 10;

using Kind = CommandLogs::Kind;

Outcome write_entries(CommandContext& ctx, Kind kind, std::int64_t wanted) {
  const auto& entries = ctx.services().command_logs->of(kind).entries();
  const std::size_t count =
      wanted < 0 ? entries.size() : std::min(entries.size(), static_cast<std::size_t>(wanted));
  ReplyWriter& reply = ctx.reply();
  reply.array(count);
  for (std::size_t i = 0; i < count; ++i) {
    const LoggedCommand& e = entries[i];
    reply.array(6);
    reply.integer(static_cast<std::int64_t>(e.id));
    reply.integer(e.unix_seconds);
    reply.integer(e.value);
    reply.array(e.argv.size());
    for (const auto& word : e.argv) reply.bulk(word);
    reply.bulk(e.client_address);
    reply.bulk(e.client_name);
  }
  return {};
}

Result<std::int64_t, ReplyError> count_at(const CommandContext& ctx, std::size_t i) {
  return ctx.args().integer_between(i, -1, INT64_MAX,
                                    "ERR count should be greater than or equal to -1");
}

Result<Kind, ReplyError> kind_at(const CommandContext& ctx, std::size_t i) {
  if (ctx.args().is(i, "SLOW")) return Kind::kSlow;
  if (ctx.args().is(i, "LARGE-REQUEST")) return Kind::kLargeRequest;
  if (ctx.args().is(i, "LARGE-REPLY")) return Kind::kLargeReply;
  return refuse("ERR type should be one of the following: slow, large-request, large-reply");
}

Outcome write_length(CommandContext& ctx, Kind kind) {
  ctx.reply().integer(
      static_cast<std::int64_t>(ctx.services().command_logs->of(kind).entries().size()));
  return {};
}

Outcome reset(CommandContext& ctx, Kind kind) {
  ctx.services().command_logs->of(kind).reset();
  ctx.reply().ok();
  return {};
}

Outcome slowlog_get(CommandContext& ctx) {
  if (ctx.args().size() > 3)
    return refuse("ERR wrong number of arguments for 'slowlog|get' command");
  std::int64_t count = kShownByDefault;
  if (ctx.args().size() == 3) {
    HEARTH_TRY(count, count_at(ctx, 2));
  }
  return write_entries(ctx, Kind::kSlow, count);
}
Outcome slowlog_len(CommandContext& ctx) { return write_length(ctx, Kind::kSlow); }
Outcome slowlog_reset(CommandContext& ctx) { return reset(ctx, Kind::kSlow); }

Outcome commandlog_get(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t count, count_at(ctx, 2));
  HEARTH_TRY(const Kind kind, kind_at(ctx, 3));
  return write_entries(ctx, kind, count);
}
Outcome commandlog_len(CommandContext& ctx) {
  HEARTH_TRY(const Kind kind, kind_at(ctx, 2));
  return write_length(ctx, kind);
}
Outcome commandlog_reset(CommandContext& ctx) {
  HEARTH_TRY(const Kind kind, kind_at(ctx, 2));
  return reset(ctx, kind);
}

constexpr Flag kCommandLogPlain = Flag::kAdmin | Flag::kLoading | Flag::kStale;
constexpr ArgDoc kCommandLogGetArgs[] = {args::integer("count").opt()};
constexpr HistoryNote kCommandLogGetHistory[] = {
    {"4.0.0", "Entries tell the client's address and name."}};
constexpr std::string_view kGetTips[] = {"request_policy:all_nodes", "nondeterministic_output"};
constexpr std::string_view kLenTips[] = {"request_policy:all_nodes", "response_policy:agg_sum",
                                         "nondeterministic_output"};
constexpr std::string_view kCommandLogResetTips[] = {"request_policy:all_nodes",
                                                     "response_policy:all_succeeded"};

constexpr CommandSpec kCommandLogGet{
    .name = "GET",
    .summary = "Returns the newest entries of the slow log, 10 if no count is given, all for -1.",
    .complexity = "O(N) with N the number of entries returned",
    .since = "2.2.12",
    .arity = Arity::at_least(2),
    .flags = kCommandLogPlain,
    .group = Group::kServer,
    .args = kCommandLogGetArgs,
    .reply = Shape::kArray,
    .handler = slowlog_get,
    .tips = kGetTips,
    .history = kCommandLogGetHistory,
};
constexpr CommandSpec kLen{
    .name = "LEN",
    .summary = "Counts the entries of the slow log.",
    .complexity = "O(1)",
    .since = "2.2.12",
    .arity = Arity::exactly(2),
    .flags = kCommandLogPlain,
    .group = Group::kServer,
    .reply = Shape::kInteger,
    .handler = slowlog_len,
    .tips = kLenTips,
};
constexpr CommandSpec kCommandLogReset{
    .name = "RESET",
    .summary = "Empties the slow log.",
    .complexity = "O(N) with N the number of entries",
    .since = "2.2.12",
    .arity = Arity::exactly(2),
    .flags = kCommandLogPlain,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = slowlog_reset,
    .tips = kCommandLogResetTips,
};
constexpr CommandSpec kCommandLogHelp = help_spec("6.2.0", Group::kServer);
constexpr const CommandSpec* kCommandLogSubs[] = {&kCommandLogGet, &kLen, &kCommandLogReset,
                                                  &kCommandLogHelp};

constexpr ArgDoc kKinds[] = {args::token("slow", "slow"),
                             args::token("large-request", "large-request"),
                             args::token("large-reply", "large-reply")};
constexpr ArgDoc kLogGetArgs[] = {args::integer("count"), args::one_of("type", kKinds)};
constexpr ArgDoc kLogArgs[] = {args::one_of("type", kKinds)};
constexpr CommandSpec kLogGet{
    .name = "GET",
    .summary = "Returns the newest entries of a log of commands, all for -1.",
    .complexity = "O(N) with N the number of entries returned",
    .since = "8.1.0",
    .arity = Arity::exactly(4),
    .flags = kCommandLogPlain,
    .group = Group::kServer,
    .args = kLogGetArgs,
    .reply = Shape::kArray,
    .handler = commandlog_get,
    .tips = kGetTips,
};
constexpr CommandSpec kLogLen{
    .name = "LEN",
    .summary = "Counts the entries of a log of commands.",
    .complexity = "O(1)",
    .since = "8.1.0",
    .arity = Arity::exactly(3),
    .flags = kCommandLogPlain,
    .group = Group::kServer,
    .args = kLogArgs,
    .reply = Shape::kInteger,
    .handler = commandlog_len,
    .tips = kLenTips,
};
constexpr CommandSpec kLogReset{
    .name = "RESET",
    .summary = "Empties a log of commands.",
    .complexity = "O(N) with N the number of entries",
    .since = "8.1.0",
    .arity = Arity::exactly(3),
    .flags = kCommandLogPlain,
    .group = Group::kServer,
    .args = kLogArgs,
    .reply = Shape::kOk,
    .handler = commandlog_reset,
    .tips = kCommandLogResetTips,
};
constexpr CommandSpec kLogHelp = help_spec("8.1.0", Group::kServer);
constexpr const CommandSpec* kLogSubs[] = {&kLogGet, &kLogLen, &kLogReset, &kLogHelp};

}  // namespace

constexpr CommandSpec kSlowLog{
    .name = "SLOWLOG",
    .summary = "The container of commands about the log of slow commands.",
    .complexity = "Depends on the subcommand",
    .since = "2.2.12",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kCommandLogSubs,
};

constexpr CommandSpec kCommandLog{
    .name = "COMMANDLOG",
    .summary = "The container of commands about the logs of slow and of large commands.",
    .complexity = "Depends on the subcommand",
    .since = "8.1.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kLogSubs,
};

}  // namespace hearth::commands
