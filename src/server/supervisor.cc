#include "src/server/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>

#include "src/base/log.h"
#include "src/base/system_text.h"

namespace hearth {
namespace {

constexpr const char* kSystemdVariable = "NOTIFY_SOCKET";
constexpr const char* kUpstartVariable = "UPSTART_JOB";

// One datagram to the socket that systemd named: a path, or behind an '@' an abstract name.
void tell_systemd(const std::string& name, std::string_view message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = name.size();
  if (length < 2 || length >= sizeof address.sun_path) {
    log::warning("{} is no address of a socket: {}", kSystemdVariable, name);
    return;
  }
  name.copy(address.sun_path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (fd < 0 || sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                       reinterpret_cast<const sockaddr*>(&address), size) < 0)
    log::warning("Can't tell systemd ({}): {}", name, system_text(errno));
  if (fd >= 0) close(fd);
}

}  // namespace

Supervisor Supervisor::find(config::Supervised setting) {
  using config::Supervised;
  const bool any = setting == Supervised::kAuto;
  // NOLINTBEGIN(concurrency-mt-unsafe): there are no threads yet.
  const char* systemd = std::getenv(kSystemdVariable);
  if (systemd != nullptr && (any || setting == Supervised::kSystemd))
    return Supervisor(Kind::kSystemd, systemd);
  if (std::getenv(kUpstartVariable) == nullptr || (!any && setting != Supervised::kUpstart))
    return Supervisor(Kind::kNone);
  unsetenv(kUpstartVariable);  // a process that this one starts is not the job's
  // NOLINTEND(concurrency-mt-unsafe)
  return Supervisor(Kind::kUpstart);
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
  if (kind_ == Kind::kSystemd)
    tell_systemd(socket_, "STATUS=Ready to accept connections\nREADY=1\n");
  if (kind_ == Kind::kUpstart) kill(getpid(), SIGSTOP);
}

// systemd gives up on a start that takes longer than its TimeoutStartSec.
void Supervisor::wait_longer(seconds most) {
  if (kind_ != Kind::kSystemd) return;
  constexpr seconds kMargin{30};
  const microseconds time = most + kMargin;
  tell_systemd(socket_, "STATUS=Waiting until it is warm\nEXTEND_TIMEOUT_USEC=" +
                            std::to_string(time.count()) + "\n");
}

void Supervisor::stopping() {
  if (kind_ == Kind::kSystemd) tell_systemd(socket_, "STATUS=Shutting down\nSTOPPING=1\n");
}

}  // namespace hearth
