#include "src/server/background_reclaimer.h"

#include <csignal>
#include <utility>

#include "src/store/memory.h"

namespace hearth {

BackgroundReclaimer::BackgroundReclaimer() {
  // Signals are the main thread's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BackgroundReclaimer::~BackgroundReclaimer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void BackgroundReclaimer::reclaim(Garbage garbage) {
  pending_.fetch_add(garbage.object_count(), std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(garbage));
  }
  wake_.notify_one();
}

void BackgroundReclaimer::run() {
  memory::register_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Garbage garbage = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const std::uint64_t count = garbage.object_count();
    { const Garbage dying = std::move(garbage); }
    pending_.fetch_sub(count, std::memory_order_relaxed);
    freed_.fetch_add(count, std::memory_order_relaxed);
    lock.lock();
  }
}

}  // namespace hearth
