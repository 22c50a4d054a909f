// ClusterBus: joins the cluster's driver to this server: settings in, views and messages to the
// engine, commands' requests to the bus.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/link/driver.h"
#include "src/base/result.h"
#include "src/command/cluster_control.h"
#include "src/command/services.h"
#include "src/config/registry.h"

namespace hearth {

class Engine;

class ClusterBus final : public ClusterControl, public PublishRelay {
 public:
  struct Options {
    uv_loop_t* loop = nullptr;
    config::Registry* config = nullptr;
    const Clock* clock = nullptr;
    io::FileSystem* disk = nullptr;
    std::uint64_t seed = 0;
    // Runs before the bus changes data or writes to clients: brings the engine's time up to date.
    std::function<void()> before_change;
  };
  explicit ClusterBus(Options options) : options_(std::move(options)) {}

  // Opens the bus; the engine has a view when it returns. Errors: see cluster::Driver::start.
  [[nodiscard]] Result<void> start(Engine& engine);
  void stop() { driver_.reset(); }
  // The data set is there: keys of slots that are others' go, and the node may serve from now on.
  void data_loaded();

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
  void drop_keys(const cluster::SlotSet& slots);
  [[nodiscard]] std::uint64_t remove_keys(const cluster::SlotSet& slots);
  void deliver(const std::string& channel, const std::string& message, bool shard);

  Options options_;
  Engine* engine_ = nullptr;
  cluster::BusDisturbance disturbance_;
  bool loading_ = true;
  cluster::SlotSet lost_while_loading_;
  std::unique_ptr<cluster::Driver> driver_;  // null: not started, or stopped
};

}  // namespace hearth
