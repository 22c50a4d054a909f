// aof::Syncer on a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "persistence/aof/append_log.h"

namespace hearth {

class BackgroundSync final : public aof::Syncer {
 public:
  BackgroundSync();
  ~BackgroundSync() override;  // waits for what is under way

  void start(std::shared_ptr<io::File> file, std::uint64_t up_to) override;
  [[nodiscard]] bool is_busy() const override { return busy_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t synced() const override {
    return synced_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::string error() const override;
  void wait() override;
  [[nodiscard]] pthread_t thread() { return thread_.native_handle(); }

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::shared_ptr<io::File> file_;
  std::uint64_t up_to_ = 0;
  std::string error_;
  bool ending_ = false;
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> synced_{0};
  std::thread thread_;
};

}  // namespace hearth
