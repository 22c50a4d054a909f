// PersistenceControl: snapshots and the append-only log. Implemented by the composition root.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/base/result.h"
#include "src/base/time.h"
#include "src/command/outcome.h"

namespace hearth {

class FigureView;

class PersistenceControl {
 public:
  virtual ~PersistenceControl() = default;
  // SAVE: a snapshot now, on this thread.
  [[nodiscard]] virtual Outcome save() = 0;
  // BGSAVE; both return the line for the client.
  enum class WhenBusy : std::uint8_t { kRefuse, kSchedule };
  [[nodiscard]] virtual Result<std::string_view, ReplyError> save_in_background(WhenBusy busy) = 0;
  [[nodiscard]] virtual Result<std::string_view, ReplyError> cancel_background_save() = 0;
  // BGREWRITEAOF; returns the line for the client.
  [[nodiscard]] virtual Result<std::string_view, ReplyError> rewrite_log() = 0;
  // DEBUG RELOAD: saves, empties and loads the data set.
  struct Reload {
    bool save = true;
    bool flush = true;
    bool merge = false;  // keys of the file replace those that are there
  };
  [[nodiscard]] virtual Outcome reload(const Reload& how) = 0;
  // DEBUG LOADAOF.
  [[nodiscard]] virtual Outcome reload_log() = 0;
  // Seconds since 1970 of the last snapshot that succeeded.
  [[nodiscard]] virtual std::int64_t last_save() const = 0;
  [[nodiscard]] virtual bool is_loading() const = 0;
  // Why writes are refused now, as an error text; "" if they are not.
  [[nodiscard]] virtual std::string_view write_refusal() const = 0;
  // All databases were emptied: what is being saved or stands on the disk is of no use any more.
  virtual void flushed_all() = 0;
  // DEBUG AOF-FLUSH-SLEEP: every flush of the log takes this much longer.
  virtual void slow_down_log(microseconds by) = 0;
  // The figures of INFO persistence, and those of INFO stats about forks.
  virtual void write_figures(FigureView& view) = 0;
  virtual void write_fork_figures(FigureView& view) = 0;
};

}  // namespace hearth
