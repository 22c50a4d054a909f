#include "src/commands/server/latency_text.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace hearth::commands {
namespace {

constexpr std::size_t kBarsMost = 80;
constexpr int kBarRows = 4;

struct Range {
  std::uint32_t low = 0, high = 0;
};
Range range_of(const std::deque<LatencyMonitor::Sample>& samples) {
  Range r{samples.front().ms, samples.front().ms};
  for (const auto& s : samples) {
    r.low = std::min(r.low, s.ms);
    r.high = std::max(r.high, s.ms);
  }
  return r;
}

// "12s", "5m", "3h", "2d".
std::string age_text(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(0, seconds);
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::string_view advice_for(std::string_view event) {
  if (event == "command") {
    return "Commands of O(N) and more are the cause: look into SLOWLOG GET and split large values "
           "or large ranges.";
  }
  if (event == "fast-command") {
    return "Fast commands were slow: the machine did not run the server at once. Look for "
           "swapping, for a full CPU and "
           "for a noisy virtual machine.";
  }
  if (event == "expire-cycle")
    return "Many keys expire at the same moment: spread their times to live.";
  if (event == "eviction-cycle")
    return "Keys are evicted faster than memory is freed: raise maxmemory or write less.";
  return "";
}

}  // namespace

std::string latency_graph(std::string_view event, const LatencyMonitor::Series& series,
                          UnixMillis now) {
  const auto& samples = series.samples;
  const Range range = range_of(samples);
  char head[256];
  std::snprintf(head, sizeof head, "%.*s - high %u ms, low %u ms (all time high %u ms)\n",
                static_cast<int>(event.size()), event.data(), range.high, range.low,
                series.worst_ms);
  std::string text = head;
  text += std::string(80, '-') + "\n";
  const std::size_t first = samples.size() > kBarsMost ? samples.size() - kBarsMost : 0;
  std::vector<std::string> ages;
  std::size_t longest = 0;
  for (std::size_t i = first; i < samples.size(); ++i) {
    ages.push_back(age_text(now.unix_seconds() - samples[i].unix_seconds));
    longest = std::max(longest, ages.back().size());
  }
  for (int row = kBarRows; row >= 1; --row) {
    for (std::size_t i = first; i < samples.size(); ++i) {
      // Every sample has at least the lowest row.
      const std::uint64_t height =
          range.high == 0 ? 1
                          : (std::uint64_t{samples[i].ms} * kBarRows + range.high - 1) / range.high;
      text += height >= static_cast<std::uint64_t>(row) || row == 1 ? '#' : ' ';
    }
    text += '\n';
  }
  text += '\n';
  for (std::size_t line = 0; line < longest; ++line) {
    for (const std::string& age : ages) text += line < age.size() ? age[line] : ' ';
    text += '\n';
  }
  return text;
}

std::string latency_report(const LatencyMonitor& monitor, milliseconds threshold) {
  if (threshold.count() <= 0) {
    return "Latency is not being monitored. Turn it on by CONFIG SET latency-monitor-threshold "
           "<milliseconds>: everything "
           "that takes longer is then recorded.\n";
  }
  if (monitor.series().empty()) {
    return "No event took longer than " + std::to_string(threshold.count()) +
           " ms since the monitor was reset.\n";
  }
  std::string text =
      "Events that took longer than " + std::to_string(threshold.count()) + " ms:\n\n";
  int number = 0;
  for (const auto& [event, series] : monitor.series()) {
    std::uint64_t sum = 0;
    for (const auto& s : series.samples) sum += s.ms;
    const std::uint64_t count = series.samples.size();
    const std::uint64_t mean = sum / std::max<std::uint64_t>(1, count);
    const std::int64_t span =
        series.samples.back().unix_seconds - series.samples.front().unix_seconds;
    text += std::to_string(++number) + ". " + event + ": " + std::to_string(count) +
            " seconds with spikes, on average " + std::to_string(mean) + " ms, over " +
            std::to_string(span) + " s; the worst took " + std::to_string(series.worst_ms) +
            " ms.\n";
    if (const auto advice = advice_for(event); !advice.empty())
      text += "   " + std::string(advice) + "\n";
  }
  return text;
}

}  // namespace hearth::commands
