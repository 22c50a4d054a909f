// INFO, TIME, DBSIZE, LASTSAVE, ROLE and MONITOR.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/info_control.h"
#include "src/command/monitor_control.h"
#include "src/command/persistence_control.h"
#include "src/command/replica_control.h"
#include "src/command/replication_control.h"
#include "src/command/server_control.h"
#include "src/commands/server/family.h"
#include "src/metrics/info_text.h"

namespace hearth::commands {
namespace {

// The sections that the words of INFO ask for; each once, in the server's order.
bool is_asked_for(const ArgReader& args, const InfoControl::Section& section) {
  if (args.size() == 1) return section.by_default;
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args.is(i, section.name)) return true;
    if (section.by_default && args.is(i, "default")) return true;
    if (section.in_all && (args.is(i, "all") || args.is(i, "everything"))) return true;
  }
  return false;
}

Outcome info(CommandContext& ctx) {
  InfoControl& source = *ctx.services().info;
  InfoText text;
  for (const InfoControl::Section& section : source.sections()) {
    if (is_asked_for(ctx.args(), section)) source.write(section, text);
  }
  ctx.reply().verbatim("txt", text.text());
  return {};
}

Outcome server_time(CommandContext& ctx) {
  ServerControl* server = ctx.services().server;
  Session& session = ctx.session();
  std::int64_t micros = session.frozen_micros;
  if (micros == 0)
    micros = server != nullptr ? server->unix_micros(ctx.clock()) : ctx.clock().ms * 1000;
  if (session.in_script) session.frozen_micros = micros;
  ctx.reply().array(2);
  ctx.reply().bulk_integer(micros / 1'000'000);
  ctx.reply().bulk_integer(micros % 1'000'000);
  return {};
}

Outcome dbsize(CommandContext& ctx) {
  ctx.reply().integer(static_cast<std::int64_t>(ctx.keys().database().size()));
  return {};
}

Outcome lastsave(CommandContext& ctx) {
  const PersistenceControl* persistence = ctx.services().persistence;
  // The data that was there at the start counts as saved last.
  ctx.reply().integer(persistence != nullptr ? persistence->last_save()
                                             : ctx.services().info->started().unix_seconds());
  return {};
}

Outcome role(CommandContext& ctx) {
  if (ReplicaControl* replica = ctx.services().replica;
      replica != nullptr && replica->is_replica()) {
    replica->write_role(ctx.reply());
    return {};
  }
  ctx.reply().array(3);
  ctx.reply().bulk("master");
  ctx.reply().integer(static_cast<std::int64_t>(ctx.services().info->replication_offset()));
  if (ctx.services().replication != nullptr)
    ctx.services().replication->write_role(ctx.reply());
  else
    ctx.reply().array(0);
  return {};
}

Outcome monitor(CommandContext& ctx) {
  if (ctx.session().deny_blocking)
    return refuse("ERR MONITOR isn't allowed for DENY BLOCKING client");
  ctx.reply().ok();
  ctx.services().monitors->start(ctx.session());
  return {};
}

constexpr ArgDoc kInfoArgs[] = {args::string("section").many().opt()};
constexpr HistoryNote kFactsInfoHistory[] = {{"7.0.0", "Takes several sections."}};
constexpr std::string_view kInfoTips[] = {"nondeterministic_output", "request_policy:all_shards",
                                          "response_policy:special"};
constexpr std::string_view kSumTips[] = {"request_policy:all_shards", "response_policy:agg_sum"};

}  // namespace

constexpr CommandSpec kInfo{
    .name = "INFO",
    .summary = "Tells figures about the server, by section.",
    .complexity = "O(N) with N the number of connections, databases and commands",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kLoading | Flag::kStale,
    .acl = Acl::kDangerous,
    .group = Group::kServer,
    .args = kInfoArgs,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = info,
    .tips = kInfoTips,
    .history = kFactsInfoHistory,
};

constexpr CommandSpec kTime{
    .name = "TIME",
    .summary = "Returns the server's clock as seconds and microseconds since 1970.",
    .complexity = "O(1)",
    .since = "2.6.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
    .group = Group::kServer,
    .reply = Shape::kArray,
    .handler = server_time,
    .tips = kNondeterministic,
};

constexpr CommandSpec kDbSize{
    .name = "DBSIZE",
    .summary = "Counts the keys of the database.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kServer,
    .reply = Shape::kInteger,
    .handler = dbsize,
    .tips = kSumTips,
};

constexpr CommandSpec kLastSave{
    .name = "LASTSAVE",
    .summary = "Returns when the data was last saved, in seconds since 1970.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
    .acl = Acl::kAdmin | Acl::kDangerous,
    .group = Group::kServer,
    .reply = Shape::kInteger,
    .handler = lastsave,
    .tips = kNondeterministic,
};

constexpr CommandSpec kRole{
    .name = "ROLE",
    .summary = "Tells what part the server has in replication.",
    .complexity = "O(1)",
    .since = "2.8.12",
    .arity = Arity::exactly(1),
    .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast,
    .acl = Acl::kAdmin | Acl::kDangerous,
    .group = Group::kServer,
    .reply = Shape::kArray,
    .handler = role,
};

constexpr CommandSpec kMonitor{
    .name = "MONITOR",
    .summary = "Sends every command that the server runs, from now on.",
    .complexity = "O(1), and O(N) with N the number of monitors for each command that runs",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = monitor,
};

}  // namespace hearth::commands
