#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::Session;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

TEST_CASE("MULTI queues and EXEC runs all as one unit") {
  EngineFixture server;
  CHECK(server.run("MULTI") == "+OK\r\n");
  CHECK(server.run("SET", "a", "1") == "+QUEUED\r\n");
  CHECK(server.run("INCR", "a") == "+QUEUED\r\n");
  CHECK(server.run("GET", "a") == "+QUEUED\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("EXEC") == "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n");
  CHECK(server.effects() == Lines{"SET a 1", "INCR a"});
  CHECK(server.run("EXEC") == "-ERR EXEC without MULTI\r\n");
  CHECK(server.run("DISCARD") == "-ERR DISCARD without MULTI\r\n");
}

TEST_CASE("a transaction is one unit, whatever command came before it") {
  EngineFixture server;
  server.run("DEBUG", "HELP");
  server.run("SCAN", "0");
  server.run("MULTI");
  server.run("SET", "a", "1");
  server.run("SET", "b", "2");
  server.run("EXEC");
  CHECK(server.together());
}

TEST_CASE("an error while it runs does not stop a transaction") {
  EngineFixture server;
  server.run("SET", "s", "abc");
  server.run("MULTI");
  server.run("INCR", "s");
  server.run("SET", "t", "1");
  CHECK(server.run("EXEC") == "*2\r\n-ERR value is not an integer or out of range\r\n+OK\r\n");
}

TEST_CASE("a command that can't be queued aborts the transaction") {
  EngineFixture server;
  const std::string aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
  for (const auto& words : {Lines{"NOPE"}, Lines{"GET"}, Lines{"SHUTDOWN"}}) {
    server.run("MULTI");
    server.run("SET", "k", "v");
    CHECK(server.run_words(server.session(), words).starts_with("-ERR"));
    CHECK(server.run("EXEC") == aborted);
    CHECK_FALSE(server.session().in_multi);
    CHECK(server.run("GET", "k") == "$-1\r\n");
  }
  CHECK(server.engine().stats().errors.at("EXECABORT") == 3);
}

TEST_CASE("nested MULTI and WATCH inside MULTI are errors, and the transaction goes on") {
  EngineFixture server;
  server.run("MULTI");
  server.run("SET", "k", "v");
  CHECK(server.run("WATCH", "k") == "-ERR WATCH inside MULTI is not allowed\r\n");
  CHECK(server.run("MULTI") == "-ERR MULTI calls can not be nested\r\n");
  CHECK(server.run("EXEC") == "*1\r\n+OK\r\n");
  server.run("MULTI");
  CHECK(server.run("MULTI") == "-ERR MULTI calls can not be nested\r\n");
  CHECK(server.run("WATCH", "k") == "-ERR WATCH inside MULTI is not allowed\r\n");
  CHECK(server.run("SHUTDOWN") == "-ERR Command not allowed inside a transaction\r\n");
  CHECK(server.run("DISCARD") == "+OK\r\n");
}

TEST_CASE("what takes over the connection is refused inside EXEC") {
  EngineFixture server;
  server.run("MULTI");
  for (const auto& words : {Lines{"SSUBSCRIBE", "a"}, Lines{"MONITOR"}, Lines{"SUBSCRIBE", "b"}})
    CHECK(server.run_words(server.session(), words) == "+QUEUED\r\n");
  CHECK(server.run("EXEC") ==
        "*3\r\n-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n"
        "-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n"
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:1\r\n");
}

TEST_CASE("every EXEC that the gate refuses says EXECABORT, whether there was a MULTI or not") {
  EngineFixture server({.config = {{"requirepass", "pw"}}});
  const std::string unknown =
      "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n";
  CHECK(server.run("EXEC") == unknown);
  CHECK(server.run("MULTI") == "-NOAUTH Authentication required.\r\n");
  CHECK(server.run("EXEC") == unknown);
  CHECK(server.run("AUTH", "pw") == "+OK\r\n");
  CHECK(server.run("EXEC") == "-ERR EXEC without MULTI\r\n");
  CHECK(server.run("EXEC", "x").starts_with("-EXECABORT Transaction discarded because of: wrong"));
  server.run("SUBSCRIBE", "a");
  CHECK(server.run("EXEC").starts_with(
      "-EXECABORT Transaction discarded because of: Can't execute 'exec': only (P|S)SUBSCRIBE"));
}

TEST_CASE("an EXEC that is refused discards the transaction and tells why") {
  EngineFixture server;
  server.run("MULTI");
  server.run("SET", "k", "v");
  CHECK(server.run("EXEC", "x") ==
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' "
        "command\r\n");
  CHECK_FALSE(server.session().in_multi);
  server.run("SET", "big", "x");
  server.run("MULTI");
  server.run("SET", "k", "v");
  server.run_as(server.open(), "CONFIG", "SET", "maxmemory", "1");
  CHECK(server.run("EXEC") ==
        "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > "
        "'maxmemory'.\r\n");
}

TEST_CASE("out of memory, reading transactions run and DISCARD works") {
  EngineFixture server;
  server.run("SET", "k", "v");
  server.run("MULTI");
  server.run("GET", "k");
  Session& admin = server.open();
  server.run_as(admin, "CONFIG", "SET", "maxmemory", "1");
  CHECK(server.run("EXEC") == "*1\r\n$1\r\nv\r\n");
  server.run("MULTI");
  CHECK(server.run("SET", "k", "w").starts_with("-OOM"));
  CHECK(server.run("DISCARD") == "+OK\r\n");
}

TEST_CASE("DISCARD forgets the queue and the watches") {
  EngineFixture server;
  server.run("WATCH", "k");
  server.run("SET", "k", "1");
  server.run("MULTI");
  server.run("INCR", "k");
  CHECK(server.run("DISCARD") == "+OK\r\n");
  server.run("MULTI");
  server.run("INCR", "k");
  CHECK(server.run("EXEC") == "*1\r\n:2\r\n");
}

TEST_CASE("a watched key that changes makes EXEC answer null, once") {
  EngineFixture server;
  Session& other = server.open();
  for (const auto& change :
       {Lines{"SET", "k", "2"}, Lines{"DEL", "k"}, Lines{"EXPIRE", "k", "100"},
        Lines{"APPEND", "k", "x"}, Lines{"FLUSHALL"}, Lines{"RENAME", "k", "l"}}) {
    server.run("SET", "k", "1");
    server.run("WATCH", "a", "k");
    server.run_words(other, change);
    server.run("MULTI");
    server.run("PING");
    CHECK(server.run("EXEC") == "*-1\r\n");
    server.run("MULTI");
    server.run("PING");
    CHECK(server.run("EXEC") == "*1\r\n+PONG\r\n");
  }
  server.session().resp = 3;
  server.run("WATCH", "k");
  server.run("SET", "k", "1");
  server.run("MULTI");
  CHECK(server.run("EXEC") == "_\r\n");
}

TEST_CASE(
    "what the groups of a watched stream do does not stop EXEC, what makes or changes it does") {
  EngineFixture server;
  Session& other = server.open();
  const auto stops = [&](const Lines& command) {
    server.run("WATCH", "k");
    CHECK(!server.run_words(other, command).starts_with("-"));
    CHECK(!server.events().empty());
    server.run("MULTI");
    return server.run("EXEC") == "*-1\r\n";
  };
  CHECK(stops({"XGROUP", "CREATE", "k", "g", "0", "MKSTREAM"}));
  CHECK(stops({"XADD", "k", "1-1", "f", "v"}));
  CHECK(stops({"XADD", "k", "1-2", "f", "v"}));
  for (const Lines& command :
       {Lines{"XGROUP", "CREATE", "k", "g2", "0"}, Lines{"XGROUP", "SETID", "k", "g2", "$"},
        Lines{"XGROUP", "CREATECONSUMER", "k", "g", "c1"},
        Lines{"XREADGROUP", "GROUP", "g", "c2", "COUNT", "1", "STREAMS", "k", ">"},
        Lines{"XCLAIM", "k", "g", "c3", "0", "1-1"}, Lines{"XGROUP", "DELCONSUMER", "k", "g", "c1"},
        Lines{"XGROUP", "DESTROY", "k", "g2"}, Lines{"XSETID", "k", "5-0"}}) {
    CAPTURE(command[0] + " " + command[1]);
    CHECK(!stops(command));
  }
  CHECK(stops({"XDEL", "k", "1-1"}));
  CHECK(stops({"XTRIM", "k", "MAXLEN", "0"}));
}

TEST_CASE("what does not change a watched key does not stop EXEC") {
  EngineFixture server;
  Session& other = server.open();
  const auto exec_after = [&](const Lines& command) {
    server.run("WATCH", "k");
    server.run_words(other, command);
    server.run("MULTI");
    server.run("PING");
    return server.run("EXEC");
  };
  server.run("SET", "k", "1");
  CHECK(exec_after({"GET", "k"}) == "*1\r\n+PONG\r\n");
  CHECK(exec_after({"SET", "other", "1"}) == "*1\r\n+PONG\r\n");
  CHECK(exec_after({"SETNX", "k", "2"}) == "*1\r\n+PONG\r\n");
  server.run("DEL", "k");
  CHECK(exec_after({"DEL", "k"}) == "*1\r\n+PONG\r\n");
  CHECK(exec_after({"FLUSHALL"}) == "*1\r\n+PONG\r\n");
  // The same name in another database is another key.
  server.run_as(other, "SELECT", "1");
  CHECK(exec_after({"SET", "k", "1"}) == "*1\r\n+PONG\r\n");
}

TEST_CASE("UNWATCH and EXEC end a watch") {
  EngineFixture server;
  server.run("WATCH", "k");
  server.run("SET", "k", "1");
  CHECK(server.run("UNWATCH") == "+OK\r\n");
  server.run("MULTI");
  server.run("PING");
  CHECK(server.run("EXEC") == "*1\r\n+PONG\r\n");
  CHECK(server.run("UNWATCH") == "+OK\r\n");
}

TEST_CASE("a watched key that passes its deadline is changed, even if nobody noticed") {
  EngineFixture server;
  server.run("SET", "k", "1", "PX", "100");
  server.run("WATCH", "k");
  server.advance(milliseconds(100));
  server.run("MULTI");
  server.run("INCR", "k");
  CHECK(server.run("EXEC") == "*-1\r\n");
}

TEST_CASE("a key that had expired when it was watched may be removed, but not come back") {
  EngineFixture server;
  const auto watch_stale = [&] {
    server.run("SET", "k", "1", "PX", "1");
    server.advance(milliseconds(2));
    server.run("WATCH", "k");
  };
  const auto exec = [&] {
    server.run("MULTI");
    server.run("PING");
    return server.run("EXEC");
  };
  watch_stale();
  CHECK(exec() == "*1\r\n+PONG\r\n");
  watch_stale();
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  CHECK(exec() == "*1\r\n+PONG\r\n");
  watch_stale();
  server.run("FLUSHDB");
  CHECK(exec() == "*1\r\n+PONG\r\n");
  watch_stale();
  server.run("SET", "k", "2");
  CHECK(exec() == "*-1\r\n");
}

TEST_CASE("SWAPDB breaks the watches of keys that are there before or after") {
  EngineFixture server;
  const auto exec = [&] {
    server.run("MULTI");
    server.run("PING");
    return server.run("EXEC");
  };
  server.run("SET", "here", "1");
  server.run("WATCH", "here");
  server.run("SWAPDB", "0", "1");
  CHECK(exec() == "*-1\r\n");
  server.run("WATCH", "here");  // it stands in database 1 now
  server.run("SWAPDB", "0", "1");
  CHECK(exec() == "*-1\r\n");
  server.run("WATCH", "nowhere");
  server.run("SWAPDB", "0", "1");
  CHECK(exec() == "*1\r\n+PONG\r\n");
}

TEST_CASE("SWAPDB of expired keys is no change") {
  EngineFixture server;
  server.run("SET", "k", "1", "PX", "1");
  server.run("SELECT", "1");
  server.advance(milliseconds(2));
  server.run("WATCH", "k");
  server.run("SWAPDB", "0", "1");  // nothing becomes an expired key
  server.run("MULTI");
  server.run("PING");
  CHECK(server.run("EXEC") == "*1\r\n+PONG\r\n");
}

TEST_CASE("monitors see a transaction in the order in which it ran") {
  EngineFixture server;
  Session& watcher = server.open();
  server.run_as(watcher, "MONITOR");
  server.run("MULTI");
  server.run("SET", "k", "v");
  server.run("EXEC");
  const std::string lines = EngineFixture::take(watcher);
  const std::size_t multi = lines.find("\"MULTI\""), set = lines.find("\"SET\" \"k\" \"v\""),
                    exec = lines.find("\"EXEC\"");
  CHECK(multi < set);
  CHECK(set < exec);
  CHECK(exec != std::string::npos);
}

TEST_CASE("the last command of a client that ran EXEC is EXEC") {
  EngineFixture server;
  server.run("MULTI");
  server.run("GET", "k");
  server.run("EXEC");
  Session& other = server.open();
  const std::string line =
      server.run_as(other, "CLIENT", "LIST", "ID", std::to_string(server.session().id));
  CHECK(line.find("cmd=exec") != std::string::npos);
}
