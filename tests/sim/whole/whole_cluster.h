// Whole nodes in one cluster under one simulated network, clock and disk, with clients that follow
// redirects and record what was acknowledged.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/sim_cluster.h"
#include "tests/sim/whole/whole_node.h"

namespace hearth::sim {

class WholeCluster final : public SimCluster, public WholeNode::World {
 public:
  // config: directives that all nodes have.
  explicit WholeCluster(std::uint64_t seed, std::vector<std::vector<std::string>> config = {})
      : SimCluster(seed), config_(std::move(config)) {}
  ~WholeCluster() override;

  [[nodiscard]] WholeNode& whole(int i) { return *wholes_.at(i); }
  // The disk of a node that is down has nothing left but its nodes.conf.
  void lose_data(int i);

  // From now on the node's disk is as slow as that, until it is fast again.
  void slow_disk(int i, bool slow);

  // --- connections of clients; the network between them and the nodes has no partitions
  // To a node that runs and is heard by clients; 0: it refuses.
  std::uint64_t connect_client(int i, Listener& listener);
  void send(std::uint64_t connection, std::string bytes) override;
  void disconnect(std::uint64_t connection) override;
  [[nodiscard]] ConnId session_of(std::uint64_t connection) const {
    return connections_.at(connection).session;
  }
  void later(std::int64_t delay_ms, std::function<void()> run) { at(delay_ms, std::move(run)); }

 private:
  struct Connection {
    int from = -1;  // a node; -1: a client
    int node = 0;   // -1: nobody is there
    ConnId session = 0;
    bool broken = false;  // bytes were lost, and no side hears of it
    Listener* listener = nullptr;
    std::int64_t last_to_node = 0, last_to_client = 0;  // bytes keep their order
  };
  struct Stream {  // of a replica to its primary
    int replica = 0;
    int primary = 0;
    std::uint64_t primary_life = 0;
    ConnId session = 0;  // 0: not accepted yet
    bool open = true;
    std::int64_t last_up = 0, last_down = 0;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  // SimCluster
  void node_starts(int i) override;
  void node_ended(int i) override;
  void node_ticks(int i) override;
  cluster::DataState data_of(int i) override;
  void show(int i, const cluster::ViewPtr& view) override;
  void follow(int i, const cluster::action::Follow& action) override;
  void lead(int i) override;
  void hold_writes(int i, bool on) override;
  void drop_keys(int i, const cluster::SlotSet& slots) override;

  // World
  MonoTime mono(WholeNode& of) override { return MonoTime{(local_ms(of.index()) + 1000) * 1000}; }
  UnixMillis unix_now(WholeNode& of) override {
    return UnixMillis{1'700'000'000'000 + local_ms(of.index())};
  }
  std::optional<cluster::AdminReply> administer(WholeNode& of, cluster::AdminRequest request,
                                                ClusterControl::Later later) override;
  cluster::ViewPtr bus_view(WholeNode& of) override { return view(of.index()); }
  void turn_soon(WholeNode& of) override;
  void give_up(WholeNode& of) override;
  std::uint64_t dial(WholeNode& from, const std::string& host, std::uint16_t port,
                     Listener& listener) override;
  void deliver(WholeNode& from, ConnId session, std::string bytes) override;
  void session_ended(WholeNode& from, ConnId session) override;
  void connect(WholeNode& from, const std::string& host, std::uint16_t port) override;
  void send_to_primary(WholeNode& from, std::string bytes) override;
  void close_link(WholeNode& from) override;

  [[nodiscard]] bool passes(Connection& connection);
  void tell_closed(std::uint64_t id);
  void to_replica(const StreamPtr& stream, std::string bytes);
  void break_stream(const StreamPtr& stream, int told);
  [[nodiscard]] std::int64_t in_order(std::int64_t& last);

  std::vector<std::vector<std::string>> config_;
  std::set<int> turns_due_;
  std::map<int, std::unique_ptr<WholeNode>> wholes_;
  std::map<std::uint64_t, Connection> connections_;
  std::map<int, StreamPtr> streams_;  // by replica
  std::uint64_t next_connection_ = 1;
};

}  // namespace hearth::sim
