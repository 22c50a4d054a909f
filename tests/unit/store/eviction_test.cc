#include "src/store/eviction.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using hearth::Entry;
using hearth::EvictionPolicy;
using hearth::EvictionPool;
using hearth::KeyRef;
using hearth::Keyspace;
using hearth::kNoDeadline;
using hearth::LfuParams;
using hearth::Rng;
using hearth::UnixMillis;
namespace access_clock = hearth::access_clock;

namespace {

constexpr std::uint64_t kSeed = 3;
constexpr std::int64_t kNow = 1'700'000'000'000;

struct Fixture {
  void put(int db, const std::string& name, std::int64_t deadline, std::uint32_t access) {
    const KeyRef key{name, hearth::hash_bytes(name, kSeed), 0};
    keyspace.db(static_cast<hearth::DbIndex>(db))
        .insert(key, Entry::make_string(name, "v", deadline, access));
  }
  void erase(const EvictionPool::Candidate& c) {
    const KeyRef key{c.key, hearth::hash_bytes(c.key, kSeed), 0};
    if (const auto at = keyspace.db(c.db).find(key)) keyspace.db(c.db).erase(key, at);
  }
  bool pick(EvictionPolicy policy, std::size_t samples = 5) {
    return pool.pick(keyspace, policy, samples, UnixMillis{kNow}, LfuParams{}, rng, out);
  }
  Keyspace keyspace{kSeed, 4, false};
  EvictionPool pool;
  Rng rng{1};
  EvictionPool::Candidate out;
};

std::uint32_t idle(std::int64_t seconds) {
  return access_clock::lru_from_idle(seconds, UnixMillis{kNow});
}

}  // namespace

TEST_CASE("the LRU clock counts seconds and survives its wrap") {
  CHECK(access_clock::lru_idle_ms(access_clock::lru(UnixMillis{kNow}), UnixMillis{kNow}) == 0);
  CHECK(access_clock::lru_idle_ms(access_clock::lru(UnixMillis{kNow}), UnixMillis{kNow + 5'999}) ==
        5'000);
  CHECK(access_clock::lru_idle_ms(idle(100), UnixMillis{kNow}) == 100'000);
  const std::int64_t wrap = (std::int64_t{1} << 24) * 1000;
  const std::int64_t before = kNow / wrap * wrap + wrap - 3'000;
  CHECK(access_clock::lru_idle_ms(access_clock::lru(UnixMillis{before}),
                                  UnixMillis{before + 10'000}) == 10'000);
  CHECK(access_clock::lru_idle_ms(access_clock::lru_from_idle(INT64_MAX, UnixMillis{kNow}),
                                  UnixMillis{kNow}) == wrap - 1000);
}

TEST_CASE(
    "an LFU counter starts at five, grows more slowly the larger it is, and decays by the minute") {
  const UnixMillis now{kNow};
  CHECK(access_clock::lfu_counter(access_clock::lfu_new(now), now, {}) == 5);
  CHECK(access_clock::lfu_counter(access_clock::lfu_with_counter(200, now), now, {}) == 200);
  const UnixMillis later{kNow + 3 * 60'000};
  CHECK(access_clock::lfu_counter(access_clock::lfu_with_counter(200, now), later, {}) == 197);
  CHECK(access_clock::lfu_counter(access_clock::lfu_with_counter(2, now), later, {}) == 0);
  CHECK(access_clock::lfu_counter(access_clock::lfu_with_counter(200, now), later,
                                  {.log_factor = 10, .decay_minutes = 0}) == 200);
  CHECK(access_clock::lfu_counter(access_clock::lfu_with_counter(200, now), later,
                                  {.log_factor = 10, .decay_minutes = 2}) == 199);

  Rng rng(1);
  const auto after = [&](int accesses, std::uint32_t factor) {
    std::uint32_t field = access_clock::lfu_new(now);
    for (int i = 0; i < accesses; ++i)
      field = access_clock::lfu_touched(field, now, {factor, 1}, rng);
    return static_cast<int>(access_clock::lfu_counter(field, now, {factor, 1}));
  };
  CHECK(after(100, 0) == 105);
  CHECK(after(10'000, 0) == 255);
  // The published table of lfu-log-factor: 1000 hits give about 18 at factor 10, 100K hits about
  // 142.
  CHECK(after(1'000, 10) >= 12);
  CHECK(after(1'000, 10) <= 26);
  CHECK(after(100'000, 10) >= 120);
  CHECK(after(100'000, 10) <= 165);
  CHECK(after(100'000, 100) < 70);
}

TEST_CASE("nothing is picked without a policy or without keys") {
  Fixture f;
  CHECK_FALSE(f.pick(EvictionPolicy::kAllKeysLru));
  CHECK_FALSE(f.pick(EvictionPolicy::kAllKeysRandom));
  f.put(0, "k", kNoDeadline, 0);
  CHECK_FALSE(f.pick(EvictionPolicy::kNoEviction));
  for (const auto policy : {EvictionPolicy::kVolatileLru, EvictionPolicy::kVolatileLfu,
                            EvictionPolicy::kVolatileRandom, EvictionPolicy::kVolatileTtl}) {
    CHECK_FALSE(f.pick(policy));
  }
}

TEST_CASE("with samples enough the best candidate of all databases is picked") {
  Fixture f;
  for (int i = 0; i < 40; ++i)
    f.put(i % 4, "k" + std::to_string(i), kNow + 1000 * (i + 1), idle(i));
  for (int i = 39; i >= 20; --i) {
    REQUIRE(f.pick(EvictionPolicy::kAllKeysLru, 100));
    CHECK(f.out.key == "k" + std::to_string(i));
    CHECK(f.out.db == i % 4);
    f.erase(f.out);
  }
  f.pool.clear();
  for (int i = 0; i < 10; ++i) {
    REQUIRE(f.pick(EvictionPolicy::kVolatileTtl, 100));
    CHECK(f.out.key == "k" + std::to_string(i));
    f.erase(f.out);
  }
}

TEST_CASE("LFU picks the least used") {
  Fixture f;
  for (int i = 0; i < 30; ++i) {
    f.put(0, "k" + std::to_string(i), kNoDeadline,
          access_clock::lfu_with_counter(static_cast<std::uint8_t>(10 + i), UnixMillis{kNow}));
  }
  for (int i = 0; i < 10; ++i) {
    REQUIRE(f.pick(EvictionPolicy::kAllKeysLfu, 100));
    CHECK(f.out.key == "k" + std::to_string(i));
    f.erase(f.out);
  }
}

TEST_CASE("volatile policies never pick a key without a deadline") {
  for (const auto policy : {EvictionPolicy::kVolatileLru, EvictionPolicy::kVolatileLfu,
                            EvictionPolicy::kVolatileRandom, EvictionPolicy::kVolatileTtl}) {
    Fixture f;
    for (int i = 0; i < 300; ++i) f.put(i % 2, "ever" + std::to_string(i), kNoDeadline, idle(1000));
    for (int i = 0; i < 20; ++i) f.put(i % 2, "timed" + std::to_string(i), kNow + i, idle(1));
    for (int i = 0; i < 20; ++i) {
      REQUIRE(f.pick(policy));
      CHECK(f.out.key.starts_with("timed"));
      f.erase(f.out);
    }
  }
}

TEST_CASE("random policies take turns over the databases and reach every key") {
  Fixture f;
  for (int i = 0; i < 100; ++i) f.put(i % 4, "k" + std::to_string(i), kNoDeadline, 0);
  std::set<std::string> picked;
  int per_db[4] = {};
  for (int i = 0; i < 5'000; ++i) {
    REQUIRE(f.pick(EvictionPolicy::kAllKeysRandom));
    picked.insert(f.out.key);
    ++per_db[f.out.db];
  }
  CHECK(picked.size() == 100);
  for (const int n : per_db) CHECK(n == 1250);
}

TEST_CASE("a candidate whose key is gone does not come twice") {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.put(0, "k" + std::to_string(i), kNoDeadline, idle(i));
  REQUIRE(f.pick(EvictionPolicy::kAllKeysLru, 100));
  const std::string first = f.out.key;
  f.erase(f.out);
  std::set<std::string> rest;
  while (f.pick(EvictionPolicy::kAllKeysLru, 100)) {
    CHECK(f.out.key != first);
    rest.insert(f.out.key);
    f.erase(f.out);
  }
  CHECK(rest.size() == 4);
}

TEST_CASE("the pool keeps the best of what rounds have drawn and lets better ones in") {
  // One sample a round: without a pool that lasts, a victim would be any key.
  Fixture f;
  constexpr int kCount = 400;
  for (int i = 0; i < kCount; ++i) f.put(0, "k" + std::to_string(i), kNoDeadline, idle(i));
  for (int i = 0; i < 16; ++i) REQUIRE(f.pick(EvictionPolicy::kAllKeysLru, 8));
  int oldest_half = 0;
  for (int i = 0; i < 60; ++i) {
    REQUIRE(f.pick(EvictionPolicy::kAllKeysLru, 8));
    if (std::stoi(f.out.key.substr(1)) >= kCount / 2) ++oldest_half;
    f.erase(f.out);
  }
  CHECK(oldest_half >= 58);

  // A pool that is full of bad candidates takes each better one.
  Fixture g;
  for (int i = 0; i < 40; ++i) g.put(0, "young" + std::to_string(i), kNoDeadline, idle(i));
  REQUIRE(g.pick(EvictionPolicy::kAllKeysLru, 100));
  for (int i = 0; i < 20; ++i) g.put(0, "old" + std::to_string(i), kNoDeadline, idle(1000 + i));
  for (int i = 19; i >= 0; --i) {
    REQUIRE(g.pick(EvictionPolicy::kAllKeysLru, 100));
    CHECK(g.out.key == "old" + std::to_string(i));
    g.erase(g.out);
  }
}

TEST_CASE("a candidate that was used since is weighed anew") {
  Fixture f;
  for (int i = 0; i < 30; ++i) f.put(0, "k" + std::to_string(i), kNoDeadline, idle(100 + i));
  REQUIRE(f.pick(EvictionPolicy::kAllKeysLru, 100));
  CHECK(f.out.key == "k29");
  const KeyRef used{"k28", hearth::hash_bytes("k28", kSeed), 0};
  f.keyspace.db(0).set_access(f.keyspace.db(0).find(used), idle(0));
  f.erase(f.out);
  REQUIRE(f.pick(EvictionPolicy::kAllKeysLru, 100));
  CHECK(f.out.key == "k27");
}
