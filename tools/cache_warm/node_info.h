// A server's INFO. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/cache_warm/node_streams.h"

namespace hearth::warm {

struct NodeInfo {
  NodeStream stream;
  std::uint64_t evicted_keys = 0;
  std::uint64_t used_memory = 0;
  std::uint64_t max_memory = 0;  // 0: no limit
  std::string policy;            // of eviction
  std::uint64_t keys = 0;        // in all databases
  std::uint64_t ops_per_second = 0;

  [[nodiscard]] bool evicts() const { return max_memory > 0 && policy != "noeviction"; }
};

// Nothing when the text is no reply of INFO. Lines that are missing leave their fields empty.
[[nodiscard]] std::optional<NodeInfo> parse_node_info(std::string_view text);

}  // namespace hearth::warm
