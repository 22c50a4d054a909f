// Replication: what surrounds replication::PrimarySide, which decides. Sessions are its peers, the
// child writes its snapshots, the loop and the turn bring its events.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "persistence/aof/stream_position.h"
#include "persistence/io/file_system.h"
#include "src/command/progress_source.h"
#include "src/command/replication_control.h"
#include "src/config/registry.h"
#include "src/effects/command_stream.h"
#include "src/engine/engine.h"
#include "src/replication/handover.h"
#include "src/replication/primary_side.h"
#include "src/server/child_launcher.h"
#include "src/server/persistence.h"

namespace hearth {

class Replication final : public ReplicationControl, public ProgressSource, public EffectSink {
 public:
  struct Ports {
    uv_loop_t* loop = nullptr;
    config::Registry* config = nullptr;
    io::FileSystem* disk = nullptr;
    ChildLauncher* children = nullptr;
    const Clock* clock = nullptr;
    Persistence* persistence = nullptr;
    int pid = 0;
    std::function<void()> wants_changed;  // wants_commands() may have
  };
  explicit Replication(Ports ports);
  ~Replication() override = default;

  void attach(Engine& engine);
  // Gives the handles back to the loop.
  void close();

  // Time-outs, pings and snapshots that are due; `hz` times a second.
  void tick();
  // At the end of a loop turn, before its output leaves.
  void end_turn();
  // Replicas that get the stream with their addresses and how far they are, for a handover.
  [[nodiscard]] std::vector<replication::Handover::Candidate> candidates() const;
  // Tells the log which of them have not confirmed everything up to `offset`.
  void log_lagging(std::uint64_t offset);
  // Without a stream the offset still counts units, for those who wait for replicas to have them.
  [[nodiscard]] bool wants_commands() const {
    return side_.wants_stream() || (settings().min_replicas_to_ack > 0 && !side_.is_following());
  }

  // Where the data stands; nothing if it is of no stream.
  [[nodiscard]] std::optional<aof::StreamPosition> position() const;
  // The data was loaded, and stands there.
  void resume(const aof::StreamPosition& position, replication::PrimarySide::Role role);
  // The position is being saved for the next start: nothing is added to the stream any more.
  void freeze(bool on) { side_.freeze(on); }

  // --- while this server is a replica itself: its own replicas get its primary's stream ---
  // The data is what the stream makes of it up to offset(): a primary may go on from there.
  // Writes are acknowledged when replicas have them, and the disk may not have them by then.
  [[nodiscard]] bool owes_replicas() const;
  [[nodiscard]] bool can_continue() const { return side_.backlog().has_value(); }
  // The database that the stream's next effect belongs to if it does not say so.
  [[nodiscard]] DbIndex stream_db() const { return side_.stream_db(); }
  void begin_following() { perform(side_.follow()); }
  // All data came from the primary: the stream is its, and stands at `offset`.
  void adopt(const std::string& id, std::uint64_t offset) { perform(side_.adopt(id, offset)); }
  // The primary goes on where we are, under this name of the stream.
  void continue_as(const std::string& id) { perform(side_.continue_as(id)); }
  // Bytes of the stream whose effects are in the data; `db` as stream_db().
  void relay(std::string_view bytes, DbIndex db) { side_.append(bytes, db); }
  // This server is its own primary again: the stream goes on under a new name, and who followed
  // the old one may follow on.
  void lead() { perform(side_.lead(ports_.clock->mono_now())); }
  void drop_replicas() { perform(side_.drop_replicas()); }
  // Whether nobody may follow now: the data is not what they should have.
  void refuse_replicas(bool on) { refuses_replicas_ = on; }
  // The data is of no stream any more.
  void forget_stream() { side_.forget_stream(); }

  // --- EffectSink ---
  void on_commit(const CommittedUnit& unit) override;

  // --- ReplicationControl ---
  [[nodiscard]] Outcome sync(CommandContext& ctx) override;
  [[nodiscard]] Outcome configure(CommandContext& ctx) override;
  void write_role(ReplyWriter& out) override;
  void write_figures(FigureView& view) override;
  void write_sync_figures(FigureView& view) override;
  void closed(Session& session) override;
  [[nodiscard]] std::uint64_t offset() const override { return side_.offset(); }
  [[nodiscard]] std::uint64_t backlog_bytes() const override;
  [[nodiscard]] std::uint64_t unsent_bytes() const override;
  [[nodiscard]] std::size_t fed_replicas() const override { return side_.fed_replicas(); }
  void id_changed() override { side_.rename(std::string(engine_->reports().replication_id())); }

  // --- ProgressSource ---
  [[nodiscard]] std::size_t online_replicas() const override { return side_.online_replicas(); }
  [[nodiscard]] bool replicas_take_open_slots() const override {
    return side_.replicas_take_open_slots();
  }
  [[nodiscard]] std::size_t replicas_at(std::uint64_t offset, bool on_disk) const override {
    return side_.replicas_at(offset, on_disk);
  }
  [[nodiscard]] bool is_on_disk_here(std::uint64_t offset) const override;
  [[nodiscard]] bool has_log() const override { return settings().appendonly; }
  [[nodiscard]] bool is_replica() const override { return side_.is_following(); }
  void ask_replicas() override { side_.ask_for_acks(); }

  // All rows of both, without values.
  static void list_figures(FigureView& view);

 private:
  struct Figures;  // replication_figures.cc
  [[nodiscard]] const config::Settings& settings() const { return ports_.config->settings(); }
  void ask_for_what_is_awaited();
  void give_replicas_their_turn();
  void tell_barrier();
  [[nodiscard]] static replication::PrimarySettings side_settings(const config::Settings& s);
  void step(const replication::PrimaryEvent& event);
  void perform(const replication::PrimaryActions& actions);
  // One for each kind of action.
  void act(const replication::Send& action);
  void act(const replication::SendStream& action);
  void act(const replication::SendFile& action);
  void act(const replication::SendSnapshot& action);
  void act(const replication::OpenFile& action);
  void act(const replication::RemoveFile& action);
  void act(const replication::CloseFile& action);
  void act(const replication::Drop& action);
  void act(const replication::Dismiss& action);
  void act(const replication::StartSnapshot& action);
  void act(const replication::StopSnapshot& action);
  void act(const replication::ReadSnapshot& action);
  void act(const replication::NameChanged& action);
  void act(const replication::WantsChanged& action);
  void act(const replication::Progressed& action);
  void act(const replication::CountChanged& action);
  void act(const replication::MoreToSend& action);
  void act(const replication::WentOnline& action);
  void act(const replication::Note& action);

  // Null: it is gone, or about to be.
  [[nodiscard]] Session* session_of(replication::PeerId peer) const;
  void send(Session& session, std::string_view bytes);
  [[nodiscard]] Outcome configure_word(CommandContext& ctx, std::size_t at,
                                       replication::Replica& replica);
  [[nodiscard]] static Result<replication::SnapshotContent, ReplyError> content_of(
      std::string_view filter);
  [[nodiscard]] rdb::FileOptions snapshot_options(const ChildLauncher::Report& report,
                                                  replication::SnapshotContent content);
  [[nodiscard]] std::string file_path() const;
  [[nodiscard]] Result<void> fork_to_file(replication::SnapshotContent content);
  [[nodiscard]] Result<void> fork_to_sockets(replication::SnapshotContent content);
  void file_written(const ChildOutcome& outcome);
  void sockets_written(const ChildOutcome& outcome);
  void read_pipe();
  void close_pipe();
  [[nodiscard]] static std::string address_of(const Session& session,
                                              const replication::Replica& replica);
  [[nodiscard]] std::string name_of(replication::PeerId peer) const;

  Ports ports_;
  Engine* engine_ = nullptr;
  replication::PrimarySide side_;
  bool refuses_replicas_ = false;
  std::map<replication::PeerId, std::unique_ptr<io::File>> files_;
  std::vector<replication::PeerOutput> outputs_;
  std::string_view snapshot_bytes_;  // while the event that brought them is dealt with
  CommandStream stream_{Effect::kToReplicas};
  std::string scratch_;
  int pipe_ = -1;
  uv_poll_t* poll_ = nullptr;
  bool wants_pipe_ = false;
  std::uint64_t asked_offset_ = 0;  // up to which replicas were asked to confirm
  uv_async_t wake_{};
};

}  // namespace hearth
