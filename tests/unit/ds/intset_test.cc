#include "src/ds/intset.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <string>

#include "src/base/random.h"

using hearth::Rng;
using hearth::ds::Intset;

TEST_CASE("an intset does what std::set does, in every width") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Intset ints;
    std::set<std::int64_t> model;
    for (int step = 0; step < 600; ++step) {
      const unsigned bits = step < 200 ? 6 : (step < 400 ? 20 : 64);
      const auto value = static_cast<std::int64_t>(rng.next()) >> (64 - bits);
      switch (rng.below(4)) {
        case 0:
        case 1: CHECK(ints.add(value) == model.insert(value).second); break;
        case 2: CHECK(ints.erase(value) == (model.erase(value) > 0)); break;
        default: CHECK(ints.contains(value) == model.contains(value));
      }
      REQUIRE(ints.size() == model.size());
    }
    std::size_t i = 0;
    for (const std::int64_t value : model) CHECK(ints.at(i++) == value);
    const auto copy = Intset::from_bytes(ints.bytes());
    REQUIRE(copy);
    CHECK(copy->bytes() == ints.bytes());
    CHECK(ints.clone().bytes() == ints.bytes());
  }
}

TEST_CASE("the bytes of an intset are the public format") {
  Intset ints;
  ints.add(5);
  ints.add(-2);
  using namespace std::string_literals;
  CHECK(ints.bytes() == "\2\0\0\0\2\0\0\0\xfe\xff\5\0"s);
  ints.add(70000);
  CHECK(ints.bytes() == "\4\0\0\0\3\0\0\0\xfe\xff\xff\xff\5\0\0\0\x70\x11\1\0"s);
  ints.add(std::numeric_limits<std::int64_t>::min());
  CHECK(ints.bytes().size() == 8 + 4 * 8);
}

TEST_CASE("bytes that are no intset are refused") {
  using namespace std::string_literals;
  const std::string good = "\2\0\0\0\2\0\0\0\xfe\xff\5\0"s;
  CHECK(Intset::from_bytes(good));
  CHECK(Intset::from_bytes("\2\0\0\0\0\0\0\0"s));
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(Intset::from_bytes(good.substr(0, n)));
  CHECK_FALSE(Intset::from_bytes(good + "x"));
  CHECK_FALSE(Intset::from_bytes("\3\0\0\0\2\0\0\0\xfe\xff\5\0\1\1"s));
  CHECK_FALSE(Intset::from_bytes("\2\0\0\0\2\0\0\0\5\0\5\0"s));
  CHECK_FALSE(Intset::from_bytes("\2\0\0\0\2\0\0\0\6\0\5\0"s));
  CHECK_FALSE(Intset::from_bytes("\x8\0\0\0\xff\xff\xff\xff\6\0\5\0"s));
}
