// A view as the text that clients read.
#pragma once

#include <string>

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

}  // namespace hearth::cluster
