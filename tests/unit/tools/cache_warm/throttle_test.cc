#include "tools/cache_warm/throttle.h"

#include <doctest/doctest.h>

using namespace hearth;
using namespace hearth::warm;

namespace {

// The pieces that go through in a span when one is tried every 100 us.
std::uint64_t taken_in(Throttle& throttle, MonoTime from, microseconds span, std::uint64_t rows,
                       std::uint64_t bytes) {
  std::uint64_t taken = 0;
  for (MonoTime at = from; at < from + span; at = at + microseconds{100}) {
    if (throttle.take(rows, bytes, at).count() == 0) ++taken;
  }
  return taken;
}

constexpr MonoTime kBegin{1'000'000};

}  // namespace

TEST_CASE("a throttle lets its rate through, in small bursts") {
  Throttle rows(Throttle::Unit::kRows, 10'000, kBegin);
  CHECK(taken_in(rows, kBegin, microseconds{1'000'000}, 2, 1'000) ==
        doctest::Approx(5'000).epsilon(0.03));
  // A rate that was not used is not saved up.
  const MonoTime later = kBegin + microseconds{60'000'000};
  int burst = 0;
  while (rows.take(1, 1'000, later).count() == 0) ++burst;
  CHECK(burst == 100);
  Throttle bytes(Throttle::Unit::kBytes, 1'000'000, kBegin);
  CHECK(taken_in(bytes, kBegin, microseconds{1'000'000}, 1, 1'000) ==
        doctest::Approx(1'000).epsilon(0.03));
}

TEST_CASE("a piece larger than a burst goes through and is waited for afterwards") {
  Throttle throttle(Throttle::Unit::kBytes, 100'000, kBegin);
  const MonoTime later = kBegin + microseconds{1'000'000};
  REQUIRE(throttle.take(1, 50'000, later).count() == 0);
  CHECK(throttle.take(1, 1'000, later + microseconds{400'000}).count() > 0);
  CHECK(throttle.take(1, 1'000, later + microseconds{520'000}).count() == 0);
}

TEST_CASE("a throttle without a rate waits for nothing, and a rate may change") {
  Throttle throttle(Throttle::Unit::kRows, 0, kBegin);
  CHECK_FALSE(throttle.is_limited());
  CHECK(throttle.take(1'000'000, 0, kBegin).count() == 0);
  throttle.set_rate(100);
  CHECK(throttle.is_limited());
  CHECK(taken_in(throttle, kBegin, microseconds{1'000'000}, 1, 0) ==
        doctest::Approx(100).epsilon(0.03));
}
