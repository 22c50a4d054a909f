// The sockets, as the dispatcher sees them. A real one polls; tests have one in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/client/endpoint.h"

namespace hearth::client {

using LinkId = std::uint32_t;

// Events of a link come back as calls of Dispatcher::on_connected, on_bytes, on_writable
// and on_lost, never from inside one of these calls.
class Transport {
 public:
  virtual ~Transport() = default;
  // Starts to connect a closed link.
  virtual void open(LinkId link, const Endpoint& to) = 0;
  // Takes as many bytes as the socket has room for now and returns how many. Fewer than given:
  // on_writable follows when there is room again.
  virtual std::size_t send(LinkId link, std::string_view bytes) = 0;
  // No call about the link follows.
  virtual void close(LinkId link) = 0;
};

}  // namespace hearth::client
