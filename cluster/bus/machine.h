// The cluster bus as a pure state machine: what happened goes in, what to do comes out. No socket,
// no disk, no clock, no global. cluster/link runs it on libuv, tests/sim on a simulated network.
//
// Protocol and its arguments: cluster/README.md. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cluster/bus/actions.h"
#include "cluster/bus/inputs.h"
#include "cluster/bus/settings.h"
#include "cluster/model/view.h"
#include "src/base/random.h"

namespace hearth::cluster {

namespace bus {
struct State;
}

class Machine {
 public:
  // saved: the parsed nodes.conf; nullopt starts a new node with a random id. The first step
  // persists the file; a new node says nothing before it is written.
  Machine(BusSettings settings, const std::optional<View>& saved, std::uint64_t seed, Now now);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // O(nodes) for a tick, O(entries) for a message, and O(slots) where slots change hands.
  [[nodiscard]] Actions step(const Input& input, Now now);

  // Ends a turn, which is any number of steps between which no reader looks at the view. Returns
  // the view to publish, or null: what decides where commands run is published at once, what else
  // changed (flags and links of other nodes, their slots) with the next tick, so that the arrival
  // of a thousand nodes is not a thousand views. O(nodes + slots) if it returns one.
  [[nodiscard]] ViewPtr end_turn(Now now);

  // A view of this moment, with the times and statistics that none is published for.
  // O(nodes + slots).
  [[nodiscard]] ViewPtr view(Now now) const;

  [[nodiscard]] const NodeId& id() const;

  // Counts saves: see Actions::reply_after_save.
  [[nodiscard]] std::uint64_t saved() const;
  [[nodiscard]] bool is_saved() const;
  // Something is not on the disk yet: what an orderly end still writes. Null: nothing.
  [[nodiscard]] ViewPtr unsaved(Now now) const;

  // The other end of the link is a member of the cluster: it has answered there, or identified
  // itself.
  [[nodiscard]] bool is_member(LinkId link) const;

  // A failover under way waits for the data: feed input::DataMoved at the end of loop turns.
  [[nodiscard]] bool watches_data() const;

  // Links whose other end is known, outgoing ones first for each node.
  struct LinkEnd {
    LinkId id = 0;
    bool inbound = false;
    NodeId node;
  };
  [[nodiscard]] std::vector<LinkEnd> links() const;

 private:
  std::unique_ptr<bus::State> state_;
};

}  // namespace hearth::cluster
