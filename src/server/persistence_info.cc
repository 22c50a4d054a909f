// INFO persistence.
#include <algorithm>

#include "src/base/bytes.h"
#include "src/server/persistence.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

std::string_view status(bool ok) { return ok ? "ok" : "err"; }

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void Persistence::write_info(InfoWriter& out) {
  const UnixMillis now = ports_.clock->unix_now();
  const std::int64_t child_seconds = (now - child_started_).count() / 1000;
  const bool reported = has_child() && progress_at_ >= child_started_;
  out.field("loading", is_loading() ? 1 : 0);
  out.field("async_loading", 0);
  out.field("current_cow_peak", as_signed(peak_copied_));
  out.field("current_cow_size", as_signed(progress_.copied_bytes));
  out.field("current_cow_size_age", reported ? (now - progress_at_).count() / 1000 : 0);
  out.fixed("current_fork_perc", percent(progress_.keys, child_keys_total_));
  out.field("current_save_keys_processed", as_signed(progress_.keys));
  out.field("current_save_keys_total", has_child() ? as_signed(child_keys_total_) : 0);
  out.field("rdb_changes_since_last_save", as_signed(changes() - saved_changes_));
  const bool saving = child_ == Child::kSave || child_ == Child::kSync;
  out.field("rdb_bgsave_in_progress", saving ? 1 : 0);
  out.field("rdb_last_save_time", last_save_.unix_seconds());
  out.field("rdb_last_bgsave_status", status(last_save_ok_));
  out.field("rdb_last_bgsave_time_sec", last_save_seconds_);
  out.field("rdb_current_bgsave_time_sec", saving ? child_seconds : -1);
  out.field("rdb_saves", as_signed(saves_));
  out.field("rdb_last_cow_size", as_signed(last_save_copied_));
  out.field("rdb_last_load_keys_expired", as_signed(figures_.expired));
  out.field("rdb_last_load_keys_loaded", as_signed(figures_.loaded));
  write_log_info(out);
  out.field("module_fork_in_progress", 0);
  out.field("module_fork_last_cow_size", 0);
  if (!load_) return;
  const std::int64_t elapsed = (now - load_->started).count() / 1000;
  const std::uint64_t left = load_->total_bytes - std::min(load_->loaded_bytes, load_->total_bytes);
  out.field("loading_start_time", load_->started.unix_seconds());
  out.field("loading_total_bytes", as_signed(load_->total_bytes));
  out.field("loading_rdb_used_mem", as_signed(memory::used_bytes()));
  out.field("loading_loaded_bytes", as_signed(load_->loaded_bytes));
  out.fixed("loading_loaded_perc", percent(load_->loaded_bytes, load_->total_bytes));
  out.field(
      "loading_eta_seconds",
      load_->loaded_bytes == 0
          ? 1
          : elapsed * as_signed(left) / std::max<std::int64_t>(1, as_signed(load_->loaded_bytes)));
}

void Persistence::write_fork_info(InfoWriter& out) {
  out.field("latest_fork_usec", ports_.children->last_fork_us());
  out.field("total_forks", as_signed(ports_.children->forks()));
}

}  // namespace hearth
