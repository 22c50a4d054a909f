// Clusters with replicas as redis-cli makes them, and clients that write to them while nodes go and
// come.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cluster/model/slot.h"
#include "tests/system/peers.h"

namespace hearth::test {

inline constexpr int kTimeoutMs = 2000;

// A client as libraries are: it remembers who owns a slot, follows MOVED, and asks the others when
// a node does not answer.
class ClusterClient {
 public:
  explicit ClusterClient(std::vector<int> ports) : ports_(std::move(ports)) {}

  // One command on one key, tried once where its slot was last found, and where that says.
  std::string once(const std::string& key, const std::vector<std::string>& args) {
    const Slot slot = cluster::slot_of(key);
    if (!owners_.contains(slot)) owners_[slot] = next_port();
    for (int hops = 0; hops < 4; ++hops) {
      const std::string reply = ask(owners_[slot], args);
      if (reply.starts_with("-MOVED ")) {
        owners_[slot] = std::stoi(reply.substr(reply.rfind(':') + 1));
        // Nodes that came later are asked too, when the first ones are gone.
        if (std::find(ports_.begin(), ports_.end(), owners_[slot]) == ports_.end())
          ports_.push_back(owners_[slot]);
        continue;
      }
      if (reply == "(closed)" || reply.starts_with("-CLUSTERDOWN")) owners_[slot] = next_port();
      return reply;
    }
    owners_[slot] = next_port();
    return "-ERR redirected in circles";
  }

  // How many replicas confirm within a second what was written to the slot of this key so far.
  int confirmed_by(const std::string& key) {
    return std::atoi(ask(owners_[cluster::slot_of(key)], {"WAIT", "1", "1000"}).c_str());
  }

 private:
  int next_port() { return ports_[at_++ % ports_.size()]; }
  std::string ask(int port, const std::vector<std::string>& args) {
    auto& client = clients_[port];
    if (client == nullptr || !client->is_connected()) client = std::make_unique<RespClient>(port);
    const std::string reply = client->is_connected() ? client->text(args) : "(closed)";
    if (reply == "(closed)") client.reset();
    return reply;
  }

  std::vector<int> ports_;
  std::size_t at_ = 0;
  std::map<Slot, int> owners_;
  std::map<int, std::unique_ptr<RespClient>> clients_;
};

inline std::vector<int> ports_of(const Nodes& nodes) {
  std::vector<int> ports;
  for (const auto& node : nodes) ports.push_back(node->port());
  return ports;
}

// Counts up keys of all shards, one after the other, and remembers what was acknowledged; or, with
// Wait::kForReplica, what a replica has confirmed.
class Writer {
 public:
  enum class Wait : std::uint8_t { kForNobody, kForReplica };
  explicit Writer(std::vector<int> ports, Wait wait = Wait::kForNobody)
      : client_(std::move(ports)), wait_(wait) {
    thread_ = std::thread([this] {
      for (std::size_t i = 0; !stop_; ++i) write(i % kKeys);
    });
  }
  ~Writer() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] long long acknowledged() const { return total_; }
  [[nodiscard]] milliseconds longest_gap() const { return milliseconds{longest_gap_.load()}; }
  // Every key holds at least what was acknowledged; after stop().
  [[nodiscard]] std::string missing() {
    for (std::size_t i = 0; i < kKeys; ++i) {
      const std::string held = client_.once(key(i), {"GET", key(i)});
      if (std::atoll(held.c_str()) < done_[i]) {
        return key(i) + " is " + held + ", acknowledged was " + std::to_string(done_[i]);
      }
    }
    return {};
  }

 private:
  static constexpr std::size_t kKeys = 30;
  static std::string key(std::size_t i) { return "counter:" + std::to_string(i); }
  void write(std::size_t i) {
    const auto began = std::chrono::steady_clock::now();
    while (!stop_) {
      const std::string reply = client_.once(key(i), {"INCR", key(i)});
      const bool done = !reply.starts_with("-") && reply != "(closed)";
      if (done && (wait_ == Wait::kForNobody || client_.confirmed_by(key(i)) > 0)) {
        done_[i] = std::atoll(reply.c_str());
        ++total_;
        break;
      }
      std::this_thread::sleep_for(milliseconds{5});
    }
    const auto took =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
    longest_gap_ = std::max<long long>(longest_gap_, took.count());
  }

  ClusterClient client_;
  Wait wait_;
  long long done_[kKeys] = {};
  std::atomic<long long> total_{0};
  std::atomic<long long> longest_gap_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

inline bool has_cli() {
  if (find_program("redis-cli")) return true;
  MESSAGE("skipped: redis-cli is not installed");
  return false;
}

inline std::unique_ptr<ServerProcess> start_node(const Peer& peer, int port = 0,
                                                 std::shared_ptr<TempDir> dir = nullptr,
                                                 const std::vector<std::string>& more = {}) {
  ServerOptions options{.binary = peer.binary};
  options.config = cluster_config({"repl-diskless-sync-delay 0"});
  options.config.push_back("cluster-node-timeout " + std::to_string(kTimeoutMs));
  options.config.insert(options.config.end(), peer.config.begin(), peer.config.end());
  options.config.insert(options.config.end(), more.begin(), more.end());
  options.port = port;
  options.dir = std::move(dir);
  auto node = ServerProcess::start(options);
  REQUIRE(node != nullptr);
  return node;
}

inline std::string field_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name + ":");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 1;
  return text.substr(from, text.find('\r', from) - from);
}

inline std::string role_of(const ServerProcess& node) {
  return field_of(node.run({"INFO", "replication"}), "role");
}

inline bool is_synced(const ServerProcess& node) {
  return field_of(node.run({"INFO", "replication"}), "master_link_status") == "up";
}

// The port of the primary whose replica the node is; 0: it is a primary.
inline int primary_port(const ServerProcess& node) {
  const std::string info = node.run({"INFO", "replication"});
  return field_of(info, "role") == "slave" ? std::stoi(field_of(info, "master_port")) : 0;
}

inline std::size_t with_port(const Nodes& nodes, int port) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i]->port() == port) return i;
  }
  return nodes.size();
}

// True when every node takes this one for a replica: until then a primary gives it no vote.
inline bool is_replica_to_all(const Nodes& nodes, const ServerProcess& replica) {
  const std::string id = replica.run({"CLUSTER", "MYID"});
  return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
    const std::string text = node->run({"CLUSTER", "NODES"});
    const std::size_t at = text.find(id);
    return at != std::string::npos &&
           text.substr(at, text.find('\n', at) - at).find("slave") != std::string::npos;
  });
}

// Three primaries and three replicas, as redis-cli makes them.
inline Nodes created(const std::vector<Peer>& peers) {
  Nodes nodes;
  std::vector<std::string> command{"redis-cli", "--cluster", "create"};
  for (const Peer& peer : peers) {
    nodes.push_back(start_node(peer));
    command.push_back(nodes.back()->address());
  }
  command.insert(command.end(), {"--cluster-replicas", "1", "--cluster-yes"});
  const auto done = run_command(command);
  INFO(done.out, done.err);
  REQUIRE(done.exit_code == 0);
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, peers.size()); }, milliseconds{30'000}));
  REQUIRE(eventually(
      [&] {
        int replicas = 0;
        for (const auto& node : nodes) {
          replicas += is_synced(*node) && is_replica_to_all(nodes, *node) ? 1 : 0;
        }
        return replicas == static_cast<int>(peers.size()) / 2;
      },
      milliseconds{30'000}));
  return nodes;
}

inline Nodes created() { return created(std::vector<Peer>(6, hearth_server())); }

struct Pair {
  std::size_t primary = 0;
  std::size_t replica = 0;
};
inline Pair some_pair(const Nodes& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (const int port = primary_port(*nodes[i]); port != 0) return {with_port(nodes, port), i};
  }
  FAIL("no node is a replica");
  return {};
}

inline std::string logs_of(const Nodes& nodes) {
  std::string all;
  for (const auto& node : nodes) {
    const std::string log = node->log();
    all +=
        node->address() + "\n" + log.substr(log.size() - std::min<std::size_t>(log.size(), 4000));
  }
  return all;
}

}  // namespace hearth::test
