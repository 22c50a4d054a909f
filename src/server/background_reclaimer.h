// Frees large values on a thread of its own, so that UNLINK and FLUSHALL ASYNC return at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "src/command/reclaimer.h"
#include "src/store/keyspace.h"

namespace hearth {

class BackgroundReclaimer final : public Reclaimer {
 public:
  BackgroundReclaimer();
  ~BackgroundReclaimer() override;  // waits until all is freed

  void reclaim(Garbage garbage) override;
  [[nodiscard]] std::uint64_t pending_objects() const override {
    return pending_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t freed_objects() const override {
    return freed_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] pthread_t thread() { return thread_.native_handle(); }
  void reset_freed() override { freed_.store(0, std::memory_order_relaxed); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Garbage> queue_;
  bool ending_ = false;
  std::atomic<std::uint64_t> pending_{0};
  std::atomic<std::uint64_t> freed_{0};
  std::thread thread_;
};

}  // namespace hearth
