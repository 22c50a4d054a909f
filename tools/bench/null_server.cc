// A server that does nothing: it answers every request with +PONG and looks at no more of it than
// where it begins. What it costs is what the kernel takes of a server that reads and answers at
// once what it is sent; one that is slower finds more at a time and polls less often.
//
//   hearth-null-server --port PORT [whatever a server is started with, ignored]
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kReply = "+PONG\r\n";

int listen_on(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool ok =
      fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && listen(fd, 511) == 0;
  return ok ? fd : -1;
}

bool watch(int poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// A request begins with '*' and a digit; load generators send neither in their arguments. One that
// is cut between the two counts with neither part: no measurement reads as little.
std::size_t count_requests(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t at = bytes.find('*'); at != std::string_view::npos; at = bytes.find('*', at + 1))
    count += at + 1 < bytes.size() && bytes[at + 1] >= '0' && bytes[at + 1] <= '9' ? 1 : 0;
  return count;
}

// False when the connection is at its end.
bool answer(int fd) {
  static std::array<char, 64 * 1024> input;
  static std::string output;
  const ssize_t n = read(fd, input.data(), input.size());
  if (n <= 0) return false;
  const std::size_t requests = count_requests({input.data(), static_cast<std::size_t>(n)});
  while (output.size() < requests * kReply.size()) output += kReply;
  for (std::size_t left = requests * kReply.size(); left > 0;) {
    const ssize_t sent = write(fd, output.data(), left);
    if (sent <= 0) return false;
    left -= static_cast<std::size_t>(sent);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  int port = 0;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--port") port = std::atoi(argv[i + 1]);
  }
  if (port <= 0 || port > 65535) {
    std::fprintf(stderr, "usage: hearth-null-server --port PORT\n");
    return 2;
  }
  const int listener = listen_on(static_cast<std::uint16_t>(port));
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || poll < 0 || !watch(poll, listener)) {
    std::perror("hearth-null-server: cannot listen");
    return 1;
  }
  for (std::array<epoll_event, 256> events;;) {
    const int n = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd != listener) {
        if (!answer(fd)) close(fd);
        continue;
      }
      const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const int on = 1;
      if (client < 0) continue;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (!watch(poll, client)) close(client);
    }
  }
}
