// The servers under test: hearth-server, and redis-server where it is installed.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/server_process.h"

// Where the build puts its binaries; given by CMake.
#ifndef HEARTH_BINARY_DIR
#define HEARTH_BINARY_DIR "."
#endif

namespace hearth::test {

// HEARTH_BINARIES names the folder of another build, whose binaries are tested in place of this
// one's.
inline std::string built(const std::string& name) {
  const char* other = std::getenv("HEARTH_BINARIES");
  return std::string(other == nullptr ? HEARTH_BINARY_DIR : other) + "/" + name;
}

struct Peer {
  std::string name;
  std::string binary;
  std::vector<std::string> config{};  // lines of its own
};

// HEARTH_SERVER_BINARY puts another binary in its place.
inline Peer hearth_server() {
  const char* other = std::getenv("HEARTH_SERVER_BINARY");
  return {"hearth-server", other == nullptr ? built("hearth-server") : other, {}};
}

// Without io_uring, as on kernels that lack it or forbid it.
inline Peer hearth_on_epoll() {
  return {"hearth-server on epoll", hearth_server().binary, {"io-uring no"}};
}

// Nothing, with a note in the test's output, where redis-server is not installed.
inline std::optional<Peer> redis_server() {
  const auto binary = find_program("redis-server");
  if (!binary) {
    MESSAGE("skipped: redis-server is not installed");
    return std::nullopt;
  }
  return Peer{"redis-server", *binary, {}};
}

inline std::vector<Peer> all_peers() {
  std::vector<Peer> peers{hearth_server()};
  if (auto redis = redis_server()) peers.push_back(*redis);
  return peers;
}

inline std::unique_ptr<ServerProcess> start_peer(const Peer& peer,
                                                 std::vector<std::string> config = {}) {
  config.insert(config.end(), {"save \"\"", "appendonly no"});
  config.insert(config.end(), peer.config.begin(), peer.config.end());
  auto server = ServerProcess::start({.binary = peer.binary, .config = std::move(config)});
  REQUIRE(server != nullptr);
  return server;
}

// Configuration of a node in a cluster of tests.
inline std::vector<std::string> cluster_config(std::vector<std::string> more = {}) {
  more.insert(more.end(),
              {"save \"\"", "appendonly no", "cluster-enabled yes", "cluster-node-timeout 5000"});
  return more;
}

using Nodes = std::vector<std::unique_ptr<ServerProcess>>;

inline bool is_cluster_ok(const Nodes& nodes, std::size_t size) {
  for (const auto& node : nodes) {
    const std::string info = node->run({"CLUSTER", "INFO"});
    if (info.find("cluster_state:ok") == std::string::npos) return false;
    if (info.find("cluster_known_nodes:" + std::to_string(size)) == std::string::npos) return false;
    if (info.find("cluster_slots_assigned:16384") == std::string::npos) return false;
  }
  return true;
}

// Nodes that divide the slots evenly, made with MEET and ADDSLOTSRANGE, which every server has.
inline Nodes start_cluster(const std::vector<Peer>& peers) {
  Nodes nodes;
  for (const auto& peer : peers) {
    auto node = ServerProcess::start({.binary = peer.binary, .config = cluster_config()});
    REQUIRE(node != nullptr);
    nodes.push_back(std::move(node));
  }
  const auto count = static_cast<int>(nodes.size());
  for (int i = 0; i < count; ++i) {
    const auto& node = nodes[static_cast<std::size_t>(i)];
    const std::string first = std::to_string(16384 * i / count);
    const std::string last = std::to_string(16384 * (i + 1) / count - 1);
    REQUIRE(node->run({"CLUSTER", "ADDSLOTSRANGE", first, last}) == "OK");
    REQUIRE(node->run({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}) == "OK");
  }
  for (int i = 1; i < count; ++i) {
    REQUIRE(nodes[0]->run({"CLUSTER", "MEET", "127.0.0.1",
                           std::to_string(nodes[static_cast<std::size_t>(i)]->port())}) == "OK");
  }
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, nodes.size()); }, milliseconds{30'000}));
  return nodes;
}

inline long long keys_in(const Nodes& nodes) {
  return std::accumulate(nodes.begin(), nodes.end(), 0LL, [](long long sum, const auto& node) {
    return sum + std::stoll(node->run({"DBSIZE"}));
  });
}

}  // namespace hearth::test
