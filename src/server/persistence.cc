#include "src/server/persistence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/base/log.h"
#include "src/base/parse_number.h"
#include "src/commands/key/payload.h"
#include "src/server/version.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

// After a save that failed, the next one by a save point waits this long.
constexpr seconds kRetryDelay{5};

constexpr std::string_view kSaveMisconf =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error "
    "option). Please check the Redis logs for details about the RDB error.";

// The number in "temp-77.rdb" and the like; nothing for other names.
std::optional<int> pid_of_temp_file(std::string_view name) {
  if (!name.starts_with("temp-")) return std::nullopt;
  const std::size_t dot = name.rfind('.');
  const std::string_view ending = name.substr(dot == std::string_view::npos ? name.size() : dot);
  if (ending != ".rdb" && ending != ".aof") return std::nullopt;
  name = name.substr(0, dot);
  const std::size_t at = name.find_last_not_of("0123456789");
  const auto pid = parse_int64(name.substr(at + 1));
  const std::string_view kind = name.substr(0, at + 1);
  // A snapshot of a primary is "temp-<seconds>.<pid>.rdb".
  const bool is_received = kind.ends_with('.') && kind.substr(5).find_first_not_of("0123456789.") ==
                                                      std::string_view::npos;
  const bool is_ours =
      kind == "temp-" || kind == "temp-rewriteaof-bg-" || kind == "temp-repl-" || is_received;
  if (!is_ours || !pid || *pid <= 0 || *pid > INT32_MAX) return std::nullopt;
  return static_cast<int>(*pid);
}

}  // namespace

Persistence::Persistence(Ports ports)
    : ports_(std::move(ports)),
      files_(*ports_.disk, settings().appenddirname, settings().appendfilename),
      log_(files_, *ports_.disk, *ports_.disk_thread) {
  last_save_ = last_try_ = ports_.clock->unix_now();
}

Persistence::~Persistence() = default;

void Persistence::attach(Engine& engine) {
  engine_ = &engine;
  saved_changes_ = changes();
  ports_.config->on_change({"save", "stop-writes-on-bgsave-error"},
                           [this](const config::Settings&) -> Result<void, std::string> {
                             update_refusal();
                             return {};
                           });
  ports_.config->on_change({"aof-timestamp-enabled"},
                           [this](const config::Settings& s) -> Result<void, std::string> {
                             log_.set_timestamps(s.aof_timestamp_enabled);
                             return {};
                           });
  ports_.config->on_change(
      {"appendonly"}, [this](const config::Settings& s) -> Result<void, std::string> {
        const bool is_on = log_.is_on();
        if (is_on && !s.appendonly) stop_log();
        if (!is_on && s.appendonly && !start_log())
          return tl::unexpected<std::string>("Unable to turn on AOF. Check server logs.");
        return {};
      });
}

std::uint64_t Persistence::changes() const { return engine_->effects().changes(); }

void Persistence::update_refusal() {
  refusal_.clear();
  if (!last_save_ok_ && settings().stop_writes_on_bgsave_error && !settings().save.empty())
    refusal_ = kSaveMisconf;
  if (log_.trouble() != aof::Log::Trouble::kNone)
    refusal_ = "MISCONF Errors writing to the AOF file: " + log_.error();
  engine_->gate().refresh();
}

// > 0: microseconds after each key; < 0: one microsecond after that many keys.
void Persistence::delay(int setting) const {
  if (setting > 0) ports_.sleep(microseconds(setting));
  if (setting < 0 && engine_->environment().rng->below(static_cast<std::uint64_t>(-setting)) == 0)
    ports_.sleep(microseconds(1));
}

rdb::FileOptions Persistence::file_options(LogBase base) {
  const config::Settings& s = settings();
  const UnixMillis now = ports_.clock->unix_now();
  rdb::FileOptions options;
  options.encode = commands::encode_options(s, now);
  options.lfu = {static_cast<std::uint32_t>(s.lfu_log_factor),
                 static_cast<std::uint32_t>(s.lfu_decay_time)};
  const auto policy = s.maxmemory_policy;
  if (uses_lfu(policy))
    options.access = rdb::AccessNotes::kFrequency;
  else if (uses_lru(policy))
    options.access = rdb::AccessNotes::kIdleSeconds;
  options.checksum = s.rdbchecksum;
  options.aux = {{"redis-ver", kRedisVersion},
                 {"redis-bits", std::to_string(sizeof(void*) * 8)},
                 {"ctime", std::to_string(now.unix_seconds())},
                 {"used-mem", std::to_string(memory::used_bytes())}};
  if (ports_.stream_position) {
    if (const auto position = ports_.stream_position()) {
      options.aux.emplace_back("repl-stream-db", std::to_string(position->db));
      options.aux.emplace_back("repl-id", position->id);
      options.aux.emplace_back("repl-offset", std::to_string(position->offset));
    }
  }
  if (engine_->warm_gate().is_closed()) options.aux.emplace_back(WarmGate::kField, "1");
  options.aux.emplace_back("aof-base", base == LogBase::kYes ? "1" : "0");
  sources_ = libraries_.sources ? libraries_.sources() : std::vector<std::string>();
  options.functions = sources_;
  if (s.rdb_key_save_delay != 0) {
    options.after_key = [this, by = s.rdb_key_save_delay](std::uint64_t) { delay(by); };
  }
  return options;
}

rdb::FileOptions Persistence::sync_options(const ChildLauncher::Report& report) {
  rdb::FileOptions options = file_options();
  options.after_key = [this, &report, by = settings().rdb_key_save_delay](std::uint64_t keys) {
    report(keys);
    if (by != 0) delay(by);
  };
  return options;
}

// Removes files that children and servers that were killed could not finish. Another server may
// work in the same folder: files of processes that are there are left alone.
void Persistence::remove_leftovers() {
  const auto names = ports_.disk->list(".");
  if (!names) return;
  for (const std::string& name : *names) {
    const std::optional<int> pid = pid_of_temp_file(name);
    if (!pid || (*pid != ports_.pid && ports_.is_alive && ports_.is_alive(*pid))) continue;
    if (ports_.disk->remove(name))
      log::notice("Removing {}, which a process that is gone has left", name);
  }
  for (const std::string& name : files_.remove_leftovers())
    log::notice("Removing {}, which a process that is gone has left", name);
}

// --- saving ---

std::string Persistence::temp_snapshot_path() const {
  return fmt::format("temp-{}.rdb", ports_.pid);
}

Result<void> Persistence::save_now() {
  const std::uint64_t before = changes();
  const snapshot::SaveRequest request{snapshot_path(), temp_snapshot_path(),
                                      settings().rdb_save_incremental_fsync};
  auto saved = snapshot::save(*ports_.disk, request, engine_->keyspace(), file_options());
  last_try_ = ports_.clock->unix_now();
  if (!saved) {
    log::warning("Error saving DB on disk: {}", saved.error().context);
    return tl::unexpected<Error>(saved.error());
  }
  note_version_once();
  log::notice("DB saved on disk");
  saved_changes_ = before;
  last_save_ = last_try_;
  last_save_ok_ = true;
  ++saves_;
  update_refusal();
  return {};
}

// The version is met where an older tool refuses the file: better to have read of it before.
void Persistence::note_version_once() {
  if (settings().rdb_compat == config::RdbCompat::kRedis70 || std::exchange(told_version_, true))
    return;
  log::notice(
      "The snapshot is an RDB file of version {}, which Redis 7.2, Valkey and later read. Older "
      "programs, redis-check-rdb of Redis 7.0 among them, refuse it: 'rdb-compat 7.0' writes for "
      "them.",
      rdb::kVersionPortable);
}

Outcome Persistence::save() {
  if (child_ == Child::kSave) return refuse("ERR Background save already in progress");
  if (!save_now()) return refuse("ERR Error trying to save the DB, check the logs");
  return {};
}

Result<std::string_view, ReplyError> Persistence::save_in_background(WhenBusy busy) {
  if (child_ == Child::kSave || child_ == Child::kSync)
    return refuse("ERR Background save already in progress");
  if (has_child() || engine_->in_transaction()) {
    if (busy == WhenBusy::kRefuse && !engine_->in_transaction()) {
      return refuse(
          "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE "
          "in order to schedule a BGSAVE whenever possible.");
    }
    save_scheduled_ = true;
    return "Background saving scheduled";
  }
  if (!fork_save()) return refuse("ERR Can't BGSAVE: the child could not be started");
  return "Background saving started";
}

Result<std::string_view, ReplyError> Persistence::cancel_background_save() {
  if (child_ == Child::kSave) {
    log::notice("Background saving will be aborted due to user request");
    ports_.children->stop();
    save_scheduled_ = false;
    return "Background saving cancelled";
  }
  if (std::exchange(save_scheduled_, false)) return "Scheduled background saving cancelled";
  return refuse("ERR Background saving is currently not in progress or scheduled");
}

void Persistence::note_child(bool running) {
  if (!running) {
    child_ = Child::kNone;
    progress_ = {};
    peak_copied_ = 0;
  } else {
    if (child_ == Child::kNone) child_ = Child::kSync;
    child_started_ = ports_.clock->unix_now();
    child_keys_total_ = engine_->keyspace().total_keys();
  }
  // While a child shares our memory, every page that a table moves is a page copied.
  if (std::exchange(tables_paused_, running) == running) return;
  for (DbIndex i = 0; i < engine_->keyspace().db_count(); ++i)
    engine_->keyspace().db(i).pause_resize(running);
}

void Persistence::note_progress(const ChildProgress& progress) {
  progress_ = progress;
  peak_copied_ = std::max(peak_copied_, progress.copied_bytes);
  progress_at_ = ports_.clock->unix_now();
}

bool Persistence::fork_save() {
  last_try_ = ports_.clock->unix_now();
  const std::uint64_t before = changes();
  ChildLauncher::Job job;
  job.kind = ChildLauncher::Kind::kSnapshot;
  job.run = [this](int pid, const ChildLauncher::Report& report) -> Result<void> {
    const rdb::FileOptions options = sync_options(report);
    const snapshot::SaveRequest request{snapshot_path(), fmt::format("temp-{}.rdb", pid),
                                        settings().rdb_save_incremental_fsync};
    HEARTH_TRY_VOID(snapshot::save(*ports_.disk, request, engine_->keyspace(), options));
    return {};
  };
  job.on_progress = [this](const ChildProgress& p) { note_progress(p); };
  job.on_end = [this, before](const ChildOutcome& outcome) { save_ended(outcome, before); };
  const auto pid = ports_.children->start(std::move(job));
  if (!pid) {
    last_save_ok_ = false;
    log::warning("Can't save in background: {}", pid.error().context);
    update_refusal();
    return false;
  }
  log::notice("Background saving started by pid {}", *pid);
  save_scheduled_ = false;
  child_ = Child::kSave;
  note_child(true);
  child_pid_ = *pid;
  return true;
}

void Persistence::save_ended(const ChildOutcome& outcome, std::uint64_t changes_at_start) {
  const UnixMillis now = ports_.clock->unix_now();
  last_save_seconds_ = (now - child_started_).count() / 1000;
  last_save_copied_ = std::max(outcome.last.copied_bytes, peak_copied_);
  note_child(false);
  if (outcome.succeeded) {
    log::notice("Background saving terminated with success");
    note_version_once();
    saved_changes_ = changes_at_start;
    last_save_ = now;
    last_save_ok_ = true;
    ++saves_;
  } else {
    if (outcome.signal == 0)
      log::warning("Background saving error: {}", outcome.error);
    else
      log::warning("Background saving terminated by signal {}", outcome.signal);
    static_cast<void>(ports_.disk->remove(fmt::format("temp-{}.rdb", child_pid_)));
    if (!outcome.stopped_by_us) last_save_ok_ = false;
  }
  update_refusal();
}

void Persistence::flushed_all() {
  if (child_ == Child::kSave) ports_.children->stop();
  if (settings().save.empty() || is_loading()) return;
  // The snapshot on the disk holds what was just removed.
  static_cast<void>(save_now());
}

void Persistence::tick() {
  if (is_loading()) return;
  log_.retry();  // of a write that failed, without anybody asking
  end_turn();
  if (has_child() || engine_->in_transaction()) return;
  maybe_rewrite();
  if (has_child()) return;
  if (save_scheduled_) {
    static_cast<void>(fork_save());
    return;
  }
  const UnixMillis now = ports_.clock->unix_now();
  const auto changed = static_cast<std::int64_t>(changes() - saved_changes_);
  for (const config::SavePoint& point : settings().save) {
    if (changed < point.changes || now - last_save_ <= point.period) continue;
    if (!last_save_ok_ && now - last_try_ <= kRetryDelay) continue;
    log::notice("{} changes in {} seconds. Saving...", point.changes, point.period.count());
    static_cast<void>(fork_save());
    return;
  }
}

Outcome Persistence::settle_children(const ShutdownRequest& request) {
  if (child_ == Child::kSave) {
    log::warning("There is a child saving an .rdb. Killing it!");
    ports_.children->stop_and_forget();
    static_cast<void>(ports_.disk->remove(fmt::format("temp-{}.rdb", child_pid_)));
    note_child(false);
  }
  if (child_ != Child::kRewrite) return {};
  if (log_.state() == aof::Log::State::kFirstRewrite) {
    if (!request.force) {
      log::warning("Writing initial AOF, can't exit.");
      log::warning(
          "The first base of the append only file is not complete, so it does not hold the data "
          "yet. It will be in a while; SHUTDOWN FORCE, or CONFIG SET appendonly no and the same "
          "signal again, ends the server now.");
      return refuse(std::string(kShutdownRefused));
    }
    log::warning("Writing initial AOF. Exiting anyway.");
  }
  log::warning("There is a child rewriting the AOF. Killing it!");
  ports_.children->stop_and_forget();
  note_child(false);
  abandon_rewrite();
  return {};
}

Outcome Persistence::prepare_shutdown(const ShutdownRequest& request) {
  HEARTH_TRY_VOID(settle_children(request));
  if (log_.takes_units() && !is_loading()) {
    log::notice("Calling fsync() on the AOF file.");
    const auto position = ports_.stream_position ? ports_.stream_position() : std::nullopt;
    const auto done = position ? log_.end_with(*position)
                               : log_.flush_now(engine_->reports().replication_offset());
    handle_log_events();
    if (!done) log::warning("The AOF file could not be synced: {}", done.error().context);
  }
  // A data set that is not loaded yet must not replace the one on the disk.
  const bool wanted =
      !is_loading() && (request.save || (!settings().save.empty() && !request.nosave));
  if (!wanted) return {};
  log::notice("Saving the final RDB snapshot before exiting.");
  if (!save_now() && !request.force) {
    log::warning("Error trying to save the DB, can't exit.");
    log::warning(
        "The server goes on: 'save' asks for a snapshot at the end, and '{}' can't be written in "
        "{} (the reason stands above). Mend that and try again, or end the server without what was "
        "not saved: SHUTDOWN NOSAVE, or CONFIG SET save \"\" and the same signal again. A server "
        "that needs no snapshots is started with 'save \"\"'.",
        snapshot_path(), settings().dir);
    return refuse(std::string(kShutdownRefused));
  }
  return {};
}

}  // namespace hearth
