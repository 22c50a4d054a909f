#include "tools/cache_warm/job.h"

namespace hearth::warm {

Job::Job(const WarmPlan& the_plan, const Clock& the_clock, RejectLog& the_rejects,
         const std::atomic<bool>& the_interrupt)
    : plan(the_plan),
      clock(the_clock),
      rejects(the_rejects),
      interrupt(the_interrupt),
      rate(Throttle::Unit::kRows, 0, the_clock.mono_now()) {
  for (const auto& mapping : plan.mappings) {
    tallies_.emplace_back().name = mapping.name;
    spans_.emplace_back();
    open_tasks_.push_back(0);
    rates.push_back(std::make_unique<Throttle>(
        Throttle::Unit::kRows, static_cast<double>(mapping.rows_per_second), clock.mono_now()));
  }
}

void Job::add_task(ChunkTask task) {
  const std::scoped_lock lock(mutex_);
  ++open_tasks_[task.mapping];
  tasks_.push_back(std::move(task));
}

void Job::settle_tasks(std::size_t mapping, std::size_t count) {
  const std::scoped_lock lock(mutex_);
  open_tasks_[mapping] -= count;
}

bool Job::is_through(std::size_t mapping) const {
  const std::scoped_lock lock(mutex_);
  return open_tasks_[mapping] == 0;
}

std::optional<ChunkTask> Job::take_task() {
  const std::scoped_lock lock(mutex_);
  if (tasks_.empty()) return std::nullopt;
  ChunkTask task = std::move(tasks_.front());
  tasks_.pop_front();
  auto& begun = spans_[task.mapping].first;
  if (begun == MonoTime{}) begun = clock.mono_now();
  return task;
}

void Job::lose_source(ChunkTask task, std::string reason) {
  const std::scoped_lock lock(mutex_);
  tasks_.push_front(std::move(task));
  if (!source_loss_) source_loss_ = std::move(reason);
  has_lost_source_.store(true, std::memory_order_release);
}

std::optional<std::string> Job::take_source_loss() {
  const std::scoped_lock lock(mutex_);
  has_lost_source_.store(false, std::memory_order_release);
  return std::exchange(source_loss_, std::nullopt);
}

std::deque<ChunkTask> Job::tasks() const {
  const std::scoped_lock lock(mutex_);
  return tasks_;
}

void Job::clear_tasks() {
  const std::scoped_lock lock(mutex_);
  for (const ChunkTask& task : tasks_) --open_tasks_[task.mapping];
  tasks_.clear();
}

void Job::stop(LoadEnd end, std::string reason) {
  const std::scoped_lock lock(mutex_);
  if (!stop_) stop_ = Stop{end, std::move(reason)};
  is_stopped_.store(true, std::memory_order_release);
}

std::optional<Stop> Job::reason_to_stop() const {
  const std::scoped_lock lock(mutex_);
  return stop_;
}

bool Job::may_go_on() {
  if (is_stopped()) return false;
  if (interrupt.load(std::memory_order_relaxed)) {
    stop(LoadEnd::kInterrupted, "interrupted");
  } else if (rejects.is_too_many()) {
    stop(LoadEnd::kTooManyErrors, "too many bad rows");
  }
  return !is_stopped();
}

void Job::add(std::size_t mapping, const MappingTally& delta) {
  const MonoTime now = clock.mono_now();
  const std::scoped_lock lock(mutex_);
  tallies_[mapping].add(delta);
  auto& [begun, ended] = spans_[mapping];
  if (begun == MonoTime{}) begun = now;
  ended = now;
  tallies_[mapping].seconds = static_cast<double>((ended - begun).count()) / 1e6;
}

std::vector<MappingTally> Job::tallies() const {
  const std::scoped_lock lock(mutex_);
  return tallies_;
}

void Job::count_again() {
  const std::scoped_lock lock(mutex_);
  for (auto& tally : tallies_) {
    const double seconds = tally.seconds;
    tally = MappingTally{.name = tally.name};
    tally.seconds = seconds;
  }
}

void Job::lose_slot(Slot slot) {
  const std::scoped_lock lock(mutex_);
  lost_slots_.set(slot);
}

std::bitset<kSlotCount> Job::take_lost_slots() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(lost_slots_, {});
}

void Job::tell_waiting(int worker, std::string text) {
  const std::scoped_lock lock(mutex_);
  const auto index = static_cast<std::size_t>(worker);
  if (waiting_.size() <= index) waiting_.resize(index + 1);
  waiting_[index] = std::move(text);
}

std::string Job::waiting() const {
  const std::scoped_lock lock(mutex_);
  for (const auto& text : waiting_) {
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace hearth::warm
