#include "src/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstring>

namespace hearth {
namespace {

// Slicing by eight: table k advances a byte over k more zero bytes.
constexpr std::array<std::array<std::uint16_t, 256>, 8> make_crc16_tables() {
  std::array<std::array<std::uint16_t, 256>, 8> tables{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned crc = i << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1;
    tables[0][i] = static_cast<std::uint16_t>(crc);
  }
  for (unsigned i = 0; i < 256; ++i) {
    for (unsigned k = 1; k < 8; ++k) {
      const unsigned before = tables[k - 1][i];
      tables[k][i] = static_cast<std::uint16_t>((before << 8) ^ tables[0][before >> 8]);
    }
  }
  return tables;
}
constexpr auto kCrc16 = make_crc16_tables();

// Slicing by eight: table k advances a byte over k more zero bytes.
constexpr std::array<std::array<std::uint64_t, 256>, 8> make_crc64_tables() {
  constexpr std::uint64_t kReflectedPoly =
      0x95ac9329ac4bc9b5ULL;  // 0xad93d23594c935a9, bits reversed
  std::array<std::array<std::uint64_t, 256>, 8> tables{};
  for (unsigned i = 0; i < 256; ++i) {
    std::uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ kReflectedPoly : crc >> 1;
    tables[0][i] = crc;
  }
  for (unsigned i = 0; i < 256; ++i) {
    for (unsigned k = 1; k < 8; ++k) {
      tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
    }
  }
  return tables;
}
constexpr auto kCrc64 = make_crc64_tables();

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint16_t crc16(std::string_view bytes) noexcept {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t n = bytes.size();
  unsigned crc = 0;
  for (; n >= 8; n -= 8, p += 8) {
    crc = kCrc16[7][p[0] ^ (crc >> 8)] ^ kCrc16[6][p[1] ^ (crc & 0xff)] ^ kCrc16[5][p[2]] ^
          kCrc16[4][p[3]] ^ kCrc16[3][p[4]] ^ kCrc16[2][p[5]] ^ kCrc16[1][p[6]] ^ kCrc16[0][p[7]];
  }
  for (; n > 0; --n, ++p) crc = ((crc << 8) & 0xffff) ^ kCrc16[0][(crc >> 8) ^ *p];
  return static_cast<std::uint16_t>(crc);
}

std::uint64_t crc64(std::string_view bytes, std::uint64_t crc) noexcept {
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (unsigned k = 0; k < 8; ++k) crc ^= kCrc64[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; n > 0; --n, ++p)
    crc = kCrc64[0][(crc ^ static_cast<unsigned char>(*p)) & 0xff] ^ (crc >> 8);
  return crc;
}

}  // namespace hearth
