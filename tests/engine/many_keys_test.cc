// Commands that look at several keys, over tables that grow, join and move while they look: their
// other keys have expired, and each look-up removes one.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;

namespace {

constexpr int kCount = 2000;
using Words = std::vector<std::string>;

// Makes `source`, then keys that expire at once; when they have, asks `command` about the source
// and each of them in turn. The replies but the last must all be `expected`.
void check_with_expired(const Words& source,
                        const std::function<Words(const std::string&)>& command,
                        const std::string& expected) {
  EngineFixture server;
  for (int round = 0; round < 2; ++round) {
    server.run("FLUSHALL");
    if (!source.empty()) server.run_words(server.session(), source);
    for (int i = 0; i < kCount; ++i) server.run("SET", "d" + std::to_string(i), "zz", "PX", "1");
    server.advance(milliseconds(3));
    for (int i = 0; i < kCount; ++i) {
      const Words words = command("d" + std::to_string(i));
      CAPTURE(words.front());
      CAPTURE(i);
      REQUIRE(server.run_words(server.session(), words) == expected);
    }
  }
}

}  // namespace

TEST_CASE("a string is compared with keys that have expired") {
  const Words source{"SET", "src", "abcdefgh"};
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"LCS", "src", key};
      },
      "$0\r\n\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"LCS", key, "src"};
      },
      "$0\r\n\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"BITOP", "OR", key, "src", key};
      },
      ":8\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"COPY", "src", key};
      },
      ":1\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"MSETNX", "new" + key, "1", key, "2"};
      },
      ":1\r\n");
}

TEST_CASE("items move to keys that have expired") {
  Words source{"RPUSH", "src"};
  for (int i = 0; i < 2 * kCount; ++i) source.emplace_back("item");
  const std::string item = "$4\r\nitem\r\n";
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"LMOVE", "src", key, "LEFT", "RIGHT"};
      },
      item);
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"RPOPLPUSH", "src", key};
      },
      item);
  check_with_expired(
      source, [](const auto& key) { return Words{"BLMOVE", "src", key, "LEFT", "LEFT", "0"}; },
      item);
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"BRPOPLPUSH", "src", key, "0"};
      },
      item);
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"LMOVEM", "src", key, "LEFT", "RIGHT"};
      },
      "*1\r\n" + item);
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"SORT", "src", "LIMIT", "0", "1", "ALPHA", "STORE", key};
      },
      ":1\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"LMPOP", "2", key, "src", "LEFT"};
      },
      "*2\r\n$3\r\nsrc\r\n*1\r\n" + item);
}

TEST_CASE("sets are combined with keys that have expired") {
  Words source{"SADD", "src"};
  for (int i = 0; i < kCount; ++i) source.push_back("d" + std::to_string(i));
  const std::string all = ":" + std::to_string(kCount) + "\r\n";
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"SMOVE", "src", key, key};
      },
      ":1\r\n");
  const Words small{"SADD", "src", "a", "b"};
  check_with_expired(
      small,
      [](const auto& key) {
        return Words{"SUNIONSTORE", key, "src", key};
      },
      ":2\r\n");
  check_with_expired(
      small,
      [](const auto& key) {
        return Words{"SINTERCARD", "2", "src", key};
      },
      ":0\r\n");
  check_with_expired(
      small,
      [](const auto& key) {
        return Words{"SDIFFSTORE", "x" + key, "src", key};
      },
      ":2\r\n");
}

TEST_CASE("sorted sets are combined with keys that have expired") {
  const Words source{"GEOADD", "src", "13", "38", "a", "15", "37", "b"};
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"ZUNIONSTORE", key, "2", "src", key};
      },
      ":2\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"ZDIFFSTORE", key, "2", "src", key};
      },
      ":2\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"ZRANGESTORE", key, "src", "0", "-1"};
      },
      ":2\r\n");
  check_with_expired(
      source,
      [](const auto& key) {
        return Words{"GEOSEARCHSTORE", key, "src", "FROMMEMBER", "a", "BYRADIUS", "1", "km"};
      },
      ":1\r\n");
}

TEST_CASE("keys take the names of keys that have expired, and counters merge with them") {
  check_with_expired(
      {},
      [](const auto& key) {
        return Words{"PFMERGE", key, key, "other"};
      },
      "+OK\r\n");
  EngineFixture server;
  for (int i = 0; i < kCount; ++i) server.run("SET", "d" + std::to_string(i), "zz", "PX", "1");
  server.run("SET", "name", "v");
  server.advance(milliseconds(3));
  std::string name = "name";
  for (int i = 0; i < kCount; ++i) {
    const std::string next = "d" + std::to_string(i);
    REQUIRE(server.run("RENAME", name, next) == "+OK\r\n");
    name = next;
  }
  CHECK(server.run("GET", name) == "$1\r\nv\r\n");
  CHECK(server.run("DBSIZE") == ":1\r\n");
}

TEST_CASE("streams are read together with keys that have expired") {
  const Words source{"XADD", "src", "1-1", "f", "v"};
  const std::string entry =
      "*1\r\n*2\r\n$3\r\nsrc\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
  check_with_expired(
      source, [](const auto& key) { return Words{"XREAD", "STREAMS", "src", key, "0", "0"}; },
      entry);
}
