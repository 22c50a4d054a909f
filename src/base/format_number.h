// Numbers as text, without locale and without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

inline constexpr std::size_t kInt64TextMax = 20;  // "-9223372036854775808"
inline constexpr std::size_t kDoubleTextMax = 32;

// Writes decimal digits at out (kInt64TextMax bytes of room); returns how many.
std::size_t format_long_uint64(std::uint64_t value, char* out) noexcept;
inline std::size_t format_uint64(std::uint64_t value, char* out) noexcept {
  // Lengths and counts, most of all that is written, are short.
  if (value < 10) {
    out[0] = static_cast<char>('0' + value);
    return 1;
  }
  if (value < 100) {
    out[0] = static_cast<char>('0' + value / 10);
    out[1] = static_cast<char>('0' + value % 10);
    return 2;
  }
  return format_long_uint64(value, out);
}
inline std::size_t format_int64(std::int64_t value, char* out) noexcept {
  if (value >= 0) return format_uint64(static_cast<std::uint64_t>(value), out);
  *out = '-';
  return 1 + format_uint64(~static_cast<std::uint64_t>(value) + 1, out + 1);
}

// The shortest text that reads back as the same double, in the form "%.17g" gives:
// "3", "0.1", "1e+20", "inf", "-inf", "nan". Writes at most kDoubleTextMax bytes.
std::size_t format_double(double value, char* out) noexcept;

// The same digits laid out as servers of the field reply with them since Redis 7.2: in full where
// few zeros or places are needed for it, "123456789012345680", "0.00001", else "1.5e-7", "1.2e+25".
std::size_t format_reply_double(double value, char* out) noexcept;

[[nodiscard]] std::string int64_text(std::int64_t value);
[[nodiscard]] std::string double_text(double value);
[[nodiscard]] std::string reply_double_text(double value);

// Fixed notation with 17 digits after the point and trailing zeros removed: what INCRBYFLOAT
// stores.
[[nodiscard]] std::string long_double_text(long double value);

// "1.50K", "12.00M" : INFO's *_human fields.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

}  // namespace hearth
