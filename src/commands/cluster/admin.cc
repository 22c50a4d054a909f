// CLUSTER subcommands that change who belongs to the cluster, and epochs.
#include "src/command/common_specs.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

namespace admin = cluster::admin;
constexpr std::int64_t kPortMax = 65535;

Outcome meet(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  if (ctx.args().size() > 5) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  const std::string port_text(ctx.arg(3));
  HEARTH_TRY(const std::int64_t port,
             ctx.args().integer(3, "ERR Invalid base port specified: " + port_text));
  std::int64_t cport = port + cluster::kBusPortOffset;
  if (ctx.args().size() == 5) {
    HEARTH_TRY(cport,
               ctx.args().integer(4, "ERR Invalid bus port specified: " + std::string(ctx.arg(4))));
  }
  if (port <= 0 || port > kPortMax || cport <= 0 || cport > kPortMax) {
    return refuse("ERR Invalid node address specified: " + std::string(ctx.arg(2)) + ":" +
                  port_text);
  }
  return administer(ctx, admin::Meet{std::string(ctx.arg(2)), static_cast<std::uint16_t>(port),
                                     static_cast<std::uint16_t>(cport)});
}

Outcome forget(CommandContext& ctx) {
  return administer(ctx, admin::Forget{std::string(ctx.arg(2))});
}

Outcome reset(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  const bool hard = ctx.args().is(2, "HARD");
  if (ctx.args().size() > 3 || (ctx.args().size() == 3 && !hard && !ctx.args().is(2, "SOFT")))
    return syntax_error();
  return administer(ctx, admin::Reset{hard, ctx.keyspace().total_keys() > 0});
}

Outcome bumpepoch(CommandContext& ctx) { return administer(ctx, admin::BumpEpoch{}); }
Outcome saveconfig(CommandContext& ctx) { return administer(ctx, admin::SaveConfig{}); }

Outcome set_config_epoch(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t epoch, ctx.args().integer(2));
  return administer(ctx, admin::SetConfigEpoch{epoch});
}

constexpr ArgDoc kMeetArgs[] = {args::string("ip"), args::integer("port"),
                                args::integer("cluster-bus-port").opt().from("4.0.0")};
constexpr ArgDoc kResetKinds[] = {args::token("hard", "HARD"), args::token("soft", "SOFT")};
constexpr ArgDoc kResetArgs[] = {args::one_of("reset-type", kResetKinds).opt()};
constexpr ArgDoc kEpochArgs[] = {args::integer("config-epoch")};
constexpr HistoryNote kMeetHistory[] = {
    {"4.0.0", "Added the optional `cluster_bus_port` argument."}};

}  // namespace

constexpr CommandSpec kClusterMeet{
    .name = "MEET",
    .summary = "Introduces this node to another one, and by it to its cluster.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::at_least(4),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kMeetArgs,
    .handler = meet,
    .history = kMeetHistory,
};

constexpr CommandSpec kClusterForget{
    .name = "FORGET",
    .summary = "Takes a node out of the cluster, and keeps it out for a minute.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kNodeIdArgs,
    .handler = forget,
};

constexpr CommandSpec kClusterReset{
    .name = "RESET",
    .summary = "Makes this node leave its cluster; HARD gives it a new id and new epochs too.",
    .complexity = "O(N) with N the number of nodes",
    .since = "3.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kAdmin | Flag::kStale | Flag::kNoScript,
    .group = Group::kCluster,
    .args = kResetArgs,
    .handler = reset,
};

constexpr CommandSpec kClusterBumpEpoch{
    .name = "BUMPEPOCH",
    .summary = "Gives this node an epoch greater than every other one that it knows.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = kChanges,
    .group = Group::kCluster,
    .reply = Shape::kSimple,
    .handler = bumpepoch,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterSetConfigEpoch{
    .name = "SET-CONFIG-EPOCH",
    .summary = "Sets the epoch of a node that knows no other one.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kEpochArgs,
    .handler = set_config_epoch,
};

constexpr CommandSpec kClusterSaveConfig{
    .name = "SAVECONFIG",
    .summary = "Writes the cluster's configuration file.",
    .complexity = "O(N) with N the number of nodes",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = kChanges,
    .group = Group::kCluster,
    .handler = saveconfig,
};

}  // namespace hearth::commands
