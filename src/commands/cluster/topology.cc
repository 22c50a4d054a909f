// CLUSTER SLOTS and CLUSTER SHARDS: who serves what, for clients that route.
#include <algorithm>
#include <map>

#include "cluster/model/redirect.h"
#include "src/command/cluster_control.h"
#include "src/command/common_specs.h"
#include "src/command/info_control.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"

namespace hearth::commands {
namespace {

using cluster::EndpointType;
using cluster::NodeView;
using cluster::View;
using cluster::ViewPtr;
namespace node_flag = cluster::node_flag;

// The endpoint that clients should use; null says "the host you already talk to".
void write_endpoint(ReplyWriter& reply, const NodeView& node, EndpointType type, bool ipv6) {
  if (type == EndpointType::kUnknown)
    reply.null();
  else
    reply.bulk(cluster::client_host(node, type, ipv6));
}

// Endpoint, port, id, and by what other names the host is known.
void write_slots_node(ReplyWriter& reply, const NodeView& node, EndpointType type,
                      const Session& session) {
  reply.array(4);
  write_endpoint(reply, node, type, session.ipv6);
  reply.integer(cluster::client_port(node, false));
  reply.bulk(node.id.view());
  const bool tells_ip = type != EndpointType::kIp;
  const bool tells_hostname = type != EndpointType::kHostname && !node.hostname.empty();
  reply.map((tells_ip ? 1U : 0U) + (tells_hostname ? 1U : 0U));
  if (tells_ip) {
    reply.bulk("ip");
    reply.bulk(cluster::client_host(node, EndpointType::kIp, session.ipv6));
  }
  if (tells_hostname) {
    reply.bulk("hostname");
    reply.bulk(node.hostname);
  }
}

// It has no data of its primary yet, as far as it has told.
bool is_loading(const NodeView& node) { return node.is_replica() && node.replication_offset == 0; }

// Replicas that clients can read from.
std::vector<const NodeView*> replicas_of(const View& view, const NodeView& primary) {
  std::vector<const NodeView*> out;
  for (const NodeView& node : view.nodes) {
    if (node.replica_of == primary.id && !node.has(node_flag::kFail) && !is_loading(node))
      out.push_back(&node);
  }
  return out;
}

Outcome slots(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const ViewPtr view = cluster->view();
  struct Row {
    cluster::SlotRange range;
    const NodeView* primary;
  };
  std::vector<Row> rows;
  for (const NodeView& node : view->nodes) {
    for (const auto range : node.slots.ranges()) rows.push_back({range, &node});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.range < b.range; });
  ReplyWriter& reply = ctx.reply();
  const EndpointType type = view->settings.endpoint_type;
  reply.array(rows.size());
  for (const Row& row : rows) {
    const auto replicas = replicas_of(*view, *row.primary);
    reply.array(3 + replicas.size());
    reply.integer(row.range.first);
    reply.integer(row.range.last);
    write_slots_node(reply, *row.primary, type, ctx.session());
    for (const NodeView* replica : replicas) write_slots_node(reply, *replica, type, ctx.session());
  }
  return {};
}

std::string_view health_of(const NodeView& node) {
  if (node.has(node_flag::kFail)) return "fail";
  return is_loading(node) ? "loading" : "online";
}

void write_shard_node(CommandContext& ctx, const View& view, const NodeView& node) {
  const bool is_me = &node == &view.me();
  const auto& address = node.address;
  ReplyWriter& reply = ctx.reply();
  const std::size_t fields = 6 + (address.port != 0 ? 1U : 0U) + (address.tls_port != 0 ? 1U : 0U) +
                             (node.hostname.empty() ? 0U : 1U);
  reply.map(fields);
  reply.bulk("id");
  reply.bulk(node.id.view());
  if (address.port != 0) {
    reply.bulk("port");
    reply.integer(address.port);
  }
  if (address.tls_port != 0) {
    reply.bulk("tls-port");
    reply.integer(address.tls_port);
  }
  reply.bulk("ip");
  reply.bulk(cluster::client_host(node, EndpointType::kIp, ctx.session().ipv6));
  reply.bulk("endpoint");
  write_endpoint(reply, node, view.settings.endpoint_type, ctx.session().ipv6);
  if (!node.hostname.empty()) {
    reply.bulk("hostname");
    reply.bulk(node.hostname);
  }
  reply.bulk("role");
  reply.bulk(node.is_primary() ? "master" : "replica");
  reply.bulk("replication-offset");
  const InfoControl* info = ctx.services().info;
  const std::uint64_t offset =
      is_me && info != nullptr ? info->replication_offset() : node.replication_offset;
  reply.integer(static_cast<std::int64_t>(offset));
  reply.bulk("health");
  reply.bulk(health_of(node));
}

Outcome shards(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const ViewPtr view = cluster->view();
  std::map<NodeId, std::vector<const NodeView*>> by_shard;
  for (const NodeView& node : view->nodes) {
    if (!node.has(node_flag::kHandshake | node_flag::kNoAddr))
      by_shard[node.shard_id].push_back(&node);
  }
  ReplyWriter& reply = ctx.reply();
  reply.array(by_shard.size());
  for (auto& [shard, members] : by_shard) {
    std::stable_partition(members.begin(), members.end(),
                          [](const NodeView* n) { return n->is_primary(); });
    std::vector<cluster::SlotRange> ranges;
    for (const NodeView* node : members) {
      const auto own = node->slots.ranges();
      ranges.insert(ranges.end(), own.begin(), own.end());
    }
    reply.map(2);
    reply.bulk("slots");
    reply.array(ranges.size() * 2);
    for (const auto range : ranges) {
      reply.integer(range.first);
      reply.integer(range.last);
    }
    reply.bulk("nodes");
    reply.array(members.size());
    for (const NodeView* node : members) write_shard_node(ctx, *view, *node);
  }
  return {};
}

}  // namespace

constexpr CommandSpec kClusterSlots{
    .name = "SLOTS",
    .summary = "Lists ranges of slots with the nodes that serve them.",
    .complexity = "O(N) with N the number of nodes",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kArray,
    .handler = slots,
    .deprecated_since = "7.0.0",
    .replaced_by = "`CLUSTER SHARDS`",
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterShards{
    .name = "SHARDS",
    .summary = "Lists the shards: their slots, their primary and its replicas.",
    .complexity = "O(N) with N the number of nodes",
    .since = "7.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .reply = Shape::kArray,
    .handler = shards,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
