#include "src/server/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "src/base/log.h"

namespace hearth {
namespace {

constexpr const char* kSystemdVariable = "NOTIFY_SOCKET";
constexpr const char* kUpstartVariable = "UPSTART_JOB";

// One datagram to the socket that systemd named: a path, or behind an '@' an abstract name.
void tell_systemd(std::string_view message) {
  const char* name = std::getenv(kSystemdVariable);
  if (name == nullptr) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(name);
  if (length < 2 || length >= sizeof address.sun_path) {
    log::warning("{} is no address of a socket: {}", kSystemdVariable, name);
    return;
  }
  std::memcpy(address.sun_path, name, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (fd < 0 || sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                       reinterpret_cast<const sockaddr*>(&address), size) < 0)
    log::warning("Can't tell systemd ({}): {}", name, std::strerror(errno));
  if (fd >= 0) close(fd);
}

}  // namespace

Supervisor Supervisor::find(config::Supervised setting) {
  using config::Supervised;
  const bool systemd = std::getenv(kSystemdVariable) != nullptr;
  const bool upstart = std::getenv(kUpstartVariable) != nullptr;
  const bool any = setting == Supervised::kAuto;
  if (systemd && (any || setting == Supervised::kSystemd)) return Supervisor(Kind::kSystemd);
  if (upstart && (any || setting == Supervised::kUpstart)) return Supervisor(Kind::kUpstart);
  return Supervisor(Kind::kNone);
}

std::string_view Supervisor::name() const {
  switch (kind_) {
    case Kind::kSystemd: return "systemd";
    case Kind::kUpstart: return "upstart";
    case Kind::kNone: break;
  }
  return "no";
}

void Supervisor::ready() {
  if (kind_ == Kind::kSystemd) tell_systemd("STATUS=Ready to accept connections\nREADY=1\n");
  if (kind_ != Kind::kUpstart) return;
  // Once: a process that this one starts is not the job's.
  unsetenv(kUpstartVariable);
  kill(getpid(), SIGSTOP);
}

// systemd gives up on a start that takes longer than its TimeoutStartSec.
void Supervisor::wait_longer(seconds most) {
  if (kind_ != Kind::kSystemd) return;
  constexpr seconds kMargin{30};
  const microseconds time = most + kMargin;
  tell_systemd("STATUS=Waiting until it is warm\nEXTEND_TIMEOUT_USEC=" +
               std::to_string(time.count()) + "\n");
}

void Supervisor::stopping() {
  if (kind_ == Kind::kSystemd) tell_systemd("STATUS=Shutting down\nSTOPPING=1\n");
}

}  // namespace hearth
