// Persistence: when and how the data set is kept on the disk, and how it comes back.
//
// Snapshots are written by a child (BGSAVE, save points) or in place (SAVE); a child sees the data
// as it was between two units. One child at a time: what cannot run now is scheduled.
//
// The append-only log is a base and increments (persistence/aof). Rewriting it: a new increment is
// opened, a child writes a new base of this moment, and when that is complete the manifest is
// switched. A log that is turned on while the server runs is kFirstRewrite until its first base is
// there; its increment grows in a temporary file meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "persistence/aof/append_log.h"
#include "persistence/aof/manifest.h"
#include "persistence/aof/replay.h"
#include "persistence/io/file_system.h"
#include "persistence/snapshot/loader.h"
#include "persistence/snapshot/saver.h"
#include "src/command/services.h"
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
    aof::Syncer* syncer = nullptr;
    const Clock* clock = nullptr;
    std::function<void(microseconds)> sleep;  // blocks the thread: the delays that tests ask for
    int pid = 0;
    std::function<void()> wants_changed;  // wants_commands() may have
    std::function<void()> give_up;        // the log can't be written: ends the process
  };
  explicit Persistence(Ports ports);
  ~Persistence() override;

  // The engine is made after this, since it needs its services.
  void attach(Engine& engine);

  // Function libraries: what is saved, and who takes what is loaded.
  struct Libraries {
    std::function<std::vector<std::string>()> sources;
    std::function<Result<void>(std::string source, bool replace)> load;
    std::function<void()> clear;
  };
  void set_libraries(Libraries libraries) { libraries_ = std::move(libraries); }

  // Reads what is on the disk. `serve` gives clients a turn and returns false to stop.
  // On failure the reason was logged.
  [[nodiscard]] bool load_at_start(std::function<bool()> serve);
  // Save points and what was scheduled; `hz` times a second.
  void tick();
  // At the end of a loop turn, before its replies leave.
  void end_turn();
  // The log takes down commands.
  [[nodiscard]] bool wants_commands() const { return log_.is_open(); }
  [[nodiscard]] EffectSink& sink() { return log_; }
  // Where a save on this thread stands until it is complete.
  [[nodiscard]] std::string temp_snapshot_path() const;
  // Before the server ends: writes what has to be kept. An error says that it must go on.
  [[nodiscard]] Outcome prepare_shutdown(const ShutdownRequest& request);

  // For full syncs: the options of a snapshot of this moment, in the child that writes it.
  [[nodiscard]] rdb::FileOptions sync_options(const ChildLauncher::Report& report,
                                              DbIndex stream_db);
  void note_progress(const ChildProgress& progress);
  // Puts the snapshot of a primary in the place of all data; what is logged begins anew with it.
  // `serve` as for load_at_start. Returns the database in which the primary's stream goes on. On
  // failure there is no data.
  [[nodiscard]] Result<DbIndex> replace_data(const std::string& path, std::function<bool()> serve);
  // The data set is on the disk, with everything that was logged. Not so before the first base is
  // complete.
  [[nodiscard]] bool log_is_synced() const {
    return log_state_ == LogState::kOn && log_.synced_total() >= log_.appended_total();
  }
  // The offset of the stream of changes up to which the disk has everything that was logged, as far
  // as is known: while clients go on writing it follows them from sync to sync.
  [[nodiscard]] std::uint64_t synced_offset() const { return synced_offset_; }
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
  void write_info(InfoWriter& out) override;
  void write_fork_info(InfoWriter& out) override;

 private:
  enum class LogState : std::uint8_t { kOff, kOn, kFirstRewrite };
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
  enum class Expired : std::uint8_t { kSkip, kKeep };
  [[nodiscard]] Result<void> load_snapshot(const std::string& path, bool merge,
                                           Expired expired = Expired::kSkip,
                                           DbIndex* stream_db = nullptr);
  [[nodiscard]] snapshot::LoadOptions load_options(bool merge);
  void empty_all(Reclaimer* reclaimer = nullptr);
  [[nodiscard]] rdb::FileOptions file_options();
  [[nodiscard]] Outcome settle_children(const ShutdownRequest& request);
  [[nodiscard]] bool load_log_at_start();
  void begin_load(std::uint64_t bytes);
  // A turn for clients, if the server is starting. An error stops the load.
  [[nodiscard]] Result<void> serve_load(std::uint64_t offset);
  void end_load();

  // --- the log: persistence_log.cc ---
  [[nodiscard]] aof::AppendLog::Flush flush_options(bool force) const;
  void flush_log(bool force);
  void note_synced(bool sync_began);
  [[nodiscard]] Result<void> start_log();
  void stop_log();
  [[nodiscard]] Result<void> open_increment();
  [[nodiscard]] Result<void> fork_rewrite();
  void rewrite_ended(const ChildOutcome& outcome, aof::LogFiles::BaseForm form);
  [[nodiscard]] Result<void> finish_rewrite(aof::LogFiles::BaseForm form);
  void abandon_rewrite();
  [[nodiscard]] bool rewrite_is_limited();
  void maybe_rewrite();
  [[nodiscard]] Result<void> make_first_base();
  [[nodiscard]] Result<void> open_log_at_start();
  [[nodiscard]] Result<std::uint64_t> files_size();
  [[nodiscard]] Result<std::uint64_t> size_of(const aof::LogFile& file);
  [[nodiscard]] Result<void> load_log();
  [[nodiscard]] Result<void> load_log_file(const aof::LogFile& file, bool last,
                                           std::uint64_t before);
  [[nodiscard]] Result<void> replay_commands(io::InputWindow& window, bool last,
                                             std::uint64_t before);
  [[nodiscard]] Result<void> run_logged(Session& session, std::span<const std::string_view> words);
  void write_log_info(InfoWriter& out);
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
  UnixMillis last_save_{}, last_try_{};
  std::int64_t last_save_seconds_ = -1;
  std::uint64_t saved_changes_ = 0;  // the engine's counter of changes at the last snapshot
  std::uint64_t saves_ = 0;
  std::uint64_t last_save_copied_ = 0;
  std::string refusal_;

  aof::LogFiles files_;
  aof::AppendLog log_;
  LogState log_state_ = LogState::kOff;
  bool log_was_stopped_ = false;  // in this loop turn
  bool rewrite_scheduled_ = false;
  bool last_rewrite_ok_ = true;
  bool last_write_ok_ = true;
  std::string last_write_error_;
  std::uint64_t other_files_bytes_ = 0;  // of the base and all increments but the last
  std::uint64_t size_at_rewrite_ = 0;
  std::uint64_t rewrites_ = 0;
  std::uint64_t rewrite_failures_ = 0;  // one after the other
  std::uint64_t last_rewrite_copied_ = 0;
  std::int64_t last_rewrite_seconds_ = -1;
  std::int64_t retry_minutes_ = 0;
  UnixMillis retry_at_{};
  microseconds flush_delay_{0};
  // What the sync under way brings to the disk: bytes of the log, and where the stream stood then.
  struct SyncMark {
    std::uint64_t bytes = 0, offset = 0;
  };
  std::optional<SyncMark> sync_mark_;
  std::uint64_t synced_offset_ = 0;
  std::uint64_t synced_seen_ = 0;  // of it, when who waits was told last

  std::optional<LoadState> load_;
  std::function<bool()> serve_;  // only while the server starts
  snapshot::LoadFigures figures_;
};

}  // namespace hearth
