// Expiry: removes keys that are past their deadline in the background, within a share of each tick.
//
// On a replica the primary does that. What the replica's own clients store with a deadline, where
// it takes writes, no primary ends: those deadlines are remembered here, one for each key.
#pragma once

#include <vector>

#include "src/command/expiry_control.h"
#include "src/engine/core.h"
#include "src/engine/own_deadlines.h"

namespace hearth {

class Expiry final : public ExpiryControl, public EffectSink {
 public:
  Expiry(EngineCore& core, Executor& executor) : core_(core), executor_(executor) {}

  // ExpiryControl
  void set_active(bool on) override { is_active_ = on; }

  // EffectSink: notes deadlines that clients of a replica set.
  void on_commit(const CommittedUnit& unit) override;
  void forget_own() { own_.clear(); }
  [[nodiscard]] std::size_t own_count() const { return own_.size(); }

  // One tick of `tick_rate` a second.
  void run_cycle(int tick_rate);

 private:
  struct Totals {
    std::uint64_t sampled = 0, expired = 0;
  };
  void expire_own();
  void commit();
  bool expire_database(DbIndex index, std::uint64_t stale_percent, std::uint64_t end,
                       Totals& totals);

  EngineCore& core_;
  Executor& executor_;
  bool is_active_ = true;
  OwnDeadlines own_;
  std::vector<const Entry*> due_;
};

}  // namespace hearth
