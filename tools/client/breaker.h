// Breaker: when to try again what has failed. A state machine: time comes in.
//
//   closed -> open        a failure: nothing is tried for a pause
//   open -> half open     the pause is over: one probe may be made
//   half open -> closed   the probe succeeded
//   half open -> open     it failed: the next pause is twice as long, up to a bound
//
// A pause is drawn between one half and all of its length, so that many clients that lost one
// server do not come back at the same moment.
#pragma once

#include <cstdint>

#include "src/base/random.h"
#include "src/base/time.h"

namespace hearth::client {

class Breaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };
  struct Pauses {
    milliseconds first{20};
    milliseconds longest{1'000};
  };
  Breaker() = default;
  explicit Breaker(const Pauses& pauses) : pauses_(pauses) {}

  // Whether something may be tried now. Half open, true once: that caller makes the probe.
  [[nodiscard]] bool admits(MonoTime now);
  void succeed();
  // While it is open, others of the same trouble change nothing.
  void fail(MonoTime now, Rng& rng);

  [[nodiscard]] State state() const { return state_; }
  // One after the other, without a success.
  [[nodiscard]] std::uint32_t failures() const { return failures_; }
  [[nodiscard]] MonoTime retry_at() const { return retry_at_; }

 private:
  Pauses pauses_;
  State state_ = State::kClosed;
  std::uint32_t failures_ = 0;
  MonoTime retry_at_{};
};

}  // namespace hearth::client
