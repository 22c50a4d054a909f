// Strict text-to-number conversions: the whole text is the number, or there is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hearth {

// Decimal, optional '-', no '+', no leading zeros, no blanks: the form that formats back to the
// same text, so it also decides which strings may be stored as integers.
[[nodiscard]] std::optional<std::int64_t> parse_int64(std::string_view text) noexcept;
[[nodiscard]] std::optional<std::uint64_t> parse_uint64(std::string_view text) noexcept;

// Decimal or exponent form, hexadecimal behind "0x", "inf", "+inf", "-inf", "infinity" in any case.
// No NaN, no blanks, not empty, and nothing that a double only holds as an infinity or as zero.
[[nodiscard]] std::optional<double> parse_double(std::string_view text) noexcept;
[[nodiscard]] std::optional<long double> parse_long_double(std::string_view text) noexcept;

// "1024", "1k" (1000), "1kb" (1024), m, mb, g, gb, b; any case. Fails on overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_memory_size(std::string_view text) noexcept;

// ASCII only; locale is never asked.
[[nodiscard]] bool equals_ignore_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] constexpr char ascii_upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

}  // namespace hearth
