// A view as the text that clients read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/model/admin.h"
#include "cluster/model/view.h"

namespace hearth::cluster {

enum class NodeLineFor : std::uint8_t {
  kClients,      // CLUSTER NODES: ip:port@cport[,hostname]; the IPv4 address for clients
  kIpv6Clients,  // the same with the IPv6 address for clients
  kTlsClients,   // the same as kClients with the TLS port
  kFile,         // nodes.conf: auxiliary fields (shard id, names, TLS port) follow the host name
};

// "myself,master", "slave,fail?", "noflags": the flags field of a node line.
[[nodiscard]] std::string flags_text(NodeFlags flags);

// One node in the form of CLUSTER NODES, without a line end:
//   id address flags primary|- ping-sent pong-received config-epoch link-state slots...
// My own line ends with the slots in motion: [93->-target] [77-<-source].
[[nodiscard]] std::string node_line(const View& view, NodeIndex index, NodeLineFor reader);

// All nodes, one line each, every line ended.
[[nodiscard]] std::string cluster_nodes_text(const View& view, NodeLineFor reader);

// CLUSTER INFO: "name:value" lines with CRLF ends.
[[nodiscard]] std::string cluster_info_text(const View& view);

// The field of a snapshot that has them.
inline constexpr std::string_view kOpenSlotsField = "cluster-slot-states";
// The slots in motion as they go along with the data set to a replica: "609>target,77<source,",
// imports first. Empty: there are none.
[[nodiscard]] std::string open_slots_text(const View& view);
// The same, read; nothing if it is something else. At most every slot each way.
[[nodiscard]] std::optional<std::vector<OpenSlot>> parse_open_slots(std::string_view text);

}  // namespace hearth::cluster
