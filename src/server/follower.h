// Follower: what surrounds replication::ReplicaSide, which decides: the link, the file of the
// snapshot, its load, and the session in which the stream's commands run.
//
// The load runs outside of the event loop's callbacks: whoever runs the loop asks is_load_due() and
// calls load().
//
// The stream's bytes are relayed to the replicas of this server as they are, a transaction's when
// it is complete; the offset counts the same bytes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "persistence/io/file_system.h"
#include "src/command/replica_control.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/replication/replica_side.h"
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
  void attach(Engine& engine);
  // Follows the primary of the configuration, if it names one.
  void start();
  // Attempts, acknowledgements and time-outs; `hz` times a second.
  void tick();
  // At the end of a loop turn.
  void end_turn();
  // The data is being saved for the next start: nothing of the stream is run any more.
  void freeze(bool on) { frozen_ = on; }
  // --- the cluster says whom this server follows ---
  // other_data: what is here is not of that primary's data, which a failover must not serve.
  void follow_node(const std::string& host, std::uint16_t port, bool other_data);
  void lead();
  // --- this primary hands over to one of its replicas ---
  // Follows it, and asks it to become the primary; take_answer() once it has said.
  void hand_over_to(const std::string& host, std::uint16_t port);
  [[nodiscard]] std::optional<bool> take_answer() { return std::exchange(answer_, std::nullopt); }
  // Is its own primary, whatever it follows now, and the configuration says so.
  void promote();
  // Since the primary was last heard; nothing: none of its data is here.
  [[nodiscard]] std::optional<milliseconds> silence() const;

  // Lets go of the primary's session and of the link, before the server ends.
  void close();

  [[nodiscard]] bool is_load_due() const { return side_.state() == Side::State::kLoad; }
  // `serve` gives clients a turn and returns false to stop.
  void load(const std::function<bool()>& serve);

  // --- ReplicaControl ---
  [[nodiscard]] Outcome follow(std::string_view host, std::uint16_t port,
                               CommandContext& by) override;
  [[nodiscard]] Outcome follow_nobody(CommandContext& by) override;
  [[nodiscard]] bool is_replica() const override { return side_.state() != Side::State::kNone; }
  [[nodiscard]] bool link_is_up() const override {
    return side_.state() == Side::State::kConnected;
  }
  void take_over() override { promote(); }
  void write_role(ReplyWriter& out) override;
  void write_figures(FigureView& view) override;

  // All rows, without values.
  static void list_figures(FigureView& view);

  // --- PrimaryLink::Listener ---
  void link_connected() override;
  void link_received(std::string_view bytes) override;
  void link_lost(std::string_view why) override;

 private:
  struct Figures;  // follower_figures.cc
  using Side = replication::ReplicaSide;

  [[nodiscard]] const config::Settings& settings() const { return ports_.config->settings(); }
  void begin(const std::string& host, std::uint16_t port);
  void step(const Side::Event& event);
  // Does what one action says; the reason if that failed.
  Result<void> act(const Side::Action& action);
  void run_stream();
  void run_command(std::span<const std::string_view> words);
  [[nodiscard]] bool end_if_killed();
  void relay_complete();
  void open_session();
  [[nodiscard]] bool must_wait() const;
  void note_refusal();
  bool note_synced();
  void acknowledge();
  void adopt_open_slots();
  [[nodiscard]] Result<DbIndex> load_file(const std::function<bool()>& turn);

  Ports ports_;
  Engine* engine_ = nullptr;
  Side side_;
  std::unique_ptr<io::File> file_;
  std::string path_;
  Session* session_ = nullptr;
  MonoTime newline_at_{};
  std::uint64_t synced_offset_ = 0;  // of the stream, on the disk
  bool owes_synced_ = false;         // the primary asked before all was there
  bool told_refusal_ = false;
  bool frozen_ = false;
  bool asks_takeover_ = false;
  std::optional<bool> answer_;  // of who was asked
  bool has_synced_ = false;     // the data is a primary's, up to some moment
};

}  // namespace hearth
