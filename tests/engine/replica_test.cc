// The engine of a replica: what it refuses its clients, and what it takes from its primary.
#include <doctest/doctest.h>

#include "src/command/replica_control.h"
#include "src/store/memory.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_persistence.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

class Replica : public EngineFixture {
 public:
  Replica() {
    engine().services().replica = &replica;
    replica.primary = "10.0.0.1:6379";
    engine().set_following(true);
    stream_ = &open();
    stream_->primary = stream_->replaying = true;
  }
  // A command of the primary.
  template <typename... A>
  std::string told(const A&... words) {
    engine().begin_replay();
    const std::string reply = run_as(*stream_, words...);
    engine().end_replay();
    return reply;
  }

  test::FakeReplica replica;

 private:
  Session* stream_ = nullptr;
};

const std::string kReadOnlyReply = "-READONLY You can't write against a read only replica.\r\n";

}  // namespace

TEST_CASE("clients of a replica read, and write only where the configuration lets them") {
  Replica server;
  CHECK(server.told("SET", "k", "v") == "+OK\r\n");
  CHECK(server.run("GET", "k") == "$1\r\nv\r\n");
  CHECK(server.run("SET", "k", "w") == kReadOnlyReply);
  CHECK(server.run("EVAL", "return redis.call('set', KEYS[1], 'w')", "1", "k")
            .starts_with("-READONLY"));
  CHECK(server.run("EVAL", "#!lua\nreturn 1", "0") == kReadOnlyReply);
  CHECK(server.run("EVAL", "#!lua flags=no-writes\nreturn 1", "0") == ":1\r\n");
  CHECK(server.run("PUBLISH", "c", "m") == ":0\r\n");
  server.run("MULTI");
  CHECK(server.run("SET", "k", "w") == kReadOnlyReply);
  CHECK(server.run("EXEC").starts_with("-EXECABORT"));
  server.run("CONFIG", "SET", "replica-read-only", "no");
  CHECK(server.run("SET", "k", "w") == "+OK\r\n");
  CHECK(server.run("GET", "k") == "$1\r\nw\r\n");
}

TEST_CASE("a primary does not decide whom its replica follows") {
  Replica server;
  for (const char* command : {"REPLICAOF", "SLAVEOF"}) {
    CHECK(server.told(command, "10.0.0.2", "6379").starts_with("-ERR"));
    CHECK(server.told(command, "", "6379").starts_with("-ERR"));
    CHECK(server.told(command, "NO", "ONE").starts_with("-ERR"));
  }
  CHECK(server.replica.primary == "10.0.0.1:6379");
}

TEST_CASE("a transaction that was begun before the server became a replica is aborted") {
  EngineFixture server;
  test::FakeReplica replica;
  server.engine().services().replica = &replica;
  server.run("MULTI");
  server.run("SET", "k", "v");
  replica.primary = "10.0.0.1:6379";
  server.engine().set_following(true);
  CHECK(server.run("EXEC") ==
        "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only "
        "replica.\r\n");
  server.engine().set_following(false);
  CHECK(server.run("SET", "k", "v") == "+OK\r\n");
}

TEST_CASE("without a link a replica serves stale data, or says that it does not") {
  Replica server;
  server.told("SET", "k", "v");
  server.replica.link_up = false;
  CHECK(server.run("GET", "k") == "$1\r\nv\r\n");
  server.run("CONFIG", "SET", "replica-serve-stale-data", "no");
  const std::string down =
      "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n";
  CHECK(server.run("GET", "k") == down);
  CHECK(server.run("EVAL", "return 1", "0") == down);
  CHECK(server.run("ECHO", "here") == "$4\r\nhere\r\n");
  CHECK(server.run("EVAL", "#!lua flags=allow-stale,no-writes\nreturn 1", "0") == ":1\r\n");
  CHECK(server.told("SET", "k", "w") == "+OK\r\n");
}

TEST_CASE("on a replica what has expired is hidden, and goes when the primary says so") {
  Replica server;
  server.told("SET", "k", "v", "PXAT", std::to_string(server.now().ms + 100));
  server.told("HSET", "h", "f", "v", "g", "w");
  server.told("HPEXPIREAT", "h", std::to_string(server.now().ms + 100), "FIELDS", "1", "f");
  server.advance(milliseconds(200));
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("DBSIZE") == ":2\r\n");
  // The primary's clock may be behind: for it the key is still there.
  CHECK(server.told("APPEND", "k", "w") == ":2\r\n");
  CHECK(server.told("PERSIST", "k") == ":1\r\n");
  CHECK(server.run("GET", "k") == "$2\r\nvw\r\n");
  // A deadline in the past is the primary's to act on.
  CHECK(server.told("PEXPIREAT", "k", std::to_string(server.now().ms - 1)) == ":1\r\n");
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  CHECK(server.run("DBSIZE") == ":2\r\n");
  CHECK(server.told("DEL", "k") == ":1\r\n");
  CHECK(server.run("DBSIZE") == ":1\r\n");
}

TEST_CASE("what a primary's stream wrote was used just now") {
  Replica server;
  server.told("SET", "k", "v");
  CHECK(server.run("OBJECT", "IDLETIME", "k") == ":0\r\n");
  server.advance(milliseconds(5000));
  CHECK(server.run("OBJECT", "IDLETIME", "k") == ":5\r\n");
}

TEST_CASE("REPLICAOF names a primary or none, and ROLE and INFO tell of it") {
  EngineFixture server;
  test::FakeReplica replica;
  server.engine().services().replica = &replica;
  CHECK(server.run("REPLICAOF", "host", "6380") == "+OK\r\n");
  CHECK(replica.primary == "host:6380");
  CHECK(server.run("SLAVEOF", "no", "one") == "+OK\r\n");
  CHECK(replica.primary.empty());
  CHECK(server.run("REPLICAOF", "host", "70000") == "-ERR Invalid master port\r\n");
  CHECK(server.run("REPLICAOF", "host", "x") == "-ERR Invalid master port\r\n");
}

TEST_CASE("what a replica's own clients gave a deadline it removes itself, and nothing else") {
  Replica server;
  server.run("CONFIG", "SET", "replica-read-only", "no");
  server.told("SET", "primary's", "v", "PX", "5");
  server.run("SET", "own", "v", "PX", "5");
  server.run("HSET", "hash", "f", "v");
  server.run("PEXPIRE", "hash", "5");
  // The primary has another word on this one.
  server.run("SET", "shared", "v", "PX", "5");
  server.told("SET", "shared", "w", "PX", "7");
  server.advance(milliseconds(1000));
  server.tick();
  CHECK(server.engine().stats().expired_keys == 2);
  CHECK(server.run("DBSIZE") == ":2\r\n");
  CHECK(server.run("GET", "own") == "$-1\r\n");
  CHECK(server.run("GET", "shared") == "$-1\r\n");  // hidden until the primary says DEL
  server.told("DEL", "shared");
  CHECK(server.run("DBSIZE") == ":1\r\n");
}

TEST_CASE("relative times in a primary's stream count from the clock here") {
  Replica server;
  const auto in_ten_seconds = ":" + std::to_string(server.now().ms + 10'000) + "\r\n";
  server.told("SET", "a", "v", "EX", "10");
  server.told("SETEX", "b", "10", "v");
  server.told("SET", "c", "v");
  server.told("EXPIRE", "c", "10");
  server.told("HSET", "h", "f", "v");
  server.told("HEXPIRE", "h", "10", "FIELDS", "1", "f");
  std::string payload = server.run("DUMP", "a");
  payload = payload.substr(payload.find('\n') + 1);
  payload.resize(payload.size() - 2);
  CHECK(server.told("RESTORE", "d", "10000", payload) == "+OK\r\n");
  for (const char* key : {"a", "b", "c", "d"})
    CHECK(server.run("PEXPIRETIME", key) == in_ten_seconds);
  CHECK(server.run("HPEXPIRETIME", "h", "FIELDS", "1", "f") == "*1\r\n" + in_ten_seconds);
}

TEST_CASE("what has expired is not in the way of what a client writes to a replica") {
  Replica server;
  server.run("CONFIG", "SET", "replica-read-only", "no");
  for (const char* key : {"string", "list", "hash", "untouched"})
    server.told("SET", key, "v", "PX", "100");
  server.advance(milliseconds(200));
  CHECK(server.run("GET", "string") == "$-1\r\n");
  CHECK(server.run("DBSIZE") == ":4\r\n");
  CHECK(server.run("SET", "string", "w") == "+OK\r\n");
  CHECK(server.run("LPUSH", "list", "1", "2") == ":2\r\n");
  server.run("MULTI");
  server.run("HSET", "hash", "f", "v");
  server.run("GET", "untouched");
  CHECK(server.run("EXEC") == "*2\r\n:1\r\n$-1\r\n");
  CHECK(server.run("DBSIZE") == ":4\r\n");
  CHECK(server.run("GET", "string") == "$1\r\nw\r\n");
  CHECK(server.run("LLEN", "list") == ":2\r\n");
  CHECK(server.told("APPEND", "untouched", "w") == ":2\r\n");
}

TEST_CASE(
    "a replica remembers one deadline for each key of its own, and none of keys that are gone") {
  Replica server;
  server.run("CONFIG", "SET", "replica-read-only", "no");
  const std::string far = std::to_string(server.now().ms + 1'000'000);
  server.run("SET", "k", "v");
  const std::size_t before = hearth::memory::used_bytes();
  for (int i = 0; i < 20'000; ++i)
    server.run("PEXPIREAT", "k", std::to_string(server.now().ms + 1'000'000 + i));
  CHECK(hearth::memory::used_bytes() < before + 100'000);
  server.run("DEL", "k");
  server.run("SET", "k", "v", "PXAT", far);
  server.run("PERSIST", "k");
  server.advance(milliseconds(2'000'000));
  server.tick();
  CHECK(server.run("GET", "k") == "$1\r\nv\r\n");
}
