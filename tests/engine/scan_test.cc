#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "cluster/model/slot.h"
#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

// The words of a flat or nested array of bulk strings, in order.
std::vector<std::string> bulks(const std::string& reply) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < reply.size();) {
    const std::size_t end = reply.find("\r\n", at);
    if (reply[at] != '$') {
      at = end + 2;
      continue;
    }
    const std::size_t length = std::stoul(reply.substr(at + 1, end - at - 1));
    out.push_back(reply.substr(end + 2, length));
    at = end + 4 + length;
  }
  return out;
}

struct Step {
  std::string cursor;
  std::vector<std::string> keys;
};

Step scan(EngineFixture& server, const std::string& cursor, std::vector<std::string> options = {}) {
  std::vector<std::string> words{"SCAN", cursor};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<std::string> all = bulks(server.run_words(server.session(), words));
  REQUIRE(!all.empty());
  Step step{all.front(), {}};
  step.keys.assign(all.begin() + 1, all.end());
  return step;
}

// The whole walk; each key with how often it was returned. `between` runs after every step.
template <typename F>
std::map<std::string, int> walk(EngineFixture& server, const std::vector<std::string>& options,
                                F&& between, int* calls = nullptr) {
  std::map<std::string, int> seen;
  std::string cursor = "0";
  do {
    const Step step = scan(server, cursor, options);
    for (const auto& key : step.keys) ++seen[key];
    cursor = step.cursor;
    if (calls != nullptr) ++*calls;
    between();
  } while (cursor != "0");
  return seen;
}
std::map<std::string, int> walk(EngineFixture& server, const std::vector<std::string>& options = {},
                                int* calls = nullptr) {
  return walk(
      server, options, [] {}, calls);
}

EngineFixture::Options cluster_options() {
  EngineFixture::Options o;
  o.config = {{"cluster-enabled", "yes"}};
  return o;
}

}  // namespace

TEST_CASE("SCAN returns every key, with COUNT as the measure of a step") {
  for (const bool cluster : {false, true}) {
    EngineFixture server(cluster ? cluster_options() : EngineFixture::Options{});
    CHECK(server.run("SCAN", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
    for (int i = 0; i < 1000; ++i) server.run("SET", "key:" + std::to_string(i), "v");
    int calls = 0;
    CHECK(walk(server, {}, &calls).size() == 1000);
    CHECK(calls > 50);
    CHECK(calls <= 200);
    calls = 0;
    CHECK(walk(server, {"COUNT", "100"}, &calls).size() == 1000);
    CHECK(calls <= 20);
    calls = 0;
    CHECK(walk(server, {"COUNT", "9223372036854775807"}, &calls).size() == 1000);
    CHECK(calls == 1);
  }
}

TEST_CASE("SCAN looks at no more than it may: a step over many keys that don't match is short") {
  EngineFixture server;
  for (int i = 0; i < 5000; ++i) server.run("SET", "key:" + std::to_string(i), "v");
  int calls = 0;
  CHECK(walk(server, {"MATCH", "none*"}, &calls).empty());
  CHECK(calls > 250);
}

TEST_CASE("SCAN filters by pattern and type together") {
  EngineFixture server;
  for (int i = 0; i < 100; ++i) server.run("SET", "s:" + std::to_string(i), "v");
  CHECK(walk(server, {"MATCH", "s:1?"}).size() == 10);
  CHECK(walk(server, {"match", "*", "type", "STRING", "count", "7"}).size() == 100);
  CHECK(walk(server, {"TYPE", "list"}).empty());
  CHECK(walk(server, {"TYPE", "string", "MATCH", "s:9*"}).size() == 11);
}

TEST_CASE("SCAN refuses bad cursors and options") {
  EngineFixture server;
  for (const char* cursor : {"x", "", "-1", "1.5", " 0", "18446744073709551616"}) {
    CHECK(server.run("SCAN", cursor) == "-ERR invalid cursor\r\n");
  }
  CHECK(server.run("SCAN", "18446744073709551615").starts_with("*2\r\n"));
  CHECK(server.run("SCAN", "0", "COUNT", "0") == "-ERR syntax error\r\n");
  CHECK(server.run("SCAN", "0", "COUNT", "-1") == "-ERR syntax error\r\n");
  CHECK(server.run("SCAN", "0", "COUNT", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("SCAN", "0", "COUNT") == "-ERR syntax error\r\n");
  CHECK(server.run("SCAN", "0", "WHAT", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("SCAN", "0", "TYPE", "string1") == "-ERR unknown type name 'string1'\r\n");
}

TEST_CASE("in cluster mode any cursor at all is answered") {
  EngineFixture server(cluster_options());
  server.run("SET", "k", "v");
  for (const char* cursor : {"1", "281474976710656", "4611686018427387904", "4611404543450677248",
                             "18446744073709551615"}) {
    CHECK(server.run("SCAN", cursor).starts_with("*2\r\n"));
    CHECK(server.run("SCAN", cursor, "MATCH", "{k}*").starts_with("*2\r\n"));
  }
}

TEST_CASE(
    "a key that is there from the first to the last step is returned, while others come and go") {
  for (const bool cluster : {false, true}) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      EngineFixture::Options options = cluster ? cluster_options() : EngineFixture::Options{};
      options.seed = seed;
      INFO("seed=", seed, " cluster=", cluster);
      EngineFixture server(options);
      hearth::Rng rng(seed);
      for (int i = 0; i < 300; ++i) server.run("SET", "stay:" + std::to_string(i), "v");
      int grown = 0;
      for (; grown < 1500; ++grown) server.run("SET", "extra:" + std::to_string(grown), "v");
      int steps = 0;
      const auto seen = walk(server, {"COUNT", "5"}, [&] {
        // The table shrinks, then grows, several times within one walk.
        const bool shrink = (steps++ / 30) % 2 == 0;
        for (int i = 0; i < 40; ++i) {
          if (shrink)
            server.run("DEL",
                       "extra:" + std::to_string(rng.below(static_cast<std::uint64_t>(grown))));
          else
            server.run("SET", "extra:" + std::to_string(grown++), "v");
        }
      });
      int missing = 0;
      for (int i = 0; i < 300; ++i) missing += seen.contains("stay:" + std::to_string(i)) ? 0 : 1;
      CHECK(missing == 0);
    }
  }
}

TEST_CASE("without changes SCAN returns no key twice") {
  EngineFixture server;
  for (int i = 0; i < 777; ++i) server.run("SET", "key:" + std::to_string(i), "v");
  for (const auto& [key, times] : walk(server)) CHECK(times == 1);
}

TEST_CASE("SCAN leaves expired keys out and removes those that it would have returned") {
  EngineFixture server;
  for (int i = 0; i < 100; ++i)
    server.run("SET", "key:" + std::to_string(i), "v", "PX", i < 50 ? "10" : "1000");
  server.advance(milliseconds(10));
  CHECK(walk(server, {"TYPE", "hash"}).empty());
  CHECK(walk(server, {"MATCH", "key:1?"}).empty());
  CHECK(server.engine().keyspace().db(0).size() == 90);
  CHECK(walk(server).size() == 50);
  CHECK(server.engine().keyspace().db(0).size() == 50);
  CHECK(server.engine().stats().expired_keys == 50);
}

TEST_CASE("an expired key found by SCAN is logged") {
  EngineFixture server;
  server.run("SET", "k", "v", "PX", "1");
  server.advance(milliseconds(1));
  CHECK(server.run("SCAN", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});
  CHECK(server.events() == Lines{"expired k"});
}

TEST_CASE("KEYS matches, skips what expired and removes nothing") {
  EngineFixture server;
  server.run("MSET", "foo_a", "1", "foo_b", "2", "bar", "3");
  server.run("SET", "foo_x", "4", "PX", "10");
  server.advance(milliseconds(10));
  std::vector<std::string> found = bulks(server.run("KEYS", "foo*"));
  std::sort(found.begin(), found.end());
  CHECK(found == Lines{"foo_a", "foo_b"});
  CHECK(bulks(server.run("KEYS", "*")).size() == 3);
  CHECK(bulks(server.run("KEYS", "ba[q-s]")) == Lines{"bar"});
  CHECK(server.run("KEYS", "none*") == "*0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.engine().keyspace().db(0).size() == 4);
}

TEST_CASE("in cluster mode a pattern with a hash tag walks its slot alone") {
  EngineFixture server(cluster_options());
  for (int i = 0; i < 100; ++i) {
    server.run("SET", "{foo}-" + std::to_string(i), "v");
    server.run("SET", "{bar}-" + std::to_string(i), "v");
    server.run("SET", "x" + std::to_string(i), "v");
  }
  CHECK(bulks(server.run("KEYS", "{foo}-*")).size() == 100);
  CHECK(bulks(server.run("KEYS", "*{bar}*")).size() == 100);
  CHECK(bulks(server.run("KEYS", "x7")) == Lines{"x7"});
  CHECK(bulks(server.run("KEYS", "*")).size() == 300);
  int calls = 0;
  const auto seen = walk(server, {"MATCH", "{foo}-*", "COUNT", "25"}, &calls);
  CHECK(seen.size() == 100);
  CHECK(calls <= 5);
  // A cursor of a walk without a pattern may be used with one: earlier slots go on to the tag's,
  // later ones have nothing left.
  const std::uint64_t slot = hearth::cluster::slot_of("{foo}");
  CHECK(scan(server, std::to_string((slot - 1) << 48), {"MATCH", "{foo}-*", "COUNT", "1000"})
            .keys.size() == 100);
  CHECK(scan(server, std::to_string((slot + 1) << 48), {"MATCH", "{foo}-*", "COUNT", "1000"})
            .keys.empty());
}

TEST_CASE("RANDOMKEY returns any key, null for none, and removes expired ones on its way") {
  EngineFixture server;
  CHECK(server.run("RANDOMKEY") == "$-1\r\n");
  server.session().resp = 3;
  CHECK(server.run("RANDOMKEY") == "_\r\n");
  server.session().resp = 2;
  server.run("MSET", "a", "1", "b", "2", "c", "3");
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(bulks(server.run("RANDOMKEY")).at(0));
  CHECK(seen == std::set<std::string>{"a", "b", "c"});
  for (const char* key : {"a", "b", "c"}) server.run("PEXPIRE", key, "5");
  server.advance(milliseconds(5));
  CHECK(server.run("RANDOMKEY") == "$-1\r\n");
  CHECK(server.effects().size() == 3);
  CHECK(server.engine().keyspace().db(0).size() == 0);
}

TEST_CASE("keys that a walk finds expired are told of each for itself") {
  EngineFixture server;
  for (int i = 0; i < 20; ++i) server.run("SET", "k" + std::to_string(i), "v", "PX", "10");
  server.advance(milliseconds(10));
  server.run("SCAN", "0", "COUNT", "1000");
  CHECK(server.effects().size() == 20);
  CHECK_FALSE(server.together());
  CHECK(server.run("DBSIZE") == ":0\r\n");
  // Within a transaction they are a part of it.
  for (int i = 0; i < 20; ++i) server.run("SET", "k" + std::to_string(i), "v", "PX", "10");
  server.advance(milliseconds(10));
  server.run("MULTI");
  server.run("SET", "a", "v");
  server.run("SCAN", "0", "COUNT", "1000");
  server.run("EXEC");
  CHECK(server.effects().size() == 21);
  CHECK(server.together());
}
