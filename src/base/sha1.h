// SHA-1: the digest that names a script. Not for security.
// Source: FIPS 180-4. "abc" -> a9993e364706816aba3e25717850c26c9cd0d89d.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

[[nodiscard]] std::array<std::uint8_t, 20> sha1(std::string_view bytes) noexcept;

// 40 lower-case hex digits.
[[nodiscard]] std::string sha1_hex(std::string_view bytes);

}  // namespace hearth
