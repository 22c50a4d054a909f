// The rate at which a load leaves the servers' other clients in peace. Pure.
//
// PINGs are sent all the time, and one of them stands for a client's request. One in a hundred may
// be slow: that is the p99 that clients see. The fastest answer so far is what the way to the
// servers takes, so "slow" means slower than that by more than the limit. While a PING waits, the
// ones that could not be sent meanwhile count as slow too.
#pragma once

#include <cstdint>

#include "src/base/time.h"

namespace hearth::warm {

class Pacer {
 public:
  static constexpr double kFirstRate = 50'000;
  // Between two PINGs.
  static constexpr microseconds kPingEvery{5'000};

  // Without clients that could be disturbed a load begins without a limit.
  Pacer(milliseconds limit, bool has_clients)
      : limit_(limit), rate_(has_clients ? kFirstRate : 0) {}
  void note(microseconds ping);
  // Some ten times a second, with the rows that were sent so far. Returns the rate, in rows a
  // second; 0: no limit. Beside clients it begins low and doubles until PINGs get slow. From then
  // on it falls at once when too many of them are slow, and rises a little while none is; never
  // below a tenth of the fastest so far, since what does not get better there has other causes.
  double rate(MonoTime now, std::uint64_t rows);

 private:
  void slow_down(double speed);
  void speed_up(double speed);

  microseconds limit_;
  microseconds fastest_ping_ = microseconds::max();
  double budget_ = 1;   // of slow PINGs
  int good_pings_ = 0;  // since a slow one, or since the rate was changed
  double rate_;
  bool has_fallen_ = false;
  double fastest_ = 0;  // rows a second
  MonoTime looked_at_{};
  std::uint64_t rows_ = 0;
};

}  // namespace hearth::warm
