// ClusterBus: joins the cluster's driver to this server: settings in, what it decides to
// the data, commands' requests to the bus.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/link/driver.h"
#include "src/base/result.h"
#include "src/command/cluster_control.h"
#include "src/command/publish_relay.h"
#include "src/config/registry.h"
#include "src/server/cluster_data.h"

namespace hearth {

class ClusterBus final : public ClusterControl, public PublishRelay {
 public:
  struct Options {
    uv_loop_t* loop = nullptr;
    config::Registry* config = nullptr;
    const Clock* clock = nullptr;
    io::FileSystem* disk = nullptr;
    std::uint64_t seed = 0;
  };
  explicit ClusterBus(Options options) : options_(options) {}

  // Opens the bus; the engine has a view when it returns. Errors: see cluster::Driver::start.
  [[nodiscard]] Result<void> start(ClusterData::Parts parts);
  void stop() { driver_.reset(); }
  // The data set is there: keys of slots that are others' go, and the node may serve from now on.
  void data_loaded();
  // At the end of a loop turn.
  void end_turn() {
    if (driver_ != nullptr) driver_->note_data_moved();
  }
  // Nothing ran for a while: the bus judges what that means before a client is served.
  void woke() {
    if (driver_ != nullptr) driver_->tick();
  }
  [[nodiscard]] cluster::ViewPtr published() const { return driver_->published(); }
  [[nodiscard]] SlotDrops& drops() { return data_->drops(); }
  [[nodiscard]] bool is_replica() const { return driver_->published()->me().is_replica(); }

  // --- ClusterControl ---
  [[nodiscard]] std::optional<cluster::AdminReply> administer(cluster::AdminRequest request,
                                                              Later later) override;
  [[nodiscard]] cluster::ViewPtr view() override { return driver_->view(); }
  [[nodiscard]] std::vector<cluster::LinkInfo> links() override { return driver_->links(); }

  void drop_messages(int type) override;
  void close_on_drop(bool on) override;
  bool cut_links(const NodeId& node, cluster::LinkSide side) override {
    return driver_->cut_links(node, side);
  }

  // --- PublishRelay ---
  void publish(std::string_view channel, std::string_view payload, bool shard) override;

 private:
  void follow_settings();

  Options options_;
  std::optional<ClusterData> data_;  // since the start
  cluster::BusDisturbance disturbance_;
  std::unique_ptr<cluster::Driver> driver_;  // null: not started, or stopped
};

}  // namespace hearth
