#include "cluster/link/connection.h"

#include <algorithm>
#include <cstring>

#include "cluster/bus/limits.h"
#include "cluster/wire/codec.h"

namespace hearth::cluster {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// A buffer that held a large frame is given back after it.
constexpr std::size_t kKeepBytes = 256 * 1024;
constexpr unsigned kKeepAliveSeconds = 60;

struct Write {
  uv_write_t request{};
  std::shared_ptr<const std::string> frame;
};

uv_stream_t* as_stream(uv_tcp_t& tcp) { return reinterpret_cast<uv_stream_t*>(&tcp); }
const uv_stream_t* as_stream(const uv_tcp_t& tcp) {
  return reinterpret_cast<const uv_stream_t*>(&tcp);
}

void on_alloc(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  *buffer = uv_buf_init(new char[kReadBytes], kReadBytes);
}

}  // namespace

std::string ip_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    uv_ip4_name(reinterpret_cast<const sockaddr_in*>(&address), text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    uv_ip6_name(reinterpret_cast<const sockaddr_in6*>(&address), text, sizeof text);
  }
  std::string_view ip(text);
  constexpr std::string_view kMapped = "::ffff:";
  if (ip.starts_with(kMapped) && ip.find('.') != std::string_view::npos) {
    ip.remove_prefix(kMapped.size());
  }
  return std::string(ip);
}

bool parse_ip(const std::string& ip, std::uint16_t port, sockaddr_storage& out) {
  return uv_ip4_addr(ip.c_str(), port, reinterpret_cast<sockaddr_in*>(&out)) == 0 ||
         uv_ip6_addr(ip.c_str(), port, reinterpret_cast<sockaddr_in6*>(&out)) == 0;
}

Connection* Connection::connect(uv_loop_t* loop, LinkId id, ConnectionEvents& events,
                                const Target& target) {
  sockaddr_storage address{};
  if (!parse_ip(target.ip, target.port, address)) return nullptr;
  auto* self = new Connection(id, events);
  uv_tcp_init(loop, &self->tcp_);
  self->tcp_.data = self;
  self->connecting_.data = self;
  if (sockaddr_storage source{}; parse_ip(target.source_ip, 0, source)) {
    uv_tcp_bind(&self->tcp_, reinterpret_cast<const sockaddr*>(&source), 0);
  }
  const int started =
      uv_tcp_connect(&self->connecting_, &self->tcp_, reinterpret_cast<const sockaddr*>(&address),
                     [](uv_connect_t* request, int status) {
                       auto* connection = static_cast<Connection*>(request->data);
                       if (connection->events_ == nullptr) return;
                       if (status < 0) {
                         connection->broken(uv_strerror(status));
                         return;
                       }
                       connection->start_reading();
                       connection->events_->on_connected(connection->id_);
                     });
  if (started == 0) return self;
  self->close();
  return nullptr;
}

Connection* Connection::accept(uv_stream_t* listener, LinkId id, ConnectionEvents& events) {
  auto* self = new Connection(id, events);
  uv_tcp_init(listener->loop, &self->tcp_);
  self->tcp_.data = self;
  if (uv_accept(listener, as_stream(self->tcp_)) != 0) {
    self->close();
    return nullptr;
  }
  self->start_reading();
  return self;
}

void Connection::start_reading() {
  uv_tcp_nodelay(&tcp_, 1);
  uv_tcp_keepalive(&tcp_, 1, kKeepAliveSeconds);
  uv_read_start(as_stream(tcp_), on_alloc, on_read);
}

void Connection::on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer) {
  const std::unique_ptr<char[]> bytes(buffer->base);
  auto* self = static_cast<Connection*>(stream->data);
  if (self->events_ == nullptr || n == 0) return;
  if (n < 0) {
    self->broken(uv_strerror(static_cast<int>(n)));
    return;
  }
  self->in_.append(bytes.get(), static_cast<std::size_t>(n));
  self->cut_frames();
}

void Connection::cut_frames() {
  ConnectionEvents& events = *events_;
  events.begin_turn();
  std::size_t at = 0;
  while (events_ != nullptr) {
    const std::string_view rest = std::string_view(in_).substr(at);
    const auto length = wire::frame_length(rest);
    if (!length) {
      broken(length.error().context);
      break;
    }
    if (*length > limits::kUnknownFrameMax && !events.may_send_long(id_)) {
      broken("a long frame, and no member of the cluster");
      break;
    }
    if (*length == 0 || *length > rest.size()) break;
    at += *length;
    events_->on_frame(id_, rest.substr(0, *length));
  }
  in_.erase(0, at);
  events.end_turn();
  if (in_.empty() && in_.capacity() > kKeepBytes) std::string().swap(in_);
}

void Connection::send(const std::shared_ptr<const std::string>& frame) {
  auto* write = new Write;
  write->frame = frame;
  write->request.data = write;
  uv_buf_t buffer =
      uv_buf_init(const_cast<char*>(frame->data()), static_cast<unsigned>(frame->size()));
  const int started =
      uv_write(&write->request, as_stream(tcp_), &buffer, 1, [](uv_write_t* request, int) {
        // A failed write ends the reading too, and that is where it is noticed.
        delete static_cast<Write*>(request->data);
      });
  if (started != 0) delete write;
}

void Connection::broken(const std::string& why) {
  if (events_ != nullptr) events_->on_broken(id_, why);
}

void Connection::close() {
  events_ = nullptr;
  auto* handle = reinterpret_cast<uv_handle_t*>(&tcp_);
  if (uv_is_closing(handle) != 0) return;
  uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Connection*>(closed->data); });
}

std::size_t Connection::unsent_bytes() const {
  return uv_stream_get_write_queue_size(as_stream(tcp_));
}

std::string Connection::peer_ip() const {
  sockaddr_storage address{};
  int size = sizeof address;
  uv_tcp_getpeername(&tcp_, reinterpret_cast<sockaddr*>(&address), &size);
  return ip_text(address);
}

std::string Connection::local_ip() const {
  sockaddr_storage address{};
  int size = sizeof address;
  uv_tcp_getsockname(&tcp_, reinterpret_cast<sockaddr*>(&address), &size);
  return ip_text(address);
}

}  // namespace hearth::cluster
