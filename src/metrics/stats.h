// Counters of the engine: plain integers, one writer (the engine thread).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/time.h"
#include "src/metrics/slot_stats.h"

namespace hearth {

// Latencies in buckets that widen by powers of two with 16 steps in each: the relative error of a
// percentile is below 7 %.
class LatencyHistogram {
 public:
  void add(std::uint64_t ns) {
    // Values below kSteps have a bucket each; above, the top five bits choose.
    const auto width = static_cast<unsigned>(std::bit_width(ns | 1));
    std::size_t at = ns;
    if (width > 4) at = (width - 4) * kSteps + ((ns >> (width - 5)) & (kSteps - 1));
    ++buckets_[std::min<std::size_t>(at, buckets_.size() - 1)];
    ++count_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // The upper bound of the bucket that holds this share, in nanoseconds.
  [[nodiscard]] std::uint64_t percentile_ns(double percent) const;
  // Cumulative counts at 1, 2, 4 ... us, from the first to the last power of two that gains any.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> cumulative_by_power_us() const;
  void reset() { *this = LatencyHistogram(); }

 private:
  static constexpr unsigned kSteps = 16;
  std::uint64_t count_ = 0;
  std::array<std::uint32_t, 40 * kSteps> buckets_{};
};

struct CommandStats {
  std::uint64_t calls = 0;
  std::uint64_t ns = 0;
  std::uint64_t rejected = 0;
  std::uint64_t failed = 0;
};

struct Stats {
  std::uint64_t connections_received = 0;
  std::uint64_t rejected_connections = 0;
  std::uint64_t commands_processed = 0;
  std::uint64_t net_input_bytes = 0;
  std::uint64_t net_output_bytes = 0;
  std::uint64_t net_repl_input_bytes = 0;   // of those: from the primary
  std::uint64_t net_repl_output_bytes = 0;  // and to replicas
  std::uint64_t keyspace_hits = 0;
  std::uint64_t keyspace_misses = 0;
  std::uint64_t expired_keys = 0;
  std::uint64_t expired_subkeys = 0;
  std::uint64_t expired_time_cap_reached = 0;
  std::uint64_t expire_cycle_us = 0;
  std::uint64_t evicted_keys = 0;
  std::uint64_t evicted_clients = 0;
  std::uint64_t eviction_exceeded_us = 0;      // above maxmemory, without the time up to now
  std::uint64_t unexpected_error_replies = 0;  // to a log or a primary, whose commands are right
  std::uint64_t total_error_replies = 0;
  std::uint64_t query_buffer_limit_disconnections = 0;
  std::uint64_t output_buffer_limit_disconnections = 0;
  std::uint64_t reads_processed = 0;
  std::uint64_t writes_processed = 0;
  std::uint64_t acl_denied_auth = 0;
  std::uint64_t acl_denied_cmd = 0;
  std::uint64_t acl_denied_key = 0;
  std::uint64_t acl_denied_channel = 0;
  std::uint64_t acl_denied_database = 0;
  std::uint64_t pubsub_messages = 0;
  std::uint64_t eventloop_cycles = 0;
  std::uint64_t eventloop_duration_us = 0;
  std::uint64_t eventloop_duration_cmd_us = 0;
  std::uint64_t eventloop_duration_cron_us = 0;
  std::uint64_t eventloop_cmd_per_cycle_max = 0;
  std::uint64_t eventloop_duration_max_us = 0;
  std::uint64_t stale_percent_x100 = 0;  // share of keys found expired by the last expiry cycles
  std::uint64_t used_memory_peak = 0;
  std::uint64_t evicted_scripts = 0;
  std::uint64_t reply_buffer_shrinks = 0;
  std::uint64_t reply_buffer_expands = 0;

  // Indexed by Command::id.
  std::vector<CommandStats> commands;
  // Made by the first call of the command: 2.5 KiB each, and few commands are used.
  std::vector<std::unique_ptr<LatencyHistogram>> latencies;
  void add_latency(std::uint32_t id, std::uint64_t ns) {
    if (latencies[id] == nullptr) [[unlikely]]
      latencies[id] = std::make_unique<LatencyHistogram>();
    latencies[id]->add(ns);
  }
  // Error code ("ERR", "WRONGTYPE") -> count. Bounded: past kErrorKindsMost codes only the total
  // counts.
  static constexpr std::size_t kErrorKindsMost = 128;
  std::map<std::string, std::uint64_t, std::less<>> errors;

  SlotStats slots;

  void count_error(std::string_view text);
  void reset();
};

// Per-second rates from a ring of 16 samples, one each 100 ms: INFO's instantaneous_* fields. A
// total that has fallen was reset, and what was measured before is forgotten with it.
class RateMeter {
 public:
  void sample(MonoTime now, std::uint64_t total);
  [[nodiscard]] std::uint64_t per_second() const;
  void reset() { *this = RateMeter(); }

 private:
  std::array<std::uint64_t, 16> rates_{};
  std::size_t next_ = 0;
  MonoTime last_time_{};
  std::uint64_t last_total_ = 0;
};

}  // namespace hearth
