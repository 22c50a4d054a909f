// The keys that cost most: the sessions of HOTKEYS.
//
// The keys of commands are counted by the space-saving method: a fixed number of counters; a key
// without one takes over the smallest, with its count. A counter is never below the truth, and a
// key that costs more than its share of one counter has one. Memory is bounded by the options.
// Source: Metwally, Agrawal and El Abbadi, "Efficient computation of frequent and top-k elements".
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/name_map.h"
#include "src/base/random.h"
#include "src/base/time.h"

namespace hearth {

class TopKeys {
 public:
  TopKeys(std::size_t counters, std::uint64_t seed) : most_(counters), counts_(seed) {}
  // O(1) for a key with a counter, else O(counters).
  void add(std::string_view key, std::uint64_t cost);
  // The k largest, largest first.
  [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> top(std::size_t k) const;

 private:
  std::size_t most_;
  NameMap<std::uint64_t> counts_;
};

class HotKeys {
 public:
  struct CpuMillis {
    std::int64_t user = 0, system = 0;
  };
  struct Options {
    bool by_cpu = false, by_net = false;
    std::size_t count = 10;          // 1 .. 64
    seconds duration{0};             // 0: until it is stopped
    std::uint64_t sample_ratio = 1;  // one command in so many is looked at
    std::vector<Slot> slots;         // sorted; empty: all
  };
  // The findings of a session. Times in microseconds.
  struct Findings {
    Options options;
    bool active = false;
    UnixMillis started{}, stopped{};
    CpuMillis cpu;  // used by the process since
    std::uint64_t all_us = 0, all_bytes = 0;
    std::uint64_t selected_us = 0, selected_bytes = 0;  // of commands on the slots chosen
    std::uint64_t sampled_us = 0, sampled_bytes = 0;    // of those that were looked at
    std::vector<std::pair<std::string, std::uint64_t>> by_cpu_us, by_net_bytes;
  };

  // The seed of its tables of names.
  explicit HotKeys(std::uint64_t seed) : seed_(seed) {}
  void set_cpu_source(std::function<CpuMillis()> source) { cpu_ = std::move(source); }

  [[nodiscard]] bool is_active() const { return active_; }
  [[nodiscard]] bool has_findings() const { return exists_; }
  // Replaces what an earlier session found.
  void start(Options options, UnixMillis now);
  void stop(UnixMillis now);
  void reset();
  // Ends the session when its time is over.
  void tick(UnixMillis now);

  // A command ran. keys with their slots; none if it has none.
  struct Key {
    std::string_view name;
    Slot slot = 0;
  };
  void note(std::span<const Key> keys, std::uint64_t ns, std::uint64_t bytes, Rng& rng);
  [[nodiscard]] Findings findings(UnixMillis now) const;

 private:
  std::function<CpuMillis()> cpu_;
  Options options_;
  bool exists_ = false, active_ = false;
  UnixMillis started_{}, stopped_{};
  CpuMillis cpu_at_start_, cpu_at_stop_;
  std::uint64_t all_ns_ = 0, all_bytes_ = 0, selected_ns_ = 0, selected_bytes_ = 0, sampled_ns_ = 0,
                sampled_bytes_ = 0;
  std::uint64_t seed_;
  TopKeys by_cpu_{0, seed_}, by_net_{0, seed_};
};

}  // namespace hearth
