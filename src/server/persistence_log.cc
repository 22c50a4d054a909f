// The append-only log of Persistence: turning it on and off, its turns, rewriting.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "persistence/aof/base.h"
#include "src/base/bytes.h"
#include "src/base/log.h"
#include "src/command/blocking_control.h"
#include "src/server/persistence.h"

namespace hearth {
namespace {

// After this many failures in a row, rewrites wait: a minute, then twice as long each time.
constexpr std::uint64_t kFailuresFree = 3;
constexpr std::int64_t kRetryMinutesMost = 60;

aof::SyncPolicy policy_of(config::AppendFsync policy) {
  switch (policy) {
    case config::AppendFsync::kAlways: return aof::SyncPolicy::kAlways;
    case config::AppendFsync::kNo: return aof::SyncPolicy::kNever;
    case config::AppendFsync::kEverySecond: break;
  }
  return aof::SyncPolicy::kEverySecond;
}

std::string rewrite_temp_path(int pid) { return fmt::format("temp-rewriteaof-bg-{}.aof", pid); }

}  // namespace

Result<void> Persistence::write_command_base(const std::string& path, bool incremental_sync,
                                             const aof::BaseOptions& options) {
  HEARTH_TRY(const std::unique_ptr<io::File> file, ports_.disk->open(path, io::OpenMode::kCreate));
  snapshot::FileSink sink(*file, incremental_sync);
  HEARTH_TRY_VOID(aof::write_base(engine_->keyspace(), options, sink));
  return file->sync();
}

// --- its turns ---

aof::Log::Turn Persistence::log_turn() const {
  aof::Log::Turn turn;
  turn.policy = policy_of(settings().appendfsync);
  turn.hold_sync = settings().no_appendfsync_on_rewrite && has_child();
  turn.now = ports_.clock->mono_now();
  turn.offset = engine_->reports().replication_offset();
  return turn;
}

void Persistence::end_turn() {
  // Sessions that wait for the log are told that there is none any more.
  if (std::exchange(log_was_stopped_, false)) engine_->services().blocking->progressed();
  if (is_loading()) return;
  if (flush_delay_.count() > 0 && log_.buffered() > 0) ports_.sleep(flush_delay_);
  log_.set_time(engine_->now());
  const aof::Log::Turn turn = log_turn();
  log_.turn(turn);
  handle_log_events();
  engine_->sessions().set_reply_barrier(log_.barrier(turn));
  // WAITAOF waits for this.
  if (std::exchange(synced_seen_, log_.synced_offset()) != log_.synced_offset())
    engine_->services().blocking->progressed();
}

void Persistence::handle_log_events() {
  for (const aof::Log::Event& event : log_.take_events()) handle_log_event(event);
}

void Persistence::handle_log_event(const aof::Log::Event& event) {
  using Kind = aof::Log::Event::Kind;
  const bool always = settings().appendfsync == config::AppendFsync::kAlways;
  switch (event.kind) {
    case Kind::kWriteFailed:
    case Kind::kSyncFailed:
      if (event.kind == Kind::kWriteFailed) {
        log::warning("Error writing to the AOF file: {}", event.text);
      } else {
        log::warning(
            "The AOF file could not be synced: {}. What was written since the last sync may be "
            "lost; a rewrite will replace it.",
            event.text);
        rewrite_scheduled_ = true;
      }
      if (always) {
        // Clients were promised that an answered write is on the disk. None of these has been
        // answered, and there is no way to take them back.
        log::warning(
            "Can't recover from AOF write error when the AOF fsync policy is 'always'. "
            "Exiting...");
        ports_.give_up();
        return;
      }
      return update_refusal();
    case Kind::kWriteRecovered:
    case Kind::kSyncRecovered:
      log::warning("AOF write error looks solved. The server can write again.");
      return update_refusal();
    case Kind::kIncrementFailed:
      log::warning("A new AOF increment could not be opened: {}", event.text);
      if (child_ == Child::kRewrite) ports_.children->stop();
      return;
    case Kind::kRemoved:
      log::notice("Removing the history file {} in the background", event.text);
      return;
    case Kind::kSwitched:
      log::notice("Background AOF rewrite finished successfully");
      last_rewrite_ok_ = true;
      rewrite_failures_ = 0;
      retry_minutes_ = 0;
      ++rewrites_;
      return;
    case Kind::kSwitchFailed:
      log::warning("The rewritten AOF could not be put in place: {}", event.text);
      abandon_rewrite();
      return rewrite_failed();
    case Kind::kSlow:
      log::notice(
          "Asynchronous AOF fsync is taking too long (disk is busy?). Replies to writes wait for "
          "it.");
      return;
  }
}

// --- on and off ---

// CONFIG SET appendonly yes. What was changed before stands in no log: a rewrite has to come first.
Result<void> Persistence::start_log() {
  log_.begin_first();
  log_.set_timestamps(settings().aof_timestamp_enabled);
  if (child_ == Child::kRewrite) {
    log::warning(
        "AOF was enabled but there is already an AOF rewriting in background. Stopping background "
        "AOF and starting a rewrite now.");
    ports_.children->stop();
    rewrite_scheduled_ = true;
    return {};
  }
  if (has_child() || engine_->in_transaction()) {
    rewrite_scheduled_ = true;
    log::notice(
        "AOF was enabled but there is already another background operation. An AOF background was "
        "scheduled to start when needed.");
    return {};
  }
  if (auto started = fork_rewrite(); !started) {
    log_.close();
    rewrite_scheduled_ = false;
    return started;
  }
  return {};
}

void Persistence::stop_log() {
  if (!log_.flush_now(engine_->reports().replication_offset()))
    log::warning("The last AOF bytes could not be synced");
  handle_log_events();
  if (child_ == Child::kRewrite) {
    log::notice("Killing the AOF child with pid {}: the log was turned off", child_pid_);
    ports_.children->stop();
  }
  log_.close();
  engine_->sessions().set_reply_barrier(Sessions::kNoBarrier);
  log_was_stopped_ = true;
  rewrite_scheduled_ = false;
  update_refusal();
  ports_.wants_changed();
}

// --- rewriting ---

Result<std::string_view, ReplyError> Persistence::rewrite_log() {
  if (is_rewriting())
    return refuse("ERR Background append only file rewriting already in progress");
  if (has_child() || engine_->in_transaction()) {
    rewrite_scheduled_ = true;
    rewrite_failures_ = 0;  // it was asked for: nothing holds it back
    return "Background append only file rewriting scheduled";
  }
  if (!fork_rewrite()) {
    return refuse(
        "ERR Can't execute an AOF background rewriting. Please check the server logs for more "
        "information.");
  }
  return "Background append only file rewriting started";
}

Result<void> Persistence::fork_rewrite() {
  const auto attempt = [this]() -> Result<void> {
    log_.begin_rewrite(engine_->reports().replication_offset());
    handle_log_events();
    if (log_.rewrite_is_void()) return fail(ErrorCode::kIo, "there is no new increment");
    ports_.wants_changed();
    const bool as_snapshot = settings().aof_use_rdb_preamble;
    const auto form =
        as_snapshot ? aof::LogFiles::BaseForm::kSnapshot : aof::LogFiles::BaseForm::kCommands;
    ChildLauncher::Job job;
    job.kind = ChildLauncher::Kind::kLogRewrite;
    job.run = [this, as_snapshot](int pid, const ChildLauncher::Report& report) -> Result<void> {
      aof::BaseOptions options;
      options.file = file_options(LogBase::kYes);
      options.timestamp = settings().aof_timestamp_enabled;
      options.file.after_key = [this, &report,
                                by = settings().rdb_key_save_delay](std::uint64_t keys) {
        report(keys);
        if (by != 0) delay(by);
      };
      const snapshot::SaveRequest request{"", rewrite_temp_path(pid),
                                          settings().aof_rewrite_incremental_fsync};
      if (as_snapshot) {
        HEARTH_TRY_VOID(
            snapshot::write_and_sync(*ports_.disk, request, engine_->keyspace(), options.file));
        return {};
      }
      return write_command_base(request.temp_path, request.incremental_sync, options);
    };
    job.on_progress = [this](const ChildProgress& p) { note_progress(p); };
    job.on_end = [this, form](const ChildOutcome& outcome) { rewrite_ended(outcome, form); };
    HEARTH_TRY(const int pid, ports_.children->start(std::move(job)));
    log::notice("Background append only file rewriting started by pid {}", pid);
    rewrite_scheduled_ = false;
    child_ = Child::kRewrite;
    child_pid_ = pid;
    note_child(true);
    return {};
  };
  auto started = attempt();
  if (!started) {
    log::warning("Can't rewrite the append only file in background: {}", started.error().context);
    abandon_rewrite();
    rewrite_failed();
  }
  return started;
}

bool Persistence::is_rewriting() const { return child_ == Child::kRewrite || log_.is_switching(); }

void Persistence::abandon_rewrite() {
  static_cast<void>(ports_.disk->remove(rewrite_temp_path(child_pid_)));
  if (log_.state() != aof::Log::State::kFirstRewrite || !log_.takes_units()) return;
  log_.abandon_rewrite();
  ports_.wants_changed();
  log::notice("Removing the temp incr aof file {} in the background", files_.temp_increment_path());
}

void Persistence::rewrite_failed() {
  last_rewrite_ok_ = false;
  ++rewrite_failures_;
  // Without a base there is no log, and without a file that is in order no promise.
  if (log_.state() == aof::Log::State::kFirstRewrite || log_.trouble() == aof::Log::Trouble::kSync)
    rewrite_scheduled_ = true;
}

void Persistence::rewrite_ended(const ChildOutcome& outcome, aof::LogFiles::BaseForm form) {
  last_rewrite_seconds_ = (ports_.clock->unix_now() - child_started_).count() / 1000;
  last_rewrite_copied_ = std::max(outcome.last.copied_bytes, peak_copied_);
  note_child(false);
  if (outcome.succeeded) {
    log::notice("Background AOF rewrite terminated with success");
    log_.finish_rewrite(rewrite_temp_path(child_pid_), form, settings().aof_disable_auto_gc);
    return handle_log_events();
  }
  if (outcome.signal != 0)
    log::warning("Background AOF rewrite terminated by signal {}", outcome.signal);
  else
    log::warning("Background AOF rewrite terminated with error: {}", outcome.error);
  abandon_rewrite();
  if (!outcome.stopped_by_us || log_.rewrite_is_void()) rewrite_failed();
  if (log_.state() == aof::Log::State::kFirstRewrite) rewrite_scheduled_ = true;
}

bool Persistence::rewrite_is_limited() {
  if (rewrite_failures_ < kFailuresFree) {
    retry_minutes_ = 0;
    return false;
  }
  const UnixMillis now = ports_.clock->unix_now();
  if (retry_minutes_ != 0) {
    if (now < retry_at_) return true;
    retry_minutes_ = std::min(retry_minutes_ * 2, kRetryMinutesMost);
    retry_at_ = now + std::chrono::minutes(retry_minutes_);
    return false;
  }
  retry_minutes_ = 1;
  retry_at_ = now + std::chrono::minutes(1);
  log::warning(
      "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {} "
      "minutes",
      retry_minutes_);
  return true;
}

void Persistence::maybe_rewrite() {
  if (log_.is_switching()) return;
  if (rewrite_scheduled_) {
    if (!rewrite_is_limited()) static_cast<void>(fork_rewrite());
    return;
  }
  const config::Settings& s = settings();
  if (log_.state() != aof::Log::State::kOn || s.auto_aof_rewrite_percentage == 0) return;
  const std::uint64_t size = log_.total_size();
  if (size <= s.auto_aof_rewrite_min_size) return;
  const std::uint64_t base = std::max<std::uint64_t>(1, log_.size_at_rewrite());
  const std::int64_t growth = as_signed(size * 100 / base) - 100;
  if (growth < s.auto_aof_rewrite_percentage || rewrite_is_limited()) return;
  log::notice("Starting automatic rewriting of AOF on {}% growth", growth);
  static_cast<void>(fork_rewrite());
}

}  // namespace hearth
