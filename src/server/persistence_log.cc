// The append-only log of Persistence: turning it on and off, flushing, rewriting, loading.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "persistence/aof/base.h"
#include "src/base/bytes.h"
#include "src/base/log.h"
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

Result<void> write_base_file(io::FileSystem& disk, const std::string& path, bool incremental,
                             const Keyspace& keyspace, const aof::BaseOptions& options) {
  HEARTH_TRY(const std::unique_ptr<io::File> file, disk.open(path, io::OpenMode::kCreate));
  snapshot::FileSink sink(*file, incremental);
  HEARTH_TRY_VOID(aof::write_base(keyspace, options, sink));
  return file->sync();
}

}  // namespace

// --- flushing ---

aof::AppendLog::Flush Persistence::flush_options(bool force) const {
  aof::AppendLog::Flush how;
  how.policy = policy_of(settings().appendfsync);
  how.hold_sync = settings().no_appendfsync_on_rewrite && has_child();
  how.force = force;
  how.now = ports_.clock->mono_now();
  return how;
}

void Persistence::flush_log(bool force) {
  if (!log_.is_open()) return;
  if (flush_delay_.count() > 0 && log_.buffered() > 0) ports_.sleep(flush_delay_);
  const bool had_bytes = log_.buffered() > 0;
  const std::uint64_t target = log_.sync_target();
  const auto done = log_.flush(flush_options(force));
  note_synced(log_.sync_target() != target);
  if (done) {
    if (!last_write_ok_ && had_bytes) {
      log::warning("AOF write error looks solved. The server can write again.");
      last_write_ok_ = true;
      update_refusal();
    }
    return;
  }
  if (last_write_ok_) log::warning("Error writing to the AOF file: {}", done.error().context);
  if (settings().appendfsync == config::AppendFsync::kAlways) {
    // Clients were promised that an answered write is on the disk; there is no way to keep that.
    log::warning(
        "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...");
    ports_.give_up();
    return;
  }
  last_write_ok_ = false;
  last_write_error_ = done.error().context;
  update_refusal();
}

void Persistence::note_synced(bool sync_began) {
  const std::uint64_t offset = engine_->replication_offset();
  const std::uint64_t synced = log_.synced_total();
  // Without a base nothing of the data set is on the disk.
  if (log_state_ != LogState::kOn) {
    synced_offset_ = 0;
    sync_mark_.reset();
  } else if (synced >= log_.appended_total()) {
    synced_offset_ = offset;
    sync_mark_.reset();
  } else if (sync_mark_ && synced >= sync_mark_->bytes) {
    synced_offset_ = sync_mark_->offset;
    sync_mark_.reset();
  }
  if (sync_began && log_state_ == LogState::kOn) sync_mark_ = {log_.appended_total(), offset};
}

void Persistence::end_turn() {
  // Who waits for the log is told that there is none any more.
  if (std::exchange(log_was_stopped_, false)) engine_->services().blocking->progressed();
  if (!log_.is_open() || is_loading()) return;
  log_.set_now(engine_->now());
  flush_log(false);
  // WAITAOF waits for this.
  if (std::exchange(synced_seen_, synced_offset_) != synced_offset_)
    engine_->services().blocking->progressed();
}

// --- on and off ---

Result<void> Persistence::open_increment() {
  if (log_state_ == LogState::kOff) return {};
  if (log_state_ == LogState::kOn) {
    HEARTH_TRY_VOID(log_.sync_now());
    HEARTH_TRY(aof::LogFiles::OpenIncrement increment, files_.add_increment());
    other_files_bytes_ += log_.size();
    log_.use(std::move(increment.file), 0);
  } else {
    const std::string path = files_.temp_increment_path();
    HEARTH_TRY_VOID(files_.make_dir());
    log_.close();
    if (ports_.disk->exists(path)) HEARTH_TRY_VOID(ports_.disk->remove(path));
    HEARTH_TRY(std::unique_ptr<io::File> file, ports_.disk->open(path, io::OpenMode::kAppend));
    log_.use(std::move(file), 0);
  }
  ports_.wants_changed();
  return {};
}

// CONFIG SET appendonly yes. What was changed before stands in no log: a rewrite has to come first.
Result<void> Persistence::start_log() {
  log_state_ = LogState::kFirstRewrite;
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
    log_state_ = LogState::kOff;
    return started;
  }
  return {};
}

void Persistence::stop_log() {
  synced_offset_ = 0;
  sync_mark_.reset();
  if (log_.is_open() && !log_.sync_now()) log::warning("The last AOF bytes could not be synced");
  if (child_ == Child::kRewrite) {
    log::notice("Killing the AOF child with pid {}: the log was turned off", child_pid_);
    ports_.children->stop();
  }
  log_.close();
  log_state_ = LogState::kOff;
  log_was_stopped_ = true;
  rewrite_scheduled_ = false;
  last_write_ok_ = true;
  update_refusal();
  ports_.wants_changed();
}

// --- rewriting ---

Result<std::string_view, ReplyError> Persistence::rewrite_log() {
  if (child_ == Child::kRewrite)
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
    HEARTH_TRY_VOID(files_.make_dir());
    HEARTH_TRY_VOID(open_increment());
    const bool as_snapshot = settings().aof_use_rdb_preamble;
    const auto form =
        as_snapshot ? aof::LogFiles::BaseForm::kSnapshot : aof::LogFiles::BaseForm::kCommands;
    ChildLauncher::Job job;
    job.kind = ChildLauncher::Kind::kLogRewrite;
    job.run = [this, as_snapshot](int pid, const ChildLauncher::Report& report) -> Result<void> {
      aof::BaseOptions options;
      options.file = file_options();
      options.file.aux.back().second = "1";
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
      return write_base_file(*ports_.disk, request.temp_path, request.incremental_sync,
                             engine_->keyspace(), options);
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
    last_rewrite_ok_ = false;
    ++rewrite_failures_;
  }
  return started;
}

Result<void> Persistence::finish_rewrite(aof::LogFiles::BaseForm form) {
  aof::LogFiles::Switch to;
  to.base_temp_path = rewrite_temp_path(child_pid_);
  to.form = form;
  to.keep_last = log_state_ == LogState::kOn;
  // The log was turned on again while a child that knew nothing of it was at work.
  to.take_temp_increment = log_state_ == LogState::kFirstRewrite && log_.is_open();
  HEARTH_TRY_VOID(files_.switch_base(to));
  if (to.take_temp_increment) log_state_ = LogState::kOn;
  HEARTH_TRY(const std::uint64_t total, files_size());
  other_files_bytes_ = total - std::min(total, log_.size());
  size_at_rewrite_ = total;
  files_.remove_history(settings().aof_disable_auto_gc);
  return {};
}

void Persistence::abandon_rewrite() {
  static_cast<void>(ports_.disk->remove(rewrite_temp_path(child_pid_)));
  if (log_state_ != LogState::kFirstRewrite || !log_.is_open()) return;
  log_.close();
  ports_.wants_changed();
  log::notice("Removing the temp incr aof file {} in the background", files_.temp_increment_path());
  static_cast<void>(ports_.disk->remove(files_.temp_increment_path()));
}

void Persistence::rewrite_ended(const ChildOutcome& outcome, aof::LogFiles::BaseForm form) {
  last_rewrite_seconds_ = (ports_.clock->unix_now() - child_started_).count() / 1000;
  last_rewrite_copied_ = std::max(outcome.last.copied_bytes, peak_copied_);
  note_child(false);
  bool done = outcome.succeeded;
  if (done) {
    log::notice("Background AOF rewrite terminated with success");
    if (const auto finished = finish_rewrite(form); !finished) {
      log::warning("The rewritten AOF could not be put in place: {}", finished.error().context);
      done = false;
    }
  } else if (outcome.signal != 0) {
    log::warning("Background AOF rewrite terminated by signal {}", outcome.signal);
  } else {
    log::warning("Background AOF rewrite terminated with error: {}", outcome.error);
  }
  if (done) {
    log::notice("Background AOF rewrite finished successfully");
    last_rewrite_ok_ = true;
    rewrite_failures_ = 0;
    retry_minutes_ = 0;
    ++rewrites_;
  } else {
    abandon_rewrite();
    if (!outcome.stopped_by_us) {
      last_rewrite_ok_ = false;
      ++rewrite_failures_;
    }
  }
  if (log_state_ == LogState::kFirstRewrite) rewrite_scheduled_ = true;
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
  if (rewrite_scheduled_) {
    if (!rewrite_is_limited()) static_cast<void>(fork_rewrite());
    return;
  }
  const config::Settings& s = settings();
  if (log_state_ != LogState::kOn || s.auto_aof_rewrite_percentage == 0) return;
  const std::uint64_t size = other_files_bytes_ + log_.size();
  if (size <= s.auto_aof_rewrite_min_size) return;
  const std::uint64_t base = std::max<std::uint64_t>(1, size_at_rewrite_);
  const std::int64_t growth = as_signed(size * 100 / base) - 100;
  if (growth < s.auto_aof_rewrite_percentage || rewrite_is_limited()) return;
  log::notice("Starting automatic rewriting of AOF on {}% growth", growth);
  static_cast<void>(fork_rewrite());
}

// --- at the start ---

Result<std::uint64_t> Persistence::size_of(const aof::LogFile& file) {
  HEARTH_TRY(const std::unique_ptr<io::File> opened,
             ports_.disk->open(files_.path_of(file), io::OpenMode::kRead));
  return opened->size();
}

Result<std::uint64_t> Persistence::files_size() {
  std::uint64_t total = 0;
  const auto add = [&](const aof::LogFile& file) -> Result<void> {
    HEARTH_TRY(const std::uint64_t size, size_of(file));
    total += size;
    return {};
  };
  const aof::Manifest& m = files_.manifest();
  if (m.base) HEARTH_TRY_VOID(add(*m.base));
  for (const aof::LogFile& file : m.increments) HEARTH_TRY_VOID(add(file));
  return total;
}

// A log begins with a base, so that the data a server was started with is in it.
Result<void> Persistence::make_first_base() {
  const std::string temp = fmt::format("temp-{}.aof", ports_.pid);
  aof::BaseOptions options;
  options.file = file_options();
  options.file.aux.back().second = "1";
  options.timestamp = settings().aof_timestamp_enabled;
  aof::LogFiles::Switch to;
  to.base_temp_path = temp;
  if (settings().aof_use_rdb_preamble) {
    HEARTH_TRY_VOID(snapshot::write_and_sync(*ports_.disk, {"", temp, true}, engine_->keyspace(),
                                             options.file));
  } else {
    to.form = aof::LogFiles::BaseForm::kCommands;
    HEARTH_TRY_VOID(write_base_file(*ports_.disk, temp, true, engine_->keyspace(), options));
  }
  return files_.switch_base(to);
}

Result<void> Persistence::open_log_at_start() {
  if (files_.manifest().empty()) {
    HEARTH_TRY_VOID(files_.make_dir());
    HEARTH_TRY_VOID(make_first_base());
    log::notice("Creating AOF base file {} on server start", files_.manifest().base->name);
  }
  if (files_.manifest().increments.empty()) {
    HEARTH_TRY(const aof::LogFiles::OpenIncrement increment, files_.add_increment());
    log::notice("Creating AOF incr file {} on server start", increment.name.name);
  }
  HEARTH_TRY(const std::uint64_t total, files_size());
  HEARTH_TRY(std::unique_ptr<io::File> file,
             ports_.disk->open(files_.path_of(files_.manifest().increments.back()),
                               io::OpenMode::kAppend));
  HEARTH_TRY(const std::uint64_t size, file->size());
  log_.set_timestamps(settings().aof_timestamp_enabled);
  log_.use(std::move(file), size);
  other_files_bytes_ = total - size;
  size_at_rewrite_ = total;
  log_state_ = LogState::kOn;
  files_.remove_history(settings().aof_disable_auto_gc);
  ports_.wants_changed();
  return {};
}

// --- loading ---

Result<void> Persistence::run_logged(Session& session, std::span<const std::string_view> words) {
  if (engine_->find_command(words) == nullptr) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("Unknown command '{}' reading the append only file", words[0]));
  }
  // At the time of the epoch nothing has expired: whether a key had, when the log was written, the
  // log says itself.
  engine_->begin_replay();
  engine_->execute(session, words);
  engine_->end_replay();
  if (!session.out.empty() && session.out.str().front() == '-' &&
      settings().propagation_error_behavior == config::PropagationError::kPanic) {
    return fail(ErrorCode::kCorrupt, fmt::format("Command '{}' of the append only file failed: {}",
                                                 words[0], session.out.str()));
  }
  session.out.clear();
  session.output_pending = false;
  if (settings().key_load_delay != 0) delay(settings().key_load_delay);
  return {};
}

Result<void> Persistence::replay_commands(io::InputWindow& window, bool last,
                                          std::uint64_t before) {
  Session& session = engine_->open({});
  session.replaying = session.authenticated = true;
  std::uint64_t next_turn = settings().loading_process_events_interval_bytes;
  aof::ReplayHandler handler;
  handler.run = [&](std::span<const std::string_view> words) { return run_logged(session, words); };
  handler.in_transaction = [&] { return session.in_multi; };
  handler.progress = [&](std::uint64_t offset) -> Result<void> {
    if (offset < next_turn) return {};
    next_turn = offset + settings().loading_process_events_interval_bytes;
    return serve_load(before + offset);
  };
  const auto end = aof::replay(window, handler);
  engine_->close(session);
  engine_->set_time(ports_.clock->unix_now(), ports_.clock->mono_now());
  if (!end) return tl::unexpected<Error>(end.error());
  if (!end->cut_off) return {};
  if (!last || !settings().aof_load_truncated) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format(
            "Unexpected end of file reading the append only file {}. The part up to byte {} "
            "is whole; with aof-load-truncated the last file may end early",
            window.path(), end->whole_up_to));
  }
  log::warning("!!! Warning: short read while loading the AOF file {}!!!", window.path());
  log::warning("AOF loaded anyway because aof-load-truncated is enabled; it is cut at byte {}",
               end->whole_up_to);
  HEARTH_TRY(const std::unique_ptr<io::File> file,
             ports_.disk->open(window.path(), io::OpenMode::kAppend));
  return file->truncate(end->whole_up_to);
}

Result<void> Persistence::load_log_file(const aof::LogFile& file, bool last, std::uint64_t before) {
  const std::string path = files_.path_of(file);
  HEARTH_TRY(const std::unique_ptr<io::File> opened, ports_.disk->open(path, io::OpenMode::kRead));
  io::InputWindow window(*opened, path);
  constexpr std::size_t kMagic = 6;
  HEARTH_TRY_VOID(window.fill(kMagic));
  if (rdb::is_snapshot(window.view())) {
    log::notice("Reading RDB base file on AOF loading...");
    snapshot::LoadOptions options = load_options(false);
    options.skip_expired = false;
    options.progress = [this, before](std::uint64_t offset) { return serve_load(before + offset); };
    HEARTH_TRY_VOID(snapshot::load(window, engine_->keyspace(), options, figures_));
  }
  return replay_commands(window, last, before);
}

Result<void> Persistence::load_log() {
  const aof::Manifest manifest = files_.manifest();
  std::vector<aof::LogFile> all;
  if (manifest.base) all.push_back(*manifest.base);
  all.insert(all.end(), manifest.increments.begin(), manifest.increments.end());
  HEARTH_TRY(const std::uint64_t total, files_size());
  // The log ends in the last file that has something in it: a crash while the next one was added
  // leaves an empty one behind.
  std::size_t last = all.empty() ? 0 : all.size() - 1;
  for (; last > 0; --last) {
    HEARTH_TRY(const std::uint64_t size, size_of(all[last]));
    if (size != 0) break;
  }
  begin_load(total);
  figures_ = {};
  std::uint64_t before = 0;
  Result<void> outcome;
  for (std::size_t i = 0; i < all.size() && outcome; ++i) {
    const MonoTime start = ports_.clock->mono_now();
    outcome = load_log_file(all[i], i >= last, before);
    if (!outcome) break;
    before = load_->loaded_bytes;
    log::notice("DB loaded from {} file {}: {:.3f} seconds",
                manifest.base && i == 0 ? "base" : "incr", all[i].name,
                static_cast<double>((ports_.clock->mono_now() - start).count()) / 1e6);
  }
  end_load();
  return outcome;
}

Outcome Persistence::reload_log() {
  if (log_.is_open()) flush_log(true);
  empty_all();
  if (auto loaded = load_log(); !loaded) {
    log::warning("DEBUG LOADAOF: {}", loaded.error().context);
    return refuse("ERR Error trying to load the AOF files, check server logs.");
  }
  saved_changes_ = changes();
  log::notice("Append Only File loaded by DEBUG LOADAOF");
  return {};
}

void Persistence::write_log_info(InfoWriter& out) {
  const bool on = log_state_ != LogState::kOff;
  const bool rewriting = child_ == Child::kRewrite;
  out.field("aof_enabled", on ? 1 : 0);
  out.field("aof_rewrite_in_progress", rewriting ? 1 : 0);
  out.field("aof_rewrite_scheduled", rewrite_scheduled_ ? 1 : 0);
  out.field("aof_last_rewrite_time_sec", last_rewrite_seconds_);
  out.field("aof_current_rewrite_time_sec",
            rewriting ? (ports_.clock->unix_now() - child_started_).count() / 1000 : -1);
  out.field("aof_last_bgrewrite_status", last_rewrite_ok_ ? "ok" : "err");
  out.field("aof_rewrites", as_signed(rewrites_));
  out.field("aof_rewrites_consecutive_failures", as_signed(rewrite_failures_));
  out.field("aof_last_write_status", last_write_ok_ ? "ok" : "err");
  out.field("aof_last_cow_size", as_signed(last_rewrite_copied_));
  if (!on) return;
  out.field("aof_current_size", as_signed(other_files_bytes_ + log_.size()));
  out.field("aof_base_size", as_signed(size_at_rewrite_));
  out.field("aof_pending_rewrite", rewrite_scheduled_ ? 1 : 0);
  out.field("aof_buffer_length", as_signed(log_.buffered()));
  out.field("aof_pending_bio_fsync", log_.sync_pending() ? 1 : 0);
  out.field("aof_delayed_fsync", as_signed(log_.delayed()));
}

}  // namespace hearth
