// The cluster bus on libuv: sockets, timers and nodes.conf around a bus::Machine.
//
// Everything happens on the thread of the loop, but for writing nodes.conf, which has one of the
// loop's worker threads: a slow disk delays votes and answers to administrators, not clients.
// Callbacks are called from inside the loop, or from
// inside admin() and change_settings(); they must not call the driver back.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/bus/actions.h"
#include "cluster/bus/inputs.h"
#include "cluster/bus/settings.h"
#include "cluster/model/admin.h"
#include "cluster/model/view.h"
#include "persistence/io/file_system.h"
#include "src/base/result.h"
#include "src/base/time.h"

namespace hearth::cluster {

struct DriverOptions {
  BusSettings settings;
  io::FileSystem* disk = nullptr;  // outlives the driver, and the loop's pending work
  std::string nodes_path = "nodes.conf";
  // Addresses to listen on; none: every address. A leading '-' makes a failure to bind one of no
  // consequence, as in the `bind` directive.
  std::vector<std::string> bind;
  std::uint16_t listen_port = 0;
  std::uint32_t listen_mark = 0;      // SO_MARK of what listens; 0: none
  std::string source_address;         // of outgoing links; empty: the system chooses
  bool loading = false;               // until set_loading(false)
  std::uint64_t seed = 0;             // of all randomness: ids, gossip
  std::size_t link_buffer_limit = 0;  // bytes unsent on a link before it is closed; 0: no limit
  const Clock* clock = nullptr;       // outlives the driver

  std::function<DataState()> data;  // where the data stands now; asked for at every step
  std::function<void(ViewPtr)> on_view;
  // The primary that the data follows from now on, or nobody.
  std::function<void(const action::Follow&)> on_follow;
  std::function<void()> on_lead;
  std::function<void(bool on)> on_hold_writes;
  std::function<void(const SlotSet&)> on_drop_keys;
  std::function<void(const std::string& channel, const std::string& message, bool sharded)>
      on_deliver;
};

class Driver {
 public:
  // Locks and reads nodes.conf, listens, starts the timer. The first view is published before
  // start returns. Errors: kBusy (nodes.conf in use), kCorrupt (nodes.conf), kIo (disk, sockets);
  // the context is ready to be shown.
  static Result<std::unique_ptr<Driver>> start(uv_loop_t* loop, DriverOptions options);
  // Closes everything; the handles go with the next turn of the loop.
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  using Later = std::function<void(const AdminReply&)>;
  // Done in memory when it returns. The answer is due when what peers may rely on is on the disk,
  // and a failure to write is an error: nullopt if that takes a moment and `later` is called then.
  // Without `later` the answer comes at once. `later` is not called once the driver is gone.
  [[nodiscard]] std::optional<AdminReply> admin(AdminRequest request, Later later);
  // While the data set is loaded the node takes part in the cluster, but does not serve.
  void set_loading(bool loading);
  // Beside the ticks of its own timer: time has passed in which that could not run.
  void tick();
  // At the end of a loop turn: the data may have come further, which a failover may wait for.
  void note_data_moved();
  // The view last published; never null.
  [[nodiscard]] ViewPtr published() const;
  // A view of this moment with times and statistics, for CLUSTER NODES and CLUSTER INFO.
  [[nodiscard]] ViewPtr view() const;
  [[nodiscard]] std::vector<LinkInfo> links() const;
  // Tells the other nodes (sharded: those of my shard) of a published message.
  void publish(std::string_view channel, std::string_view message, bool sharded);
  void change_settings(const BusSettings& settings);
  void set_link_buffer_limit(std::size_t bytes);
  // For tests of the server: see BusDisturbance.
  void disturb(const BusDisturbance& how);
  // False if no such node is known.
  bool cut_links(const NodeId& node, LinkSide side);

 private:
  class Impl;
  explicit Driver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::cluster
