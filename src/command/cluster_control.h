// ClusterControl: the cluster as commands see it. Implemented by the composition root over the bus.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "cluster/model/admin.h"
#include "cluster/model/view.h"

namespace hearth {

class ClusterControl {
 public:
  virtual ~ClusterControl() = default;
  using Later = std::function<void(const cluster::AdminReply&)>;
  // Done in memory when it returns. The answer is due when what other nodes may rely on is on the
  // disk: nullopt if that takes a moment, and `later` is called then. Without `later` the answer
  // comes at once.
  [[nodiscard]] virtual std::optional<cluster::AdminReply> administer(cluster::AdminRequest request,
                                                                      Later later) = 0;
  // The view of this moment, with times and statistics; never null.
  [[nodiscard]] virtual cluster::ViewPtr view() = 0;
  [[nodiscard]] virtual std::vector<cluster::LinkInfo> links() = 0;

  // For DEBUG: disturbs the bus, so that tests see how it recovers.
  // type: the number of a message type, or what BusDisturbance names.
  virtual void drop_messages(int type) = 0;
  virtual void close_on_drop(bool on) = 0;
  // Cuts links with a node; false if there is no such node.
  virtual bool cut_links(const NodeId& node, cluster::LinkSide side) = 0;
};

}  // namespace hearth
