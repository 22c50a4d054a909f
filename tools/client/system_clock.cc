#include "tools/client/system_clock.h"

namespace hearth::client {

UnixMillis SystemClock::unix_now() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return UnixMillis{std::chrono::duration_cast<milliseconds>(since)};
}

MonoTime SystemClock::mono_now() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return MonoTime{std::chrono::duration_cast<microseconds>(since).count()};
}

}  // namespace hearth::client
