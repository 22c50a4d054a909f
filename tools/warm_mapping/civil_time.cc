#include "tools/warm_mapping/civil_time.h"

#include <chrono>

#include "src/base/format_number.h"
#include "tools/warm_mapping/row.h"

namespace hearth::warm {
namespace {

// The calendar repeats every 400 years, so a date beyond the years of std::chrono is that of an
// earlier cycle with the cycles added.
constexpr std::int64_t kCycleDays = 146'097;
constexpr std::int64_t kCycleYears = 400;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

std::int64_t floor_divided(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

void append_padded(Buffer& out, std::uint64_t number, std::size_t width) {
  char digits[kInt64TextMax];
  const std::size_t size = format_uint64(number, digits);
  for (std::size_t i = size; i < width; ++i) out.push('0');
  out.append({digits, size});
}

// Takes exactly `digits` decimal digits off the front.
std::optional<std::int64_t> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  std::int64_t number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take_mark(std::string_view& text, std::string_view marks) {
  if (text.empty() || marks.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// "23:59", "23:59:59", "23:59:59.123456", as microseconds; further digits are cut off.
std::optional<std::int64_t> take_clock(std::string_view& text) {
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 24 || !take_mark(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::int64_t micros = (*hours * 60 + *minutes) * 60 * kMicrosPerSecond;
  if (!take_mark(text, ":")) return micros;
  const auto whole = take_digits(text, 2);
  if (!whole || *whole > 60) return std::nullopt;
  micros += *whole * kMicrosPerSecond;
  if (!take_mark(text, ".")) return micros;
  std::int64_t unit = kMicrosPerSecond / 10;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    micros += (text[0] - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  return micros;
}

// "Z", "+02", "+02:00", "+0200", or nothing; microseconds to take off.
std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (text.empty() || take_mark(text, "Zz")) return 0;
  const bool negative = text[0] == '-';
  if (!take_mark(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours) return std::nullopt;
  std::int64_t minutes = *hours * 60;
  if (!text.empty()) {
    take_mark(text, ":");
    const auto more = take_digits(text, 2);
    if (!more) return std::nullopt;
    minutes += *more;
  }
  return (negative ? -minutes : minutes) * 60 * kMicrosPerSecond;
}

bool append_infinity(Buffer& out, std::int64_t value) {
  if (value != kForever && value != -kForever && value != -kForever - 1) return false;
  out.append(value == kForever ? "infinity" : "-infinity");
  return true;
}

}  // namespace

void append_date(Buffer& out, std::int64_t days) {
  if (append_infinity(out, days)) return;
  const std::int64_t cycle = floor_divided(days, kCycleDays);
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{days - cycle * kCycleDays}}};
  const std::int64_t year = static_cast<int>(date.year()) + cycle * kCycleYears;
  if (year < 0) out.push('-');
  append_padded(out, static_cast<std::uint64_t>(year < 0 ? -year : year), 4);
  out.push('-');
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out.push('-');
  append_padded(out, static_cast<unsigned>(date.day()), 2);
}

void append_time(Buffer& out, std::int64_t micros) {
  auto rest = static_cast<std::uint64_t>(micros);
  if (micros < 0) {
    out.push('-');
    rest = ~rest + 1;
  }
  const std::uint64_t whole_seconds = rest / kMicrosPerSecond;
  append_padded(out, whole_seconds / 3600, 2);
  out.push(':');
  append_padded(out, whole_seconds / 60 % 60, 2);
  out.push(':');
  append_padded(out, whole_seconds % 60, 2);
  std::uint64_t fraction = rest % kMicrosPerSecond;
  if (fraction == 0) return;
  std::size_t width = 6;
  for (; fraction % 10 == 0; fraction /= 10) --width;
  out.push('.');
  append_padded(out, fraction, width);
}

void append_timestamp(Buffer& out, std::int64_t micros, TimeZone zone) {
  if (append_infinity(out, micros)) return;
  const std::int64_t days = floor_divided(micros, kMicrosPerDay);
  append_date(out, days);
  out.push('T');
  append_time(out, micros - days * kMicrosPerDay);
  if (zone == TimeZone::kUtc) out.push('Z');
}

std::int64_t days_of_date(std::int64_t year, unsigned month, unsigned day) {
  const std::int64_t cycle = floor_divided(year, kCycleYears);
  const std::chrono::year_month_day date{
      std::chrono::year{static_cast<int>(year - cycle * kCycleYears)}, std::chrono::month{month},
      std::chrono::day{day}};
  return std::chrono::sys_days{date}.time_since_epoch().count() + cycle * kCycleDays;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_mark(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || *month < 1 || *month > 12 || !take_mark(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || *day < 1 || *day > 31) return std::nullopt;
  const std::int64_t micros =
      days_of_date(*year, static_cast<unsigned>(*month), static_cast<unsigned>(*day)) *
      kMicrosPerDay;
  if (text.empty()) return micros;
  if (!take_mark(text, "T ")) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  while (take_mark(text, " ")) continue;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return micros + *clock - *zone;
}

}  // namespace hearth::warm
