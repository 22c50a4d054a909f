#include <doctest/doctest.h>

#include "src/command/reclaimer.h"
#include "src/command/replication_control.h"
#include "src/store/memory.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_persistence.h"

using hearth::Garbage;
using hearth::milliseconds;
using hearth::seconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr int kKeys = 400;
constexpr std::size_t kValueBytes = 4000;

std::string name(const char* prefix, int i) { return prefix + std::to_string(i); }

struct Evicting {
  explicit Evicting(const std::string& policy, std::uint64_t seed = 1)
      : server({.seed = seed,
                .config = {{"maxmemory-policy", policy}, {"lazyfree-lazy-eviction", "no"}}}) {}

  void limit(std::int64_t bytes_from_now) {
    server.run("PTTL", "none");  // lets go of what the fixture kept of the last command
    const auto limit = static_cast<std::int64_t>(hearth::memory::used_bytes()) + bytes_from_now;
    REQUIRE(server.config().set({{{"maxmemory", std::to_string(limit)}}}, {}));
  }
  void no_limit() { REQUIRE(server.config().set({{{"maxmemory", "0"}}}, {})); }
  int survivors(const char* prefix, int from, int to) {
    no_limit();
    int n = 0;
    for (int i = from; i < to; ++i) n += server.run("EXISTS", name(prefix, i)) == ":1\r\n" ? 1 : 0;
    return n;
  }
  void fill(const char* prefix, int from, int to, const std::vector<std::string>& options = {}) {
    for (int i = from; i < to; ++i) {
      std::vector<std::string> words{"SET", name(prefix, i), std::string(kValueBytes, 'x')};
      words.insert(words.end(), options.begin(), options.end());
      REQUIRE(server.run_words(server.session(), words) == "+OK\r\n");
    }
  }
  // Room for about half of what is there; a read is what makes room.
  void squeeze() {
    limit(-static_cast<std::int64_t>(kKeys * kValueBytes / 2));
    for (int i = 0; i < 4; ++i) server.run("GET", "none");
  }

  EngineFixture server;
};

// One client, which may take a megabyte, asks for a large value again and again.
struct Greedy : Evicting {
  explicit Greedy(std::int64_t room) : Evicting("allkeys-lru"), client(server.open()) {
    fill("k", 0, 20);
    server.run("SET", "big", std::string(100'000, 'x'));
    REQUIRE(server.config().set({{{"maxmemory-clients", "1000000"}}}, {}));
    limit(room);
  }
  ~Greedy() {
    server.engine().close(client);
    no_limit();
  }
  Greedy(const Greedy&) = delete;
  Greedy& operator=(const Greedy&) = delete;

  hearth::Session& client;
};

}  // namespace

TEST_CASE("without a policy writes are refused above maxmemory, reads and removals are not") {
  Evicting e("noeviction");
  e.fill("k", 0, kKeys);
  // The first call of a command makes its histogram of latencies.
  e.server.run("DEL", "none");
  e.server.run("GET", "none");
  e.limit(-1000);
  CHECK(e.server.run("SET", "new", "v") ==
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  CHECK(e.server.effects().empty());
  CHECK(e.server.run("GET", "new") == "$-1\r\n");
  CHECK(e.server.run("DEL", "k1") == ":1\r\n");
  CHECK(e.server.run("SET", "new", "v") == "+OK\r\n");
  CHECK(e.server.engine().stats().evicted_keys == 0);
}

TEST_CASE("every policy that may evict brings the memory below the limit and keeps it there") {
  for (const char* policy : {"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru",
                             "volatile-lfu", "volatile-random", "volatile-ttl"}) {
    INFO("policy=", std::string(policy));
    Evicting e(policy);
    e.fill("k", 0, kKeys, {"EX", "1000"});
    e.squeeze();
    const auto limit = e.server.engine().settings().maxmemory;
    CHECK(hearth::memory::used_bytes() <= limit + 64 * 1024);
    CHECK(e.server.engine().stats().evicted_keys >= kKeys / 3);
    e.fill("more", 0, kKeys, {"EX", "1000"});
    CHECK(hearth::memory::used_bytes() <= limit + 64 * 1024);
    CHECK(e.server.engine().keyspace().db(0).size() < kKeys);
  }
}

TEST_CASE("in import mode nothing is evicted and nothing refused; when it ends, the limit holds") {
  Evicting e("allkeys-lru");
  e.fill("k", 0, kKeys);
  e.server.run("CONFIG", "SET", "import-mode", "yes");
  e.squeeze();
  e.fill("more", 0, 10);
  CHECK(e.server.engine().stats().evicted_keys == 0);
  CHECK(e.server.engine().keyspace().db(0).size() == kKeys + 10);
  e.server.run("CONFIG", "SET", "import-mode", "no");
  for (int i = 0; i < 4; ++i) e.server.run("GET", "none");
  CHECK(e.server.engine().stats().evicted_keys >= kKeys / 3);
  e.no_limit();
}

TEST_CASE("an eviction is logged and told") {
  Evicting e("allkeys-random");
  e.fill("k", 0, 20);
  e.limit(-1000);
  e.server.run("GET", "none");
  REQUIRE(e.server.effects().size() >= 1);
  CHECK(e.server.effects()[0].starts_with("DEL k"));
  CHECK(e.server.events()[0].starts_with("evicted k"));
}

TEST_CASE("volatile policies take keys with a time to live alone") {
  for (const char* policy : {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}) {
    INFO("policy=", std::string(policy));
    Evicting e(policy);
    e.fill("ever", 0, kKeys / 2);
    e.fill("timed", 0, kKeys / 2, {"EX", "1000"});
    e.limit(-static_cast<std::int64_t>(kKeys * kValueBytes * 3 / 4));
    CHECK(e.server.run("SET", "new", "v") ==
          "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    CHECK(e.survivors("timed", 0, kKeys / 2) == 0);
    CHECK(e.survivors("ever", 0, kKeys / 2) == kKeys / 2);
  }
}

TEST_CASE("a few volatile keys among very many others are found when memory is short") {
  for (const char* policy : {"volatile-lru", "volatile-random", "volatile-ttl"}) {
    INFO("policy=", std::string(policy));
    Evicting e(policy);
    for (int i = 0; i < 60'000; ++i) e.server.run("SET", name("ever", i), "v");
    e.fill("timed", 0, 2, {"EX", "1000"});
    e.limit(-1000);
    CHECK(e.server.run("SET", "new", "v") == "+OK\r\n");
    CHECK(e.server.engine().stats().evicted_keys >= 1);
  }
}

TEST_CASE("LRU policies keep what was used last") {
  for (const char* policy : {"allkeys-lru", "volatile-lru"}) {
    INFO("policy=", std::string(policy));
    Evicting e(policy);
    for (int i = 0; i < kKeys; ++i) {
      e.fill("k", i, i + 1, {"EX", "100000"});
      e.server.advance(seconds(1));
    }
    for (int i = 0; i < kKeys / 4; ++i)
      e.server.run("GET", name("k", i));  // the oldest are used again
    e.squeeze();
    // The victims are among the second to fourth quarter, oldest first; sampling makes it likely,
    // not certain.
    const int reused = e.survivors("k", 0, kKeys / 4);
    const int old = e.survivors("k", kKeys / 4, kKeys / 2);
    const int fresh = e.survivors("k", kKeys * 3 / 4, kKeys);
    CHECK(reused >= kKeys / 4 * 8 / 10);
    CHECK(fresh >= kKeys / 4 * 6 / 10);
    CHECK(old <= kKeys / 4 * 4 / 10);
  }
}

TEST_CASE("LFU policies keep what was used often") {
  for (const char* policy : {"allkeys-lfu", "volatile-lfu"}) {
    INFO("policy=", std::string(policy));
    Evicting e(policy);
    e.fill("k", 0, kKeys, {"EX", "100000"});
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < kKeys / 4; ++i) e.server.run("GET", name("k", i));
    }
    e.squeeze();
    CHECK(e.survivors("k", 0, kKeys / 4) >= kKeys / 4 * 9 / 10);
    CHECK(e.survivors("k", kKeys / 4, kKeys) <= kKeys * 3 / 4 * 5 / 10);
  }
}

TEST_CASE("volatile-ttl takes what would end first") {
  Evicting e("volatile-ttl");
  for (int i = 0; i < kKeys; ++i) e.fill("k", i, i + 1, {"EX", std::to_string(1000 + i)});
  e.squeeze();
  CHECK(e.survivors("k", 0, kKeys / 4) <= kKeys / 4 * 2 / 10);
  CHECK(e.survivors("k", kKeys * 3 / 4, kKeys) >= kKeys / 4 * 9 / 10);
}

TEST_CASE("random policies spare no part of the keys") {
  Evicting e("allkeys-random");
  e.fill("k", 0, kKeys);
  e.squeeze();
  for (int quarter = 0; quarter < 4; ++quarter) {
    const int left = e.survivors("k", kKeys / 4 * quarter, kKeys / 4 * (quarter + 1));
    CHECK(left >= kKeys / 4 * 2 / 10);
    CHECK(left <= kKeys / 4 * 8 / 10);
  }
}

TEST_CASE("in a transaction memory is asked for when it is queued and when it runs") {
  Evicting e("noeviction");
  e.fill("k", 0, 10);
  e.server.session().in_multi = true;
  CHECK(e.server.run("GET", "k1") == "+QUEUED\r\n");
  e.limit(-1000);
  CHECK(e.server.run("SET", "new", "v") ==
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  CHECK(e.server.session().multi_aborted);
}

namespace {

class CountingReclaimer final : public hearth::Reclaimer {
 public:
  void reclaim(Garbage garbage) override {
    ++calls;
    freed += garbage.object_count();
  }
  [[nodiscard]] std::uint64_t pending_objects() const override { return 0; }
  [[nodiscard]] std::uint64_t freed_objects() const override { return freed; }
  void reset_freed() override { freed = 0; }
  int calls = 0;
  std::uint64_t freed = 0;
};

struct Lazy {
  explicit Lazy(std::vector<std::vector<std::string>> config = {})
      : server({.config = std::move(config)}) {
    server.engine().environment().reclaimer = &reclaimer;
  }
  void large_hash(const std::string& key) {
    for (int i = 0; i < 200; ++i)
      server.run("HSET", key, "field" + std::to_string(i), std::string(100, 'v'));
  }
  EngineFixture server;
  CountingReclaimer reclaimer;
};

}  // namespace

TEST_CASE("UNLINK hands large values to the reclaimer, small ones are freed on the spot") {
  Lazy f;
  f.large_hash("large");
  f.server.run("HSET", "small", "f", "v");
  f.server.run("SET", "s", "v");
  CHECK(f.server.run("UNLINK", "large", "small", "s") == ":3\r\n");
  CHECK(f.reclaimer.calls == 1);
}

TEST_CASE("the lazyfree parameters say which removals are lazy") {
  for (const bool lazy : {false, true}) {
    const std::string word = lazy ? "yes" : "no";
    INFO("lazy=", word);
    Lazy f({{"lazyfree-lazy-user-del", word},
            {"lazyfree-lazy-expire", word},
            {"lazyfree-lazy-server-del", word}});
    f.large_hash("del");
    f.server.run("DEL", "del");
    CHECK(f.reclaimer.calls == (lazy ? 1 : 0));
    f.large_hash("expire");
    f.server.run("PEXPIRE", "expire", "1");
    f.server.advance(milliseconds(1));
    f.server.run("GET", "expire");
    CHECK(f.reclaimer.calls == (lazy ? 2 : 0));
    f.large_hash("overwritten");
    f.server.run("SET", "overwritten", "v");
    CHECK(f.reclaimer.calls == (lazy ? 3 : 0));
    f.large_hash("renamed");
    f.server.run("SET", "from", "v");
    f.server.run("RENAME", "from", "renamed");
    CHECK(f.reclaimer.calls == (lazy ? 4 : 0));
  }
}

TEST_CASE("evictions outside of a transaction stand each for itself") {
  struct Units final : hearth::EffectSink {
    void on_commit(const hearth::CommittedUnit& unit) override {
      if (unit.effects.size() > 1) (unit.together ? wrapped : apart) += unit.effects.size();
    }
    std::size_t wrapped = 0, apart = 0;
  } units;
  Evicting e("allkeys-random");
  e.fill("k", 0, 40);
  e.server.engine().add_sink(units);
  e.limit(-static_cast<std::int64_t>(20 * kValueBytes));
  e.server.run("GET", "none");
  CHECK(e.server.engine().stats().evicted_keys > 10);
  CHECK(units.apart > 0);
  CHECK(units.wrapped == 0);
}

TEST_CASE("telling clients of evictions does not make for more of them") {
  Evicting e("allkeys-lru");
  std::vector<hearth::Session*> readers;
  for (int i = 0; i < 10; ++i) {
    hearth::Session& s = e.server.open();
    e.server.run_as(s, "HELLO", "3");
    e.server.run_as(s, "CLIENT", "TRACKING", "ON");
    readers.push_back(&s);
  }
  const std::string tail(1000, 'x');
  for (int i = 0; i < 300; ++i) {
    e.server.run("SET", std::to_string(i) + tail, "x");
    for (hearth::Session* s : readers) e.server.run_as(*s, "GET", std::to_string(i) + tail);
  }
  e.limit(-40'000);
  REQUIRE(e.server.config().set({{{"maxmemory-eviction-tenacity", "100"}}}, {}));
  e.server.run("GET", "none");
  CHECK(e.server.engine().stats().evicted_keys >= 10);
  CHECK(e.server.engine().stats().evicted_keys <= 50);
}

TEST_CASE("what replicas have not taken yet makes no room necessary") {
  Evicting e("allkeys-lru");
  hearth::test::FakeReplication replication;
  e.server.engine().services().replication = &replication;
  e.fill("k", 0, 20);
  e.limit(-1000);
  replication.unsent = 100'000;
  e.server.run("SET", "small", "v");
  CHECK(e.server.engine().stats().evicted_keys == 0);
  CHECK(e.server.run("INFO", "memory").find("mem_not_counted_for_evict:100000") !=
        std::string::npos);
  replication.unsent = 0;
  e.server.run("SET", "small", "w");
  CHECK(e.server.engine().stats().evicted_keys > 0);
  e.no_limit();
  e.server.engine().services().replication = nullptr;
}

TEST_CASE("replies to one batch of requests count before the batch is done") {
  Greedy e(2'500'000);
  hearth::RequestBatch batch;
  for (std::uint32_t i = 0; i < 40; ++i) {
    batch.words.insert(batch.words.end(), {"GET", "big"});
    batch.requests.push_back({2 * i, 2, i + 1, nullptr, {}});
  }
  e.server.engine().run(e.client, batch);
  CHECK(e.client.close_now);
  CHECK(e.server.engine().stats().evicted_clients == 1);
  CHECK(e.server.engine().stats().evicted_keys == 0);
}

TEST_CASE("what clients take is limited within a turn, whether data has a limit or not") {
  EngineFixture server;
  server.run("SET", "big", std::string(100'000, 'x'));
  REQUIRE(server.config().set({{{"maxmemory-clients", "1000000"}}}, {}));
  hearth::Session& client = server.open();
  const std::vector<std::string_view> words{"GET", "big"};
  int asked = 0;
  for (; asked < 40 && !client.close_now; ++asked) server.engine().execute(client, words);
  CHECK(client.close_now);
  CHECK(asked < 15);
  CHECK(server.engine().stats().evicted_clients == 1);
  server.engine().close(client);
}

TEST_CASE("clients that take too much go before keys do") {
  Greedy e(1'500'000);
  // Its replies pile up within one turn of the loop.
  const std::vector<std::string_view> words{"GET", "big"};
  for (int i = 0; i < 40 && !e.client.close_now; ++i) e.server.engine().execute(e.client, words);
  CHECK(e.client.close_now);
  CHECK(e.server.engine().stats().evicted_clients == 1);
  // It still holds its memory, but is on its way out.
  e.server.run("GET", "none");
  CHECK(e.server.engine().stats().evicted_keys == 0);
}

TEST_CASE("under a pause nothing is evicted, and what a write needs is made room for behind it") {
  Evicting e("allkeys-lru");
  e.fill("k", 0, kKeys);
  hearth::Session& admin = e.server.open();
  e.server.run_as(admin, "CLIENT", "PAUSE", "1000", "WRITE");
  e.limit(-static_cast<std::int64_t>(kKeys * kValueBytes / 2));
  for (int i = 0; i < 4; ++i) e.server.run("GET", "none");
  e.server.tick();
  CHECK(e.server.engine().stats().evicted_keys == 0);
  e.server.run_as(admin, "CLIENT", "UNPAUSE");
  e.server.run("GET", "none");
  CHECK(e.server.engine().stats().evicted_keys > 0);
  e.no_limit();
}

TEST_CASE("while a script is busy nothing is evicted") {
  static std::uint64_t now = 0;
  Evicting e("allkeys-lru");
  EngineFixture busy({.config = {{"maxmemory-policy", "allkeys-lru"},
                                 {"lazyfree-lazy-eviction", "no"},
                                 {"busy-reply-threshold", "10"}},
                      .ticks = [] { return now += 1'000'000; }});
  for (int i = 0; i < kKeys; ++i) busy.run("SET", name("k", i), std::string(kValueBytes, 'x'));
  hearth::Session& other = busy.open();
  std::uint64_t evicted = 1;
  busy.while_busy = [&] {
    const auto limit = static_cast<std::int64_t>(hearth::memory::used_bytes()) - 500'000;
    REQUIRE(busy.config().set({{{"maxmemory", std::to_string(limit)}}}, {}));
    busy.run_as(other, "PING");
    busy.tick();
    evicted = busy.engine().stats().evicted_keys;
    REQUIRE(busy.config().set({{{"maxmemory", "0"}}}, {}));
    busy.run_as(other, "SCRIPT", "KILL");
  };
  busy.run("EVAL", "while true do end", "0");
  CHECK(evicted == 0);
}
