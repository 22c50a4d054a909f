#include "src/ds/bloom_filter.h"

#include <doctest/doctest.h>

#include "src/base/random.h"

using namespace hearth;

TEST_CASE("a filter finds all that was added, and little else while there is room") {
  ds::BloomFilter filter(std::size_t{1} << 17U);
  Rng added(1);
  for (int i = 0; i < 10'000; ++i) filter.add(added.next());
  Rng again(1);
  for (int i = 0; i < 10'000; ++i) REQUIRE(filter.contains(again.next()));
  Rng others(2);
  int found = 0;
  for (int i = 0; i < 10'000; ++i) found += filter.contains(others.next()) ? 1 : 0;
  CHECK(found < 200);  // about 0.5 %
}
