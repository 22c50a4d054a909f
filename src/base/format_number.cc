#include "src/base/format_number.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hearth {
namespace {

constexpr char kPairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495"
    "9697"
    "9899";

// [i]: the least number with i + 1 digits; zero has one as well.
constexpr auto kLeastWithDigits = [] {
  std::array<std::uint64_t, 20> least{};
  std::uint64_t power = 1;
  for (std::size_t i = 1; i < least.size(); ++i) least[i] = power *= 10;
  return least;
}();

unsigned digit_count(std::uint64_t v) noexcept {
  // 1233 / 4096 is the logarithm of 2 to the base 10, near enough for 64 bits.
  const unsigned about = static_cast<unsigned>(std::bit_width(v | 1)) * 1233 >> 12;
  return about + (v >= kLeastWithDigits[about] ? 1U : 0U);
}

void write_pair(char* out, std::uint32_t below_100) noexcept {
  std::memcpy(out, kPairs + below_100 * 2, 2);
}

// Digits from the right, so that the last one stands in front of `end`; the first where they end.
void write_digits(char* end, std::uint32_t value) noexcept {
  while (value >= 100) {
    write_pair(end -= 2, value % 100);
    value /= 100;
  }
  if (value >= 10)
    write_pair(end - 2, value);
  else
    *--end = static_cast<char>('0' + value);
}

}  // namespace

std::size_t format_long_uint64(std::uint64_t value, char* out) noexcept {
  const unsigned length = digit_count(value);
  char* end = out + length;
  // 32 bits divide faster: eight digits at a time until the rest fits.
  while (value > UINT32_MAX) {
    auto eight = static_cast<std::uint32_t>(value % 100'000'000);
    value /= 100'000'000;
    for (int i = 0; i < 4; ++i, eight /= 100) write_pair(end -= 2, eight % 100);
  }
  write_digits(end, static_cast<std::uint32_t>(value));
  return length;
}

std::size_t format_double(double value, char* out) noexcept {
  if (std::isnan(value)) return std::memcpy(out, "nan", 3), 3;  // NOLINT: a length goes with it
  if (std::isinf(value)) {
    const std::string_view text = value > 0 ? "inf" : "-inf";
    std::memcpy(out, text.data(), text.size());
    return text.size();
  }
  // Integral values in the exactly representable range print as integers, as "%.17g" does.
  if (value > -1e17 && value < 1e17 && value == std::trunc(value)) {
    if (value == 0 && std::signbit(value)) return std::memcpy(out, "-0", 2), 2;  // NOLINT: as above
    return format_int64(static_cast<std::int64_t>(value), out);
  }
  const double magnitude = std::fabs(value);
  const auto form = magnitude >= 1e-4 && magnitude < 1e17 ? std::chars_format::fixed
                                                          : std::chars_format::scientific;
  return static_cast<std::size_t>(std::to_chars(out, out + kDoubleTextMax, value, form).ptr - out);
}

std::size_t format_reply_double(double value, char* out) noexcept {
  constexpr double kWholeMost = 4.6e18;
  const bool whole = std::fabs(value) < kWholeMost && value == std::trunc(value);
  if (whole || !std::isfinite(value)) {
    if (whole && value != 0) return format_int64(static_cast<std::int64_t>(value), out);
    return format_double(value, out);
  }
  // "d.ddde-07": the digits, and where the point stands.
  char text[kDoubleTextMax];
  const auto end =
      std::to_chars(text, text + sizeof text, std::fabs(value), std::chars_format::scientific).ptr;
  const std::string_view all(text, static_cast<std::size_t>(end - text));
  const std::size_t mark = all.find('e');
  int exponent = 0;
  std::from_chars(text + mark + (all[mark + 1] == '+' ? 2 : 1), end, exponent);
  char digits[kDoubleTextMax] = {text[0]};
  int count = 1;
  for (std::size_t i = 2; i < mark; ++i) digits[count++] = text[i];
  const int scale = exponent - (count - 1);  // value = digits * 10^scale
  char* to = out;
  const auto put = [&to, &digits](int from, int until) {
    to = std::copy(digits + from, digits + until, to);
  };
  const auto put_zeros = [&to](int n) { to = std::fill_n(to, n, '0'); };
  constexpr int kZerosMost = 6;      // behind the digits
  constexpr int kPlacesMost = 6;     // behind the point, of numbers of any size ...
  constexpr int kSmallExponent = 3;  // ... or any of them where the first digit is this near
  if (value < 0) *to++ = '-';
  if (scale >= 0 && std::abs(exponent) < count + kZerosMost + 1) {
    put(0, count);
    put_zeros(scale);
  } else if (scale < 0 && (-scale <= kPlacesMost || std::abs(exponent) <= kSmallExponent)) {
    const int before_point = count + scale;
    if (before_point > 0) {
      put(0, before_point);
      *to++ = '.';
      put(before_point, count);
    } else {
      *to++ = '0';
      *to++ = '.';
      put_zeros(-before_point);
      put(0, count);
    }
  } else {
    put(0, 1);
    if (count > 1) *to++ = '.';
    put(1, count);
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    to += format_int64(std::abs(exponent), to);
  }
  return static_cast<std::size_t>(to - out);
}

std::string int64_text(std::int64_t value) {
  char buf[kInt64TextMax];
  return {buf, format_int64(value, buf)};
}

std::string double_text(double value) {
  char buf[kDoubleTextMax];
  return {buf, format_double(value, buf)};
}

std::string reply_double_text(double value) {
  char buf[kDoubleTextMax];
  return {buf, format_reply_double(value, buf)};
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
