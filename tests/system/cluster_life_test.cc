// Clusters that live through restarts, losses and company; how they are made and administered is
// in cluster_test.cc.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "cluster/model/slot.h"
#include "tests/system/peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

// The owners of slots, as one node tells them: node id -> slot ranges, from CLUSTER NODES.
std::map<std::string, std::string> slot_owners(const ServerProcess& node) {
  std::map<std::string, std::string> owners;
  std::istringstream lines(node.run({"CLUSTER", "NODES"}));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id;
    std::string word;
    words >> id;
    for (int i = 0; i < 7; ++i) words >> word;
    std::string slots;
    while (words >> word) slots += (slots.empty() ? "" : " ") + word;
    if (!slots.empty()) owners[id] = slots;
  }
  return owners;
}

bool nodes_agree(const Nodes& nodes) {
  const auto first = slot_owners(*nodes[0]);
  for (const auto& node : nodes) {
    if (slot_owners(*node) != first) return false;
  }
  return !first.empty();
}

std::string seeds_line(const std::vector<int>& ports) {
  std::string line = "cluster-seeds ";
  for (const int port : ports)
    line += (line.back() == ' ' ? "" : ",") + std::string("127.0.0.1:") + std::to_string(port);
  return line;
}

std::unique_ptr<ServerProcess> start_seeded(const std::vector<int>& ports, std::size_t index,
                                            std::shared_ptr<TempDir> dir = {}) {
  auto node = ServerProcess::start(
      {.binary = hearth_server().binary,
       .config = cluster_config(
           {seeds_line(ports), "cluster-expected-size " + std::to_string(ports.size())}),
       .dir = std::move(dir),
       .port = ports[index]});
  REQUIRE(node != nullptr);
  return node;
}

std::vector<int> free_ports(std::size_t count) {
  std::set<int> ports;
  while (ports.size() < count) ports.insert(free_port());
  return {ports.begin(), ports.end()};
}

std::string key_in_slot_of(const ServerProcess& node, const Nodes& nodes, bool owned) {
  const std::string id = node.run({"CLUSTER", "MYID"});
  for (int i = 0;; ++i) {
    const std::string key = "key:" + std::to_string(i);
    const std::string reply = node.run({"GET", key});
    if (reply.starts_with("-MOVED") != owned) return key;
    REQUIRE(i < 1'000 * static_cast<int>(nodes.size()));
  }
}

}  // namespace

TEST_CASE("a node that starts again keeps its name and its slots") {
  const auto ports = free_ports(3);
  Nodes nodes;
  for (std::size_t i = 0; i < 3; ++i) nodes.push_back(start_seeded(ports, i));
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 3) && nodes_agree(nodes); },
                     milliseconds{30'000}));
  const auto before = slot_owners(*nodes[0]);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto dir = nodes[i]->dir();
    // One of them without a chance to say goodbye.
    nodes[i]->process().stop(i == 1 ? SIGKILL : SIGTERM);
    nodes[i] = start_seeded(ports, i, dir);
  }
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 3) && nodes_agree(nodes); },
                     milliseconds{30'000}));
  CHECK(slot_owners(*nodes[0]) == before);
}

TEST_CASE("keys of a slot that went to another node do not come back with an old dump") {
  const auto ports = free_ports(3);
  Nodes nodes;
  for (std::size_t i = 0; i < 3; ++i) nodes.push_back(start_seeded(ports, i));
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 3) && nodes_agree(nodes); },
                     milliseconds{30'000}));
  const std::string key = key_in_slot_of(*nodes[0], nodes, true);
  CHECK(nodes[0]->run({"SET", key, "old"}) == "OK");
  CHECK(nodes[0]->run({"SAVE"}) == "OK");
  const std::string slot = nodes[0]->run({"CLUSTER", "KEYSLOT", key});
  const std::string from = nodes[0]->run({"CLUSTER", "MYID"});
  const std::string to = nodes[1]->run({"CLUSTER", "MYID"});
  CHECK(nodes[1]->run({"CLUSTER", "SETSLOT", slot, "IMPORTING", from}) == "OK");
  CHECK(nodes[1]->run({"CLUSTER", "SETSLOT", slot, "NODE", to}) == "OK");
  REQUIRE(eventually([&] { return nodes[0]->run({"DBSIZE"}) == "0"; }));
  const auto dir = nodes[0]->dir();
  nodes[0]->process().stop(SIGKILL);  // the dump on the disk still has the key
  nodes[0] = start_seeded(ports, 0, dir);
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 3); }, milliseconds{30'000}));
  CHECK(nodes[0]->run({"DBSIZE"}) == "0");
  CHECK(nodes[0]->run({"CLUSTER", "COUNTKEYSINSLOT", slot}) == "0");
}

TEST_CASE("commands on keys of other nodes are redirected to their owners") {
  const Nodes nodes = start_cluster({hearth_server(), hearth_server(), hearth_server()});
  const std::string mine = key_in_slot_of(*nodes[0], nodes, true);
  const std::string theirs = key_in_slot_of(*nodes[0], nodes, false);
  CHECK(nodes[0]->run({"SET", mine, "v"}) == "OK");
  const std::string moved = nodes[0]->run({"SET", theirs, "v"});
  CAPTURE(moved);
  const auto at = moved.rfind(':');
  REQUIRE(moved.starts_with("-MOVED " + std::to_string(cluster::slot_of(theirs)) + " 127.0.0.1:"));
  const int port = std::stoi(moved.substr(at + 1));
  CHECK(RespClient(port).text({"SET", theirs, "v"}) == "OK");
  CHECK(nodes[0]->run({"MGET", mine, theirs}).starts_with("-CROSSSLOT"));
  CHECK(nodes[0]->run({"MSET", "{" + mine + "}a", "1", "{" + mine + "}b", "2"}) == "OK");
  if (const auto cli = find_program("redis-cli")) {
    const auto result =
        run_command({*cli, "-c", "-p", std::to_string(nodes[0]->port()), "GET", theirs});
    CHECK(result.out == "v\n");
  }
}

TEST_CASE("mixed clusters of both servers form alike, whoever invites whom") {
  const auto redis = redis_server();
  if (!redis) return;
  const Nodes nodes = start_cluster({*redis, hearth_server(), *redis, hearth_server()});
  CHECK(nodes_agree(nodes));
  const std::string key = key_in_slot_of(*nodes[0], nodes, false);
  const std::string moved = nodes[0]->run({"SET", key, "v"});
  CHECK(RespClient(std::stoi(moved.substr(moved.rfind(':') + 1))).text({"SET", key, "v"}) == "OK");
}

TEST_CASE("a dead node is noticed, and its slots are down until it is back") {
  const auto ports = free_ports(3);
  Nodes nodes;
  for (std::size_t i = 0; i < 3; ++i) nodes.push_back(start_seeded(ports, i));
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 3) && nodes_agree(nodes); },
                     milliseconds{30'000}));
  const auto dir = nodes[2]->dir();
  nodes[2]->process().stop(SIGKILL);
  CHECK(eventually(
      [&] {
        return nodes[0]->run({"CLUSTER", "INFO"}).find("cluster_state:fail") != std::string::npos;
      },
      milliseconds{30'000}));
  CHECK(nodes[0]->run({"GET", key_in_slot_of(*nodes[0], nodes, true)}).starts_with("-CLUSTERDOWN"));
  nodes[2] = start_seeded(ports, 2, dir);
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }, milliseconds{30'000}));
}
