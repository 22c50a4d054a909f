// A node of a cluster as the engine sees it, over a real bus machine that has no network: this node
// and one other primary, which owns the upper half of the slots.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/bus/machine.h"
#include "cluster/nodes_file/nodes_file.h"
#include "src/command/cluster_control.h"
#include "tests/support/engine_fixture.h"

namespace hearth::test {

inline const std::string kMe(40, 'a');
inline const std::string kOther(40, 'b');
inline const std::string kReplica(40, 'c');

// 0-8191 are mine, 8192-16382 the other's, 16383 is nobody's.
inline std::string two_nodes() {
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

  // The other's replica says how much of its primary's data it has.
  void hear_replica(std::uint64_t offset) {
    run(cluster::input::LinkConnected{replica_link_, "127.0.0.1"});
    cluster::Message m = *pong();
    m.header.sender = NodeId(kReplica);
    m.header.replica_of = NodeId(kOther);
    m.header.flags = cluster::node_flag::kReplica;
    m.header.port = 6381;
    m.header.cport = 16381;
    m.header.replication_offset = offset;
    run(cluster::input::MessageReceived{replica_link_,
                                        std::make_shared<const cluster::Message>(std::move(m))});
  }

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
      const auto* open = std::get_if<cluster::action::OpenLink>(&action);
      if (open != nullptr && open->ip == "127.0.0.3") replica_link_ = open->link;
      if (open != nullptr && open->ip == "127.0.0.2") {
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
  cluster::LinkId replica_link_ = 0;
};

struct ClusterFixture {
  explicit ClusterFixture(
      const std::string& nodes_conf = two_nodes(), int resp = 2, int databases = 1,
      NanoTicks ticks = [] { return std::uint64_t{0}; })
      : server({.resp = resp,
                .config = {{"cluster-enabled", "yes"},
                           {"cluster-databases", std::to_string(databases)},
                           {"enable-debug-command", "yes"}},
                .ticks = ticks}),
        cluster(server, nodes_conf) {}
  template <typename... A>
  std::string run(const A&... words) {
    return server.run(words...);
  }
  EngineFixture server;
  FakeCluster cluster;
};

}  // namespace hearth::test
