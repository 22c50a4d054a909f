// Node: one server. Builds everything, hands each part its ports, and owns all of it.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>

#include "persistence/io/posix_fs.h"
#include "src/command/server_control.h"
#include "src/command/table.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/net/network.h"
#include "src/script/runtime.h"
#include "src/server/background_disk.h"
#include "src/server/background_reclaimer.h"
#include "src/server/clock.h"
#include "src/server/cluster_bus.h"
#include "src/server/follower.h"
#include "src/server/fork_launcher.h"
#include "src/server/handover_driver.h"
#include "src/server/hot_list_file.h"
#include "src/server/migration_link.h"
#include "src/server/oom_score.h"
#include "src/server/persistence.h"
#include "src/server/proc_title.h"
#include "src/server/replication.h"
#include "src/server/shutdown_wait.h"
#include "src/server/slot_moves.h"
#include "src/server/supervisor.h"
#include "src/server/warm_sidecar.h"
#include "src/stream/uv_stream.h"

namespace hearth {

class Node final : public ServerControl {
 public:
  struct Options {
    std::string config_file;  // absolute, "" if there is none
    std::string executable;
    ProcTitle* title = nullptr;  // null: the process list is none of this node's business
    Supervisor supervisor = Supervisor::find(config::Supervised::kNo);
  };
  // The registry holds what the file and the command line said.
  Node(config::Registry& config, Options options);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  enum class Started : std::uint8_t {
    kServing,
    kStopped,  // a shutdown was asked for while the data was loaded; run() completes it
    kFailed,   // the reason was logged
  };
  // Opens everything and loads the data.
  [[nodiscard]] Started start();
  // Serves until shutdown; returns the exit status.
  int run();

  // --- ServerControl ---
  [[nodiscard]] Outcome shutdown(const ShutdownRequest& request, Session& asker) override;
  [[nodiscard]] bool abort_shutdown() override;
  [[nodiscard]] std::optional<milliseconds> shutdown_left() const override;
  void stand_still(microseconds duration) override;
  [[noreturn]] void crash(std::string_view how) override;
  [[nodiscard]] Result<void> rewrite_config(RewriteExtent extent) override;
  [[nodiscard]] std::int64_t unix_micros(UnixMillis turn) override;
  [[nodiscard]] Result<std::string> read_text(const std::string& path) override;
  [[nodiscard]] Result<void> replace_text(const std::string& path, std::string_view text) override;
  [[nodiscard]] std::string secret_hex(std::size_t length) override;

 private:
  static void on_signal(uv_signal_t* handle, int number);
  void shutdown_if_asked();
  [[nodiscard]] Outcome begin_shutdown(const ShutdownRequest& request, Session* asker);
  [[nodiscard]] bool begin_handover();
  [[nodiscard]] bool has_handed_over() const;
  [[nodiscard]] Outcome finish_shutdown(const ShutdownRequest& request);
  void stop_serving();
  [[nodiscard]] bool open_services();
  void open_signals();
  void write_pid_file();
  [[nodiscard]] bool load_data();
  void make_follower();
  void make_slot_moves(std::uint64_t seed, std::function<void()> wants_changed);
  void close_handles();
  void close_leftover_handles();
  void install_hooks();
  [[nodiscard]] bool open_log();
  [[nodiscard]] bool set_up_process();
  // False: too few files may be open.
  [[nodiscard]] bool raise_file_limit();
  // Permission bits of a file that is to be replaced.
  [[nodiscard]] mode_t mode_of(const std::string& path) const;
  [[nodiscard]] Result<void, std::string> apply_oom_score();
  void show_title();
  void begin_warming();

  config::Registry& config_;
  Options options_;
  SystemClock clock_;
  WarmSidecar sidecar_;  // made before this process is pinned
  uv_loop_t loop_{};
  uv_signal_t sigterm_{}, sigint_{};
  uv_async_t stop_{};  // a shutdown that a client asked for comes after its loop turn
  OomScore oom_score_;
  BackgroundReclaimer reclaimer_;
  UvStreamOpener streams_;  // to other servers
  MigrationLink migration_;
  io::PosixFileSystem disk_;
  ForkLauncher children_;
  uv_async_t disk_wake_{};  // the disk's thread is through with something
  BackgroundDisk disk_thread_;
  std::unique_ptr<Persistence> persistence_;
  std::unique_ptr<Replication> replication_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<StreamPrimaryLink> primary_link_;
  std::unique_ptr<CommandTable> commands_;
  std::unique_ptr<net::Network> network_;
  std::unique_ptr<ClusterBus> cluster_;  // null: cluster mode is off
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<SlotMoves> slot_moves_;  // null: cluster mode is off
  std::unique_ptr<script::Runtime> scripts_;
  std::optional<HandoverDriver> handover_;
  std::optional<HotListFile> hot_list_file_;
  std::optional<ShutdownWait> shutdown_wait_;  // there is an engine to wait for
  std::optional<ShutdownRequest> asked_;       // by a signal: begins with the next tick
  bool stopping_ = false;
  std::string pid_file_;  // that was written
  // Handles of this class that stand on the loop. close_handles() leaves none, however far a start
  // has come.
  bool signals_open_ = false;
  bool services_open_ = false;
};

}  // namespace hearth
