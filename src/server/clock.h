// The clocks of the process.
#pragma once

#include "src/base/time.h"

namespace hearth {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] UnixMillis unix_now() const override;
  [[nodiscard]] MonoTime mono_now() const override;
  [[nodiscard]] std::int64_t unix_micros() const;
};

// Nanoseconds since some moment, by the processor's time stamp counter where there is one: a few
// nanoseconds to read, where the system's clock takes twenty. For durations of commands only.
// The first call calibrates against the system's clock and takes two milliseconds.
[[nodiscard]] std::uint64_t nano_ticks();

// Time that the calling thread has used of a core, in microseconds.
[[nodiscard]] std::int64_t thread_cpu_us();

}  // namespace hearth
