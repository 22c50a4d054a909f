// Threads that work while the calling thread ticks.
#pragma once

#include <functional>

#include "src/base/time.h"

namespace hearth::warm {

// Runs `work(0)` .. `work(count - 1)`, a thread each, and calls `tick` on this thread, at once and
// then every `every`, until all have returned.
void run_crew(int count, const std::function<void(int)>& work, const std::function<void()>& tick,
              milliseconds every);

}  // namespace hearth::warm
