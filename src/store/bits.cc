#include "src/store/bits.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "src/base/bytes.h"

namespace hearth::bits {
namespace {

__extension__ using Wide = unsigned __int128;

unsigned char byte_or_zero(std::string_view bytes, std::uint64_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

// Bits of a byte from place `first` (0 is the highest) up to `end`.
unsigned edge(unsigned byte, std::uint64_t first, std::uint64_t end) {
  return (byte & (0xffU >> first)) & (0xff00U >> end);
}

std::uint64_t ones_of_bytes(const char* p, std::uint64_t size) {
  std::uint64_t sum = 0;
  for (; size >= 8; p += 8, size -= 8) {
    sum += static_cast<unsigned>(std::popcount(load_le<std::uint64_t>(p)));
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, p, size);
  return sum + static_cast<unsigned>(std::popcount(rest));
}

// dst[i] = fn(dst[i], src[i]) for all bytes, in words.
template <typename F>
void apply(char* dst, std::string_view src, F fn) {
  std::uint64_t i = 0;
  for (; i + 8 <= src.size(); i += 8) {
    store_le(dst + i, fn(load_le<std::uint64_t>(dst + i), load_le<std::uint64_t>(src.data() + i)));
  }
  for (; i < src.size(); ++i) {
    dst[i] = static_cast<char>(fn(static_cast<unsigned char>(dst[i]), byte_or_zero(src, i)));
  }
}

std::uint64_t both(std::uint64_t a, std::uint64_t b) { return a & b; }
std::uint64_t either(std::uint64_t a, std::uint64_t b) { return a | b; }
std::uint64_t differing(std::uint64_t a, std::uint64_t b) { return a ^ b; }
std::uint64_t without(std::uint64_t a, std::uint64_t b) { return a & ~b; }
std::uint64_t inverse(std::uint64_t, std::uint64_t b) { return ~b; }

void unite(std::span<const std::string_view> sources, char* out) {
  for (const std::string_view source : sources) apply(out, source, either);
}

// Bits that two sources have are dropped from those that any has.
void exactly_one(std::span<const std::string_view> sources, char* out, std::uint64_t size) {
  std::string repeated(size, '\0');
  for (const std::string_view source : sources) {
    std::string seen_before(out, source.size());
    apply(seen_before.data(), source, both);
    apply(repeated.data(), seen_before, either);
    apply(out, source, either);
  }
  apply(out, repeated, without);
}

}  // namespace

std::uint64_t count_ones(std::string_view bytes, std::uint64_t first, std::uint64_t end) {
  if (first >= end) return 0;
  const std::uint64_t first_byte = first / 8;
  const std::uint64_t last_byte = (end - 1) / 8;
  const std::uint64_t end_in_last = end - last_byte * 8;
  if (first_byte == last_byte) {
    return static_cast<unsigned>(
        std::popcount(edge(byte_or_zero(bytes, first_byte), first % 8, end_in_last)));
  }
  std::uint64_t sum =
      static_cast<unsigned>(std::popcount(edge(byte_or_zero(bytes, first_byte), first % 8, 8)));
  sum += static_cast<unsigned>(std::popcount(edge(byte_or_zero(bytes, last_byte), 0, end_in_last)));
  return sum + ones_of_bytes(bytes.data() + first_byte + 1, last_byte - first_byte - 1);
}

std::optional<std::uint64_t> find(std::string_view bytes, bool value, std::uint64_t first,
                                  std::uint64_t end) {
  if (first >= end) return std::nullopt;
  // A one is looked for; looking for a zero is looking for a one in the inverse.
  const unsigned flip = value ? 0 : 0xff;
  const std::uint64_t nothing = value ? 0 : ~std::uint64_t{0};
  const std::uint64_t last_byte = (end - 1) / 8;
  std::uint64_t i = first / 8;
  std::uint64_t from = first % 8;
  while (i <= last_byte) {
    const std::uint64_t to = i == last_byte ? end - last_byte * 8 : 8;
    const unsigned hit = edge(byte_or_zero(bytes, i) ^ flip, from, to);
    if (hit != 0) return i * 8 + static_cast<unsigned>(std::countl_zero(hit)) - 24;
    ++i;
    from = 0;
    while (i + 8 <= last_byte && load_le<std::uint64_t>(bytes.data() + i) == nothing) i += 8;
  }
  return std::nullopt;
}

std::uint64_t read_field(std::string_view bytes, std::uint64_t offset, unsigned width) {
  const std::uint64_t first = offset / 8;
  Wide window = 0;  // nine bytes
  for (std::uint64_t i = 0; i < 9; ++i) {
    window = window << 8 | (first + i < bytes.size() ? byte_or_zero(bytes, first + i) : 0U);
  }
  const auto shift = static_cast<unsigned>(72 - offset % 8 - width);
  const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  return static_cast<std::uint64_t>(window >> shift) & mask;
}

void write_field(char* bytes, std::uint64_t offset, unsigned width, std::uint64_t value) {
  const std::uint64_t first = offset / 8;
  const std::uint64_t count = (offset % 8 + width + 7) / 8;
  Wide window = 0;
  for (std::uint64_t i = 0; i < count; ++i)
    window = window << 8 | static_cast<unsigned char>(bytes[first + i]);
  const auto shift = static_cast<unsigned>(count * 8 - offset % 8 - width);
  const Wide mask = ((Wide{1} << width) - 1) << shift;
  window = (window & ~mask) | ((Wide{value} << shift) & mask);
  for (std::uint64_t i = count; i-- > 0; window >>= 8)
    bytes[first + i] = static_cast<char>(static_cast<unsigned char>(window & 0xff));
}

void combine(Operation operation, std::span<const std::string_view> sources, char* out,
             std::uint64_t size) {
  std::memset(out, 0, size);
  const std::string_view x = sources.front();
  const auto others = sources.subspan(1);
  switch (operation) {
    case Operation::kAnd:
      apply(out, x, either);
      for (const std::string_view y : others) {
        apply(out, y, both);
        std::memset(out + y.size(), 0, size - y.size());
      }
      break;
    case Operation::kOr: unite(sources, out); break;
    case Operation::kXor:
      for (const std::string_view source : sources) apply(out, source, differing);
      break;
    case Operation::kNot: apply(out, x, inverse); break;
    case Operation::kDiff: {
      std::string some(size, '\0');
      unite(others, some.data());
      apply(out, x, either);
      apply(out, some, without);
      break;
    }
    case Operation::kDiff1:
      unite(others, out);
      apply(out, x, without);
      break;
    case Operation::kAndOr:
      unite(others, out);
      apply(out, x, both);
      std::memset(out + x.size(), 0, size - x.size());
      break;
    case Operation::kOne: exactly_one(sources, out, size); break;
  }
}

}  // namespace hearth::bits
