#include "src/base/socket_mark.h"

#include <sys/socket.h>

#include <cerrno>

#include "src/base/log.h"
#include "src/base/system_text.h"

namespace hearth {

void mark_socket(int fd, std::uint32_t mark) {
  if (mark == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return;
  log::warning("Could not give a listening socket the mark {} (socket-mark-id): {}", mark,
               system_text(errno));
}

}  // namespace hearth
