// Rules for everything that nodes say, at every moment. A broken rule is recorded with the
// moment and the node; the tests fail on the first.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "cluster/model/message.h"
#include "cluster/model/view.h"

namespace hearth::sim {

class Checker {
 public:
  // A node is about to send; `durable` is what its disk holds now.
  void on_send(const cluster::Message& message, const cluster::View& durable, const NodeId& to,
               std::int64_t now_ms);
  // A node lets its clients see this.
  void on_view(const cluster::View& view, std::int64_t now_ms);
  // The node was reset to a new life by an administrator: its id counts as unseen.
  void forget(const NodeId& id);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Seen {
    Epoch current_epoch = 0;
    Epoch config_epoch = 0;
    Epoch vote_epoch = 0;
    NodeId voted_for;
    Epoch claimed_epoch = 0;
    cluster::SlotSet claimed;
  };
  void check_claims(Seen& seen, const cluster::MessageHeader& header, std::int64_t now_ms);
  void check_vote(Seen& seen, const cluster::Message& message, const cluster::View& durable,
                  const NodeId& to, std::int64_t now_ms);
  void violated(std::int64_t now_ms, const NodeId& node, std::string what);

  std::map<NodeId, Seen> seen_;
  // The nodes that claimed a slot with an epoch, ever.
  std::map<Epoch, std::map<Slot, NodeId>> owners_;
  // The nodes that served it, ever.
  std::map<Epoch, std::map<Slot, NodeId>> servers_;
  std::map<NodeId, std::pair<Epoch, cluster::SlotSet>> served_;  // last, by whom
  std::vector<std::string> violations_;
};

}  // namespace hearth::sim
