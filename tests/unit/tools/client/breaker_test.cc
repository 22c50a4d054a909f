#include "tools/client/breaker.h"

#include <doctest/doctest.h>

using namespace hearth;
using hearth::client::Breaker;
using State = Breaker::State;

TEST_CASE("a breaker that is closed admits everything") {
  Breaker breaker;
  CHECK(breaker.admits(MonoTime{0}));
  CHECK(breaker.admits(MonoTime{0}));
  CHECK(breaker.state() == State::kClosed);
}

TEST_CASE("after a failure nothing is tried for a pause, then one probe is") {
  Rng rng(1);
  Breaker breaker({milliseconds{20}, milliseconds{1'000}});
  const MonoTime now{1'000'000};
  breaker.fail(now, rng);
  CHECK(breaker.state() == State::kOpen);
  CHECK(breaker.retry_at() >= now + milliseconds{10});
  CHECK(breaker.retry_at() <= now + milliseconds{20});
  CHECK_FALSE(breaker.admits(MonoTime{breaker.retry_at().us - 1}));
  // Others that fail of the same trouble do not make the pause longer.
  const MonoTime at = breaker.retry_at();
  breaker.fail(now, rng);
  CHECK(breaker.retry_at() == at);
  CHECK(breaker.failures() == 1);
  CHECK(breaker.admits(at));
  CHECK(breaker.state() == State::kHalfOpen);
  CHECK_FALSE(breaker.admits(at));
  breaker.succeed();
  CHECK(breaker.state() == State::kClosed);
  CHECK(breaker.admits(at));
  CHECK(breaker.failures() == 0);
}

TEST_CASE("pauses double up to a bound, each between its half and its whole") {
  Rng rng(7);
  Breaker breaker({milliseconds{100}, milliseconds{3'000}});
  MonoTime now{1'000'000};
  std::int64_t full = 100;
  for (int i = 0; i < 60; ++i) {
    CAPTURE(i);
    REQUIRE(breaker.admits(now));
    breaker.fail(now, rng);
    const auto pause = (breaker.retry_at() - now).count() / 1000;
    CHECK(pause >= full / 2);
    CHECK(pause <= full);
    full = std::min<std::int64_t>(3'000, full * 2);
    now = breaker.retry_at();
  }
  CHECK(breaker.failures() == 60);
  // A success makes the next pause short again.
  REQUIRE(breaker.admits(now));
  breaker.succeed();
  breaker.fail(now, rng);
  CHECK(breaker.retry_at() <= now + milliseconds{100});
}
