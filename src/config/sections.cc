#include <array>

#include "src/config/tables.h"

namespace hearth::config {

std::span<const Section> sections() {
  static const std::array kSections{
      Section{"Network", network_parameters()},
      Section{"Process", process_parameters()},
      Section{"Access", access_parameters()},
      Section{"Memory, expiry and eviction", memory_parameters()},
      Section{"Encodings of small values", encoding_parameters()},
      Section{"Observation", observation_parameters()},
      Section{"Snapshots (RDB)", snapshot_parameters()},
      Section{"Append-only file (AOF)", append_only_parameters()},
      Section{"Replication", replication_parameters()},
      Section{"Cluster", cluster_parameters()},
      Section{"Warming from a database", warm_parameters()},
      Section{"TLS", tls_parameters()},
  };
  return kSections;
}

}  // namespace hearth::config
