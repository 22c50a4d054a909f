#include "src/store/tombstones.h"

#include <doctest/doctest.h>

#include <map>

#include "src/base/random.h"

using namespace hearth;

TEST_CASE("a fingerprint map holds what a map holds") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    ds::FingerprintMap map(seed);
    std::map<std::uint64_t, std::uint64_t> model;
    for (int step = 0; step < 3000; ++step) {
      const std::uint64_t fingerprint = rng.below(200);
      if (rng.below(3) == 0) {
        map.erase(fingerprint);
        model.erase(fingerprint);
      } else {
        map[fingerprint] = model[fingerprint] = rng.below(1000) + 1;
      }
      const std::uint64_t other = rng.below(200);
      const auto at = model.find(other);
      REQUIRE(map.find(other) == (at == model.end() ? 0 : at->second));
      REQUIRE(map.size() == model.size());
    }
    std::map<std::uint64_t, std::uint64_t> all;
    map.for_each([&](std::uint64_t key, std::uint64_t number) { all[key] = number; });
    CHECK(all == model);
    map.clear();
    CHECK(map.empty());
    CHECK(map.find(1) == 0);
  }
}

TEST_CASE("a tombstone stands for its life, and no longer than twice that") {
  Tombstones tombstones(7);
  const milliseconds life{1000};
  UnixMillis now{1'000'000};
  tombstones.age(now, life);
  tombstones.add(1, 10);
  now = now + milliseconds{999};
  tombstones.age(now, life);
  tombstones.add(2, 20);
  now = now + milliseconds{1};
  tombstones.age(now, life);
  CHECK(tombstones.of(1) == 10);
  now = now + milliseconds{999};
  tombstones.age(now, life);
  CHECK(tombstones.of(2) == 20);
  now = now + milliseconds{1};
  tombstones.age(now, life);
  CHECK(tombstones.of(1) == 0);
  CHECK(tombstones.of(2) == 0);
  CHECK(tombstones.empty());
}

TEST_CASE("too many tombstones become a floor that is no lower than any of them") {
  Tombstones tombstones(7, 100);
  for (std::uint64_t i = 1; i <= 1000; ++i) tombstones.add(i, 5000 - i);
  CHECK(tombstones.size() <= 100);
  for (std::uint64_t i = 1; i <= 1000; ++i) CHECK(tombstones.of(i) >= 5000 - i);
  CHECK(tombstones.floor() == 4999);
  // A key that comes back takes its own version, and not that of the floor.
  CHECK(tombstones.take(1000) == 4000);
  CHECK(tombstones.take(1000) == 0);
  // The floor is as old as what it stands for.
  UnixMillis now{1'000'000};
  for (int turn = 0; turn < 2; ++turn) {
    CHECK(tombstones.of(12345) == 4999);
    now = now + milliseconds{1000};
    tombstones.age(now, milliseconds{1000});
  }
  CHECK(tombstones.of(12345) == 0);
  tombstones.add(1, 5);
  tombstones.raise_floor(7);
  tombstones.clear();
  CHECK(tombstones.empty());
}

TEST_CASE("a higher version of a tombstone stays") {
  Tombstones tombstones(7);
  tombstones.add(1, 10);
  tombstones.add(1, 5);
  CHECK(tombstones.of(1) == 10);
  tombstones.age(UnixMillis{1'000'000}, milliseconds{1});
  tombstones.add(1, 7);
  CHECK(tombstones.of(1) == 10);
  CHECK(tombstones.take(1) == 10);
  CHECK(tombstones.empty());
}
