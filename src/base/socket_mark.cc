#include "src/base/socket_mark.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "src/base/log.h"

namespace hearth {

void mark_socket(int fd, std::uint32_t mark) {
  if (mark == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return;
  log::warning("Could not give a listening socket the mark {} (socket-mark-id): {}", mark,
               std::strerror(errno));
}

}  // namespace hearth
