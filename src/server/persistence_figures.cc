// INFO persistence, and the lines of INFO stats about forks.
#include <algorithm>

#include "src/metrics/figures.h"
#include "src/server/persistence.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

namespace fig = figure;

std::string_view status(bool ok) { return ok ? "ok" : "err"; }

FigureValue percentage(std::uint64_t part, std::uint64_t whole) {
  return FigureValue::decimal(100.0 * FigureValue::ratio(part, whole));
}

}  // namespace

struct Persistence::Figures {
  const Persistence& p;
  UnixMillis now;

  [[nodiscard]] bool is_saving() const {
    return p.child_ == Child::kSave || p.child_ == Child::kSync;
  }
  [[nodiscard]] std::int64_t child_seconds() const {
    return (now - p.child_started_).count() / 1000;
  }
  // Of a row that is there while something is loaded, or while the log is on.
  template <typename F>
  [[nodiscard]] FigureValue while_loading(F&& value) const {
    return p.load_ ? FigureValue(value(*p.load_)) : FigureValue();
  }
  template <typename F>
  [[nodiscard]] FigureValue with_log(F&& value) const {
    return p.log_.is_on() ? FigureValue(value(p.log_)) : FigureValue();
  }

  static const FigureRow<Figures> kRows[], kForkRows[];
};

constexpr FigureRow<Persistence::Figures>
    Persistence::Figures::
        kRows
            [] =
                {
                    {fig::gauge("loading", "1 while the data set is being loaded."),
                     [](const Figures& f) { return f.p.is_loading(); }},
                    {fig::constant("async_loading",
                                   "Always 0: the old data is not served while new is loaded."),
                     [](const Figures&) { return 0; }},
                    {fig::gauge("current_cow_peak", "Most bytes copied since a child began."),
                     [](const Figures& f) { return f.p.peak_copied_; }},
                    {fig::gauge("current_cow_size", "Bytes copied while a child runs."),
                     [](const Figures& f) { return f.p.progress_.copied_bytes; }},
                    {fig::gauge("current_cow_size_age", "Seconds since the child told them."),
                     [](const Figures& f) {
                       const bool reported =
                           f.p.has_child() && f.p.progress_at_ >= f.p.child_started_;
                       return reported ? (f.now - f.p.progress_at_).count() / 1000 : 0;
                     }},
                    {fig::gauge("current_fork_perc",
                                "Share of keys that the child has written, in percent."),
                     [](const Figures& f) {
                       return percentage(f.p.progress_.keys, f.p.child_keys_total_);
                     }},
                    {fig::gauge("current_save_keys_processed", "Keys that the child has written."),
                     [](const Figures& f) { return f.p.progress_.keys; }},
                    {fig::gauge("current_save_keys_total", "Keys that the child has to write."),
                     [](const Figures& f) { return f.p.has_child() ? f.p.child_keys_total_ : 0; }},
                    {fig::gauge("rdb_changes_since_last_save",
                                "Changes of the data since the last snapshot."),
                     [](const Figures& f) { return f.p.changes() - f.p.saved_changes_; }},
                    {fig::gauge("rdb_bgsave_in_progress", "1 while a child writes a snapshot."),
                     [](const Figures& f) { return f.is_saving(); }},
                    {fig::gauge("rdb_last_save_time",
                                "When the last snapshot succeeded, in seconds since 1970."),
                     [](const Figures& f) { return f.p.last_save_.unix_seconds(); }},
                    {fig::text("rdb_last_bgsave_status", "ok or err."),
                     [](const Figures& f) { return status(f.p.last_save_ok_); }},
                    {fig::gauge("rdb_last_bgsave_time_sec",
                                "Seconds that the last snapshot took, -1: none yet."),
                     [](const Figures& f) { return f.p.last_save_seconds_; }},
                    {fig::gauge("rdb_current_bgsave_time_sec",
                                "Seconds of the snapshot under way, -1: none is."),
                     [](const Figures& f) { return f.is_saving() ? f.child_seconds() : -1; }},
                    {fig::counter("rdb_saves", "Snapshots that succeeded."),
                     [](const Figures& f) { return f.p.saves_; }},
                    {fig::gauge("rdb_last_cow_size", "Bytes copied during the last snapshot."),
                     [](const Figures& f) { return f.p.last_save_copied_; }},
                    {fig::gauge("rdb_last_load_keys_expired",
                                "Keys that the last load found expired."),
                     [](const Figures& f) { return f.p.figures_.expired; }},
                    {fig::gauge("rdb_last_load_keys_loaded", "Keys of the last load."),
                     [](const Figures& f) { return f.p.figures_.loaded; }},
                    {fig::gauge("aof_enabled", "1 while the append-only log is written."),
                     [](const Figures& f) { return f.p.log_.is_on(); }},
                    {fig::gauge("aof_rewrite_in_progress", "1 while a child writes a new base."),
                     [](const Figures& f) { return f.p.is_rewriting(); }},
                    {fig::gauge("aof_rewrite_scheduled",
                                "1 if a rewrite begins when the present child ends."),
                     [](const Figures& f) { return f.p.rewrite_scheduled_; }},
                    {fig::gauge("aof_last_rewrite_time_sec",
                                "Seconds that the last rewrite took, -1: none yet."),
                     [](const Figures& f) { return f.p.last_rewrite_seconds_; }},
                    {fig::gauge("aof_current_rewrite_time_sec",
                                "Seconds of the rewrite under way, -1: none is."),
                     [](const Figures& f) { return f.p.is_rewriting() ? f.child_seconds() : -1; }},
                    {fig::text("aof_last_bgrewrite_status", "ok or err."),
                     [](const Figures& f) { return status(f.p.last_rewrite_ok_); }},
                    {fig::counter("aof_rewrites", "Rewrites that succeeded."),
                     [](const Figures& f) { return f.p.rewrites_; }},
                    {fig::gauge("aof_rewrites_consecutive_failures",
                                "Rewrites that failed since one succeeded."),
                     [](const Figures& f) { return f.p.rewrite_failures_; }},
                    {fig::text("aof_last_write_status", "ok or err."),
                     [](const Figures& f) {
                       return status(f.p.log_.trouble() == aof::Log::Trouble::kNone);
                     }},
                    {fig::gauge("aof_last_cow_size", "Bytes copied during the last rewrite."),
                     [](const Figures& f) { return f.p.last_rewrite_copied_; }},
                    {fig::gauge("aof_current_size", "Bytes of the log's files."),
                     [](const Figures& f) {
                       return f.with_log([](const aof::Log& log) { return log.total_size(); });
                     }},
                    {fig::gauge("aof_base_size",
                                "Bytes of the log after the last rewrite or start."),
                     [](const Figures& f) {
                       return f.with_log([](const aof::Log& log) { return log.size_at_rewrite(); });
                     }},
                    {fig::gauge("aof_pending_rewrite", "The same as aof_rewrite_scheduled."),
                     [](const Figures& f) {
                       return f.with_log([&](const aof::Log&) { return f.p.rewrite_scheduled_; });
                     }},
                    {fig::gauge("aof_buffer_length", "Bytes that were not given to the disk yet."),
                     [](const Figures& f) {
                       return f.with_log([](const aof::Log& log) { return log.buffered(); });
                     }},
                    {fig::gauge("aof_pending_bio_fsync", "1 while a sync of the log is under way."),
                     [](const Figures& f) {
                       return f.with_log([](const aof::Log& log) { return log.sync_pending(); });
                     }},
                    {fig::counter("aof_delayed_fsync", "Writes that had to wait for a sync."),
                     [](const Figures& f) {
                       return f.with_log([](const aof::Log& log) { return log.delayed(); });
                     }},
                    {fig::constant("module_fork_in_progress", "Always 0: there are no modules."),
                     [](const Figures&) { return 0; }},
                    {fig::constant("module_fork_last_cow_size", "Always 0."),
                     [](const Figures&) { return 0; }},
                    {fig::gauge("loading_start_time",
                                "When the load began, in seconds since 1970."),
                     [](const Figures& f) {
                       return f.while_loading(
                           [](const LoadState& load) { return load.started.unix_seconds(); });
                     }},
                    {fig::gauge("loading_total_bytes", "Bytes to be loaded."),
                     [](const Figures& f) {
                       return f.while_loading(
                           [](const LoadState& load) { return load.total_bytes; });
                     }},
                    {fig::gauge("loading_rdb_used_mem", "Bytes of memory in use."),
                     [](const Figures& f) {
                       return f.while_loading(
                           [](const LoadState&) { return memory::used_bytes(); });
                     }},
                    {fig::gauge("loading_loaded_bytes", "Bytes that were loaded."),
                     [](const Figures& f) {
                       return f.while_loading(
                           [](const LoadState& load) { return load.loaded_bytes; });
                     }},
                    {fig::gauge("loading_loaded_perc", "Their share, in percent."),
                     [](const Figures& f) {
                       return f.while_loading([](const LoadState& load) {
                         return percentage(load.loaded_bytes, load.total_bytes);
                       });
                     }},
                    {fig::gauge("loading_eta_seconds",
                                "Seconds until the end, if it goes on like this."),
                     [](const Figures& f) {
                       return f.while_loading([&](const LoadState& load) -> std::int64_t {
                         if (load.loaded_bytes == 0) return 1;
                         const std::uint64_t left =
                             load.total_bytes - std::min(load.loaded_bytes, load.total_bytes);
                         const std::int64_t elapsed = (f.now - load.started).count() / 1000;
                         return elapsed * static_cast<std::int64_t>(left) /
                                static_cast<std::int64_t>(load.loaded_bytes);
                       });
                     }},
};

constexpr FigureRow<Persistence::Figures> Persistence::Figures::kForkRows[] = {
    {fig::gauge("latest_fork_usec", "Microseconds that the last fork took."),
     [](const Figures& f) { return f.p.ports_.children->last_fork_us(); }},
    {fig::counter("total_forks", "Children that were started."),
     [](const Figures& f) { return f.p.ports_.children->forks(); }},
};

void Persistence::write_figures(FigureView& view) {
  const Figures figures{*this, ports_.clock->unix_now()};
  show_rows<Figures>(Figures::kRows, &figures, view);
}

void Persistence::write_fork_figures(FigureView& view) {
  const Figures figures{*this, ports_.clock->unix_now()};
  show_rows<Figures>(Figures::kForkRows, &figures, view);
}

void Persistence::list_figures(FigureView& view) {
  show_rows<Figures>(Figures::kRows, nullptr, view);
  show_rows<Figures>(Figures::kForkRows, nullptr, view);
}

}  // namespace hearth
