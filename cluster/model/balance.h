// Balance: the facts that primaries tell each other so that they can even out their slots without
// an administrator's program. cluster/README.md, "Evening out".
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hearth::cluster {

enum class BalanceMode : std::uint8_t {
  kOff,
  kSlots,  // equal numbers of slots
  kLoad,   // equal CPU time, or equal numbers of keys where that is not counted
};

struct BalanceNews {
  BalanceMode mode = BalanceMode::kOff;
  bool draining = false;    // gives all its slots away, and takes none
  bool takes = false;       // slots may be moved here
  bool moving = false;      // a move from or to this node is under way
  bool stuck = false;       // it is due to give slots and can't
  bool counts_cpu = false;  // cpu_us means something
  std::uint64_t keys = 0;
  std::uint64_t cpu_us = 0;  // of its slots, per second

  friend bool operator==(const BalanceNews&, const BalanceNews&) = default;
};

// How often a node tells its news: less often where there are many to tell.
[[nodiscard]] inline std::chrono::milliseconds balance_period(std::size_t nodes) {
  return std::chrono::milliseconds{
      std::max<std::int64_t>(1000, static_cast<std::int64_t>(nodes) * 10)};
}
// For how long news count. A node that stops telling is left out after that.
[[nodiscard]] inline std::chrono::milliseconds balance_news_life(std::size_t nodes) {
  return 5 * balance_period(nodes);
}

}  // namespace hearth::cluster
