// ArgReader: the words of a request, and the conversions handlers need, with the field's error
// texts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "src/base/parse_number.h"
#include "src/command/spec.h"

namespace hearth {

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kOutOfLongRange =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
inline constexpr std::string_view kNotFloat = "ERR value is not a valid float";
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";

[[nodiscard]] inline tl::unexpected<ReplyError> syntax_error() {
  return refuse(std::string(kSyntaxError));
}

class ArgReader {
 public:
  explicit ArgReader(std::span<const std::string_view> words) : words_(words) {}

  [[nodiscard]] std::size_t size() const { return words_.size(); }
  std::string_view operator[](std::size_t i) const { return words_[i]; }
  [[nodiscard]] std::span<const std::string_view> words() const { return words_; }
  [[nodiscard]] std::span<const std::string_view> from(std::size_t i) const {
    return words_.subspan(i);
  }

  // Is word i this option (any case)?
  [[nodiscard]] bool is(std::size_t i, std::string_view option) const {
    return i < words_.size() && equals_ignore_case(words_[i], option);
  }
  // Is it, with at least `more` words behind it?
  [[nodiscard]] bool is(std::size_t i, std::string_view option, std::size_t more) const {
    return i + more < words_.size() && equals_ignore_case(words_[i], option);
  }

  [[nodiscard]] Result<std::int64_t, ReplyError> integer(
      std::size_t i, std::string_view error = kNotInteger) const {
    if (const auto v = parse_int64(words_[i])) return *v;
    return refuse(std::string(error));
  }
  [[nodiscard]] Result<std::int64_t, ReplyError> integer_between(
      std::size_t i, std::int64_t low, std::int64_t high,
      std::string_view error = kNotInteger) const {
    const auto v = parse_int64(words_[i]);
    if (!v || *v < low || *v > high) return refuse(std::string(error));
    return *v;
  }
  // Numbers of databases and the like.
  [[nodiscard]] Result<std::int64_t, ReplyError> int32(std::size_t i) const {
    HEARTH_TRY(const std::int64_t v, integer(i));
    if (v >= INT32_MIN && v <= INT32_MAX) return v;
    return refuse("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  [[nodiscard]] Result<double, ReplyError> real(std::size_t i,
                                                std::string_view error = kNotFloat) const {
    if (const auto v = parse_double(words_[i])) return *v;
    return refuse(std::string(error));
  }

 private:
  std::span<const std::string_view> words_;
};

}  // namespace hearth
