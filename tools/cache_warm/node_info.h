// A server's INFO, and what a load makes of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.h"
#include "tools/cache_warm/node_streams.h"

namespace hearth::warm {

struct NodeInfo {
  NodeStream stream;
  std::uint64_t evicted_keys = 0;
  std::uint64_t used_memory = 0;
  std::uint64_t max_memory = 0;  // 0: no limit
  std::string policy;            // of eviction
  std::uint64_t keys = 0;        // in all databases

  [[nodiscard]] bool evicts() const { return max_memory > 0 && policy != "noeviction"; }
};

// Nothing when the text is no reply of INFO. Lines that are missing leave their fields empty.
[[nodiscard]] std::optional<NodeInfo> parse_node_info(std::string_view text);

// Finds the rate at which the servers still answer others in time: while the answer to a PING takes
// longer than the limit three times in a row, the rate is a fraction of what is sent now; while it
// does not, it grows again, until it is no limit any more.
class Pacer {
 public:
  explicit Pacer(milliseconds limit) : limit_(limit) {}
  // `rows_per_second`: what was sent since the last call. Returns the new rate; 0: no limit.
  double next(microseconds slowest_ping, double rows_per_second);

 private:
  microseconds limit_;
  int slow_in_a_row_ = 0;
  double rate_ = 0;
};

}  // namespace hearth::warm
