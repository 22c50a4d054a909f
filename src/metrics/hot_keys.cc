#include "src/metrics/hot_keys.h"

#include <algorithm>

namespace hearth {
namespace {

// Counters for each key that is asked for: the more, the closer the counts are.
constexpr std::size_t kCountersPerKey = 16;

}  // namespace

void TopKeys::add(std::string_view key, std::uint64_t cost) {
  if (const auto at = counts_.find(key); at != counts_.end()) {
    at->second += cost;
    return;
  }
  if (counts_.size() < most_) {
    counts_.emplace(key, cost);
    return;
  }
  const auto smallest =
      std::min_element(counts_.begin(), counts_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (smallest == counts_.end()) return;
  const std::uint64_t inherited = smallest->second;
  counts_.erase(smallest);
  counts_.emplace(key, inherited + cost);
}

std::vector<std::pair<std::string, std::uint64_t>> TopKeys::top(std::size_t k) const {
  std::vector<std::pair<std::string, std::uint64_t>> all(counts_.begin(), counts_.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (all.size() > k) all.resize(k);
  return all;
}

void HotKeys::start(Options options, UnixMillis now) {
  reset();
  options_ = std::move(options);
  exists_ = active_ = true;
  started_ = now;
  cpu_at_start_ = cpu_ ? cpu_() : CpuMillis{};
  by_cpu_ = TopKeys(options_.by_cpu ? options_.count * kCountersPerKey : 0, seed_);
  by_net_ = TopKeys(options_.by_net ? options_.count * kCountersPerKey : 0, seed_);
}

void HotKeys::stop(UnixMillis now) {
  if (!active_) return;
  active_ = false;
  stopped_ = now;
  cpu_at_stop_ = cpu_ ? cpu_() : CpuMillis{};
}

void HotKeys::reset() {
  std::function<CpuMillis()> cpu = std::move(cpu_);
  *this = HotKeys(seed_);
  cpu_ = std::move(cpu);
}

void HotKeys::tick(UnixMillis now) {
  if (active_ && options_.duration.count() > 0 && now - started_ >= options_.duration) stop(now);
}

void HotKeys::note(std::span<const Key> keys, std::uint64_t ns, std::uint64_t bytes, Rng& rng) {
  all_ns_ += ns;
  all_bytes_ += bytes;
  const bool selected =
      options_.slots.empty() || std::any_of(keys.begin(), keys.end(), [&](const Key& k) {
        return std::binary_search(options_.slots.begin(), options_.slots.end(), k.slot);
      });
  if (!selected) return;
  selected_ns_ += ns;
  selected_bytes_ += bytes;
  if (options_.sample_ratio > 1 && rng.below(options_.sample_ratio) != 0) return;
  sampled_ns_ += ns;
  sampled_bytes_ += bytes;
  if (keys.empty()) return;
  // A command's cost is shared by its keys.
  for (const Key& key : keys) {
    if (options_.by_cpu) by_cpu_.add(key.name, ns / keys.size());
    if (options_.by_net) by_net_.add(key.name, bytes / keys.size());
  }
}

HotKeys::Findings HotKeys::findings(UnixMillis now) const {
  Findings f;
  f.options = options_;
  f.active = active_;
  f.started = started_;
  f.stopped = active_ ? now : stopped_;
  const CpuMillis cpu = active_ && cpu_ ? cpu_() : cpu_at_stop_;
  f.cpu = {cpu.user - cpu_at_start_.user, cpu.system - cpu_at_start_.system};
  f.all_us = all_ns_ / 1000;
  f.all_bytes = all_bytes_;
  f.selected_us = selected_ns_ / 1000;
  f.selected_bytes = selected_bytes_;
  f.sampled_us = sampled_ns_ / 1000;
  f.sampled_bytes = sampled_bytes_;
  f.by_cpu_us = by_cpu_.top(options_.count);
  for (auto& [name, cost] : f.by_cpu_us) cost /= 1000;
  f.by_net_bytes = by_net_.top(options_.count);
  return f;
}

}  // namespace hearth
