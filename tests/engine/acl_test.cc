#include <doctest/doctest.h>

#include "src/command/server_control.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_server.h"

namespace {

using namespace hearth;
using test::EngineFixture;

// A second client, authenticated as `user` (whose rules are given).
struct Other {
  EngineFixture& server;
  Session& session;
  template <typename... A>
  std::string run(const A&... words) {
    return server.run_as(session, words...);
  }
};

template <typename... A>
Other log_in(EngineFixture& server, std::string_view name, const A&... rules) {
  CHECK(server.run("ACL", "SETUSER", std::string(name), "on", "nopass", rules...) == "+OK\r\n");
  Other other{server, server.open()};
  CHECK(other.run("AUTH", std::string(name), "x") == "+OK\r\n");
  return other;
}

TEST_CASE("a user may run what its rules allow and nothing else") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+get", "+set", "~a:*");
  CHECK(ann.run("SET", "a:1", "v") == "+OK\r\n");
  CHECK(ann.run("GET", "b:1") == "-NOPERM No permissions to access a key\r\n");
  CHECK(ann.run("DEL", "a:1") ==
        "-NOPERM User ann has no permissions to run the 'del' command\r\n");
  CHECK(ann.run("CONFIG", "GET", "port") ==
        "-NOPERM User ann has no permissions to run the 'config|get' command\r\n");
  // Commands that need no authentication are open to all.
  CHECK(ann.run("AUTH", "default", "") == "+OK\r\n");
}

TEST_CASE("keys are held against the access that the command's specs tell") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+@all", "%R~r*", "%W~w*");
  CHECK(ann.run("COPY", "r", "w") == ":0\r\n");
  CHECK(ann.run("COPY", "w", "r") == "-NOPERM No permissions to access a key\r\n");
  CHECK(ann.run("SET", "w", "v") == "+OK\r\n");
  CHECK(ann.run("SET", "w", "v", "GET") == "-NOPERM No permissions to access a key\r\n");
  CHECK(ann.run("EXISTS", "r", "w") == ":1\r\n");
  CHECK(ann.run("EXISTS", "x") == "-NOPERM No permissions to access a key\r\n");
}

TEST_CASE("channels are held against channel rules") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+@pubsub", "&news:*");
  CHECK(ann.run("PUBLISH", "news:1", "m") == ":0\r\n");
  CHECK(ann.run("PUBLISH", "other", "m") == "-NOPERM No permissions to access a channel\r\n");
  CHECK(ann.run("PSUBSCRIBE", "news:1") == "-NOPERM No permissions to access a channel\r\n");
  CHECK(ann.run("SUBSCRIBE", "news:1", "x") == "-NOPERM No permissions to access a channel\r\n");
  CHECK(ann.run("SUBSCRIBE", "news:1").starts_with("*3\r\n$9\r\nsubscribe"));
}

TEST_CASE("who listens to more than the new rules allow is closed") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+@all", "&a", "&b");
  ann.run("SUBSCRIBE", "a");
  CHECK(server.run("ACL", "SETUSER", "ann", "resetchannels", "&a", "&c") == "+OK\r\n");
  CHECK_FALSE(ann.session.close_now);
  CHECK(server.run("ACL", "SETUSER", "ann", "resetchannels", "&c") == "+OK\r\n");
  CHECK(ann.session.close_now);
}

TEST_CASE("a deleted user's connections are closed, one's own behind the reply") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+@all");
  CHECK(server.run("ACL", "DELUSER", "ann", "nobody") == ":1\r\n");
  CHECK(ann.session.close_now);
  CHECK(ann.session.user_name() == "default");
  Other bob = log_in(server, "bob", "+@all");
  CHECK(bob.run("ACL", "DELUSER", "bob") == ":1\r\n");
  CHECK(bob.session.close_after_reply);
  CHECK(server.run("ACL", "DELUSER", "default") == "-ERR The 'default' user cannot be removed\r\n");
}

TEST_CASE("rights are asked when a command is queued and when it runs") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+@all", "~a");
  CHECK(ann.run("MULTI") == "+OK\r\n");
  CHECK(ann.run("SET", "a", "1") == "+QUEUED\r\n");
  CHECK(ann.run("GET", "b") == "-NOPERM No permissions to access a key\r\n");
  CHECK(ann.run("EXEC").starts_with("-EXECABORT"));
  CHECK(ann.run("MULTI") == "+OK\r\n");
  CHECK(ann.run("SET", "a", "1") == "+QUEUED\r\n");
  CHECK(ann.run("PING") == "+QUEUED\r\n");
  server.run("ACL", "SETUSER", "ann", "-set");
  const std::string reply = ann.run("EXEC");
  CHECK(reply.find("-NOPERM ACLs rules changed between") != std::string::npos);
  CHECK(reply.find("no permission to execute the command or subcommand") != std::string::npos);
  CHECK(reply.ends_with("+PONG\r\n"));
}

TEST_CASE("ACL LOG tells each kind of denial once, alike ones counted") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+get", "+publish", "~a", "resetchannels");
  ann.run("SET", "a", "1");
  ann.run("GET", "b");
  ann.run("GET", "b");
  ann.run("PUBLISH", "c", "m");
  ann.run("AUTH", "ann2", "wrong");
  const auto& entries = server.engine().accounts().log().entries();
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].reason == acl::Reason::kAuth);
  CHECK(entries[0].user == "ann2");
  CHECK(entries[0].object == "AUTH");
  CHECK(entries[1].object == "c");
  CHECK(entries[2].object == "b");
  CHECK(entries[2].count == 2);
  CHECK(entries[3].object == "set");
  CHECK(entries[3].client.find("cmd=set") != std::string::npos);
  CHECK(server.run("ACL", "LOG", "1").starts_with("*1\r\n*20\r\n$5\r\ncount\r\n:1\r\n"));
  CHECK(server.run("ACL", "LOG", "RESET") == "+OK\r\n");
  CHECK(server.run("ACL", "LOG") == "*0\r\n");
  CHECK(server.run("INFO", "stats").find("acl_access_denied_key:2") != std::string::npos);
}

TEST_CASE("acllog-max-len bounds the log") {
  EngineFixture server;
  server.run("CONFIG", "SET", "acllog-max-len", "2");
  Other ann = log_in(server, "ann", "+get");
  for (const char* key : {"a", "b", "c"}) ann.run("GET", key);
  CHECK(server.engine().accounts().log().entries().size() == 2);
}

TEST_CASE("users are described by the rules that make them") {
  EngineFixture server;
  server.run("ACL", "SETUSER", "ann", "on", "nopass", "~a", "+@all", "-@dangerous", "(+get ~b)");
  CHECK(server.run("ACL", "LIST")
            .find("user ann on nopass sanitize-payload ~a resetchannels +@all "
                  "-@dangerous (~b resetchannels -@all +get)") != std::string::npos);
  CHECK(server.run("ACL", "GETUSER", "ann").starts_with("*12\r\n$5\r\nflags\r\n*3\r\n"));
  CHECK(server.run("ACL", "GETUSER", "ann").find("databases") == std::string::npos);
  server.run("ACL", "SETUSER", "eve", "db=1", "(+get)");
  CHECK(server.run("ACL", "GETUSER", "eve").starts_with("*14\r\n"));
  CHECK(server.run("ACL", "GETUSER", "eve").find("$9\r\ndatabases\r\n$4\r\ndb=1\r\n") !=
        std::string::npos);
  server.run("ACL", "DELUSER", "eve");
  CHECK(server.run("ACL", "SETUSER", "", "on") ==
        "-ERR Usernames can't contain spaces or null characters\r\n");
  CHECK(server.run("ACL", "GETUSER", "nobody") == "$-1\r\n");
  CHECK(server.run("ACL", "SETUSER", "ann", "+nope") ==
        "-ERR Error in ACL SETUSER modifier '+nope': Unknown command or category name in ACL\r\n");
  CHECK(server.run("ACL", "USERS") == "*2\r\n$3\r\nann\r\n$7\r\ndefault\r\n");
}

TEST_CASE("ACL DRYRUN tells what would happen") {
  EngineFixture server;
  server.run("ACL", "SETUSER", "ann", "+get", "~a");
  CHECK(server.run("ACL", "DRYRUN", "ann", "GET", "a") == "+OK\r\n");
  CHECK(server.run("ACL", "DRYRUN", "ann", "GET", "b")
            .find("User ann has no permissions to access the 'b' key") != std::string::npos);
  CHECK(server.run("ACL", "DRYRUN", "bob", "GET", "b") == "-ERR User 'bob' not found\r\n");
  CHECK(server.run("ACL", "DRYRUN", "ann", "NOPE") == "-ERR Command 'NOPE' not found\r\n");
  CHECK(server.run("ACL", "DRYRUN", "ann", "GET") ==
        "-ERR wrong number of arguments for 'get' command\r\n");
}

TEST_CASE("requirepass is the default user's password") {
  EngineFixture server;
  CHECK(server.run("CONFIG", "SET", "requirepass", "secret") == "+OK\r\n");
  Session& fresh = server.open();
  CHECK(server.run_as(fresh, "PING") == "-NOAUTH Authentication required.\r\n");
  CHECK(server.run_as(fresh, "AUTH", "wrong").starts_with("-WRONGPASS"));
  CHECK(server.run_as(fresh, "AUTH", "secret") == "+OK\r\n");
  CHECK(server.run_as(fresh, "AUTH", "default", "secret") == "+OK\r\n");
}

TEST_CASE("databases can be forbidden") {
  EngineFixture server;
  Other ann = log_in(server, "ann", "+@all", "~*", "db=0,1");
  CHECK(ann.run("SELECT", "1") == "+OK\r\n");
  CHECK(ann.run("SELECT", "2") == "-NOPERM No permissions to access a database\r\n");
  CHECK(ann.run("MOVE", "k", "2") == "-NOPERM No permissions to access a database\r\n");
  CHECK(ann.run("SWAPDB", "0", "2") == "-NOPERM No permissions to access a database\r\n");
  CHECK(ann.run("FLUSHALL") == "-NOPERM No permissions to access a database\r\n");
  CHECK(ann.run("FLUSHDB") == "+OK\r\n");
  server.run("ACL", "SETUSER", "ann", "db=0");
  CHECK(ann.run("GET", "k") == "-NOPERM No permissions to access a database\r\n");
  CHECK(ann.run("PING") == "+PONG\r\n");
}

TEST_CASE("users are loaded from a file whole or not at all, and saved to it") {
  EngineFixture::Options options;
  options.config = {{"aclfile", "users.acl"}};
  EngineFixture server(options);
  test::FakeServer process;
  server.engine().services().server = &process;
  CHECK(server.run("ACL", "LOAD").starts_with("-ERR Error loading ACLs, opening file 'users.acl'"));
  process.files["users.acl"] = "user ann on nopass ~* +@all\nuser bob on nopass ~* +@all &c\n";
  CHECK(server.run("ACL", "LOAD") == "+OK\r\n");
  Session& ann = server.open();
  Session& bob = server.open();
  CHECK(server.run_as(ann, "AUTH", "ann", "x") == "+OK\r\n");
  CHECK(server.run_as(bob, "AUTH", "bob", "x") == "+OK\r\n");
  server.run_as(bob, "SUBSCRIBE", "c");
  const std::string good = process.files["users.acl"];
  process.files["users.acl"] = "user ann on\nuser ann off\n";
  CHECK(server.run("ACL", "LOAD").find("Duplicate user 'ann' found on line 2") !=
        std::string::npos);
  CHECK(server.run_as(ann, "SET", "k", "v") == "+OK\r\n");
  process.files["users.acl"] = "user bob on nopass ~* +@all\n";
  CHECK(server.run("ACL", "LOAD") == "+OK\r\n");
  CHECK(ann.close_now);  // the user is gone
  CHECK(bob.close_now);  // listens to a channel that was taken away
  CHECK(server.run("ACL", "SAVE") == "+OK\r\n");
  CHECK(process.files["users.acl"] ==
        "user bob on nopass sanitize-payload ~* resetchannels +@all\n"
        "user default on nopass sanitize-payload ~* &* +@all\n");
  process.disk_is_full = true;
  CHECK(server.run("ACL", "SAVE").starts_with("-ERR There was an error trying to save the ACLs"));
}

TEST_CASE("the configuration's users are written back as directives") {
  EngineFixture server;
  CHECK(server.engine().accounts().directives()->empty());
  server.run("ACL", "SETUSER", "ann", "on", "+get");
  const auto lines = server.engine().accounts().directives();
  REQUIRE(lines->size() == 2);
  CHECK(lines->front() == std::vector<std::string>{"ann", "on", "sanitize-payload", "resetchannels",
                                                   "-@all", "+get"});
}

}  // namespace
