#include <doctest/doctest.h>

#include "src/metrics/hot_keys.h"
#include "tests/support/engine_fixture.h"

namespace {

using namespace hearth;
using test::EngineFixture;

TEST_CASE("a session of HOTKEYS finds the keys with most traffic") {
  EngineFixture server;
  CHECK(server.run("HOTKEYS", "GET") == "$-1\r\n");
  CHECK(server.run("HOTKEYS", "START", "METRICS", "1", "NET", "COUNT", "1") == "+OK\r\n");
  CHECK(server.run("HOTKEYS", "START", "METRICS", "1", "NET").starts_with("-ERR"));
  server.run("SET", "small", "x");
  server.run("SET", "large", std::string(1000, 'x'));
  CHECK(server.run("HOTKEYS", "RESET").starts_with("-ERR"));
  CHECK(server.run("HOTKEYS", "STOP") == "+OK\r\n");
  CHECK(server.run("HOTKEYS", "STOP") == "$-1\r\n");
  server.run("SET", "small", std::string(5000, 'x'));
  const std::string found = server.run("HOTKEYS", "GET");
  CHECK(found.find("$12\r\nby-net-bytes\r\n*2\r\n$5\r\nlarge\r\n") != std::string::npos);
  CHECK(found.find("$15\r\ntracking-active\r\n:0\r\n") != std::string::npos);
  CHECK(found.find("by-cpu-time-us") == std::string::npos);
  CHECK(server.run("HOTKEYS", "RESET") == "+OK\r\n");
  CHECK(server.run("HOTKEYS", "GET") == "$-1\r\n");
}

TEST_CASE("a session ends by itself after its duration") {
  EngineFixture server;
  server.run("HOTKEYS", "START", "METRICS", "2", "CPU", "NET", "DURATION", "2");
  server.advance(milliseconds(1999));
  server.tick();
  CHECK(server.engine().services().hot_keys->is_active());
  server.advance(milliseconds(1));
  server.tick();
  CHECK_FALSE(server.engine().services().hot_keys->is_active());
}

TEST_CASE("HOTKEYS START refuses what makes no sense") {
  EngineFixture server;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"METRICS", "3", "CPU"},
                                             {"METRICS", "1", "DISK"},
                                             {"METRICS", "2", "CPU", "CPU"},
                                             {"COUNT", "5", "x"},
                                             {"METRICS", "1", "CPU", "COUNT", "65"},
                                             {"METRICS", "1", "CPU", "SAMPLE", "0"},
                                             {"METRICS", "1", "CPU", "SLOTS", "1", "0"}}) {
    std::vector<std::string> call{"HOTKEYS", "START"};
    call.insert(call.end(), words.begin(), words.end());
    CHECK(server.run_words(server.session(), call).starts_with("-ERR"));
  }
}

TEST_CASE("the counters of frequent keys are right though there are few") {
  TopKeys top(8, 1);
  for (int i = 0; i < 1000; ++i) {
    top.add("hot", 10);
    top.add("cold" + std::to_string(i), 1);
  }
  const auto first = top.top(1);
  REQUIRE(first.size() == 1);
  CHECK(first[0].first == "hot");
  CHECK(first[0].second >= 10'000);
}

}  // namespace
