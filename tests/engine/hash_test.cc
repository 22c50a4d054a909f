#include <doctest/doctest.h>

#include <map>
#include <set>

#include "src/store/hash.h"
#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

EngineFixture resp3() {
  return EngineFixture(
      {.now = hearth::UnixMillis{1'000'000'000'000}, .seed = 1, .resp = 3, .config = {}});
}

std::string in(const EngineFixture& server, std::int64_t ms) {
  return std::to_string(server.now().ms + ms);
}

// Bulk strings of a reply, in order.
Lines bulks(const std::string& reply) {
  Lines out;
  std::size_t at = 0;
  while ((at = reply.find('$', at)) != std::string::npos) {
    const std::size_t end = reply.find("\r\n", at);
    const int length = std::stoi(reply.substr(at + 1, end - at - 1));
    if (length < 0) {
      at = end;
      continue;
    }
    out.push_back(reply.substr(end + 2, static_cast<std::size_t>(length)));
    at = end + 2 + static_cast<std::size_t>(length);
  }
  return out;
}

}  // namespace

TEST_CASE("HSET makes, changes and counts; HGET and its relatives read") {
  EngineFixture server;
  CHECK(server.run("HGET", "h", "f") == "$-1\r\n");
  CHECK(server.run("HSET", "h", "a", "1", "b", "two") == ":2\r\n");
  CHECK(server.effects() == Lines{"HSET h a 1 b two"});
  CHECK(server.events() == Lines{"new h", "hset h"});
  CHECK(server.run("HSET", "h", "a", "3", "c", "") == ":1\r\n");
  CHECK(server.run("HMSET", "h", "a", "4") == "+OK\r\n");
  CHECK(server.events() == Lines{"hset h"});
  CHECK(server.run("HGET", "h", "a") == "$1\r\n4\r\n");
  CHECK(server.run("HMGET", "h", "a", "x", "b") == "*3\r\n$1\r\n4\r\n$-1\r\n$3\r\ntwo\r\n");
  CHECK(server.run("HMGET", "none", "a") == "*1\r\n$-1\r\n");
  CHECK(server.run("HGETALL", "h") ==
        "*6\r\n$1\r\na\r\n$1\r\n4\r\n$1\r\nb\r\n$3\r\ntwo\r\n$1\r\nc\r\n$0\r\n\r\n");
  CHECK(server.run("HKEYS", "h") == "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
  CHECK(server.run("HVALS", "h") == "*3\r\n$1\r\n4\r\n$3\r\ntwo\r\n$0\r\n\r\n");
  CHECK(server.run("HGETALL", "none") == "*0\r\n");
  CHECK(server.run("HLEN", "h") == ":3\r\n");
  CHECK(server.run("HLEN", "none") == ":0\r\n");
  CHECK(server.run("HEXISTS", "h", "b") == ":1\r\n");
  CHECK(server.run("HEXISTS", "h", "x") == ":0\r\n");
  CHECK(server.run("HSTRLEN", "h", "b") == ":3\r\n");
  CHECK(server.run("HSTRLEN", "h", "x") == ":0\r\n");
  CHECK(server.run("HSET", "h", "a") == "-ERR wrong number of arguments for 'hset' command\r\n");
  CHECK(server.run("HSET", "h", "a", "1", "b") ==
        "-ERR wrong number of arguments for 'hset' command\r\n");
  CHECK(server.run("HMSET", "h", "a", "1", "b") ==
        "-ERR wrong number of arguments for 'hmset' command\r\n");
}

TEST_CASE("RESP3 has maps and null") {
  EngineFixture server = resp3();
  CHECK(server.run("HSET", "h", "a", "1") == ":1\r\n");
  CHECK(server.run("HGETALL", "h") == "%1\r\n$1\r\na\r\n$1\r\n1\r\n");
  CHECK(server.run("HGET", "h", "x") == "_\r\n");
  CHECK(server.run("HRANDFIELD", "h", "5", "WITHVALUES") == "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
  CHECK(server.run("HRANDFIELD", "none") == "_\r\n");
  CHECK(server.run("HGETDEL", "h", "FIELDS", "2", "a", "x") == "*2\r\n$1\r\n1\r\n_\r\n");
}

TEST_CASE("hash commands refuse other types and other commands refuse hashes") {
  EngineFixture server;
  server.run("SET", "s", "1");
  for (const Lines& words : std::vector<Lines>{{"HGET", "s", "f"},
                                               {"HSET", "s", "f", "v"},
                                               {"HSETNX", "s", "f", "v"},
                                               {"HDEL", "s", "f"},
                                               {"HLEN", "s"},
                                               {"HGETALL", "s"},
                                               {"HMGET", "s", "f"},
                                               {"HINCRBY", "s", "f", "1"},
                                               {"HINCRBYFLOAT", "s", "f", "1"},
                                               {"HSCAN", "s", "0"},
                                               {"HRANDFIELD", "s"},
                                               {"HEXISTS", "s", "f"},
                                               {"HSTRLEN", "s", "f"},
                                               {"HTTL", "s", "FIELDS", "1", "f"},
                                               {"HEXPIRE", "s", "1", "FIELDS", "1", "f"},
                                               {"HPERSIST", "s", "FIELDS", "1", "f"},
                                               {"HGETDEL", "s", "FIELDS", "1", "f"},
                                               {"HGETEX", "s", "FIELDS", "1", "f"},
                                               {"HSETEX", "s", "FIELDS", "1", "f", "v"}}) {
    INFO(words[0]);
    CHECK(server.run_words(server.session(), words) == kWrongType);
    CHECK(server.effects().empty());
  }
  server.run("HSET", "h", "f", "v");
  CHECK(server.run("GET", "h") == kWrongType);
  CHECK(server.run("TYPE", "h") == "+hash\r\n");
}

TEST_CASE("HSETNX sets only what is not there") {
  EngineFixture server;
  CHECK(server.run("HSETNX", "h", "f", "1") == ":1\r\n");
  CHECK(server.effects() == Lines{"HSET h f 1"});
  CHECK(server.run("HSETNX", "h", "f", "2") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("HGET", "h", "f") == "$1\r\n1\r\n");
}

TEST_CASE("HDEL removes fields and the key with the last one") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1", "b", "2", "c", "3");
  CHECK(server.run("HDEL", "h", "a", "x", "a") == ":1\r\n");
  CHECK(server.events() == Lines{"hdel h"});
  CHECK(server.run("HDEL", "h", "x") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("HDEL", "h", "b", "c", "d") == ":2\r\n");
  CHECK(server.effects() == Lines{"HDEL h b c d"});
  CHECK(server.events() == Lines{"hdel h", "del h"});
  CHECK(server.run("EXISTS", "h") == ":0\r\n");
}

TEST_CASE("HINCRBY counts within 64 bits and tells a number from a text") {
  EngineFixture server;
  CHECK(server.run("HINCRBY", "h", "n", "5") == ":5\r\n");
  CHECK(server.effects() == Lines{"HINCRBY h n 5"});
  CHECK(server.events() == Lines{"new h", "hincrby h"});
  CHECK(server.run("HINCRBY", "h", "n", "-7") == ":-2\r\n");
  CHECK(server.run("HINCRBY", "h", "n", "9223372036854775807") == ":9223372036854775805\r\n");
  CHECK(server.run("HINCRBY", "h", "n", "3") == "-ERR increment or decrement would overflow\r\n");
  CHECK(server.run("HINCRBY", "h", "n", "x") == "-ERR value is not an integer or out of range\r\n");
  server.run("HSET", "h", "t", " 1");
  CHECK(server.run("HINCRBY", "h", "t", "1") == "-ERR hash value is not an integer\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("HINCRBYFLOAT logs its result") {
  EngineFixture server;
  CHECK(server.run("HINCRBYFLOAT", "h", "n", "1.5") == "$3\r\n1.5\r\n");
  CHECK(server.effects() == Lines{"HSET h n 1.5"});
  CHECK(server.events() == Lines{"new h", "hincrbyfloat h"});
  CHECK(server.run("HINCRBYFLOAT", "h", "n", "-0.25") == "$4\r\n1.25\r\n");
  CHECK(server.run("HINCRBYFLOAT", "h", "n", "x") == "-ERR value is not a valid float\r\n");
  CHECK(server.run("HINCRBYFLOAT", "h", "n", "nan") == "-ERR value is not a valid float\r\n");
  CHECK(server.run("HINCRBYFLOAT", "h", "n", "inf") == "-ERR value is NaN or Infinity\r\n");
  server.run("HSET", "h", "t", "x");
  CHECK(server.run("HINCRBYFLOAT", "h", "t", "1") == "-ERR hash value is not a float\r\n");
}

TEST_CASE("HRANDFIELD: one, some different ones, or any number with repetition") {
  EngineFixture server;
  CHECK(server.run("HRANDFIELD", "h") == "$-1\r\n");
  CHECK(server.run("HRANDFIELD", "h", "3") == "*0\r\n");
  for (const int fields : {5, 400}) {
    server.run("DEL", "h");
    for (int i = 0; i < fields; ++i)
      server.run("HSET", "h", "f" + std::to_string(i), std::to_string(i));
    std::map<std::string, int> seen;
    for (int i = 0; i < 200; ++i) ++seen[bulks(server.run("HRANDFIELD", "h"))[0]];
    CHECK(seen.size() > (fields == 5 ? 4U : 100U));
    for (const int count : {1, 3, 4, fields - 1, fields, fields * 2}) {
      const Lines got = bulks(server.run("HRANDFIELD", "h", std::to_string(count)));
      CHECK(got.size() == static_cast<std::size_t>(std::min(count, fields)));
      CHECK(std::set<std::string>(got.begin(), got.end()).size() == got.size());
    }
    const Lines repeated = bulks(server.run("HRANDFIELD", "h", "-1000", "WITHVALUES"));
    REQUIRE(repeated.size() == 2000);
    for (std::size_t i = 0; i < repeated.size(); i += 2)
      CHECK(repeated[i] == "f" + repeated[i + 1]);
  }
  CHECK(server.run("HRANDFIELD", "h", "0") == "*0\r\n");
  CHECK(server.run("HRANDFIELD", "h", "1", "foo") == "-ERR syntax error\r\n");
  CHECK(server.run("HRANDFIELD", "h", "1", "WITHVALUES", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("HRANDFIELD", "h", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("HRANDFIELD", "h", "-9223372036854775808")
            .starts_with("-ERR value is out of range"));
  CHECK(server.run("HRANDFIELD", "h", "-9223372036854775807", "WITHVALUES") ==
        "-ERR value is out of range\r\n");
}

TEST_CASE("HSCAN walks a small hash in one step and a large one in several") {
  EngineFixture server;
  CHECK(server.run("HSCAN", "h", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
  server.run("HSET", "h", "a1", "1", "a2", "2", "b1", "3");
  CHECK(server.run("HSCAN", "h", "0", "MATCH", "a*") ==
        "*2\r\n$1\r\n0\r\n*4\r\n$2\r\na1\r\n$1\r\n1\r\n$2\r\na2\r\n$1\r\n2\r\n");
  CHECK(server.run("HSCAN", "h", "0", "NOVALUES", "COUNT", "1") ==
        "*2\r\n$1\r\n0\r\n*3\r\n$2\r\na1\r\n$2\r\na2\r\n$2\r\nb1\r\n");
  for (int i = 0; i < 1000; ++i) server.run("HSET", "big", "f" + std::to_string(i), "v");
  std::set<std::string> seen;
  std::string cursor = "0";
  int steps = 0;
  do {
    Lines got = bulks(server.run("HSCAN", "big", cursor, "NOVALUES", "COUNT", "50"));
    cursor = got[0];
    seen.insert(got.begin() + 1, got.end());
    ++steps;
  } while (cursor != "0");
  CHECK(seen.size() == 1000);
  CHECK(steps > 5);
  CHECK(server.run("HSCAN", "h", "x") == "-ERR invalid cursor\r\n");
  CHECK(server.run("HSCAN", "h", "0", "COUNT", "0") == "-ERR syntax error\r\n");
  CHECK(server.run("HSCAN", "h", "0", "COUNT", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("HSCAN", "h", "0", "MATCH") == "-ERR syntax error\r\n");
}

TEST_CASE("the encoding follows the limits of the configuration") {
  EngineFixture server(
      {.now = hearth::UnixMillis{1'000'000'000'000},
       .seed = 1,
       .resp = 2,
       .config = {{"hash-max-listpack-entries", "2"}, {"hash-max-ziplist-value", "4"}}});
  server.run("HSET", "h", "a", "1", "b", "2");
  CHECK(server.run("OBJECT", "ENCODING", "h") == "$8\r\nlistpack\r\n");
  server.run("HSET", "h", "c", "3");
  CHECK(server.run("OBJECT", "ENCODING", "h") == "$9\r\nhashtable\r\n");
  server.run("HSET", "v", "a", "12345x");
  CHECK(server.run("OBJECT", "ENCODING", "v") == "$9\r\nhashtable\r\n");
  server.run("HSET", "t", "a", "1");
  server.run("HEXPIRE", "t", "10", "FIELDS", "1", "a");
  CHECK(server.run("OBJECT", "ENCODING", "t") == "$10\r\nlistpackex\r\n");
}

TEST_CASE("HEXPIRE logs absolute deadlines and fields die on them") {
  for (const char* entries : {"512", "0"}) {
    EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                          .seed = 1,
                          .resp = 2,
                          .config = {{"hash-max-listpack-entries", entries}}});
    server.run("HSET", "h", "a", "1", "b", "2", "c", "3");
    CHECK(server.run("HEXPIRE", "h", "10", "FIELDS", "3", "a", "x", "b") ==
          "*3\r\n:1\r\n:-2\r\n:1\r\n");
    CHECK(server.effects() == Lines{"HPEXPIREAT h " + in(server, 10'000) + " FIELDS 2 a b"});
    CHECK(server.events() == Lines{"hexpire h"});
    CHECK(server.run("HTTL", "h", "FIELDS", "3", "a", "c", "x") == "*3\r\n:10\r\n:-1\r\n:-2\r\n");
    CHECK(server.run("HPTTL", "h", "FIELDS", "1", "a") == "*1\r\n:10000\r\n");
    CHECK(server.run("HEXPIRETIME", "h", "FIELDS", "1", "a") == "*1\r\n:1000000010\r\n");
    CHECK(server.run("HPEXPIRETIME", "h", "FIELDS", "1", "a") == "*1\r\n:1000000010000\r\n");
    CHECK(server.run("HPERSIST", "h", "FIELDS", "3", "b", "c", "x") ==
          "*3\r\n:1\r\n:-1\r\n:-2\r\n");
    CHECK(server.effects() == Lines{"HPERSIST h FIELDS 1 b"});
    CHECK(server.events() == Lines{"hpersist h"});
    server.advance(milliseconds(9'999));
    CHECK(server.run("HGET", "h", "a") == "$1\r\n1\r\n");
    server.advance(milliseconds(1));
    CHECK(server.run("HGET", "h", "a") == "$-1\r\n");
    CHECK(server.effects() == Lines{"HDEL h a"});
    CHECK(server.events() == Lines{"hexpired h"});
    CHECK(server.run("HLEN", "h") == ":2\r\n");
    CHECK(server.run("HTTL", "none", "FIELDS", "2", "a", "b") == "*2\r\n:-2\r\n:-2\r\n");
    CHECK(server.run("HEXPIRE", "none", "1", "FIELDS", "1", "a") == "*1\r\n:-2\r\n");
    CHECK(server.effects().empty());
  }
}

TEST_CASE("a hash whose last field expires goes away") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1");
  server.run("HPEXPIRE", "h", "5", "FIELDS", "1", "a");
  server.advance(milliseconds(5));
  CHECK(server.run("HGETALL", "h") == "*0\r\n");
  CHECK(server.effects() == Lines{"HDEL h a"});
  CHECK(server.events() == Lines{"hexpired h", "del h"});
  CHECK(server.run("EXISTS", "h") == ":0\r\n");
}

TEST_CASE("a deadline that has passed removes the field at once") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1", "b", "2");
  CHECK(server.run("HEXPIRE", "h", "0", "FIELDS", "1", "a") == "*1\r\n:2\r\n");
  CHECK(server.effects() == Lines{"HDEL h a"});
  CHECK(server.events() == Lines{"hdel h"});
  CHECK(server.run("HPEXPIREAT", "h", "1", "FIELDS", "1", "b") == "*1\r\n:2\r\n");
  CHECK(server.events() == Lines{"hdel h", "del h"});
  CHECK(server.run("EXISTS", "h") == ":0\r\n");
}

TEST_CASE("conditions of HEXPIRE: a field without a deadline lives for ever") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1", "b", "2");
  server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a");
  const auto expire = [&](const char* seconds, const char* condition) {
    return server.run("HEXPIRE", "h", seconds, condition, "FIELDS", "2", "a", "b");
  };
  CHECK(expire("50", "GT") == "*2\r\n:0\r\n:0\r\n");
  CHECK(expire("200", "GT") == "*2\r\n:1\r\n:0\r\n");
  CHECK(expire("300", "XX") == "*2\r\n:1\r\n:0\r\n");
  CHECK(expire("400", "LT") == "*2\r\n:0\r\n:1\r\n");
  CHECK(expire("500", "NX") == "*2\r\n:0\r\n:0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("HTTL", "h", "FIELDS", "2", "a", "b") == "*2\r\n:300\r\n:400\r\n");
}

TEST_CASE("mistakes in the FIELDS block are named") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1");
  const auto error = [&](const Lines& words) { return server.run_words(server.session(), words); };
  CHECK(error({"HEXPIRE", "h", "1", "NX", "a", "1", "a"}) ==
        "-ERR Mandatory argument FIELDS is missing or not at the right position\r\n");
  CHECK(error({"HTTL", "h", "FIELDS", "0", "a"}) ==
        "-ERR Parameter `numFields` should be greater than 0\r\n");
  CHECK(error({"HTTL", "h", "FIELDS", "2", "a"}) ==
        "-ERR The `numfields` parameter must match the number of arguments\r\n");
  CHECK(error({"HTTL", "h", "FIELDS", "1", "a", "b"}) ==
        "-ERR The `numfields` parameter must match the number of arguments\r\n");
  CHECK(error({"HEXPIRE", "h", "-1", "FIELDS", "1", "a"}) ==
        "-ERR invalid expire time, must be >= 0\r\n");
  CHECK(error({"HEXPIRE", "h", "x", "FIELDS", "1", "a"}) ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(error({"HEXPIRE", "h", "9223372036854775807", "FIELDS", "1", "a"}) ==
        "-ERR invalid expire time in 'hexpire' command\r\n");
  CHECK(error({"HPEXPIREAT", "h", "70368744177664", "FIELDS", "1", "a"}) ==
        "-ERR invalid expire time in 'hpexpireat' command\r\n");
}

TEST_CASE("HSET ends a deadline, HINCRBY and HINCRBYFLOAT keep it") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1", "b", "2", "c", "3");
  server.run("HEXPIRE", "h", "100", "FIELDS", "3", "a", "b", "c");
  server.run("HSET", "h", "a", "5");
  CHECK(server.run("HINCRBY", "h", "b", "1") == ":3\r\n");
  CHECK(server.run("HINCRBYFLOAT", "h", "c", "0.5") == "$3\r\n3.5\r\n");
  CHECK(server.effects() ==
        Lines{"HSET h c 3.5", "HPEXPIREAT h " + in(server, 100'000) + " FIELDS 1 c"});
  CHECK(server.run("HTTL", "h", "FIELDS", "3", "a", "b", "c") == "*3\r\n:-1\r\n:100\r\n:100\r\n");
}

TEST_CASE("HGETDEL returns and removes") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1", "b", "2");
  CHECK(server.run("HGETDEL", "h", "FIELDS", "3", "a", "x", "a") ==
        "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n1\r\n");
  CHECK(server.effects() == Lines{"HDEL h a"});
  CHECK(server.run("HGETDEL", "h", "FIELDS", "1", "b") == "*1\r\n$1\r\n2\r\n");
  CHECK(server.events() == Lines{"hdel h", "del h"});
  CHECK(server.run("HGETDEL", "h", "FIELDS", "1", "b") == "*1\r\n$-1\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("HGETEX returns and changes the time to live") {
  EngineFixture server;
  server.run("HSET", "h", "a", "1", "b", "2");
  CHECK(server.run("HGETEX", "h", "FIELDS", "1", "a") == "*1\r\n$1\r\n1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("HGETEX", "h", "EX", "10", "FIELDS", "2", "a", "x") ==
        "*2\r\n$1\r\n1\r\n$-1\r\n");
  CHECK(server.effects() == Lines{"HPEXPIREAT h " + in(server, 10'000) + " FIELDS 1 a"});
  CHECK(server.events() == Lines{"hexpire h"});
  CHECK(server.run("HGETEX", "h", "PERSIST", "FIELDS", "2", "a", "b") ==
        "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  CHECK(server.effects() == Lines{"HPERSIST h FIELDS 1 a"});
  CHECK(server.run("HGETEX", "h", "PXAT", "1", "FIELDS", "1", "a") == "*1\r\n$1\r\n1\r\n");
  CHECK(server.effects() == Lines{"HDEL h a"});
  CHECK(server.run("HGETEX", "h", "EX", "1", "PERSIST", "FIELDS", "1", "b") ==
        "-ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified\r\n");
  CHECK(server.run("HGETEX", "h", "EX", "0", "FIELDS", "1", "b") ==
        "-ERR invalid expire time in 'hgetex' command\r\n");
}

TEST_CASE("HSETEX sets fields with a time to live, all or none") {
  EngineFixture server;
  CHECK(server.run("HSETEX", "h", "EX", "10", "FIELDS", "2", "a", "1", "b", "2") == ":1\r\n");
  CHECK(server.effects() == Lines{"HSETEX h PXAT " + in(server, 10'000) + " FIELDS 2 a 1 b 2"});
  CHECK(server.events() == Lines{"new h", "hset h", "hexpire h"});
  CHECK(server.run("HSETEX", "h", "FNX", "FIELDS", "2", "a", "9", "c", "9") == ":0\r\n");
  CHECK(server.run("HSETEX", "h", "FXX", "FIELDS", "2", "a", "9", "c", "9") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("HSETEX", "h", "FXX", "KEEPTTL", "FIELDS", "1", "a", "3") == ":1\r\n");
  CHECK(server.effects() == Lines{"HSETEX h KEEPTTL FIELDS 1 a 3"});
  CHECK(server.run("HSETEX", "h", "FNX", "FIELDS", "1", "c", "4") == ":1\r\n");
  CHECK(server.effects() == Lines{"HSET h c 4"});
  CHECK(server.run("HTTL", "h", "FIELDS", "3", "a", "b", "c") == "*3\r\n:10\r\n:10\r\n:-1\r\n");
  CHECK(server.run("HSETEX", "h", "PXAT", "1", "FIELDS", "1", "a", "5") == ":1\r\n");
  CHECK(server.effects() == Lines{"HDEL h a"});
  CHECK(server.run("HSETEX", "h", "FNX", "FXX", "FIELDS", "1", "a", "5") ==
        "-ERR Only one of FXX or FNX arguments can be specified\r\n");
  CHECK(server.run("HSETEX", "h", "FIELDS", "2", "a", "5", "b") ==
        "-ERR The `numfields` parameter must match the number of arguments\r\n");
  CHECK(server.run("HSETEX", "h", "FOO", "FIELDS", "1", "a", "5") ==
        "-ERR unknown argument: FOO\r\n");
}

TEST_CASE("the background removes fields past their deadline, wherever the hash went meanwhile") {
  for (const char* entries : {"512", "0"}) {
    EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                          .seed = 1,
                          .resp = 2,
                          .config = {{"hash-max-listpack-entries", entries}}});
    auto& db = server.engine().keyspace().db(0);
    const auto fields = [&](std::string_view name) {
      std::uint64_t size = 0;
      db.for_each([&](const hearth::Entry& e) {
        if (e.key() == name) size = e.hash()->size();
      });
      return size;
    };
    server.run("HSET", "h", "a", "1", "b", "2");
    server.run("HPEXPIRE", "h", "50", "FIELDS", "1", "a");
    server.run("HSETEX", "only", "PX", "60", "FIELDS", "2", "x", "1", "y", "2");
    server.run("COPY", "h", "copy");
    server.run("RENAME", "h", "moved");
    CHECK(db.timed_count() == 3);
    CHECK(db.volatile_count() == 0);
    server.advance(milliseconds(49));
    server.tick();
    CHECK(fields("moved") == 2);
    server.advance(milliseconds(1));
    server.tick();
    CHECK(fields("moved") == 1);
    CHECK(fields("copy") == 1);
    server.advance(milliseconds(10));
    server.tick();
    CHECK(server.events().back() == "del only");
    CHECK(db.timed_count() == 0);
    CHECK(db.size() == 2);
  }
}

TEST_CASE("HIMPORT makes hashes of rows of values") {
  EngineFixture server;
  CHECK(server.run("HIMPORT", "PREPARE", "u", "name", "age") == "+OK\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("HIMPORT", "SET", "h", "u", "alice", "30") == "+OK\r\n");
  CHECK(server.effects() == Lines{"HSET h name alice age 30"});
  CHECK(server.events() == Lines{"new h", "hset h"});
  server.run("HSET", "h", "more", "x");
  server.run("EXPIRE", "h", "100");
  CHECK(server.run("HIMPORT", "SET", "h", "u", "bob", "40") == "+OK\r\n");
  CHECK(server.effects() == Lines{"DEL h", "HSET h name bob age 40"});
  CHECK(server.run("HGETALL", "h") == "*4\r\n$4\r\nname\r\n$3\r\nbob\r\n$3\r\nage\r\n$2\r\n40\r\n");
  CHECK(server.run("TTL", "h") == ":-1\r\n");
  CHECK(server.run("HIMPORT", "SET", "h", "u", "carol") ==
        "-ERR wrong number of values for the fieldset\r\n");
  CHECK(server.run("HIMPORT", "SET", "h", "v", "carol") == "-ERR no such fieldset\r\n");
  CHECK(server.run("HIMPORT", "PREPARE", "v", "a", "b", "a") ==
        "-ERR duplicate field name in fieldset\r\n");
  server.run("SET", "s", "text");
  CHECK(server.run("HIMPORT", "SET", "s", "u", "a", "b") == "+OK\r\n");
  CHECK(server.effects() == Lines{"DEL s", "HSET s name a age b"});
  CHECK(server.run("TYPE", "s") == "+hash\r\n");
  hearth::Session& other = server.open();
  CHECK(server.run_as(other, "HIMPORT", "SET", "h", "u", "a", "b") == "-ERR no such fieldset\r\n");
  server.run("HIMPORT", "PREPARE", "w", "a");
  CHECK(server.run("HIMPORT", "DISCARD", "w") == ":1\r\n");
  CHECK(server.run("HIMPORT", "DISCARD", "w") == ":0\r\n");
  server.run("HIMPORT", "PREPARE", "w", "a");
  CHECK(server.run("HIMPORT", "DISCARDALL") == ":2\r\n");
  CHECK(server.run("HIMPORT", "SET", "h", "u", "a", "b") == "-ERR no such fieldset\r\n");
  server.run("HIMPORT", "PREPARE", "u", "a");
  server.run("RESET");
  CHECK(server.run("HIMPORT", "DISCARDALL") == ":0\r\n");
}

TEST_CASE("HLEN counts fields until they are removed") {
  for (const char* entries : {"512", "0"}) {
    EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                          .seed = 1,
                          .resp = 2,
                          .config = {{"hash-max-listpack-entries", entries}}});
    for (int i = 0; i < 200; ++i) server.run("HSET", "h", "f" + std::to_string(i), "v");
    for (int i = 0; i < 150; ++i)
      server.run("HPEXPIRE", "h", "10", "FIELDS", "1", "f" + std::to_string(i));
    server.advance(milliseconds(10));
    // Each command removes some of what has expired: a bounded number.
    int last = 200;
    for (int calls = 0; last > 50; ++calls) {
      REQUIRE(calls < 5);
      const std::string reply = server.run("HLEN", "h");
      const int now = std::stoi(reply.substr(1));
      CHECK(now < last);
      last = now;
    }
    CHECK(last == 50);
  }
}

TEST_CASE("HRANDFIELD shows no expired field, however many there are") {
  for (const char* entries : {"512", "0"}) {
    EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                          .seed = 1,
                          .resp = 2,
                          .config = {{"hash-max-listpack-entries", entries}}});
    for (int i = 0; i < 400; ++i) server.run("HSET", "h", "f" + std::to_string(i), "v");
    for (int i = 1; i < 400; ++i)
      server.run("HPEXPIRE", "h", "10", "FIELDS", "1", "f" + std::to_string(i));
    // Under a pause nothing is removed.
    server.run("CLIENT", "PAUSE", "100000", "WRITE");
    server.advance(milliseconds(10));
    CHECK(server.run("HLEN", "h") == ":400\r\n");
    CHECK(server.run("HRANDFIELD", "h") == "$2\r\nf0\r\n");
    CHECK(server.run("HRANDFIELD", "h", "-3") == "*3\r\n$2\r\nf0\r\n$2\r\nf0\r\n$2\r\nf0\r\n");
    for (const char* count : {"1", "10", "200", "399", "400", "1000"})
      CHECK(server.run("HRANDFIELD", "h", count) == "*1\r\n$2\r\nf0\r\n");
    server.run("CLIENT", "UNPAUSE");
    server.run("HPEXPIRE", "h", "10", "FIELDS", "1", "f0");
    server.run("CLIENT", "PAUSE", "100000", "WRITE");
    server.advance(milliseconds(10));
    CHECK(server.run("HRANDFIELD", "h") == "$-1\r\n");
    CHECK(server.run("HRANDFIELD", "h", "5") == "*0\r\n");
    CHECK(server.run("HRANDFIELD", "h", "-5") == "*0\r\n");
  }
}
