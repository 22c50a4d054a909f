// The way from redis-server to hearth without a stop: README, "Moving over from Redis".
#include <doctest/doctest.h>

#include <csignal>

#include "tests/system/cluster_peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

constexpr milliseconds kPatience{60'000};

std::string own_id(const ServerProcess& node) { return node.run({"CLUSTER", "MYID"}); }

// A node that joins the cluster as a replica of that primary, and has its data.
std::unique_ptr<ServerProcess> joined_replica(const Peer& peer, const Nodes& nodes,
                                              const ServerProcess& primary) {
  auto node = start_node(peer);
  REQUIRE(primary.run({"CLUSTER", "MEET", "127.0.0.1", std::to_string(node->port())}) == "OK");
  const std::string id = own_id(primary);
  REQUIRE(eventually([&] { return node->run({"CLUSTER", "REPLICATE", id}) == "OK"; }, kPatience));
  INFO(node->log());
  REQUIRE(eventually([&] { return is_synced(*node); }, kPatience));
  REQUIRE(eventually([&] { return is_replica_to_all(nodes, *node); }, kPatience));
  return node;
}

void forget_everywhere(const Nodes& nodes, const std::string& id) {
  for (const auto& node : nodes) {
    const std::string reply = node->run({"CLUSTER", "FORGET", id});
    CHECK_MESSAGE((reply == "OK" || reply.find("Unknown node") != std::string::npos), reply);
  }
}

}  // namespace

TEST_CASE("a cluster of redis-server is replaced by hearth, node by node, under checked writes") {
  const auto redis = redis_server();
  if (!has_cli() || !redis) return;
  Peer hearth_node = hearth_server();
  hearth_node.config = {"rdb-compat 7.0"};  // what redis-server 7.0 can load
  Nodes nodes = created(std::vector<Peer>(6, *redis));
  Writer writer(ports_of(nodes), Writer::Wait::kForReplica);
  REQUIRE(eventually([&] { return writer.acknowledged() > 300; }, kPatience));
  for (int shard = 0; shard < 3; ++shard) {
    CAPTURE(shard);
    // The shard of the first redis-server that is left. Its nodes stand at the front.
    const std::size_t at =
        role_of(*nodes[0]) == "master" ? 0 : with_port(nodes, primary_port(*nodes[0]));
    std::swap(nodes[0], nodes[at]);
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      if (primary_port(*nodes[i]) == nodes[0]->port()) std::swap(nodes[1], nodes[i]);
    }
    REQUIRE(primary_port(*nodes[1]) == nodes[0]->port());
    nodes.push_back(joined_replica(hearth_node, nodes, *nodes[0]));
    const ServerProcess& successor = *nodes.back();
    nodes.push_back(joined_replica(hearth_node, nodes, *nodes[0]));
    // All three follow the successor before anything is taken away.
    REQUIRE(successor.run({"CLUSTER", "FAILOVER"}) == "OK");
    INFO(logs_of(nodes));
    REQUIRE(eventually([&] { return role_of(successor) == "master"; }, kPatience));
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}, nodes.size() - 1}) {
      REQUIRE(eventually(
          [&] { return primary_port(*nodes[i]) == successor.port() && is_synced(*nodes[i]); },
          kPatience));
    }
    const long long before = writer.acknowledged();
    REQUIRE(eventually([&] { return writer.acknowledged() > before + 100; }, kPatience));
    for (int k = 0; k < 2; ++k) {
      const std::string id = own_id(*nodes[0]);
      nodes[0]->process().stop(SIGTERM);
      nodes.erase(nodes.begin());
      forget_everywhere(nodes, id);
    }
    REQUIRE(eventually([&] { return is_cluster_ok(nodes, 6); }, kPatience));
  }
  for (const auto& node : nodes) CHECK(node->run({"CONFIG", "SET", "rdb-compat", "7.2"}) == "OK");
  const long long before = writer.acknowledged();
  CHECK(eventually([&] { return writer.acknowledged() > before + 100; }, kPatience));
  writer.stop();
  CHECK(writer.missing() == "");
  CHECK(run_command({"redis-cli", "--cluster", "check", nodes[0]->address()}).exit_code == 0);
}
