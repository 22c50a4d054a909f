// The slow log, and the latency monitor's event series.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/time.h"

namespace hearth {

struct SlowEntry {
  std::uint64_t id = 0;
  std::int64_t unix_seconds = 0;
  std::int64_t duration_us = 0;
  std::vector<std::string> argv;  // shortened: 32 words of 128 bytes at most
  std::string client_address;
  std::string client_name;
};

// Newest first; bounded by `max_len` at each add.
class SlowLog {
 public:
  void add(UnixMillis now, std::int64_t duration_us, std::span<const std::string_view> argv,
           std::string_view address, std::string_view name, std::size_t max_len);
  void trim(std::size_t max_len);
  void reset() { entries_.clear(); }
  [[nodiscard]] const std::deque<SlowEntry>& entries() const { return entries_; }

 private:
  std::deque<SlowEntry> entries_;
  std::uint64_t next_id_ = 0;
};

// Latency spikes by event name: the last 160, one a second at most (the worst of that second).
class LatencyMonitor {
 public:
  static constexpr std::size_t kSamplesMost = 160;
  struct Sample {
    std::int64_t unix_seconds = 0;
    std::uint32_t ms = 0;
  };
  struct Series {
    std::deque<Sample> samples;
    std::uint32_t worst_ms = 0;
  };
  void add(std::string_view event, UnixMillis now, std::uint32_t ms);
  // Returns how many series were dropped; all of them for an empty name.
  std::size_t reset(std::string_view event);
  [[nodiscard]] const std::map<std::string, Series, std::less<>>& series() const { return series_; }

 private:
  std::map<std::string, Series, std::less<>> series_;
};

}  // namespace hearth
