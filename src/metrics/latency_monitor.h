// The latency monitor's event series.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "src/base/time.h"

namespace hearth {

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
