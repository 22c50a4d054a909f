// The cluster family and redirects, over a real bus machine that has no network.
#include <doctest/doctest.h>

#include "cluster/model/slot.h"
#include "src/command/progress_source.h"
#include "tests/engine/cluster_fixture.h"

using namespace hearth;
using namespace hearth::test;
using Fixture = ClusterFixture;

namespace {
const char* const kOk = "+OK\r\n";
}

TEST_CASE("keys of other nodes are redirected, own ones served, unowned ones refused") {
  Fixture f;
  CHECK(f.run("SET", "06S", "v") == kOk);  // slot 0
  CHECK(f.run("GET", "foo") == "-MOVED 12182 127.0.0.2:6380\r\n");
  CHECK(f.run("MGET", "06S", "Qi") == "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
  CHECK(f.run("DEL", "{06S}a", "{06S}b") == ":0\r\n");
  CHECK(f.run("PING") == "+PONG\r\n");
  CHECK(f.run("CLUSTER", "DELSLOTS", "0") == kOk);
  CHECK(f.run("GET", "06S") == "-CLUSTERDOWN Hash slot not served\r\n");
}

TEST_CASE("EXEC tells where a slot went that moved after its commands were queued") {
  Fixture f;
  CHECK(f.run("MULTI") == kOk);
  CHECK(f.run("SET", "06S", "v") == "+QUEUED\r\n");
  Session& admin = f.server.open();
  CHECK(f.server.run_words(admin, {"CLUSTER", "SETSLOT", "0", "NODE", kOther}) == kOk);
  CHECK(f.run("EXEC") == "-MOVED 0 127.0.0.2:6380\r\n");
  CHECK(f.run("EXEC") == "-ERR EXEC without MULTI\r\n");
}

TEST_CASE("a script with flags stays in the slot of the keys that it was called with") {
  Fixture f;
  const std::string body = "return redis.call('set', '{06S}x', 'v')";
  CHECK(f.run("EVAL", "#!lua\n" + body, "1", "{06S}a") == kOk);
  // Slot 1 is this node's too.
  const std::string one = "Qi";
  REQUIRE(cluster::slot_of(one) < 8192);
  REQUIRE(cluster::slot_of(one) != 0);
  CHECK(f.run("EVAL", "#!lua\n" + body, "1", one)
            .starts_with("-ERR Script attempted to access keys that do not hash to the same slot"));
  CHECK(f.run("EVAL", "#!lua flags=allow-cross-slot-keys\n" + body, "1", one) == kOk);
  CHECK(f.run("EVAL", body, "1", one) == kOk);
}

TEST_CASE("a transaction is refused as a whole when one of its keys is elsewhere") {
  Fixture f;
  CHECK(f.run("MULTI") == kOk);
  CHECK(f.run("SET", "06S", "v") == "+QUEUED\r\n");
  CHECK(f.run("SET", "foo", "v") == "-MOVED 12182 127.0.0.2:6380\r\n");
  CHECK(f.run("EXEC") == "-EXECABORT Transaction discarded because of previous errors.\r\n");
}

TEST_CASE("a migrating slot sends clients after missing keys") {
  Fixture f;
  CHECK(f.run("SET", "{06S}here", "v") == kOk);
  CHECK(f.run("CLUSTER", "SETSLOT", "0", "MIGRATING", kOther) == kOk);
  CHECK(f.run("GET", "{06S}here") == "$1\r\nv\r\n");
  CHECK(f.run("GET", "{06S}gone") == "-ASK 0 127.0.0.2:6380\r\n");
  CHECK(f.run("MGET", "{06S}here", "{06S}gone") ==
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
  CHECK(f.run("CLUSTER", "SETSLOT", "0", "NODE", kOther) ==
        "-ERR Can't assign hashslot 0 to a different node while I still hold keys for this hash "
        "slot.\r\n");
  CHECK(f.run("DEL", "{06S}here") == ":1\r\n");
  CHECK(f.run("CLUSTER", "SETSLOT", "0", "NODE", kOther) == kOk);
  CHECK(f.run("GET", "{06S}here") == "-MOVED 0 127.0.0.2:6380\r\n");
}

TEST_CASE("an importing slot is served after ASKING, for one command") {
  Fixture f;
  CHECK(f.run("CLUSTER", "SETSLOT", "12182", "IMPORTING", kOther) == kOk);
  CHECK(f.run("GET", "foo") == "-MOVED 12182 127.0.0.2:6380\r\n");
  CHECK(f.run("ASKING") == kOk);
  CHECK(f.run("SET", "foo", "v") == kOk);
  CHECK(f.run("GET", "foo") == "-MOVED 12182 127.0.0.2:6380\r\n");
  CHECK(f.run("CLUSTER", "SETSLOT", "12182", "NODE", kMe) == kOk);
  CHECK(f.run("GET", "foo") == "$1\r\nv\r\n");
  CHECK(f.run("CLUSTER", "INFO").find("cluster_my_epoch:3") != std::string::npos);
}

TEST_CASE("READONLY and READWRITE are remembered by the session") {
  Fixture f;
  CHECK(f.run("READONLY") == kOk);
  CHECK(f.server.session().readonly);
  CHECK(f.run("READWRITE") == kOk);
  CHECK_FALSE(f.server.session().readonly);
}

TEST_CASE("without cluster mode every command of the family says so") {
  EngineFixture server;
  const std::string refusal = "-ERR This instance has cluster support disabled\r\n";
  CHECK(server.run("CLUSTER", "INFO") == refusal);
  CHECK(server.run("CLUSTER", "ADDSLOTS", "1") == refusal);
  CHECK(server.run("CLUSTER", "KEYSLOT", "foo") == refusal);
  CHECK(server.run("ASKING") == refusal);
  CHECK(server.run("READONLY") == refusal);
}

TEST_CASE("CLUSTER reports ids, slots of keys and what is in slots") {
  Fixture f;
  CHECK(f.run("CLUSTER", "MYID") == "$40\r\n" + kMe + "\r\n");
  CHECK(f.run("CLUSTER", "MYSHARDID") == "$40\r\n" + std::string(40, '1') + "\r\n");
  CHECK(f.run("CLUSTER", "KEYSLOT", "foo{06S}") == ":0\r\n");
  f.run("SET", "{06S}a", "1");
  f.run("SET", "{06S}b", "1");
  CHECK(f.run("CLUSTER", "COUNTKEYSINSLOT", "0") == ":2\r\n");
  CHECK(f.run("CLUSTER", "GETKEYSINSLOT", "0", "1").starts_with("*1\r\n$6\r\n{06S}"));
  CHECK(f.run("CLUSTER", "GETKEYSINSLOT", "0", "10").starts_with("*2\r\n"));
  CHECK(f.run("CLUSTER", "COUNTKEYSINSLOT", "16384") == "-ERR Invalid slot\r\n");
  CHECK(f.run("CLUSTER", "GETKEYSINSLOT", "0", "-1") == "-ERR Invalid slot or number of keys\r\n");
  CHECK(f.run("CLUSTER", "COUNT-FAILURE-REPORTS", kOther) == ":0\r\n");
  CHECK(f.run("CLUSTER", "COUNT-FAILURE-REPORTS", "x") == "-ERR Unknown node x\r\n");
}

TEST_CASE("CLUSTER NODES, INFO and REPLICAS are text") {
  Fixture f;
  const std::string nodes = f.run("CLUSTER", "NODES");
  CHECK(nodes.find(kMe + " 127.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-8191\n") !=
        std::string::npos);
  CHECK(nodes.find(kOther + " 127.0.0.2:6380@16380,b.example.org master -") != std::string::npos);
  CHECK(f.run("CLUSTER", "INFO").find("cluster_state:ok\r\ncluster_slots_assigned:16383\r\n") !=
        std::string::npos);
  CHECK(f.run("CLUSTER", "REPLICAS", kOther)
            .find(kReplica + " 127.0.0.3:6381@16381 slave " + kOther) != std::string::npos);
  CHECK(f.run("CLUSTER", "SLAVES", kMe) == "*0\r\n");
  CHECK(f.run("CLUSTER", "REPLICAS", kReplica) == "-ERR The specified node is not a master\r\n");
  CHECK(f.run("CLUSTER", "REPLICAS", "nobody") == "-ERR Unknown node nobody\r\n");
  Fixture resp3(two_nodes(), 3);
  CHECK(resp3.run("CLUSTER", "INFO").starts_with("="));
}

TEST_CASE("CLUSTER SLOTS lists ranges with their nodes") {
  Fixture f;
  const auto node = [](const std::string& ip, const std::string& port, const std::string& id,
                       const std::string& more) {
    return "*4\r\n$9\r\n" + ip + "\r\n:" + port + "\r\n$40\r\n" + id + "\r\n" + more;
  };
  // A replica is listed once it has data.
  CHECK(f.run("CLUSTER", "SLOTS").find(kReplica) == std::string::npos);
  f.cluster.hear_replica(0);
  CHECK(f.run("CLUSTER", "SLOTS").find(kReplica) == std::string::npos);
  CHECK(f.run("CLUSTER", "SHARDS").find("loading") != std::string::npos);
  f.cluster.hear_replica(7);
  CHECK(f.run("CLUSTER", "SHARDS").find("loading") == std::string::npos);
  CHECK(f.run("CLUSTER", "SLOTS") ==
        "*2\r\n*3\r\n:0\r\n:8191\r\n" + node("127.0.0.1", "6379", kMe, "*0\r\n") +
            "*4\r\n:8192\r\n:16382\r\n" +
            node("127.0.0.2", "6380", kOther, "*2\r\n$8\r\nhostname\r\n$13\r\nb.example.org\r\n") +
            node("127.0.0.3", "6381", kReplica, "*0\r\n"));
}

TEST_CASE("CLUSTER SHARDS and LINKS are maps") {
  Fixture f(two_nodes(), 3);
  const std::string shards = f.run("CLUSTER", "SHARDS");
  CHECK(shards.starts_with(
      "*2\r\n%2\r\n$5\r\nslots\r\n*2\r\n:0\r\n:8191\r\n$5\r\nnodes\r\n*1\r\n%7\r\n$2\r\nid\r\n"));
  CHECK(shards.find("$4\r\nrole\r\n$7\r\nreplica\r\n") != std::string::npos);
  CHECK(shards.find("$6\r\nhealth\r\n$7\r\nloading\r\n") != std::string::npos);
  CHECK(f.run("CLUSTER", "LINKS")
            .starts_with("*2\r\n%6\r\n$9\r\ndirection\r\n$2\r\nto\r\n$4\r\nnode\r\n"));
}

TEST_CASE("slots are assigned and given up") {
  Fixture f(std::string{});
  CHECK(f.run("CLUSTER", "ADDSLOTS", "1", "2") == kOk);
  CHECK(f.run("CLUSTER", "ADDSLOTS", "2") == "-ERR Slot 2 is already busy\r\n");
  CHECK(f.run("CLUSTER", "ADDSLOTS", "3", "3") == "-ERR Slot 3 specified multiple times\r\n");
  CHECK(f.run("CLUSTER", "ADDSLOTS", "16384") == "-ERR Invalid or out of range slot\r\n");
  CHECK(f.run("CLUSTER", "ADDSLOTSRANGE", "10", "20", "30", "30") == kOk);
  CHECK(f.run("CLUSTER", "ADDSLOTSRANGE", "5", "4") ==
        "-ERR start slot number 5 is greater than end slot number 4\r\n");
  CHECK(f.run("CLUSTER", "ADDSLOTSRANGE", "5", "6", "7") ==
        "-ERR wrong number of arguments for 'cluster|addslotsrange' command\r\n");
  CHECK(f.cluster.view()->me().slot_count == 14);
  CHECK(f.run("CLUSTER", "DELSLOTS", "1") == kOk);
  CHECK(f.run("CLUSTER", "DELSLOTS", "1") == "-ERR Slot 1 is already unassigned\r\n");
  CHECK(f.run("CLUSTER", "DELSLOTSRANGE", "10", "20") == kOk);
  CHECK(f.cluster.view()->me().slot_count == 2);
  CHECK(f.run("CLUSTER", "FLUSHSLOTS") == kOk);
  CHECK(f.cluster.view()->me().slot_count == 0);
  CHECK(f.run("CLUSTER", "SETSLOT", "1", "SIDEWAYS", kMe) ==
        "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP\r\n");
  CHECK(f.run("CLUSTER", "SETSLOT", "1", "STABLE") == kOk);
  CHECK(f.run("CLUSTER", "SETSLOT", "1", "MIGRATING", kOther) ==
        "-ERR I'm not the owner of hash slot 1\r\n");
  CHECK(f.run("CLUSTER", "SETSLOT", "1", "IMPORTING", kOther) ==
        "-ERR I don't know about node " + kOther + "\r\n");
  CHECK(f.run("CLUSTER", "SETSLOT", "1", "NODE", kOther) == "-ERR Unknown node " + kOther + "\r\n");
}

TEST_CASE("epochs, meeting, forgetting, saving and resetting") {
  Fixture f(std::string{});
  CHECK(f.run("CLUSTER", "SET-CONFIG-EPOCH", "-1") ==
        "-ERR Invalid config epoch specified: -1\r\n");
  CHECK(f.run("CLUSTER", "SET-CONFIG-EPOCH", "4") == kOk);
  CHECK(f.run("CLUSTER", "SET-CONFIG-EPOCH", "5") ==
        "-ERR Node config epoch is already non-zero\r\n");
  CHECK(f.run("CLUSTER", "BUMPEPOCH") == "+STILL 4\r\n");
  CHECK(f.run("CLUSTER", "MEET", "127.0.0.1", "7000") == kOk);
  CHECK(f.cluster.view()->nodes.size() == 2);
  CHECK(f.run("CLUSTER", "MEET", "127.0.0.1", "x") == "-ERR Invalid base port specified: x\r\n");
  CHECK(f.run("CLUSTER", "MEET", "127.0.0.1", "1", "x") ==
        "-ERR Invalid bus port specified: x\r\n");
  CHECK(f.run("CLUSTER", "MEET", "127.0.0.1", "65530") ==
        "-ERR Invalid node address specified: 127.0.0.1:65530\r\n");
  CHECK(f.run("CLUSTER", "MEET", "host", "7000") ==
        "-ERR Invalid node address specified: host:7000\r\n");
  CHECK(f.run("CLUSTER", "FORGET", kOther) == "-ERR Unknown node " + kOther + "\r\n");
  CHECK(f.run("CLUSTER", "SAVECONFIG") == kOk);
  CHECK(f.run("CLUSTER", "RESET", "SIDEWAYS") == "-ERR syntax error\r\n");
  const std::string before = f.run("CLUSTER", "MYID");
  CHECK(f.run("CLUSTER", "RESET") == kOk);
  CHECK(f.run("CLUSTER", "MYID") == before);
  CHECK(f.run("CLUSTER", "RESET", "HARD") == kOk);
  CHECK(f.run("CLUSTER", "MYID") != before);
  CHECK(f.cluster.view()->current_epoch == 0);
}

TEST_CASE("a node with keys is neither reset nor relieved of all slots") {
  Fixture f;
  f.run("SET", "06S", "v");
  CHECK(f.run("CLUSTER", "RESET") ==
        "-ERR CLUSTER RESET can't be called with master nodes containing keys\r\n");
  CHECK(f.run("CLUSTER", "FLUSHSLOTS") ==
        "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS.\r\n");
  CHECK(f.run("CLUSTER", "FORGET", kMe) == "-ERR I tried hard but I can't forget myself...\r\n");
  CHECK(f.run("CLUSTER", "FORGET", kReplica) == kOk);
  CHECK(f.cluster.view()->nodes.size() == 2);
}

TEST_CASE("CLUSTER HELP lists its subcommands and unknown ones are refused") {
  Fixture f;
  CHECK(f.run("CLUSTER", "HELP").find("SETSLOT") != std::string::npos);
  CHECK(f.run("CLUSTER", "NONSENSE").starts_with("-ERR unknown subcommand 'NONSENSE'"));
}

TEST_CASE("DEBUG reaches the bus") {
  Fixture f;
  CHECK(f.run("DEBUG", "DROP-CLUSTER-PACKET-FILTER", "1") == kOk);
  CHECK(f.cluster.dropped == 1);
  CHECK(f.run("DEBUG", "CLOSE-CLUSTER-LINK-ON-PACKET-DROP", "1") == kOk);
  CHECK(f.cluster.closes);
  CHECK(f.run("DEBUG", "CLUSTERLINK", "KILL", "ALL", kOther) == kOk);
  CHECK(f.run("DEBUG", "CLUSTERLINK", "KILL", "ALL", kMe) == "-ERR Unknown node " + kMe + "\r\n");
  CHECK(f.run("INFO", "clients").find("cluster_connections:2\r\n") != std::string::npos);
}

TEST_CASE("SLOT-STATS counts keys always, and cost by slot where it is switched on") {
  Fixture f;
  const std::string key = "{06S}a", same_slot = "{06S}b";  // slot 0
  const std::string slot = f.run("CLUSTER", "KEYSLOT", key);
  const std::string number = slot.substr(1, slot.size() - 3);
  REQUIRE(slot == f.run("CLUSTER", "KEYSLOT", same_slot));
  REQUIRE(std::stoi(number) < 8192);
  f.run("SET", key, "1");
  const auto stats = [&] { return f.run("CLUSTER", "SLOT-STATS", "SLOTSRANGE", number, number); };
  CHECK(stats() == "*1\r\n*2\r\n" + slot + "*2\r\n$9\r\nkey-count\r\n:1\r\n");
  f.run("CONFIG", "SET", "cluster-slot-stats-enabled", "yes");
  const auto figures = [&](int keys, int in, int out) {
    std::size_t memory = 0;
    f.server.engine().keyspace().db(0).for_each(
        [&](const Entry& e) { memory += e.memory_bytes(); });
    return "*1\r\n*2\r\n" + slot + "*10\r\n$9\r\nkey-count\r\n:" + std::to_string(keys) +
           "\r\n$8\r\ncpu-usec\r\n:0\r\n$16\r\nnetwork-bytes-in\r\n:" + std::to_string(in) +
           "\r\n$17\r\nnetwork-bytes-out\r\n:" + std::to_string(out) +
           "\r\n$12\r\nmemory-bytes\r\n:" + std::to_string(memory) + "\r\n";
  };
  CHECK(stats() == figures(1, 0, 0));
  // "*3\r\n$3\r\nSET\r\n$6\r\n{06S}b\r\n$1\r\n2\r\n" and "+OK\r\n".
  f.run("SET", same_slot, "2");
  CHECK(stats() == figures(2, 32, 5));
  // Scripts and transactions count as a whole.
  const std::string script = "return redis.call('get', KEYS[1])";
  f.run("EVAL", script, "1", key);
  const int eval =
      4 + 10 + static_cast<int>(("$" + std::to_string(script.size()) + "\r\n" + script).size()) +
      2 + 7 + 12;
  CHECK(stats() == figures(2, 32 + eval, 5 + 7));
  f.run("MULTI");
  f.run("GET", key);
  f.run("EXEC");
  // MULTI, GET and EXEC; "+OK", "+QUEUED", and an array of one.
  const int in = 32 + eval + 15 + (4 + 9 + 12) + 14, out = 5 + 7 + 5 + 9 + (4 + 7);
  CHECK(stats() == figures(2, in, out));
  f.run("PING");
  CHECK(stats() == figures(2, in, out));

  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "network-bytes-in", "LIMIT", "1") == stats());
  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "key-count", "DESC", "LIMIT", "1") == stats());
  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "memory-bytes", "LIMIT", "1") == stats());
  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "key-count").starts_with("*8192\r\n"));
  CHECK(f.run("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "8190", "8200").starts_with("*2\r\n"));
  f.run("CONFIG", "RESETSTAT");
  CHECK(stats() == figures(2, 0, 0));

  CHECK(f.run("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "5", "4") ==
        "-ERR Start slot number 5 is greater than end slot number 4\r\n");
  CHECK(f.run("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "0", "16384") ==
        "-ERR Invalid or out of range slot\r\n");
  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "memory") ==
        "-ERR Unrecognized sort metric for ORDERBY.\r\n");
  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "key-count", "LIMIT", "0") ==
        "-ERR Limit has to lie in between 1 and 16384 (maximum number of slots).\r\n");
  CHECK(f.run("CLUSTER", "SLOT-STATS", "ORDERBY", "key-count", "ASC", "DESC") ==
        "-ERR syntax error\r\n");
  CHECK(f.run("CLUSTER", "SLOT-STATS", "EVERYTHING", "0") == "-ERR syntax error\r\n");
}

TEST_CASE("SLOT-STATS estimates the memory of a slot with many keys by some of them") {
  Fixture f;
  CHECK(f.run("CONFIG", "SET", "cluster-slot-stats-enabled", "yes") == kOk);
  std::size_t memory = 0;
  for (int i = 0; i < 1000; ++i)
    f.run("SET", "{06S}" + std::to_string(i),
          std::string(static_cast<std::size_t>(100 + i % 50), 'v'));
  f.server.engine().keyspace().db(0).for_each([&](const Entry& e) { memory += e.memory_bytes(); });
  const std::string stats = f.run("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "0", "0");
  const std::size_t at = stats.find("memory-bytes\r\n:");
  REQUIRE(at != std::string::npos);
  const double told = std::stod(stats.substr(at + 15));
  CHECK(told > 0.8 * static_cast<double>(memory));
  CHECK(told < 1.2 * static_cast<double>(memory));
}

TEST_CASE("a node is drained by one word, and says how far that is") {
  Fixture f;
  CHECK(f.run("CLUSTER", "DRAIN")
            .starts_with(
                "*6\r\n$8\r\ndraining\r\n$2\r\nno\r\n$5\r\nslots\r\n:8192\r\n$5\r\nstate\r\n"));
  CHECK(f.run("CLUSTER", "DRAIN", "ON") == kOk);
  CHECK(f.run("CLUSTER", "DRAIN", "STATUS").find("$3\r\nyes") != std::string::npos);
  CHECK(f.run("CLUSTER", "DRAIN", "off") == kOk);
  CHECK(f.run("CLUSTER", "DRAIN", "STATUS").find("$2\r\nno") != std::string::npos);
  CHECK(f.run("CLUSTER", "DRAIN", "MAYBE") == "-ERR syntax error\r\n");
  CHECK(f.run("CLUSTER", "DRAIN", "ON", "NOW") == "-ERR syntax error\r\n");
}

TEST_CASE("RECOVER wants to hear what is lost, and refuses while a majority is heard") {
  Fixture f;
  CHECK(f.run("CLUSTER", "RECOVER", "LOST", "1").find("which is a majority") != std::string::npos);
  CHECK(f.run("CLUSTER", "RECOVER", "LOST", "0") ==
        "-ERR the number of lost primaries is at least 1\r\n");
  CHECK(f.run("CLUSTER", "RECOVER", "LOST", "1", "2") == "-ERR syntax error\r\n");
  CHECK(f.run("CLUSTER", "RECOVER", "NODES", "x") == "-ERR Unknown node x\r\n");
  CHECK(f.run("CLUSTER", "RECOVER", "ALL", "1") == "-ERR syntax error\r\n");
  CHECK(f.run("CLUSTER", "INFO").find("cluster_recovery_hint") == std::string::npos);
}

namespace {

// Replicas that confirm when they are told to.
class FakeReplicas final : public ProgressSource {
 public:
  [[nodiscard]] std::size_t online_replicas() const override { return online; }
  [[nodiscard]] std::size_t replicas_at(std::uint64_t, bool) const override { return confirmed; }
  [[nodiscard]] bool replicas_take_open_slots() const override { return take; }
  [[nodiscard]] bool is_on_disk_here(std::uint64_t) const override { return false; }
  [[nodiscard]] bool has_log() const override { return false; }
  [[nodiscard]] bool is_replica() const override { return false; }
  void ask_replicas() override { ++asked; }
  std::size_t online = 2, confirmed = 0;
  bool take = true;
  int asked = 0;
};

}  // namespace

TEST_CASE("a slot is opened when the replicas have heard of it") {
  ClusterFixture f;
  FakeReplicas replicas;
  f.server.engine().services().progress = &replicas;
  Session& admin = f.server.open();
  const std::vector<std::string> words{"CLUSTER", "SETSLOT", "0", "MIGRATING", kOther};
  // A request that is wrong goes nowhere.
  CHECK(f.run("CLUSTER", "SETSLOT", "9000", "MIGRATING", kOther) ==
        "-ERR I'm not the owner of hash slot 9000\r\n");
  CHECK(f.server.effects().empty());
  CHECK(f.server.run_words(admin, words).empty());
  CHECK(f.server.effects() == std::vector<std::string>{"CLUSTER SETSLOT 0 MIGRATING " + kOther});
  CHECK(replicas.asked == 1);
  CHECK(f.cluster.view()->migrating_to(0) == cluster::kNoNode);
  replicas.confirmed = 1;
  f.server.engine().blocking().progressed();
  CHECK(EngineFixture::take(admin).empty());
  replicas.confirmed = 2;
  f.server.engine().blocking().progressed();
  CHECK(EngineFixture::take(admin) == kOk);
  CHECK(f.cluster.view()->migrating_to(0) != cluster::kNoNode);

  // They don't answer in time: nothing is done.
  replicas.confirmed = 0;
  CHECK(f.server.run_words(admin, {"CLUSTER", "SETSLOT", "0", "STABLE", "TIMEOUT", "500"}).empty());
  f.server.advance(milliseconds{499});
  f.server.tick();
  CHECK(EngineFixture::take(admin).empty());
  f.server.advance(milliseconds{1});
  f.server.tick();
  CHECK(EngineFixture::take(admin) == "-NOREPLICAS Not enough good replicas to write.\r\n");
  CHECK(f.cluster.view()->migrating_to(0) != cluster::kNoNode);

  // Replicas that would refuse it are not told, and not waited for.
  replicas.take = false;
  CHECK(f.server.run_words(admin, {"CLUSTER", "SETSLOT", "0", "STABLE"}) == kOk);
  CHECK(f.server.effects().empty());
}

TEST_CASE("SETSLOT reads its time-out") {
  ClusterFixture f;
  const auto ask = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"CLUSTER", "SETSLOT", "0", "MIGRATING", kOther};
    words.insert(words.end(), more.begin(), more.end());
    return f.server.run_words(f.server.session(), words);
  };
  CHECK(ask({"TIMEOUT"}) == "-ERR Missing timeout value\r\n");
  CHECK(ask({"TIMEOUT", "-1"}) == "-ERR timeout is negative\r\n");
  CHECK(ask({"TIMEOUT", "99999999999999999999"}) ==
        "-ERR timeout is not an integer or out of range\r\n");
  CHECK(ask({"TIMEOUT", "1", "2"}).starts_with("-ERR Invalid CLUSTER SETSLOT"));
  CHECK(ask({"FOO", "1"}).starts_with("-ERR Invalid CLUSTER SETSLOT"));
  CHECK(f.run("CLUSTER", "SETSLOT", "0", "TIMEOUT", "100", "MIGRATING", kOther)
            .starts_with("-ERR Invalid CLUSTER SETSLOT"));
  CHECK(ask({"TIMEOUT", "100"}) == kOk);
}

TEST_CASE("a replica passes on a transaction of shard messages, and redirects what else one has") {
  const std::string conf =
      kMe + " 127.0.0.1:6379@16379,,tls-port=0,shard-id=" + std::string(40, '2') +
      " myself,slave " + kOther + " 0 0 1 connected\n" + kOther +
      " 127.0.0.2:6380@16380,,tls-port=0,shard-id=" + std::string(40, '2') +
      " master - 0 0 2 connected 0-16383\nvars currentEpoch 2 lastVoteEpoch 0\n";
  ClusterFixture f(conf);
  const std::string moved = "-MOVED 12182 127.0.0.2:6380\r\n";
  CHECK(f.run("SPUBLISH", "foo", "m") == ":0\r\n");
  f.run("MULTI");
  CHECK(f.run("SPUBLISH", "foo", "m") == "+QUEUED\r\n");
  CHECK(f.run("SPUBLISH", "foo", "n") == "+QUEUED\r\n");
  CHECK(f.run("EXEC") == "*2\r\n:0\r\n:0\r\n");
  for (const auto& words : {std::vector<std::string>{"GET", "foo"}, {"SET", "foo", "v"}}) {
    f.run("MULTI");
    f.run("SPUBLISH", "foo", "m");
    CHECK(f.server.run_words(f.server.session(), words) == moved);
    CHECK(f.run("EXEC") == "-EXECABORT Transaction discarded because of previous errors.\r\n");
  }
  // Reads that were queued under READONLY are no shard messages.
  f.run("READONLY");
  f.run("MULTI");
  f.run("SPUBLISH", "foo", "m");
  CHECK(f.run("GET", "foo") == "+QUEUED\r\n");
  f.server.session().readonly = false;
  CHECK(f.run("EXEC") == moved);
}
