// Clusters of real servers: administered by redis-cli, formed by themselves, mixed with
// redis-server.
#include <doctest/doctest.h>

#include <csignal>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

// redis-cli with colours off; its whole output. Skips the test where it is not installed.
struct Cli {
  int exit_code = 0;
  std::string out;
};
Cli redis_cli(const std::vector<std::string>& args) {
  std::vector<std::string> command{"redis-cli"};
  command.insert(command.end(), args.begin(), args.end());
  const auto done = run_command(command);
  return {done.exit_code, done.out + done.err};
}
Cli manage(const std::vector<std::string>& args) {
  std::vector<std::string> command{"--cluster"};
  command.insert(command.end(), args.begin(), args.end());
  command.emplace_back("--cluster-yes");
  return redis_cli(command);
}

bool has_redis_cli() {
  if (find_program("redis-cli")) return true;
  MESSAGE("skipped: redis-cli is not installed");
  return false;
}

std::unique_ptr<ServerProcess> start_node(std::vector<std::string> more = {}, int port = 0,
                                          std::shared_ptr<TempDir> dir = nullptr) {
  ServerOptions options{.binary = hearth_server().binary};
  options.config = cluster_config(std::move(more));
  options.config.emplace_back("cluster-node-timeout 2000");  // the last of two counts
  options.port = port;
  options.dir = std::move(dir);
  return ServerProcess::start(options);
}

Nodes empty_nodes(int count, const std::vector<std::string>& more = {}) {
  Nodes nodes;
  for (int i = 0; i < count; ++i) {
    nodes.push_back(start_node(more));
    REQUIRE(nodes.back() != nullptr);
  }
  return nodes;
}

// Nodes as `redis-cli --cluster create` makes a cluster of them.
Nodes created(const std::vector<std::string>& more = {}) {
  Nodes nodes = empty_nodes(3, more);
  const Cli create =
      manage({"create", nodes[0]->address(), nodes[1]->address(), nodes[2]->address()});
  INFO(create.out);
  REQUIRE(create.exit_code == 0);
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 3); }));
  return nodes;
}

void fill(const Nodes& nodes, int keys) {
  std::vector<std::unique_ptr<RespClient>> clients;
  for (const auto& node : nodes) clients.push_back(node->client());
  for (int i = 0; i < keys; ++i) {
    const std::string number = std::to_string(i);
    for (const auto& client : clients) {
      if (client->text({"SET", "key:" + number, "value " + number}) == "OK") break;
    }
  }
  REQUIRE(keys_in(nodes) == keys);
}

// How many of the keys every client that follows redirects can read.
int readable(const ServerProcess& node, int keys) {
  int found = 0;
  for (int i = 0; i < keys; i += 10) {
    const std::string number = std::to_string(i);
    const Cli get = redis_cli({"-c", "-p", std::to_string(node.port()), "GET", "key:" + number});
    if (get.out == "value " + number + "\n") ++found;
  }
  return found;
}

int slots_of(const ServerProcess& node) {
  const std::string id = node.run({"CLUSTER", "MYID"});
  const Cli info = redis_cli({"--cluster", "info", node.address()});
  const auto line = info.out.find(node.address() + " (" + id.substr(0, 8));
  const auto bar = info.out.find("keys | ", line);
  return bar == std::string::npos ? -1 : std::atoi(info.out.c_str() + bar + 7);
}

bool all_agree(const ServerProcess& node) {
  const Cli check = redis_cli({"--cluster", "check", node.address()});
  return check.exit_code == 0 && check.out.find("All 16384 slots covered") != std::string::npos &&
         check.out.find("All nodes agree") != std::string::npos &&
         check.out.find("[WARNING]") == std::string::npos;
}

}  // namespace

TEST_CASE("redis-cli creates a cluster, and commands find their way in it") {
  if (!has_redis_cli()) return;
  const Nodes nodes = created();
  CHECK(all_agree(*nodes[1]));
  fill(nodes, 300);
  CHECK(readable(*nodes[0], 300) == 30);
  CHECK(nodes[0]->run({"CLUSTER", "KEYSLOT", "foo"}) == "12182");
  CHECK(nodes[0]->run({"GET", "foo"}) == "-MOVED 12182 " + nodes[2]->address());
  CHECK(nodes[2]->run({"MGET", "foo", "bar"}) ==
        "-CROSSSLOT Keys in request don't hash to the same slot");
}

TEST_CASE("resharding moves slots with their keys while the cluster serves them") {
  if (!has_redis_cli()) return;
  const Nodes nodes = created();
  fill(nodes, 600);
  const Cli reshard =
      manage({"reshard", nodes[0]->address(), "--cluster-from", nodes[0]->run({"CLUSTER", "MYID"}),
              "--cluster-to", nodes[1]->run({"CLUSTER", "MYID"}), "--cluster-slots", "200"});
  INFO(reshard.out);
  CHECK(reshard.exit_code == 0);
  CHECK(eventually([&] { return all_agree(*nodes[2]); }));
  CHECK(slots_of(*nodes[0]) == 5461 - 200);
  CHECK(slots_of(*nodes[1]) == 5462 + 200);
  CHECK(keys_in(nodes) == 600);
  CHECK(readable(*nodes[2], 600) == 60);

  const Cli rebalance = manage({"rebalance", nodes[0]->address(), "--cluster-threshold", "1"});
  INFO(rebalance.out);
  CHECK(rebalance.exit_code == 0);
  CHECK(eventually([&] { return all_agree(*nodes[2]); }));
  CHECK(slots_of(*nodes[0]) >= 5461 - 1);
  CHECK(keys_in(nodes) == 600);
  CHECK(readable(*nodes[2], 600) == 60);
}

TEST_CASE("fix closes open slots and covers lost ones") {
  if (!has_redis_cli()) return;
  const Nodes nodes = created();
  fill(nodes, 200);
  const std::string a = nodes[0]->run({"CLUSTER", "MYID"});
  const std::string b = nodes[1]->run({"CLUSTER", "MYID"});
  CHECK(nodes[1]->run({"CLUSTER", "SETSLOT", "7", "IMPORTING", a}) == "OK");
  CHECK(nodes[0]->run({"CLUSTER", "SETSLOT", "7", "MIGRATING", b}) == "OK");
  for (const auto& node : nodes) CHECK(node->run({"CLUSTER", "DELSLOTS", "12000"}) == "OK");
  CHECK_FALSE(all_agree(*nodes[0]));
  // It asks once more before it covers a slot that nobody has keys of.
  const auto fix =
      run_command({"sh", "-c", "yes yes | redis-cli --cluster fix " + nodes[0]->address()});
  INFO(fix.out);
  CHECK(eventually([&] { return all_agree(*nodes[2]); }));
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }));
  CHECK(keys_in(nodes) == 200);
}

TEST_CASE("a node is added, filled, emptied and taken out again") {
  if (!has_redis_cli()) return;
  Nodes nodes = created();
  fill(nodes, 300);
  nodes.push_back(start_node());
  REQUIRE(nodes.back() != nullptr);
  const Cli add = manage({"add-node", nodes[3]->address(), nodes[0]->address()});
  INFO(add.out);
  CHECK(add.exit_code == 0);
  // All must have heard of it: who is told to forget a node that it does not know says so, and
  // redis-cli gives up.
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 4); }));

  const std::string id = nodes[3]->run({"CLUSTER", "MYID"});
  // A small weight, since every slot takes redis-cli a round trip to every node.
  const Cli fill_it = manage({"rebalance", nodes[0]->address(), "--cluster-use-empty-masters",
                              "--cluster-weight", id + "=0.1"});
  INFO(fill_it.out);
  CHECK(fill_it.exit_code == 0);
  CHECK(eventually([&] { return all_agree(*nodes[3]) && all_agree(*nodes[1]); }));
  CHECK(slots_of(*nodes[3]) > 400);
  CHECK(keys_in(nodes) == 300);
  const Cli empty_it = manage({"rebalance", nodes[0]->address(), "--cluster-weight", id + "=0"});
  INFO(empty_it.out);
  CHECK(empty_it.exit_code == 0);
  // Without slots it becomes a replica of the node that took the last one
  // (cluster-allow-replica-migration).
  CHECK(eventually([&] {
    return all_agree(*nodes[1]) &&
           nodes[3]->run({"INFO", "replication"}).starts_with("# Replication\r\nrole:slave");
  }));

  const Cli del = manage({"del-node", nodes[0]->address(), id});
  INFO(del.out);
  CHECK(del.exit_code == 0);
  CHECK(nodes[3]->run({"CLUSTER", "INFO"}).find("cluster_known_nodes:1\r") != std::string::npos);
  nodes.pop_back();
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }));
  CHECK(keys_in(nodes) == 300);
}

TEST_CASE("seeds form a cluster without any command, in any order and with one late") {
  std::vector<int> ports;
  for (int i = 0; i < 3; ++i) ports.push_back(free_port());
  const std::string seeds = "cluster-seeds 127.0.0.1:" + std::to_string(ports[0]) +
                            ",localhost:" + std::to_string(ports[1]) +
                            ",127.0.0.1:" + std::to_string(ports[2]);
  const std::vector<std::string> config{seeds, "cluster-expected-size 3"};
  Nodes nodes(3);
  nodes[2] = start_node(config, ports[2]);
  nodes[0] = start_node(config, ports[0]);
  REQUIRE(nodes[0] != nullptr);
  REQUIRE(nodes[2] != nullptr);
  // Two of three know each other and wait.
  const std::string other = nodes[2]->run({"CLUSTER", "MYID"});
  CHECK(eventually([&] {
    return nodes[0]->run({"CLUSTER", "NODES"}).find(other) != std::string::npos;
  }));
  CHECK(nodes[0]->run({"CLUSTER", "INFO"}).find("cluster_slots_assigned:0\r") != std::string::npos);
  nodes[1] = start_node(config, ports[1]);
  REQUIRE(nodes[1] != nullptr);
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }));
  fill(nodes, 100);
  const std::string id = nodes[1]->run({"CLUSTER", "MYID"});
  const std::string slots_before = nodes[0]->run({"CLUSTER", "SLOTS"});

  // A restarted node keeps what its nodes.conf says.
  const auto dir = nodes[1]->dir();
  nodes[1].reset();
  nodes[1] = start_node(config, ports[1], dir);
  REQUIRE(nodes[1] != nullptr);
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }));
  CHECK(nodes[1]->run({"CLUSTER", "MYID"}) == id);
  CHECK(nodes[1]->run({"CLUSTER", "SLOTS"}) == slots_before);

  // A fourth one joins and claims nothing.
  auto fourth = start_node(config);
  REQUIRE(fourth != nullptr);
  CHECK(eventually([&] {
    return fourth->run({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
  }));
  CHECK(fourth->run({"CLUSTER", "SLOTS"}) == slots_before);
}

TEST_CASE("a stopped node is failed, and welcome when it goes on") {
  if (!has_redis_cli()) return;
  const Nodes nodes = created();
  nodes[2]->process().send(SIGSTOP);
  CHECK(eventually([&] {
    return nodes[0]->run({"CLUSTER", "INFO"}).find("cluster_state:fail") != std::string::npos &&
           nodes[0]->run({"CLUSTER", "NODES"}).find("master,fail ") != std::string::npos;
  }));
  CHECK(nodes[0]->run({"SET", "foo", "x"}) == "-CLUSTERDOWN The cluster is down");
  nodes[2]->process().send(SIGCONT);
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }, milliseconds{30'000}));
}

TEST_CASE("published messages reach subscribers of every node") {
  if (!has_redis_cli()) return;
  const Nodes nodes = created();
  auto listener = nodes[2]->client();
  listener->run({"SUBSCRIBE", "news"});
  CHECK(nodes[0]->run({"PUBLISH", "news", "hello"}) == "0");
  const auto message = listener->read();
  REQUIRE(message.has_value());
  REQUIRE(message->items().size() == 3);
  CHECK(message->items()[2].text() == "hello");
}

TEST_CASE("two processes do not share one nodes.conf") {
  auto first = start_node();
  REQUIRE(first != nullptr);
  const TempDir logs;
  ChildProcess second({hearth_server().binary, "--port", std::to_string(free_port()), "--dir",
                       first->dir()->path(), "--cluster-enabled", "yes"},
                      logs.file("out"), logs.file("out"));
  CHECK(second.wait(milliseconds{15'000}) == 1);
  CHECK(logs.read("out").find("is already used by a different Cluster node. Please make sure that "
                              "different nodes use different cluster configuration files.") !=
        std::string::npos);
  CHECK(first->run({"PING"}) == "PONG");
}

TEST_CASE("a redis-server joins, sees the same slots, takes some and gives them back") {
  const auto redis = redis_server();
  if (!redis || !has_redis_cli()) return;
  Nodes nodes = created({"rdb-compat 7.0"});
  fill(nodes, 300);
  auto guest_config = cluster_config();
  guest_config.emplace_back("cluster-node-timeout 2000");
  auto guest = ServerProcess::start({.binary = redis->binary, .config = guest_config});
  REQUIRE(guest != nullptr);
  CHECK(manage({"add-node", guest->address(), nodes[0]->address()}).exit_code == 0);
  CHECK(eventually([&] { return all_agree(*guest) && all_agree(*nodes[0]); }));
  CHECK(eventually([&] {
    return guest->run({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
  }));
  CHECK(guest->run({"GET", "foo"}) == "-MOVED 12182 " + nodes[2]->address());

  const std::string guest_id = guest->run({"CLUSTER", "MYID"});
  const std::string host_id = nodes[0]->run({"CLUSTER", "MYID"});
  const Cli there = manage({"reshard", nodes[0]->address(), "--cluster-from", host_id,
                            "--cluster-to", guest_id, "--cluster-slots", "100"});
  INFO(there.out);
  CHECK(there.exit_code == 0);
  CHECK(eventually([&] { return all_agree(*guest) && all_agree(*nodes[1]); }));
  CHECK(slots_of(*guest) == 100);
  CHECK(keys_in(nodes) + std::stoll(guest->run({"DBSIZE"})) == 300);
  CHECK(readable(*nodes[1], 300) == 30);
  CHECK(readable(*guest, 300) == 30);

  const Cli back = manage({"reshard", nodes[0]->address(), "--cluster-from", guest_id,
                           "--cluster-to", host_id, "--cluster-slots", "100"});
  INFO(back.out);
  CHECK(back.exit_code == 0);
  CHECK(eventually([&] { return all_agree(*nodes[2]); }));
  CHECK(keys_in(nodes) == 300);

  // A node that both kinds fail when it stops, and take back when it goes on.
  nodes[2]->process().send(SIGSTOP);
  CHECK(eventually([&] {
    return guest->run({"CLUSTER", "NODES"}).find("master,fail ") != std::string::npos &&
           nodes[0]->run({"CLUSTER", "NODES"}).find("master,fail ") != std::string::npos;
  }));
  nodes[2]->process().send(SIGCONT);
  CHECK(eventually(
      [&] {
        return guest->run({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos &&
               nodes[0]->run({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
      },
      milliseconds{30'000}));

  CHECK(manage({"del-node", nodes[0]->address(), guest_id}).exit_code == 0);
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }));
  for (const char* complaint : {"Bad message", "unexpected", "unknown extension", "wrong length",
                                "corrupted", "Unknown packet"}) {
    CAPTURE(complaint);
    CHECK(guest->log().find(complaint) == std::string::npos);
  }
}
