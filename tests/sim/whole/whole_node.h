// A whole node without sockets and clocks: engine, append-only log, both sides of replication,
// moves of slots and what the bus decides about them, put together as the server does. Its bus
// machine is SimCluster's.
//
// The World takes the place of the server's network: bytes of sessions leave with the end of
// a turn, and the link to the primary is a stream of the world.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/command/table.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/server/cluster_data.h"
#include "src/server/follower.h"
#include "src/server/migration_link.h"
#include "src/server/persistence.h"
#include "src/server/primary_link.h"
#include "src/server/replication.h"
#include "src/server/slot_moves.h"
#include "tests/sim/whole/whole_streams.h"
#include "tests/support/inline_launcher.h"
#include "tests/support/manual_disk.h"
#include "tests/support/mem_file_system.h"

namespace hearth::sim {

class WholeNode final : public EngineHost {
 public:
  class World : public StreamWorld {
   public:
    virtual UnixMillis unix_now(WholeNode& node) = 0;
    // The bus, as an administrator and as clients see it.
    virtual std::optional<cluster::AdminReply> administer(WholeNode& node,
                                                          cluster::AdminRequest request,
                                                          ClusterControl::Later later) = 0;
    virtual cluster::ViewPtr bus_view(WholeNode& node) = 0;
    // Another turn is wanted, though no bytes come.
    virtual void turn_soon(WholeNode& node) = 0;
    // The process ends: its log can't be written.
    virtual void give_up(WholeNode& node) = 0;
    // Bytes that a session's client, or replica, is to get.
    virtual void deliver(WholeNode& node, ConnId session, std::string bytes) = 0;
    virtual void session_ended(WholeNode& node, ConnId session) = 0;
    // The link to the primary.
    virtual void connect(WholeNode& node, const std::string& host, std::uint16_t port) = 0;
    virtual void send_to_primary(WholeNode& node, std::string bytes) = 0;
    virtual void close_link(WholeNode& node) = 0;
  };

  // config: directives beside those that every simulated node has.
  WholeNode(World& world, int index, test::MemFileSystem& disk, std::uint64_t seed,
            const std::vector<std::vector<std::string>>& config);
  ~WholeNode() override;
  WholeNode(const WholeNode&) = delete;
  WholeNode& operator=(const WholeNode&) = delete;

  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] Follower& follower() { return *follower_; }
  [[nodiscard]] ClusterData& data() { return *data_; }
  [[nodiscard]] Replication& replication() { return *replication_; }
  [[nodiscard]] SlotMoves& slot_moves() { return *slot_moves_; }
  // A slow disk: what the log writes waits until it is let go.
  void hold_disk(bool on);
  // The data set was loaded: `view` as the bus knows it.
  void begin(const cluster::View& view);
  // Clients are served by this view from now on.
  void show(cluster::ViewPtr view);

  // One loop turn around `work`: replies, the stream and the log's bytes leave at its end.
  void turn(const std::function<void()>& work);
  void tick();

  ConnId open_session();
  void close_session(ConnId id);
  // Bytes of a client or of a replica; runs the requests in them, as far as the session may.
  void receive(ConnId id, const std::string& bytes);
  // The answer to one command in a session of its own.
  [[nodiscard]] std::string ask(const std::vector<std::string>& words);

  // --- what the link to the primary brings ---
  void link_connected();
  void link_received(const std::string& bytes);
  void link_lost();

  // --- EngineHost ---
  void flush_soon(Session& session) override { to_flush_.push_back(session.id); }
  void close_soon(Session& session) override { to_close_.push_back(session.id); }
  void resume_soon(Session& session) override { to_resume_.push_back(session.id); }

 private:
  class Time final : public Clock {
   public:
    explicit Time(WholeNode& node) : node_(node) {}
    UnixMillis unix_now() const override { return node_.world_.unix_now(node_); }
    MonoTime mono_now() const override { return node_.world_.mono(node_); }

   private:
    WholeNode& node_;
  };
  class Bus final : public ClusterControl {
   public:
    explicit Bus(WholeNode& node) : node_(node) {}
    std::optional<cluster::AdminReply> administer(cluster::AdminRequest request,
                                                  Later later) override {
      return node_.world_.administer(node_, std::move(request), std::move(later));
    }
    cluster::ViewPtr view() override { return node_.world_.bus_view(node_); }
    std::vector<cluster::LinkInfo> links() override { return {}; }
    void drop_messages(int) override {}
    void close_on_drop(bool) override {}
    bool cut_links(const NodeId&, cluster::LinkSide) override { return false; }

   private:
    WholeNode& node_;
  };
  class Link final : public PrimaryLink {
   public:
    explicit Link(WholeNode& node) : node_(node) {}
    void connect(const Target& target) override;
    void send(std::string_view bytes) override;
    void set_reading(bool on) override;
    void close() override;

   private:
    WholeNode& node_;
  };

  void refresh_time() { engine_->set_time(clock_.unix_now(), clock_.mono_now()); }
  void make_slot_moves(std::uint64_t seed);
  void run_input(Session& session);
  void end_turn();

  World& world_;
  int index_;
  uv_loop_t loop_{};
  Time clock_;
  std::vector<const CommandSpec*> specs_;
  CommandTable table_;
  config::Registry config_;
  test::InlineLauncher children_;
  test::ManualDisk disk_thread_;
  Link link_{*this};
  Bus bus_{*this};
  WholeStreams streams_;
  MigrationLink requests_;
  std::unique_ptr<Persistence> persistence_;
  std::unique_ptr<Replication> replication_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ClusterData> data_;
  std::unique_ptr<SlotMoves> slot_moves_;
  std::map<ConnId, std::string> unread_;  // requests that have not run
  std::string unread_stream_;             // while the follower does not read
  bool reads_stream_ = true;
  bool is_begun_ = false;
  cluster::ViewPtr shown_;
  std::vector<ConnId> to_flush_, to_close_, to_resume_, awaits_disk_;
  int depth_ = 0;
};

}  // namespace hearth::sim
