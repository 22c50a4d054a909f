// warm-gate: clients of a node that starts without data hear LOADING until a loader has filled it.
#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

constexpr const char* kOk = "+OK\r\n";
constexpr const char* kLoading = "-LOADING Redis is loading the dataset in memory\r\n";

EngineFixture::Options gated() {
  EngineFixture::Options options;
  options.config = {{"warm-gate", "loading"}, {"warm-gate-deadline", "60"}};
  return options;
}

bool info_has(EngineFixture& server, const std::string& line) {
  return server.run("INFO", "warm").find(line + "\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a closed gate answers data commands with LOADING, and no others") {
  EngineFixture server(gated());
  Session& client = server.open();
  CHECK(server.run_as(client, "GET", "k") == kLoading);
  CHECK(server.run_as(client, "SET", "k", "v") == kLoading);
  CHECK(server.run_as(client, "PING") == "+PONG\r\n");
  CHECK(server.run_as(client, "EVAL", "return 1", "0") == kLoading);
  CHECK(server.run_as(client, "DBSIZE") == kLoading);
  CHECK(server.run_as(client, "FLUSHALL") == kLoading);
  CHECK(server.run_as(client, "WARM", "BEGIN", "id") == kLoading);
  CHECK(server.run_as(client, "INFO", "server").starts_with("$"));
  CHECK(server.run_as(client, "CONFIG", "GET", "warm-gate").starts_with("*2"));
  CHECK(server.run_as(client, "HELLO").starts_with("*"));
  CHECK(server.run_as(client, "AUTH", "x").starts_with("-ERR"));
  CHECK(server.run_as(client, "SELECT", "1") == kOk);
  CHECK(server.run_as(client, "CLIENT", "SETNAME", "x") == kOk);
  CHECK(server.run_as(client, "WARM", "STATUS").starts_with("*14"));
  // Inside a transaction too, and what was queued before can't slip through.
  CHECK(server.run_as(client, "MULTI") == kOk);
  CHECK(server.run_as(client, "GET", "k") == kLoading);
  CHECK(server.run_as(client, "EXEC").starts_with("-EXECABORT"));
}

TEST_CASE("a loader passes the gate until it is a client again") {
  EngineFixture server(gated());
  CHECK(server.run("WARM", "LOADER") == kOk);
  CHECK(server.run("PING") == "+PONG\r\n");
  CHECK(server.run("WARM", "BEGIN", "load") == kOk);
  CHECK(server.run("SET", "k", "row", "WARM", "load") == kOk);
  CHECK(server.run("EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "s") == kOk);
  CHECK(server.run("WARM", "END", "load") == kOk);
  CHECK(server.run("RESET") == "+RESET\r\n");
  CHECK(server.run("GET", "k") == kLoading);
  // A user who may not run WARM can't get past it.
  server.run("ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all", "-warm");
  Session& app = server.open();
  CHECK(server.run_as(app, "AUTH", "app", "x") == kOk);
  CHECK(server.run_as(app, "WARM", "LOADER").starts_with("-NOPERM"));
  CHECK(server.run_as(app, "WARM", "OPEN").starts_with("-NOPERM"));
  CHECK(server.run_as(app, "GET", "k") == kLoading);
}

TEST_CASE("the gate opens when the mappings are done, and tells why") {
  EngineFixture server(gated());
  CHECK(info_has(server, "warm_state:cold"));
  CHECK(info_has(server, "warm_gate:closed"));
  CHECK(info_has(server, "warm_seconds_left:60"));
  CHECK(server.run("WARM", "PROGRESS", "us ers", "0", "200") == kOk);
  CHECK(server.run("WARM", "PROGRESS", "orders", "0", "-") == kOk);
  CHECK(server.run("WARM", "PROGRESS", "us ers", "50", "200") == kOk);
  CHECK(info_has(server, "warm_state:warming"));
  CHECK(info_has(server, "warm_fraction:0.1250"));
  CHECK(info_has(server, "warm_mapping_us_ers:state=warming,done=50,total=200"));
  CHECK(info_has(server, "warm_mapping_orders:state=warming,done=0,total=-1"));
  CHECK(server.run("WARM", "READY", "us ers") == kOk);
  CHECK(info_has(server, "warm_mapping_us_ers:state=ready,done=50,total=200"));
  CHECK(server.run("GET", "k") == kLoading);
  CHECK(server.run("WARM", "READY", "orders") == kOk);
  // Replicas hear of it.
  CHECK(server.effects() == std::vector<std::string>{"ECHO hearth:warm-ready"});
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(info_has(server, "warm_state:ready"));
  CHECK(info_has(server, "warm_gate:open"));
  CHECK(info_has(server, "warm_opened_by:rows"));
  CHECK(info_has(server, "warm_seconds_left:0"));
  EngineFixture whole(gated());
  CHECK(whole.run("WARM", "READY") == kOk);
  CHECK(whole.run("GET", "k") == "$-1\r\n");
}

TEST_CASE("the gate opens at its deadline, by hand, and where it is switched off") {
  EngineFixture waits(gated());
  waits.advance(seconds{59});
  waits.tick();
  CHECK(waits.run("GET", "k") == kLoading);
  waits.advance(seconds{1});
  waits.tick();
  CHECK(waits.run("GET", "k") == "$-1\r\n");
  CHECK(info_has(waits, "warm_opened_by:deadline"));
  EngineFixture by_hand(gated());
  CHECK(by_hand.run("WARM", "OPEN") == ":1\r\n");
  CHECK(by_hand.run("WARM", "OPEN") == ":0\r\n");
  CHECK(by_hand.run("GET", "k") == "$-1\r\n");
  CHECK(info_has(by_hand, "warm_opened_by:operator"));
  EngineFixture off(gated());
  CHECK(off.run("CONFIG", "SET", "warm-gate", "off") == kOk);
  CHECK(off.run("GET", "k") == "$-1\r\n");
  CHECK(info_has(off, "warm_gate:off"));
  // A node that serves goes on to serve.
  CHECK(off.run("CONFIG", "SET", "warm-gate", "loading") == kOk);
  CHECK(off.run("GET", "k") == "$-1\r\n");
  EngineFixture lower(gated());
  lower.run("WARM", "PROGRESS", "users", "150", "200");
  CHECK(lower.run("CONFIG", "SET", "warm-gate-fraction", "0.8") == kOk);
  CHECK(lower.run("GET", "k") == kLoading);
  CHECK(lower.run("CONFIG", "SET", "warm-gate-fraction", "0.75") == kOk);
  CHECK(lower.run("GET", "k") == "$-1\r\n");
}

TEST_CASE("a node that has data, or whose primary is ready, is ready") {
  EngineFixture loaded(gated());
  loaded.engine().warm_gate().serve(true);
  CHECK(loaded.run("GET", "k") == "$-1\r\n");
  // A snapshot of a node that was being warmed says so, and a log.
  EngineFixture replayed(gated());
  Session& log = replayed.open();
  log.replaying = log.authenticated = true;
  replayed.run_as(log, "ECHO", "hearth:warm-not-ready");
  replayed.run_as(log, "SET", "k", "row");
  replayed.engine().warm_gate().serve(true);
  CHECK(replayed.run("GET", "k") == kLoading);
  EngineFixture told(gated());
  told.run("PING");
  told.engine().warm_gate().serve(false);
  CHECK(told.effects() == std::vector<std::string>{"ECHO hearth:warm-not-ready"});
  EngineFixture half(gated());
  half.engine().warm_gate().set_partial(true);
  half.engine().warm_gate().serve(true);
  CHECK(half.run("GET", "k") == kLoading);
  EngineFixture replica(gated());
  replica.engine().set_following(true);
  replica.engine().warm_gate().set_partial(true);
  replica.engine().warm_gate().take_over_data();
  CHECK(replica.engine().warm_gate().is_closed());
  Session& primary = replica.open();
  primary.primary = primary.replaying = primary.authenticated = true;
  replica.run_as(primary, "ECHO", "hearth:warm-ready");
  CHECK_FALSE(replica.engine().warm_gate().is_closed());
  CHECK(info_has(replica, "warm_opened_by:primary"));
}

TEST_CASE("whoever waits for the gate is called once") {
  EngineFixture server(gated());
  int calls = 0;
  server.engine().warm_gate().when_open([&] { ++calls; });
  CHECK(calls == 0);
  server.run("WARM", "OPEN");
  CHECK(calls == 1);
  server.run("WARM", "READY");
  CHECK(calls == 1);
  server.engine().warm_gate().when_open([&] { ++calls; });
  CHECK(calls == 2);
}

TEST_CASE("what a loader tells is checked") {
  EngineFixture server(gated());
  CHECK(server.run("WARM", "PROGRESS", "", "0", "1").starts_with("-ERR the name"));
  CHECK(server.run("WARM", "PROGRESS", std::string(129, 'n'), "0", "1").starts_with("-ERR the"));
  CHECK(server.run("WARM", "PROGRESS", std::string(128, 'n'), "0", "1") == kOk);
  CHECK(server.run("WARM", "PROGRESS", "a\r\nb", "0", "1").starts_with("-ERR the name"));
  CHECK(server.run("WARM", "READY", "a\nb").starts_with("-ERR the name"));
  CHECK(server.run("WARM", "PROGRESS", "a", "-1", "1").starts_with("-ERR rows"));
  CHECK(server.run("WARM", "PROGRESS", "a", "1", "x").starts_with("-ERR rows"));
  CHECK(server.run("WARM", "PROGRESS", "a", "1").starts_with("-ERR wrong number"));
  CHECK(server.run("WARM", "READY", "a", "b").starts_with("-ERR syntax"));
  CHECK(server.run("WARM", "HOT", "0").starts_with("-ERR count"));
  for (int i = 0; i < 255; ++i)
    REQUIRE(server.run("WARM", "PROGRESS", std::to_string(i), "0", "1") == kOk);
  CHECK(server.run("WARM", "PROGRESS", "one more", "0", "1") == "-ERR too many mappings\r\n");
  CHECK(server.run("WARM", "READY", "one more") == "-ERR too many mappings\r\n");
}

TEST_CASE("the most used keys are found by frequency or by the last use, and survive as bytes") {
  for (const char* policy : {"allkeys-lfu", "noeviction"}) {
    CAPTURE(policy);
    EngineFixture::Options options;
    options.config = {{"warm-hot-keys", "5"}, {"maxmemory-policy", policy}};
    EngineFixture server(options);
    for (int i = 0; i < 3000; ++i) server.run("SET", "k" + std::to_string(i), "v");
    server.advance(seconds{10});
    for (int round = 0; round < 200; ++round) {
      for (const char* key : {"k7", "k8", "k9"}) server.run("GET", key);
    }
    CHECK(server.run("WARM", "HOT") == "*0\r\n");
    for (int i = 0; i < 10; ++i) server.tick();
    std::string reply = server.run("WARM", "HOT");
    CHECK(reply.starts_with("*5\r\n"));
    for (const char* key : {"$2\r\nk7\r\n", "$2\r\nk8\r\n", "$2\r\nk9\r\n"})
      CHECK(reply.find(key) != std::string::npos);
    CHECK(server.run("WARM", "HOT", "3").starts_with("*3\r\n"));
    server.run("SELECT", "3");
    CHECK(server.run("WARM", "HOT") == "*0\r\n");
    // The next life: its own keys come behind, and after a while instead.
    EngineFixture next(options);
    REQUIRE(next.engine().hot_list().restore(server.engine().hot_list().encode()));
    CHECK(next.run("WARM", "HOT") == reply);
    next.run("SET", "other", "v");
    next.tick();
    CHECK(next.run("WARM", "HOT") == reply);
    next.advance(seconds{601});
    next.tick();
    CHECK(next.run("WARM", "HOT") == "*1\r\n$5\r\nother\r\n");
    CHECK(next.run("CONFIG", "SET", "warm-hot-keys", "0") == kOk);
    CHECK(next.run("WARM", "HOT") == "*0\r\n");
  }
}

TEST_CASE("a list of hot keys that is not whole is refused, at whatever byte") {
  EngineFixture::Options options;
  options.config = {{"warm-hot-keys", "10"}};
  EngineFixture server(options);
  server.run("SET", "a", "v");
  server.run("SET", std::string(512, 'b'), "v");
  server.run("SET", std::string(513, 'c'), "v");  // too long to be kept
  HotList& list = server.engine().hot_list();
  list.walk_to_the_end(1000);
  CHECK(list.size() == 2);
  const std::string good = list.encode();
  for (std::size_t i = 0; i < good.size(); ++i) {
    CHECK_FALSE(list.restore(good.substr(0, i)));
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    CHECK_FALSE(list.restore(bad));
  }
  CHECK(list.restore(good));
  CHECK(list.size() == 2);
}
