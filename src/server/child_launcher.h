// The port to fork: runs a job on a copy of the process, while the process itself goes on.
//
// One child at a time. The child touches no lock, no logger and no loop; it reports by a pipe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace hearth {

struct ChildProgress {
  std::uint64_t keys = 0;          // written so far
  std::uint64_t copied_bytes = 0;  // memory that is no longer shared with the parent
};

struct ChildOutcome {
  bool succeeded = false;
  bool stopped_by_us = false;  // the parent had it ended
  int signal = 0;              // that ended it, else 0
  std::string error;           // what the job said
  ChildProgress last;
};

class ChildLauncher {
 public:
  virtual ~ChildLauncher() = default;

  // For the job to call after each key.
  using Report = std::function<void(std::uint64_t keys)>;
  enum class Kind : unsigned char { kSnapshot, kLogRewrite };
  struct Job {
    Kind kind = Kind::kSnapshot;
    std::function<Result<void>(int pid, const Report&)> run;  // in the child
    int keep_fd = -1;  // a descriptor that the child needs; all others are closed
    std::function<void(const ChildProgress&)> on_progress;
    std::function<void(const ChildOutcome&)> on_end;  // never from inside start()
  };
  // Returns the child's process id.
  [[nodiscard]] virtual Result<int> start(Job job) = 0;
  // Ends the child; its on_end is called as for any other end.
  virtual void stop() = 0;
  // The same, and waits for it: no callback follows. For the end of the process.
  virtual void stop_and_forget() = 0;
  [[nodiscard]] virtual bool is_running() const = 0;
  // Microseconds that the last fork took, and forks in all.
  [[nodiscard]] virtual std::int64_t last_fork_us() const = 0;
  [[nodiscard]] virtual std::uint64_t forks() const = 0;
};

}  // namespace hearth
