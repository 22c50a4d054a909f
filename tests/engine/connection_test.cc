#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::seconds;
using hearth::Session;
using hearth::test::EngineFixture;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The value of a field in the line of CLIENT INFO or CLIENT LIST.
std::string field(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(" " + name + "=");
  if (at == std::string::npos) return "(none)";
  const std::size_t begin = at + name.size() + 2;
  return line.substr(begin, line.find_first_of(" \r\n", begin) - begin);
}

EngineFixture with_password() {
  EngineFixture::Options options;
  options.config = {{"requirepass", "secret"}};
  return EngineFixture(options);
}

}  // namespace

TEST_CASE("PING and ECHO answer with what they were given") {
  EngineFixture server;
  CHECK(server.run("PING") == "+PONG\r\n");
  CHECK(server.run("PING", "hi") == "$2\r\nhi\r\n");
  CHECK(server.run("PING", "a", "b") == "-ERR wrong number of arguments for 'ping' command\r\n");
  CHECK(server.run("ECHO", "") == "$0\r\n\r\n");
}

TEST_CASE("PING of a RESP2 subscriber is an array, of a RESP3 subscriber it is not") {
  EngineFixture server;
  server.run("SUBSCRIBE", "c");
  CHECK(server.run("PING") == "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  CHECK(server.run("PING", "x") == "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  server.session().resp = 3;
  CHECK(server.run("PING") == "+PONG\r\n");
}

TEST_CASE("SELECT chooses a database that exists") {
  EngineFixture server;
  server.run("SET", "k", "v");
  CHECK(server.run("SELECT", "15") == "+OK\r\n");
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.run("SELECT", "16") == "-ERR DB index is out of range\r\n");
  CHECK(server.run("SELECT", "-1") == "-ERR DB index is out of range\r\n");
  CHECK(server.run("SELECT", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.session().db == 15);
}

TEST_CASE("in cluster mode only database 0 can be selected") {
  EngineFixture::Options options;
  options.config = {{"cluster-enabled", "yes"}};
  EngineFixture server(options);
  CHECK(server.run("SELECT", "0") == "+OK\r\n");
  CHECK(server.run("SELECT", "1") == "-ERR SELECT is not allowed in cluster mode\r\n");
}

TEST_CASE("QUIT answers and ends the session; nothing behind it runs") {
  EngineFixture server;
  CHECK(server.run("QUIT") == "+OK\r\n");
  CHECK(server.session().close_after_reply);
  CHECK(server.run("SET", "k", "v").empty());
}

TEST_CASE("RESET brings a session back to its first state") {
  EngineFixture server;
  Session& s = server.session();
  server.run("HELLO", "3");
  server.run("CLIENT", "SETNAME", "n");
  server.run("CLIENT", "SETINFO", "LIB-NAME", "lib");
  server.run("SELECT", "3");
  server.run("SUBSCRIBE", "c");
  server.run("WATCH", "k");
  server.run("MULTI");
  CHECK(server.run("RESET") == "+RESET\r\n");
  CHECK(s.resp == 2);
  CHECK(s.db == 0);
  CHECK(s.name.empty());
  CHECK(s.lib_name == "lib");  // who speaks stays the same
  CHECK_FALSE(s.in_multi);
  CHECK(s.watched.empty());
  CHECK_FALSE(s.in_subscribe_mode());
}

TEST_CASE(
    "AUTH without a configured password says so, and takes any with the default user's name") {
  EngineFixture server;
  CHECK(contains(
      server.run("AUTH", "x"),
      "-ERR AUTH <password> called without any password configured for the default user."));
  CHECK(server.run("AUTH", "default", "x") == "+OK\r\n");
  CHECK(contains(server.run("AUTH", "nobody", "x"),
                 "-WRONGPASS invalid username-password pair or user is disabled."));
  CHECK(server.run("AUTH", "a", "b", "c") == "-ERR syntax error\r\n");
}

TEST_CASE("a client that has not authenticated and reads no replies is closed") {
  EngineFixture::Options options;
  options.config = {{"requirepass", "secret"}};
  EngineFixture server(options);
  Session& stranger = server.open();
  const auto ask = [&](Session& session) {
    const std::string_view words[] = {"x"};
    server.engine().execute(session, words);
  };
  for (int i = 0; i < 10'000 && !stranger.close_now; ++i) ask(stranger);
  CHECK(stranger.close_now);
  CHECK(stranger.out.size() < 18 * 1024);

  // One that reads them goes on, and a known client may leave more unread.
  Session& reader = server.open();
  for (int i = 0; i < 10'000; ++i) {
    ask(reader);
    EngineFixture::take(reader);
  }
  CHECK_FALSE(reader.close_now);
  CHECK(server.run_as(reader, "AUTH", "secret") == "+OK\r\n");
  for (int i = 0; i < 10'000; ++i) ask(reader);
  CHECK_FALSE(reader.close_now);
  CHECK(reader.out.size() > 100'000);
}

TEST_CASE("a short request for very many bytes ends its client and nobody else") {
  EngineFixture::Options options;
  options.output_most = 1'000'000;
  EngineFixture server(options);
  server.run("SET", "k", std::string(100'000, 'v'));
  Session& greedy = server.open();
  std::vector<std::string> words{"MGET"};
  words.insert(words.end(), 10'000, "k");
  server.run_words(greedy, words);
  CHECK(greedy.close_now);
  CHECK(server.run("STRLEN", "k") == ":100000\r\n");
  CHECK(server.run("EVAL", "return redis.pcall('mget', unpack(ARGV)).err", "0", "k") == "$-1\r\n");
  const std::string script =
      "local keys = {} for i = 1, 5000 do keys[i] = 'k' end "
      "return redis.pcall('mget', unpack(keys)).err";
  CHECK(server.run("EVAL", script, "0")
            .find("ERR The reply of a command called from script is too large") !=
        std::string::npos);
  CHECK(server.run("EVAL", "return redis.call('strlen', 'k')", "0") == ":100000\r\n");
}

TEST_CASE("with requirepass nothing runs before AUTH") {
  EngineFixture server = with_password();
  CHECK(server.run("GET", "k") == "-NOAUTH Authentication required.\r\n");
  CHECK(contains(server.run("AUTH", "wrong"), "-WRONGPASS"));
  CHECK(contains(server.run("AUTH", "secre"), "-WRONGPASS"));
  CHECK(server.run("GET", "k") == "-NOAUTH Authentication required.\r\n");
  CHECK(server.run("AUTH", "secret") == "+OK\r\n");
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.engine().stats().acl_denied_auth == 2);
  CHECK(server.run("ACL", "WHOAMI") == "$7\r\ndefault\r\n");
}

TEST_CASE("a password that is set later asks new connections only") {
  EngineFixture server;
  CHECK(server.run("CONFIG", "SET", "requirepass", "p") == "+OK\r\n");
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.run_as(server.open(), "GET", "k") == "-NOAUTH Authentication required.\r\n");
}

TEST_CASE("HELLO answers a map in the version it chose") {
  EngineFixture server;
  const std::string id = std::to_string(server.session().id);
  const std::string fields =
      "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$0\r\n\r\n$5\r\nproto\r\n:";
  const std::string rest = "\r\n$2\r\nid\r\n:" + id +
                           "\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$"
                           "7\r\nmodules\r\n*0\r\n";
  CHECK(server.run("HELLO") == "*14\r\n" + fields + "2" + rest);
  CHECK(server.run("HELLO", "3") == "%7\r\n" + fields + "3" + rest);
  CHECK(server.run("HELLO") == "%7\r\n" + fields + "3" + rest);
  CHECK(server.run("HELLO", "2") == "*14\r\n" + fields + "2" + rest);
}

TEST_CASE("HELLO refuses what it does not understand and changes nothing") {
  EngineFixture server;
  CHECK(server.run("HELLO", "4") == "-NOPROTO unsupported protocol version\r\n");
  CHECK(server.run("HELLO", "x") == "-ERR Protocol version is not an integer or out of range\r\n");
  CHECK(server.run("HELLO", "3", "FOO") == "-ERR Syntax error in HELLO option 'FOO'\r\n");
  CHECK(server.run("HELLO", "3", "AUTH", "a") == "-ERR Syntax error in HELLO option 'AUTH'\r\n");
  CHECK(contains(server.run("HELLO", "3", "SETNAME", "a b"),
                 "-ERR Client names cannot contain spaces"));
  CHECK(contains(server.run("HELLO", "3", "AUTH", "a", "b"), "-WRONGPASS"));
  CHECK(server.session().resp == 2);
}

TEST_CASE("HELLO authenticates and names in one step") {
  EngineFixture server = with_password();
  CHECK(contains(server.run("HELLO", "3"),
                 "-NOAUTH HELLO must be called with the client already authenticated"));
  CHECK(
      server.run("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me").starts_with("%7\r\n"));
  CHECK(server.session().name == "me");
}

TEST_CASE("client names are printable and without blanks") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "GETNAME") == "$-1\r\n");
  CHECK(server.run("CLIENT", "SETNAME", "a-b") == "+OK\r\n");
  CHECK(server.run("CLIENT", "GETNAME") == "$3\r\na-b\r\n");
  CHECK(server.run("CLIENT", "SETNAME", "a b") ==
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  CHECK(server.run("CLIENT", "SETINFO", "LIB-VER", "1\n") ==
        "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n");
  CHECK(server.run("CLIENT", "SETINFO", "badger", "x") == "-ERR Unrecognized option 'badger'\r\n");
  CHECK(server.run("CLIENT", "SETNAME", "") == "+OK\r\n");
  CHECK(server.run("CLIENT", "GETNAME") == "$-1\r\n");
}

TEST_CASE("CLIENT INFO tells the session's state, field by field") {
  EngineFixture server;
  server.advance(seconds(5));
  server.run("CLIENT", "SETNAME", "me");
  server.run("CLIENT", "SETINFO", "LIB-NAME", "lib");
  server.run("SELECT", "2");
  server.run("WATCH", "a", "b");
  const std::string line = server.run("CLIENT", "INFO");
  CHECK(contains(line, "id=" + std::to_string(server.session().id) +
                           " addr=127.0.0.1:1 laddr=127.0.0.1:6379 fd=1 name=me age=5 "));
  CHECK(field(line, "flags") == "N");
  CHECK(field(line, "db") == "2");
  CHECK(field(line, "multi") == "-1");
  CHECK(field(line, "watch") == "2");
  CHECK(field(line, "cmd") == "client|info");
  CHECK(field(line, "user") == "default");
  CHECK(field(line, "redir") == "-1");
  CHECK(field(line, "resp") == "2");
  CHECK(field(line, "lib-name") == "lib");
  CHECK(field(line, "tot-cmds") == "4");  // without the one that asks
  server.session().resp = 3;
  CHECK(server.run("CLIENT", "INFO").starts_with("="));
}

TEST_CASE("CLIENT LIST filters by type and by id") {
  EngineFixture server;
  Session& subscriber = server.open();
  server.run_as(subscriber, "SUBSCRIBE", "c");
  const auto lines = [&](const std::string& reply) {
    return std::count(reply.begin(), reply.end(), '\n') - 2;
  };
  CHECK(lines(server.run("CLIENT", "LIST")) == 2);
  const std::string pubsub = server.run("CLIENT", "LIST", "TYPE", "pubsub");
  CHECK(lines(pubsub) == 1);
  CHECK(field(" " + pubsub, "flags") == "P");
  CHECK(field(" " + pubsub, "sub") == "1");
  CHECK(server.run("CLIENT", "LIST", "TYPE", "x") == "-ERR Unknown client type 'x'\r\n");
  CHECK(lines(server.run("CLIENT", "LIST", "ID", std::to_string(subscriber.id), "999")) == 1);
  CHECK(server.run("CLIENT", "LIST", "ID", "x") == "-ERR Invalid client ID\r\n");
  CHECK(server.run("CLIENT", "LIST", "ID") == "-ERR syntax error\r\n");
}

TEST_CASE("CLIENT KILL in its old form kills one address") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "KILL", "1.2.3.4:5") == "-ERR No such client\r\n");
  Session& other = server.engine().open({"10.0.0.1:7", "127.0.0.1:6379", 2, false, false, false});
  CHECK(server.run("CLIENT", "KILL", "10.0.0.1:7") == "+OK\r\n");
  CHECK(other.close_now);
}

TEST_CASE("CLIENT KILL kills what all of its filters fit") {
  EngineFixture server;
  Session& a = server.open();
  Session& b = server.open();
  server.run_as(b, "SUBSCRIBE", "c");
  CHECK(server.run("CLIENT", "KILL", "TYPE", "pubsub", "ID", std::to_string(a.id)) == ":0\r\n");
  CHECK(server.run("CLIENT", "KILL", "TYPE", "pubsub") == ":1\r\n");
  CHECK(b.close_now);
  CHECK_FALSE(a.close_now);
  server.advance(seconds(10));
  Session& young = server.open();
  CHECK(server.run("CLIENT", "KILL", "MAXAGE", "5") == ":1\r\n");
  CHECK(a.close_now);
  CHECK_FALSE(young.close_now);
  CHECK(server.run("CLIENT", "KILL", "SKIPME", "no", "USER", "default") == ":2\r\n");
  CHECK(server.session().close_after_reply);  // its own reply still goes out
}

TEST_CASE("CLIENT KILL refuses bad filters") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "KILL", "ID", "0") == "-ERR client-id should be greater than 0\r\n");
  CHECK(server.run("CLIENT", "KILL", "ID", "x") == "-ERR client-id should be greater than 0\r\n");
  CHECK(server.run("CLIENT", "KILL", "ID", "10", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("CLIENT", "KILL", "TYPE", "x") == "-ERR Unknown client type 'x'\r\n");
  CHECK(server.run("CLIENT", "KILL", "USER", "x") == "-ERR No such user 'x'\r\n");
  CHECK(server.run("CLIENT", "KILL", "SKIPME", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("CLIENT", "KILL", "MAXAGE", "x") ==
        "-ERR maxage is not an integer or out of range\r\n");
  CHECK(server.run("CLIENT", "KILL", "MAXAGE", "0") == "-ERR maxage should be greater than 0\r\n");
}

TEST_CASE("CLIENT REPLY silences replies, all or the next one") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "REPLY", "OFF").empty());
  CHECK(server.run("PING").empty());
  CHECK(server.run("NOPE").empty());
  CHECK(server.run("CLIENT", "REPLY", "SKIP").empty());
  CHECK(server.run("CLIENT", "REPLY", "ON") == "+OK\r\n");
  CHECK(server.run("CLIENT", "REPLY", "SKIP").empty());
  CHECK(server.run("PING").empty());
  CHECK(server.run("PING") == "+PONG\r\n");
  CHECK(server.run("CLIENT", "REPLY", "SKIP").empty());
  CHECK(server.run("CLIENT", "REPLY", "ON") == "+OK\r\n");
  CHECK(server.run("CLIENT", "REPLY", "x") == "-ERR syntax error\r\n");
}

TEST_CASE("CLIENT REPLY OFF does not silence what subscriptions say") {
  EngineFixture server;
  server.run("HELLO", "3");
  CHECK(server.run("CLIENT", "REPLY", "OFF").empty());
  CHECK(server.run("SUBSCRIBE", "c") == ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
  CHECK(server.run_as(server.open(), "PUBLISH", "c", "m") == ":1\r\n");
  CHECK(EngineFixture::take(server.session()) == ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
}

TEST_CASE("CLIENT PAUSE WRITE parks writes and lets reads pass") {
  EngineFixture server;
  Session& writer = server.open();
  CHECK(server.run("CLIENT", "PAUSE", "1000", "WRITE") == "+OK\r\n");
  CHECK(server.run_as(writer, "GET", "k") == "$-1\r\n");
  CHECK(server.run_as(writer, "SET", "k", "v").empty());
  CHECK(writer.is_parked());
  CHECK(server.run("CLIENT", "UNPAUSE") == "+OK\r\n");
  CHECK_FALSE(writer.is_parked());
  CHECK(server.resumed() == std::vector<hearth::ConnId>{writer.id});
}

TEST_CASE("a pause of all holds everything but UNPAUSE, and is not weakened by a second one") {
  EngineFixture server;
  Session& other = server.open();
  server.run("CLIENT", "PAUSE", "1000", "ALL");
  CHECK(server.run_as(other, "PING").empty());
  CHECK(other.is_parked());
  Session& third = server.open();
  CHECK(server.run_as(third, "CLIENT", "PAUSE", "10", "WRITE").empty());
  CHECK(server.run("CLIENT", "UNPAUSE") == "+OK\r\n");
  CHECK_FALSE(other.is_parked());
}

TEST_CASE("a pause ends by itself, and keys do not expire in it") {
  EngineFixture server;
  server.run("SET", "k", "v", "PX", "10");
  server.run("CLIENT", "PAUSE", "100", "WRITE");
  server.advance(milliseconds(50));
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("DBSIZE") == ":1\r\n");
  server.advance(milliseconds(50));
  server.tick();
  CHECK(server.run("DBSIZE") == ":0\r\n");
  CHECK(server.run("CLIENT", "PAUSE", "x") == "-ERR timeout is not an integer or out of range\r\n");
  CHECK(server.run("CLIENT", "PAUSE", "-1") == "-ERR timeout is negative\r\n");
  CHECK(server.run("CLIENT", "PAUSE", "1", "x") ==
        "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
}

TEST_CASE("a transaction that writes waits at its EXEC; one that reads does not") {
  EngineFixture server;
  Session& a = server.open();
  Session& b = server.open();
  server.run("CLIENT", "PAUSE", "1000", "WRITE");
  server.run_as(a, "MULTI");
  CHECK(server.run_as(a, "SET", "k", "v") == "+QUEUED\r\n");
  CHECK(server.run_as(a, "EXEC").empty());
  CHECK(a.is_parked());
  server.run_as(b, "MULTI");
  server.run_as(b, "GET", "k");
  CHECK(server.run_as(b, "EXEC") == "*1\r\n$-1\r\n");
}

TEST_CASE("NO-TOUCH leaves access times alone") {
  EngineFixture server;
  server.run("SET", "k", "v");
  server.advance(seconds(100));
  CHECK(server.run("CLIENT", "NO-TOUCH", "on") == "+OK\r\n");
  server.run("GET", "k");
  CHECK(server.run("OBJECT", "IDLETIME", "k") == ":100\r\n");
  server.run("CLIENT", "NO-TOUCH", "off");
  server.run("GET", "k");
  CHECK(server.run("OBJECT", "IDLETIME", "k") == ":0\r\n");
  CHECK(server.run("CLIENT", "NO-EVICT", "on") == "+OK\r\n");
  CHECK(contains(server.run("CLIENT", "INFO"), "flags=e "));
  CHECK(server.run("CLIENT", "NO-EVICT", "maybe") == "-ERR syntax error\r\n");
}

TEST_CASE("CLIENT UNBLOCK wakes nobody who is not blocked") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "UNBLOCK", "1") == ":0\r\n");
  CHECK(server.run("CLIENT", "UNBLOCK", "1", "ERROR") == ":0\r\n");
  CHECK(server.run("CLIENT", "UNBLOCK", "1", "x") ==
        "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
  CHECK(server.run("CLIENT", "UNBLOCK", "x") == "-ERR value is not an integer or out of range\r\n");
}

TEST_CASE("CLIENT TRACKINGINFO and GETREDIR say that nothing is tracked") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "GETREDIR") == ":-1\r\n");
  CHECK(
      server.run("CLIENT", "TRACKINGINFO") ==
      "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n");
  server.session().resp = 3;
  CHECK(
      server.run("CLIENT", "TRACKINGINFO") ==
      "%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n");
}

TEST_CASE("passwords are shown to no monitor") {
  EngineFixture server;
  Session& watcher = server.open();
  CHECK(server.run_as(watcher, "MONITOR") == "+OK\r\n");
  server.run("AUTH", "default", "secret");
  const std::string line = EngineFixture::take(watcher);
  CHECK(contains(line, "\"AUTH\" \"(redacted)\" \"(redacted)\""));
  CHECK_FALSE(contains(line, "secret"));
  server.run("HELLO", "2", "AUTH", "default", "secret");
  CHECK(contains(EngineFixture::take(watcher),
                 "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\""));
}

TEST_CASE("requests that are refused for their form show no passwords either") {
  EngineFixture server({.config = {{"slowlog-log-slower-than", "0"}}});
  Session& watcher = server.open();
  server.run_as(watcher, "MONITOR");
  using Words = std::vector<std::string>;
  for (const Words& words :
       {Words{"HELLO", "9", "AUTH", "u", "secret"},
        Words{"HELLO", "3", "FOO", "AUTH", "u", "secret"}, Words{"HELLO", "3", "AUTH", "secret"},
        Words{"HELLO", "x", "AUTH", "u", "secret"},
        Words{"HELLO", "3", "AUTH", "u", "secret", "SETNAME", "a b"},
        Words{"AUTH", "a", "b", "secret"},
        Words{"CONFIG", "SET", "requirepass", "secret", "maxmemory"},
        Words{"CONFIG", "SET", "hz", "requirepass", "secret"},
        Words{"ACL", "SETUSER", "bad name", ">secret"}, Words{"ACL", "SETUSER", "u", "secret"},
        Words{"MIGRATE", "", "", "k", "0", "0", "AUTH", "secret", "secret"},
        Words{"MIGRATE", "", "", "k", "0", "0", "AUTH2", "secret"},
        Words{"MIGRATE", "h", "1", "k", "0", "0", "FOO", "AUTH", "secret"}}) {
    CHECK(server.run_words(server.session(), words).starts_with("-"));
    server.run("MULTI");
    server.run_words(server.session(), words);
    server.run("EXEC");
  }
  CHECK_FALSE(contains(EngineFixture::take(watcher), "secret"));
  CHECK_FALSE(contains(server.run("SLOWLOG", "GET", "-1"), "secret"));
}
