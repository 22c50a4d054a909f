#include "src/metrics/stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hearth {

namespace {
std::uint64_t upper_bound_ns(std::size_t bucket) {
  if (bucket < 16) return bucket;
  const std::size_t shift = bucket / 16 - 1;
  return ((16 + bucket % 16 + 1) << shift) - 1;
}
}  // namespace

std::uint64_t LatencyHistogram::percentile_ns(double percent) const {
  if (count_ == 0) return 0;
  const auto rank =
      static_cast<std::uint64_t>(std::ceil(percent / 100.0 * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= std::max<std::uint64_t>(rank, 1)) return upper_bound_ns(i);
  }
  return upper_bound_ns(buckets_.size() - 1);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> LatencyHistogram::cumulative_by_power_us()
    const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
  std::uint64_t seen = 0, reported = 0, limit_us = 1;
  for (std::size_t i = 0; i < buckets_.size() && reported < count_;) {
    while (i < buckets_.size() && upper_bound_ns(i) <= limit_us * 1024) seen += buckets_[i++];
    if (seen > reported) {
      out.emplace_back(limit_us, seen);
      reported = seen;
    }
    limit_us *= 2;
  }
  return out;
}

void Stats::count_error(std::string_view text) {
  ++total_error_replies;
  const std::string_view code = text.substr(0, text.find(' '));
  const auto at = errors.find(code);
  if (at != errors.end())
    ++at->second;
  else if (errors.size() < 2 * kErrorKindsMost)
    errors.emplace(code, 1);
}

void Stats::reset() {
  const std::size_t ids = commands.size();
  const std::uint64_t peak = used_memory_peak;
  *this = Stats();
  used_memory_peak = peak;
  commands.resize(ids);
  latencies.resize(ids);
}

void RateMeter::sample(MonoTime now, std::uint64_t total) {
  if (total < last_total_) rates_ = {};
  const auto elapsed = (now - last_time_).count();
  if (last_time_.us != 0 && elapsed > 0 && total >= last_total_) {
    rates_[next_++ % rates_.size()] =
        (total - last_total_) * 1'000'000 / static_cast<std::uint64_t>(elapsed);
  }
  last_time_ = now;
  last_total_ = total;
}

std::uint64_t RateMeter::per_second() const {
  return std::accumulate(rates_.begin(), rates_.end(), std::uint64_t{0}) / rates_.size();
}

}  // namespace hearth
