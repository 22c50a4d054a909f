// Requests that a connection sends together.
#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

using Requests = std::vector<std::vector<std::string>>;

std::string run_batch(EngineFixture& server, const Requests& requests) {
  RequestBatch batch;
  for (const auto& words : requests) {
    const auto first = static_cast<std::uint32_t>(batch.words.size());
    batch.words.insert(batch.words.end(), words.begin(), words.end());
    batch.requests.push_back(
        {first, static_cast<std::uint32_t>(words.size()), batch.requests.size() + 1, nullptr, {}});
  }
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
