// Hashes and checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth {

// XXH3, 64 bit. The seed is random per process, so that no client can choose colliding keys.
[[nodiscard]] std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept;

// CRC16/XMODEM: poly 0x1021, init 0. "123456789" -> 0x31C3.
[[nodiscard]] std::uint16_t crc16(std::string_view bytes) noexcept;

// CRC-64/Jones, reflected, poly 0xad93d23594c935a9, init 0. "123456789" -> 0xe9c6d914c4b8d9ca.
// Continue a running checksum by passing it as `crc`.
[[nodiscard]] std::uint64_t crc64(std::string_view bytes, std::uint64_t crc = 0) noexcept;

}  // namespace hearth
