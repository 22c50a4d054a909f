#include "tools/client/breaker.h"

#include <algorithm>

namespace hearth::client {
namespace {

constexpr std::uint32_t kDoublingsMost = 20;

}  // namespace

bool Breaker::admits(MonoTime now) {
  if (state_ == State::kClosed) return true;
  if (state_ == State::kHalfOpen || now < retry_at_) return false;
  state_ = State::kHalfOpen;
  return true;
}

void Breaker::succeed() {
  state_ = State::kClosed;
  failures_ = 0;
}

void Breaker::fail(MonoTime now, Rng& rng) {
  if (state_ == State::kOpen) return;
  const std::int64_t most = pauses_.longest.count();
  const std::int64_t full =
      std::min(most, pauses_.first.count() << std::min(failures_, kDoublingsMost));
  ++failures_;
  state_ = State::kOpen;
  const auto half = static_cast<std::uint64_t>(full / 2 + 1);
  retry_at_ = now + milliseconds{full / 2 + static_cast<std::int64_t>(rng.below(half))};
}

}  // namespace hearth::client
