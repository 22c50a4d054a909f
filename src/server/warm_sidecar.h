// WarmSidecar: the loader that the server runs (parameter `warm`): `cache-warm warm <mapping>` as a
// child process, with this server as its target. SidecarPolicy decides when.
//
// A process of its own and not a thread, so that the libraries of databases, their memory and their
// crashes stay out of the server.
#pragma once

#include <sched.h>
#include <uv.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/base/time.h"
#include "src/config/settings.h"
#include "src/server/line_log.h"
#include "src/server/sidecar_policy.h"

namespace hearth {

class WarmSidecar {
 public:
  struct Parts {
    uv_loop_t* loop = nullptr;
    const Clock* clock = nullptr;
    const config::Settings* settings = nullptr;
    std::string program;  // cache-warm's path
    std::function<void(const SidecarPolicy&)> changed;
  };
  // Remembers on which processors the process may run before it is pinned.
  WarmSidecar();
  ~WarmSidecar();
  WarmSidecar(const WarmSidecar&) = delete;
  WarmSidecar& operator=(const WarmSidecar&) = delete;

  void start(Parts parts);
  // With the other background work.
  void tick();
  // Asks the loader to end; it is not started again.
  void stop();
  // Ends it, and closes the handles: they go with the next turn of the loop.
  void close();

 private:
  struct Run;  // one process and its pipes

  void spawn();
  void on_exit(std::int64_t code, int signal);

  std::optional<cpu_set_t> processors_;
  Parts parts_;
  std::optional<SidecarPolicy> policy_;  // since the start, unless nothing is to be run
  std::shared_ptr<Run> run_;
  bool is_stopped_ = false;
};

// The arguments of cache-warm, its own name first: the target is this server's socket, or its port
// on an address that it listens on.
[[nodiscard]] std::vector<std::string> sidecar_arguments(const config::Settings& settings,
                                                         const std::string& cwd);

}  // namespace hearth
