#include "tools/cache_warm/pacer.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace hearth;
using namespace hearth::warm;

namespace {

// A load that could send so many rows a second.
struct Load {
  explicit Load(double most) : most_(most) { rate = pacer.rate(now, 0); }
  // Up to where nothing limits it.
  void start(milliseconds fast = milliseconds{1}) {
    for (int turns = 0; rate > 0; ++turns) {
      REQUIRE(turns < 20);
      turn(0, fast);
    }
  }

  // A tenth of a second. Of twenty PINGs `slow` take long.
  double turn(int slow, milliseconds fast = milliseconds{1},
              milliseconds long_one = milliseconds{9}) {
    for (int i = 0; i < 20; ++i) pacer.note(i < slow ? long_one : fast);
    now = now + milliseconds{100};
    rows_ += (rate > 0 ? std::min(rate, most_) : most_) / 10;
    return rate = pacer.rate(now, static_cast<std::uint64_t>(rows_));
  }

  Pacer pacer{milliseconds{5}, true};
  MonoTime now{1'000'000};
  double rate = 0;

 private:
  double most_;
  double rows_ = 0;
};

}  // namespace

TEST_CASE("a load begins slowly and doubles while answers are quick") {
  Load load(1'000'000);
  CHECK(load.rate == Pacer::kFirstRate);
  CHECK(load.turn(0) == doctest::Approx(2 * Pacer::kFirstRate));
  CHECK(load.turn(0) == doctest::Approx(4 * Pacer::kFirstRate));
  CHECK(load.turn(5) < 4 * Pacer::kFirstRate);
  // From here on it feels its way.
  const double fallen = load.rate;
  for (int i = 0; i < 3; ++i) load.turn(0);
  CHECK(load.rate == doctest::Approx(1.1 * fallen));
  Load slow(1'000);  // a database that gives no more
  slow.start();
  // Nobody is there to be disturbed.
  Pacer alone(milliseconds{5}, false);
  CHECK(alone.rate(MonoTime{1'000'000}, 0) == 0);
}

TEST_CASE("a rate falls while answers are slow, and rises to none again") {
  Load load(100'000);
  load.start();
  CHECK(load.turn(5) == doctest::Approx(70'000));
  CHECK(load.turn(5) == doctest::Approx(49'000));
  CHECK(load.turn(0) == doctest::Approx(49'000));
  int turns = 0;
  while (load.rate > 0 && turns < 1000) {
    load.turn(0);
    ++turns;
  }
  CHECK(load.rate == 0);
  CHECK(turns < 100);
}

TEST_CASE("one slow answer in a hundred is what clients may see") {
  Load load(100'000);
  load.start();
  for (int i = 0; i < 50; ++i) CHECK(load.turn(i % 5 == 0 ? 1 : 0) == 0);
  // Two in a hundred are too many.
  bool has_fallen = false;
  for (int i = 0; i < 50; ++i) has_fallen = load.turn(i % 5 == 0 ? 2 : 0) > 0 || has_fallen;
  CHECK(has_fallen);
}

TEST_CASE("a way that takes long is no load") {
  Load load(100'000);
  load.start(milliseconds{40});
  CHECK(load.turn(4, milliseconds{40}, milliseconds{44}) == 0);
  CHECK(load.turn(4, milliseconds{40}, milliseconds{49}) > 0);
}

TEST_CASE("one long silence counts for the answers that could not be asked for") {
  Load load(100'000);
  load.start();
  CHECK(load.turn(1, milliseconds{1}, milliseconds{100}) == doctest::Approx(70'000));
}

TEST_CASE("a rate does not fall for ever: what does not get better has other causes") {
  Load load(100'000);
  load.start();
  for (int i = 0; i < 100; ++i) load.turn(10);
  CHECK(load.rate == doctest::Approx(10'000));
  Load slow(100);
  slow.turn(0);
  for (int i = 0; i < 100; ++i) slow.turn(10);
  CHECK(slow.rate == doctest::Approx(200));
}
