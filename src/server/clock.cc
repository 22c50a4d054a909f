#include "src/server/clock.h"

#include <chrono>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace hearth {

UnixMillis SystemClock::unix_now() const {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return UnixMillis{t.tv_sec * 1000 + t.tv_nsec / 1'000'000};
}

std::int64_t SystemClock::unix_micros() const {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1'000'000 + t.tv_nsec / 1000;
}

MonoTime SystemClock::mono_now() const {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return MonoTime{t.tv_sec * 1'000'000 + t.tv_nsec / 1000};
}

namespace {

std::uint64_t system_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(t.tv_nsec);
}

#if defined(__x86_64__)
__extension__ using Wide = unsigned __int128;

// Nanoseconds per count, in units of 2^-32.
struct Scale {
  std::uint64_t base = __rdtsc();
  std::uint64_t factor = 0;
  Scale() {
    const std::uint64_t start_ns = system_ns();
    std::uint64_t ns = 0;
    while ((ns = system_ns() - start_ns) < 2'000'000) {
    }
    const std::uint64_t counts = __rdtsc() - base;
    factor = counts == 0 ? 0 : static_cast<std::uint64_t>((static_cast<Wide>(ns) << 32) / counts);
  }
};
#endif

}  // namespace

std::uint64_t nano_ticks() {
#if defined(__x86_64__)
  static const Scale scale;
  return static_cast<std::uint64_t>((static_cast<Wide>(__rdtsc() - scale.base) * scale.factor) >>
                                    32);
#else
  return system_ns();
#endif
}

std::int64_t thread_cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000 + t.tv_nsec / 1000;
}

}  // namespace hearth
