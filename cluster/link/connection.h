// One TCP connection of the bus: bytes in, frames out; frames in, bytes out.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "cluster/bus/inputs.h"
#include "src/base/time.h"
#include "src/stream/uv_stream.h"

namespace hearth::cluster {

// Events of a connection. None is called after Connection::close.
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

// Deletes itself once it is closed.
class Connection final : private ByteStream::Owner {
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
  // No event follows. The object is gone then, or, inside of an event, after it.
  void close();

  [[nodiscard]] std::size_t unsent_bytes() const { return stream_->unsent_bytes(); }
  [[nodiscard]] const std::string& peer_ip() const { return peer_ip_; }
  [[nodiscard]] std::string local_ip() const { return stream_->local_ip(); }

 private:
  Connection(LinkId id, ConnectionEvents& events) : id_(id), events_(&events) {}
  ~Connection() override = default;

  void stream_opened() override;
  void stream_received() override;
  void stream_ended(const ByteStream::End& end) override;
  void cut_frames();
  // Around events, in which the connection may be closed.
  template <typename Event>
  void tell(Event event);

  LinkId id_;
  ConnectionEvents* events_;  // null once closed
  std::unique_ptr<LinkStream> stream_;
  std::string peer_ip_;
  bool telling_ = false;
};

}  // namespace hearth::cluster
