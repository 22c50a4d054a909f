#include "src/store/zset.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

EngineFixture resp3() {
  return EngineFixture(
      {.now = hearth::UnixMillis{1'000'000'000'000}, .seed = 1, .resp = 3, .config = {}});
}

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
std::string array(const Lines& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += bulk(word);
  return out;
}

// Every sorted set in both encodings: the compact one, and with the limits at zero the large one.
template <typename F>
void in_both_encodings(F&& test) {
  for (const char* entries : {"128", "0"}) {
    CAPTURE(entries);
    EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                          .seed = 1,
                          .resp = 2,
                          .config = {{"zset-max-listpack-entries", entries}}});
    test(server);
  }
}

}  // namespace

TEST_CASE("ZADD makes, adds, changes and counts") {
  in_both_encodings([](EngineFixture& server) {
    CHECK(server.run("ZADD", "z", "2", "b", "1", "a") == ":2\r\n");
    CHECK(server.effects() == Lines{"ZADD z 2 b 1 a"});
    CHECK(server.events() == Lines{"new z", "zadd z"});
    CHECK(server.run("ZADD", "z", "1", "a") == ":0\r\n");
    CHECK(server.effects().empty());
    CHECK(server.events().empty());
    CHECK(server.run("ZADD", "z", "3.5", "a", "1", "c") == ":1\r\n");
    CHECK(server.events() == Lines{"zadd z"});
    CHECK(server.run("ZADD", "z", "CH", "4", "a", "1", "c", "9", "d") == ":2\r\n");
    CHECK(server.run("ZRANGE", "z", "0", "-1") == array({"c", "b", "a", "d"}));
    CHECK(server.run("ZRANGE", "z", "0", "-1", "WITHSCORES") ==
          array({"c", "1", "b", "2", "a", "4", "d", "9"}));
    CHECK(server.run("ZCARD", "z") == ":4\r\n");
    CHECK(server.run("TYPE", "z") == "+zset\r\n");
    CHECK(server.run("ZADD", "z", "inf", "max", "-inf", "min", "+inf", "max2") == ":3\r\n");
    CHECK(server.run("ZSCORE", "z", "max") == bulk("inf"));
    CHECK(server.run("ZSCORE", "z", "min") == bulk("-inf"));
  });
}

TEST_CASE("ZADD keeps to its conditions") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "5", "a");
    CHECK(server.run("ZADD", "z", "NX", "9", "a", "1", "b") == ":1\r\n");
    CHECK(server.run("ZADD", "z", "XX", "CH", "6", "a", "1", "none") == ":1\r\n");
    CHECK(server.run("ZADD", "z", "GT", "CH", "5", "a") == ":0\r\n");
    CHECK(server.run("ZADD", "z", "GT", "CH", "7", "a") == ":1\r\n");
    CHECK(server.run("ZADD", "z", "LT", "CH", "8", "a") == ":0\r\n");
    CHECK(server.run("ZADD", "z", "LT", "CH", "6", "a", "1", "new") == ":2\r\n");
    CHECK(server.run("ZADD", "z", "XX", "GT", "CH", "7", "a", "1", "newer") == ":1\r\n");
    CHECK(server.run("ZSCORE", "z", "a") == bulk("7"));
    CHECK(server.run("ZADD", "none", "XX", "1", "a") == ":0\r\n");
    CHECK(server.run("EXISTS", "none") == ":0\r\n");
    CHECK(server.run("ZADD", "z", "INCR", "1.5", "a") == bulk("8.5"));
    CHECK(server.effects() == Lines{"ZADD z INCR 1.5 a"});
    CHECK(server.events() == Lines{"zincr z"});
    CHECK(server.run("ZADD", "z", "NX", "INCR", "1", "a") == "$-1\r\n");
    CHECK(server.run("ZADD", "z", "XX", "INCR", "1", "none") == "$-1\r\n");
    CHECK(server.run("ZADD", "none", "XX", "INCR", "1", "a") == "$-1\r\n");
    CHECK(server.run("ZADD", "z", "GT", "INCR", "-1", "a") == "$-1\r\n");
    CHECK(server.effects().empty());
  });
}

TEST_CASE("ZADD refuses what makes no sense, before it changes anything") {
  EngineFixture server;
  CHECK(server.run("ZADD", "z", "NX", "XX", "1", "a") ==
        "-ERR XX and NX options at the same time are not compatible\r\n");
  for (const Lines& words :
       {Lines{"ZADD", "z", "NX", "GT", "1", "a"}, Lines{"ZADD", "z", "LT", "NX", "1", "a"},
        Lines{"ZADD", "z", "GT", "LT", "1", "a"}}) {
    CHECK(server.run_words(server.session(), words) ==
          "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n");
  }
  CHECK(server.run("ZADD", "z", "INCR", "1", "a", "2", "b") ==
        "-ERR INCR option supports a single increment-element pair\r\n");
  CHECK(server.run("ZADD", "z", "1", "a", "x", "b") == "-ERR value is not a valid float\r\n");
  CHECK(server.run("ZADD", "z", "nan", "a") == "-ERR value is not a valid float\r\n");
  // Nearer to 0 than any double.
  CHECK(server.run("ZADD", "z", "1e-400", "a") == "-ERR value is not a valid float\r\n");
  CHECK(server.run("ZADD", "z", "1", "a", "2") == "-ERR syntax error\r\n");
  CHECK(server.run("ZADD", "z", "NX", "CH") == "-ERR syntax error\r\n");
  CHECK(server.run("EXISTS", "z") == ":0\r\n");
  server.run("ZADD", "z", "inf", "a");
  CHECK(server.run("ZINCRBY", "z", "-inf", "a") ==
        "-ERR resulting score is not a number (NaN)\r\n");
  CHECK(server.run("ZSCORE", "z", "a") == bulk("inf"));
}

TEST_CASE("ZINCRBY adds; ZREM removes, and the set with its last member") {
  in_both_encodings([](EngineFixture& server) {
    CHECK(server.run("ZINCRBY", "z", "2", "a") == bulk("2"));
    CHECK(server.events() == Lines{"new z", "zincr z"});
    CHECK(server.run("ZINCRBY", "z", "0.1", "a") == bulk("2.1"));
    CHECK(server.run("ZINCRBY", "z", "x", "a") == "-ERR value is not a valid float\r\n");
    server.run("ZADD", "z", "1", "b", "1", "c");
    CHECK(server.run("ZREM", "z", "b", "none") == ":1\r\n");
    CHECK(server.effects() == Lines{"ZREM z b none"});
    CHECK(server.events() == Lines{"zrem z"});
    CHECK(server.run("ZREM", "z", "none") == ":0\r\n");
    CHECK(server.effects().empty());
    CHECK(server.run("ZREM", "z", "a", "c", "x") == ":2\r\n");
    CHECK(server.events() == Lines{"zrem z", "del z"});
    CHECK(server.run("EXISTS", "z") == ":0\r\n");
    CHECK(server.run("ZREM", "z", "a") == ":0\r\n");
  });
}

TEST_CASE("scores and ranks of single members") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "1", "a", "2", "b", "2", "c", "0.1", "10");
    CHECK(server.run("ZMSCORE", "z", "a", "none", "10") == "*3\r\n$1\r\n1\r\n$-1\r\n$3\r\n0.1\r\n");
    CHECK(server.run("ZMSCORE", "none", "a") == "*1\r\n$-1\r\n");
    CHECK(server.run("ZSCORE", "z", "none") == "$-1\r\n");
    CHECK(server.run("ZSCORE", "none", "a") == "$-1\r\n");
    CHECK(server.run("ZRANK", "z", "10") == ":0\r\n");
    CHECK(server.run("ZRANK", "z", "c") == ":3\r\n");
    CHECK(server.run("ZREVRANK", "z", "c") == ":0\r\n");
    CHECK(server.run("ZRANK", "z", "none") == "$-1\r\n");
    CHECK(server.run("ZRANK", "z", "b", "WITHSCORE") == "*2\r\n:2\r\n$1\r\n2\r\n");
    CHECK(server.run("ZREVRANK", "z", "none", "WITHSCORE") == "*-1\r\n");
    CHECK(server.run("ZRANK", "none", "a", "WITHSCORE") == "*-1\r\n");
    CHECK(server.run("ZRANK", "z", "a", "WITHSCORES") == "-ERR syntax error\r\n");
    CHECK(server.run("ZRANK", "z", "a", "WITHSCORE", "x") ==
          "-ERR wrong number of arguments for 'zrank' command\r\n");
    CHECK(server.run("ZCOUNT", "z", "1", "2") == ":3\r\n");
    CHECK(server.run("ZCOUNT", "z", "(1", "(2") == ":0\r\n");
    CHECK(server.run("ZCOUNT", "z", "-inf", "+inf") == ":4\r\n");
    CHECK(server.run("ZCOUNT", "z", "2", "1") == ":0\r\n");
    CHECK(server.run("ZCOUNT", "none", "1", "2") == ":0\r\n");
    CHECK(server.run("ZCOUNT", "z", "a", "2") == "-ERR min or max is not a float\r\n");
  });
}

TEST_CASE("ZRANGE reads by rank, score and name, both ways, in parts") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
    CHECK(server.run("ZRANGE", "z", "1", "2") == array({"b", "c"}));
    CHECK(server.run("ZRANGE", "z", "-2", "100") == array({"c", "d"}));
    CHECK(server.run("ZRANGE", "z", "-100", "0") == array({"a"}));
    CHECK(server.run("ZRANGE", "z", "3", "1") == "*0\r\n");
    CHECK(server.run("ZRANGE", "z", "4", "9") == "*0\r\n");
    CHECK(server.run("ZRANGE", "z", "0", "1", "REV") == array({"d", "c"}));
    CHECK(server.run("ZREVRANGE", "z", "-1", "-1", "WITHSCORES") == array({"a", "1"}));
    CHECK(server.run("ZRANGE", "z", "(1", "3", "BYSCORE") == array({"b", "c"}));
    CHECK(server.run("ZRANGE", "z", "3", "(1", "BYSCORE", "REV") == array({"c", "b"}));
    CHECK(server.run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", "1", "2") == array({"b", "c"}));
    CHECK(server.run("ZREVRANGEBYSCORE", "z", "+inf", "-inf", "LIMIT", "1", "2", "WITHSCORES") ==
          array({"c", "3", "b", "2"}));
    CHECK(server.run("ZRANGEBYSCORE", "z", "1", "4", "LIMIT", "2", "-1") == array({"c", "d"}));
    CHECK(server.run("ZRANGEBYSCORE", "z", "1", "4", "LIMIT", "-1", "2") == "*0\r\n");
    CHECK(server.run("ZRANGEBYSCORE", "z", "1", "4", "LIMIT", "9", "2") == "*0\r\n");
    CHECK(server.run("ZRANGE", "none", "0", "-1") == "*0\r\n");

    server.run("ZADD", "l", "0", "a", "0", "b", "0", "c", "0", "d");
    CHECK(server.run("ZRANGEBYLEX", "l", "-", "(c") == array({"a", "b"}));
    CHECK(server.run("ZRANGE", "l", "[b", "+", "BYLEX", "LIMIT", "1", "5") == array({"c", "d"}));
    CHECK(server.run("ZREVRANGEBYLEX", "l", "[c", "-") == array({"c", "b", "a"}));
    CHECK(server.run("ZRANGEBYLEX", "l", "+", "-") == "*0\r\n");
    CHECK(server.run("ZLEXCOUNT", "l", "(a", "[c") == ":2\r\n");
    CHECK(server.run("ZLEXCOUNT", "l", "-", "+") == ":4\r\n");
  });
}

TEST_CASE("bounds of scores are read as strtod reads them, other numbers without blanks") {
  EngineFixture server;
  CHECK(server.run("ZADD", "z", "0x10", "a") == ":1\r\n");
  CHECK(server.run("ZSCORE", "z", "a") == "$2\r\n16\r\n");
  for (const char* low : {"", " 1", "0x10", "(0xf", "-1e400"}) {
    CAPTURE(low);
    CHECK(server.run("ZCOUNT", "z", low, "1e400") == ":1\r\n");
  }
  CHECK(server.run("ZCOUNT", "z", "nan", "1") == "-ERR min or max is not a float\r\n");
  CHECK(server.run("ZCOUNT", "z", "1 ", "1") == "-ERR min or max is not a float\r\n");
  CHECK(server.run("ZADD", "z", " 1", "a") == "-ERR value is not a valid float\r\n");
}

TEST_CASE("ranges refuse words that do not fit together") {
  EngineFixture server;
  server.run("ZADD", "z", "1", "a");
  CHECK(server.run("ZRANGE", "z", "0", "-1", "LIMIT", "0", "1") ==
        "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
        "BYLEX\r\n");
  CHECK(server.run("ZRANGE", "z", "-", "+", "BYLEX", "WITHSCORES") ==
        "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n");
  CHECK(server.run("ZRANGE", "z", "a", "b") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("ZRANGE", "z", "a", "b", "BYSCORE") == "-ERR min or max is not a float\r\n");
  CHECK(server.run("ZRANGE", "z", "a", "b", "BYLEX") ==
        "-ERR min or max not valid string range item\r\n");
  CHECK(server.run("ZRANGE", "z", "0", "1", "BYSCORE", "BYLEX") == "-ERR syntax error\r\n");
  CHECK(server.run("ZREVRANGE", "z", "0", "1", "REV") == "-ERR syntax error\r\n");
  CHECK(server.run("ZRANGEBYSCORE", "z", "0", "1", "LIMIT", "1") == "-ERR syntax error\r\n");
  CHECK(server.run("ZRANGEBYSCORE", "z", "0", "1", "LIMIT", "x", "1") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("ZRANGESTORE", "d", "z", "0", "1", "WITHSCORES") == "-ERR syntax error\r\n");
}

TEST_CASE("ZRANGESTORE stores, replaces and removes") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "1", "a", "2", "b", "3", "c");
    server.run("SET", "d", "x");
    CHECK(server.run("ZRANGESTORE", "d", "z", "0", "1", "REV") == ":2\r\n");
    CHECK(server.effects() == Lines{"ZRANGESTORE d z 0 1 REV"});
    CHECK(server.events() == Lines{"zrangestore d"});
    CHECK(server.run("ZRANGE", "d", "0", "-1", "WITHSCORES") == array({"b", "2", "c", "3"}));
    CHECK(server.run("ZRANGESTORE", "z", "z", "(1", "2", "BYSCORE") == ":1\r\n");
    CHECK(server.run("ZRANGE", "z", "0", "-1") == array({"b"}));
    CHECK(server.run("ZRANGESTORE", "d", "none", "0", "-1") == ":0\r\n");
    CHECK(server.effects() == Lines{"DEL d"});
    CHECK(server.events() == Lines{"keymiss none", "del d"});
    CHECK(server.run("ZRANGESTORE", "d", "none", "0", "-1") == ":0\r\n");
    CHECK(server.effects().empty());
  });
}

TEST_CASE("ranges can be removed") {
  in_both_encodings([](EngineFixture& server) {
    const auto fill = [&] {
      server.run("DEL", "z");
      server.run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
    };
    fill();
    CHECK(server.run("ZREMRANGEBYRANK", "z", "1", "-2") == ":2\r\n");
    CHECK(server.events() == Lines{"zremrangebyrank z"});
    CHECK(server.run("ZRANGE", "z", "0", "-1") == array({"a", "d"}));
    fill();
    CHECK(server.run("ZREMRANGEBYSCORE", "z", "(1", "3") == ":2\r\n");
    CHECK(server.effects() == Lines{"ZREMRANGEBYSCORE z (1 3"});
    CHECK(server.run("ZREMRANGEBYSCORE", "z", "9", "10") == ":0\r\n");
    CHECK(server.effects().empty());
    CHECK(server.run("ZREMRANGEBYSCORE", "z", "-inf", "+inf") == ":2\r\n");
    CHECK(server.events() == Lines{"zremrangebyscore z", "del z"});
    server.run("ZADD", "l", "0", "a", "0", "b", "0", "c");
    CHECK(server.run("ZREMRANGEBYLEX", "l", "[b", "+") == ":2\r\n");
    CHECK(server.events() == Lines{"zremrangebylex l"});
    CHECK(server.run("ZREMRANGEBYLEX", "l", "b", "+") ==
          "-ERR min or max not valid string range item\r\n");
    CHECK(server.run("ZREMRANGEBYRANK", "none", "0", "1") == ":0\r\n");
  });
}

TEST_CASE("pops take from the ends") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e");
    CHECK(server.run("ZPOPMIN", "z") == array({"a", "1"}));
    CHECK(server.effects() == Lines{"ZPOPMIN z"});
    CHECK(server.events() == Lines{"zpopmin z"});
    CHECK(server.run("ZPOPMAX", "z", "2") == array({"e", "5", "d", "4"}));
    CHECK(server.events() == Lines{"zpopmax z"});
    CHECK(server.run("ZPOPMIN", "z", "0") == "*0\r\n");
    CHECK(server.run("ZPOPMIN", "z", "-1") == "-ERR value is out of range, must be positive\r\n");
    CHECK(server.run("ZPOPMIN", "z", "1", "2") == "-ERR syntax error\r\n");
    CHECK(server.run("ZMPOP", "2", "none", "z", "MIN", "COUNT", "9") ==
          "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
    CHECK(server.effects() == Lines{"ZPOPMIN z 2"});
    CHECK(server.events() == Lines{"zpopmin z", "del z"});
    CHECK(server.run("ZMPOP", "1", "z", "MAX") == "*-1\r\n");
    CHECK(server.run("ZPOPMAX", "z") == "*0\r\n");
    CHECK(server.run("ZMPOP", "0", "z", "MAX") == "-ERR numkeys should be greater than 0\r\n");
    CHECK(server.run("ZMPOP", "1", "z", "MIDDLE") == "-ERR syntax error\r\n");
    CHECK(server.run("ZMPOP", "2", "z", "MIN") == "-ERR syntax error\r\n");
    CHECK(server.run("ZMPOP", "1", "z", "MIN", "COUNT", "0") ==
          "-ERR count should be greater than 0\r\n");
    CHECK(server.run("ZMPOP", "1", "z", "MIN", "COUNT", "1", "COUNT", "2") ==
          "-ERR syntax error\r\n");
  });
}

TEST_CASE("random members") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
    std::set<std::string> seen;
    for (int i = 0; i < 200; ++i) seen.insert(server.run("ZRANDMEMBER", "z"));
    CHECK(seen.size() == 4);
    CHECK(server.run("ZRANDMEMBER", "z", "10", "WITHSCORES") ==
          array({"a", "1", "b", "2", "c", "3", "d", "4"}));
    CHECK(server.run("ZRANDMEMBER", "z", "2").starts_with("*2\r\n"));
    CHECK(server.run("ZRANDMEMBER", "z", "-9").starts_with("*9\r\n"));
    CHECK(server.run("ZRANDMEMBER", "z", "-3", "WITHSCORES").starts_with("*6\r\n"));
    CHECK(server.run("ZRANDMEMBER", "z", "0") == "*0\r\n");
    CHECK(server.run("ZRANDMEMBER", "none") == "$-1\r\n");
    CHECK(server.run("ZRANDMEMBER", "none", "2") == "*0\r\n");
    CHECK(server.run("ZRANDMEMBER", "z", "1", "X") == "-ERR syntax error\r\n");
    CHECK(server.run("ZRANDMEMBER", "z", "-9223372036854775808") ==
          "-ERR value is out of range, value must between -9223372036854775807 and "
          "9223372036854775807\r\n");
    CHECK(server.run("ZRANDMEMBER", "z", "-9223372036854775807", "WITHSCORES") ==
          "-ERR value is out of range\r\n");
  });
}

TEST_CASE("ZSCAN walks, filters and leaves scores out") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "1", "a", "2.5", "ab");
    CHECK(server.run("ZSCAN", "z", "0", "MATCH", "*b", "COUNT", "100") ==
          "*2\r\n$1\r\n0\r\n*2\r\n$2\r\nab\r\n$3\r\n2.5\r\n");
    CHECK(server.run("ZSCAN", "z", "0", "MATCH", "a", "NOSCORES", "COUNT", "100") ==
          "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n");
    CHECK(server.run("ZSCAN", "none", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
    CHECK(server.run("ZSCAN", "z", "x") == "-ERR invalid cursor\r\n");
    CHECK(server.run("ZSCAN", "z", "0", "COUNT", "0") == "-ERR syntax error\r\n");
    CHECK(server.run("ZSCAN", "none", "0", "COUNT", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
  });
}

TEST_CASE("RESP3 has doubles, and pairs where scores are asked for") {
  EngineFixture server = resp3();
  server.run("ZADD", "z", "1.5", "a", "inf", "b");
  CHECK(server.run("ZSCORE", "z", "a") == ",1.5\r\n");
  CHECK(server.run("ZSCORE", "z", "b") == ",inf\r\n");
  CHECK(server.run("ZSCORE", "z", "c") == "_\r\n");
  CHECK(server.run("ZINCRBY", "z", "1", "a") == ",2.5\r\n");
  CHECK(server.run("ZADD", "z", "NX", "INCR", "1", "a") == "_\r\n");
  CHECK(server.run("ZMSCORE", "z", "a", "c") == "*2\r\n,2.5\r\n_\r\n");
  CHECK(server.run("ZRANK", "z", "b", "WITHSCORE") == "*2\r\n:1\r\n,inf\r\n");
  CHECK(server.run("ZRANK", "z", "c", "WITHSCORE") == "_\r\n");
  CHECK(server.run("ZRANGE", "z", "0", "-1") == array({"a", "b"}));
  CHECK(server.run("ZRANGE", "z", "0", "0", "WITHSCORES") == "*1\r\n*2\r\n$1\r\na\r\n,2.5\r\n");
  CHECK(server.run("ZRANGEBYSCORE", "z", "0", "5", "WITHSCORES") ==
        "*1\r\n*2\r\n$1\r\na\r\n,2.5\r\n");
  CHECK(server.run("ZRANDMEMBER", "z", "1", "WITHSCORES").starts_with("*1\r\n*2\r\n"));
  CHECK(server.run("ZMPOP", "1", "none", "MIN") == "_\r\n");
  CHECK(server.run("ZPOPMIN", "z") == "*2\r\n$1\r\na\r\n,2.5\r\n");
  CHECK(server.run("ZPOPMAX", "z", "1") == "*1\r\n*2\r\n$1\r\nb\r\n,inf\r\n");
}

TEST_CASE("sorted set commands refuse other types") {
  EngineFixture server;
  server.run("SET", "s", "1");
  for (const Lines& words : std::vector<Lines>{{"ZADD", "s", "1", "a"},
                                               {"ZINCRBY", "s", "1", "a"},
                                               {"ZREM", "s", "a"},
                                               {"ZCARD", "s"},
                                               {"ZSCORE", "s", "a"},
                                               {"ZMSCORE", "s", "a"},
                                               {"ZRANK", "s", "a"},
                                               {"ZREVRANK", "s", "a"},
                                               {"ZCOUNT", "s", "0", "1"},
                                               {"ZLEXCOUNT", "s", "-", "+"},
                                               {"ZRANGE", "s", "0", "1"},
                                               {"ZRANGESTORE", "d", "s", "0", "1"},
                                               {"ZREMRANGEBYRANK", "s", "0", "1"},
                                               {"ZREMRANGEBYSCORE", "s", "0", "1"},
                                               {"ZREMRANGEBYLEX", "s", "-", "+"},
                                               {"ZPOPMIN", "s"},
                                               {"ZPOPMAX", "s", "0"},
                                               {"ZMPOP", "1", "s", "MIN"},
                                               {"ZRANDMEMBER", "s"},
                                               {"ZRANDMEMBER", "s", "1"},
                                               {"ZSCAN", "s", "0"}}) {
    CAPTURE(words[0]);
    CHECK(server.run_words(server.session(), words) == kWrongType);
    CHECK(server.effects().empty());
  }
  server.run("ZADD", "z", "1", "a");
  CHECK(server.run("GET", "z") == kWrongType);
  CHECK(server.run("HGET", "z", "f") == kWrongType);
}

TEST_CASE("sorted sets are copied, renamed, dumped, sorted and digested like other values") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "z", "3", "c", "1", "30", "2", "4");
    CHECK(server.run("COPY", "z", "copy") == ":1\r\n");
    CHECK(server.run("ZRANGE", "copy", "0", "-1", "WITHSCORES") ==
          array({"30", "1", "4", "2", "c", "3"}));
    server.run("ZADD", "copy", "9", "x");
    CHECK(server.run("ZCARD", "z") == ":3\r\n");
    CHECK(server.run("RENAME", "copy", "other") == "+OK\r\n");
    CHECK(server.run("ZCARD", "other") == ":4\r\n");

    std::string payload = server.run("DUMP", "z");
    const std::size_t head = payload.find("\r\n") + 2;
    payload = payload.substr(head, payload.size() - head - 2);
    CHECK(server.run("RESTORE", "back", "0", payload) == "+OK\r\n");
    CHECK(server.run("ZRANGE", "back", "0", "-1", "WITHSCORES") ==
          server.run("ZRANGE", "z", "0", "-1", "WITHSCORES"));
    CHECK(server.run("OBJECT", "ENCODING", "back") == server.run("OBJECT", "ENCODING", "z"));

    CHECK(server.run("SORT", "z", "ALPHA", "DESC") == array({"c", "4", "30"}));
    CHECK(server.run("SORT", "z", "BY", "nosort", "DESC") == array({"c", "4", "30"}));
    CHECK(server.run("SORT", "z", "BY", "nosort", "LIMIT", "1", "1") == array({"4"}));
    server.run("RPUSH", "l", "3", "", "2");
    CHECK(server.run("SORT", "l", "BY", "nosort", "DESC", "LIMIT", "0", "2") == array({"2", ""}));
    CHECK(server.run("SORT", "l") == array({"", "2", "3"}));
    server.run("DEL", "l");
    CHECK(server.run("MEMORY", "USAGE", "z").starts_with(":"));
  });
  EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                        .seed = 1,
                        .resp = 2,
                        .config = {{"enable-debug-command", "yes"}}});
  server.run("ZADD", "a", "1", "x", "2", "y");
  server.run("ZADD", "b", "2", "y", "1", "x");
  server.run("ZADD", "c", "2", "x", "1", "y");
  const auto digest = [&](const char* key) { return server.run("DEBUG", "DIGEST-VALUE", key); };
  CHECK(digest("a") == digest("b"));
  CHECK(digest("a") != digest("c"));
}

TEST_CASE("the encoding follows the limits") {
  EngineFixture server;
  for (int i = 0; i < 128; ++i) server.run("ZADD", "z", "1", std::to_string(i));
  CHECK(server.run("OBJECT", "ENCODING", "z") == bulk("listpack"));
  server.run("ZADD", "z", "1", "one more");
  CHECK(server.run("OBJECT", "ENCODING", "z") == bulk("skiplist"));
  CHECK(server.run("ZRANGE", "z", "0", "1") == array({"0", "1"}));
  server.run("ZADD", "long", "1", std::string(65, 'x'));
  CHECK(server.run("OBJECT", "ENCODING", "long") == bulk("skiplist"));
  server.run("CONFIG", "SET", "zset-max-listpack-entries", "1000");
  CHECK(server.run("ZRANGESTORE", "d", "z", "0", "-1") == ":129\r\n");
  CHECK(server.run("OBJECT", "ENCODING", "d") == bulk("listpack"));
}

TEST_CASE("unions, intersections and differences") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "a", "1", "x", "2", "y", "3", "z");
    server.run("ZADD", "b", "10", "y", "20", "z", "30", "w");
    CHECK(server.run("ZUNION", "2", "a", "b", "WITHSCORES") ==
          array({"x", "1", "y", "12", "z", "23", "w", "30"}));
    CHECK(server.run("ZINTER", "2", "a", "b", "WITHSCORES") == array({"y", "12", "z", "23"}));
    CHECK(server.run("ZDIFF", "2", "a", "b", "WITHSCORES") == array({"x", "1"}));
    CHECK(server.run("ZDIFF", "1", "a") == array({"x", "y", "z"}));
    CHECK(server.run("ZDIFF", "2", "a", "a") == "*0\r\n");
    CHECK(server.run("ZINTER", "2", "a", "none") == "*0\r\n");
    CHECK(server.run("ZUNION", "2", "a", "none") == array({"x", "y", "z"}));
    CHECK(server.run("ZUNION", "2", "a", "b", "WEIGHTS", "2", "0.5", "AGGREGATE", "MAX",
                     "WITHSCORES") == array({"x", "2", "y", "5", "z", "10", "w", "15"}));
    CHECK(server.run("ZINTER", "2", "a", "b", "AGGREGATE", "MIN", "WITHSCORES") ==
          array({"y", "2", "z", "3"}));
    CHECK(server.run("ZUNION", "2", "a", "b", "AGGREGATE", "COUNT", "WITHSCORES") ==
          array({"w", "1", "x", "1", "y", "2", "z", "2"}));
    CHECK(server.run("ZINTERCARD", "2", "a", "b") == ":2\r\n");
    CHECK(server.run("ZINTERCARD", "2", "a", "b", "LIMIT", "1") == ":1\r\n");
    CHECK(server.run("ZINTERCARD", "2", "a", "b", "LIMIT", "0") == ":2\r\n");
    server.run("ZADD", "inf", "inf", "x");
    server.run("ZADD", "-inf", "-inf", "x");
    CHECK(server.run("ZUNION", "2", "inf", "-inf", "WITHSCORES") == array({"x", "0"}));
    CHECK(server.run("ZUNION", "1", "inf", "WEIGHTS", "0", "WITHSCORES") == array({"x", "0"}));
  });
}

TEST_CASE("results of unions and their kin can be stored") {
  in_both_encodings([](EngineFixture& server) {
    server.run("ZADD", "a", "1", "x", "2", "y");
    server.run("SADD", "s", "y", "z");
    CHECK(server.run("ZUNIONSTORE", "d", "2", "a", "s", "WEIGHTS", "2", "3") == ":3\r\n");
    CHECK(server.effects() == Lines{"ZUNIONSTORE d 2 a s WEIGHTS 2 3"});
    CHECK(server.events() == Lines{"new d", "zunionstore d"});
    CHECK(server.run("ZRANGE", "d", "0", "-1", "WITHSCORES") ==
          array({"x", "2", "z", "3", "y", "7"}));
    CHECK(server.run("ZINTERSTORE", "d", "2", "a", "s") == ":1\r\n");
    CHECK(server.events() == Lines{"zinterstore d"});
    CHECK(server.run("ZDIFFSTORE", "a", "2", "a", "s") == ":1\r\n");
    CHECK(server.events() == Lines{"zdiffstore a"});
    CHECK(server.run("ZRANGE", "a", "0", "-1") == array({"x"}));
    CHECK(server.run("ZINTERSTORE", "d", "2", "a", "s") == ":0\r\n");
    CHECK(server.effects() == Lines{"DEL d"});
    CHECK(server.events() == Lines{"del d"});
  });
}

TEST_CASE("unions and their kin refuse what they don't understand") {
  EngineFixture server;
  server.run("ZADD", "a", "1", "x");
  server.run("SET", "s", "x");
  CHECK(server.run("ZUNION", "0", "a") ==
        "-ERR at least 1 input key is needed for 'zunion' command\r\n");
  CHECK(server.run("ZINTERSTORE", "d", "0", "a") ==
        "-ERR at least 1 input key is needed for 'zinterstore' command\r\n");
  CHECK(server.run("ZUNION", "2", "a") == "-ERR syntax error\r\n");
  CHECK(server.run("ZUNION", "x", "a") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("ZUNION", "2", "a", "s") == kWrongType);
  CHECK(server.run("ZUNION", "1", "a", "WEIGHTS", "x") == "-ERR weight value is not a float\r\n");
  CHECK(server.run("ZUNION", "1", "a", "AGGREGATE", "MEAN") == "-ERR syntax error\r\n");
  CHECK(server.run("ZUNIONSTORE", "d", "1", "a", "WITHSCORES") == "-ERR syntax error\r\n");
  CHECK(server.run("ZDIFF", "1", "a", "WEIGHTS", "1") == "-ERR syntax error\r\n");
  CHECK(server.run("ZINTERCARD", "1", "a", "LIMIT", "-1") == "-ERR LIMIT can't be negative\r\n");
}

TEST_CASE("pops that wait answer at once if there is something, or when something comes") {
  EngineFixture server;
  hearth::Session& other = server.open();
  server.run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
  CHECK(server.run("BZPOPMIN", "none", "z", "0") == "*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n");
  CHECK(server.effects() == Lines{"ZPOPMIN z"});
  CHECK(server.run("BZPOPMAX", "z", "0") == "*3\r\n$1\r\nz\r\n$1\r\nd\r\n$1\r\n4\r\n");
  CHECK(server.run("BZMPOP", "0", "1", "z", "MIN", "COUNT", "9") ==
        "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
  CHECK(server.effects() == Lines{"ZPOPMIN z 2"});

  CHECK(server.run("BZPOPMIN", "z", "y", "0").empty());
  CHECK(server.run_as(other, "ZADD", "y", "5", "m", "6", "n") == ":2\r\n");
  CHECK(server.effects() == Lines{"ZADD y 5 m 6 n", "ZPOPMIN y"});
  CHECK(EngineFixture::take(server.session()) == "*3\r\n$1\r\ny\r\n$1\r\nm\r\n$1\r\n5\r\n");
  server.run("DEL", "y");
  CHECK(server.run("BZMPOP", "1", "2", "z", "y", "MAX").empty());
  server.run_as(other, "SADD", "z", "not sorted");
  CHECK(EngineFixture::take(server.session()).empty());
  server.advance(hearth::milliseconds(1001));
  server.tick();
  CHECK(EngineFixture::take(server.session()) == "*-1\r\n");

  CHECK(server.run("BZPOPMIN", "y", "-1") == "-ERR timeout is negative\r\n");
  CHECK(server.run("BZPOPMIN", "y", "x") == "-ERR timeout is not a float or out of range\r\n");
  CHECK(server.run("BZPOPMIN", "y", "1e400") == "-ERR timeout is out of range\r\n");
  CHECK(server.run("BZMPOP", "x", "0", "y", "MIN") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(server.run("ZMPOP", "1", "y", "MIN", "COUNT", "x", "1") ==
        "-ERR count should be greater than 0\r\n");
  CHECK(server.run("BZPOPMIN", "z", "0") == kWrongType);
  server.run("MULTI");
  server.run("BZPOPMIN", "y", "0");
  CHECK(server.run("EXEC") == "*1\r\n*-1\r\n");
}

TEST_CASE("a difference is the same whichever side is walked") {
  EngineFixture server;
  std::vector<std::string> words{"ZADD", "first"};
  for (int i = 0; i < 300; ++i) {
    words.push_back(std::to_string(i));
    words.push_back("m" + std::to_string(i));
  }
  server.run_words(server.session(), words);
  std::vector<std::string> few{"ZDIFF", "101", "first"};
  for (int i = 0; i < 100; ++i) {
    const std::string key = "other" + std::to_string(i);
    // Members of the first, one twice, a set among them, and one that the first does not have.
    if (i % 10 == 0)
      server.run("SADD", key, "m" + std::to_string(i), "stranger");
    else
      server.run("ZADD", key, "7", "m" + std::to_string(i), "7", "m5");
    few.push_back(key);
  }
  const std::string all = server.run_words(server.session(), few);
  CHECK(all.starts_with("*200\r\n$4\r\nm100\r\n"));
  CHECK(all.ends_with("m299\r\n"));
  server.run("ZADD", "many", "1", "m0");
  for (int i = 1; i < 300; ++i) server.run("ZADD", "many", "1", "m" + std::to_string(i));
  CHECK(server.run("ZDIFF", "2", "first", "many") == "*0\r\n");
  CHECK(server.run("ZDIFF", "3", "first", "first", "first") == "*0\r\n");
}
