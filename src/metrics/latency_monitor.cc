#include "src/metrics/latency_monitor.h"

#include <algorithm>

namespace hearth {

void LatencyMonitor::add(std::string_view event, UnixMillis now, std::uint32_t ms) {
  auto at = series_.find(event);
  if (at == series_.end()) at = series_.emplace(event, Series{}).first;
  Series& s = at->second;
  s.worst_ms = std::max(s.worst_ms, ms);
  if (!s.samples.empty() && s.samples.back().unix_seconds == now.unix_seconds()) {
    s.samples.back().ms = std::max(s.samples.back().ms, ms);
    return;
  }
  if (s.samples.size() >= kSamplesMost) s.samples.pop_front();
  s.samples.push_back({now.unix_seconds(), ms});
}

std::size_t LatencyMonitor::reset(std::string_view event) {
  if (event.empty()) {
    const std::size_t n = series_.size();
    series_.clear();
    return n;
  }
  const auto at = series_.find(event);
  if (at == series_.end()) return 0;
  series_.erase(at);
  return 1;
}

}  // namespace hearth
