#include "tools/cache_warm/crew.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth::warm {

void run_crew(int count, const std::function<void(int)>& work, const std::function<void()>& tick,
              milliseconds every) {
  std::mutex mutex;
  std::condition_variable changed;
  int at_work = count;
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      work(i);
      const std::scoped_lock lock(mutex);
      --at_work;
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  while (at_work > 0) {
    lock.unlock();
    tick();
    lock.lock();
    changed.wait_for(lock, every, [&] { return at_work == 0; });
  }
}

}  // namespace hearth::warm
