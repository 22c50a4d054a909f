// ManualDisk: a DiskThread without a thread. Work is done at once, or, while it is held, a piece at
// a time when the test says so.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "persistence/aof/disk_thread.h"

namespace hearth::test {

class ManualDisk final : public aof::DiskThread {
 public:
  void run(std::function<void()> work, std::function<void()> done, Wake) override {
    jobs_.push_back({std::move(work), std::move(done)});
    if (!held_) step();
  }
  void poll() override {
    while (!through_.empty()) {
      const auto done = std::move(through_.front());
      through_.pop_front();
      done();
    }
  }
  void finish() override {
    while (!jobs_.empty() || !through_.empty()) {
      while (step()) {
      }
      poll();
    }
  }

  void hold(bool on) { held_ = on; }
  // Does the next piece of work; its end is told by poll(). False: there is none.
  bool step() {
    if (jobs_.empty()) return false;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job.work();
    through_.push_back(std::move(job.done));
    return true;
  }

 private:
  struct Job {
    std::function<void()> work, done;
  };
  bool held_ = false;
  std::deque<Job> jobs_;
  std::deque<std::function<void()>> through_;
};

}  // namespace hearth::test
