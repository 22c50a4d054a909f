// Commands that wait: who is woken, by what, in which order, and how a wait ends without it.
#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::Session;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
std::string array(const Lines& items) {
  std::string reply = "*" + std::to_string(items.size()) + "\r\n";
  for (const auto& item : items) reply += bulk(item);
  return reply;
}
std::string info(EngineFixture& server, const std::string& section, const std::string& field) {
  const std::string text = server.run("INFO", section);
  const std::size_t at = text.find(field + ":");
  return at == std::string::npos
             ? "?"
             : text.substr(at + field.size() + 1, text.find("\r\n", at) - at - field.size() - 1);
}
std::string taken(Session& session) { return EngineFixture::take(session); }

constexpr const char* kTimedOut = "*-1\r\n";

}  // namespace

TEST_CASE("BLPOP takes what is there without waiting, and waits where nothing is") {
  EngineFixture server;
  server.run("RPUSH", "b", "1", "2");
  CHECK(server.run("BLPOP", "a", "b", "0") == array({"b", "1"}));
  CHECK(server.effects() == Lines{"LPOP b"});
  Session& waiter = server.open();
  CHECK(server.run_as(waiter, "BRPOP", "x", "y", "0").empty());
  CHECK(waiter.is_waiting());
  CHECK(info(server, "clients", "blocked_clients") == "1");
  CHECK(info(server, "clients", "total_blocking_keys") == "2");
  CHECK(server.run("RPUSH", "y", "1", "2") == ":2\r\n");
  CHECK(server.effects() == Lines{"RPUSH y 1 2", "RPOP y"});
  CHECK(server.events() == Lines{"new y", "rpush y", "rpop y"});
  CHECK(taken(waiter) == array({"y", "2"}));
  CHECK_FALSE(waiter.is_waiting());
  CHECK(info(server, "clients", "total_blocking_keys") == "0");
  CHECK(server.run_as(waiter, "PING") == "+PONG\r\n");
}

TEST_CASE("those who wait are served in the order in which they came, whatever key it is") {
  EngineFixture server;
  Session& first = server.open();
  Session& second = server.open();
  Session& third = server.open();
  server.run_as(first, "BLPOP", "a", "b", "0");
  server.run_as(second, "BLPOP", "b", "a", "a", "0");
  server.run_as(third, "BLMPOP", "0", "2", "a", "b", "LEFT", "COUNT", "10");
  server.run("RPUSH", "b", "1");
  CHECK(taken(first) == array({"b", "1"}));
  CHECK(taken(second).empty());
  server.run("RPUSH", "a", "2", "3", "4");
  CHECK(taken(second) == array({"a", "2"}));
  CHECK(taken(third) == "*2\r\n" + bulk("a") + array({"3", "4"}));
  CHECK(server.effects() == Lines{"RPUSH a 2 3 4", "LPOP a", "LPOP a 2"});
  CHECK(server.run("EXISTS", "a") == ":0\r\n");
}

TEST_CASE("a wait ends at its deadline, or when CLIENT UNBLOCK ends it") {
  EngineFixture server;
  Session& waiter = server.open();
  server.run_as(waiter, "BLPOP", "a", "0.1");
  server.advance(milliseconds(99));
  server.tick();
  CHECK(taken(waiter).empty());
  server.advance(milliseconds(1));
  server.tick();
  CHECK(taken(waiter) == kTimedOut);
  CHECK_FALSE(waiter.is_waiting());
  CHECK(server.engine().blocking().next_deadline() == hearth::MonoTime{});
  const std::string id = std::to_string(waiter.id);
  CHECK(server.run("CLIENT", "UNBLOCK", id) == ":0\r\n");
  server.run_as(waiter, "BLMOVE", "a", "b", "LEFT", "LEFT", "0");
  CHECK(server.run("CLIENT", "LIST", "ID", id).find("flags=b") != std::string::npos);
  CHECK(server.run("CLIENT", "UNBLOCK", id, "TIMEOUT") == ":1\r\n");
  CHECK(taken(waiter) == kTimedOut);
  server.run_as(waiter, "BRPOPLPUSH", "a", "b", "10");
  CHECK(server.run("CLIENT", "UNBLOCK", id, "ERROR") == ":1\r\n");
  CHECK(taken(waiter) == "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  server.run("RPUSH", "a", "1");
  CHECK(server.run("LLEN", "a") == ":1\r\n");
  for (const auto& [timeout, error] :
       std::vector<std::pair<const char*, const char*>>{{"x", "not a float or out of range"},
                                                        {"-1", "negative"},
                                                        {"1e300", "out of range"},
                                                        {"0x7FFFFFFFFFFFFF", "out of range"}}) {
    CHECK(server.run("BLPOP", "none", timeout) == "-ERR timeout is " + std::string(error) + "\r\n");
  }
}

TEST_CASE("inside MULTI nothing waits, and what it made is seen when all of it is done") {
  EngineFixture server;
  CHECK(server.run("MULTI") == "+OK\r\n");
  server.run("BLPOP", "a", "0");
  server.run("BLMOVE", "a", "b", "LEFT", "LEFT", "0");
  CHECK(server.run("EXEC") == "*2\r\n*-1\r\n$-1\r\n");
  Session& waiter = server.open();
  server.run_as(waiter, "BLPOP", "a", "0");
  server.run("MULTI");
  server.run("RPUSH", "a", "1");
  server.run("DEL", "a");
  server.run("EXEC");
  CHECK(taken(waiter).empty());
  server.run("MULTI");
  server.run("RPUSH", "a", "1");
  server.run("LPUSH", "a", "2");
  server.run("SET", "other", "x");
  server.run("EXEC");
  CHECK(taken(waiter) == array({"a", "2"}));
  CHECK(server.effects() == Lines{"RPUSH a 1", "LPUSH a 2", "SET other x", "LPOP a"});
}

TEST_CASE("every way in which a list comes to a key wakes those who wait for it") {
  const Lines setups[] = {{"RENAME", "src", "k"},
                          {"COPY", "src", "k"},
                          {"SORT", "src", "STORE", "k"},
                          {"LMOVE", "src", "k", "LEFT", "LEFT"}};
  for (const Lines& words : setups) {
    EngineFixture server;
    server.run("RPUSH", "src", "1");
    Session& waiter = server.open();
    server.run_as(waiter, "BLPOP", "k", "0");
    server.run_words(server.session(), words);
    CAPTURE(words[0]);
    CHECK(taken(waiter) == array({"k", "1"}));
  }
  EngineFixture server;
  Session& waiter = server.open();
  server.run_as(waiter, "BLPOP", "k", "0");
  server.run("SELECT", "1");
  server.run("RPUSH", "k", "1");
  CHECK(taken(waiter).empty());
  server.run("SWAPDB", "0", "1");
  CHECK(taken(waiter) == array({"k", "1"}));
  server.run_as(waiter, "BLPOP", "k", "0");
  server.run("RPUSH", "k", "2");
  CHECK(server.run("MOVE", "k", "0") == ":1\r\n");
  CHECK(taken(waiter) == array({"k", "2"}));
  server.run("SELECT", "0");
  server.run("RPUSH", "src", "3");
  const std::string dumped = server.run("DUMP", "src");
  const std::size_t end = dumped.find("\r\n");
  server.run_as(waiter, "BLPOP", "k", "0");
  server.run("RESTORE", "k", "0", dumped.substr(end + 2, dumped.size() - end - 4));
  CHECK(taken(waiter) == array({"k", "3"}));
}

TEST_CASE("a key of another type wakes nobody; a move that fails is an error") {
  EngineFixture server;
  Session& waiter = server.open();
  server.run_as(waiter, "BLPOP", "k", "0");
  server.run("SET", "k", "v");
  CHECK(taken(waiter).empty());
  CHECK(waiter.is_blocked());
  server.run("DEL", "k");
  server.run("RPUSH", "k", "1");
  CHECK(taken(waiter) == array({"k", "1"}));
  server.run("SET", "s", "v");
  server.run_as(waiter, "BLMOVE", "k", "s", "LEFT", "LEFT", "0");
  server.run("RPUSH", "k", "1");
  CHECK(taken(waiter).starts_with("-WRONGTYPE"));
  CHECK(server.run("LLEN", "k") == ":1\r\n");
}

TEST_CASE("moves wake others in turn, in circles too") {
  EngineFixture server;
  Session& a = server.open();
  Session& b = server.open();
  Session& c = server.open();
  server.run_as(a, "BLMOVE", "k1", "k2", "LEFT", "RIGHT", "0");
  server.run_as(b, "BRPOPLPUSH", "k2", "k1", "0");
  server.run_as(c, "BLMOVEM", "k1", "k3", "LEFT", "RIGHT", "0", "EXACTLY", "2", "OBO");
  server.run("RPUSH", "k1", "v");
  CHECK(taken(a) == bulk("v"));
  CHECK(taken(b) == bulk("v"));
  CHECK(taken(c).empty());
  CHECK(server.run("LRANGE", "k1", "0", "-1") == array({"v"}));
  server.run("RPUSH", "k1", "w");
  CHECK(taken(c) == array({"v", "w"}));
  CHECK(server.run("LRANGE", "k3", "0", "-1") == array({"v", "w"}));
}

TEST_CASE("who disconnects or is about to is served no more") {
  EngineFixture server;
  Session& gone = server.open();
  Session& killed = server.open();
  Session& waiter = server.open();
  server.run_as(gone, "BLPOP", "k", "5");
  server.run_as(killed, "BLPOP", "k", "5");
  server.run_as(waiter, "BLPOP", "k", "0");
  server.engine().close(gone);
  server.run("CLIENT", "KILL", "ID", std::to_string(killed.id));
  server.run("RPUSH", "k", "1");
  CHECK(taken(waiter) == array({"k", "1"}));
  CHECK(taken(killed).empty());
}

TEST_CASE("under CLIENT PAUSE those who wait go on waiting, and are served behind it") {
  EngineFixture server;
  Session& waiter = server.open();
  server.run("RPUSH", "list", "1");
  server.run_as(waiter, "BLPOP", "k", "0");
  server.run("CLIENT", "PAUSE", "100", "WRITE");
  Session& writer = server.open();
  CHECK(server.run_as(writer, "RPUSH", "k", "1").empty());
  CHECK(writer.is_parked());
  server.run("CLIENT", "UNPAUSE");
  CHECK(server.run_as(writer, "RPUSH", "k", "1") == ":1\r\n");
  CHECK(taken(waiter) == array({"k", "1"}));
}

TEST_CASE("a command that waited counts once, when it has its answer") {
  EngineFixture server;
  Session& waiter = server.open();
  server.run("CONFIG", "RESETSTAT");
  server.run_as(waiter, "BLPOP", "k", "0");
  CHECK(info(server, "commandstats", "cmdstat_blpop") == "?");
  CHECK(waiter.commands == 0);
  server.run("RPUSH", "k", "1");
  CHECK(waiter.commands == 1);
  CHECK(info(server, "commandstats", "cmdstat_blpop").starts_with("calls=1,"));
  server.run_as(waiter, "BLPOP", "k", "0.01");
  server.advance(milliseconds(20));
  server.tick();
  CHECK(info(server, "commandstats", "cmdstat_blpop").starts_with("calls=2,"));
}

TEST_CASE("replies that a client does not want are left out behind a wait as well") {
  EngineFixture server;
  Session& waiter = server.open();
  server.run_as(waiter, "CLIENT", "REPLY", "SKIP");
  server.run_as(waiter, "BLPOP", "k", "0");
  server.run("RPUSH", "k", "1");
  CHECK(taken(waiter).empty());
  CHECK(server.run_as(waiter, "PING") == "+PONG\r\n");
}

TEST_CASE("MONITOR shows a command that waits when it comes, and once") {
  EngineFixture server;
  Session& watcher = server.open();
  server.run_as(watcher, "MONITOR");
  Session& waiter = server.open();
  server.run_as(waiter, "BLPOP", "k", "0");
  CHECK(taken(watcher).find("\"BLPOP\"") != std::string::npos);
  server.run("RPUSH", "k", "1");
  const std::string seen = taken(watcher);
  CHECK(seen.find("\"RPUSH\"") != std::string::npos);
  CHECK(seen.find("\"BLPOP\"") == std::string::npos);
}

TEST_CASE("WAIT and WAITAOF answer with what there is") {
  EngineFixture server;
  CHECK(server.run("WAIT", "0", "10") == ":0\r\n");
  Session& waiter = server.open();
  CHECK(server.run_as(waiter, "WAIT", "1", "50").empty());
  server.advance(milliseconds(50));
  server.tick();
  CHECK(taken(waiter) == ":0\r\n");
  CHECK(server.run_as(waiter, "WAITAOF", "0", "1", "0").empty());
  CHECK(server.run("CLIENT", "UNBLOCK", std::to_string(waiter.id)) == ":1\r\n");
  CHECK(taken(waiter) == "*2\r\n:0\r\n:0\r\n");
  CHECK(server.run("WAITAOF", "1", "0", "0") ==
        "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n");
  CHECK(server.run("WAITAOF", "2", "0", "0") ==
        "-ERR value is out of range, value must between 0 and 1\r\n");
  CHECK(server.run("WAIT", "1", "-1") == "-ERR timeout is negative\r\n");
  server.run("MULTI");
  server.run("WAIT", "1", "0");
  CHECK(server.run("EXEC") == "*1\r\n:0\r\n");
}
