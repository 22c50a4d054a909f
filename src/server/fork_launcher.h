// ChildLauncher by fork(2), on the loop of the server.
#pragma once

#include <uv.h>

#include <functional>
#include <string>
#include <utility>

#include "src/base/time.h"
#include "src/server/child_launcher.h"

namespace hearth {

class ForkLauncher final : public ChildLauncher {
 public:
  ForkLauncher(uv_loop_t* loop, const Clock& clock) : loop_(loop), clock_(clock) {}
  ForkLauncher(const ForkLauncher&) = delete;
  ForkLauncher& operator=(const ForkLauncher&) = delete;
  ~ForkLauncher() override = default;

  // Once the loop exists; close() gives the handles back.
  void open();
  void close();
  // Runs first in every child.
  void set_child_hook(std::function<void(Kind)> hook) { child_hook_ = std::move(hook); }

  // --- ChildLauncher ---
  [[nodiscard]] Result<int> start(Job job) override;
  void stop() override;
  void stop_and_forget() override;
  [[nodiscard]] bool is_running() const override { return pid_ > 0; }
  [[nodiscard]] std::int64_t last_fork_us() const override { return last_fork_us_; }
  [[nodiscard]] std::uint64_t forks() const override { return forks_; }

 private:
  [[noreturn]] static void run_child(const Job& job, int pipe_fd, const Clock& clock);
  void read_reports();
  void reap();
  void finish(int status);
  void close_pipe();

  uv_loop_t* loop_;
  std::function<void(Kind)> child_hook_;
  const Clock& clock_;
  uv_signal_t sigchld_{};
  uv_poll_t* poll_ = nullptr;
  int pipe_ = -1;
  int pid_ = 0;
  bool stopped_ = false;
  Job job_;
  std::string received_;  // reports that are not complete yet
  ChildProgress progress_;
  std::string error_;
  std::int64_t last_fork_us_ = 0;
  std::uint64_t forks_ = 0;
};

}  // namespace hearth
