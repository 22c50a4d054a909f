// The CLUSTER container, and ASKING, READONLY and READWRITE: what a session says about redirects.
#include "src/command/docs.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"

namespace hearth::commands {
namespace {

Outcome asking(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  ctx.session().asking = true;
  ctx.reply().ok();
  return {};
}

Outcome set_readonly(CommandContext& ctx, bool readonly) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  ctx.session().readonly = readonly;
  ctx.reply().ok();
  return {};
}
Outcome readonly(CommandContext& ctx) { return set_readonly(ctx, true); }
Outcome readwrite(CommandContext& ctx) { return set_readonly(ctx, false); }

constexpr CommandSpec kHelp = help_spec("5.0.0", Group::kCluster);
constexpr const CommandSpec* kSubcommands[] = {
    &kClusterAddSlots,
    &kClusterAddSlotsRange,
    &kClusterBumpEpoch,
    &kClusterCancelSlotMigrations,
    &kClusterCountFailureReports,
    &kClusterCountKeysInSlot,
    &kClusterDelSlots,
    &kClusterDelSlotsRange,
    &kClusterDrain,
    &kClusterFailover,
    &kClusterFlushSlot,
    &kClusterFlushSlots,
    &kClusterForget,
    &kClusterGetKeysInSlot,
    &kClusterGetSlotMigrations,
    &kClusterInfo,
    &kClusterKeySlot,
    &kClusterLinks,
    &kClusterMeet,
    &kClusterMigrateSlots,
    &kClusterMigration,
    &kClusterMyId,
    &kClusterMyShardId,
    &kClusterNodes,
    &kClusterRecover,
    &kClusterReplicas,
    &kClusterReplicate,
    &kClusterReset,
    &kClusterSaveConfig,
    &kClusterSetConfigEpoch,
    &kClusterSetSlot,
    &kClusterShards,
    &kClusterSlaves,
    &kClusterSlotStats,
    &kClusterSlots,
    &kClusterSyncSlots,
    &kHelp,
};

}  // namespace

constexpr CommandSpec kCluster{
    .name = "CLUSTER",
    .summary = "The container of commands about the cluster.",
    .complexity = "Depends on the subcommand",
    .since = "3.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kCluster,
    .subcommands = kSubcommands,
};

constexpr CommandSpec kAsking{
    .name = "ASKING",
    .summary = "Says that the next command follows an ASK redirection.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kFast | Flag::kKeepsAsking,
    .acl = Acl::kConnection,
    .group = Group::kCluster,
    .handler = asking,
};

constexpr CommandSpec kReadonly{
    .name = "READONLY",
    .summary = "Lets the connection read from a replica.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kFast | Flag::kLoading | Flag::kStale,
    .acl = Acl::kConnection,
    .group = Group::kCluster,
    .handler = readonly,
};

constexpr CommandSpec kReadwrite{
    .name = "READWRITE",
    .summary = "Ends what READONLY began.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kFast | Flag::kLoading | Flag::kStale,
    .acl = Acl::kConnection,
    .group = Group::kCluster,
    .handler = readwrite,
};

}  // namespace hearth::commands
