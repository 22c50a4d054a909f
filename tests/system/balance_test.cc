// Slots that nodes even out among themselves, nodes that are drained, a majority that is recovered,
// a scan of the whole cluster, and several databases in one.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "tests/system/cluster_peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

constexpr milliseconds kLong{300'000};

std::unique_ptr<ServerProcess> balanced_node(std::vector<std::string> more = {}) {
  Peer peer = hearth_server();
  peer.config = std::move(more);
  peer.config.push_back("cluster-require-full-coverage no");
  return start_node(peer);
}

void meet(const ServerProcess& node, const ServerProcess& other) {
  REQUIRE(node.run({"CLUSTER", "MEET", "127.0.0.1", std::to_string(other.port())}) == "OK");
}

int slots_of(const ServerProcess& node) {
  const auto reply = node.client()->run({"CLUSTER", "DRAIN", "STATUS"});
  const RespValue* slots = reply ? reply->find("slots") : nullptr;
  return slots == nullptr ? -1 : std::atoi(RespClient::as_text(*slots).c_str());
}

bool knows(const ServerProcess& node, std::size_t nodes) {
  return node.run({"CLUSTER", "INFO"}).find("cluster_known_nodes:" + std::to_string(nodes)) !=
         std::string::npos;
}

// Two primaries with half of the slots each, and a replica for each.
Nodes two_and_two() {
  Nodes nodes;
  for (int i = 0; i < 4; ++i) nodes.push_back(start_node(hearth_server()));
  REQUIRE(nodes[0]->run({"CLUSTER", "ADDSLOTSRANGE", "0", "8191"}) == "OK");
  REQUIRE(nodes[1]->run({"CLUSTER", "ADDSLOTSRANGE", "8192", "16383"}) == "OK");
  REQUIRE(nodes[0]->run({"CLUSTER", "SET-CONFIG-EPOCH", "1"}) == "OK");
  REQUIRE(nodes[1]->run({"CLUSTER", "SET-CONFIG-EPOCH", "2"}) == "OK");
  for (std::size_t i = 1; i < 4; ++i) meet(*nodes[0], *nodes[i]);
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 4); }, kLong));
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string id = nodes[i]->run({"CLUSTER", "MYID"});
    REQUIRE(nodes[i + 2]->run({"CLUSTER", "REPLICATE", id}) == "OK");
  }
  for (std::size_t i = 2; i < 4; ++i) {
    REQUIRE(eventually([&] { return is_synced(*nodes[i]) && is_replica_to_all(nodes, *nodes[i]); },
                       kLong));
  }
  return nodes;
}

}  // namespace

TEST_CASE("a node that comes gets slots, one that is drained gives all of them, under writes") {
  Nodes nodes;
  for (int i = 0; i < 2; ++i) nodes.push_back(balanced_node({"cluster-rebalance slots"}));
  REQUIRE(nodes[0]->run({"CLUSTER", "ADDSLOTSRANGE", "0", "499"}) == "OK");
  REQUIRE(nodes[0]->run({"CLUSTER", "SET-CONFIG-EPOCH", "1"}) == "OK");
  meet(*nodes[0], *nodes[1]);
  REQUIRE(eventually([&] { return knows(*nodes[1], 2); }, kLong));
  auto client = nodes[0]->client();
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < 60; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (cluster::slot_of(key) < 500) keys.push_back(key);
  }
  REQUIRE(eventually([&] { return client->text({"SET", keys[0], "0"}) == "OK"; }, kLong));
  ClusterClient writer(ports_of(nodes));
  std::map<std::string, long long> done;
  const auto write_all = [&] {
    for (const std::string& key : keys) {
      const std::string reply = writer.once(key, {"INCR", key});
      if (!reply.starts_with("-") && reply != "(closed)") done[key] = std::atoll(reply.c_str());
    }
  };
  REQUIRE(eventually(
      [&] {
        write_all();
        // Within the band: 2 % of the mean.
        return std::abs(slots_of(*nodes[0]) - slots_of(*nodes[1])) <= 5;
      },
      kLong));
  REQUIRE(nodes[0]->run({"CLUSTER", "DRAIN", "ON"}) == "OK");
  REQUIRE(eventually(
      [&] {
        write_all();
        return slots_of(*nodes[0]) == 0 && slots_of(*nodes[1]) == 500;
      },
      kLong));
  write_all();
  CHECK(done.size() == keys.size());
  for (const auto& [key, value] : done) {
    CHECK(nodes[1]->run({"GET", key}) == std::to_string(value));
  }
  CHECK(eventually(
      [&] {
        return nodes[0]->run({"CLUSTER", "DRAIN", "STATUS"}).find("drained") != std::string::npos;
      },
      kLong));
  CHECK(nodes[0]->run({"CLUSTER", "MIGRATION", "IMPORT", "0", "1"}).find("drained") !=
        std::string::npos);
}

TEST_CASE("half of the cluster is lost with its zone, and one command goes on without it") {
  Nodes nodes = two_and_two();
  ClusterClient client(ports_of(nodes));
  for (int i = 0; i < 100; ++i) {
    const std::string key = "before:" + std::to_string(i);
    REQUIRE(client.once(key, {"SET", key, "v"}) == "OK");
    REQUIRE(client.confirmed_by(key) == 1);
  }
  // The zone of primary 0 and of the replica of primary 1.
  const std::shared_ptr<TempDir> dirs[] = {nodes[0]->dir(), nodes[3]->dir()};
  const int ports[] = {nodes[0]->port(), nodes[3]->port()};
  nodes[0]->process().stop(SIGKILL);
  nodes[3]->process().stop(SIGKILL);
  ServerProcess& left = *nodes[1];
  REQUIRE(eventually(
      [&] {
        return left.run({"CLUSTER", "INFO"}).find("CLUSTER RECOVER LOST 1") != std::string::npos;
      },
      kLong));
  CHECK(left.run({"CLUSTER", "RECOVER", "LOST", "2"}).find("1 of 2 primaries are lost") !=
        std::string::npos);
  CHECK(left.run({"CLUSTER", "RECOVER", "LOST", "1"}).starts_with("1 of 1 lost"));
  const Nodes none;
  REQUIRE(eventually(
      [&] {
        return left.run({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos &&
               nodes[2]->run({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
      },
      kLong));
  ClusterClient after({nodes[1]->port(), nodes[2]->port()});
  for (int i = 0; i < 100; ++i) {
    const std::string old = "before:" + std::to_string(i), key = "after:" + std::to_string(i);
    CHECK(after.once(old, {"GET", old}) == "v");
    CHECK(after.once(key, {"SET", key, "v"}) == "OK");
  }
  // The zone comes back, as replicas.
  nodes[0] = start_node(hearth_server(), ports[0], dirs[0]);
  nodes[3] = start_node(hearth_server(), ports[1], dirs[1]);
  CHECK(eventually([&] { return primary_port(*nodes[0]) == nodes[2]->port(); }, kLong));
  CHECK(eventually([&] { return primary_port(*nodes[3]) == nodes[1]->port(); }, kLong));
  for (const std::size_t i : {std::size_t{0}, std::size_t{3}})
    CHECK(eventually([&] { return is_synced(*nodes[i]); }, kLong));
  CHECK(eventually([&] { return is_cluster_ok(nodes, 4); }, kLong));
  for (int i = 0; i < 100; ++i) {
    const std::string key = "after:" + std::to_string(i);
    CHECK(after.once(key, {"GET", key}) == "v");
  }
}

TEST_CASE("CLUSTERSCAN finds every key of the cluster, wherever its cursors lead") {
  const Nodes nodes = start_cluster(std::vector<Peer>(3, hearth_server()));
  ClusterClient client(ports_of(nodes));
  std::set<std::string> written, found;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key:" + std::to_string(i);
    REQUIRE(client.once(key, {"SET", key, "v"}) == "OK");
    written.insert(key);
  }
  std::map<int, std::unique_ptr<RespClient>> clients;
  int port = nodes[2]->port(), redirects = 0;
  std::string cursor = "0";
  for (int calls = 0; calls < 40'000; ++calls) {
    auto& at = clients[port];
    if (at == nullptr) at = std::make_unique<RespClient>(port);
    const auto reply = at->run({"CLUSTERSCAN", cursor});
    REQUIRE(reply);
    const std::string text = RespClient::as_text(*reply);
    if (text.starts_with("-MOVED ")) {
      port = std::stoi(text.substr(text.rfind(':') + 1));
      ++redirects;
      continue;
    }
    REQUIRE(reply->items().size() == 2);
    for (const RespValue& key : reply->items()[1].items()) found.insert(RespClient::as_text(key));
    cursor = RespClient::as_text(reply->items()[0]);
    if (cursor == "0") break;
  }
  CHECK(cursor == "0");
  CHECK(found == written);
  CHECK(redirects == 3);
}

TEST_CASE("slots move with the keys of all databases, and not to a node that lacks one") {
  Nodes nodes;
  for (const char* databases : {"4", "4", "2"})
    nodes.push_back(balanced_node({std::string("cluster-databases ") + databases}));
  REQUIRE(nodes[0]->run({"CLUSTER", "ADDSLOTSRANGE", "0", "99"}) == "OK");
  REQUIRE(nodes[0]->run({"CLUSTER", "SET-CONFIG-EPOCH", "1"}) == "OK");
  meet(*nodes[0], *nodes[1]);
  meet(*nodes[0], *nodes[2]);
  REQUIRE(eventually([&] { return knows(*nodes[1], 3) && knows(*nodes[2], 3); }, kLong));
  auto client = nodes[0]->client();
  REQUIRE(eventually([&] { return client->text({"SET", "{06S}k", "0"}) == "OK"; }, kLong));
  REQUIRE(client->text({"SELECT", "3"}) == "OK");
  REQUIRE(client->text({"SET", "{06S}k", "3"}) == "OK");
  REQUIRE(client->text({"SET", "{06S}other", "3"}) == "OK");
  const auto move_to = [&](const ServerProcess& target) {
    return nodes[0]->run({"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", "0", "0", "NODE",
                          target.run({"CLUSTER", "MYID"})});
  };
  const auto state = [&] {
    const auto reply = nodes[0]->client()->run({"CLUSTER", "GETSLOTMIGRATIONS"});
    if (!reply || reply->items().empty()) return std::string();
    const RespValue* value = reply->items().back().find("state");
    return value == nullptr ? std::string() : RespClient::as_text(*value);
  };
  REQUIRE(move_to(*nodes[2]) == "OK");
  REQUIRE(eventually([&] { return state() == "failed"; }, kLong));
  CHECK(client->text({"GET", "{06S}k"}) == "3");
  REQUIRE(move_to(*nodes[1]) == "OK");
  REQUIRE(eventually([&] { return state() == "success"; }, kLong));
  auto there = nodes[1]->client();
  CHECK(there->text({"GET", "{06S}k"}) == "0");
  CHECK(there->text({"SELECT", "3"}) == "OK");
  CHECK(there->text({"GET", "{06S}k"}) == "3");
  CHECK(there->text({"CLUSTER", "COUNTKEYSINSLOT", "0"}) == "2");
  CHECK(client->text({"GET", "{06S}k"}).starts_with("-MOVED 0 "));
}
