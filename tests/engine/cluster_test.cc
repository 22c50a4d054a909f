// The cluster family and redirects, over a real bus machine that has no network.
#include <doctest/doctest.h>

#include "cluster/bus/machine.h"
#include "cluster/nodes_file/nodes_file.h"
#include "src/command/cluster_control.h"
#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

const std::string kMe(40, 'a');
const std::string kOther(40, 'b');
const std::string kReplica(40, 'c');

// 0-8191 are mine, 8192-16382 the other's, 16383 is nobody's.
std::string two_nodes() {
  return kMe + " 127.0.0.1:6379@16379,,tls-port=0,shard-id=" + std::string(40, '1') +
         " myself,master - 0 0 1 connected 0-8191\n" + kOther +
         " 127.0.0.2:6380@16380,b.example.org,tls-port=0,shard-id=" + std::string(40, '2') +
         " master - 0 0 2 connected 8192-16382\n" + kReplica +
         " 127.0.0.3:6381@16381,,tls-port=0,shard-id=" + std::string(40, '2') + " slave " + kOther +
         " 0 0 2 connected\nvars currentEpoch 2 lastVoteEpoch 0\n";
}

class FakeCluster final : public ClusterControl {
 public:
  FakeCluster(EngineFixture& server, const std::string& nodes_conf,
              cluster::BusSettings settings = {})
      : server_(&server) {
    std::optional<cluster::View> saved;
    if (!nodes_conf.empty()) saved = *cluster::parse_nodes_file(nodes_conf);
    settings.announced = {"127.0.0.1", 6379, 0, 16379};
    settings.require_full_coverage = false;
    machine_ = std::make_unique<cluster::Machine>(settings, saved, 1, now());
    server.engine().services().cluster = this;
    // A primary says ok only after its first seconds, and when it has heard a majority.
    for (int i = 0; i < 30; ++i) wait(milliseconds{100});
  }
  void wait(milliseconds time) {
    mono_ms_ += time.count();
    run(cluster::input::Tick{});
  }
  std::optional<cluster::AdminReply> administer(cluster::AdminRequest request, Later) override {
    return run(cluster::input::Admin{std::move(request)}).reply;
  }
  cluster::ViewPtr view() override { return machine_->view(now()); }
  std::vector<cluster::LinkInfo> links() override {
    return {{true, NodeId(kOther), UnixMillis{5}, 0}, {false, NodeId(kOther), UnixMillis{6}, 42}};
  }
  void drop_messages(int type) override { dropped = type; }
  void close_on_drop(bool on) override { closes = on; }
  bool cut_links(const NodeId& node, cluster::LinkSide) override { return node == NodeId(kOther); }

  int dropped = -1;
  bool closes = false;

 private:
  [[nodiscard]] cluster::Now now() const {
    return {MonoTime{mono_ms_ * 1000}, UnixMillis{mono_ms_}};
  }
  static std::shared_ptr<const cluster::Message> pong() {
    cluster::Message m;
    m.type = cluster::MessageType::kPong;
    m.header.sender = NodeId(kOther);
    m.header.flags = cluster::node_flag::kPrimary;
    m.header.current_epoch = m.header.config_epoch = 2;
    m.header.port = 6380;
    m.header.cport = 16380;
    m.header.slots.add(cluster::SlotRange{8192, 16382});
    m.body = cluster::PingBody{};
    return std::make_shared<const cluster::Message>(std::move(m));
  }
  cluster::Actions run(const cluster::Input& input) {
    cluster::Actions actions = machine_->step(input, now());
    // The disk is quick, and so is the other primary, which says what it owns.
    for (const cluster::Action& action : actions.list) {
      if (std::holds_alternative<cluster::action::Persist>(action))
        static_cast<void>(machine_->step(cluster::input::Persisted{}, now()));
      if (const auto* open = std::get_if<cluster::action::OpenLink>(&action);
          open != nullptr && open->ip == "127.0.0.2") {
        static_cast<void>(
            machine_->step(cluster::input::LinkConnected{open->link, "127.0.0.1"}, now()));
        static_cast<void>(
            machine_->step(cluster::input::MessageReceived{open->link, pong()}, now()));
      }
    }
    if (auto view = machine_->end_turn(now()); view != nullptr)
      server_->engine().set_cluster_view(std::move(view));
    return actions;
  }
  EngineFixture* server_;
  std::unique_ptr<cluster::Machine> machine_;
  std::int64_t mono_ms_ = 1000;
};

struct Fixture {
  explicit Fixture(const std::string& nodes_conf = two_nodes(), int resp = 2)
      : server({.resp = resp,
                .config = {{"cluster-enabled", "yes"}, {"enable-debug-command", "yes"}}}),
        cluster(server, nodes_conf) {}
  template <typename... A>
  std::string run(const A&... words) {
    return server.run(words...);
  }
  EngineFixture server;
  FakeCluster cluster;
};

const char* const kOk = "+OK\r\n";

}  // namespace

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
