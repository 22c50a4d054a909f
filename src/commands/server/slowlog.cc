// SLOWLOG: the commands that took longest.
#include "src/metrics/slowlog.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

constexpr std::size_t kShownByDefault = 10;

Outcome slowlog_get(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 3) return refuse("ERR wrong number of arguments for 'slowlog|get' command");
  const auto& entries = ctx.services().slowlog->entries();
  std::size_t count = kShownByDefault;
  if (args.size() == 3) {
    HEARTH_TRY(
        const std::int64_t n,
        args.integer_between(2, -1, INT64_MAX, "ERR count should be greater than or equal to -1"));
    count = n < 0 ? entries.size() : static_cast<std::size_t>(n);
  }
  count = std::min(count, entries.size());
  ReplyWriter& reply = ctx.reply();
  reply.array(count);
  for (std::size_t i = 0; i < count; ++i) {
    const SlowEntry& e = entries[i];
    reply.array(6);
    reply.integer(static_cast<std::int64_t>(e.id));
    reply.integer(e.unix_seconds);
    reply.integer(e.duration_us);
    reply.array(e.argv.size());
    for (const auto& word : e.argv) reply.bulk(word);
    reply.bulk(e.client_address);
    reply.bulk(e.client_name);
  }
  return {};
}

Outcome slowlog_len(CommandContext& ctx) {
  ctx.reply().integer(static_cast<std::int64_t>(ctx.services().slowlog->entries().size()));
  return {};
}

Outcome slowlog_reset(CommandContext& ctx) {
  ctx.services().slowlog->reset();
  ctx.reply().ok();
  return {};
}

constexpr Flag kPlain = Flag::kAdmin | Flag::kLoading | Flag::kStale;
constexpr ArgDoc kGetArgs[] = {args::integer("count").opt()};
constexpr HistoryNote kGetHistory[] = {{"4.0.0", "Entries tell the client's address and name."}};
constexpr std::string_view kGetTips[] = {"request_policy:all_nodes", "nondeterministic_output"};
constexpr std::string_view kLenTips[] = {"request_policy:all_nodes", "response_policy:agg_sum",
                                         "nondeterministic_output"};
constexpr std::string_view kResetTips[] = {"request_policy:all_nodes",
                                           "response_policy:all_succeeded"};

constexpr CommandSpec kGet{
    .name = "GET",
    .summary = "Returns the newest entries of the slow log, 10 if no count is given, all for -1.",
    .complexity = "O(N) with N the number of entries returned",
    .since = "2.2.12",
    .arity = Arity::at_least(2),
    .flags = kPlain,
    .group = Group::kServer,
    .args = kGetArgs,
    .reply = Shape::kArray,
    .handler = slowlog_get,
    .tips = kGetTips,
    .history = kGetHistory,
};
constexpr CommandSpec kLen{
    .name = "LEN",
    .summary = "Counts the entries of the slow log.",
    .complexity = "O(1)",
    .since = "2.2.12",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .group = Group::kServer,
    .reply = Shape::kInteger,
    .handler = slowlog_len,
    .tips = kLenTips,
};
constexpr CommandSpec kReset{
    .name = "RESET",
    .summary = "Empties the slow log.",
    .complexity = "O(N) with N the number of entries",
    .since = "2.2.12",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = slowlog_reset,
    .tips = kResetTips,
};
constexpr CommandSpec kHelp = help_spec("6.2.0", Group::kServer);
constexpr const CommandSpec* kSubs[] = {&kGet, &kLen, &kReset, &kHelp};

}  // namespace

constexpr CommandSpec kSlowLog{
    .name = "SLOWLOG",
    .summary = "The container of commands about the log of slow commands.",
    .complexity = "Depends on the subcommand",
    .since = "2.2.12",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kSubs,
};

}  // namespace hearth::commands
