#include "src/server/background_disk.h"

#include <csignal>
#include <utility>

#include "src/store/memory.h"

namespace hearth {

BackgroundDisk::BackgroundDisk(std::function<void()> wake) : wake_(std::move(wake)) {
  // Signals are the main thread's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BackgroundDisk::~BackgroundDisk() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  given_.notify_one();
  thread_.join();
}

void BackgroundDisk::run(std::function<void()> work, std::function<void()> done, Wake wake) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(work), std::move(done), wake});
    ++outstanding_;
  }
  given_.notify_one();
}

void BackgroundDisk::poll() {
  if (!has_through_.load(std::memory_order_acquire)) return;
  std::deque<std::function<void()>> through;
  {
    const std::lock_guard lock(mutex_);
    through.swap(through_);
    has_through_.store(false, std::memory_order_relaxed);
  }
  for (const auto& done : through) done();
}

void BackgroundDisk::finish() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      completed_.wait(lock, [this] { return outstanding_ == 0; });
      if (through_.empty()) return;
    }
    poll();
  }
}

void BackgroundDisk::serve() {
  memory::register_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.work();
    job.work = nullptr;  // what it held is freed here
    lock.lock();
    through_.push_back(std::move(job.done));
    has_through_.store(true, std::memory_order_release);
    if (job.wake == Wake::kYes) {
      lock.unlock();
      wake_();
      lock.lock();
    }
    // Last: once finish() returns nothing is woken any more.
    --outstanding_;
    completed_.notify_all();
  }
}

}  // namespace hearth
