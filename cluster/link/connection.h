// One TCP connection of the bus: bytes in, frames out; frames in, bytes out.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "cluster/bus/inputs.h"
#include "src/base/time.h"

namespace hearth::cluster {

// What happens on a connection. None of it is called after Connection::close.
class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  virtual void on_connected(LinkId link) = 0;
  virtual void on_frame(LinkId link, std::string_view frame) = 0;
  // Around all frames of one read.
  virtual void begin_turn() = 0;
  virtual void end_turn() = 0;
  // Whether the peer may send a frame that is longer than limits::kUnknownFrameMax.
  [[nodiscard]] virtual bool may_send_long(LinkId link) const = 0;
  // Broken, refused, or talking something else; `why` is for the log.
  virtual void on_broken(LinkId link, const std::string& why) = 0;
};

// Owns its handle, and deletes itself once that is closed.
class Connection {
 public:
  struct Target {
    std::string ip;
    std::uint16_t port = 0;
    std::string source_ip{};  // empty: the system chooses
  };
  // Null if the attempt cannot even begin.
  static Connection* connect(uv_loop_t* loop, LinkId id, ConnectionEvents& events,
                             const Target& target);
  // Takes the next connection of a listener; null if that fails.
  static Connection* accept(uv_stream_t* listener, LinkId id, ConnectionEvents& events);

  void send(const std::shared_ptr<const std::string>& frame);
  // No event follows. The object is gone some time after.
  void close();

  [[nodiscard]] std::size_t unsent_bytes() const;
  [[nodiscard]] std::string peer_ip() const;
  [[nodiscard]] std::string local_ip() const;

 private:
  Connection(LinkId id, ConnectionEvents& events) : id_(id), events_(&events) {}
  void start_reading();
  void cut_frames();
  void broken(const std::string& why);
  static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer);

  LinkId id_;
  ConnectionEvents* events_;  // null once closed
  uv_tcp_t tcp_{};
  uv_connect_t connecting_{};
  std::string in_;  // an incomplete frame
};

// "::ffff:10.0.0.1" as "10.0.0.1"; empty if there is no such address.
[[nodiscard]] std::string ip_text(const sockaddr_storage& address);
// Fills in an address from its text; false for text that is none.
bool parse_ip(const std::string& ip, std::uint16_t port, sockaddr_storage& out);

}  // namespace hearth::cluster
