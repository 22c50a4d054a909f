// Persistence: when and how the data set is kept on the disk, and how it comes back.
//
// Snapshots are written by a child (BGSAVE, save points) or in place (SAVE). A child sees the data
// as it was between two units. There is one child at a time: a save or rewrite that can't start now
// is scheduled.
//
// The append-only log is aof::Log, which does all disk work on a thread of its own. This class
// starts the child of a rewrite, and turns what the log tells into refusals of writes (MISCONF),
// log lines and figures.
//
// At the start it loads the log, or the snapshot if there is no log. It remembers where the stream
// of effects stood in what it loaded, so that replication can go on from there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "persistence/aof/base.h"
#include "persistence/aof/log.h"
#include "persistence/aof/manifest.h"
#include "persistence/aof/replay.h"
#include "persistence/io/file_system.h"
#include "persistence/snapshot/loader.h"
#include "persistence/snapshot/saver.h"
#include "src/command/persistence_control.h"
#include "src/command/server_control.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/server/child_launcher.h"

namespace hearth {

class Persistence final : public PersistenceControl {
 public:
  struct Ports {
    config::Registry* config = nullptr;
    io::FileSystem* disk = nullptr;
    ChildLauncher* children = nullptr;
    aof::DiskThread* disk_thread = nullptr;
    const Clock* clock = nullptr;
    std::function<void(microseconds)> sleep;  // blocks the thread: the delays that tests ask for
    int pid = 0;
    // Whether a process of this number exists; empty: none does.
    std::function<bool(int)> is_alive;
    // Where the stream of effects stands that the data is made of; nothing if there is no stream.
    std::function<std::optional<aof::StreamPosition>()> stream_position;
    std::function<void()> wants_changed;  // wants_commands() may have
    std::function<void()> give_up;        // the log can't be written: ends the process
  };
  explicit Persistence(Ports ports);
  ~Persistence() override;

  // The engine is made after this, since it needs its services.
  void attach(Engine& engine);

  // Function libraries: those to save, and the taker of those that are loaded.
  struct Libraries {
    using Trial = std::function<Result<void>(const std::string& source)>;

    std::function<std::vector<std::string>()> sources;
    std::function<Result<void>(std::string source, bool replace)> load;
    std::function<void()> clear;
    std::function<Trial()> begin_trial;  // takes the libraries of one file, and keeps none
  };
  void set_libraries(Libraries libraries) { libraries_ = std::move(libraries); }

  // Reads what is on the disk. `serve` gives clients a turn and returns false to stop.
  // On failure the reason was logged.
  [[nodiscard]] bool load_at_start(std::function<bool()> serve);
  // Where the stream stood in what was loaded; nothing if that is not known.
  [[nodiscard]] const std::optional<aof::StreamPosition>& loaded_position() const {
    return loaded_position_;
  }
  // Save points and what was scheduled; `hz` times a second.
  void tick();
  // At the end of a loop turn, before its replies leave.
  void end_turn();
  // The log takes down commands.
  [[nodiscard]] bool wants_commands() const { return log_.takes_units(); }
  [[nodiscard]] EffectSink& sink() { return log_; }
  // Where a save on this thread stands until it is complete.
  [[nodiscard]] std::string temp_snapshot_path() const;
  // Before the server ends: writes what has to be kept. An error says that it must go on.
  [[nodiscard]] Outcome prepare_shutdown(const ShutdownRequest& request);

  // For full syncs: the options of a snapshot of this moment, in the child that writes it.
  [[nodiscard]] rdb::FileOptions sync_options(const ChildLauncher::Report& report);
  void note_progress(const ChildProgress& progress);
  // Reads a snapshot without loading it. `serve` as for load_at_start.
  [[nodiscard]] Result<void> check_snapshot(const std::string& path, std::function<bool()> serve);
  // Puts the snapshot of a primary in the place of all data; what is logged begins anew with it.
  // `serve` as for load_at_start. Returns the database in which the primary's stream goes on. On
  // failure there is no data.
  [[nodiscard]] Result<DbIndex> replace_data(const std::string& path, std::function<bool()> serve);
  // The open slots that the last snapshot told of, as text: cluster/model/render.h.
  [[nodiscard]] const std::string& loaded_open_slots() const { return loaded_open_slots_; }
  // The data set is on the disk, with everything that was logged. Not so before the first base is
  // complete.
  [[nodiscard]] bool log_is_synced() const { return log_.is_synced(); }
  // The offset of the stream of changes up to which the disk has everything that was logged, as far
  // as is known: while clients go on writing it follows them from sync to sync.
  [[nodiscard]] std::uint64_t synced_offset() const { return log_.synced_offset(); }
  // The disk is so slow that writes must wait for it. Clients are held back; a primary's stream is
  // not, so its reader has to ask.
  [[nodiscard]] bool log_is_slow() const { return log_.is_slow(); }
  [[nodiscard]] bool has_child() const { return ports_.children->is_running(); }
  // A child is started or has ended for somebody else: tables keep their size meanwhile.
  void note_child(bool running);

  // --- PersistenceControl ---
  [[nodiscard]] Outcome save() override;
  [[nodiscard]] Result<std::string_view, ReplyError> save_in_background(WhenBusy busy) override;
  [[nodiscard]] Result<std::string_view, ReplyError> cancel_background_save() override;
  [[nodiscard]] Result<std::string_view, ReplyError> rewrite_log() override;
  [[nodiscard]] Outcome reload(const Reload& how) override;
  [[nodiscard]] Outcome reload_log() override;
  [[nodiscard]] std::int64_t last_save() const override { return last_save_.unix_seconds(); }
  [[nodiscard]] bool is_loading() const override { return load_.has_value(); }
  [[nodiscard]] std::string_view write_refusal() const override { return refusal_; }
  void flushed_all() override;
  void slow_down_log(microseconds by) override { flush_delay_ = by; }
  void write_figures(FigureView& view) override;
  void write_fork_figures(FigureView& view) override;

  // All rows of both, without values.
  static void list_figures(FigureView& view);

 private:
  struct Figures;  // persistence_figures.cc
  enum class Child : std::uint8_t { kNone, kSave, kRewrite, kSync };
  struct LoadState {
    UnixMillis started{};
    std::uint64_t total_bytes = 0, loaded_bytes = 0;
  };

  [[nodiscard]] const config::Settings& settings() const { return ports_.config->settings(); }
  [[nodiscard]] std::string snapshot_path() const { return settings().dbfilename; }
  [[nodiscard]] std::uint64_t changes() const;
  [[nodiscard]] bool fork_save();
  void save_ended(const ChildOutcome& outcome, std::uint64_t changes_at_start);
  void update_refusal();
  [[nodiscard]] Result<void> save_now();
  void note_version_once();
  enum class LogBase : bool { kNo, kYes };
  [[nodiscard]] rdb::FileOptions file_options(LogBase base = LogBase::kNo);
  [[nodiscard]] Outcome settle_children(const ShutdownRequest& request);
  void remove_leftovers();

  // --- loading: persistence_load.cc ---
  enum class Expired : std::uint8_t { kSkip, kKeep };
  [[nodiscard]] Result<void> load_snapshot(const std::string& path, bool merge,
                                           Expired expired = Expired::kSkip);
  [[nodiscard]] snapshot::LoadOptions load_options(bool merge);
  void empty_all(Reclaimer* reclaimer = nullptr);
  static void tell_of_failed_start(std::string_view loading, const Error& error);
  [[nodiscard]] bool load_log_at_start();
  [[nodiscard]] Result<void> load_snapshot_if_there();
  void begin_load(std::uint64_t bytes);
  // A turn for clients, if the server is starting. An error stops the load.
  [[nodiscard]] Result<void> serve_load(std::uint64_t offset);
  void end_load();
  [[nodiscard]] Result<void> make_first_base();
  [[nodiscard]] Result<void> open_log_at_start();
  [[nodiscard]] Result<std::uint64_t> size_of(const aof::LogFile& file);
  [[nodiscard]] Result<void> load_log();
  [[nodiscard]] Result<void> load_log_file(const aof::LogFile& file, bool last,
                                           std::uint64_t before);
  [[nodiscard]] Result<void> replay_commands(io::InputWindow& window, bool last,
                                             std::uint64_t before);
  [[nodiscard]] Result<void> run_logged(Session& session, std::span<const std::string_view> words);

  // --- the log: persistence_log.cc ---
  [[nodiscard]] Result<void> write_command_base(const std::string& path, bool incremental_sync,
                                                const aof::BaseOptions& options);
  [[nodiscard]] aof::Log::Turn log_turn() const;
  void handle_log_events();
  void handle_log_event(const aof::Log::Event& event);
  [[nodiscard]] Result<void> start_log();
  void stop_log();
  [[nodiscard]] Result<void> fork_rewrite();
  void rewrite_ended(const ChildOutcome& outcome, aof::LogFiles::BaseForm form);
  void rewrite_failed();
  [[nodiscard]] bool is_rewriting() const;
  void abandon_rewrite();
  [[nodiscard]] bool rewrite_is_limited();
  void maybe_rewrite();
  void delay(int setting) const;

  Ports ports_;
  Engine* engine_ = nullptr;
  Libraries libraries_;
  std::vector<std::string> sources_;  // of the snapshot being written

  Child child_ = Child::kNone;
  int child_pid_ = 0;
  bool tables_paused_ = false;
  UnixMillis child_started_{};
  ChildProgress progress_;
  std::uint64_t peak_copied_ = 0;
  UnixMillis progress_at_{};
  std::uint64_t child_keys_total_ = 0;

  bool save_scheduled_ = false;
  bool last_save_ok_ = true;
  bool told_version_ = false;
  UnixMillis last_save_{}, last_try_{};
  std::int64_t last_save_seconds_ = -1;
  std::uint64_t saved_changes_ = 0;  // the engine's counter of changes at the last snapshot
  std::uint64_t saves_ = 0;
  std::uint64_t last_save_copied_ = 0;
  std::string refusal_;

  aof::LogFiles files_;
  aof::Log log_;
  bool log_was_stopped_ = false;  // in this loop turn
  bool rewrite_scheduled_ = false;
  bool last_rewrite_ok_ = true;
  std::uint64_t rewrites_ = 0;
  std::uint64_t rewrite_failures_ = 0;  // one after the other
  std::uint64_t last_rewrite_copied_ = 0;
  std::int64_t last_rewrite_seconds_ = -1;
  std::int64_t retry_minutes_ = 0;
  UnixMillis retry_at_{};
  microseconds flush_delay_{0};
  std::uint64_t synced_seen_ = 0;  // synced_offset() at the time WAITAOF waiters were last woken

  std::optional<LoadState> load_;
  std::optional<aof::StreamPosition> loaded_position_;
  std::string loaded_open_slots_;
  std::function<bool()> serve_;  // only while the server starts
  snapshot::LoadFigures figures_;
};

}  // namespace hearth
