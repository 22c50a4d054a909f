#include "tools/client/poll_transport.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "src/base/system_text.h"

namespace hearth::client {
namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr int kReceivesPerTurn = 4;

}  // namespace

PollTransport::~PollTransport() {
  for (auto& socket : sockets_) {
    if (socket.fd >= 0) ::close(socket.fd);
  }
}

void PollTransport::drop(Socket& socket, std::string failure) {
  if (socket.fd >= 0) ::close(socket.fd);
  socket = Socket{};
  socket.failure = std::move(failure);
}

void PollTransport::open(LinkId link, const Endpoint& to) {
  if (sockets_.size() <= link) sockets_.resize(link + 1);
  Socket& socket = sockets_[link];
  drop(socket, "");
  if (to.is_unix()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (to.path.size() >= sizeof address.sun_path) return drop(socket, "socket path is too long");
    std::memcpy(address.sun_path, to.path.data(), to.path.size());
    Address entry{};
    std::memcpy(&entry.bytes, &address, sizeof address);
    entry.length = sizeof address;
    socket.addresses.push_back(entry);
  } else {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(to.port);
    if (const int code = ::getaddrinfo(to.host.c_str(), port.c_str(), &hints, &found); code != 0) {
      return drop(socket, ::gai_strerror(code));
    }
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
      Address entry{};
      std::memcpy(&entry.bytes, at->ai_addr, at->ai_addrlen);
      entry.length = at->ai_addrlen;
      socket.addresses.insert(socket.addresses.begin(), entry);  // taken from the back
    }
    ::freeaddrinfo(found);
  }
  connect_next(socket);
}

// Leaves the socket connecting, or with a failure when no address is left.
void PollTransport::connect_next(Socket& socket) {
  std::string reason = "no address";
  while (!socket.addresses.empty()) {
    const Address address = socket.addresses.back();
    socket.addresses.pop_back();
    const int fd = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      reason = system_text(errno);
      continue;
    }
    if (address.bytes.ss_family != AF_UNIX) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    // sockaddr_storage may be used as any sockaddr: this is what it is for.
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.length) == 0 ||
        errno == EINPROGRESS) {
      socket.fd = fd;
      socket.connecting = true;
      return;
    }
    reason = system_text(errno);
    ::close(fd);
  }
  drop(socket, reason);
}

std::size_t PollTransport::send(LinkId link, std::string_view bytes) {
  Socket& socket = sockets_[link];
  if (socket.fd < 0 || socket.connecting) return 0;
  std::size_t total = 0;
  while (total < bytes.size()) {
    const auto sent = ::send(socket.fd, bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;  // full; a broken socket is reported by the next receive
    total += static_cast<std::size_t>(sent);
  }
  socket.blocked = total < bytes.size();
  return total;
}

void PollTransport::close(LinkId link) {
  if (link < sockets_.size()) drop(sockets_[link], "");
}

void PollTransport::finish_connect(LinkId link, Dispatcher& dispatcher, MonoTime now) {
  Socket& socket = sockets_[link];
  int code = 0;
  socklen_t length = sizeof code;
  if (::getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &code, &length) != 0) code = errno;
  if (code == 0) {
    socket.connecting = false;
    return dispatcher.on_connected(link, now);
  }
  ::close(socket.fd);
  socket.fd = -1;
  socket.connecting = false;
  if (socket.addresses.empty()) return drop(socket, system_text(code));
  connect_next(socket);
}

void PollTransport::receive(LinkId link, Dispatcher& dispatcher, MonoTime now) {
  if (!buffer_) buffer_ = std::make_unique<char[]>(kReceiveBytes);
  for (int i = 0; i < kReceivesPerTurn; ++i) {
    const int fd = sockets_[link].fd;
    if (fd < 0) return;  // the dispatcher closed it meanwhile
    const auto got = ::recv(fd, buffer_.get(), kReceiveBytes, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      drop(sockets_[link], got == 0 ? "the server closed the connection" : system_text(errno));
      return;
    }
    dispatcher.on_bytes(link, std::string_view(buffer_.get(), static_cast<std::size_t>(got)), now);
    if (static_cast<std::size_t>(got) < kReceiveBytes) return;
  }
}

void PollTransport::turn(Dispatcher& dispatcher, const Clock& clock, milliseconds wait) {
  std::vector<pollfd> polled;
  std::vector<LinkId> links;
  for (LinkId link = 0; link < sockets_.size(); ++link) {
    const Socket& socket = sockets_[link];
    if (!socket.failure.empty()) wait = milliseconds{0};
    if (socket.fd < 0) continue;
    const bool writes = socket.connecting || socket.blocked;
    polled.push_back({socket.fd, static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0});
    links.push_back(link);
  }
  const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
  const MonoTime now = clock.mono_now();
  for (std::size_t i = 0; ready > 0 && i < polled.size(); ++i) {
    const LinkId link = links[i];
    // Another link's answer may have closed this one, and a new socket may have its number.
    if (polled[i].revents == 0 || sockets_[link].fd != polled[i].fd) continue;
    if (sockets_[link].connecting) {
      if ((polled[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
        finish_connect(link, dispatcher, now);
      continue;
    }
    if ((polled[i].revents & POLLOUT) != 0) {
      sockets_[link].blocked = false;
      dispatcher.on_writable(link, now);
    }
    if ((polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0) receive(link, dispatcher, now);
  }
  for (LinkId link = 0; link < sockets_.size(); ++link) {
    if (sockets_[link].failure.empty()) continue;
    const std::string reason = std::move(sockets_[link].failure);
    sockets_[link].failure.clear();
    dispatcher.on_lost(link, reason, now);
  }
  dispatcher.tick(now);
}

}  // namespace hearth::client
