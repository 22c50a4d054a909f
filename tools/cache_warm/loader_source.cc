// The part of the loader that deals with what may go wrong with the database in the middle of a
// load, and with the order of its rows: hot ones first.
#include <fmt/core.h>
#include <poll.h>

#include <algorithm>

#include "tools/cache_warm/crew.h"
#include "tools/cache_warm/hot_rows.h"
#include "tools/cache_warm/loader.h"
#include "tools/client/breaker.h"

namespace hearth::warm {
namespace {

constexpr milliseconds kDrawEach{100};
constexpr milliseconds kRetryStep{50};
// So often the database may be lost in one load.
constexpr std::uint64_t kLossesMost = 20;
constexpr client::Breaker::Pauses kPauses{milliseconds{250}, milliseconds{20'000}};
constexpr std::size_t kHotKeysOfNode = 10'000;

}  // namespace

// Those of a load as a whole, so that the gate of a node counts them.
bool Loader::reports() const {
  return options_.kind == RunKind::kLoad && watch_ != nullptr && options_.limit == 0 &&
         options_.replay.empty() && !options_.is_partial;
}

// A target that knows no warm gate, or a user without the right, is no reason not to load.
void Loader::tell_progress(bool is_over) {
  if (!reports()) return;
  const auto told = watch_->tell_progress(
      job_, is_over ? NodeWatch::LoadPhase::kOver : NodeWatch::LoadPhase::kBegins);
  if (!told && told.error().context.find("NOPERM") != std::string::npos) {
    report_.notes.push_back(
        fmt::format("the target is not told how far the load is, which a warm gate waits for ({})",
                    told.error().context));
  }
  if (is_over && told) static_cast<void>(watch_->tell_all({"WARM", "READY"}));
}

void Loader::queue_hot_rows() {
  if (!reports()) return;
  const std::vector<std::string> keys = watch_->hot_keys(kHotKeysOfNode);
  const bool is_loose = plan_.source.url.starts_with("sqlite:");
  HotRows hot = find_hot_rows(job_.mappings, keys, is_loose ? Typing::kLoose : Typing::kStrict);
  for (auto& task : hot.tasks) job_.add_task(std::move(task));
  report_.notes.insert(report_.notes.end(), hot.notes.begin(), hot.notes.end());
}

// One pass over all chunks, over as many connections to the database as it takes.
Result<void> Loader::run_pass_over_losses() {
  for (;;) {
    HEARTH_TRY_VOID(run_pass());
    const auto loss = job_.take_source_loss();
    if (!loss || job_.is_stopped()) return {};
    run_crew(
        1, [this, &loss](int) { reach_source_again(*loss); }, [this] { tick(); }, kDrawEach);
    if (job_.is_stopped()) return {};
  }
}

void Loader::wait_for(milliseconds pause) {
  const MonoTime until = clock_.mono_now() + pause;
  while (clock_.mono_now() < until && !job_.interrupt.load(std::memory_order_relaxed))
    ::poll(nullptr, 0, static_cast<int>(kRetryStep.count()));
}

void Loader::reach_source_again(const std::string& loss) {
  leave_seats();
  if (!options_.snapshot.empty()) {
    return job_.stop(LoadEnd::kSourceFailed,
                     loss + " (the state of the data that the change stream begins with is gone)");
  }
  if (++report_.source_losses > kLossesMost) {
    return job_.stop(LoadEnd::kSourceFailed,
                     fmt::format("the database was lost {} times, the last time: {}",
                                 report_.source_losses, loss));
  }
  progress_.print(fmt::format("{}: the load goes on when the database is back", loss));
  has_source_.store(false, std::memory_order_release);
  Rng rng(random_seed_ + report_.source_losses);
  client::Breaker breaker(kPauses);
  const MonoTime until = clock_.mono_now() + plan_.source.retry_for;
  breaker.fail(clock_.mono_now(), rng);
  std::string last = loss;
  while (breaker.retry_at() <= until) {
    const microseconds pause = breaker.retry_at() - clock_.mono_now();
    wait_for(std::chrono::ceil<milliseconds>(std::max(pause, microseconds{0})));
    if (!job_.may_go_on()) return;
    if (!breaker.admits(clock_.mono_now())) continue;
    const auto reached = go_on_with_source();
    if (reached) return;
    if (reached.error().code != ErrorCode::kIo)
      return stop_for(reached.error(), LoadEnd::kSourceFailed);
    last = reached.error().context;
    breaker.fail(clock_.mono_now(), rng);
  }
  job_.stop(LoadEnd::kSourceFailed,
            fmt::format("the database was lost ({}) and not reached again within {} s "
                        "(source.retry_for): {}",
                        loss, plan_.source.retry_for.count() / 1000, last));
}

// Another connection sees a later state of the data. Ranges of keys mean the same there; blocks of
// a table's file do not, since rows move between them: all of them are read again then.
Result<void> Loader::go_on_with_source() {
  leave_seats();
  job_.mappings.clear();
  is_prepared_.store(false, std::memory_order_release);
  HEARTH_TRY_VOID(open_source());
  const auto tasks = job_.tasks();
  const bool has_moved = std::any_of(tasks.begin(), tasks.end(), [](const ChunkTask& task) {
    return task.chunk.kind == Chunk::Kind::kBlocks;
  });
  if (has_moved) {
    job_.clear_tasks();
    job_.count_again();
    HEARTH_TRY_VOID(queue_chunks());
  }
  HEARTH_TRY_VOID(add_seats());
  const std::string note =
      "the database was lost meanwhile: rows that were read after that are of a later state of it";
  if (std::find(report_.notes.begin(), report_.notes.end(), note) == report_.notes.end())
    report_.notes.push_back(note);
  return {};
}

}  // namespace hearth::warm
