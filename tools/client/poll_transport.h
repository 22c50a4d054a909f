// Transport over non-blocking TCP and Unix sockets, driven by poll().
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "src/base/time.h"
#include "tools/client/dispatcher.h"
#include "tools/client/transport.h"

namespace hearth::client {

// Not thread-safe. A host name is resolved when a link opens, which blocks; addresses do not.
class PollTransport final : public Transport {
 public:
  PollTransport() = default;
  ~PollTransport() override;
  PollTransport(const PollTransport&) = delete;
  PollTransport& operator=(const PollTransport&) = delete;

  void open(LinkId link, const Endpoint& to) override;
  std::size_t send(LinkId link, std::string_view bytes) override;
  void close(LinkId link) override;

  // Waits until a socket is ready or `wait` is over, then tells the dispatcher what happened.
  // A signal ends the wait.
  void turn(Dispatcher& dispatcher, const Clock& clock, milliseconds wait);

 private:
  struct Address {
    sockaddr_storage bytes;
    socklen_t length;
  };
  struct Socket {
    int fd = -1;
    bool connecting = false;
    bool blocked = false;            // the last send took less than it was given
    std::vector<Address> addresses;  // of the host, not tried yet
    std::string failure;             // why it is lost, to be told in the next turn
  };

  void connect_next(Socket& socket);
  void drop(Socket& socket, std::string failure);
  void finish_connect(LinkId link, Dispatcher& dispatcher, MonoTime now);
  void receive(LinkId link, Dispatcher& dispatcher, MonoTime now);

  std::vector<Socket> sockets_;  // by LinkId
  std::unique_ptr<char[]> buffer_;
};

}  // namespace hearth::client
