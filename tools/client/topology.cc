#include "tools/client/topology.h"

#include <fmt/core.h>

#include <algorithm>

namespace hearth::client {
namespace {

// Nodes of the largest clusters that exist are about a thousand.
constexpr std::size_t kNodesMax = 16384;

unexpected<Error> malformed(std::string_view command, std::string_view what) {
  return fail(ErrorCode::kCorrupt, fmt::format("reply of {}: {}", command, what));
}

bool is_port(std::int64_t port) { return port > 0 && port <= 65535; }

Endpoint with_host(std::string_view host, std::int64_t port, const Endpoint& from) {
  if (host.empty() || host == "?")
    host = from.is_unix() ? std::string_view("127.0.0.1") : from.host;
  return {std::string(host), static_cast<std::uint16_t>(port), ""};
}

Result<void> claim(Topology& map, std::int64_t first, std::int64_t last, const Endpoint& node,
                   std::string_view command) {
  if (first < 0 || last >= kSlotCount || first > last)
    return malformed(command, "a slot range is out of bounds");
  if (map.nodes.size() >= kNodesMax) return malformed(command, "too many nodes");
  const std::uint16_t index = map.node_index(node);
  std::fill(map.owner.begin() + first, map.owner.begin() + last + 1, index);
  return {};
}

bool is_failed(const RespValue& node) {
  const auto* health = node.find("health");
  return health != nullptr && health->is_text("fail");
}

// The shard's primary: one that is alive, if there is one. Nothing: it has none.
const RespValue* primary_of(const RespValue& nodes) {
  const RespValue* failed = nullptr;
  for (const auto& node : nodes.items()) {
    const auto* role = node.find("role");
    if (role == nullptr || !role->is_text("master")) continue;
    if (!is_failed(node)) return &node;
    failed = &node;
  }
  return failed;
}

Endpoint shard_endpoint(const RespValue& node, const Endpoint& from) {
  const auto* port = node.find("port");
  std::string_view host;
  for (const char* field : {"endpoint", "ip"}) {
    const auto* value = node.find(field);
    if (value == nullptr || value->text().empty() || value->text() == "?") continue;
    host = value->text();
    break;
  }
  return with_host(host, port == nullptr ? 0 : port->integer(), from);
}

}  // namespace

Topology Topology::single(Endpoint server) {
  Topology map;
  map.nodes.push_back(std::move(server));
  map.owner.fill(0);
  return map;
}

int Topology::slots_covered() const noexcept {
  return static_cast<int>(
      std::count_if(owner.begin(), owner.end(), [](auto o) { return o != kNobody; }));
}

std::uint16_t Topology::node_index(const Endpoint& endpoint) {
  const auto found = std::find(nodes.begin(), nodes.end(), endpoint);
  if (found == nodes.end()) {
    nodes.push_back(endpoint);
    return static_cast<std::uint16_t>(nodes.size() - 1);
  }
  return static_cast<std::uint16_t>(found - nodes.begin());
}

Result<Topology> parse_cluster_shards(const RespValue& reply, const Endpoint& from) {
  constexpr std::string_view kName = "CLUSTER SHARDS";
  if (reply.kind != RespKind::kArray) return malformed(kName, "not an array");
  Topology map;
  map.is_cluster = true;
  for (const auto& shard : reply.items()) {
    const auto* slots = shard.find("slots");
    const auto* nodes = shard.find("nodes");
    if (slots == nullptr || nodes == nullptr)
      return malformed(kName, "a shard without slots or nodes");
    const auto ranges = slots->items();
    if (ranges.size() % 2 != 0) return malformed(kName, "an odd number of slot bounds");
    const auto* primary = primary_of(*nodes);
    if (primary == nullptr || ranges.empty()) continue;
    const Endpoint endpoint = shard_endpoint(*primary, from);
    if (endpoint.port == 0) continue;  // a node that listens with TLS only
    if (is_failed(*primary)) {
      if (map.failed.size() >= kNodesMax) return malformed(kName, "too many nodes");
      map.failed.push_back(endpoint);
      continue;
    }
    for (std::size_t i = 0; i < ranges.size(); i += 2) {
      HEARTH_TRY_VOID(
          claim(map, ranges[i].integer(-1), ranges[i + 1].integer(-1), endpoint, kName));
    }
  }
  return map;
}

Result<Topology> parse_cluster_slots(const RespValue& reply, const Endpoint& from) {
  constexpr std::string_view kName = "CLUSTER SLOTS";
  if (reply.kind != RespKind::kArray) return malformed(kName, "not an array");
  Topology map;
  map.is_cluster = true;
  for (const auto& range : reply.items()) {
    const auto fields = range.items();
    if (fields.size() < 3) return malformed(kName, "a range without its primary");
    const auto primary = fields[2].items();
    if (primary.size() < 2 || !is_port(primary[1].integer()))
      return malformed(kName, "a node without address");
    const Endpoint endpoint = with_host(primary[0].text(), primary[1].integer(), from);
    HEARTH_TRY_VOID(claim(map, fields[0].integer(-1), fields[1].integer(-1), endpoint, kName));
  }
  return map;
}

}  // namespace hearth::client
