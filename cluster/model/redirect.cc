#include "cluster/model/redirect.h"

#include <fmt/format.h>

namespace hearth::cluster {
namespace {

// The answer while the cluster is down; kServe means: go on.
RedirectKind refusal_while_down(const View& view, const RedirectQuery& query) {
  if (query.shard_pubsub) {
    return view.settings.shard_pubsub_when_down ? RedirectKind::kServe : RedirectKind::kDown;
  }
  if (!view.settings.reads_when_down) return RedirectKind::kDown;
  return query.command_writes ? RedirectKind::kDownReadsOnly : RedirectKind::kServe;
}

bool replica_may_read(const View& view, const RedirectQuery& query, NodeIndex owner) {
  const NodeView& me = view.me();
  if (!me.is_replica() || me.replica_of != view.nodes[owner].id) return false;
  if (query.shard_pubsub) return true;
  return query.session_readonly && !query.command_writes;
}

}  // namespace

Redirect redirect(const View& view, const RedirectQuery& query) {
  if (query.slots.empty()) return {};
  const Slot slot = query.slots.front();
  const NodeIndex owner = view.owner[slot];
  if (owner == kNoNode) return {RedirectKind::kSlotUnserved, slot, kNoNode};
  for (const Slot other : query.slots) {
    if (other != slot) return {RedirectKind::kCrossSlot, slot, kNoNode};
  }
  if (view.state != ClusterState::kOk) {
    const auto refusal = refusal_while_down(view, query);
    if (refusal != RedirectKind::kServe) return {refusal, slot, kNoNode};
  }

  if (!query.shard_pubsub) {
    const NodeIndex target = view.migrating_to(slot);
    const NodeIndex source = view.importing_from(slot);
    if (query.moves_slots && (target != kNoNode || source != kNoNode)) return {};
    const bool is_read_here = owner == view.myself || replica_may_read(view, query, owner);
    if (is_read_here && target != kNoNode && query.keys_missing > 0) {
      // With some keys here and some already there, neither side can run the command.
      if (query.keys_present > 0) return {RedirectKind::kTryAgain, slot, kNoNode};
      return {RedirectKind::kAsk, slot, target};
    }
    const bool may_ask =
        !view.me().is_replica() || (query.session_readonly && !query.command_writes);
    if (source != kNoNode && query.session_asking && may_ask) {
      if (query.slots.size() > 1 && !query.one_key && query.keys_missing > 0) {
        return {RedirectKind::kTryAgain, slot, kNoNode};
      }
      return {};
    }
  }
  if (owner == view.myself || replica_may_read(view, query, owner)) return {};
  return {RedirectKind::kMoved, slot, owner};
}

std::string_view client_ip(const NodeView& node, bool ipv6) {
  const std::string& announced = ipv6 ? node.client_ipv6 : node.client_ipv4;
  return announced.empty() ? node.address.ip : announced;
}

std::string_view client_host(const NodeView& node, EndpointType type, bool ipv6) {
  switch (type) {
    case EndpointType::kHostname:
      return node.hostname.empty() ? std::string_view{"?"} : std::string_view{node.hostname};
    case EndpointType::kUnknown: return "";
    case EndpointType::kIp: break;
  }
  return client_ip(node, ipv6);
}

std::string redirect_text(const View& view, const RedirectQuery& query, const Redirect& decision) {
  switch (decision.kind) {
    case RedirectKind::kServe: return {};
    case RedirectKind::kCrossSlot: return "CROSSSLOT Keys in request don't hash to the same slot";
    case RedirectKind::kTryAgain: return "TRYAGAIN Multiple keys request during rehashing of slot";
    case RedirectKind::kSlotUnserved: return "CLUSTERDOWN Hash slot not served";
    case RedirectKind::kDown: return "CLUSTERDOWN The cluster is down";
    case RedirectKind::kDownReadsOnly:
      return "CLUSTERDOWN The cluster is down and only accepts read commands";
    case RedirectKind::kMoved:
    case RedirectKind::kAsk: break;
  }
  const NodeView& node = view.nodes[decision.node];
  return fmt::format("{} {} {}:{}", decision.kind == RedirectKind::kAsk ? "ASK" : "MOVED",
                     decision.slot,
                     client_host(node, view.settings.endpoint_type, query.session_ipv6),
                     client_port(node, query.session_tls));
}

}  // namespace hearth::cluster
