// BloomFilter: a set of 64-bit hashes in a fixed number of bits. What was added is found; of what
// was not, a share is found too, which grows with what was added: with m bits for each of n hashes,
// about 1 % at m / n = 10 and half at 2.
//
// Pages that no bit stands in take no memory. O(1) each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "src/base/check.h"

namespace hearth::ds {

class BloomFilter {
 public:
  // bits: a power of two, at least 64.
  explicit BloomFilter(std::size_t bits)
      : mask_(bits - 1), words_(static_cast<std::uint64_t*>(std::calloc(bits / 64, 8))) {
    HEARTH_CHECK(words_ != nullptr);
  }

  void add(std::uint64_t hash) {
    for_each_bit(hash, [&](std::size_t word, std::uint64_t bit) {
      words_.get()[word] |= bit;
      return true;
    });
  }
  [[nodiscard]] bool contains(std::uint64_t hash) const {
    return for_each_bit(
        hash, [&](std::size_t word, std::uint64_t bit) { return (words_.get()[word] & bit) != 0; });
  }
  [[nodiscard]] std::size_t memory_bytes() const { return (mask_ + 1) / 8; }

 private:
  static constexpr int kProbes = 4;
  struct Free {
    void operator()(std::uint64_t* words) const { std::free(words); }
  };

  // Until fn says no; true if it never did.
  template <typename F>
  bool for_each_bit(std::uint64_t hash, F&& fn) const {
    // Two halves of the hash make all probes; an odd step meets a new bit each time.
    const std::uint64_t step = (hash >> 32U) | 1U;
    for (int i = 0; i < kProbes; ++i, hash += step) {
      const std::size_t at = hash & mask_;
      if (!fn(at / 64, std::uint64_t{1} << (at % 64))) return false;
    }
    return true;
  }

  std::size_t mask_;
  std::unique_ptr<std::uint64_t, Free> words_;
};

}  // namespace hearth::ds
