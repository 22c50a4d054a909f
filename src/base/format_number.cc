#include "src/base/format_number.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace hearth {
namespace {

constexpr char kPairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495"
    "9697"
    "9899";

unsigned digit_count(std::uint64_t v) noexcept {
  unsigned n = 1;
  for (;;) {
    if (v < 10) return n;
    if (v < 100) return n + 1;
    if (v < 1000) return n + 2;
    if (v < 10000) return n + 3;
    v /= 10000;
    n += 4;
  }
}

}  // namespace

std::size_t format_uint64(std::uint64_t value, char* out) noexcept {
  const unsigned length = digit_count(value);
  unsigned at = length;
  while (value >= 100) {
    const auto pair = static_cast<unsigned>(value % 100) * 2;
    value /= 100;
    out[--at] = kPairs[pair + 1];
    out[--at] = kPairs[pair];
  }
  if (value >= 10) {
    out[1] = kPairs[value * 2 + 1];
    out[0] = kPairs[value * 2];
  } else {
    out[0] = static_cast<char>('0' + value);
  }
  return length;
}

std::size_t format_int64(std::int64_t value, char* out) noexcept {
  if (value >= 0) return format_uint64(static_cast<std::uint64_t>(value), out);
  *out = '-';
  return 1 + format_uint64(~static_cast<std::uint64_t>(value) + 1, out + 1);
}

std::size_t format_double(double value, char* out) noexcept {
  if (std::isnan(value)) return std::memcpy(out, "nan", 3), 3;
  if (std::isinf(value)) {
    const std::string_view text = value > 0 ? "inf" : "-inf";
    std::memcpy(out, text.data(), text.size());
    return text.size();
  }
  // Integral values in the exactly representable range print as integers, as "%.17g" does.
  if (value > -1e17 && value < 1e17 && value == std::trunc(value)) {
    if (value == 0 && std::signbit(value)) return std::memcpy(out, "-0", 2), 2;
    return format_int64(static_cast<std::int64_t>(value), out);
  }
  const double magnitude = std::fabs(value);
  const auto form = magnitude >= 1e-4 && magnitude < 1e17 ? std::chars_format::fixed
                                                          : std::chars_format::scientific;
  return static_cast<std::size_t>(std::to_chars(out, out + kDoubleTextMax, value, form).ptr - out);
}

std::string int64_text(std::int64_t value) {
  char buf[kInt64TextMax];
  return {buf, format_int64(value, buf)};
}

std::string double_text(double value) {
  char buf[kDoubleTextMax];
  return {buf, format_double(value, buf)};
}

std::string long_double_text(long double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buf[5200];  // LDBL_MAX has 4933 digits before the point
  const int written = std::snprintf(buf, sizeof buf, "%.17Lf", value);
  std::string text(buf, static_cast<std::size_t>(written));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "K", "M", "G", "T", "P"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char buf[64];
  const int n =
      unit == 0 ? std::snprintf(buf, sizeof buf, "%lluB", static_cast<unsigned long long>(bytes))
                : std::snprintf(buf, sizeof buf, "%.2f%s", value, kUnits[unit]);
  return {buf, static_cast<std::size_t>(n)};
}

}  // namespace hearth
