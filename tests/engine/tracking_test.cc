#include <doctest/doctest.h>

#include "src/command/tracking_control.h"
#include "tests/support/engine_fixture.h"

namespace {

using namespace hearth;
using test::EngineFixture;

// The push message for a RESP3 client when one key has changed.
std::string invalidated(const std::string& key) {
  return ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n";
}

// A server with a RESP3 reader besides the fixture's own session, which writes.
struct Pair {
  EngineFixture server;
  Session& reader = server.open();

  Pair() { reader.resp = 3; }
  template <typename... A>
  std::string read(const A&... words) {
    return server.run_as(reader, words...);
  }
  std::string heard() { return EngineFixture::take(reader); }
};

TEST_CASE("a key that was read is told of once when it changes") {
  Pair p;
  CHECK(p.read("CLIENT", "TRACKING", "ON") == "+OK\r\n");
  p.read("GET", "k");
  p.server.run("SET", "k", "1");
  CHECK(p.heard() == invalidated("k"));
  p.server.run("SET", "k", "2");
  CHECK(p.heard().empty());
  p.read("MGET", "a", "b");
  p.server.run("MSET", "a", "1", "c", "1");
  CHECK(p.heard() == invalidated("a"));
  CHECK(p.server.run("INFO", "stats").find("tracking_total_keys:1\r\n") != std::string::npos);
}

TEST_CASE("one's own change is told of behind the reply, or not at all with NOLOOP") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON");
  p.read("GET", "k");
  CHECK(p.read("SET", "k", "1") == "+OK\r\n" + invalidated("k"));
  p.read("CLIENT", "TRACKING", "OFF");
  p.read("CLIENT", "TRACKING", "ON", "NOLOOP");
  p.read("GET", "k");
  CHECK(p.read("SET", "k", "1") == "+OK\r\n");
}

TEST_CASE("in a transaction a read behind a change is up to date") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON");
  p.read("MULTI");
  p.read("SET", "k", "1");
  p.read("GET", "k");
  CHECK(p.read("EXEC") == "*2\r\n+OK\r\n$1\r\n1\r\n");
  p.read("MULTI");
  p.read("GET", "k");
  p.read("SET", "k", "1");
  CHECK(p.read("EXEC") == "*2\r\n$1\r\n1\r\n+OK\r\n" + invalidated("k"));
}

TEST_CASE("an expired key is told of even with NOLOOP") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON", "NOLOOP");
  p.read("SET", "k", "v", "PX", "10");
  p.read("GET", "k");
  p.server.advance(milliseconds(11));
  CHECK(p.read("GET", "k") == "_\r\n" + invalidated("k"));
}

TEST_CASE("FLUSHALL tells everybody that everything has changed") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON", "BCAST");
  p.server.run("FLUSHALL");
  CHECK(p.heard() == ">2\r\n$10\r\ninvalidate\r\n_\r\n");
}

TEST_CASE("in broadcasting mode changes are told of by prefix, the keys of a unit together") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a:", "PREFIX", "b:");
  p.server.run("MSET", "a:1", "x", "a:2", "x", "c", "x");
  CHECK(p.heard() == ">2\r\n$10\r\ninvalidate\r\n*2\r\n$3\r\na:1\r\n$3\r\na:2\r\n");
  p.read("CLIENT", "TRACKING", "OFF");
  p.server.run("SET", "a:1", "x");
  CHECK(p.heard().empty());
}

TEST_CASE("messages can go to another client, in RESP2 as those of a channel") {
  Pair p;
  Session& listener = p.server.open();
  const std::string id = std::to_string(listener.id);
  p.server.run_as(listener, "SUBSCRIBE", "__redis__:invalidate");
  CHECK(p.read("CLIENT", "TRACKING", "ON", "REDIRECT", id) == "+OK\r\n");
  CHECK(p.read("CLIENT", "GETREDIR") == ":" + id + "\r\n");
  p.read("GET", "k");
  p.server.run("SET", "k", "1");
  CHECK(p.heard().empty());
  CHECK(EngineFixture::take(listener) ==
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n");
  p.read("GET", "k");
  p.server.engine().close(listener);
  p.server.run("SET", "k", "2");
  CHECK(p.heard() == ">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n");
}

TEST_CASE("OPTIN tracks only the command behind CACHING YES, OPTOUT all but one behind NO") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON", "OPTIN");
  p.read("GET", "a");
  CHECK(p.read("CLIENT", "CACHING", "YES") == "+OK\r\n");
  p.read("GET", "b");
  p.read("GET", "c");
  p.server.run("MSET", "a", "1", "b", "1", "c", "1");
  CHECK(p.heard() == invalidated("b"));
  p.read("CLIENT", "TRACKING", "OFF");
  p.read("CLIENT", "TRACKING", "ON", "OPTOUT");
  p.read("CLIENT", "CACHING", "NO");
  p.read("GET", "a");
  p.read("GET", "b");
  p.server.run("MSET", "a", "1", "b", "1");
  CHECK(p.heard() == invalidated("b"));
}

TEST_CASE("tracking-table-max-keys bounds what is remembered") {
  Pair p;
  p.read("CLIENT", "TRACKING", "ON");
  p.server.run("CONFIG", "SET", "tracking-table-max-keys", "2");
  p.read("MGET", "a", "b", "c", "d");
  p.server.tick();
  CHECK(p.server.engine().services().tracking->table().key_count() == 2);
  CHECK(p.heard().size() == 2 * invalidated("a").size());
}

TEST_CASE("CLIENT TRACKING refuses what does not go together") {
  Pair p;
  const auto refused = [&](const std::string& reply, std::string_view part) {
    CAPTURE(reply);
    CHECK(reply.starts_with("-ERR "));
    CHECK(reply.find(part) != std::string::npos);
  };
  refused(p.read("CLIENT", "TRACKING", "MAYBE"), "syntax error");
  refused(p.read("CLIENT", "TRACKING", "ON", "PREFIX", "a"), "requires BCAST");
  refused(p.read("CLIENT", "TRACKING", "ON", "REDIRECT", "999"), "does not exist");
  refused(p.read("CLIENT", "TRACKING", "ON", "BCAST", "OPTIN"), "not compatible with BCAST");
  refused(p.read("CLIENT", "TRACKING", "ON", "OPTIN", "OPTOUT"), "both OPTIN");
  refused(p.read("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "foo", "PREFIX", "fo"),
          "Prefix 'foo' overlaps with another provided prefix 'fo'");
  p.read("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "foo");
  refused(p.read("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "foobar"),
          "Prefix 'foobar' overlaps with an existing prefix 'foo'");
  refused(p.read("CLIENT", "TRACKING", "ON"), "switch BCAST mode");
  p.read("CLIENT", "TRACKING", "OFF");
  refused(p.read("CLIENT", "CACHING", "YES"), "only when the client is in tracking mode");
  p.read("CLIENT", "TRACKING", "ON", "OPTIN");
  refused(p.read("CLIENT", "TRACKING", "ON", "OPTOUT"), "switch OPTIN/OPTOUT");
  refused(p.read("CLIENT", "CACHING", "NO"), "OPTOUT mode");
}

TEST_CASE("CLIENT TRACKINGINFO and CLIENT LIST tell how a client tracks") {
  Pair p;
  CHECK(
      p.read("CLIENT", "TRACKINGINFO") ==
      "%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n");
  p.read("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "x", "NOLOOP");
  CHECK(p.read("CLIENT", "TRACKINGINFO") ==
        "%3\r\n$5\r\nflags\r\n~3\r\n$2\r\non\r\n$5\r\nbcast\r\n$6\r\nnoloop\r\n$8\r\nredirect\r\n:"
        "0\r\n"
        "$8\r\nprefixes\r\n*1\r\n$1\r\nx\r\n");
  CHECK(p.read("CLIENT", "INFO").find(" flags=tB ") != std::string::npos);
  CHECK(p.read("RESET").find("RESET") != std::string::npos);
  CHECK(p.server.run("INFO", "clients").find("tracking_clients:0") != std::string::npos);
}

TEST_CASE("clients that take too much together are closed, the largest first") {
  EngineFixture server;
  Session& small = server.open();
  Session& large = server.open();
  server.run("CLIENT", "NO-EVICT", "ON");
  CHECK(server.run("CONFIG", "SET", "maxmemory-clients", "200kb") == "+OK\r\n");
  server.run_as(small, "MULTI");
  server.run_as(small, "SET", "k", std::string(50'000, 'x'));
  server.run_as(large, "MULTI");
  server.run_as(large, "SET", "k", std::string(100'000, 'x'));
  CHECK_FALSE(large.close_now);
  server.run_as(small, "SET", "k", std::string(60'000, 'x'));
  server.engine().end_turn(microseconds(1));
  CHECK(small.close_now != large.close_now);
  CHECK(server.run("INFO", "stats").find("evicted_clients:1\r\n") != std::string::npos);
  CHECK_FALSE(server.session().close_now);
}

}  // namespace
