#include <doctest/doctest.h>

#include "src/command/migration_control.h"
#include "tests/support/engine_fixture.h"

using hearth::MigrationControl;
using hearth::milliseconds;
using hearth::Session;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

// Keeps the jobs; the test says how each ended.
class FakeMigration final : public MigrationControl {
 public:
  void start(Job job, std::function<void(JobResult)> done) override {
    jobs.push_back(std::move(job));
    completions.push_back(std::move(done));
  }
  std::vector<Job> jobs;
  std::vector<std::function<void(JobResult)>> completions;
};

struct Fixture {
  explicit Fixture(const EngineFixture::Options& options = {}) : server(options) {
    server.engine().services().migration = &link;
  }
  EngineFixture server;
  FakeMigration link;
};

std::vector<Lines> without_payload(std::vector<std::vector<std::string>> commands) {
  for (auto& words : commands) words.at(3) = "payload";
  return commands;
}

}  // namespace

TEST_CASE("MIGRATE waits for the other side, then removes the key and answers") {
  Fixture f;
  f.server.run("SET", "k", "v", "PX", "500");
  const std::string payload = f.server.run("DUMP", "k");
  CHECK(f.server.run("MIGRATE", "host", "7000", "k", "2", "100").empty());
  REQUIRE(f.link.jobs.size() == 1);
  const MigrationControl::Job& job = f.link.jobs[0];
  CHECK(job.host == "host");
  CHECK(job.port == 7000);
  CHECK(job.timeout == milliseconds(100));
  CHECK(job.preamble == std::vector<Lines>{{"SELECT", "2"}});
  REQUIRE(job.commands.size() == 1);
  CHECK(job.commands[0].size() == 4);
  CHECK(without_payload(job.commands) == std::vector<Lines>{{"RESTORE", "k", "500", "payload"}});
  CHECK(payload.find(job.commands[0][3]) != std::string::npos);

  CHECK(f.server.effects().empty());
  f.link.completions[0]({"", {""}});
  CHECK(EngineFixture::take(f.server.session()) == "+OK\r\n");
  CHECK(f.server.effects() == Lines{"DEL k"});
  CHECK(f.server.events() == Lines{"del k"});
  CHECK(f.server.run("EXISTS", "k") == ":0\r\n");
}

TEST_CASE("MIGRATE of keys that don't exist says so and contacts nobody") {
  Fixture f;
  CHECK(f.server.run("MIGRATE", "host", "7000", "none", "0", "100") == "+NOKEY\r\n");
  CHECK(f.server.run("MIGRATE", "host", "7000", "", "0", "100", "KEYS", "a", "b") == "+NOKEY\r\n");
  CHECK(f.link.jobs.empty());
}

TEST_CASE("MIGRATE takes several keys, each once, and its options") {
  Fixture f;
  f.server.run("MSET", "a", "1", "b", "2", "KEYS", "3");
  CHECK(f.server
            .run("MIGRATE", "h", "1", "", "0", "0", "COPY", "REPLACE", "AUTH2", "user", "secret",
                 "KEYS", "a", "none", "b", "a", "KEYS")
            .empty());
  REQUIRE(f.link.jobs.size() == 1);
  CHECK(f.link.jobs[0].timeout == milliseconds(1000));
  CHECK(f.link.jobs[0].preamble == std::vector<Lines>{{"AUTH", "user", "secret"}, {"SELECT", "0"}});
  CHECK(without_payload(f.link.jobs[0].commands) ==
        std::vector<Lines>{{"RESTORE", "a", "0", "payload", "REPLACE"},
                           {"RESTORE", "b", "0", "payload", "REPLACE"},
                           {"RESTORE", "KEYS", "0", "payload", "REPLACE"}});
  f.link.completions[0]({"", {"", "", ""}});
  CHECK(EngineFixture::take(f.server.session()) == "+OK\r\n");
  CHECK(f.server.effects().empty());
  CHECK(f.server.run("EXISTS", "a", "b", "KEYS") == ":3\r\n");
}

TEST_CASE("MIGRATE removes exactly the keys whose arrival was confirmed") {
  Fixture f;
  f.server.run("MSET", "a", "1", "b", "2", "c", "3");
  f.server.run("MIGRATE", "h", "1", "", "0", "10", "KEYS", "a", "b", "c");
  f.link.completions[0]({"", {"", "BUSYKEY Target key name already exists.", ""}});
  CHECK(EngineFixture::take(f.server.session()) ==
        "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n");
  CHECK(f.server.effects() == Lines{"DEL a c"});
  CHECK(f.server.run("EXISTS", "a", "b", "c") == ":1\r\n");

  f.server.run("MSET", "a", "1", "b", "2", "c", "3");
  f.server.run("MIGRATE", "h", "1", "", "0", "10", "KEYS", "a", "b", "c");
  f.link.completions[1]({"IOERR error or timeout reading to target instance", {""}});
  CHECK(EngineFixture::take(f.server.session()) ==
        "-IOERR error or timeout reading to target instance\r\n");
  CHECK(f.server.effects() == Lines{"DEL a"});
  CHECK(f.server.run("EXISTS", "a", "b", "c") == ":2\r\n");
}

TEST_CASE("while a key is on its way other clients that name it wait, the rest go on") {
  Fixture f;
  Session& other = f.server.open();
  Session& third = f.server.open();
  f.server.run("MSET", "k", "1", "free", "2");
  f.server.run("MIGRATE", "h", "1", "k", "0", "10");
  CHECK(f.server.run_as(other, "SET", "k", "new").empty());
  CHECK(other.is_parked());
  CHECK(f.server.run_as(third, "GET", "free") == "$1\r\n2\r\n");
  f.link.completions[0]({"", {""}});
  CHECK(!other.is_parked());
  CHECK(f.server.resumed().size() == 2);
  CHECK(f.server.run_as(other, "GET", "k") == "$-1\r\n");
}

TEST_CASE("a client that left does not stop its migration") {
  Fixture f;
  Session& other = f.server.open();
  f.server.run("SET", "k", "v");
  f.server.run_as(other, "MIGRATE", "h", "1", "k", "0", "10");
  f.server.engine().close(other);
  f.link.completions[0]({"", {""}});
  CHECK(f.server.run("EXISTS", "k") == ":0\r\n");
}

TEST_CASE("a key that ends on its way is not removed twice") {
  Fixture f;
  f.server.run("SET", "k", "v", "PX", "50");
  f.server.run("MIGRATE", "h", "1", "k", "0", "10");
  f.server.advance(milliseconds(50));
  f.server.tick();
  f.link.completions[0]({"", {""}});
  CHECK(EngineFixture::take(f.server.session()) == "+OK\r\n");
  CHECK(f.server.effects() == Lines{"UNLINK k"});
}

TEST_CASE("in cluster mode keys travel with RESTORE-ASKING") {
  EngineFixture::Options options;
  options.config = {{"cluster-enabled", "yes"}};
  Fixture f(options);
  f.server.run("MSET", "{t}a", "1", "{t}b", "2");
  CHECK(f.server.run("MIGRATE", "h", "1", "", "0", "10", "KEYS", "{t}a", "{t}b").empty());
  CHECK(f.link.jobs[0].preamble.empty());
  CHECK(without_payload(f.link.jobs[0].commands) ==
        std::vector<Lines>{{"RESTORE-ASKING", "{t}a", "0", "payload"},
                           {"RESTORE-ASKING", "{t}b", "0", "payload"}});
}

TEST_CASE("MIGRATE refuses what it cannot understand") {
  Fixture f;
  CHECK(
      f.server.run("MIGRATE", "h", "1", "k", "0", "10", "KEYS", "a") ==
      "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string\r\n");
  CHECK(f.server.run("MIGRATE", "h", "1", "k", "0", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(f.server.run("MIGRATE", "h", "1", "k", "x", "10") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(f.server.run("MIGRATE", "h", "1", "k", "0", "10", "WHAT") == "-ERR syntax error\r\n");
  CHECK(f.server.run("MIGRATE", "h", "1", "k", "0", "10", "AUTH") == "-ERR syntax error\r\n");
  CHECK(f.server.run("MIGRATE", "h", "1", "k", "0", "10", "AUTH2", "u") == "-ERR syntax error\r\n");
}

TEST_CASE(
    "in a transaction MIGRATE waits like anywhere, and nobody sees the transaction half done") {
  Fixture f;
  Session& other = f.server.open();
  f.server.run("MSET", "k", "v", "l", "w");
  f.server.run("MULTI");
  f.server.run("SET", "before", "1");
  CHECK(f.server.run("MIGRATE", "h", "1", "k", "0", "10") == "+QUEUED\r\n");
  f.server.run("EXISTS", "k");
  f.server.run("MIGRATE", "h", "1", "l", "0", "10");
  f.server.run("SET", "after", "1");
  CHECK(f.server.run("EXEC") == "*5\r\n+OK\r\n");
  CHECK(f.server.run_as(other, "GET", "before").empty());
  CHECK(other.is_held());
  f.link.completions.at(0)({"", {""}});
  CHECK(EngineFixture::take(f.server.session()) == "+OK\r\n:0\r\n");
  CHECK(f.server.run_as(other, "GET", "before").empty());
  f.link.completions.at(1)({"IOERR no", {}});
  CHECK(EngineFixture::take(f.server.session()) == "-IOERR no\r\n+OK\r\n");
  CHECK_FALSE(other.is_held());
  CHECK(f.server.run_as(other, "MGET", "before", "after", "l") ==
        "*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\nw\r\n");
  CHECK(f.server.run("PING") == "+PONG\r\n");
}

TEST_CASE("the rest of a transaction runs even if its client leaves while it waits") {
  Fixture f;
  Session& other = f.server.open();
  f.server.run("SET", "k", "v");
  f.server.run_as(other, "MULTI");
  f.server.run_as(other, "MIGRATE", "h", "1", "k", "0", "10");
  f.server.run_as(other, "SET", "after", "1");
  f.server.run_as(other, "EXEC");
  f.server.engine().close(other);
  CHECK(f.server.run("GET", "after") == "$1\r\n1\r\n");
  f.link.completions.at(0)({"", {""}});
  CHECK(f.server.run("EXISTS", "k") == ":0\r\n");
}

TEST_CASE(
    "who waits for a key that MIGRATE holds is served when it is free, from another key too") {
  Fixture f;
  Session& waiter = f.server.open();
  f.server.run("RPUSH", "moving", "x");
  f.server.run_as(waiter, "BLPOP", "here", "moving2", "0");
  f.server.run("RPUSH", "moving2x", "x");
  f.server.run("MIGRATE", "h", "1", "moving", "0", "10");
  f.server.run_as(f.server.open(), "RPUSH", "here", "1");
  CHECK(EngineFixture::take(waiter) == "*2\r\n$4\r\nhere\r\n$1\r\n1\r\n");
  Session& second = f.server.open();
  f.server.run_as(second, "BLPOP", "here", "locked", "0");
  Session& mover = f.server.open();
  f.server.run_as(mover, "SET", "locked", "not a list");
  f.server.run_as(mover, "MIGRATE", "h", "1", "locked", "0", "10");
  f.server.run_as(f.server.open(), "RPUSH", "here", "2");
  CHECK(EngineFixture::take(second).empty());
  f.link.completions.at(1)({"", {""}});  // `moving` is on its way still
  CHECK(EngineFixture::take(second) == "*2\r\n$4\r\nhere\r\n$1\r\n2\r\n");
}

TEST_CASE("keys that are free again are so although others are still on their way") {
  Fixture f;
  Session& other = f.server.open();
  f.server.run("MSET", "a", "1", "b", "2");
  f.server.run_as(f.server.open(), "MIGRATE", "h", "1", "a", "0", "10");
  f.server.run_as(f.server.open(), "MIGRATE", "h", "1", "b", "0", "10");
  f.server.run_as(other, "GET", "a");
  CHECK(other.is_held());
  f.link.completions.at(0)({"IOERR no", {}});
  CHECK_FALSE(other.is_held());
  CHECK(f.server.run_as(other, "GET", "a") == "$1\r\n1\r\n");
  CHECK(f.server.run_as(other, "GET", "b").empty());
}
