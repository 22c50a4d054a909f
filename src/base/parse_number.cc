#include "src/base/parse_number.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace hearth {

std::optional<std::uint64_t> parse_uint64(std::string_view text) noexcept {
  if (text.empty() || text.size() > 20) return std::nullopt;
  if (text[0] == '0') return text.size() == 1 ? std::optional<std::uint64_t>(0) : std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const unsigned digit = static_cast<unsigned char>(c) - unsigned{'0'};
    if (digit > 9) return std::nullopt;
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
        __builtin_add_overflow(value, std::uint64_t{digit}, &value)) {
      return std::nullopt;
    }
  }
  return value;
}

std::optional<std::int64_t> parse_int64(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  const bool negative = text[0] == '-';
  if (negative && (text.size() < 2 || text[1] == '0')) return std::nullopt;
  const auto magnitude = parse_uint64(text.substr(negative ? 1 : 0));
  if (!magnitude) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (*magnitude > kMax + (negative ? 1 : 0)) return std::nullopt;
  return negative ? static_cast<std::int64_t>(~*magnitude + 1)
                  : static_cast<std::int64_t>(*magnitude);
}

namespace {

// Longest text that is read as a number: enough for every double written out in full.
constexpr std::size_t kFloatTextMost = 5 * 1024;

// Without what the standard library's parsers would skip, or take as the payload of a NaN.
bool is_float_text(std::string_view text) noexcept {
  if (text.empty() || text.size() > kFloatTextMost) return false;
  return std::ranges::none_of(
      text, [](char c) { return c == '(' || c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; });
}

bool is_hex(std::string_view text) noexcept {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text.starts_with("0x") || text.starts_with("0X");
}

}  // namespace

std::optional<double> parse_double(std::string_view text) noexcept {
  if (!is_float_text(text)) return std::nullopt;
  if (is_hex(text)) {
    const auto value = parse_long_double(text);
    if (!value) return std::nullopt;
    const auto narrow = static_cast<double>(*value);
    if (std::isinf(narrow) || (narrow == 0 && *value != 0)) return std::nullopt;
    return narrow;
  }
  std::string_view digits = text;
  if (digits[0] == '+') digits.remove_prefix(1);
  if (digits.empty() || digits[0] == '+' || (digits.size() != text.size() && digits[0] == '-'))
    return std::nullopt;
  double value = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (ec == std::errc::result_out_of_range && end == digits.data() + digits.size()) {
    // from_chars leaves the value alone; strtod knows to which side it fell.
    value = std::strtod(std::string(digits).c_str(), nullptr);
    if (std::isinf(value) || value == 0) return std::nullopt;  // too large, or too near to 0
    return value;
  }
  if (ec != std::errc() || end != digits.data() + digits.size() || std::isnan(value))
    return std::nullopt;
  return value;
}

std::optional<long double> parse_long_double(std::string_view text) noexcept {
  if (!is_float_text(text)) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_memory_size(std::string_view text) noexcept {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  std::uint64_t value = 0;
  if (digits == 0) return std::nullopt;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + digits, value);
  if (ec != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(digits);
  std::uint64_t factor = 0;
  if (unit.empty() || equals_ignore_case(unit, "b"))
    factor = 1;
  else if (equals_ignore_case(unit, "k"))
    factor = 1000;
  else if (equals_ignore_case(unit, "kb"))
    factor = 1024;
  else if (equals_ignore_case(unit, "m"))
    factor = 1000 * 1000;
  else if (equals_ignore_case(unit, "mb"))
    factor = 1024 * 1024;
  else if (equals_ignore_case(unit, "g"))
    factor = 1000ULL * 1000 * 1000;
  else if (equals_ignore_case(unit, "gb"))
    factor = 1024ULL * 1024 * 1024;
  if (factor == 0 || __builtin_mul_overflow(value, factor, &value)) return std::nullopt;
  return value;
}

bool equals_ignore_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

}  // namespace hearth
