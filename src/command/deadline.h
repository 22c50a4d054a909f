// Times to live as clients give them -> deadlines.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.h"
#include "src/command/args.h"

namespace hearth {

enum class TimeUnit : std::uint8_t { kSeconds, kMilliseconds, kUnixSeconds, kUnixMilliseconds };

// EX, PX, EXAT, PXAT in any case.
[[nodiscard]] inline std::optional<TimeUnit> time_unit(std::string_view word) {
  if (equals_ignore_case(word, "EX")) return TimeUnit::kSeconds;
  if (equals_ignore_case(word, "PX")) return TimeUnit::kMilliseconds;
  if (equals_ignore_case(word, "EXAT")) return TimeUnit::kUnixSeconds;
  if (equals_ignore_case(word, "PXAT")) return TimeUnit::kUnixMilliseconds;
  return std::nullopt;
}

[[nodiscard]] inline bool is_relative(TimeUnit unit) { return unit <= TimeUnit::kMilliseconds; }

// `value` in `unit` as an absolute deadline in ms. Fails on overflow, naming the command.
[[nodiscard]] inline Result<std::int64_t, ReplyError> deadline_of(std::int64_t value, TimeUnit unit,
                                                                  UnixMillis now,
                                                                  std::string_view command) {
  const auto invalid = [&] {
    return refuse("ERR invalid expire time in '" + std::string(command) + "' command");
  };
  const bool in_seconds = unit == TimeUnit::kSeconds || unit == TimeUnit::kUnixSeconds;
  if (in_seconds && __builtin_mul_overflow(value, std::int64_t{1000}, &value)) return invalid();
  if (is_relative(unit) && __builtin_add_overflow(value, now.ms, &value)) return invalid();
  return value;
}

// The same for commands that refuse zero and negative times (SET, GETEX, SETEX).
[[nodiscard]] inline Result<std::int64_t, ReplyError> positive_deadline(const ArgReader& args,
                                                                        std::size_t at,
                                                                        TimeUnit unit,
                                                                        UnixMillis now,
                                                                        std::string_view command) {
  HEARTH_TRY(const std::int64_t value, args.integer(at));
  if (value <= 0)
    return refuse("ERR invalid expire time in '" + std::string(command) + "' command");
  return deadline_of(value, unit, now, command);
}

// How long a command that waits is ready to: word `at` in seconds with a fraction, or in whole
// milliseconds. 0 is for ever, and gives the deadline 0.
[[nodiscard]] inline Result<MonoTime, ReplyError> wait_deadline(const ArgReader& args,
                                                                std::size_t at, TimeUnit unit,
                                                                MonoTime now) {
  constexpr std::int64_t kUsPerMs = 1000;
  constexpr long double kMsMost = 9.2e18;
  std::int64_t ms = 0;
  if (unit == TimeUnit::kMilliseconds) {
    HEARTH_TRY(ms, args.integer(at, "ERR timeout is not an integer or out of range"));
  } else {
    const std::optional<long double> s = parse_long_double(args[at]);
    if (!s) return refuse("ERR timeout is not a float or out of range");
    if (*s * 1000 > kMsMost) return refuse("ERR timeout is out of range");
    ms = *s < 0 ? -1 : static_cast<std::int64_t>(std::ceil(*s * 1000));
  }
  if (ms < 0) return refuse("ERR timeout is negative");
  if (ms == 0) return MonoTime{};
  std::int64_t end_ms = 0;
  if (__builtin_add_overflow(ms, now.us / kUsPerMs, &end_ms))
    return refuse("ERR timeout is out of range");
  std::int64_t us = 0;
  // A time that microseconds can't hold is for ever too.
  if (__builtin_mul_overflow(ms, kUsPerMs, &us) || __builtin_add_overflow(us, now.us, &us))
    return MonoTime{};
  return MonoTime{us};
}

}  // namespace hearth
