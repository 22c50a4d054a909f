// A token bucket: so many rows a second, with bursts of a twentieth of a second.
#pragma once

#include <algorithm>
#include <cstdint>

#include "src/base/time.h"

namespace hearth::warm {

class RateLimit {
 public:
  // rows_per_second 0: no limit.
  RateLimit(std::uint64_t rows_per_second, MonoTime now)
      : rate_(static_cast<double>(rows_per_second)),
        burst_(std::max(1.0, rate_ / 20)),
        tokens_(burst_),
        at_(now) {}

  [[nodiscard]] bool is_limited() const { return rate_ > 0; }

  // Takes one row's token. Zero: go on. Otherwise nothing was taken; ask again after that time.
  [[nodiscard]] milliseconds take(MonoTime now) {
    tokens_ = std::min(burst_, tokens_ + rate_ * static_cast<double>((now - at_).count()) / 1e6);
    at_ = now;
    if (tokens_ >= 1) {
      tokens_ -= 1;
      return milliseconds{0};
    }
    return milliseconds{1 + static_cast<std::int64_t>((1 - tokens_) / rate_ * 1000)};
  }

 private:
  double rate_;
  double burst_;
  double tokens_;
  MonoTime at_;
};

}  // namespace hearth::warm
