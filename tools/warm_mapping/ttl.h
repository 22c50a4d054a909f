// Times to live: their text form, and the jitter that keeps rows loaded together from expiring
// together.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "src/base/time.h"

namespace hearth::warm {

// "500ms", "90s", "15m", "12h", "7d", or several in falling order: "1h30m". Above zero, at most
// about 100 years. Nothing for anything else.
[[nodiscard]] std::optional<milliseconds> parse_duration(std::string_view text);

// "10%" or "2.5%": 0 to 100, as a fraction. Nothing for anything else.
[[nodiscard]] std::optional<double> parse_percent(std::string_view text);

// A time to live between ttl * (1 - fraction) and ttl * (1 + fraction), at least 1 ms. The same
// key always gets the same, so loading again does not reshuffle; different keys spread evenly.
[[nodiscard]] milliseconds jittered_ttl(milliseconds ttl, double fraction, std::string_view key);

}  // namespace hearth::warm
