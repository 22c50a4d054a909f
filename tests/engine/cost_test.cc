// Nothing that one client sends or holds costs more than n log n, whatever names it chooses.
#include "tests/support/cost.h"

#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::Session;
using hearth::test::colliding_names;
using hearth::test::cost_ratio;
using hearth::test::EngineFixture;
using hearth::test::kQuadraticCost;
using Lines = std::vector<std::string>;

namespace {

constexpr std::size_t kSmall = 4000;

Lines with_names(Lines words, std::size_t count, const Lines& behind = {}) {
  for (std::size_t i = 0; i < count; ++i) words.push_back("name:" + std::to_string(i));
  words.insert(words.end(), behind.begin(), behind.end());
  return words;
}

Lines with_names(Lines words, const Lines& names) {
  words.insert(words.end(), names.begin(), names.end());
  return words;
}

}  // namespace

TEST_CASE("waiting for many keys, and leaving off, is no quadratic work") {
  EngineFixture server;
  CHECK(cost_ratio(kSmall, [&](std::size_t n) {
          Session& waiter = server.open();
          server.run_words(waiter, with_names({"BLPOP"}, n, {"0"}));
          server.run("RPUSH", "name:0", "x");
          CHECK(EngineFixture::take(waiter) == "*2\r\n$6\r\nname:0\r\n$1\r\nx\r\n");
          server.engine().close(waiter);
        }) < kQuadraticCost);
}

TEST_CASE("many watched keys that change at once are no quadratic work") {
  for (const std::string how : {"FLUSHALL", "FLUSHDB", "SWAPDB", "expiry"}) {
    CAPTURE(how);
    EngineFixture server;
    CHECK(cost_ratio(kSmall / 2, [&](std::size_t n) {
            Session& watcher = server.open();
            for (std::size_t i = 0; i < n; ++i)
              server.run("SET", "name:" + std::to_string(i), "v", "PX", "10");
            server.run_words(watcher, with_names({"WATCH"}, n));
            if (how == "SWAPDB") {
              server.run("SWAPDB", "0", "1");
            } else if (how == "expiry") {
              server.advance(milliseconds(20));
              server.tick();
            } else {
              server.run_words(server.session(), {how});
            }
            server.run_as(watcher, "MULTI");
            CHECK(server.run_as(watcher, "EXEC") == "*-1\r\n");
            server.engine().close(watcher);
            server.run("FLUSHALL");
          }) < kQuadraticCost);
  }
}

TEST_CASE("what MONITOR costs does not depend on how many clients there are") {
  EngineFixture server;
  server.run_as(server.open(), "MONITOR");
  CHECK(cost_ratio(1000, [&](std::size_t n) {
          std::vector<Session*> idle;
          for (std::size_t i = 0; i < n; ++i) idle.push_back(&server.open());
          for (int i = 0; i < 1000; ++i) server.run("PING");
          for (Session* s : idle) server.engine().close(*s);
        }) < kQuadraticCost);
}

TEST_CASE("names that collide in std::hash are as good as others") {
  const Lines names = colliding_names(4 * kSmall);
  REQUIRE(std::hash<std::string>{}(names[0]) == std::hash<std::string>{}(names[1]));
  const auto first = [&](std::size_t n) {
    return Lines(names.begin(), names.begin() + static_cast<long>(n));
  };
  for (const std::string command : {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "WATCH", "BLPOP"}) {
    CAPTURE(command);
    EngineFixture server;
    CHECK(cost_ratio(kSmall, [&](std::size_t n) {
            Session& client = server.open();
            Lines words = with_names({command}, first(n));
            if (command == "BLPOP") words.emplace_back("0");
            server.run_words(client, words);
            server.engine().close(client);
          }) < kQuadraticCost);
  }
  EngineFixture server;
  CHECK(cost_ratio(kSmall, [&](std::size_t n) {
          Session& client = server.open();
          client.resp = 3;
          server.run_as(client, "CLIENT", "TRACKING", "ON");
          server.run_words(client, with_names({"MGET"}, first(n)));
          server.run("FLUSHALL");
          server.engine().close(client);
        }) < kQuadraticCost);
  CHECK(cost_ratio(kSmall / 4, [&](std::size_t n) {
          for (const std::string& name : first(n)) server.run("EVAL", "-- " + name, "0");
          server.run("SCRIPT", "FLUSH");
        }) < kQuadraticCost);
}

TEST_CASE("lists of prefixes and ids are no quadratic work") {
  EngineFixture server;
  CHECK(cost_ratio(kSmall, [&](std::size_t n) {
          Session& client = server.open();
          client.resp = 3;
          Lines words{"CLIENT", "TRACKING", "ON", "BCAST"};
          for (std::size_t i = 0; i < n; ++i) {
            words.emplace_back("PREFIX");
            words.push_back("p" + std::to_string(i) + ":");
          }
          CHECK(server.run_words(client, words) == "+OK\r\n");
          for (std::size_t i = 0; i < n; ++i) server.run("SET", "p7:x", "v");
          server.engine().close(client);
        }) < kQuadraticCost);
  std::vector<Session*> clients;
  for (int i = 0; i < 500; ++i) clients.push_back(&server.open());
  CHECK(cost_ratio(kSmall, [&](std::size_t n) {
          Lines words{"CLIENT", "LIST", "ID"};
          for (std::size_t i = 0; i < n; ++i) words.push_back(std::to_string(1'000'000 + i));
          CHECK(server.run_words(server.session(), words) == "$0\r\n\r\n");
        }) < kQuadraticCost);
}

TEST_CASE("what a client holds is not counted again for each of its commands") {
  EngineFixture server({.config = {{"maxmemory-clients", "1gb"}}});
  CHECK(cost_ratio(kSmall, [&](std::size_t n) {
          Session& client = server.open();
          server.run_words(client, with_names({"HIMPORT", "PREPARE", "set"}, n));
          for (std::size_t i = 0; i < n / 4; ++i) server.run_as(client, "PING");
          server.engine().close(client);
        }) < kQuadraticCost);
}

TEST_CASE("a large value that a request names again and again is walked once") {
  EngineFixture server;
  const std::size_t members = 2000;
  server.run_words(server.session(), with_names({"SADD", "set"}, members));
  server.run("SET", "bits", std::string(100'000, 'x'));
  server.run("SET", "other", std::string(50'000, 'y'));
  Lines scored{"ZADD", "zset"};
  for (std::size_t i = 0; i < members; ++i) {
    scored.push_back(std::to_string(i));
    scored.push_back("name:" + std::to_string(i));
  }
  server.run_words(server.session(), scored);
  for (std::size_t i = 0; i < 40; ++i)
    server.run("PFADD", "hll", "element:" + std::to_string(i * 977));
  server.run("PFDEBUG", "TODENSE", "hll");
  const auto repeated = [](Lines words, const std::string& key, std::size_t times) {
    words.insert(words.end(), times, key);
    return words;
  };
  // However often: the same reply, and no more time than the words take.
  struct Case {
    Lines words;
    std::string key;
    bool counts_keys = false;
    std::string reply;
  };
  const std::string counted = server.run("PFCOUNT", "hll");
  const std::vector<Case> cases = {
      {{"SUNIONSTORE", "to"}, "set", false, ":2000\r\n"},
      {{"SINTERSTORE", "to"}, "set", false, ":2000\r\n"},
      {{"SDIFFSTORE", "to", "set", "none"}, "absent", false, ":2000\r\n"},
      {{"ZDIFFSTORE", "to"}, "zset", true, ":0\r\n"},
      {{"ZINTERCARD"}, "zset", true, ":2000\r\n"},
      {{"ZUNIONSTORE", "to"}, "zset", true, ":2000\r\n"},
      {{"ZINTERSTORE", "to"}, "zset", true, ":2000\r\n"},
      {{"PFCOUNT"}, "hll", false, counted},
      {{"PFMERGE", "to"}, "hll", false, "+OK\r\n"},
      {{"BITOP", "AND", "to"}, "bits", false, ":100000\r\n"},
      {{"BITOP", "OR", "to"}, "bits", false, ":100000\r\n"},
      {{"BITOP", "XOR", "to"}, "bits", false, ":100000\r\n"},
      {{"BITOP", "ONE", "to"}, "bits", false, ":100000\r\n"},
      {{"BITOP", "DIFF", "to", "other"}, "bits", false, ":100000\r\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.words);
    const auto run = [&](std::size_t times) {
      Lines words = c.words;
      if (c.counts_keys) words.push_back(std::to_string(times));
      server.run("DEL", "to");
      CHECK(server.run_words(server.session(), repeated(words, c.key, times)) == c.reply);
    };
    run(2);
    CHECK(cost_ratio(500, run) < 6);
  }
}

TEST_CASE("a sorted set that is named often weighs as often as it is named") {
  EngineFixture server;
  server.run("ZADD", "a", "2", "m", "inf", "far");
  server.run("ZADD", "b", "5", "m");
  server.run("SADD", "plain", "m");
  // Few times, each is added by itself; many times, the weights are added first.
  for (const std::size_t times : {2, 8, 9, 40}) {
    CAPTURE(times);
    const auto combined = [&](const std::string& command, const std::string& how) {
      Lines words{command, std::to_string(times + 1)};
      words.insert(words.end(), times, "a");
      words.push_back("b");
      words.push_back("WEIGHTS");
      for (std::size_t i = 0; i < times; ++i) words.push_back(i == 1 ? "-3" : "1");
      words.insert(words.end(), {"10", "AGGREGATE", how});
      words.insert(words.begin() + 1, "to");
      words.front() += "STORE";
      server.run_words(server.session(), words);
      return server.run("ZSCORE", "to", "m");
    };
    const auto bulk = [](double score) {
      const std::string text = std::to_string(static_cast<int>(score));
      return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    };
    const auto weights = static_cast<double>(times) - 4;
    for (const std::string command : {"ZUNION", "ZINTER"}) {
      CHECK(combined(command, "SUM") == bulk(2 * weights + 50));
      CHECK(combined(command, "COUNT") == bulk(weights + 10));
      CHECK(combined(command, "MIN") == bulk(-6));
      CHECK(combined(command, "MAX") == bulk(50));
    }
    Lines members{"ZINTERSTORE", "to", std::to_string(2 * times)};
    for (std::size_t i = 0; i < times; ++i) members.insert(members.end(), {"a", "plain"});
    CHECK(server.run_words(server.session(), members) == ":1\r\n");
    CHECK(server.run("ZSCORE", "to", "m") == bulk(3.0 * static_cast<double>(times)));
  }
}

TEST_CASE("repeated sources of BITOP count as the operation says") {
  EngineFixture server;
  server.run("SET", "a", std::string(1, '\x0f'));
  server.run("SET", "b", std::string(1, '\x3c'));
  const auto result = [&](const Lines& words) {
    server.run_words(server.session(), words);
    return static_cast<unsigned char>(server.run("GET", "to").at(4));
  };
  CHECK(result({"BITOP", "XOR", "to", "a", "b", "a"}) == 0x3c);
  CHECK(result({"BITOP", "XOR", "to", "a", "a", "a", "b"}) == 0x33);
  CHECK(result({"BITOP", "XOR", "to", "a", "a"}) == 0);
  CHECK(result({"BITOP", "ONE", "to", "a", "a", "a", "b"}) == 0x30);
  CHECK(result({"BITOP", "ONE", "to", "a", "b"}) == 0x33);
  CHECK(result({"BITOP", "DIFF", "to", "a", "b", "b"}) == 0x03);
  CHECK(result({"BITOP", "DIFF", "to", "a", "a", "b"}) == 0);
  CHECK(result({"BITOP", "DIFF1", "to", "a", "b", "b"}) == 0x30);
  CHECK(result({"BITOP", "ANDOR", "to", "a", "b", "b"}) == 0x0c);
  CHECK(result({"BITOP", "AND", "to", "a", "b", "a"}) == 0x0c);
}
