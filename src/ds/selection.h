// Choosing some of many items in one pass over them.
#pragma once

#include <cstdint>

#include "src/base/random.h"

namespace hearth::ds {

// Selection sampling (Knuth, Algorithm S): goes over `total` items and picks `wanted` of them,
// every choice with the same chance.
class Selection {
 public:
  Selection(Rng& rng, std::uint64_t wanted, std::uint64_t total)
      : rng_(rng), wanted_(wanted), left_(total) {}
  // Is the next item one of them?
  bool picks_next() {
    const bool picked = wanted_ > 0 && rng_.below(left_) < wanted_;
    --left_;
    if (picked) --wanted_;
    return picked;
  }
  [[nodiscard]] bool is_done() const { return wanted_ == 0; }

 private:
  Rng& rng_;
  std::uint64_t wanted_;
  std::uint64_t left_;
};

}  // namespace hearth::ds
