#include "src/metrics/slowlog.h"

#include <algorithm>

#include "src/base/format_number.h"

namespace hearth {
namespace {
constexpr std::size_t kWordsMost = 32;
constexpr std::size_t kWordBytesMost = 128;
}  // namespace

void SlowLog::add(UnixMillis now, std::int64_t duration_us, std::span<const std::string_view> argv,
                  std::string_view address, std::string_view name, std::size_t max_len) {
  SlowEntry entry{next_id_++, now.unix_seconds(),   duration_us,
                  {},         std::string(address), std::string(name)};
  const std::size_t words = std::min(argv.size(), kWordsMost);
  for (std::size_t i = 0; i < words; ++i) {
    if (i + 1 == kWordsMost && argv.size() > kWordsMost) {
      entry.argv.push_back("... (" + std::to_string(argv.size() - kWordsMost + 1) +
                           " more arguments)");
    } else if (argv[i].size() > kWordBytesMost) {
      entry.argv.push_back(std::string(argv[i].substr(0, kWordBytesMost)) + "... (" +
                           std::to_string(argv[i].size() - kWordBytesMost) + " more bytes)");
    } else {
      entry.argv.emplace_back(argv[i]);
    }
  }
  entries_.push_front(std::move(entry));
  trim(max_len);
}

void SlowLog::trim(std::size_t max_len) {
  if (entries_.size() > max_len) entries_.resize(max_len);
}

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
