// Requests that are parsed, and fetched for, before the first of them runs.
#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

using Requests = std::vector<std::vector<std::string>>;

// `requests` must outlive the batch.
RequestBatch batch_of(const Requests& requests) {
  RequestBatch batch;
  for (const auto& words : requests) {
    const auto first = static_cast<std::uint32_t>(batch.words.size());
    batch.words.insert(batch.words.end(), words.begin(), words.end());
    batch.requests.push_back(
        {first, static_cast<std::uint32_t>(words.size()), batch.requests.size() + 1, nullptr, {}});
  }
  return batch;
}

std::string run_batch(EngineFixture& server, const Requests& requests) {
  RequestBatch batch = batch_of(requests);
  CHECK(server.engine().run(server.session(), batch) == requests.size());
  return EngineFixture::take(server.session());
}

constexpr const char* kKeys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

// Commands of every type on keys of any.
Requests some_requests(Rng& rng) {
  Requests requests;
  while (requests.size() < RequestBatch::kRequestsMost) {
    const std::string key = kKeys[rng.below(std::size(kKeys))];
    const std::string member = "member:" + std::to_string(rng.below(300));
    const std::string number = std::to_string(rng.below(100));
    const Requests choices = {
        {"HSET", key, member, number},
        {"HGET", key, member},
        {"HDEL", key, member},
        {"HGETALL", key},
        {"SADD", key, member},
        {"SISMEMBER", key, member},
        {"SREM", key, member},
        {"ZADD", key, number, member},
        {"ZSCORE", key, member},
        {"ZADD", key, "NX", number, member},
        {"ZREM", key, member},
        {"ZINCRBY", key, number, member},
        {"LPUSH", key, member},
        {"RPOP", key},
        {"GEOADD", key, "1", "2", member},
        {"SET", key, member},
        {"GET", key},
        {"XADD", key, "*", "f", member},
        {"HGET", key},
        {"NOSUCH", key},
        {"SADD", key, number},
        {"DEL", rng.chance(0.05) ? key : "none"},
        {"HINCRBY", key, "counter", "1"},
        {"PING"},
        {"EXPIRE", key, "100"},
        {"SMEMBERS", key},
        {"LRANGE", key, "0", "3"},
        {"EXISTS", key},
    };
    requests.push_back(choices[rng.below(choices.size())]);
  }
  return requests;
}

}  // namespace

TEST_CASE("requests of a batch are answered as they would be one by one, seeded") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    Rng rng(seed);
    EngineFixture::Options options;
    options.seed = seed;
    EngineFixture together(options), alone(options);
    for (int round = 0; round < 60; ++round) {
      const Requests requests = some_requests(rng);
      std::string expected;
      for (const auto& words : requests) expected += alone.run_words(alone.session(), words);
      REQUIRE(run_batch(together, requests) == expected);
    }
    CHECK(alone.run("DBSIZE") != ":0\r\n");
    for (const char* key : kKeys) CHECK(together.run("DUMP", key) == alone.run("DUMP", key));
  }
}

TEST_CASE("batches of many sessions are answered as if nothing had been fetched for them, seeded") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    Rng rng(seed);
    EngineFixture::Options options;
    options.seed = seed;
    EngineFixture together(options), alone(options);
    std::vector<Session*> gathered, one_by_one;
    for (int i = 0; i < 5; ++i) {
      gathered.push_back(&together.open());
      one_by_one.push_back(&alone.open());
    }
    for (int round = 0; round < 60; ++round) {
      std::vector<Requests> requests;
      std::vector<RequestBatch> batches;
      for (std::size_t i = 0; i < gathered.size(); ++i) {
        requests.push_back(some_requests(rng));
        // Commands that remove under the others what was fetched for them.
        Requests& mine = requests.back();
        if (rng.chance(0.2)) mine[rng.below(mine.size())] = {"FLUSHDB"};
        if (rng.chance(0.2)) mine[rng.below(mine.size())] = {"SWAPDB", "0", "1"};
        if (rng.chance(0.2))
          mine[rng.below(mine.size())] = {"SELECT", std::to_string(rng.below(2))};
      }
      for (const Requests& r : requests) batches.push_back(batch_of(r));
      std::vector<SessionBatch> all;
      for (std::size_t i = 0; i < gathered.size(); ++i) {
        together.engine().prepare(*gathered[i], batches[i]);
        all.push_back({gathered[i], &batches[i]});
      }
      together.engine().fetch(all);
      for (std::size_t i = 0; i < gathered.size(); ++i) {
        std::string expected;
        for (const auto& words : requests[i]) expected += alone.run_words(*one_by_one[i], words);
        REQUIRE(together.engine().run_prepared(*gathered[i], batches[i]) == requests[i].size());
        REQUIRE(EngineFixture::take(*gathered[i]) == expected);
      }
    }
    for (const char* key : kKeys) CHECK(together.run("DUMP", key) == alone.run("DUMP", key));
  }
}

TEST_CASE("a stopped engine runs nothing more") {
  EngineFixture server;
  const Requests requests = {{"SET", "k", "1"}};
  RequestBatch batch = batch_of(requests);
  server.engine().stop();
  CHECK(server.engine().run(server.session(), batch) == 0);
  CHECK(EngineFixture::take(server.session()).empty());
  CHECK(server.engine().keyspace().total_keys() == 0);
}
