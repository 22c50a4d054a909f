// SO_MARK of sockets that listen: a number by which the system's routing and filters know them.
// Accepted connections inherit it.
#pragma once

#include <cstdint>

namespace hearth {

// 0 marks nothing. What the system refuses (without CAP_NET_ADMIN, everything) is logged.
void mark_socket(int fd, std::uint32_t mark);

}  // namespace hearth
