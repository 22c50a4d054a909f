#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

std::string bulk(const std::string& reply) {
  const std::size_t end = reply.find("\r\n");
  return reply.substr(end + 2, reply.size() - end - 4);
}

}  // namespace

TEST_CASE("RESTORE makes what DUMP saw, under any key and time to live") {
  EngineFixture server;
  CHECK(server.run("DUMP", "none") == "$-1\r\n");
  server.run("SET", "s", std::string(300, 'x'));
  server.run("SET", "n", "12345");
  server.run("HSET", "h", "a", "1", "b", "2");
  server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a");
  for (const char* key : {"s", "n", "h"}) {
    const std::string payload = bulk(server.run("DUMP", key));
    const std::string copy = std::string(key) + "2";
    CHECK(server.run("RESTORE", copy, "0", payload) == "+OK\r\n");
    CHECK(server.effects() == Lines{"RESTORE " + copy + " 0 " + payload});
    CHECK(server.events() == Lines{"new " + copy, "restore " + copy});
    CHECK(server.run("TYPE", copy) == server.run("TYPE", key));
  }
  CHECK(server.run("GET", "s2") == server.run("GET", "s"));
  CHECK(server.run("OBJECT", "ENCODING", "n2") == "$3\r\nint\r\n");
  CHECK(server.run("HGETALL", "h2") == server.run("HGETALL", "h"));
  CHECK(server.run("HTTL", "h2", "FIELDS", "2", "a", "b") == "*2\r\n:100\r\n:-1\r\n");
}

TEST_CASE("RESTORE takes relative and absolute times to live") {
  EngineFixture server;
  server.run("SET", "k", "v");
  const std::string payload = bulk(server.run("DUMP", "k"));
  CHECK(server.run("RESTORE", "a", "500", payload) == "+OK\r\n");
  CHECK(server.effects() ==
        Lines{"RESTORE a " + std::to_string(server.now().ms + 500) + " " + payload + " ABSTTL"});
  CHECK(server.run("PTTL", "a") == ":500\r\n");
  const std::string deadline = std::to_string(server.now().ms + 700);
  CHECK(server.run("RESTORE", "b", deadline, payload, "ABSTTL") == "+OK\r\n");
  CHECK(server.effects() == Lines{"RESTORE b " + deadline + " " + payload + " ABSTTL"});
  CHECK(server.run("PTTL", "b") == ":700\r\n");
  // A deadline that has passed: nothing is made, and what was to be replaced is gone.
  CHECK(server.run("RESTORE", "c", "1", payload, "ABSTTL") == "+OK\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("RESTORE", "k", "1", payload, "ABSTTL", "REPLACE") == "+OK\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});
  CHECK(server.run("EXISTS", "c", "k") == ":0\r\n");
}

TEST_CASE("RESTORE refuses what is not a payload, what is there, and bad options") {
  EngineFixture server;
  server.run("SET", "k", "v");
  std::string payload = bulk(server.run("DUMP", "k"));
  CHECK(server.run("RESTORE", "k", "0", payload) == "-BUSYKEY Target key name already exists.\r\n");
  CHECK(server.run("RESTORE", "k", "0", payload, "REPLACE") == "+OK\r\n");
  CHECK(server.run("RESTORE", "x", "-1", payload) == "-ERR Invalid TTL value, must be >= 0\r\n");
  CHECK(server.run("RESTORE", "x", "a", payload) ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("RESTORE", "x", "0", payload, "FOO") == "-ERR syntax error\r\n");
  CHECK(server.run("RESTORE", "x", "0", payload, "IDLETIME", "-1") ==
        "-ERR Invalid IDLETIME value, must be >= 0\r\n");
  CHECK(server.run("RESTORE", "x", "0", payload, "FREQ", "256") ==
        "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
  CHECK(server.run("RESTORE", "x", "0", payload, "FREQ", "1", "IDLETIME", "1") ==
        "-ERR syntax error\r\n");
  CHECK(server.run("RESTORE", "x", "0", "abc") ==
        "-ERR DUMP payload version or checksum are wrong\r\n");
  payload[1] = static_cast<char>(payload[1] ^ 1);
  CHECK(server.run("RESTORE", "x", "0", payload) ==
        "-ERR DUMP payload version or checksum are wrong\r\n");
  REQUIRE(server.config().replace("skip-checksum-validation", "yes"));
  CHECK(server.run("RESTORE", "x", "0", payload) == "-ERR Bad data format\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("RESTORE takes payloads of unknown versions if rdb-version-check is relaxed") {
  EngineFixture server;
  server.run("SET", "k", "v");
  std::string payload = bulk(server.run("DUMP", "k"));
  payload[payload.size() - 10] = 50;  // the version, between what servers of either kind have
  REQUIRE(server.config().replace("skip-checksum-validation", "yes"));
  CHECK(server.run("RESTORE", "x", "0", payload) ==
        "-ERR DUMP payload version or checksum are wrong\r\n");
  CHECK(server.run("CONFIG", "SET", "rdb-version-check", "relaxed") == "+OK\r\n");
  CHECK(server.run("RESTORE", "x", "0", payload) == "+OK\r\n");
  CHECK(server.run("GET", "x") == "$1\r\nv\r\n");
}

TEST_CASE("RESTORE sets idle time and access frequency") {
  EngineFixture server;
  server.run("SET", "k", "v");
  const std::string payload = bulk(server.run("DUMP", "k"));
  CHECK(server.run("RESTORE", "i", "0", payload, "IDLETIME", "1000") == "+OK\r\n");
  CHECK(server.run("OBJECT", "IDLETIME", "i") == ":1000\r\n");
  EngineFixture lfu({.now = hearth::UnixMillis{1'000'000'000'000},
                     .seed = 1,
                     .resp = 2,
                     .config = {{"maxmemory-policy", "allkeys-lfu"}}});
  CHECK(lfu.run("RESTORE", "f", "0", payload, "FREQ", "100") == "+OK\r\n");
  CHECK(lfu.run("OBJECT", "FREQ", "f") == ":100\r\n");
}

TEST_CASE("rdb-compat 7.0 dumps what redis-server 7.0 loads") {
  EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                        .seed = 1,
                        .resp = 2,
                        .config = {{"rdb-compat", "7.0"}}});
  server.run("HSET", "h", "a", "1");
  server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a");
  const std::string payload = bulk(server.run("DUMP", "h"));
  CHECK(payload[0] == 4);
  CHECK(payload[payload.size() - 10] == 10);
}
