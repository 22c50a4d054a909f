// A real server on a free port with its files in a directory of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/resp_client.h"
#include "tests/support/temp_dir.h"

namespace hearth::test {

// Full path of a program in PATH; nothing when it is not installed.
inline std::optional<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const auto end = rest.find(':');
    const std::string candidate = std::string(rest.substr(0, end)) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return std::nullopt;
}

// A port that nobody listens on now, with its cluster bus port (10000 above) free as well. Another
// process may take it before the server does; ServerProcess then tries the next one.
inline int free_port() {
  std::random_device entropy;
  const auto is_free = [](int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return bound;
  };
  for (;;) {
    // Below the range from which the kernel gives ports to outgoing connections.
    const int port = 20'100 + static_cast<int>(entropy() % 2'300);
    if (is_free(port) && is_free(port + 10'000)) return port;
  }
}

struct ServerOptions {
  std::string binary{};
  std::vector<std::string> config{};  // lines of the configuration file
  std::vector<std::string> arguments{};
  std::shared_ptr<TempDir> dir{};  // to start again on what an earlier server left
  int port = 0;                    // 0: a free one
  std::string host = "127.0.0.1";
  std::vector<std::string> launcher{};  // words in front of the command, which become the server
  bool may_be_loading = false;          // it is started when it answers, LOADING too
};

class ServerProcess {
 public:
  // Starts and waits until PING is answered, LOADING included. Null when that does not happen; the
  // server's output is printed then.
  static std::unique_ptr<ServerProcess> start(const ServerOptions& options) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      auto server = std::unique_ptr<ServerProcess>(new ServerProcess(options));
      if (server->wait_ready(options.may_be_loading)) return server;
      const std::string log = server->log();
      const bool port_taken = log.find("in use") != std::string::npos;
      if (options.port == 0 && port_taken) continue;
      std::fprintf(stderr, "%s did not start:\n%s\n", options.binary.c_str(), log.c_str());
      return nullptr;
    }
    return nullptr;
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] std::string address() const { return host_ + ":" + std::to_string(port_); }
  [[nodiscard]] const std::shared_ptr<TempDir>& dir() const { return dir_; }
  [[nodiscard]] ChildProcess& process() { return *process_; }
  [[nodiscard]] std::string log() const { return dir_->read("log"); }
  // A fresh connection.
  [[nodiscard]] std::unique_ptr<RespClient> client() const {
    return std::make_unique<RespClient>(port_, host_);
  }
  // One command on a connection of its own, its reply as text.
  std::string run(const std::vector<std::string>& args) const { return client()->text(args); }

 private:
  explicit ServerProcess(const ServerOptions& options)
      : dir_(options.dir ? options.dir : std::make_shared<TempDir>()),
        port_(options.port ? options.port : free_port()),
        host_(options.host) {
    std::string config =
        "port " + std::to_string(port_) + "\nbind " + host_ + "\ndir " + dir_->path() + "\n";
    for (const auto& line : options.config) config += line + "\n";
    std::vector<std::string> command = options.launcher;
    command.push_back(options.binary);
    command.push_back(dir_->write("server.conf", config));
    command.insert(command.end(), options.arguments.begin(), options.arguments.end());
    process_ = std::make_unique<ChildProcess>(command, dir_->file("log"), dir_->file("log"));
  }
  bool wait_ready(bool may_be_loading) {
    return eventually([this, may_be_loading] {
             if (!process_->is_running()) return true;
             RespClient probe(port_, host_);
             if (!probe.is_connected()) return false;
             const auto reply = probe.run({"PING"});
             return reply && (may_be_loading ||
                              !(reply->is_error() && reply->text().starts_with("LOADING")));
           }) &&
           process_->is_running();
  }

  std::shared_ptr<TempDir> dir_;
  int port_;
  std::string host_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace hearth::test
