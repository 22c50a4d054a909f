// CLUSTER subcommands that tell what this node knows, as text and as lists of nodes and links.
#include "cluster/model/render.h"
#include "src/command/cluster_control.h"
#include "src/command/common_specs.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

using cluster::LinkInfo;
using cluster::NodeIndex;
using cluster::NodeLineFor;
using cluster::ViewPtr;

NodeLineFor reader_of(CommandContext& ctx) {
  return ctx.session().ipv6 ? NodeLineFor::kIpv6Clients : NodeLineFor::kClients;
}

Outcome info(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  ctx.reply().verbatim("txt", cluster::cluster_info_text(*cluster->view()));
  return {};
}

Outcome nodes(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  ctx.reply().verbatim("txt", cluster::cluster_nodes_text(*cluster->view(), reader_of(ctx)));
  return {};
}

Outcome myid(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  ctx.reply().bulk(cluster->view()->me().id.view());
  return {};
}

Outcome myshardid(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  ctx.reply().bulk(cluster->view()->me().shard_id.view());
  return {};
}

Outcome replicas(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const ViewPtr view = cluster->view();
  const NodeId id(ctx.arg(2));
  const NodeIndex primary = NodeId::is_valid(ctx.arg(2)) ? view->find(id) : cluster::kNoNode;
  if (primary == cluster::kNoNode) return refuse("ERR Unknown node " + std::string(ctx.arg(2)));
  if (!view->nodes[primary].is_primary()) return refuse("ERR The specified node is not a master");
  std::vector<NodeIndex> found;
  for (std::size_t i = 0; i < view->nodes.size(); ++i) {
    if (view->nodes[i].replica_of == id) found.push_back(static_cast<NodeIndex>(i));
  }
  ctx.reply().array(found.size());
  for (const NodeIndex i : found) ctx.reply().bulk(cluster::node_line(*view, i, reader_of(ctx)));
  return {};
}

Outcome links(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const std::vector<LinkInfo> all = cluster->links();
  ReplyWriter& reply = ctx.reply();
  reply.array(all.size());
  for (const LinkInfo& link : all) {
    const auto unsent = static_cast<std::int64_t>(link.send_buffer_bytes);
    reply.map(6);
    reply.bulk("direction");
    reply.bulk(link.outgoing ? "to" : "from");
    reply.bulk("node");
    reply.bulk(link.node.view());
    reply.bulk("create-time");
    reply.integer(link.created.ms);
    reply.bulk("events");
    reply.bulk(unsent > 0 ? "rw" : "r");
    reply.bulk("send-buffer-allocated");
    reply.integer(unsent);
    reply.bulk("send-buffer-used");
    reply.integer(unsent);
  }
  return {};
}

Outcome count_failure_reports(CommandContext& ctx) {
  return administer(ctx, cluster::admin::CountFailureReports{std::string(ctx.arg(2))});
}

}  // namespace

constexpr CommandSpec kClusterInfo{
    .name = "INFO",
    .summary = "Tells the state of the cluster as this node sees it.",
    .complexity = "O(N) with N the number of nodes",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kBulk | Shape::kVerbatim,
    .handler = info,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterNodes{
    .name = "NODES",
    .summary = "Lists the nodes with their slots, one line each.",
    .complexity = "O(N) with N the number of nodes",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kBulk | Shape::kVerbatim,
    .handler = nodes,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterMyId{
    .name = "MYID",
    .summary = "Tells the id of this node.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kBulk,
    .handler = myid,
};

constexpr CommandSpec kClusterMyShardId{
    .name = "MYSHARDID",
    .summary = "Tells the id of the shard that this node belongs to.",
    .complexity = "O(1)",
    .since = "7.2.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kBulk,
    .handler = myshardid,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterReplicas{
    .name = "REPLICAS",
    .summary = "Lists the replicas of a primary.",
    .complexity = "O(N) with N the number of nodes",
    .since = "5.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kAdmin | Flag::kStale,
    .group = Group::kCluster,
    .args = kNodeIdArgs,
    .reply = Shape::kArray,
    .handler = replicas,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterSlaves{
    .name = "SLAVES",
    .summary = "Lists the replicas of a primary.",
    .complexity = "O(N) with N the number of nodes",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kAdmin | Flag::kStale,
    .group = Group::kCluster,
    .args = kNodeIdArgs,
    .reply = Shape::kArray,
    .handler = replicas,
    .deprecated_since = "5.0.0",
    .replaced_by = "`CLUSTER REPLICAS`",
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterLinks{
    .name = "LINKS",
    .summary = "Lists the connections of this node with its peers.",
    .complexity = "O(N) with N the number of nodes",
    .since = "7.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kArray,
    .handler = links,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterCountFailureReports{
    .name = "COUNT-FAILURE-REPORTS",
    .summary = "Counts the primaries that report a node as failing.",
    .complexity = "O(N) with N the number of reports",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kAdmin | Flag::kStale,
    .group = Group::kCluster,
    .args = kNodeIdArgs,
    .reply = Shape::kInteger,
    .handler = count_failure_reports,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
