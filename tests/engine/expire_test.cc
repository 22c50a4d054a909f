#include <doctest/doctest.h>

#include "src/command/hold_control.h"
#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

std::string number(std::int64_t n) { return ":" + std::to_string(n) + "\r\n"; }

}  // namespace

TEST_CASE("the EXPIRE commands set one absolute deadline and log it in milliseconds") {
  EngineFixture server;
  const std::int64_t now = server.now().ms;
  struct Case {
    const char* command;
    std::string time;
    std::int64_t deadline;
  };
  for (const Case& c : {Case{"EXPIRE", "10", now + 10'000}, Case{"PEXPIRE", "1500", now + 1'500},
                        Case{"EXPIREAT", std::to_string(now / 1000 + 5), (now / 1000 + 5) * 1000},
                        Case{"PEXPIREAT", std::to_string(now + 7), now + 7}}) {
    server.run("SET", "k", "v");
    CHECK(server.run(c.command, "k", c.time) == ":1\r\n");
    CHECK(server.effects() == Lines{"PEXPIREAT k " + std::to_string(c.deadline)});
    CHECK(server.events() == Lines{"expire k"});
    CHECK(server.run("PEXPIRETIME", "k") == number(c.deadline));
    CHECK(server.run("EXPIRETIME", "k") == number((c.deadline + 500) / 1000));
    CHECK(server.run("PTTL", "k") == number(c.deadline - now));
    CHECK(server.run("TTL", "k") == number((c.deadline - now + 500) / 1000));
    CHECK(server.run(c.command, "none", c.time) == ":0\r\n");
    CHECK(server.effects().empty());
  }
}

TEST_CASE("a key lives until the millisecond of its deadline, on every encoding") {
  for (const std::string& value :
       {std::string("1"), std::string("short"), std::string(2000, 'x')}) {
    EngineFixture server;
    server.run("SET", "k", value);
    server.run("PEXPIRE", "k", "10");
    server.advance(milliseconds(9));
    CHECK(server.run("EXISTS", "k") == ":1\r\n");
    server.advance(milliseconds(1));
    CHECK(server.run("EXISTS", "k") == ":0\r\n");
    CHECK(server.effects() == Lines{"UNLINK k"});
    CHECK(server.engine().keyspace().db(0).size() == 0);
    CHECK(server.engine().stats().expired_keys == 1);
  }
}

TEST_CASE("lazyfree-lazy-expire decides how an expiry is logged") {
  EngineFixture server{{.config = {{"lazyfree-lazy-expire", "no"}}}};
  server.run("SET", "k", "v", "PX", "1");
  server.advance(milliseconds(1));
  server.run("GET", "k");
  CHECK(server.effects() == Lines{"DEL k"});
  server.run("SET", "k", "v");
  CHECK(server.run("EXPIRE", "k", "-1") == ":1\r\n");
  CHECK(server.effects() == Lines{"DEL k"});
}

TEST_CASE("a deadline in the past removes the key at once") {
  EngineFixture server;
  for (const auto& [command, time] :
       std::vector<std::pair<const char*, const char*>>{{"EXPIRE", "0"},
                                                        {"EXPIRE", "-1"},
                                                        {"PEXPIRE", "0"},
                                                        {"EXPIREAT", "1"},
                                                        {"PEXPIREAT", "-9223372036854770000"}}) {
    server.run("SET", "k", "v");
    CHECK(server.run(command, "k", time) == ":1\r\n");
    CHECK(server.effects() == Lines{"UNLINK k"});
    CHECK(server.events() == Lines{"del k"});
    CHECK(server.run("EXISTS", "k") == ":0\r\n");
  }
}

TEST_CASE("EXPIRE refuses what overflows and what is no number, and changes nothing") {
  EngineFixture server;
  server.run("SET", "k", "v");
  const std::string bad = "-ERR invalid expire time in 'expire' command\r\n";
  const std::string past_the_end = std::to_string((INT64_MAX - server.now().ms) / 1000 + 1);
  for (const std::string& time :
       {past_the_end, std::string("9223372036854776"), std::string("10000000000000000"),
        std::string("-9223372036854776"), std::string("-9999999999999999")}) {
    CHECK(server.run("EXPIRE", "k", time) == bad);
  }
  CHECK(server.run("PEXPIRE", "k", "9223372036854770000") ==
        "-ERR invalid expire time in 'pexpire' command\r\n");
  CHECK(server.run("EXPIREAT", "k", "9223372036854776") ==
        "-ERR invalid expire time in 'expireat' command\r\n");
  CHECK(server.run("EXPIRE", "k", "") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("EXPIRE", "k", "1.5") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("TTL", "k") == ":-1\r\n");
  CHECK(server.run("PEXPIREAT", "k", "9223372036854775807") == ":1\r\n");
  CHECK(server.run("PEXPIRETIME", "k") == ":9223372036854775807\r\n");
  CHECK(server.run("EXPIRETIME", "k") == ":9223372036854776\r\n");
}

TEST_CASE("NX, XX, GT and LT decide by the deadline that is there") {
  struct Case {
    const char* has;  // "" for none
    std::vector<std::string> options;
    const char* wanted;
    bool allowed;
  };
  const Case cases[] = {
      {"100", {"NX"}, "200", false},      {"", {"NX"}, "200", true},
      {"100", {"XX"}, "200", true},       {"", {"XX"}, "200", false},
      {"100", {"GT"}, "200", true},       {"200", {"GT"}, "100", false},
      {"100", {"GT"}, "100", false},      {"", {"GT"}, "200", false},
      {"100", {"LT"}, "200", false},      {"200", {"LT"}, "100", true},
      {"100", {"LT"}, "100", false},      {"", {"LT"}, "100", true},
      {"200", {"LT", "XX"}, "100", true}, {"", {"xx", "lt"}, "100", false},
      {"100", {"GT", "XX"}, "200", true}, {"", {"LT"}, "-10", true},
      {"100", {"GT"}, "-10", false},
  };
  for (const Case& c : cases) {
    EngineFixture server;
    server.run("SET", "k", "v");
    if (*c.has != 0) server.run("EXPIRE", "k", c.has);
    std::vector<std::string> words{"EXPIRE", "k", c.wanted};
    words.insert(words.end(), c.options.begin(), c.options.end());
    INFO("has=", c.has, " option=", c.options[0], " wanted=", c.wanted);
    CHECK(server.run_words(server.session(), words) == (c.allowed ? ":1\r\n" : ":0\r\n"));
    CHECK(server.effects().empty() == !c.allowed);
  }
}

TEST_CASE("conditions of EXPIRE that exclude each other are refused, unknown ones too") {
  EngineFixture server;
  const std::string nx = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
  CHECK(server.run("EXPIRE", "k", "1", "NX", "XX") == nx);
  CHECK(server.run("EXPIRE", "k", "1", "NX", "GT") == nx);
  CHECK(server.run("EXPIRE", "k", "1", "LT", "NX") == nx);
  CHECK(server.run("EXPIRE", "k", "1", "LT", "GT") ==
        "-ERR GT and LT options at the same time are not compatible\r\n");
  CHECK(server.run("EXPIRE", "k", "1", "AB") == "-ERR Unsupported option AB\r\n");
  CHECK(server.run("EXPIRE", "k", "x", "XX", "AB") == "-ERR Unsupported option AB\r\n");
}

TEST_CASE("TTL answers -2 for no key, -1 for no deadline, and rounds to the nearest second") {
  EngineFixture server;
  for (const char* command : {"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}) {
    CHECK(server.run(command, "none") == ":-2\r\n");
    server.run("SET", "k", "v");
    CHECK(server.run(command, "k") == ":-1\r\n");
  }
  server.run("PEXPIRE", "k", "1499");
  CHECK(server.run("TTL", "k") == ":1\r\n");
  server.run("PEXPIRE", "k", "1500");
  CHECK(server.run("TTL", "k") == ":2\r\n");
}

TEST_CASE("PERSIST ends a time to live, once") {
  EngineFixture server;
  CHECK(server.run("PERSIST", "k") == ":0\r\n");
  server.run("SET", "k", "v", "PX", "10");
  CHECK(server.run("PERSIST", "k") == ":1\r\n");
  CHECK(server.effects() == Lines{"PERSIST k"});
  CHECK(server.events() == Lines{"persist k"});
  CHECK(server.run("PERSIST", "k") == ":0\r\n");
  CHECK(server.effects().empty());
  server.advance(milliseconds(10));
  CHECK(server.run("GET", "k") == "$1\r\nv\r\n");
}

TEST_CASE("EXPIRE does not bring back a key that is past its deadline") {
  EngineFixture server;
  server.run("SET", "k", "v", "PX", "10");
  server.advance(milliseconds(10));
  CHECK(server.run("EXPIRE", "k", "100") == ":0\r\n");
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
}

TEST_CASE("ticks remove due keys that nobody asks for, and only those") {
  EngineFixture server;
  for (int i = 0; i < 1000; ++i) {
    server.run("SET", "short:" + std::to_string(i), "v", "PX", std::to_string(100 + i % 50));
    server.run("SET", "long:" + std::to_string(i), "v", "PX", "60000");
    server.run("SET", "ever:" + std::to_string(i), "v");
  }
  CHECK(server.engine().keyspace().db(0).size() == 3000);
  CHECK(server.engine().keyspace().db(0).volatile_count() == 2000);
  server.tick();
  CHECK(server.engine().keyspace().db(0).size() == 3000);
  server.advance(milliseconds(150));
  for (int i = 0; i < 200 && server.engine().keyspace().db(0).size() > 2000; ++i) server.tick();
  CHECK(server.engine().keyspace().db(0).size() == 2000);
  CHECK(server.engine().keyspace().db(0).volatile_count() == 1000);
  CHECK(server.engine().stats().expired_keys == 1000);
  server.advance(std::chrono::minutes(1));
  for (int i = 0; i < 200 && server.engine().keyspace().db(0).size() > 1000; ++i) server.tick();
  CHECK(server.engine().keyspace().db(0).size() == 1000);
}

TEST_CASE("an expiry by tick is logged and told like one by access") {
  EngineFixture server;
  server.run("SET", "k", "v", "PX", "10");
  server.advance(milliseconds(10));
  server.run("SET", "other", "1");  // what run() collects starts here
  server.tick();
  CHECK(server.effects() == Lines{"SET other 1", "UNLINK k"});
  CHECK(server.events().back() == "expired k");
}

TEST_CASE(
    "one due key among many is found by a bounded number of ticks, in every database and slot") {
  EngineFixture server;
  for (int i = 0; i < 5000; ++i) server.run("SET", "k" + std::to_string(i), "v", "EX", "1000");
  server.run("PEXPIRE", "k4242", "5");
  hearth::Session& other = server.open();
  other.db = 9;
  server.run_as(other, "SET", "lonely", "v", "PX", "5");
  server.advance(milliseconds(5));
  for (int i = 0; i < 100 && server.engine().stats().expired_keys < 2; ++i) server.tick();
  CHECK(server.engine().stats().expired_keys == 2);

  EngineFixture cluster{{.config = {{"cluster-enabled", "yes"}}}};
  for (int i = 0; i < 2000; ++i)
    cluster.run("SET", "k" + std::to_string(i), "v", "PX", i % 2 == 0 ? "5" : "100000");
  cluster.advance(milliseconds(5));
  for (int i = 0; i < 200 && cluster.engine().stats().expired_keys < 1000; ++i) cluster.tick();
  CHECK(cluster.engine().stats().expired_keys == 1000);
}

TEST_CASE(
    "while clients are paused nothing expires, keys past their deadline are hidden all the same") {
  EngineFixture server;
  server.run("SET", "k", "v", "PX", "10");
  server.engine().holds().pause(hearth::PauseKind::kWrite, server.now() + milliseconds(1000));
  server.advance(milliseconds(20));
  server.tick();
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.engine().keyspace().db(0).size() == 1);
  CHECK(server.run("RANDOMKEY") == "$1\r\nk\r\n");
  CHECK(server.run("KEYS", "*") == "*0\r\n");
  server.engine().holds().unpause();
  server.tick();
  CHECK(server.engine().keyspace().db(0).size() == 0);
}

// --- import-mode: the data is another server's, which says what expires ---

namespace {

class Importing : public EngineFixture {
 public:
  Importing() {
    run("CONFIG", "SET", "import-mode", "yes");
    source_ = &open();
    REQUIRE(imported("CLIENT", "IMPORT-SOURCE", "ON") == "+OK\r\n");
  }
  template <typename... A>
  std::string imported(const A&... words) {
    return run_as(*source_, words...);
  }

 private:
  hearth::Session* source_ = nullptr;
};

}  // namespace

TEST_CASE("in import mode what has expired is there for the import source alone") {
  Importing server;
  server.imported("SET", "n", "1", "PX", "100");
  server.imported("HSET", "h", "f", "v", "g", "w");
  server.imported("HPEXPIRE", "h", "100", "FIELDS", "1", "f");
  server.advance(milliseconds(200));
  server.tick();
  CHECK(server.run("DBSIZE") == ":2\r\n");
  CHECK(server.run("GET", "n") == "$-1\r\n");
  CHECK(server.run("EXISTS", "n") == ":0\r\n");
  CHECK(server.run("KEYS", "n") == "*0\r\n");
  CHECK(server.run("HGET", "h", "f") == "$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.imported("GET", "n") == "$1\r\n1\r\n");
  CHECK(server.imported("KEYS", "n") == "*1\r\n$1\r\nn\r\n");
  CHECK(server.imported("HGET", "h", "f") == "$1\r\nv\r\n");
  CHECK(server.imported("INCR", "n") == ":2\r\n");
  server.imported("MULTI");
  server.imported("INCR", "n");
  CHECK(server.imported("EXEC") == "*1\r\n:3\r\n");
  CHECK(server.imported("EVAL", "return redis.call('INCR', 'n')", "0") == ":4\r\n");
  // The other server prolonged its life there, after it had ended here.
  CHECK(server.imported("PEXPIRE", "n", "1000") == ":1\r\n");
  CHECK(server.run("GET", "n") == "$1\r\n4\r\n");
  CHECK(server.run("PTTL", "n") == ":1000\r\n");
  // Nor does a deadline in the past remove anything.
  CHECK(server.imported("PEXPIREAT", "n", std::to_string(server.now().ms - 1)) == ":1\r\n");
  CHECK(server.run("DBSIZE") == ":2\r\n");
  CHECK(server.imported("GET", "n") == "$1\r\n4\r\n");
}

TEST_CASE("what an import source does is told with the time at which it did it") {
  Importing server;
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  server.run("SLOWLOG", "RESET");
  server.imported("EVAL", "return redis.call('SET', 'k', 'v')", "0");
  const std::string log = server.run("SLOWLOG", "GET");
  const std::string time = number(server.now().ms / 1000);
  CHECK(log.find("$3\r\nSET\r\n") != std::string::npos);
  std::size_t entries = 0, in_time = 0;
  for (std::size_t at = 0; (at = log.find("*6\r\n", at)) != std::string::npos; ++entries) {
    at = log.find("\r\n", at + 4) + 2;  // behind its number
    in_time += log.compare(at, time.size(), time) == 0 ? 1 : 0;
  }
  CHECK(entries >= 2);
  CHECK(in_time == entries);
}

TEST_CASE("in import mode a client's write removes what has expired and is in its way") {
  Importing server;
  server.imported("SET", "k", "v", "PX", "100");
  server.advance(milliseconds(200));
  CHECK(server.run("LPUSH", "k", "x") == ":1\r\n");
  CHECK(server.effects() == Lines{"UNLINK k", "LPUSH k x"});
  CHECK(server.run("DBSIZE") == ":1\r\n");
}

TEST_CASE("when import mode ends, what has expired goes, and import sources are clients again") {
  Importing server;
  server.imported("SET", "a", "v", "PX", "100");
  server.imported("SET", "b", "v", "PX", "100");
  server.advance(milliseconds(200));
  server.run("CONFIG", "SET", "import-mode", "no");
  CHECK(server.imported("GET", "a") == "$-1\r\n");
  CHECK(server.effects() == Lines{"UNLINK a"});
  server.tick();
  CHECK(server.run("DBSIZE") == ":0\r\n");
}

TEST_CASE("what SCAN and RANDOMKEY come across in a transaction goes, or not, as configured") {
  for (const bool removes : {true, false}) {
    CAPTURE(removes);
    EngineFixture server;
    server.run("CONFIG", "SET", "lazyexpire-nested-arbitrary-keys", removes ? "yes" : "no");
    server.run("SET", "k", "v", "PX", "100");
    server.advance(milliseconds(200));
    server.run("MULTI");
    server.run("SCAN", "0");
    CHECK(server.run("EXEC") == "*1\r\n*2\r\n$1\r\n0\r\n*0\r\n");
    CHECK(server.effects() == (removes ? Lines{"UNLINK k"} : Lines{}));
    CHECK(server.run("EVAL", "return redis.call('SCAN', 0)[2]", "0") == "*0\r\n");
    CHECK(server.run("DBSIZE") == (removes ? ":0\r\n" : ":1\r\n"));
    CHECK(server.run("SCAN", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
    CHECK(server.run("DBSIZE") == ":0\r\n");
  }
}

TEST_CASE("deadlines that a replica's own clients set are kept once for each key") {
  EngineFixture server({.config = {{"replica-read-only", "no"}}});
  server.engine().set_following(true);
  server.run("SET", "k", "v");
  for (int i = 0; i < 1000; ++i)
    server.run("PEXPIREAT", "k", std::to_string(2'000'000'000'000 + i));
  CHECK(server.engine().expiry().own_count() == 1);
  server.run("PERSIST", "k");
  CHECK(server.engine().expiry().own_count() == 0);
  server.engine().set_following(false);
}
