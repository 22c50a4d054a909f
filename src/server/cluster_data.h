// ClusterData: what the bus decides, done to the data set and its clients: whose stream the data
// follows, which keys go, who is sent elsewhere. It decides nothing itself.
//
// While the data set is loaded, orders are remembered and done afterwards.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cluster/bus/actions.h"
#include "cluster/bus/inputs.h"
#include "cluster/model/view.h"
#include "src/engine/engine.h"
#include "src/server/follower.h"
#include "src/server/replication.h"
#include "src/server/slot_drops.h"

namespace hearth {

class ClusterData {
 public:
  struct Parts {
    Engine* engine = nullptr;
    Replication* replication = nullptr;
    Follower* follower = nullptr;
    // Runs before data is changed or clients are written to: brings the engine's time up to date.
    std::function<void()> before_change;
  };
  explicit ClusterData(Parts parts) : parts_(std::move(parts)), drops_(*parts_.engine) {}

  // Where the data stands, for the bus to judge by.
  [[nodiscard]] cluster::DataState state() const;
  // The data set is there, and `view` is what the bus knows: keys of slots that are others' go.
  void loaded(const cluster::View& view);

  void show(cluster::ViewPtr view);
  void follow(const cluster::action::Follow& action);
  void lead();
  void hold_writes(bool on);
  // They are hidden at once, and removed by and by: by SlotMoves, or step_drops().
  void drop_keys(const cluster::SlotSet& slots);
  void step_drops(std::uint64_t most) { drops_.step(most); }
  [[nodiscard]] SlotDrops& drops() { return drops_; }
  void deliver(const std::string& channel, const std::string& message, bool shard);

 private:
  void settle_slots(const cluster::View& view);
  void hide_others(const cluster::SlotSet& slots);

  Parts parts_;
  SlotDrops drops_;
  cluster::SlotSet hidden_;  // a replica's: slots that are not of its primary
  bool loading_ = true;
  cluster::SlotSet lost_while_loading_;
  std::optional<cluster::action::Follow> follow_after_load_;
  bool was_demoted_ = false;  // with the view that comes next
};

}  // namespace hearth
