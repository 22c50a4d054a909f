// Schedules of faults for whole clusters: made from a seed, played, and made smaller while they
// still fail.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/whole/trial.h"

namespace hearth::sim {

struct Fault {
  enum class Kind : std::uint8_t {
    kCrash,
    kStart,
    kSplit,  // amount: the bits of the nodes of one side
    kCut,    // what `node` sends does not come to `other`
    kHeal,
    kPause,     // amount: milliseconds
    kFailover,  // by hand, if the node is a replica
    kDrift,     // amount: thousandths that its clocks run faster
    kJump,      // amount: milliseconds that its wall clock jumps
    kSlowDisk,  // amount: 0 ends it
    kFullDisk,  // amount: 0 ends it
    kMove,      // of `amount` slots, to `other`
    kAddress,   // it ends and starts again elsewhere; amount: the last number of the address
  };
  Kind kind{};
  int node = 0;
  int other = 0;
  std::int64_t amount = 0;
  std::int64_t then_ms = 0;  // that pass before the next one

  [[nodiscard]] std::string str() const;
};
using Schedule = std::vector<Fault>;

[[nodiscard]] Schedule random_schedule(std::uint64_t seed, int faults, int nodes);
// The failures, a line each; empty: there is none.
[[nodiscard]] std::string play(std::uint64_t seed, const TrialOptions& options,
                               const Schedule& schedule);
// The schedule that is left when everything is taken away without which it fails too; it is tried
// up to `most` times.
[[nodiscard]] Schedule shrunk(Schedule schedule, const std::function<bool(const Schedule&)>& fails,
                              int most);
// Plays it; if it fails, what goes wrong with the shrunk schedule, which is told as well.
[[nodiscard]] std::string played_and_told(std::uint64_t seed, const TrialOptions& options,
                                          const Schedule& schedule);

}  // namespace hearth::sim
