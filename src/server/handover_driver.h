// HandoverDriver: what surrounds replication::Handover, which decides: the replicas of this server,
// its clients' writes, and whom it follows.
#pragma once

#include <optional>
#include <string_view>

#include "src/command/handover_control.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/replication/handover.h"
#include "src/server/follower.h"
#include "src/server/replication.h"

namespace hearth {

class HandoverDriver final : public HandoverControl {
 public:
  struct Parts {
    Engine* engine = nullptr;
    Replication* replication = nullptr;
    Follower* follower = nullptr;
    config::Registry* config = nullptr;
  };
  explicit HandoverDriver(const Parts& parts) : parts_(parts) {}

  // At the end of a loop turn.
  void end_turn();
  [[nodiscard]] bool is_under_way() const {
    return handover_.state() != replication::Handover::State::kNone;
  }

  // --- HandoverControl ---
  [[nodiscard]] Outcome begin(const Order& order) override;
  [[nodiscard]] bool abort() override;
  [[nodiscard]] std::string_view state() const override;

 private:
  void perform(const replication::Handover::Actions& actions);

  Parts parts_;
  replication::Handover handover_;
};

}  // namespace hearth
