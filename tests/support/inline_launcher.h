// InlineLauncher: a ChildLauncher without processes.
#pragma once

#include <cstdint>
#include <utility>

#include "src/server/child_launcher.h"

namespace hearth::test {

// Runs the job at once; its end is told when the test says so.
class InlineLauncher final : public ChildLauncher {
 public:
  Result<int> start(Job job) override {
    if (refuses) return fail(ErrorCode::kIo, "no child today");
    job_ = std::move(job);
    running_ = true;
    stopped_ = false;
    ++forks_;
    const auto done = job_.run(kPid, [](std::uint64_t) {});
    outcome_ = {};
    outcome_.succeeded = static_cast<bool>(done);
    if (!done) outcome_.error = done.error().context;
    return kPid;
  }
  void stop() override {
    stopped_ = true;
    finish();
  }
  void stop_and_forget() override { running_ = false; }
  bool is_running() const override { return running_; }
  std::int64_t last_fork_us() const override { return fork_us; }
  std::uint64_t forks() const override { return forks_; }

  void finish() {
    if (!running_) return;
    running_ = false;
    outcome_.stopped_by_us = stopped_;
    if (stopped_) outcome_.succeeded = false;
    const Job job = std::move(job_);
    job.on_end(outcome_);
  }
  void report(const ChildProgress& progress) {
    outcome_.last = progress;
    job_.on_progress(progress);
  }
  void fail_job() { outcome_.succeeded = false; }
  bool refuses = false;
  std::int64_t fork_us = 0;

 private:
  static constexpr int kPid = 77;
  Job job_;
  ChildOutcome outcome_;
  bool running_ = false, stopped_ = false;
  std::uint64_t forks_ = 0;
};

}  // namespace hearth::test
