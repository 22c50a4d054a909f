// Clusters with replicas: made by redis-cli, losing primaries, handing over by hand, in company
// with redis-server.
#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include "tests/system/cluster_peers.h"

using namespace hearth;
using namespace hearth::test;

TEST_CASE(
    "a primary that is killed is replaced, writes go on in time, and it comes back as replica") {
  if (!has_cli()) return;
  Nodes nodes = created();
  const auto [primary, replica] = some_pair(nodes);
  Writer writer(ports_of(nodes));
  REQUIRE(eventually([&] { return writer.acknowledged() > 300; }));
  const auto dir = nodes[primary]->dir();
  const int port = nodes[primary]->port();
  nodes[primary]->process().stop(SIGKILL);
  CHECK(eventually([&] { return role_of(*nodes[replica]) == "master"; }));
  // CLUSTER SLOTS is right at once.
  CHECK(nodes[replica]->run({"CLUSTER", "SLOTS"}).find(std::to_string(port)) == std::string::npos);
  const long long before = writer.acknowledged();
  CHECK(eventually([&] { return writer.acknowledged() > before + 300; }));
  writer.stop();
  INFO(logs_of(nodes));
  CHECK(writer.longest_gap() <= milliseconds{kTimeoutMs + 1500});

  nodes[primary] = start_node(hearth_server(), port, dir);
  CHECK(eventually([&] { return primary_port(*nodes[primary]) == nodes[replica]->port(); }));
  CHECK(eventually([&] { return is_synced(*nodes[primary]); }));
  CHECK(eventually([&] { return is_cluster_ok(nodes, 6); }));
  CHECK(nodes[primary]->run({"DBSIZE"}) == nodes[replica]->run({"DBSIZE"}));
}

TEST_CASE("a primary that is restarted with its data goes on, and nobody takes its place") {
  if (!has_cli()) return;
  for (const std::string to_ack : {"0", "1"}) {
    CAPTURE(to_ack);
    Nodes nodes = created();
    const auto [primary, replica] = some_pair(nodes);
    for (const auto& node : nodes) {
      REQUIRE(node->run({"CONFIG", "SET", "save", "3600 1", "min-replicas-to-ack", to_ack}) ==
              "OK");
    }
    Writer writer(ports_of(nodes));
    REQUIRE(eventually([&] { return writer.acknowledged() > 300; }));
    writer.stop();
    const std::string keys = nodes[primary]->run({"DBSIZE"});
    const auto dir = nodes[primary]->dir();
    const int port = nodes[primary]->port();
    REQUIRE(nodes[primary]->process().stop(SIGTERM) == 0);
    nodes[primary] = start_node(hearth_server(), port, dir, {"min-replicas-to-ack " + to_ack});
    INFO(logs_of(nodes));
    CHECK(eventually(
        [&] {
          return nodes[primary]->run({"CLUSTER", "INFO"}).find("cluster_state:ok") !=
                 std::string::npos;
        },
        milliseconds{kTimeoutMs + 3'000}));
    CHECK(role_of(*nodes[primary]) == "master");
    CHECK(eventually([&] { return is_synced(*nodes[replica]); }));
    CHECK(primary_port(*nodes[replica]) == port);
    CHECK(nodes[primary]->run({"DBSIZE"}) == keys);
    // Without a promise of what replicas have there is nothing to ask them.
    const bool kept_silent = nodes[primary]->log().find("keeps silent") != std::string::npos;
    CHECK(kept_silent == (to_ack == "1"));
  }
}

TEST_CASE("a failover by hand loses nothing that was acknowledged, however often it is done") {
  if (!has_cli()) return;
  Nodes nodes = created();
  Writer writer(ports_of(nodes));
  auto [primary, replica] = some_pair(nodes);
  for (int round = 0; round < 4; ++round) {
    const long long before = writer.acknowledged();
    REQUIRE(eventually([&] { return writer.acknowledged() > before + 200; }));
    REQUIRE(eventually([&] { return is_synced(*nodes[replica]); }));
    REQUIRE(eventually([&] { return is_replica_to_all(nodes, *nodes[replica]); }));
    REQUIRE(nodes[replica]->run({"CLUSTER", "FAILOVER"}) == "OK");
    REQUIRE(eventually([&] { return role_of(*nodes[replica]) == "master"; }));
    REQUIRE(eventually([&] { return primary_port(*nodes[primary]) == nodes[replica]->port(); }));
    std::swap(primary, replica);
  }
  const long long before = writer.acknowledged();
  CHECK(eventually([&] { return writer.acknowledged() > before + 200; }));
  writer.stop();
  INFO(logs_of(nodes));
  CHECK(writer.missing() == "");
  CHECK(writer.longest_gap() < milliseconds{1500});
  // The old primary went on where the new one began: no data was sent again.
  CHECK(nodes[replica]->log().find("Successful partial resynchronization") != std::string::npos);
}

TEST_CASE("FORCE needs no primary that answers, TAKEOVER not even a majority") {
  if (!has_cli()) return;
  Nodes nodes = created();
  const auto [primary, replica] = some_pair(nodes);
  nodes[primary]->process().send(SIGSTOP);
  CHECK(nodes[replica]->run({"CLUSTER", "FAILOVER", "FORCE"}) == "OK");
  CHECK(eventually([&] { return role_of(*nodes[replica]) == "master"; }, milliseconds{1'500}));
  nodes[primary]->process().send(SIGCONT);
  CHECK(eventually([&] { return primary_port(*nodes[primary]) == nodes[replica]->port(); }));
  REQUIRE(eventually([&] { return is_synced(*nodes[primary]); }));
  REQUIRE(eventually([&] { return is_replica_to_all(nodes, *nodes[primary]); }));

  std::vector<std::size_t> stopped;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i == primary || i == replica || primary_port(*nodes[i]) != 0) continue;
    stopped.push_back(i);
  }
  for (const std::size_t i : stopped) nodes[i]->process().send(SIGSTOP);
  CHECK(nodes[primary]->run({"CLUSTER", "FAILOVER", "TAKEOVER"}) == "OK");
  CHECK(eventually([&] { return role_of(*nodes[primary]) == "master"; }, milliseconds{1'000}));
  for (const std::size_t i : stopped) nodes[i]->process().send(SIGCONT);
  CHECK(eventually([&] { return primary_port(*nodes[replica]) == nodes[primary]->port(); }));
  CHECK(eventually([&] { return is_cluster_ok(nodes, 6); }));
}

TEST_CASE("clients of a primary that is demoted are sent on") {
  if (!has_cli()) return;
  Nodes nodes = created();
  const auto [primary, replica] = some_pair(nodes);
  std::string key;
  for (int i = 0; key.empty(); ++i) {
    const std::string candidate = "list:" + std::to_string(i);
    if (!nodes[primary]->run({"LLEN", candidate}).starts_with("-")) key = candidate;
  }
  const auto waits = nodes[primary]->client();
  REQUIRE(waits->send({"BLPOP", key, "0"}));
  const auto listens = nodes[primary]->client();
  REQUIRE(listens->text({"SSUBSCRIBE", key}) == "ssubscribe " + key + " 1");
  REQUIRE(nodes[replica]->run({"CLUSTER", "FAILOVER"}) == "OK");
  const auto moved = waits->read();
  REQUIRE(moved);
  CHECK(RespClient::as_text(*moved) ==
        "-MOVED " + std::to_string(cluster::slot_of(key)) + " " + nodes[replica]->address());
  // A replica serves shard channels as its primary does: the subscription stays.
  REQUIRE(eventually([&] { return is_synced(*nodes[primary]); }));
  CHECK(nodes[replica]->run({"SPUBLISH", key, "hello"}) == "0");
  const auto message = listens->read();
  REQUIRE(message);
  CHECK(RespClient::as_text(*message) == "smessage " + key + " hello");
}

TEST_CASE("a replica reads where READONLY was said, and sends writes to its primary") {
  if (!has_cli()) return;
  Nodes nodes = created();
  const auto [primary, replica] = some_pair(nodes);
  std::string key;
  for (int i = 0; key.empty(); ++i) {
    const std::string candidate = "k:" + std::to_string(i);
    if (nodes[primary]->run({"SET", candidate, "v"}) == "OK") key = candidate;
  }
  const std::string moved =
      "-MOVED " + std::to_string(cluster::slot_of(key)) + " " + nodes[primary]->address();
  const auto client = nodes[replica]->client();
  CHECK(client->text({"GET", key}) == moved);
  CHECK(client->text({"READONLY"}) == "OK");
  CHECK(eventually([&] { return client->text({"GET", key}) == "v"; }));
  CHECK(client->text({"SET", key, "w"}) == moved);
  CHECK(client->text({"READWRITE"}) == "OK");
  CHECK(client->text({"GET", key}) == moved);
  CHECK(client->text({"REPLICAOF", "127.0.0.1", "1"}) ==
        "-ERR REPLICAOF not allowed in cluster mode.");
  CHECK(nodes[primary]
            ->run({"CLUSTER", "REPLICAS", nodes[primary]->run({"CLUSTER", "MYID"})})
            .find(nodes[replica]->run({"CLUSTER", "MYID"})) != std::string::npos);
}

TEST_CASE(
    "nodes form primaries and replicas by themselves, and a primary hands over before its end") {
  std::vector<int> ports;
  for (int i = 0; i < 6; ++i) ports.push_back(free_port());
  std::string seeds = "cluster-seeds";
  for (int i = 0; i < 3; ++i) {
    seeds += (i == 0 ? " 127.0.0.1:" : ",127.0.0.1:") +
             std::to_string(ports[static_cast<std::size_t>(i)]);
  }
  Peer peer = hearth_server();
  peer.config = {seeds, "cluster-expected-size 3", "cluster-replicas-per-shard 1",
                 "shutdown-on-sigterm failover"};
  Nodes nodes;
  for (const int port : ports) nodes.push_back(start_node(peer, port));
  const auto is_complete = [&] {
    int synced = 0;
    for (const auto& node : nodes) synced += is_synced(*node) ? 1 : 0;
    return synced == 3 && is_cluster_ok(nodes, 6);
  };
  REQUIRE(eventually(is_complete, milliseconds{40'000}));

  const auto [primary, replica] = some_pair(nodes);
  Writer writer(ports_of(nodes));
  REQUIRE(eventually([&] { return writer.acknowledged() > 300; }));
  CHECK(nodes[primary]->process().stop(SIGTERM) == 0);
  CHECK(role_of(*nodes[replica]) == "master");
  const long long before = writer.acknowledged();
  CHECK(eventually([&] { return writer.acknowledged() > before + 200; }));
  writer.stop();
  CHECK(writer.missing() == "");
  CHECK(writer.longest_gap() < milliseconds{1500});
}

namespace {

// The open slots of a node, as its own line of CLUSTER NODES has them.
std::string open_slots(const ServerProcess& node) {
  const std::string text = node.run({"CLUSTER", "NODES"});
  const std::size_t at = text.find("myself");
  if (at == std::string::npos) return "no line";
  const std::string line = text.substr(at, text.find('\n', at) - at);
  const std::size_t open = line.find('[');
  return open == std::string::npos ? "" : line.substr(open);
}

}  // namespace

TEST_CASE("slots that move key by key go on moving when the replica of either side takes over") {
  if (!has_cli()) return;
  Nodes nodes = created();
  const auto [source, source_replica] = some_pair(nodes);
  const int source_port = nodes[source]->port();
  std::size_t target = nodes.size();
  std::size_t target_replica = nodes.size();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const int port = primary_port(*nodes[i]);
    if (port == 0 || port == source_port) continue;
    target_replica = i;
    target = with_port(nodes, port);
  }
  REQUIRE(target < nodes.size());
  const auto id = [&](std::size_t i) { return nodes[i]->run({"CLUSTER", "MYID"}); };
  // A slot of the source, and keys of it.
  std::string tag;
  for (int i = 0; tag.empty(); ++i) {
    const std::string name = "{t" + std::to_string(i) + "}";
    if (nodes[source]->run({"SET", name + "here", "v"}) == "OK") tag = name;
  }
  const std::string slot = nodes[source]->run({"CLUSTER", "KEYSLOT", tag + "here"});
  REQUIRE(nodes[source]->run({"CLUSTER", "SETSLOT", slot, "MIGRATING", id(target)}) == "OK");
  REQUIRE(nodes[target]->run({"CLUSTER", "SETSLOT", slot, "IMPORTING", id(source)}) == "OK");
  const auto leaves_for = [&](std::size_t i) { return "[" + slot + "->-" + id(i) + "]"; };
  const auto comes_from = [&](std::size_t i) { return "[" + slot + "-<-" + id(i) + "]"; };
  // They have confirmed it.
  CHECK(open_slots(*nodes[source_replica]) == leaves_for(target));
  CHECK(open_slots(*nodes[target_replica]) == comes_from(source));

  // A replica sends its readers on like its primary.
  RespClient reader(nodes[source_replica]->port());
  REQUIRE(reader.text({"READONLY"}) == "OK");
  CHECK(reader.text({"GET", tag + "here"}) == "v");
  CHECK(reader.text({"GET", tag + "gone"}) ==
        "-ASK " + slot + " 127.0.0.1:" + std::to_string(nodes[target]->port()));

  REQUIRE(nodes[target_replica]->run({"CLUSTER", "FAILOVER"}) == "OK");
  INFO(logs_of(nodes));
  CHECK(eventually([&] { return open_slots(*nodes[source]) == leaves_for(target_replica); }));
  CHECK(open_slots(*nodes[target_replica]) == comes_from(source));
  REQUIRE(eventually([&] { return is_synced(*nodes[target]); }));
  CHECK(open_slots(*nodes[target]) == comes_from(source));
  REQUIRE(nodes[source_replica]->run({"CLUSTER", "FAILOVER"}) == "OK");
  CHECK(
      eventually([&] { return open_slots(*nodes[target_replica]) == comes_from(source_replica); }));
  CHECK(open_slots(*nodes[source_replica]) == leaves_for(target_replica));
  REQUIRE(eventually([&] { return is_synced(*nodes[source]); }));

  // A replica that comes without data gets them with it.
  REQUIRE(nodes[source]->run({"CLUSTER", "RESET"}) == "OK");
  CHECK(open_slots(*nodes[source]) == "");
  REQUIRE(nodes[source]->run({"CLUSTER", "MEET", "127.0.0.1",
                              std::to_string(nodes[source_replica]->port())}) == "OK");
  REQUIRE(eventually([&] {
    return nodes[source]->run({"CLUSTER", "REPLICATE", id(source_replica)}) == "OK";
  }));
  CHECK(eventually([&] { return open_slots(*nodes[source]) == leaves_for(target_replica); }));

  // The end of it, and everybody's slots are closed.
  REQUIRE(nodes[source_replica]->run({"MIGRATE", "127.0.0.1",
                                      std::to_string(nodes[target_replica]->port()), tag + "here",
                                      "0", "5000"}) == "OK");
  for (const std::size_t i : {target_replica, source_replica}) {
    REQUIRE(nodes[i]->run({"CLUSTER", "SETSLOT", slot, "NODE", id(target_replica)}) == "OK");
  }
  for (const auto& node : nodes) CHECK(eventually([&] { return open_slots(*node) == ""; }));
  CHECK(nodes[target_replica]->run({"GET", tag + "here"}) == "v");
}

TEST_CASE("hearth takes the place of redis-server, and redis-server that of hearth") {
  const auto redis = redis_server();
  if (!has_cli() || !redis) return;
  Peer hearth_node = hearth_server();
  hearth_node.config = {"rdb-compat 7.0"};  // what redis-server 7.0 can load
  for (const bool redis_leads : {true, false}) {
    CAPTURE(redis_leads);
    // redis-cli takes the first three as primaries where all have one address.
    std::vector<Peer> peers;
    for (int i = 0; i < 6; ++i) peers.push_back((i < 3) == redis_leads ? *redis : hearth_node);
    Nodes nodes = created(peers);
    const auto [primary, replica] = some_pair(nodes);
    REQUIRE(primary < 3);
    Writer writer(ports_of(nodes));
    REQUIRE(eventually([&] { return writer.acknowledged() > 300; }));
    const auto dir = nodes[primary]->dir();
    const int port = nodes[primary]->port();
    nodes[primary]->process().stop(SIGKILL);
    INFO(logs_of(nodes));
    CHECK(eventually([&] { return role_of(*nodes[replica]) == "master"; }));
    const long long before = writer.acknowledged();
    CHECK(eventually([&] { return writer.acknowledged() > before + 300; }));
    writer.stop();
    nodes[primary] = start_node(peers[primary], port, dir);
    CHECK(eventually([&] { return primary_port(*nodes[primary]) == nodes[replica]->port(); }));
    CHECK(eventually([&] { return is_synced(*nodes[primary]); }));
    CHECK(nodes[primary]->run({"DBSIZE"}) == nodes[replica]->run({"DBSIZE"}));
    CHECK(eventually([&] { return is_replica_to_all(nodes, *nodes[primary]); }));
    // And back by hand, across the two kinds.
    CHECK(nodes[primary]->run({"CLUSTER", "FAILOVER"}) == "OK");
    CHECK(eventually([&] { return role_of(*nodes[primary]) == "master"; }));
    CHECK(eventually([&] { return primary_port(*nodes[replica]) == port; }));
  }
}
