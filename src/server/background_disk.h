// aof::DiskThread by a thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "persistence/aof/disk_thread.h"

namespace hearth {

class BackgroundDisk final : public aof::DiskThread {
 public:
  // `wake` is called on that thread after work that somebody waits for: poll() has something to do.
  explicit BackgroundDisk(std::function<void()> wake);
  ~BackgroundDisk() override;  // does what it was given; calls no `done`

  void run(std::function<void()> work, std::function<void()> done, Wake wake) override;
  void poll() override;
  void finish() override;
  [[nodiscard]] pthread_t thread() { return thread_.native_handle(); }

 private:
  struct Job {
    std::function<void()> work, done;
    Wake wake = Wake::kNo;
  };
  void serve();

  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable given_, completed_;
  std::deque<Job> jobs_;
  std::deque<std::function<void()>> through_;
  std::size_t outstanding_ = 0;           // given, and not yet in through_
  std::atomic<bool> has_through_{false};  // so that poll() mostly costs a load
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace hearth
