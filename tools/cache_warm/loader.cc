#include "tools/cache_warm/loader.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>

#include "tools/cache_warm/crew.h"
#include "tools/cache_warm/dry_run.h"
#include "tools/cache_warm/rights.h"
#include "tools/cache_warm/worker.h"

namespace hearth::warm {
namespace {

constexpr milliseconds kTick{100};
constexpr microseconds kInterruptAgain{1'000'000};
constexpr microseconds kWorthTelling{1'000'000};
// A key and its value take about so much more memory than their bytes.
constexpr std::uint64_t kBytesPerKey = 64;
constexpr std::size_t kReplayedKeysOfChunk = 500;
// Beside a server on the same machine, a load goes on where others leave a core idle.
constexpr int kYieldingNice = 10;
constexpr std::uint64_t kRowsOfKeyCheck = 1'000;

std::optional<std::size_t> index_of(const std::vector<Column>& columns, std::string_view name) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return i;
  }
  return std::nullopt;
}

Result<void> prepare_one(Source& source, PreparedMapping& prepared) {
  const Mapping& mapping = *prepared.mapping;
  const auto named = [&](const Error& error) {
    const std::string name = fmt::format("mapping '{}'", mapping.name);
    const bool has_name = error.context.starts_with(name);
    return unexpected<Error>(
        Error{error.code, has_name ? error.context : fmt::format("{}: {}", name, error.context)});
  };
  auto shape = source.describe(mapping.selection);
  if (!shape) return named(shape.error());
  prepared.shape = *std::move(shape);
  const auto encoder = RowEncoder::bind(mapping, prepared.shape.columns);
  if (!encoder) return named(encoder.error());
  for (const auto& name : prepared.shape.key) {
    const auto index = index_of(prepared.shape.columns, name);
    if (!index) {
      prepared.key_columns.clear();
      break;
    }
    prepared.key_columns.push_back(*index);
  }
  prepared.expected_rows = prepared.shape.rows.value_or(0);
  return {};
}

}  // namespace

client::DispatcherOptions client_options(const Target& target, std::uint64_t random_seed) {
  client::DispatcherOptions options;
  options.seeds = target.seeds;
  options.username = target.username;
  options.password = target.password;
  options.db = target.db;
  options.client_name = "cache-warm";
  options.is_loader = true;
  options.links_per_node = target.connections_per_node;
  options.batch_ops = target.batch_rows;
  options.batch_bytes = target.batch_bytes;
  options.window_bytes = target.window_bytes;
  options.retry_for = target.retry_for;
  options.reply_timeout = target.reply_timeout;
  options.random_seed = random_seed;
  return options;
}

Result<void> prepare_mappings(Source& source, Job& job, std::uint64_t limit) {
  for (const auto& mapping : job.plan.mappings) {
    PreparedMapping prepared;
    prepared.mapping = &mapping;
    HEARTH_TRY_VOID(prepare_one(source, prepared));
    if (limit > 0 && prepared.expected_rows > 0)
      prepared.expected_rows = std::min(prepared.expected_rows, limit);
    job.mappings.push_back(std::move(prepared));
  }
  return {};
}

// A worker's own: its reader, its connections and what it does with rows.
struct Loader::Seat {
  std::unique_ptr<Reader> reader;
  std::unique_ptr<Sender> sender;
  std::unique_ptr<Comparer> comparer;
  std::unique_ptr<client::Client> client;
  std::unique_ptr<RowSink> sink;

  UnitConsumer& consumer() {
    if (comparer) return *comparer;
    return *sender;
  }
};

Loader::Loader(WarmPlan plan, RunOptions options, const Clock& clock, Progress& progress,
               RejectLog& rejects, const std::atomic<bool>& interrupt, std::uint64_t random_seed)
    : plan_(std::move(plan)),
      options_(std::move(options)),
      clock_(clock),
      progress_(progress),
      random_seed_(random_seed),
      job_(plan_, clock, rejects, interrupt),
      nobody_(job_) {
  for (auto& mapping : plan_.mappings) {
    if (options_.limit > 0) mapping.selection.limit = options_.limit;
  }
}

Loader::~Loader() = default;

void Loader::stop_for(const Error& error, LoadEnd end) {
  job_.stop(error.code == ErrorCode::kBusy ? LoadEnd::kInterrupted : end, error.context);
}

LoadReport Loader::run() {
  begun_ = clock_.mono_now();
  progress_.begin("preparing", std::nullopt, begun_);
  run_crew(
      1, [this](int) { set_out(); }, [this] { tick(); }, kTick);
  if (!job_.is_stopped()) run_passes();
  if (!job_.is_stopped()) tell_progress(true);
  end_epoch();
  progress_.end();
  const auto stop = job_.reason_to_stop();
  if (stop) {
    report_.end = stop->end;
    report_.reason = stop->reason;
  }
  report_.mappings = job_.tallies();
  report_.seconds = static_cast<double>((clock_.mono_now() - begun_).count()) / 1e6;
  leave_seats();
  return std::move(report_);
}

void Loader::leave_seats() {
  for (const auto& seat : seats_) {
    if (seat->client) report_.counters.add(seat->client->counters());
  }
  seats_.clear();
}

// Everything up to the first row. Runs beside the thread that draws, because each step may wait.
void Loader::set_out() {
  // An epoch begins before the database is read: what applications write from then on stays. A
  // snapshot that is older belongs to a change stream, which brings what it lacks.
  if (options_.kind == RunKind::kLoad && plan_.target.guard != Guard::kOff &&
      options_.snapshot.empty()) {
    if (auto reached = reach_target(); !reached)
      return stop_for(reached.error(), LoadEnd::kTargetFailed);
    if (auto begun = begin_epoch(); !begun) return stop_for(begun.error(), LoadEnd::kTargetFailed);
  }
  if (auto opened = open_source_and_prepare(); !opened)
    return stop_for(opened.error(), opened.error().code == ErrorCode::kInvalid
                                        ? LoadEnd::kRefused
                                        : LoadEnd::kSourceFailed);
  if (options_.kind != RunKind::kNull) {
    if (watch_ == nullptr) {
      if (auto reached = reach_target(); !reached)
        return stop_for(reached.error(), LoadEnd::kTargetFailed);
    }
    // Memory first: the commands that rights are tried with wait while there is none.
    if (auto fits = check_memory(); !fits) return stop_for(fits.error(), LoadEnd::kRefused);
    if (auto may = check_rights(); !may) return stop_for(may.error(), LoadEnd::kTargetFailed);
  }
  if (auto unique = check_keys(); !unique)
    return stop_for(unique.error(), unique.error().code == ErrorCode::kIo ? LoadEnd::kSourceFailed
                                                                          : LoadEnd::kRefused);
  tell_progress(false);
  queue_hot_rows();
  if (auto queued = queue_chunks(); !queued)
    return stop_for(queued.error(), queued.error().code == ErrorCode::kIo ? LoadEnd::kSourceFailed
                                                                          : LoadEnd::kRefused);
  if (auto seated = add_seats(); !seated) return stop_for(seated.error(), LoadEnd::kSourceFailed);
  // From here on rows move: now a reject file of an earlier run may go.
  if (auto opened = job_.rejects.open(); !opened) stop_for(opened.error(), LoadEnd::kRefused);
}

// One id for all nodes, which no other load has.
Result<void> Loader::begin_epoch() {
  const std::string id = fmt::format("cache-warm-{:016x}-{}", random_seed_, ++epochs_);
  if (auto told = watch_->tell_all({"WARM", "BEGIN", id}); !told) {
    static_cast<void>(watch_->tell_all({"WARM", "END", id}));
    if (plan_.target.guard == Guard::kEpoch) return told;
    report_.notes.push_back(
        fmt::format("rows may overwrite what applications write meanwhile: the target has no warm "
                    "epochs ({})",
                    told.error().context));
    return {};
  }
  epoch_ = id;
  for (auto& mapping : plan_.mappings) mapping.epoch = epoch_;
  return {};
}

void Loader::end_epoch() {
  if (epoch_.empty()) return;
  static_cast<void>(watch_->tell_all({"WARM", "END", epoch_}));
  epoch_.clear();
}

// In a new epoch rows are read from a new snapshot, since the old one is older than the epoch.
Result<void> Loader::read_anew() {
  end_epoch();
  leave_seats();
  HEARTH_TRY_VOID(begin_epoch());
  has_source_.store(false, std::memory_order_release);
  is_prepared_.store(false, std::memory_order_release);
  job_.mappings.clear();
  HEARTH_TRY_VOID(open_source_and_prepare());
  return add_seats();
}

Result<void> Loader::open_source() {
  SourceOptions options;
  options.url = plan_.source.url;
  options.password = plan_.source.password;
  options.readers = plan_.source.workers;
  options.consistent = plan_.source.consistent;
  options.stable_chunks = !options_.checkpoint.empty();
  options.snapshot = options_.snapshot;
  options.connect_timeout = plan_.source.connect_timeout;
  options.interrupt = &job_.interrupt;
  first_reader_.reset();
  HEARTH_TRY(source_, warm::open_source(options));
  has_source_.store(true, std::memory_order_release);
  HEARTH_TRY_VOID(prepare_mappings(*source_, job_, options_.limit));
  for (const std::string& note : source_->notes()) {
    if (std::find(report_.notes.begin(), report_.notes.end(), note) == report_.notes.end())
      report_.notes.push_back(note);
  }
  is_prepared_.store(true, std::memory_order_release);
  return {};
}

Result<void> Loader::open_source_and_prepare() {
  HEARTH_TRY_VOID(open_source());
  if (options_.checkpoint.empty()) return {};
  HEARTH_TRY(checkpoint_,
             Checkpoint::open(options_.checkpoint, options_.plan_fingerprint, options_.resume));
  job_.checkpoint = checkpoint_.get();
  return {};
}

Result<void> Loader::reach_target() {
  client::DispatcherOptions options = client_options(plan_.target, random_seed_);
  front_ = std::make_unique<client::Client>(options, clock_, nobody_, &job_.interrupt);
  front_->on_waiting(waiting_teller(0));
  HEARTH_TRY_VOID(front_->connect());
  job_.tell_waiting(0, "");
  report_.nodes = front_->nodes().size();
  options.retry_for = std::min(options.retry_for, milliseconds{2'000});
  watch_ = std::make_unique<NodeWatch>(options, clock_, front_->nodes());
  watch_->look();
  if (!watch_->knows_nodes()) {
    report_.notes.emplace_back(
        "the target does not tell INFO: nodes that restart or evict keys meanwhile stay unnoticed");
  }
  take_anchors();
  return {};
}

// A user without a right would have every row refused; that is known before the first one.
Result<void> Loader::check_rights() {
  if (options_.kind != RunKind::kLoad) return {};
  HEARTH_TRY(const auto missing, missing_target_rights(*front_, plan_));
  for (const auto& one : missing) {
    if (!one.is_needed) continue;
    return fail(ErrorCode::kInvalid,
                fmt::format("the target's user may not run {}: {}", one.command, one.grant));
  }
  return {};
}

// The estimate is the database's: its own size of the tables, which is near to that of the values.
Result<void> Loader::check_memory() {
  const auto room = watch_->room_bytes();
  if (!room || options_.force || options_.kind != RunKind::kLoad || options_.limit > 0) return {};
  std::uint64_t needed = 0;
  for (const auto& prepared : job_.mappings)
    needed += prepared.shape.bytes.value_or(0) + prepared.expected_rows * kBytesPerKey;
  if (needed <= *room) return {};
  return fail(ErrorCode::kLimit,
              fmt::format("the rows need about {} MB, and the target has room for {} MB below its "
                          "maxmemory (--force loads all the same)",
                          needed >> 20, *room >> 20));
}

// Rows that make one key would overwrite each other in an order that nobody knows.
Result<void> Loader::check_keys() {
  if (options_.force || options_.kind == RunKind::kNull || !options_.replay.empty()) return {};
  for (const PreparedMapping& prepared : job_.mappings) {
    if (!may_make_keys_twice(prepared)) continue;
    if (first_reader_ == nullptr) {
      HEARTH_TRY(first_reader_, source_->reader());
    }
    HEARTH_TRY(const MappingPreview preview,
               preview_mapping(*first_reader_, prepared, {kRowsOfKeyCheck, 0}, clock_.unix_now()));
    if (preview.keys_twice == 0) continue;
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}': of the first {} rows, {} make a key that an earlier one "
                            "made, and which of them would stay is left to chance: let the key "
                            "name the columns that tell rows apart (--force loads all the same)",
                            preview.name, preview.rows_sampled, preview.keys_twice));
  }
  return {};
}

Result<void> Loader::queue_chunks() {
  if (!options_.replay.empty()) {
    HEARTH_TRY(const RejectedRows rows, read_rejects(options_.replay));
    if (rows.without_key > 0) {
      report_.notes.push_back(fmt::format("{} lines of {} name no primary key and are not replayed",
                                          rows.without_key, options_.replay));
    }
    for (std::size_t i = 0; i < plan_.mappings.size(); ++i) {
      const auto found = rows.keys.find(plan_.mappings[i].name);
      if (found == rows.keys.end()) continue;
      const auto& keys = found->second;
      for (std::size_t at = 0; at < keys.size(); at += kReplayedKeysOfChunk) {
        Chunk chunk{.kind = Chunk::Kind::kKeys};
        const auto end = std::min(keys.size(), at + kReplayedKeysOfChunk);
        chunk.keys.assign(keys.begin() + static_cast<std::ptrdiff_t>(at),
                          keys.begin() + static_cast<std::ptrdiff_t>(end));
        job_.add_task({i, std::move(chunk)});
      }
    }
    return {};
  }
  for (std::size_t i = 0; i < plan_.mappings.size(); ++i) HEARTH_TRY_VOID(queue_mapping(i));
  return {};
}

Result<void> Loader::queue_mapping(std::size_t index) {
  const Mapping& mapping = plan_.mappings[index];
  std::vector<Chunk> chunks;
  if (auto known = checkpoint_ ? checkpoint_->chunks_of(mapping.name) : std::nullopt) {
    chunks = *std::move(known);
    MappingTally resumed;
    resumed.rows_resumed = checkpoint_->rows_done(mapping.name);
    job_.add(index, resumed);
  } else {
    HEARTH_TRY(chunks, source_->plan(mapping.selection, plan_.source.chunk_rows));
    if (checkpoint_) HEARTH_TRY_VOID(checkpoint_->write_chunks(mapping.name, chunks));
  }
  for (auto& chunk : chunks) {
    if (checkpoint_ && checkpoint_->is_done(mapping.name, chunk)) continue;
    job_.add_task({index, std::move(chunk)});
  }
  return {};
}

Result<void> Loader::add_seats() {
  const int count = std::max(1, std::min(plan_.source.workers, source_->readers()));
  for (int i = 0; i < count; ++i) {
    auto seat = std::make_unique<Seat>();
    seat->reader = std::move(first_reader_);
    if (seat->reader == nullptr) {
      HEARTH_TRY(seat->reader, source_->reader());
    }
    client::CompletionSink* fates = nullptr;
    if (options_.kind == RunKind::kVerify) {
      seat->comparer = std::make_unique<Comparer>(
          job_, Comparer::Options{options_.repair, options_.sample,
                                  options_.orphans != OrphanPolicy::kIgnore});
      fates = seat->comparer.get();
    } else {
      seat->sender = std::make_unique<Sender>(job_);
      fates = seat->sender.get();
    }
    if (options_.kind == RunKind::kNull) {
      seat->sink = std::make_unique<NullSink>(*fates);
    } else {
      seat->client = std::make_unique<client::Client>(
          client_options(plan_.target, random_seed_ + static_cast<std::uint64_t>(i) + 1), clock_,
          *fates, &job_.interrupt);
      seat->client->on_waiting(waiting_teller(i));
      if (seat->comparer) seat->comparer->ask(*seat->client);
      seat->sink = std::make_unique<ClusterSink>(*seat->client);
    }
    if (seat->sender) seat->sender->send_to(*seat->sink);
    seats_.push_back(std::move(seat));
  }
  job_.rate.set_unit(options_.rate_unit);
  job_.rate.set_rate(options_.rate);
  return {};
}

std::function<void(const std::optional<client::Dispatcher::Waiting>&)> Loader::waiting_teller(
    int worker) {
  return [this, worker](const std::optional<client::Dispatcher::Waiting>& waiting) {
    if (!waiting) return job_.tell_waiting(worker, "");
    const auto left =
        std::max<std::int64_t>(0, (plan_.target.retry_for - waiting->since).count() / 1000);
    job_.tell_waiting(worker, fmt::format("{} ({} s left)", waiting->what, left));
  };
}

// One pass over all chunks, with the watch beside the workers.
Result<void> Loader::run_pass() {
  std::atomic<int> at_work{static_cast<int>(seats_.size())};
  std::atomic<bool> is_over{false};
  const int workers = static_cast<int>(seats_.size());
  const bool adapts = options_.kind == RunKind::kLoad && options_.adapts && options_.rate <= 0;
  const auto work = [&](int index) {
    if (index == workers) {
      if (watch_) watch_->run(job_, is_over, adapts, reports());
      return;
    }
    Seat& seat = *seats_[static_cast<std::size_t>(index)];
    if (adapts) static_cast<void>(::setpriority(PRIO_PROCESS, 0, kYieldingNice));  // of this thread
    Worker worker(job_, *seat.reader, seat.consumer());
    if (seat.comparer) worker.want_fingerprints();
    if (seat.client) {
      if (auto connected = seat.client->connect(); !connected)
        stop_for(connected.error(), LoadEnd::kTargetFailed);
    }
    worker.work();
    job_.tell_waiting(index, "");
    if (at_work.fetch_sub(1) == 1) is_over.store(true);
  };
  run_crew(
      watch_ ? workers + 1 : workers, work, [this] { tick(); }, kTick);
  return {};
}

void Loader::run_passes() {
  std::uint64_t expected = 0;
  bool is_known = true;
  for (const auto& prepared : job_.mappings) {
    expected += prepared.expected_rows;
    is_known = is_known && prepared.expected_rows > 0;
  }
  const std::string name = plan_.mappings.size() == 1
                               ? plan_.mappings[0].name
                               : fmt::format("{} mappings", plan_.mappings.size());
  progress_.begin(name, is_known ? std::optional(expected) : std::nullopt, clock_.mono_now());
  if (auto passed = run_pass_over_losses(); !passed) return;
  if (!watch_) return;
  for (;;) {
    const Losses losses = find_losses();
    report_.restarts += losses.nodes.size();
    report_.keys_evicted = watch_->evicted();
    if (job_.is_stopped() || losses.what.empty()) break;
    if (options_.kind != RunKind::kLoad) {
      if (options_.repair)
        report_.notes.push_back(losses.what + " and may have lost keys: compare again");
      break;
    }
    if (!load_again(losses)) return;
  }
  if (report_.keys_evicted > 0 && watch_->evicts() && plan_.target.memory_limit < 1) {
    job_.stop(LoadEnd::kMemoryFull,
              fmt::format("the target evicted {} keys meanwhile", grouped(report_.keys_evicted)));
  }
  if (options_.kind == RunKind::kVerify && options_.orphans != OrphanPolicy::kIgnore &&
      !job_.is_stopped())
    run_crew(
        1, [this](int) { find_orphans(); }, [this] { tick(); }, kTick);
}

void Loader::find_orphans() {
  std::unordered_set<std::uint64_t> keys;
  for (const auto& seat : seats_)
    keys.insert(seat->comparer->keys().begin(), seat->comparer->keys().end());
  OrphanSearch search{client_options(plan_.target, random_seed_), front_->nodes(),
                      options_.orphans == OrphanPolicy::kDelete};
  for (std::size_t i = 0; i < plan_.mappings.size(); ++i) {
    const Mapping& mapping = plan_.mappings[i];
    const auto tell = [&](std::string_view key) {
      if (!search.removes) job_.rejects.add({mapping.name, 0, key, "no row has this key"});
    };
    const auto count = count_orphans(search, clock_, job_.interrupt, mapping, keys, tell);
    if (!count) return stop_for(count.error(), LoadEnd::kTargetFailed);
    MappingTally tally;
    tally.keys_orphaned = *count;
    tally.keys_repaired = search.removes ? *count : 0;
    job_.add(i, tally);
  }
}

void Loader::tick() {
  const MonoTime now = clock_.mono_now();
  const bool is_interrupted = job_.interrupt.load(std::memory_order_relaxed);
  if (is_interrupted && has_source_.load(std::memory_order_acquire) &&
      (interrupted_at_ == MonoTime{} || now - interrupted_at_ >= kInterruptAgain)) {
    interrupted_at_ = now;
    source_->interrupt();
  }
  std::string waiting = job_.waiting();
  if (!is_prepared_.load(std::memory_order_acquire) && now - begun_ >= kWorthTelling)
    waiting = "the database";
  MappingTally sum;
  for (const auto& tally : job_.tallies()) sum.add(tally);
  progress_.update(
      sum.rows_stored + sum.rows_bad + sum.rows_expired + sum.rows_skipped + sum.rows_resumed,
      sum.bytes, sum.rows_bad, std::move(waiting), now);
}

}  // namespace hearth::warm
