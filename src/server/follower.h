// Follower: this server as the replica of another.
//
//   kNone -> kConnect -> kConnecting -> kHandshake -> kTransfer -> kLoad -> kConnected
//                ^            |             |    \________________________/     |
//                '------------'-------------'---- link lost, once a second -----'
//
// It asks the primary to go on where our data stands (PSYNC). If the primary can't, a snapshot
// comes: it is written to a file, which then takes the place of all data. The load runs outside of
// the event loop's callbacks: whoever runs the loop asks load_due() and calls load().
//
// The stream's commands run in a session of their own. Their bytes are relayed to the replicas of
// this server as they are, a transaction's when it is complete; the offset counts the same bytes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "persistence/io/file_system.h"
#include "src/command/services.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/proto/request_parser.h"
#include "src/replication/handshake.h"
#include "src/server/persistence.h"
#include "src/server/primary_link.h"
#include "src/server/replication.h"

namespace hearth {

class Follower final : public ReplicaControl, public PrimaryLink::Listener {
 public:
  struct Ports {
    PrimaryLink* link = nullptr;
    config::Registry* config = nullptr;
    io::FileSystem* disk = nullptr;
    const Clock* clock = nullptr;
    Persistence* persistence = nullptr;
    Replication* replication = nullptr;
    int pid = 0;
    std::function<void()> refresh_time;  // brings the engine's time up to date
    std::function<void()> load_due;      // load() is to be called
    std::function<void()> role_changed;
  };
  // The link may be made after this: set_link before attach.
  explicit Follower(Ports ports) : ports_(std::move(ports)) {}
  ~Follower() override = default;

  void set_link(PrimaryLink& link) { ports_.link = &link; }
  void attach(Engine& engine) { engine_ = &engine; }
  // Follows the primary of the configuration, if it names one.
  void start();
  // Attempts, acknowledgements and time-outs; `hz` times a second.
  void tick();
  // At the end of a loop turn.
  void end_turn();
  // Lets go of the primary's session and of the link, before the server ends.
  void close();

  [[nodiscard]] bool is_load_due() const { return state_ == State::kLoad; }
  // `serve` gives clients a turn and returns false to stop.
  void load(const std::function<bool()>& serve);

  // --- ReplicaControl ---
  [[nodiscard]] Outcome follow(std::string_view host, std::uint16_t port,
                               CommandContext& by) override;
  [[nodiscard]] Outcome follow_nobody(CommandContext& by) override;
  [[nodiscard]] bool is_replica() const override { return state_ != State::kNone; }
  [[nodiscard]] bool link_is_up() const override { return state_ == State::kConnected; }
  void write_role(ReplyWriter& out) override;
  void write_info(InfoWriter& out) override;

  // --- PrimaryLink::Listener ---
  void link_connected() override;
  void link_received(std::string_view bytes) override;
  void link_lost(std::string_view why) override;

 private:
  enum class State : std::uint8_t {
    kNone,
    kConnect,
    kConnecting,
    kHandshake,
    kTransfer,
    kLoad,
    kConnected
  };

  [[nodiscard]] const config::Settings& settings() const { return ports_.config->settings(); }
  [[nodiscard]] static std::string_view state_name(State state);
  void begin();
  void try_connect();
  void drop(std::string_view why);
  void forget_transfer();
  void receive();
  [[nodiscard]] bool take_handshake_line();
  void handshake_ended();
  [[nodiscard]] bool take_snapshot_header();
  void take_snapshot_bytes();
  void snapshot_complete();
  [[nodiscard]] bool end_if_killed();
  void run_stream();
  void run_command(std::span<const std::string_view> words);
  void relay_complete(std::size_t bytes);
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] bool must_wait() const;
  bool note_synced();
  void acknowledge();
  void become_connected();

  Ports ports_;
  Engine* engine_ = nullptr;
  State state_ = State::kNone;
  std::string host_;
  std::uint16_t port_ = 0;
  std::uint64_t attempt_ = 0;  // counts links, so that one that ended in a callback is noticed
  std::optional<replication::Handshake> handshake_;
  std::string input_;

  std::optional<replication::SnapshotHeader> header_;
  std::unique_ptr<io::File> file_;
  std::string path_;
  std::uint64_t received_ = 0;
  std::string tail_;  // the last bytes received, to find the mark

  Session* session_ = nullptr;
  RequestParser parser_;
  std::string complete_;  // run, and not yet relayed
  std::string open_;      // of a transaction that is not complete

  MonoTime tried_at_{}, heard_at_{}, down_since_{}, acked_at_{}, newline_at_{};
  std::uint64_t synced_offset_ = 0;  // of the stream, on the disk
  bool owes_synced_ = false;         // the primary asked before all was there
};

}  // namespace hearth
