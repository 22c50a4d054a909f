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

}  // namespace

Persistence::Persistence(Ports ports)
    : ports_(std::move(ports)),
      files_(*ports_.disk, settings().appenddirname, settings().appendfilename),
      log_(*ports_.syncer) {
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
        const bool is_on = log_state_ != LogState::kOff;
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
  if (!last_write_ok_) refusal_ = "MISCONF Errors writing to the AOF file: " + last_write_error_;
  engine_->refresh_write_refusal();
}

// > 0: microseconds after each key; < 0: one microsecond after that many keys.
void Persistence::delay(int setting) const {
  if (setting > 0) ports_.sleep(microseconds(setting));
  if (setting < 0 && engine_->environment().rng->below(static_cast<std::uint64_t>(-setting)) == 0)
    ports_.sleep(microseconds(1));
}

rdb::FileOptions Persistence::file_options() {
  const config::Settings& s = settings();
  const UnixMillis now = ports_.clock->unix_now();
  rdb::FileOptions options;
  options.encode = commands::encode_options(s, now);
  options.lfu = {static_cast<std::uint32_t>(s.lfu_log_factor),
                 static_cast<std::uint32_t>(s.lfu_decay_time)};
  const auto policy = s.maxmemory_policy;
  if (policy == config::MaxmemoryPolicy::kAllkeysLfu ||
      policy == config::MaxmemoryPolicy::kVolatileLfu) {
    options.access = rdb::AccessNotes::kFrequency;
  } else if (policy == config::MaxmemoryPolicy::kAllkeysLru ||
             policy == config::MaxmemoryPolicy::kVolatileLru) {
    options.access = rdb::AccessNotes::kIdleSeconds;
  }
  options.checksum = s.rdbchecksum;
  options.aux = {{"redis-ver", kRedisVersion},
                 {"redis-bits", std::to_string(sizeof(void*) * 8)},
                 {"ctime", std::to_string(now.unix_seconds())},
                 {"used-mem", std::to_string(memory::used_bytes())},
                 {"aof-base", "0"}};
  sources_ = libraries_.sources ? libraries_.sources() : std::vector<std::string>();
  options.functions = sources_;
  if (s.rdb_key_save_delay != 0) {
    options.after_key = [this, by = s.rdb_key_save_delay](std::uint64_t) { delay(by); };
  }
  return options;
}

rdb::FileOptions Persistence::sync_options(const ChildLauncher::Report& report, DbIndex stream_db) {
  rdb::FileOptions options = file_options();
  options.aux.emplace_back("repl-stream-db", std::to_string(stream_db));
  options.aux.emplace_back("repl-id", engine_->replication_id());
  options.aux.emplace_back("repl-offset", std::to_string(engine_->replication_offset()));
  options.after_key = [this, &report, by = settings().rdb_key_save_delay](std::uint64_t keys) {
    report(keys);
    if (by != 0) delay(by);
  };
  return options;
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
  log::notice("DB saved on disk");
  saved_changes_ = before;
  last_save_ = last_try_;
  last_save_ok_ = true;
  ++saves_;
  update_refusal();
  return {};
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
    const rdb::FileOptions options = sync_options(report, 0);
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
  end_turn();  // a write that failed or was put off is tried again without anybody asking
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
  if (log_state_ == LogState::kFirstRewrite) {
    if (!request.force) {
      log::warning("Writing initial AOF, can't exit.");
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
  if (log_.is_open() && !is_loading()) {
    log::notice("Calling fsync() on the AOF file.");
    if (const auto done = log_.sync_now(); !done)
      log::warning("The AOF file could not be synced: {}", done.error().context);
  }
  // A data set that is not loaded yet must not replace the one on the disk.
  const bool wanted =
      !is_loading() && (request.save || (!settings().save.empty() && !request.nosave));
  if (!wanted) return {};
  log::notice("Saving the final RDB snapshot before exiting.");
  if (!save_now() && !request.force) {
    log::warning("Error trying to save the DB, can't exit.");
    return refuse(std::string(kShutdownRefused));
  }
  return {};
}

// --- loading ---

void Persistence::empty_all(Reclaimer* reclaimer) {
  for (DbIndex i = 0; i < engine_->keyspace().db_count(); ++i) {
    engine_->touch_all(i, std::nullopt);
    Garbage garbage = engine_->keyspace().db(i).take_all();
    if (reclaimer != nullptr) reclaimer->reclaim(std::move(garbage));
  }
  if (libraries_.clear) libraries_.clear();
}

snapshot::LoadOptions Persistence::load_options(bool merge) {
  const config::Settings& s = settings();
  snapshot::LoadOptions options;
  options.read.limits = commands::decode_limits(s, engine_->keyspace().seed(),
                                                engine_->services().debug->packed_threshold);
  options.read.databases = engine_->keyspace().db_count();
  options.read.verify_checksum = s.rdbchecksum && !s.skip_checksum_validation;
  options.read.version_check = commands::version_check(s);
  options.now = ports_.clock->unix_now();
  options.merge = merge;
  options.lfu = engine_->environment().lfu;
  options.ref = [this](std::string_view name) {
    return Keys(engine_->environment(), 0).make_ref(name);
  };
  if (libraries_.load) {
    options.function = [this, merge](std::string source) {
      return libraries_.load(std::move(source), merge);
    };
  }
  options.interval = s.loading_process_events_interval_bytes;
  options.progress = [this](std::uint64_t offset) { return serve_load(offset); };
  if (s.key_load_delay != 0) {
    options.after_key = [this, by = s.key_load_delay] { delay(by); };
  }
  return options;
}

void Persistence::begin_load(std::uint64_t bytes) {
  load_ = LoadState{ports_.clock->unix_now(), bytes, 0};
  engine_->set_loading(true);
}

void Persistence::end_load() {
  load_.reset();
  engine_->set_loading(false);
}

Result<void> Persistence::serve_load(std::uint64_t offset) {
  load_->loaded_bytes = offset;
  if (serve_ && !serve_()) return fail(ErrorCode::kBusy, "the server is shutting down");
  return {};
}

Result<void> Persistence::load_snapshot(const std::string& path, bool merge, Expired expired,
                                        DbIndex* stream_db) {
  HEARTH_TRY(const std::unique_ptr<io::File> file, ports_.disk->open(path, io::OpenMode::kRead));
  HEARTH_TRY(const std::uint64_t size, file->size());
  begin_load(size);
  figures_ = {};
  io::InputWindow window(*file, path);
  snapshot::LoadOptions options = load_options(merge);
  options.skip_expired = expired == Expired::kSkip;
  if (stream_db != nullptr) {
    options.aux = [&](const std::string& name, const std::string& value) {
      const auto number = parse_int64(value);
      if (name == "repl-stream-db" && number && *number >= 0 && *number < settings().databases)
        *stream_db = static_cast<DbIndex>(*number);
    };
  }
  const auto loaded = snapshot::load(window, engine_->keyspace(), options, figures_);
  end_load();
  if (!loaded) return loaded;
  log::notice("Done loading RDB, keys loaded: {}, keys expired: {}.", figures_.loaded,
              figures_.expired);
  return {};
}

bool Persistence::load_log_at_start() {
  const auto load = [this]() -> Result<void> {
    HEARTH_TRY_VOID(files_.open());
    const bool there_was_one = !files_.manifest().empty();
    if (there_was_one) {
      log::notice("Loading DB in memory from the append only files");
      const MonoTime start = ports_.clock->mono_now();
      HEARTH_TRY_VOID(load_log());
      log::notice("DB loaded from append only file: {:.3f} seconds",
                  static_cast<double>((ports_.clock->mono_now() - start).count()) / 1e6);
    }
    return open_log_at_start();
  };
  if (const auto done = load(); !done) {
    log::warning("Fatal error loading the append only files: {}. Exiting.", done.error().context);
    return false;
  }
  return true;
}

bool Persistence::load_at_start(std::function<bool()> serve) {
  serve_ = std::move(serve);
  if (settings().appendonly) {
    const bool done = load_log_at_start();
    serve_ = nullptr;
    saved_changes_ = changes();
    return done;
  }
  // The log is off, but it may be turned on later, and DEBUG LOADAOF reads it.
  if (const auto opened = files_.open(); !opened) {
    log::warning("{}", opened.error().context);
    return false;
  }
  const MonoTime start = ports_.clock->mono_now();
  const auto loaded = load_snapshot(snapshot_path(), false);
  serve_ = nullptr;
  saved_changes_ = changes();
  if (loaded) {
    const double took = static_cast<double>((ports_.clock->mono_now() - start).count()) / 1e6;
    log::notice("DB loaded from disk: {:.3f} seconds", took);
    return true;
  }
  if (loaded.error().code == ErrorCode::kNotFound) return true;
  log::warning("Fatal error loading the DB: {}. Exiting.", loaded.error().context);
  return false;
}

Result<DbIndex> Persistence::replace_data(const std::string& path, std::function<bool()> serve) {
  const bool logs = log_state_ != LogState::kOff;
  if (logs) stop_log();
  if (child_ != Child::kNone) ports_.children->stop();
  empty_all(settings().replica_lazy_flush ? engine_->services().reclaimer : nullptr);
  serve_ = std::move(serve);
  // When a key expires is the primary's to say.
  DbIndex stream_db = 0;
  const auto loaded = load_snapshot(path, false, Expired::kKeep, &stream_db);
  serve_ = nullptr;
  if (!loaded) empty_all();
  saved_changes_ = changes();
  if (logs) {
    if (const auto started = start_log(); !started) {
      // It is tried again by the ticks.
      log::warning("The append only file could not be restarted: {}", started.error().context);
      log_state_ = LogState::kFirstRewrite;
      rewrite_scheduled_ = true;
    }
  }
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  return stream_db;
}

Outcome Persistence::reload(const Reload& how) {
  constexpr std::string_view kFailed = "ERR Error trying to load the RDB dump, check server logs";
  if (how.save) {
    if (!save_now()) return refuse("ERR Error trying to save the DB, check server logs");
  }
  if (how.flush) empty_all();
  const auto loaded = load_snapshot(snapshot_path(), how.merge);
  if (!loaded) {
    log::warning("DEBUG RELOAD: {}", loaded.error().context);
    return refuse(std::string(kFailed));
  }
  saved_changes_ = changes();
  log::notice("DB reloaded by DEBUG RELOAD");
  return {};
}

}  // namespace hearth
