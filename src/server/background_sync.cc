#include "src/server/background_sync.h"

#include <csignal>
#include <utility>

#include "src/store/memory.h"

namespace hearth {

BackgroundSync::BackgroundSync() {
  // Signals are the main thread's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BackgroundSync::~BackgroundSync() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void BackgroundSync::start(std::shared_ptr<io::File> file, std::uint64_t up_to) {
  {
    const std::lock_guard lock(mutex_);
    file_ = std::move(file);
    up_to_ = up_to;
    busy_.store(true, std::memory_order_release);
  }
  wake_.notify_one();
}

std::string BackgroundSync::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void BackgroundSync::wait() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return !is_busy(); });
}

void BackgroundSync::run() {
  memory::register_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || file_ != nullptr; });
    if (file_ == nullptr) return;
    std::shared_ptr<io::File> file = std::exchange(file_, nullptr);
    const std::uint64_t up_to = up_to_;
    lock.unlock();
    const auto done = file->sync();
    file.reset();
    lock.lock();
    error_ = done ? std::string() : done.error().context;
    if (done) synced_.store(up_to, std::memory_order_release);
    busy_.store(false, std::memory_order_release);
    done_.notify_all();
  }
}

}  // namespace hearth
