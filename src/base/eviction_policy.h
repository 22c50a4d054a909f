// The keys that may be evicted, and their order. The configuration names a policy, the data set
// follows it.
// Source: public documentation of maxmemory-policy.
#pragma once

#include <cstdint>

namespace hearth {

enum class EvictionPolicy : std::uint8_t {
  kNoEviction,
  kAllKeysLru,
  kAllKeysLfu,
  kAllKeysRandom,
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
};

[[nodiscard]] constexpr bool uses_lru(EvictionPolicy p) {
  return p == EvictionPolicy::kAllKeysLru || p == EvictionPolicy::kVolatileLru;
}
[[nodiscard]] constexpr bool uses_lfu(EvictionPolicy p) {
  return p == EvictionPolicy::kAllKeysLfu || p == EvictionPolicy::kVolatileLfu;
}
// Only keys with a deadline go.
[[nodiscard]] constexpr bool volatile_only(EvictionPolicy p) {
  return p == EvictionPolicy::kVolatileLru || p == EvictionPolicy::kVolatileLfu ||
         p == EvictionPolicy::kVolatileRandom || p == EvictionPolicy::kVolatileTtl;
}

}  // namespace hearth
