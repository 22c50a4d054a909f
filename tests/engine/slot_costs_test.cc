// The slots that commands count for in CLUSTER SLOT-STATS.
#include <doctest/doctest.h>

#include "cluster/model/slot.h"
#include "tests/engine/cluster_fixture.h"
#include "tests/support/fake_persistence.h"

using namespace hearth;
using namespace hearth::test;

namespace {

const std::string kKey = "{06S}a", kSameSlot = "{06S}b", kOtherSlot = "Qi";

// No whole number of microseconds.
std::uint64_t moving_ticks() {
  static std::uint64_t now = 0;
  return now += 1700;
}

struct Costs {
  Costs() : f(two_nodes(), 2, 1, moving_ticks) {
    f.run("CONFIG", "SET", "cluster-slot-stats-enabled", "yes");
    f.server.engine().services().replication = &replication;
  }
  [[nodiscard]] SlotFigures of(const std::string& key) {
    return f.server.engine().stats().slots.of(cluster::slot_of(key));
  }
  [[nodiscard]] std::uint64_t usec(const std::string& command) {
    const std::string text = f.run("INFO", "commandstats");
    const std::size_t at = text.find("cmdstat_" + command + ":");
    if (at == std::string::npos) return 0;
    return std::stoull(text.substr(text.find("usec=", at) + 5));
  }
  void reset() { f.run("CONFIG", "RESETSTAT"); }

  FakeReplication replication;
  ClusterFixture f;
};

std::uint64_t size_of(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words)
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text.size();
}

}  // namespace

TEST_CASE("a slot's microseconds are those of the commands, however they are rounded") {
  Costs c;
  REQUIRE(cluster::slot_of(kOtherSlot) < 8192);
  for (int i = 0; i < 10; ++i) {
    c.f.run("SET", kKey, "v");
    c.f.run("SET", kOtherSlot, "v");
    c.f.run("GET", kKey);
  }
  CHECK(c.of(kKey).cpu_us > 0);
  CHECK(c.of(kKey).cpu_us + c.of(kOtherSlot).cpu_us == c.usec("set") + c.usec("get"));
}

TEST_CASE("a script counts for the slot of the keys that it reached, declared or not") {
  Costs c;
  const std::string two = "redis.call('set','" + kKey + "','v') redis.call('get','";
  c.f.run("EVAL", two + kSameSlot + "')", "0");
  CHECK(c.of(kKey).cpu_us == c.usec("eval"));
  CHECK(c.of(kKey).bytes_in == size_of({"EVAL", two + kSameSlot + "')", "0"}));
  CHECK(c.of(kKey).bytes_out == 5);
  c.reset();
  // Of several slots, it counts for none.
  const std::string crosses = "#!lua flags=allow-cross-slot-keys\n" + two + kOtherSlot + "')";
  REQUIRE(c.f.run("EVAL", crosses, "0") == "$-1\r\n");
  REQUIRE(c.f.run("EVAL", crosses, "1", kKey) == "$-1\r\n");
  CHECK(c.of(kKey).cpu_us == 0);
  CHECK(c.of(kKey).bytes_in == 0);
  CHECK(c.of(kOtherSlot).bytes_in == 0);
  // The keys that one script reached are nothing to the next command.
  c.f.run("PING");
  c.f.run("GET", kOtherSlot);
  CHECK(c.of(kKey).bytes_in == 0);
  CHECK(c.of(kOtherSlot).bytes_in == size_of({"GET", kOtherSlot}));
}

TEST_CASE("a transaction counts as a whole when it is run, and not when it is discarded") {
  Costs c;
  c.f.run("MULTI");
  c.f.run("SET", kKey, "v");
  c.f.run("DISCARD");
  c.f.run("MULTI");
  c.f.run("SET", kKey, "v");
  c.f.run("GET", kSameSlot);
  CHECK(c.of(kKey).bytes_in == 0);
  CHECK(c.of(kKey).cpu_us == 0);
  CHECK(c.f.run("EXEC") == "*2\r\n+OK\r\n$-1\r\n");
  CHECK(c.of(kKey).cpu_us == c.usec("exec"));
  CHECK(c.of(kKey).bytes_in == size_of({"MULTI"}) + size_of({"SET", kKey, "v"}) +
                                   size_of({"GET", kSameSlot}) + size_of({"EXEC"}));
  CHECK(c.of(kKey).bytes_out == 5 + 9 + 9 + (4 + 5 + 5));
}

TEST_CASE("a command that waits counts when it has its answer") {
  Costs c;
  Session& waits = c.f.server.open();
  c.f.server.run_words(waits, {"BLPOP", kKey, "0"});
  CHECK(c.of(kKey).bytes_in == 0);
  c.f.run("LPUSH", kKey, "v");
  CHECK(c.of(kKey).bytes_in == size_of({"BLPOP", kKey, "0"}) + size_of({"LPUSH", kKey, "v"}));
  CHECK(c.of(kKey).bytes_out == 4 + size_of({kKey, "v"}));
  CHECK(c.of(kKey).cpu_us == c.usec("blpop") + c.usec("lpush"));
}

TEST_CASE("a command that waits in vain counts too, for itself and not for who ends its wait") {
  Costs c;
  Session& waits = c.f.server.open();
  c.f.server.run_words(waits, {"BLPOP", kKey, "1"});
  c.f.server.advance(milliseconds{1001});
  c.f.server.engine().blocking().run_due();
  CHECK(EngineFixture::take(waits) == "*-1\r\n");
  CHECK(c.of(kKey).bytes_in == size_of({"BLPOP", kKey, "1"}));
  CHECK(c.of(kKey).bytes_out == 5);
  CHECK(c.of(kKey).cpu_us == c.usec("blpop"));
  c.reset();
  c.f.server.run_words(waits, {"BLPOP", kKey, "0"});
  CHECK(c.f.run("CLIENT", "UNBLOCK", std::to_string(waits.id)) == ":1\r\n");
  CHECK(EngineFixture::take(waits) == "*-1\r\n");
  CHECK(c.of(kKey).bytes_in == size_of({"BLPOP", kKey, "0"}));
  CHECK(c.of(kKey).bytes_out == 5);
}

TEST_CASE("a request counts the bytes that it had on the wire") {
  Costs c;
  // "SET Qi v\r\n" behind another request: the words say nothing of the form that they came in.
  RequestBatch batch;
  batch.words = {"PING", "SET", kOtherSlot, "v"};
  batch.begin = 100;
  batch.requests.push_back({0, 1, 106, nullptr, {}});
  batch.requests.push_back({1, 3, 116, nullptr, {}});
  CHECK(c.f.server.engine().run(c.f.server.session(), batch) == 2);
  CHECK(c.of(kOtherSlot).bytes_in == 10);
}

TEST_CASE("silent replies are not sent") {
  Costs c;
  c.f.run("CLIENT", "REPLY", "OFF");
  c.f.run("SET", kKey, "v");
  CHECK(c.of(kKey).bytes_out == 0);
  CHECK(c.of(kKey).bytes_in == size_of({"SET", kKey, "v"}));
}

TEST_CASE("the stream counts once for each replica that gets it") {
  Costs c;
  c.f.run("SET", kKey, "v");
  CHECK(c.of(kKey).bytes_out == 5);
  c.replication.fed = 2;
  c.f.run("SET", kKey, "v");
  CHECK(c.of(kKey).bytes_out == 5 + 5 + 2 * size_of({"SET", kKey, "v"}));
  // A command without keys is of no slot, not of slot 0.
  c.f.run("FLUSHALL");
  CHECK(c.of(kKey).bytes_out == 5 + 5 + 2 * size_of({"SET", kKey, "v"}));
}

TEST_CASE("messages of a shard channel count once for each listener") {
  Costs c;
  Session& first = c.f.server.open();
  Session& second = c.f.server.open();
  const std::string message = "*3\r\n$8\r\nsmessage\r\n$6\r\n{06S}a\r\n$5\r\nhello\r\n";
  const std::string confirmed = "*3\r\n$10\r\nssubscribe\r\n$6\r\n{06S}a\r\n:1\r\n";
  CHECK(c.f.server.run_words(first, {"SSUBSCRIBE", kKey}) == confirmed);
  CHECK(c.of(kKey).bytes_out == confirmed.size());
  CHECK(c.of(kKey).bytes_in == size_of({"SSUBSCRIBE", kKey}));
  c.f.server.run_words(second, {"SSUBSCRIBE", kKey});
  c.reset();
  CHECK(c.f.run("SPUBLISH", kKey, "hello") == ":2\r\n");
  CHECK(EngineFixture::take(first) == message);
  CHECK(c.of(kKey).bytes_out == 4 + 2 * message.size());
  c.f.run("PUBLISH", kKey, "hello");
  CHECK(c.of(kKey).bytes_out == 4 + 2 * message.size());
}

TEST_CASE("a replica counts what its primary sends it, and no replies") {
  Costs c;
  Session& primary = c.f.server.open();
  primary.replaying = primary.primary = true;
  c.f.server.run_words(primary, {"MULTI"});
  c.f.server.run_words(primary, {"SET", kKey, "v"});
  c.f.server.run_words(primary, {"EXEC"});
  CHECK(c.of(kKey).bytes_in ==
        size_of({"MULTI"}) + size_of({"SET", kKey, "v"}) + size_of({"EXEC"}));
  CHECK(c.of(kKey).bytes_out == 0);
  CHECK(c.of(kKey).cpu_us == c.usec("exec"));
}

TEST_CASE("a log that is loaded counts nothing") {
  Costs c;
  c.f.server.engine().set_loading(true);
  Session& log = c.f.server.open();
  log.replaying = true;
  c.f.server.run_words(log, {"SET", kKey, "v"});
  c.f.server.engine().set_loading(false);
  CHECK(c.of(kKey).bytes_in == 0);
  CHECK(c.of(kKey).cpu_us == 0);
}
