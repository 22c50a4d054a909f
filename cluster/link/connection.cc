#include "cluster/link/connection.h"

#include "cluster/bus/limits.h"
#include "cluster/wire/codec.h"

namespace hearth::cluster {
namespace {

constexpr unsigned kKeepAliveSeconds = 60;

StreamTarget options_of(const Connection::Target& target) {
  StreamTarget options;
  options.host = target.ip;
  options.port = target.port;
  options.source_ip = target.source_ip;
  options.keep_alive_seconds = kKeepAliveSeconds;
  return options;
}

}  // namespace

Connection* Connection::connect(uv_loop_t* loop, LinkId id, ConnectionEvents& events,
                                const Target& target) {
  sockaddr_storage address{};
  if (!parse_ip(target.ip, target.port, address)) return nullptr;
  auto* self = new Connection(id, events);
  self->peer_ip_ = target.ip;
  self->stream_ = UvStream::connect(loop, *self, options_of(target));
  return self;
}

Connection* Connection::accept(uv_stream_t* listener, LinkId id, ConnectionEvents& events) {
  auto* self = new Connection(id, events);
  self->stream_ = UvStream::accept(listener, *self, options_of({}));
  if (self->stream_ == nullptr) {
    delete self;
    return nullptr;
  }
  self->peer_ip_ = self->stream_->peer_ip();
  return self;
}

template <typename Event>
void Connection::tell(Event event) {
  telling_ = true;
  event();
  telling_ = false;
  if (events_ == nullptr) delete this;
}

void Connection::stream_opened() {
  tell([this] { events_->on_connected(id_); });
}

void Connection::stream_received() {
  tell([this] { cut_frames(); });
}

// A failed write ends the stream too.
void Connection::stream_ended(const ByteStream::End& end) {
  tell([this, why = end.why] { events_->on_broken(id_, why); });
}

void Connection::cut_frames() {
  ConnectionEvents& events = *events_;
  events.begin_turn();
  while (events_ != nullptr) {
    const std::string_view unread = stream_->unread();
    const auto length = wire::frame_length(unread);
    if (!length) {
      events.on_broken(id_, length.error().context);
      break;
    }
    if (*length > limits::kUnknownFrameMax && !events.may_send_long(id_)) {
      events.on_broken(id_, "a long frame, and no member of the cluster");
      break;
    }
    if (*length == 0 || *length > unread.size()) break;
    stream_->consume(*length);
    events.on_frame(id_, unread.substr(0, *length));
  }
  events.end_turn();
}

void Connection::send(const std::shared_ptr<const std::string>& frame) { stream_->write(*frame); }

void Connection::close() {
  events_ = nullptr;
  stream_.reset();
  if (!telling_) delete this;
}

}  // namespace hearth::cluster
