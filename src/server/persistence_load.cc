// How the data set comes back: snapshots, the append-only log, and what a primary sent.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/model/render.h"
#include "persistence/aof/base.h"
#include "persistence/aof/replay.h"
#include "src/base/log.h"
#include "src/base/parse_number.h"
#include "src/command/debug_switches.h"
#include "src/command/reclaimer.h"
#include "src/commands/key/payload.h"
#include "src/server/persistence.h"

namespace hearth {

void Persistence::empty_all(Reclaimer* reclaimer) {
  for (DbIndex i = 0; i < engine_->keyspace().db_count(); ++i) {
    engine_->transactions().touch_all(i, std::nullopt);
    Garbage garbage = engine_->keyspace().db(i).take_all();
    if (reclaimer != nullptr) reclaimer->reclaim(std::move(garbage));
  }
  if (libraries_.clear) libraries_.clear();
}

snapshot::LoadOptions Persistence::load_options(bool merge) {
  const config::Settings& s = settings();
  snapshot::LoadOptions options;
  options.read.limits =
      commands::decode_limits(s, engine_->keyspace().seed(),
                              engine_->services().debug->packed_threshold, commands::kAnyLength);
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
  engine_->warm_gate().set_partial(false);
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

Result<void> Persistence::load_snapshot(const std::string& path, bool merge, Expired expired) {
  HEARTH_TRY(const std::unique_ptr<io::File> file, ports_.disk->open(path, io::OpenMode::kRead));
  HEARTH_TRY(const std::uint64_t size, file->size());
  begin_load(size);
  figures_ = {};
  io::InputWindow window(*file, path);
  snapshot::LoadOptions options = load_options(merge);
  options.skip_expired = expired == Expired::kSkip;
  aof::PositionFields fields;
  loaded_open_slots_.clear();
  options.aux = [&](const std::string& name, const std::string& value) {
    fields.take(name, value);
    if (name == WarmGate::kField) engine_->warm_gate().set_partial(true);
    if (name == cluster::kOpenSlotsField) loaded_open_slots_ = value;
    // Replicas that go on from there hear of keys that are past their deadline by their removal.
    if (fields.position()) options.skip_expired = false;
  };
  auto loaded = snapshot::load(window, engine_->keyspace(), options, figures_);
  end_load();
  if (!loaded) return loaded;
  loaded_position_ = fields.position();
  log::notice("Done loading RDB, keys loaded: {}, keys expired: {}.", figures_.loaded,
              figures_.expired);
  return {};
}

// A start that a signal ends is no failure.
void Persistence::tell_of_failed_start(std::string_view loading, const Error& error) {
  if (error.code == ErrorCode::kBusy)
    log::notice("The server ends before it has loaded its data.");
  else
    log::warning("Fatal error loading {}: {}. Exiting.", loading, error.context);
}

bool Persistence::load_log_at_start() {
  const auto load = [this]() -> Result<void> {
    HEARTH_TRY_VOID(files_.open());
    if (files_.manifest().empty()) {
      // The log was turned on since the server ran last: its snapshot becomes the first base.
      HEARTH_TRY_VOID(load_snapshot_if_there());
    } else {
      log::notice("Loading DB in memory from the append only files");
      const MonoTime start = ports_.clock->mono_now();
      HEARTH_TRY_VOID(load_log());
      log::notice("DB loaded from append only file: {:.3f} seconds",
                  static_cast<double>((ports_.clock->mono_now() - start).count()) / 1e6);
    }
    return open_log_at_start();
  };
  if (const auto done = load(); !done) {
    tell_of_failed_start("the append only files", done.error());
    return false;
  }
  return true;
}

Result<void> Persistence::load_snapshot_if_there() {
  const MonoTime start = ports_.clock->mono_now();
  auto loaded = load_snapshot(snapshot_path(), false);
  if (!loaded && loaded.error().code == ErrorCode::kNotFound) return {};
  if (!loaded) return loaded;
  log::notice("DB loaded from disk: {:.3f} seconds",
              static_cast<double>((ports_.clock->mono_now() - start).count()) / 1e6);
  return {};
}

bool Persistence::load_at_start(std::function<bool()> serve) {
  remove_leftovers();
  serve_ = std::move(serve);
  const auto load = [this] {
    if (settings().appendonly) return load_log_at_start();
    // The log is off, but it may be turned on later, and DEBUG LOADAOF reads it.
    if (const auto opened = files_.open(); !opened) {
      log::warning("{}", opened.error().context);
      return false;
    }
    const auto loaded = load_snapshot_if_there();
    if (!loaded) tell_of_failed_start("the DB", loaded.error());
    return static_cast<bool>(loaded);
  };
  const bool done = load();
  serve_ = nullptr;
  saved_changes_ = changes();
  return done;
}

namespace {

// Looks at all of a snapshot and keeps nothing.
class SnapshotChecker final : public rdb::FileVisitor {
 public:
  SnapshotChecker(std::function<Result<void>(std::uint64_t)> progress, std::uint64_t interval,
                  Persistence::Libraries::Trial library)
      : progress_(std::move(progress)),
        interval_(interval),
        next_(interval),
        library_(std::move(library)) {}

  Result<void> on_key(rdb::FileKey&&) override { return {}; }
  Result<void> on_function(std::string source) override {
    return library_ ? library_(source) : Result<void>();
  }
  void on_aux(const std::string&, const std::string&) override {}
  void on_sizes(DbIndex, std::uint64_t, std::uint64_t) override {}
  void on_empty_key(const std::string&) override {}
  void on_wrong_length(const std::string&) override {}
  Result<void> on_progress(std::uint64_t offset) override {
    if (offset < next_) return {};
    next_ = offset + interval_;
    return progress_(offset);
  }

 private:
  std::function<Result<void>(std::uint64_t)> progress_;
  std::uint64_t interval_, next_;
  Persistence::Libraries::Trial library_;
};

}  // namespace

Result<void> Persistence::check_snapshot(const std::string& path, std::function<bool()> serve) {
  HEARTH_TRY(const std::unique_ptr<io::File> file, ports_.disk->open(path, io::OpenMode::kRead));
  io::InputWindow window(*file, path);
  SnapshotChecker checker(
      [&](std::uint64_t) -> Result<void> {
        if (!serve()) return fail(ErrorCode::kBusy, "it is not wanted any more");
        return {};
      },
      settings().loading_process_events_interval_bytes,
      libraries_.begin_trial ? libraries_.begin_trial() : nullptr);
  return rdb::read_file(window, load_options(false).read, checker);
}

Result<DbIndex> Persistence::replace_data(const std::string& path, std::function<bool()> serve) {
  const bool logs = log_.is_on();
  if (logs) stop_log();
  if (child_ != Child::kNone) ports_.children->stop();
  empty_all(settings().replica_lazy_flush ? engine_->services().reclaimer : nullptr);
  serve_ = std::move(serve);
  // When a key expires is the primary's to say.
  loaded_position_.reset();
  const auto loaded = load_snapshot(path, false, Expired::kKeep);
  serve_ = nullptr;
  if (!loaded) empty_all();
  saved_changes_ = changes();
  if (logs) {
    if (const auto started = start_log(); !started) {
      // It is tried again by the ticks.
      log::warning("The append only file could not be restarted: {}", started.error().context);
      log_.begin_first();
      rewrite_scheduled_ = true;
    }
  }
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  const DbIndex db = loaded_position_ ? loaded_position_->db : DbIndex{0};
  return db < engine_->keyspace().db_count() ? db : DbIndex{0};
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

// --- the log ---

Result<std::uint64_t> Persistence::size_of(const aof::LogFile& file) {
  HEARTH_TRY(const std::unique_ptr<io::File> opened,
             ports_.disk->open(files_.path_of(file), io::OpenMode::kRead));
  return opened->size();
}

// A log begins with a base, so that the data a server was started with is in it.
Result<void> Persistence::make_first_base() {
  const std::string temp = fmt::format("temp-{}.aof", ports_.pid);
  aof::BaseOptions options;
  options.file = file_options(LogBase::kYes);
  options.timestamp = settings().aof_timestamp_enabled;
  aof::LogFiles::Switch to;
  to.base_temp_path = temp;
  if (settings().aof_use_rdb_preamble) {
    HEARTH_TRY_VOID(snapshot::write_and_sync(*ports_.disk, {"", temp, true}, engine_->keyspace(),
                                             options.file));
  } else {
    to.form = aof::LogFiles::BaseForm::kCommands;
    HEARTH_TRY_VOID(write_command_base(temp, true, options));
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
  log_.set_timestamps(settings().aof_timestamp_enabled);
  HEARTH_TRY_VOID(log_.open());
  for (const std::string& name : files_.remove_history(settings().aof_disable_auto_gc))
    log::notice("Removing the history file {} in the background", name);
  ports_.wants_changed();
  return {};
}

Result<void> Persistence::run_logged(Session& session, std::span<const std::string_view> words) {
  if (engine_->services().commands->resolve(words) == nullptr) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("Unknown command '{}' reading the append only file", words[0]));
  }
  // At the time of the epoch nothing has expired: whether a key had, when the log was written, the
  // log says itself.
  engine_->begin_replay();
  engine_->execute(session, words);
  engine_->end_replay();
  // Commands behind a failed SELECT would change another database.
  const bool matters = settings().propagation_error_behavior == config::PropagationError::kPanic ||
                       equals_ignore_case(words[0], "SELECT");
  if (matters && !session.out.empty() && session.out.str().front() == '-') {
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
  handler.run = [&](std::span<const std::string_view> words) {
    loaded_position_.reset();  // the stream has gone on
    return run_logged(session, words);
  };
  handler.note = [this](std::string_view line) {
    if (auto position = aof::parse_position_note(line)) loaded_position_ = std::move(position);
  };
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
  HEARTH_TRY_VOID(file->truncate(end->whole_up_to));
  return file->sync();
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
    aof::PositionFields fields;
    options.aux = [&](const std::string& name, const std::string& value) {
      fields.take(name, value);
      if (name == WarmGate::kField) engine_->warm_gate().set_partial(true);
    };
    options.progress = [this, before](std::uint64_t offset) { return serve_load(before + offset); };
    HEARTH_TRY_VOID(snapshot::load(window, engine_->keyspace(), options, figures_));
    loaded_position_ = fields.position();
  }
  return replay_commands(window, last, before);
}

Result<void> Persistence::load_log() {
  const aof::Manifest manifest = files_.manifest();
  std::vector<aof::LogFile> all;
  if (manifest.base) all.push_back(*manifest.base);
  all.insert(all.end(), manifest.increments.begin(), manifest.increments.end());
  std::uint64_t total = 0;
  for (const aof::LogFile& file : all) {
    HEARTH_TRY(const std::uint64_t size, size_of(file));
    total += size;
  }
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
  if (const auto done = log_.flush_now(engine_->reports().replication_offset()); !done)
    log::warning("DEBUG LOADAOF: {}", done.error().context);
  handle_log_events();
  empty_all();
  if (auto loaded = load_log(); !loaded) {
    log::warning("DEBUG LOADAOF: {}", loaded.error().context);
    return refuse("ERR Error trying to load the AOF files, check server logs.");
  }
  saved_changes_ = changes();
  log::notice("Append Only File loaded by DEBUG LOADAOF");
  return {};
}

}  // namespace hearth
