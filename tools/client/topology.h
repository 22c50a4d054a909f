// The owners of the slots, as a server tells them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "src/proto/reply_parser.h"
#include "tools/client/endpoint.h"

namespace hearth::client {

// The primaries and their slots. A server without cluster support is one node that owns all.
struct Topology {
  static constexpr std::uint16_t kNobody = 0xffff;

  bool is_cluster = false;
  std::vector<Endpoint> nodes;
  std::array<std::uint16_t, kSlotCount> owner{};  // index into nodes, or kNobody
  // Primaries that the cluster holds for failed and that nobody has replaced yet. Their slots have
  // no owner, and the keys in them may come back with a replica.
  std::vector<Endpoint> failed;

  Topology() { owner.fill(kNobody); }
  static Topology single(Endpoint server);

  [[nodiscard]] int slots_covered() const noexcept;
  // The index of a node, added when it is new. O(nodes).
  std::uint16_t node_index(const Endpoint& endpoint);
};

// Reply of CLUSTER SHARDS: of each shard with slots, its primary. `from` is the node that
// answered, whose host stands in for hosts that the reply leaves empty. Errors: kCorrupt.
Result<Topology> parse_cluster_shards(const RespValue& reply, const Endpoint& from);

// Reply of CLUSTER SLOTS, for servers before CLUSTER SHARDS (7.0). Errors: kCorrupt.
Result<Topology> parse_cluster_slots(const RespValue& reply, const Endpoint& from);

}  // namespace hearth::client
