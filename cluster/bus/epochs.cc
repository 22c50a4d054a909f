// Epochs. current_epoch is the greatest epoch a node ever saw; config_epoch orders slot claims and
// must differ between primaries.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {

Epoch greatest_epoch(const State& s) {
  Epoch greatest = s.current_epoch;
  for (const auto& [id, node] : s.nodes) greatest = std::max(greatest, node.config_epoch);
  return greatest;
}

bool bump_my_epoch(State& s) {
  const Epoch greatest = greatest_epoch(s);
  if (s.myself->config_epoch != 0 && s.myself->config_epoch == greatest) return false;
  s.current_epoch = greatest + 1;
  s.myself->config_epoch = s.current_epoch;
  s.must_save();
  s.note(log::Level::kNotice, fmt::format("New configEpoch set to {}", s.current_epoch));
  return true;
}

// Two primaries may meet with equal epochs after a split or right after they were started; the one
// with the smaller id moves to a new epoch, so that exactly one of them moves and no third message
// is needed.
void resolve_epoch_collision(State& s, const Node& sender) {
  if (!sender.is_primary() || !s.myself->is_primary()) return;
  if (sender.config_epoch != s.myself->config_epoch) return;
  if (sender.id < s.myself->id) return;
  // Nodes that form a cluster get their epochs from the plan.
  if (is_forming(s)) return;
  s.current_epoch = greatest_epoch(s) + 1;
  s.myself->config_epoch = s.current_epoch;
  s.must_save();
  s.note(log::Level::kVerbose,
         fmt::format("WARNING: configEpoch collision with node {}. configEpoch set to {}",
                     named(sender), s.current_epoch));
}

}  // namespace hearth::cluster::bus
