#include "tools/cache_warm/sink.h"

#include <poll.h>

namespace hearth::warm {

Result<void> NullSink::idle(milliseconds wait) {
  ::poll(nullptr, 0, static_cast<int>(wait.count()));
  return {};
}

Result<void> ClusterSink::idle(milliseconds wait) {
  client_.flush();
  return client_.turn(wait);
}

}  // namespace hearth::warm
