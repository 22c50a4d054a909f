// Days and microseconds as dates and times of the Gregorian calendar, in ISO 8601.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tools/warm_mapping/buffer.h"

namespace hearth::warm {

enum class TimeZone : std::uint8_t { kNone, kUtc };

// `days` since 1970-01-01: "2024-02-29". Years before 1 are zero and negative, "-0043-03-15".
// The largest and smallest number are "infinity" and "-infinity".
void append_date(Buffer& out, std::int64_t days);

// `micros` since midnight: "23:59:59.5"; negative ones begin with '-', long ones have more hours.
void append_time(Buffer& out, std::int64_t micros);

// `micros` since 1970-01-01 00:00: "2024-02-29T23:59:59.5", with 'Z' behind it for kUtc.
void append_timestamp(Buffer& out, std::int64_t micros, TimeZone zone);

// Days from 1970-01-01 to a date of the Gregorian calendar; month 1 .. 12, day 1 .. 31.
[[nodiscard]] std::int64_t days_of_date(std::int64_t year, unsigned month, unsigned day);

// Reads "2024-02-29", "2024-02-29 23:59", "2024-02-29T23:59:59.5Z", "... +02:00": microseconds
// since 1970-01-01 00:00 UTC; a text without zone is UTC. Nothing for anything else.
[[nodiscard]] std::optional<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace hearth::warm
