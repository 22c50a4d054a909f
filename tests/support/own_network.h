// A network of a test's own: hosts that can be parted from each other, in network namespaces that
// go with the processes that hold them. The calling thread, and the threads and processes that it
// starts, stand in it as one more host, which reaches all.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace hearth::test {

class OwnNetwork {
 public:
  // Nothing where this may not be done: without root, or without `ip`.
  static std::unique_ptr<OwnNetwork> make(std::size_t hosts) {
    auto network = std::unique_ptr<OwnNetwork>(new OwnNetwork());
    return network->build(hosts) ? std::move(network) : nullptr;
  }
  // The thread goes back to where it was.
  ~OwnNetwork() {
    hosts_.clear();
    if (home_ >= 0) static_cast<void>(::setns(home_, CLONE_NEWNET));
    if (home_ >= 0) ::close(home_);
  }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

  [[nodiscard]] std::string address(std::size_t host) const {
    return "10.77.0." + std::to_string(host + 1);
  }
  // The words in front of a command that runs on the host, in the same process.
  [[nodiscard]] std::vector<std::string> on(std::size_t host) const {
    return {"nsenter", "-t", std::to_string(hosts_[host]->pid()), "-n"};
  }
  // Neither host reaches the other from now on; connections between them stay, and are silent.
  bool part(std::size_t one, std::size_t other) {
    return route("add", one, other) && route("add", other, one);
  }
  bool join(std::size_t one, std::size_t other) {
    return route("del", one, other) && route("del", other, one);
  }

 private:
  OwnNetwork() = default;

  static bool run(const std::vector<std::string>& command) {
    return run_command(command).exit_code == 0;
  }
  bool run_on(std::size_t host, const std::vector<std::string>& words) {
    auto command = on(host);
    command.insert(command.end(), words.begin(), words.end());
    return run(command);
  }
  bool route(const std::string& verb, std::size_t from, std::size_t to) {
    return run_on(from, {"ip", "route", verb, "blackhole", address(to) + "/32"});
  }
  static std::string space_of(const std::string& process) {
    std::error_code failed;
    return std::filesystem::read_symlink("/proc/" + process + "/ns/net", failed).string();
  }

  bool build(std::size_t hosts) {
    home_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home_ < 0 || ::unshare(CLONE_NEWNET) != 0) return false;
    if (!run({"ip", "link", "set", "lo", "up"}) ||
        !run({"ip", "link", "add", "bridge", "type", "bridge"}) ||
        !run({"ip", "addr", "add", "10.77.0.254/24", "dev", "bridge"}) ||
        !run({"ip", "link", "set", "bridge", "up"}))
      return false;
    for (std::size_t i = 0; i < hosts; ++i) {
      if (!add_host(i)) return false;
    }
    return true;
  }

  bool add_host(std::size_t i) {
    hosts_.push_back(std::make_unique<ChildProcess>(
        std::vector<std::string>{"unshare", "-n", "sleep", "infinity"}, "", ""));
    const std::string holder = std::to_string(hosts_[i]->pid());
    const std::string own = space_of("thread-self");
    const bool has_own = eventually([&] {
      const std::string space = space_of(holder);
      return !hosts_[i]->is_running() || (!space.empty() && space != own);
    });
    const std::string link = "host" + std::to_string(i);
    return has_own && hosts_[i]->is_running() &&
           run({"ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns",
                holder}) &&
           run({"ip", "link", "set", link, "master", "bridge", "up"}) &&
           run_on(i, {"ip", "addr", "add", address(i) + "/24", "dev", "eth0"}) &&
           run_on(i, {"ip", "link", "set", "eth0", "up"}) &&
           run_on(i, {"ip", "link", "set", "lo", "up"});
  }

  int home_ = -1;
  std::vector<std::unique_ptr<ChildProcess>> hosts_;
};

}  // namespace hearth::test
