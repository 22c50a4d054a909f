// Points and lengths of time. `now` is always an argument; the clock itself is a port that the
// composition root hands in.
#pragma once

#include <chrono>
#include <cstdint>

namespace hearth {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Milliseconds since 1970-01-01 UTC: deadlines and everything a client can see. May step.
struct UnixMillis {
  std::int64_t ms = 0;

  constexpr UnixMillis() = default;
  constexpr explicit UnixMillis(std::int64_t value) : ms(value) {}
  constexpr explicit UnixMillis(milliseconds since_epoch) : ms(since_epoch.count()) {}

  friend constexpr auto operator<=>(UnixMillis, UnixMillis) = default;
  constexpr UnixMillis operator+(milliseconds d) const { return UnixMillis{ms + d.count()}; }
  constexpr UnixMillis operator-(milliseconds d) const { return UnixMillis{ms - d.count()}; }
  constexpr milliseconds operator-(UnixMillis other) const { return milliseconds{ms - other.ms}; }
  [[nodiscard]] constexpr std::int64_t unix_seconds() const { return ms / 1000; }
};

// Microseconds on a clock that never steps: timeouts and durations.
struct MonoTime {
  std::int64_t us = 0;

  constexpr MonoTime() = default;
  constexpr explicit MonoTime(std::int64_t value) : us(value) {}

  friend constexpr auto operator<=>(MonoTime, MonoTime) = default;
  constexpr MonoTime operator+(microseconds d) const { return MonoTime{us + d.count()}; }
  constexpr microseconds operator-(MonoTime other) const { return microseconds{us - other.us}; }
};

// The one way to learn the time. Implemented by the composition root and by FakeClock in tests.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual UnixMillis unix_now() const = 0;
  [[nodiscard]] virtual MonoTime mono_now() const = 0;
};

// Nanoseconds of NanoTicks-like counters in a millisecond.
inline constexpr std::uint64_t kNsPerMs = 1'000'000;

}  // namespace hearth
