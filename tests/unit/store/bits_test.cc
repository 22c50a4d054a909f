#include "src/store/bits.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "src/base/random.h"

using namespace hearth;

namespace {

std::string random_bytes(Rng& rng, std::size_t size) {
  std::string bytes(size, '\0');
  // Long stretches of one value, so that words can be skipped.
  const std::uint64_t kind = rng.below(3);
  for (char& c : bytes) {
    if (kind == 0) c = static_cast<char>(rng.below(256));
    if (kind == 1) c = rng.chance(0.02) ? static_cast<char>(rng.below(256)) : '\0';
    if (kind == 2) c = rng.chance(0.02) ? static_cast<char>(rng.below(256)) : '\xff';
  }
  return bytes;
}

bool bit_of(const std::string& bytes, std::uint64_t i) {
  return ((static_cast<unsigned char>(bytes[i / 8]) >> (7 - i % 8)) & 1) != 0;
}

}  // namespace

TEST_CASE("counting and finding bits agree with looking at each") {
  Rng rng(1);
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = random_bytes(rng, 1 + rng.below(60));
    const std::uint64_t total = bytes.size() * 8;
    const std::uint64_t first = rng.below(total + 1);
    const std::uint64_t end = first + rng.below(total - first + 1);
    std::uint64_t ones = 0;
    std::optional<std::uint64_t> one, zero;
    for (std::uint64_t i = first; i < end; ++i) {
      const bool bit = bit_of(bytes, i);
      ones += bit ? 1 : 0;
      if (bit && !one) one = i;
      if (!bit && !zero) zero = i;
    }
    CHECK(bits::count_ones(bytes, first, end) == ones);
    CHECK(bits::find(bytes, true, first, end) == one);
    CHECK(bits::find(bytes, false, first, end) == zero);
  }
}

TEST_CASE("fields are read and written at any place and width") {
  Rng rng(2);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = random_bytes(rng, 20);
    const auto width = static_cast<unsigned>(1 + rng.below(64));
    const std::uint64_t offset = rng.below(160 - width + 1);
    const std::uint64_t value = width == 64 ? rng.next() : rng.below(std::uint64_t{1} << width);
    std::string expected = bytes;
    for (unsigned i = 0; i < width; ++i) {
      const std::uint64_t at = offset + i;
      const auto mask = static_cast<unsigned char>(0x80U >> (at % 8));
      auto& byte = expected[at / 8];
      byte = static_cast<char>(((value >> (width - 1 - i)) & 1) != 0
                                   ? static_cast<unsigned char>(byte) | mask
                                   : static_cast<unsigned char>(byte) & ~mask);
    }
    bits::write_field(bytes.data(), offset, width, value);
    CHECK(bytes == expected);
    CHECK(bits::read_field(bytes, offset, width) == value);
  }
  CHECK(bits::read_field("\xff", 4, 8) == 0xf0);
  CHECK(bits::read_field("", 100, 64) == 0);
}

TEST_CASE("combining agrees with the meaning of each operation, bit by bit") {
  using bits::Operation;
  Rng rng(3);
  for (int round = 0; round < 600; ++round) {
    const std::size_t count = 1 + rng.below(5);
    std::vector<std::string> owned;
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      owned.push_back(random_bytes(rng, rng.below(40)));
      size = std::max(size, owned.back().size());
    }
    for (const Operation operation :
         {Operation::kAnd, Operation::kOr, Operation::kXor, Operation::kNot, Operation::kDiff,
          Operation::kDiff1, Operation::kAndOr, Operation::kOne}) {
      CAPTURE(static_cast<int>(operation));
      std::vector<std::string_view> sources(owned.begin(), owned.end());
      std::size_t length = size;
      if (operation == Operation::kNot) {
        sources.resize(1);
        length = owned[0].size();
      }
      std::string out(length, 'x');
      bits::combine(operation, sources, out.data(), length);
      for (std::uint64_t i = 0; i < length * 8; ++i) {
        const bool x = i / 8 < sources[0].size() && bit_of(owned[0], i);
        std::size_t ones = 0;
        for (std::size_t s = 0; s < sources.size(); ++s)
          ones += i / 8 < owned[s].size() && bit_of(owned[s], i) ? 1 : 0;
        const std::size_t others = ones - (x ? 1 : 0);
        bool expected = false;
        switch (operation) {
          case Operation::kAnd: expected = ones == sources.size(); break;
          case Operation::kOr: expected = ones > 0; break;
          case Operation::kXor: expected = ones % 2 == 1; break;
          case Operation::kNot: expected = !x; break;
          case Operation::kDiff: expected = x && others == 0; break;
          case Operation::kDiff1: expected = !x && others > 0; break;
          case Operation::kAndOr: expected = x && others > 0; break;
          case Operation::kOne: expected = ones == 1; break;
        }
        REQUIRE(bit_of(out, i) == expected);
      }
    }
  }
}
