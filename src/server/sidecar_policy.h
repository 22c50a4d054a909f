// SidecarPolicy: decides when the loader that the server runs is started, and started again. A
// state machine without processes and clocks.
//
//   waiting -> running -> done      it has loaded what it could
//      ^          |   \-> failed    starting it again would change nothing
//      +----------+                 a database or a node was away: again after a pause
//
// A pause is 1 s, doubled each time up to a minute; after a run of more than a minute it is 1 s
// again. There is no last attempt: a database that is away for a night is there in the morning.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/base/time.h"

namespace hearth {

class SidecarPolicy {
 public:
  enum class State : std::uint8_t { kWaiting, kRunning, kDone, kFailed };

  explicit SidecarPolicy(MonoTime now) : due_(now) {}

  [[nodiscard]] bool is_due(MonoTime now) const { return state_ == State::kWaiting && now >= due_; }
  void started(MonoTime now);
  // The process could not be made.
  void not_started(MonoTime now) { wait(now); }
  // signal: which ended it; 0: it ended itself. The codes are cache-warm's.
  void ended(std::int64_t exit_code, int signal, MonoTime now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::string_view state_name() const;
  [[nodiscard]] std::uint64_t runs() const { return runs_; }
  // Until the next start, while it waits.
  [[nodiscard]] seconds pause() const { return pause_; }

 private:
  void wait(MonoTime now);

  State state_ = State::kWaiting;
  MonoTime due_;
  MonoTime started_{};
  seconds pause_{0};
  std::uint64_t runs_ = 0;
};

}  // namespace hearth
