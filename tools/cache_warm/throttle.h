// A token bucket that workers share: so many rows or bytes a second, with bursts of a hundredth of
// a second, since others wait behind what comes at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "src/base/time.h"

namespace hearth::warm {

class Throttle {
 public:
  enum class Unit : std::uint8_t { kRows, kBytes };

  // per_second 0: no limit.
  Throttle(Unit unit, double per_second, MonoTime now) : unit_(unit), at_(now) {
    set_rate(per_second);
  }

  void set_rate(double per_second) {
    const std::scoped_lock lock(mutex_);
    rate_ = per_second;
    burst_ = std::max(1.0, rate_ / 100);
    tokens_ = std::min(tokens_, burst_);
    is_limited_.store(per_second > 0, std::memory_order_relaxed);
  }
  void set_unit(Unit unit) {
    const std::scoped_lock lock(mutex_);
    unit_ = unit;
  }
  [[nodiscard]] bool is_limited() const { return is_limited_.load(std::memory_order_relaxed); }

  // How long to wait before work of this size. Zero: go on, it is counted. One piece may be larger
  // than a burst: it leaves a debt that the next ones wait for.
  [[nodiscard]] milliseconds take(std::uint64_t rows, std::uint64_t bytes, MonoTime now) {
    const std::scoped_lock lock(mutex_);
    if (rate_ <= 0) return milliseconds{0};
    if (now > at_)
      tokens_ = std::min(burst_, tokens_ + rate_ * static_cast<double>((now - at_).count()) / 1e6);
    at_ = std::max(at_, now);
    const double needed = static_cast<double>(unit_ == Unit::kRows ? rows : bytes);
    if (tokens_ >= std::min(needed, burst_)) {
      tokens_ -= needed;
      return milliseconds{0};
    }
    return milliseconds{
        1 + static_cast<std::int64_t>((std::min(needed, burst_) - tokens_) / rate_ * 1000)};
  }

 private:
  std::mutex mutex_;
  std::atomic<bool> is_limited_{false};
  Unit unit_;
  double rate_ = 0;
  double burst_ = 1;
  double tokens_ = 0;
  MonoTime at_;
};

}  // namespace hearth::warm
