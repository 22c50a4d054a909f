#include "tools/cache_warm/pacer.h"

#include <algorithm>
#include <utility>

namespace hearth::warm {
namespace {

constexpr double kSlowShare = 0.01;
constexpr double kBudgetMost = 2;
constexpr int kGoodPings = 60;
constexpr int kGoodPingsFirst = 10;
constexpr double kSlower = 0.7;
constexpr double kFaster = 1.1;
constexpr double kFasterFirst = 2;
constexpr double kLeastShare = 0.1;
constexpr double kLeastRate = 200;
// A limit so far above what is sent limits nothing.
constexpr double kNoLimit = 3;

}  // namespace

void Pacer::note(microseconds ping) {
  fastest_ping_ = std::min(fastest_ping_, ping);
  const microseconds extra = ping - fastest_ping_;
  budget_ = std::min(budget_ + kSlowShare, kBudgetMost);
  if (extra <= limit_) {
    ++good_pings_;
    return;
  }
  good_pings_ = 0;
  budget_ -= 1 + static_cast<double>((extra - limit_) / kPingEvery);
}

double Pacer::rate(MonoTime now, std::uint64_t rows) {
  const MonoTime before = std::exchange(looked_at_, now);
  const std::uint64_t rows_before = std::exchange(rows_, rows);
  if (before == MonoTime{} || now <= before) return rate_;
  const double seconds = static_cast<double>((now - before).count()) / 1e6;
  const double speed = static_cast<double>(rows - std::min(rows, rows_before)) / seconds;
  fastest_ = std::max(fastest_, speed);
  if (budget_ < 0) {
    slow_down(speed);
  } else if (rate_ > 0 && good_pings_ >= (has_fallen_ ? kGoodPings : kGoodPingsFirst)) {
    speed_up(speed);
  }
  return rate_;
}

void Pacer::slow_down(double speed) {
  const double now = rate_ > 0 ? std::min(rate_, speed) : speed;
  rate_ = std::max({now * kSlower, fastest_ * kLeastShare, kLeastRate});
  budget_ = 0;
  good_pings_ = 0;
  has_fallen_ = true;
}

void Pacer::speed_up(double speed) {
  rate_ *= has_fallen_ ? kFaster : kFasterFirst;
  good_pings_ = 0;
  if (rate_ > std::max(kLeastRate, speed) * kNoLimit) rate_ = 0;
}

}  // namespace hearth::warm
