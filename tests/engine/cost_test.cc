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
