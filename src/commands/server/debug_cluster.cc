// DEBUG subcommands that disturb the cluster bus.
#include "src/command/cluster_control.h"
#include "src/commands/server/debug.h"

namespace hearth::commands {
namespace {

Result<ClusterControl*, ReplyError> cluster_of(const CommandContext& ctx) {
  if (ctx.services().cluster == nullptr)
    return refuse("ERR Debug option only available for cluster mode enabled setup!");
  return ctx.services().cluster;
}

Outcome clusterlink(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const ArgReader& args = ctx.args();
  if (!args.is(2, "KILL")) return unknown_debug_verb(args[1]);
  cluster::LinkSide side = cluster::LinkSide::kBoth;
  if (args.is(3, "TO"))
    side = cluster::LinkSide::kTo;
  else if (args.is(3, "FROM"))
    side = cluster::LinkSide::kFrom;
  else if (!args.is(3, "ALL"))
    return unknown_debug_verb(args[1]);
  if (!NodeId::is_valid(args[4]) || !cluster->cut_links(NodeId(args[4]), side)) {
    return refuse("ERR Unknown node " + std::string(args[4]));
  }
  ctx.reply().ok();
  return {};
}

// The two switches are set one at a time and hold together.
Outcome drop_packets(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  HEARTH_TRY(const std::int64_t type,
             ctx.args().integer_between(2, cluster::BusDisturbance::kEverything,
                                        static_cast<std::int64_t>(cluster::kMessageTypes)));
  cluster->drop_messages(static_cast<int>(type));
  ctx.reply().ok();
  return {};
}

Outcome close_on_drop(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  HEARTH_TRY(const std::int64_t on, ctx.args().integer(2));
  cluster->close_on_drop(on != 0);
  ctx.reply().ok();
  return {};
}

constexpr DebugVerb kDebugClusterVerbs[] = {
    {"CLUSTERLINK", "KILL <TO|FROM|ALL> <node-id>", "Cuts the cluster bus links with a node.", 5, 5,
     clusterlink},
    {"DROP-CLUSTER-PACKET-FILTER", "<type>",
     "Ignores bus messages of that type; -1 is none, -2 is all.", 3, 3, drop_packets},
    {"CLOSE-CLUSTER-LINK-ON-PACKET-DROP", "<0|1>", "Whether an ignored message closes its link.", 3,
     3, close_on_drop},
};

}  // namespace

std::span<const DebugVerb> debug_cluster_verbs() { return kDebugClusterVerbs; }

}  // namespace hearth::commands
