#include "src/server/sidecar_policy.h"

#include <algorithm>

namespace hearth {
namespace {

constexpr seconds kPauseFirst{1};
constexpr seconds kPauseLongest{60};

// Exit codes of cache-warm.
constexpr std::int64_t kAllStored = 0;
constexpr std::int64_t kSomeBad = 1;
constexpr std::int64_t kWrongMapping = 2;
constexpr std::int64_t kTooManyBad = 5;
constexpr std::int64_t kKeysEvicted = 6;

}  // namespace

void SidecarPolicy::started(MonoTime now) {
  state_ = State::kRunning;
  started_ = now;
  ++runs_;
}

void SidecarPolicy::ended(std::int64_t exit_code, int signal, MonoTime now) {
  if (state_ != State::kRunning) return;
  if (now - started_ > kPauseLongest) pause_ = seconds{0};
  if (signal != 0) return wait(now);
  switch (exit_code) {
    case kAllStored:
    case kSomeBad: state_ = State::kDone; return;
    case kWrongMapping:
    case kTooManyBad:
    case kKeysEvicted: state_ = State::kFailed; return;
    default: return wait(now);
  }
}

void SidecarPolicy::wait(MonoTime now) {
  state_ = State::kWaiting;
  pause_ = std::clamp(2 * pause_, kPauseFirst, kPauseLongest);
  due_ = now + pause_;
}

std::string_view SidecarPolicy::state_name() const {
  switch (state_) {
    case State::kWaiting: return "waiting";
    case State::kRunning: return "running";
    case State::kDone: return "done";
    case State::kFailed: break;
  }
  return "failed";
}

}  // namespace hearth
