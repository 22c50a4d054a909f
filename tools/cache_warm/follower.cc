#include "tools/cache_warm/follower.h"

#include <fmt/core.h>
#include <poll.h>

#include <algorithm>

#include "src/base/hash.h"
#include "tools/cache_warm/crew.h"
#include "tools/cache_warm/follower_session.h"
#include "tools/cache_warm/key_eraser.h"
#include "tools/cache_warm/summary.h"

namespace hearth::warm {
namespace {

constexpr milliseconds kDrawEvery{100};
constexpr milliseconds kIdleWait{50};
constexpr milliseconds kAnswerWait{1};
constexpr milliseconds kLastAnswers{5'000};
constexpr milliseconds kCheckSlotEvery{2'000};
constexpr int kLogsLostMax = 3;
// A stream that ran for so long is well, also when nothing changes.
constexpr microseconds kWell{60'000'000};
// Changes that are taken before answers and positions are looked at.
constexpr int kChangesOfTurn = 256;
// In a transaction of more changes nobody waits for one of them; the server sends each on its own,
// and waking up for each would cost ten times what it costs to take it.
constexpr std::uint64_t kLargeTransaction = 64;
constexpr int kGatherMs = 1;
constexpr milliseconds kPauseFirst{200};
constexpr milliseconds kPauseMost{10'000};

// A number that no replica of the usual kind has; the same for each run of one name, so that the
// server ends what is left of the one before.
std::uint32_t replica_id_of(std::string_view name) {
  return 0x4000'0000U | static_cast<std::uint32_t>(hash_bytes(name, 0) & 0x3fff'ffffU);
}

}  // namespace

Follower::Follower(WarmPlan plan, FollowRunOptions options, const Clock& clock, Progress& progress,
                   RejectLog& rejects, const std::atomic<bool>& interrupt,
                   std::uint64_t random_seed)
    : plan_(std::move(plan)),
      options_(std::move(options)),
      clock_(clock),
      progress_(progress),
      rejects_(rejects),
      interrupt_(interrupt),
      random_seed_(random_seed) {
  must_load_ = options_.load == FollowLoad::kFirst;
  for (const auto& mapping : plan_.mappings) tallies_before_.emplace_back().name = mapping.name;
}

Follower::~Follower() = default;

LoadReport Follower::run() {
  progress_.begin("following", std::nullopt, clock_.mono_now());
  run_crew(
      1, [this](int) { work(); }, [this] { tick(); }, kDrawEvery);
  progress_.end();
  report_.mappings = status().tallies;
  if (report_.end == LoadEnd::kInterrupted) report_.end = LoadEnd::kComplete;
  return std::move(report_);
}

void Follower::work() {
  while (!is_interrupted()) {
    const Next next = session();
    end_session();
    if (next == Next::kEnd) return;
    pause();
  }
}

Follower::Next Follower::session() {
  if (auto connected = connect(); !connected) return after(connected.error());
  const auto needs = needs_load();
  if (!needs) return after(needs.error());
  if (*needs) {
    if (const auto ended = load()) return *ended;
  }
  return stream();
}

// ---- connecting ----

SourceOptions Follower::source_options() const {
  SourceOptions options;
  options.url = plan_.source.url;
  options.password = plan_.source.password;
  options.connect_timeout = plan_.source.connect_timeout;
  options.interrupt = &interrupt_;
  return options;
}

Result<void> Follower::connect() {
  HEARTH_TRY(auto router, ChangeRouter::make(plan_.mappings));
  session_ = std::make_unique<Session>(std::move(router));
  Session& s = *session_;
  FollowOptions options;
  options.source = source_options();
  options.name = options_.name;
  options.tables = s.router.tables();
  options.clock = &clock_;
  options.replica_id = replica_id_of(options_.name);
  HEARTH_TRY(s.changes, open_change_stream(options));
  HEARTH_TRY_VOID(look_at_tables());
  HEARTH_TRY(s.finder, RowFinder::open(source_options()));
  HEARTH_TRY_VOID(make_pollers());
  s.machine =
      std::make_unique<FollowMachine>(plan_.mappings, s.router, static_cast<FollowPort&>(*this));
  const client::DispatcherOptions target = client_options(plan_.target, random_seed_);
  s.target = std::make_unique<client::Client>(target, clock_, *s.machine, &interrupt_);
  s.target->on_waiting([this](const std::optional<client::Dispatcher::Waiting>& waiting) {
    const std::scoped_lock lock(mutex_);
    waiting_ = waiting ? waiting->what : "";
  });
  HEARTH_TRY_VOID(s.target->connect());
  {
    const std::scoped_lock lock(mutex_);
    waiting_.clear();
  }
  s.sink = std::make_unique<ClusterSink>(*s.target);
  s.machine->send_to(*s.sink);
  s.notebook = std::make_unique<client::Client>(target, clock_, s.no_fates, &interrupt_);
  HEARTH_TRY_VOID(s.notebook->connect());
  client::DispatcherOptions watched = target;
  // The stream waits while a node is looked at.
  watched.retry_for = std::min(watched.retry_for, milliseconds{1'000});
  s.watch = std::make_unique<NodeWatch>(std::move(watched), clock_, s.target->nodes());
  return look_at_first();
}

Result<void> Follower::look_at_tables() {
  Session& s = *session_;
  HEARTH_TRY(const auto missing, s.changes->missing());
  if (!missing.empty()) {
    std::string all = "following needs more than is there:";
    for (const auto& statement : missing) all += "\n" + statement;
    return fail(ErrorCode::kInvalid, all);
  }
  for (std::size_t i = 0; i < s.router.tables().size(); ++i) HEARTH_TRY_VOID(set_shape(i));
  return {};
}

Result<void> Follower::set_shape(std::size_t table) {
  Session& s = *session_;
  HEARTH_TRY_VOID(s.router.set_shape(table, s.changes->shape(table)));
  if (has_begun_) return {};
  for (const auto& note : s.router.notes()) progress_.print("note: " + note);
  return {};
}

// Whether the keys must be loaded before the stream can keep them true.
Result<bool> Follower::needs_load() {
  Session& s = *session_;
  HEARTH_TRY(const auto known, read_follow_state(*s.notebook, options_.name));
  HEARTH_TRY(const std::string source, s.changes->identity());
  const auto again = [&](std::string_view why) {
    is_repair_ = true;
    progress_.print(fmt::format("loading again: {}", why));
    return true;
  };
  if (must_load_) {
    is_repair_ = is_repair_ || known.has_value();
    return true;
  }
  if (!known) {
    if (options_.load != FollowLoad::kNever) return true;
    HEARTH_TRY(const FollowStart begun, s.changes->begin_anew());
    s.position = begun.position;
    s.state = {source, FollowPhase::kStreaming, s.changes->position_text(begun.position),
               anchors_text(s.anchors)};
    HEARTH_TRY_VOID(set_pollers(true));
    HEARTH_TRY_VOID(write_follow_state(*s.notebook, options_.name, s.state));
    return false;
  }
  s.state = *known;
  HEARTH_TRY_VOID(set_pollers(false));
  HEARTH_TRY(const std::string lost, find_lost_nodes(known->nodes));
  if (!lost.empty()) return again(lost);
  if (known->phase == FollowPhase::kLoading) return again("the last load did not come to its end");
  if (known->source != source) return again("the cache was loaded from another database");
  const auto position = s.changes->parse_position(known->position);
  if (!position) return again(position.error().context);
  s.position = *position;
  const auto checked = s.changes->check(s.position);
  if (checked) return false;
  if (checked.error().code != ErrorCode::kNotFound) return unexpected<Error>(checked.error());
  return again(checked.error().context);
}

// ---- loading ----

// Nothing: the rows are there, and the stream may begin.
std::optional<Follower::Next> Follower::load() {
  Session& s = *session_;
  progress_.print("following: the database prepares a snapshot");
  const auto start = s.changes->begin_anew();
  if (!start) return after(start.error());
  if (!start->note.empty()) progress_.print("note: " + start->note);
  s.position = start->position;
  const auto source = s.changes->identity();
  if (!source) return after(source.error());
  s.state = {*source, FollowPhase::kLoading, s.changes->position_text(start->position)};
  if (auto set = set_pollers(true); !set) return after(set.error());
  if (auto saved = write_follow_state(*s.notebook, options_.name, s.state); !saved)
    return after(saved.error());
  ++loads_;
  is_loading_.store(true);
  LoadReport loaded = run_load(*start, is_repair_);
  is_loading_.store(false);
  progress_.begin("following", std::nullopt, clock_.mono_now());
  if (is_interrupted()) return Next::kEnd;
  if (auto lost = s.changes->check(s.position); !lost) return after(lost.error());
  if (loaded.end != LoadEnd::kComplete) {
    // The first load tells what is wrong; a later one is tried again, as a lost connection is.
    if (!has_begun_) return end_with(loaded.end, loaded.reason);
    return after({ErrorCode::kIo, loaded.reason});
  }
  std::string summary = summary_text(loaded, is_repair_);
  summary.resize(summary.find_last_not_of('\n') + 1);
  progress_.print(summary);
  // Nodes may have gone while only the load spoke to them.
  s.slots.clear();
  s.confirmed = s.position;
  if (auto saved = save_progress(); !saved) return after(saved.error());
  must_load_ = false;
  is_repair_ = false;
  return std::nullopt;
}

LoadReport Follower::run_load(const FollowStart& start, bool is_again) {
  RunOptions options = options_.load_options;
  options.snapshot = start.snapshot;
  if (is_again) {
    options.kind = RunKind::kVerify;
    options.repair = true;
    options.orphans = OrphanPolicy::kDelete;
  }
  std::atomic<bool> stop{false};
  Loader loader(plan_, options, clock_, progress_, rejects_, stop, random_seed_ + loads_ * 100);
  LoadReport report;
  MonoTime checked_at = clock_.mono_now();
  run_crew(
      1, [&](int) { report = loader.run(); },
      [&] {
        if (is_interrupted()) stop.store(true);
        if (clock_.mono_now() - checked_at < kCheckSlotEvery) return;
        checked_at = clock_.mono_now();
        const auto checked = session_->changes->check(start.position);
        if (!checked && checked.error().code == ErrorCode::kNotFound) stop.store(true);
      },
      kDrawEvery);
  return report;
}

// ---- streaming ----

Follower::Next Follower::stream() {
  Session& s = *session_;
  if (loads_ == 0 && !has_begun_) {
    if (auto opened = rejects_.open(); !opened)
      return end_with(LoadEnd::kRefused, opened.error().context);
  }
  if (!s.router.is_empty()) {
    if (auto begun = s.changes->start(s.position); !begun) return after(begun.error());
  }
  s.is_streaming = true;
  has_begun_ = true;
  s.reached.position = s.confirmed = s.position;
  const MonoTime begun_at = clock_.mono_now();
  while (!is_interrupted()) {
    if (auto some = stream_some(); !some) return after(some.error());
    if (clock_.mono_now() - begun_at >= kWell) failures_ = logs_lost_ = 0;
    publish();
  }
  if (auto settled = s.machine->settle(); !settled && settled.error().code != ErrorCode::kBusy)
    return after(settled.error());
  return Next::kEnd;
}

Result<void> Follower::stream_some() {
  Session& s = *session_;
  const UnixMillis now = clock_.unix_now();
  bool is_over = false;
  for (int i = 0; i < kChangesOfTurn && !is_over; ++i) {
    const bool is_waiting = s.machine->open() > 0 || i > 0;
    HEARTH_TRY(const Change* change, s.changes->next(is_waiting ? milliseconds{0} : kIdleWait));
    if (change == nullptr) {
      is_over = true;
    } else if (change->kind == ChangeKind::kShape) {
      // Rows that wait to be read again were asked for by the mappings as they stood before.
      HEARTH_TRY_VOID(s.machine->settle());
      HEARTH_TRY_VOID(set_shape(change->table));
    } else {
      const bool is_commit = change->kind == ChangeKind::kCommit;
      if (!is_commit) failures_ = logs_lost_ = 0;
      s.changes_since_commit = is_commit ? 0 : s.changes_since_commit + 1;
      HEARTH_TRY_VOID(s.machine->take(*change, now));
    }
  }
  if (is_over && s.changes_since_commit > kLargeTransaction) {
    ::poll(nullptr, 0, kGatherMs);
    is_over = false;
  }
  if (is_over) {
    HEARTH_TRY_VOID(s.machine->settle());
    s.target->flush();
  }
  HEARTH_TRY_VOID(turn_target(is_over && s.machine->open() > 0 ? kAnswerWait : milliseconds{0}));
  HEARTH_TRY_VOID(save_progress());
  HEARTH_TRY_VOID(s.changes->keep_alive());
  return poll_tables();
}

Result<void> Follower::turn_target(milliseconds wait) { return session_->target->turn(wait); }

// Saves what was acknowledged, also when the database or a node is gone; the rest comes again.
void Follower::end_session() {
  if (!session_) return;
  Session& s = *session_;
  if (s.is_streaming && s.target) {
    if (s.target->drain(kLastAnswers)) static_cast<void>(save_last_progress());
  }
  publish();
  if (s.machine) {
    const FollowCounts& counts = s.machine->counts();
    counts_before_.changes += counts.changes;
    counts_before_.transactions += counts.transactions;
    counts_before_.rows_read_again += counts.rows_read_again;
    for (std::size_t i = 0; i < tallies_before_.size(); ++i)
      tallies_before_[i].add(s.machine->tallies()[i]);
  }
  session_.reset();
}

// ---- endings ----

Follower::Next Follower::end_with(LoadEnd end, std::string reason) {
  report_.end = end;
  report_.reason = std::move(reason);
  return Next::kEnd;
}

Follower::Next Follower::after(const Error& error) {
  if (is_interrupted()) return Next::kEnd;
  const bool is_target = session_ && session_->target && !session_->target->turn(milliseconds{0});
  const LoadEnd end = is_target ? LoadEnd::kTargetFailed : LoadEnd::kSourceFailed;
  switch (error.code) {
    case ErrorCode::kNotFound:
      if (!(session_ && session_->has_lost_nodes) && ++logs_lost_ >= kLogsLostMax)
        return end_with(LoadEnd::kSourceFailed,
                        "the database's log was lost during each load: keep more of it "
                        "(max_slot_wal_keep_size, binlog_expire_logs_seconds)");
      must_load_ = true;
      is_repair_ = true;
      progress_.print(fmt::format("loading again: {}", error.context));
      // A node that loses its keys again and again must not make the database read all the time.
      ++failures_;
      return Next::kAgain;
    case ErrorCode::kIo:
    case ErrorCode::kBusy: break;
    default: return end_with(has_begun_ ? end : LoadEnd::kRefused, error.context);
  }
  if (!has_begun_) return end_with(end, error.context);
  ++reconnects_;
  if (failures_ == 0) progress_.print(fmt::format("connecting again: {}", error.context));
  ++failures_;
  return Next::kAgain;
}

void Follower::pause() {
  const auto length = std::min(kPauseMost, kPauseFirst * (1 << std::min(failures_ - 1, 6)));
  {
    const std::scoped_lock lock(mutex_);
    waiting_ = "the next attempt to connect";
  }
  const MonoTime end = clock_.mono_now() + length;
  while (!is_interrupted() && clock_.mono_now() < end)
    ::poll(nullptr, 0, static_cast<int>(kIdleWait.count()));
  const std::scoped_lock lock(mutex_);
  waiting_.clear();
}

// ---- the port of the machine ----

Result<void> Follower::read_rows(std::size_t mapping, const std::vector<std::string>& columns,
                                 const std::vector<std::vector<std::string>>& values,
                                 std::span<const std::uint64_t> transactions,
                                 const std::function<Result<void>(const Unit&)>& take) {
  Session& s = *session_;
  for (const std::uint64_t transaction : transactions) {
    for (;;) {
      HEARTH_TRY(const bool is_there, s.changes->is_visible(transaction));
      if (is_there) break;
      if (is_interrupted()) return fail(ErrorCode::kBusy, "interrupted");
      HEARTH_TRY_VOID(turn_target(kAnswerWait));
      HEARTH_TRY_VOID(s.changes->keep_alive());
    }
  }
  return s.finder->read(plan_.mappings[mapping], columns, values, clock_.unix_now(), take);
}

Result<std::uint64_t> Follower::erase_keys(std::size_t mapping) {
  const EraserTarget target{client_options(plan_.target, random_seed_), session_->target->nodes()};
  return erase_mapping_keys(target, clock_, interrupt_, plan_.mappings, mapping);
}

void Follower::report(std::size_t mapping, std::string_view key, std::string_view reason) {
  rejects_.add({plan_.mappings[mapping].name, 0, key, reason});
}

// ---- telling ----

void Follower::publish() {
  if (!session_ || !session_->machine) return;
  const Session& s = *session_;
  FollowStatus now;
  now.counts = s.machine->counts();
  now.counts.changes += counts_before_.changes;
  now.counts.transactions += counts_before_.transactions;
  now.counts.rows_read_again += counts_before_.rows_read_again;
  now.tallies = tallies_before_;
  for (std::size_t i = 0; i < now.tallies.size(); ++i) now.tallies[i].add(s.machine->tallies()[i]);
  now.is_streaming = s.is_streaming;
  now.loads = loads_;
  now.reconnects = reconnects_;
  now.position = s.state.position;
  now.lag_bytes = s.changes->lag_bytes(s.reached.position);
  if (const auto oldest = s.machine->oldest_commit(); oldest && oldest->ms > 0)
    now.lag_seconds = std::max(0.0, static_cast<double>(clock_.unix_now().ms - oldest->ms) / 1e3);
  const std::scoped_lock lock(mutex_);
  status_ = std::move(now);
}

FollowStatus Follower::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

void Follower::tick() {
  if (is_loading_.load()) return;
  const FollowStatus now = status();
  std::string waiting;
  {
    const std::scoped_lock lock(mutex_);
    waiting = waiting_;
  }
  MappingTally sum;
  for (const auto& tally : now.tallies) sum.add(tally);
  progress_.note(fmt::format("lag {:.1f} MB, {:.1f} s", static_cast<double>(now.lag_bytes) / 1e6,
                             now.lag_seconds));
  progress_.update(now.counts.changes, sum.bytes, sum.rows_bad, std::move(waiting),
                   clock_.mono_now());
}

}  // namespace hearth::warm
