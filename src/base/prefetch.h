// Prefetching into the first-level cache.
#pragma once

namespace hearth {

// Starts loading the line at `address`, which need not be a valid one. The empty statement behind
// it stays: GCC 12 takes an inlined function that does nothing but prefetch for one without any
// effect and drops the calls of it.
inline void prefetch(const void* address) {
  __builtin_prefetch(address);
  asm volatile("" : : "r"(address));
}

}  // namespace hearth
