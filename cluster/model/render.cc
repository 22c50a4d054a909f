#include "cluster/model/render.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

#include "cluster/model/redirect.h"
#include "src/base/parse_number.h"

namespace hearth::cluster {
namespace {

constexpr std::array<std::pair<NodeFlags, std::string_view>, 8> kFlagNames{{
    {node_flag::kMyself, "myself"},
    {node_flag::kPrimary, "master"},
    {node_flag::kReplica, "slave"},
    {node_flag::kPfail, "fail?"},
    {node_flag::kFail, "fail"},
    {node_flag::kHandshake, "handshake"},
    {node_flag::kNoAddr, "noaddr"},
    {node_flag::kNoFailover, "nofailover"},
}};

constexpr std::array<std::string_view, kMessageTypes> kTypeNames{
    "ping",     "pong",   "meet",    "fail",   "publish",     "auth-req",
    "auth-ack", "update", "mfstart", "module", "publishshard"};

void append_aux_fields(const NodeView& node, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, ",{},tls-port={},shard-id={}", node.hostname, node.address.tls_port,
                 node.shard_id.view());
  if (!node.human_name.empty()) fmt::format_to(to, ",nodename={}", node.human_name);
  if (!node.client_ipv4.empty()) fmt::format_to(to, ",client-ipv4={}", node.client_ipv4);
  if (!node.client_ipv6.empty()) fmt::format_to(to, ",client-ipv6={}", node.client_ipv6);
}

Epoch epoch_shown(const View& view, const NodeView& node) {
  if (node.is_replica()) {
    if (const auto primary = view.find(node.replica_of); primary != kNoNode) {
      return view.nodes[primary].config_epoch;
    }
  }
  return node.config_epoch;
}

void append_slots(const View& view, NodeIndex index, std::string& out) {
  auto to = std::back_inserter(out);
  for (const auto range : view.nodes[index].slots.ranges()) {
    fmt::format_to(to, " {}", range_text(range));
  }
  if (index != view.myself) return;
  // Ascending over both kinds together, as one walk over the slots would show them.
  auto migrating = view.migrating.begin();
  auto importing = view.importing.begin();
  while (migrating != view.migrating.end() || importing != view.importing.end()) {
    if (importing == view.importing.end() ||
        (migrating != view.migrating.end() && migrating->slot <= importing->slot)) {
      fmt::format_to(to, " [{}->-{}]", migrating->slot, view.nodes[migrating->peer].id.view());
      ++migrating;
    } else {
      fmt::format_to(to, " [{}-<-{}]", importing->slot, view.nodes[importing->peer].id.view());
      ++importing;
    }
  }
}

// Slots by the health of their owner.
struct Coverage {
  int ok = 0;
  int pfail = 0;
  int fail = 0;
};

Coverage coverage_of(const View& view) {
  Coverage c;
  for (const auto& node : view.nodes) {
    if (node.has(node_flag::kFail)) {
      c.fail += node.slot_count;
    } else if (node.has(node_flag::kPfail)) {
      c.pfail += node.slot_count;
    } else {
      c.ok += node.slot_count;
    }
  }
  return c;
}

void append_message_counts(const std::array<std::uint64_t, kMessageTypes>& counts,
                           std::string_view direction, std::string& out) {
  std::uint64_t total = 0;
  auto to = std::back_inserter(out);
  for (std::size_t type = 0; type < counts.size(); ++type) {
    if (counts[type] == 0) continue;
    total += counts[type];
    fmt::format_to(to, "cluster_stats_messages_{}_{}:{}\r\n", kTypeNames[type], direction,
                   counts[type]);
  }
  fmt::format_to(to, "cluster_stats_messages_{}:{}\r\n", direction, total);
}

}  // namespace

std::string flags_text(NodeFlags flags) {
  std::string out;
  for (const auto& [flag, name] : kFlagNames) {
    if ((flags & flag) == 0) continue;
    if (!out.empty()) out += ',';
    out += name;
  }
  return out.empty() ? "noflags" : out;
}

std::string node_line(const View& view, NodeIndex index, NodeLineFor reader) {
  const NodeView& node = view.nodes[index];
  std::string out;
  auto to = std::back_inserter(out);
  const std::string_view ip = reader == NodeLineFor::kFile
                                  ? std::string_view(node.address.ip)
                                  : client_ip(node, reader == NodeLineFor::kIpv6Clients);
  fmt::format_to(to, "{} {}:{}@{}", node.id.view(), ip,
                 reader == NodeLineFor::kTlsClients ? node.address.tls_port : node.address.port,
                 node.address.cport);
  if (reader == NodeLineFor::kFile) {
    append_aux_fields(node, out);
  } else if (!node.hostname.empty()) {
    fmt::format_to(to, ",{}", node.hostname);
  }
  fmt::format_to(to, " {} {} {} {} {} {}", flags_text(node.flags),
                 node.replica_of.is_null() ? std::string_view{"-"} : node.replica_of.view(),
                 node.ping_sent.ms, node.pong_received.ms, epoch_shown(view, node),
                 node.link_connected || index == view.myself ? "connected" : "disconnected");
  append_slots(view, index, out);
  return out;
}

std::string cluster_nodes_text(const View& view, NodeLineFor reader) {
  std::string out;
  for (std::size_t i = 0; i < view.nodes.size(); ++i) {
    // A handshake node has a made-up id until its first answer; no file may keep that.
    if (reader == NodeLineFor::kFile && view.nodes[i].has(node_flag::kHandshake)) continue;
    out += node_line(view, static_cast<NodeIndex>(i), reader);
    out += '\n';
  }
  return out;
}

std::string cluster_info_text(const View& view) {
  const Coverage slots = coverage_of(view);
  const NodeView& me = view.me();
  std::string out;
  fmt::format_to(std::back_inserter(out),
                 "cluster_state:{}\r\n"
                 "cluster_slots_assigned:{}\r\n"
                 "cluster_slots_ok:{}\r\n"
                 "cluster_slots_pfail:{}\r\n"
                 "cluster_slots_fail:{}\r\n"
                 "cluster_known_nodes:{}\r\n"
                 "cluster_size:{}\r\n"
                 "cluster_current_epoch:{}\r\n"
                 "cluster_my_epoch:{}\r\n",
                 view.state == ClusterState::kOk ? "ok" : "fail", view.assigned, slots.ok,
                 slots.pfail, slots.fail, view.nodes.size(), view.size, view.current_epoch,
                 epoch_shown(view, me));
  if (!view.recovery_hint.empty())
    fmt::format_to(std::back_inserter(out), "cluster_recovery_hint:{}\r\n", view.recovery_hint);
  append_message_counts(view.stats.sent, "sent", out);
  append_message_counts(view.stats.received, "received", out);
  fmt::format_to(std::back_inserter(out), "total_cluster_links_buffer_limit_exceeded:{}\r\n",
                 view.stats.links_over_buffer_limit);
  return out;
}

std::string open_slots_text(const View& view) {
  std::string text;
  const auto add = [&](const std::vector<SlotInMotion>& moving, char arrow) {
    for (const SlotInMotion& m : moving)
      fmt::format_to(std::back_inserter(text), "{}{}{},", m.slot, arrow,
                     view.nodes[m.peer].id.view());
  };
  add(view.importing, '<');
  add(view.migrating, '>');
  return text;
}

std::optional<std::vector<OpenSlot>> parse_open_slots(std::string_view text) {
  std::vector<OpenSlot> slots;
  while (!text.empty()) {
    const auto arrow = text.find_first_of("<>");
    const auto end = text.find(',');
    if (arrow == std::string_view::npos || end == std::string_view::npos || end < arrow)
      return std::nullopt;
    const auto slot = parse_uint64(text.substr(0, arrow));
    const std::string_view node = text.substr(arrow + 1, end - arrow - 1);
    if (!slot || *slot >= kSlotCount || !NodeId::is_valid(node) ||
        slots.size() >= std::size_t{2} * kSlotCount)
      return std::nullopt;
    slots.push_back({static_cast<Slot>(*slot), NodeId(node), text[arrow] == '<'});
    text.remove_prefix(end + 1);
  }
  return slots;
}

}  // namespace hearth::cluster
