#include "src/base/format_number.h"

#include <array>
#include <bit>
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
