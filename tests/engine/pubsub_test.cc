#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::Session;
using hearth::test::EngineFixture;

namespace {

// ">3 kind name count" in the given protocol.
std::string confirmed(int resp, const std::string& kind, const std::string& name, int count) {
  return std::string(resp == 3 ? ">3" : "*3") + "\r\n$" + std::to_string(kind.size()) + "\r\n" +
         kind + "\r\n$" + std::to_string(name.size()) + "\r\n" + name +
         "\r\n:" + std::to_string(count) + "\r\n";
}

}  // namespace

TEST_CASE("each subscription is confirmed with the number there are now") {
  for (const int resp : {2, 3}) {
    EngineFixture server;
    server.session().resp = resp;
    CHECK(server.run("SUBSCRIBE", "a", "b", "a") == confirmed(resp, "subscribe", "a", 1) +
                                                        confirmed(resp, "subscribe", "b", 2) +
                                                        confirmed(resp, "subscribe", "a", 2));
    CHECK(server.run("PSUBSCRIBE", "p*") == confirmed(resp, "psubscribe", "p*", 3));
    CHECK(server.run("SSUBSCRIBE", "s") == confirmed(resp, "ssubscribe", "s", 1));
    CHECK(server.run("UNSUBSCRIBE", "b", "none") ==
          confirmed(resp, "unsubscribe", "b", 2) + confirmed(resp, "unsubscribe", "none", 2));
    CHECK(server.run("PUNSUBSCRIBE") == confirmed(resp, "punsubscribe", "p*", 1));
    CHECK(server.run("SUNSUBSCRIBE") == confirmed(resp, "sunsubscribe", "s", 0));
    CHECK(server.run("UNSUBSCRIBE") == confirmed(resp, "unsubscribe", "a", 0));
  }
}

TEST_CASE("unsubscribing from nothing is confirmed too") {
  EngineFixture server;
  CHECK(server.run("UNSUBSCRIBE") == "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
  CHECK(server.run("PUNSUBSCRIBE") == "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n");
  server.session().resp = 3;
  CHECK(server.run("SUNSUBSCRIBE") == ">3\r\n$12\r\nsunsubscribe\r\n_\r\n:0\r\n");
}

TEST_CASE("messages reach channels and patterns, in the form of each") {
  EngineFixture server;
  Session& plain = server.open();
  Session& pattern = server.open();
  server.run_as(plain, "SUBSCRIBE", "news");
  server.run_as(pattern, "HELLO", "3");
  server.run_as(pattern, "PSUBSCRIBE", "n?ws", "x*");
  CHECK(server.run("PUBLISH", "news", "hi") == ":2\r\n");
  CHECK(EngineFixture::take(plain) == "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
  CHECK(EngineFixture::take(pattern) ==
        ">4\r\n$8\r\npmessage\r\n$4\r\nn?ws\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
  CHECK(server.run("PUBLISH", "other", "hi") == ":0\r\n");
}

TEST_CASE("shard channels are apart from channels of the same name") {
  EngineFixture server;
  Session& plain = server.open();
  Session& shard = server.open();
  server.run_as(plain, "SUBSCRIBE", "c");
  server.run_as(shard, "SSUBSCRIBE", "c");
  CHECK(server.run("SPUBLISH", "c", "m") == ":1\r\n");
  CHECK(EngineFixture::take(shard) == "*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
  CHECK(EngineFixture::take(plain).empty());
  CHECK(server.run("PUBSUB", "SHARDCHANNELS") == "*1\r\n$1\r\nc\r\n");
  CHECK(server.run("PUBSUB", "SHARDNUMSUB", "c", "d") ==
        "*4\r\n$1\r\nc\r\n:1\r\n$1\r\nd\r\n:0\r\n");
}

TEST_CASE("a RESP2 subscriber may only change its subscriptions, ping, quit and reset") {
  EngineFixture server;
  server.run("SUBSCRIBE", "c");
  CHECK(server.run("GET", "k") ==
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this "
        "context\r\n");
  CHECK(server.run("CONFIG", "GET", "x").starts_with("-ERR Can't execute 'config|get'"));
  CHECK(server.run("UNSUBSCRIBE", "c").starts_with("*3"));
  CHECK(server.run("GET", "k") == "$-1\r\n");
  server.run("HELLO", "3");
  server.run("SUBSCRIBE", "c");
  CHECK(server.run("GET", "k") == "_\r\n");
}

TEST_CASE("PUBSUB lists channels that have listeners and counts listeners") {
  EngineFixture server;
  Session& a = server.open();
  Session& b = server.open();
  server.run_as(a, "SUBSCRIBE", "one");
  server.run_as(b, "SUBSCRIBE", "one");
  server.run_as(a, "PSUBSCRIBE", "p*", "q*");
  server.run_as(b, "PSUBSCRIBE", "p*");
  CHECK(server.run("PUBSUB", "CHANNELS") == "*1\r\n$3\r\none\r\n");
  CHECK(server.run("PUBSUB", "CHANNELS", "t*") == "*0\r\n");
  CHECK(server.run("PUBSUB", "NUMSUB", "one", "two") ==
        "*4\r\n$3\r\none\r\n:2\r\n$3\r\ntwo\r\n:0\r\n");
  CHECK(server.run("PUBSUB", "NUMPAT") == ":2\r\n");
  CHECK(server.run("PUBSUB", "CHANNELS", "a", "b") ==
        "-ERR wrong number of arguments for 'pubsub|channels' command\r\n");
}

TEST_CASE("a message to oneself comes behind the reply of the command that sent it") {
  EngineFixture server;
  server.run("HELLO", "3");
  server.run("SUBSCRIBE", "c");
  const std::string message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
  CHECK(server.run("PUBLISH", "c", "m") == ":1\r\n" + message);
  server.run("MULTI");
  server.run("PING", "a");
  server.run("PUBLISH", "c", "m");
  server.run("PING", "b");
  CHECK(server.run("EXEC") == "*3\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n" + message);
}

TEST_CASE("subscriptions inside a transaction are parts of its reply") {
  EngineFixture server;
  server.run("MULTI");
  CHECK(server.run("SUBSCRIBE", "c") == "+QUEUED\r\n");
  CHECK(server.run("EXEC") == "*1\r\n" + confirmed(2, "subscribe", "c", 1));
}

TEST_CASE("PUBLISH is repeated on replicas but changes no data") {
  EngineFixture server;
  const auto before = server.engine().effects().changes();
  server.run("PUBLISH", "c", "m");
  CHECK(server.effects() == std::vector<std::string>{"PUBLISH c m"});
  CHECK(server.engine().effects().changes() == before);
}

TEST_CASE("key events are published as the classes ask") {
  EngineFixture server;
  Session& listener = server.open();
  server.run_as(listener, "PSUBSCRIBE", "__key*");
  server.run("SET", "k", "v");
  CHECK(EngineFixture::take(listener).empty());
  server.run("CONFIG", "SET", "notify-keyspace-events", "KE$");
  server.run("SET", "k", "v");
  CHECK(EngineFixture::take(listener) ==
        "*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n"
        "*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n");
  server.run("DEL", "k");
  CHECK(EngineFixture::take(listener).empty());
}

TEST_CASE("a closed session hears nothing more") {
  EngineFixture server;
  Session& listener = server.open();
  server.run_as(listener, "SUBSCRIBE", "c");
  server.run_as(listener, "PSUBSCRIBE", "*");
  server.engine().close(listener);
  CHECK(server.run("PUBLISH", "c", "m") == ":0\r\n");
  CHECK(server.run("PUBSUB", "NUMPAT") == ":0\r\n");
}
