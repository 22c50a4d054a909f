#include "src/server/primary_link.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace hearth {

// One connection. Its owner is gone, or has another, once `link` is null.
struct UvPrimaryLink::Socket {
  UvPrimaryLink* link = nullptr;
  Target target;
  uv_tcp_t tcp{};
  uv_getaddrinfo_t resolve{};
  uv_connect_t connect{};
  int held = 0;  // what libuv still knows: the handle, and requests that may outlive it
  bool connected = false;
  std::array<char, 64 * 1024> buffer{};

  static Socket* of(void* data) { return static_cast<Socket*>(data); }
  void release() {
    if (--held == 0) delete this;
  }
  void shut() {
    link = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolve));
    uv_close(reinterpret_cast<uv_handle_t*>(&tcp),
             [](uv_handle_t* handle) { of(handle->data)->release(); });
  }
  void lose(std::string_view why) {
    UvPrimaryLink* owner = link;
    owner->close();
    owner->listener_.link_lost(why);
  }
  void open(const sockaddr* address) {
    if (!target.source.empty()) {
      sockaddr_storage from{};
      if (uv_ip4_addr(target.source.c_str(), 0, reinterpret_cast<sockaddr_in*>(&from)) != 0 &&
          uv_ip6_addr(target.source.c_str(), 0, reinterpret_cast<sockaddr_in6*>(&from)) != 0)
        return lose("bind-source-addr is no address");
      if (const int error = uv_tcp_bind(&tcp, reinterpret_cast<sockaddr*>(&from), 0); error != 0)
        return lose(fmt::format("bind: {}", uv_strerror(error)));
    }
    const int error =
        uv_tcp_connect(&connect, &tcp, address, [](uv_connect_t* request, int status) {
          Socket* self = of(request->data);
          if (self->link == nullptr) return;
          if (status != 0) return self->lose(uv_strerror(status));
          self->connected = true;
          if (self->target.no_delay) uv_tcp_nodelay(&self->tcp, 1);
          UvPrimaryLink* owner = self->link;
          owner->set_reading(true);
          owner->listener_.link_connected();
        });
    if (error != 0) lose(fmt::format("connect: {}", uv_strerror(error)));
  }
};

void UvPrimaryLink::connect(const Target& target) {
  close();
  auto* socket = new Socket;
  socket->link = this;
  socket->target = target;
  socket->tcp.data = socket->resolve.data = socket->connect.data = socket;
  uv_tcp_init(loop_, &socket->tcp);
  socket->held = 2;
  socket_ = socket;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const auto resolved = [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
    Socket* self = Socket::of(request->data);
    if (self->link != nullptr) {
      if (status != 0)
        self->lose(uv_strerror(status));
      else
        self->open(found->ai_addr);
    }
    uv_freeaddrinfo(found);
    self->release();
  };
  if (uv_getaddrinfo(loop_, &socket->resolve, resolved, target.host.c_str(),
                     std::to_string(target.port).c_str(), &hints) != 0) {
    // Out of memory: the owner's timeout ends the attempt.
    socket->held = 1;
  }
}

void UvPrimaryLink::send(std::string_view bytes) {
  if (socket_ == nullptr || !socket_->connected) return;
  struct Write {
    uv_write_t request{};
    std::string bytes;
  };
  auto* write = new Write{{}, std::string(bytes)};
  write->request.data = write;
  const uv_buf_t piece =
      uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
  const int error = uv_write(&write->request, reinterpret_cast<uv_stream_t*>(&socket_->tcp), &piece,
                             1, [](uv_write_t* request, int) {
                               // A failed connection is noticed by its reader.
                               delete static_cast<Write*>(request->data);
                             });
  if (error != 0) delete write;
}

void UvPrimaryLink::set_reading(bool on) {
  if (socket_ == nullptr || !socket_->connected) return;
  auto* stream = reinterpret_cast<uv_stream_t*>(&socket_->tcp);
  if (!on) {
    uv_read_stop(stream);
    return;
  }
  uv_read_start(
      stream,
      [](uv_handle_t* handle, std::size_t, uv_buf_t* out) {
        auto& buffer = Socket::of(handle->data)->buffer;
        *out = uv_buf_init(buffer.data(), static_cast<unsigned>(buffer.size()));
      },
      [](uv_stream_t* s, ssize_t got, const uv_buf_t* piece) {
        Socket* self = Socket::of(s->data);
        if (self->link == nullptr || got == 0) return;
        if (got < 0) return self->lose(uv_strerror(static_cast<int>(got)));
        self->link->listener_.link_received({piece->base, static_cast<std::size_t>(got)});
      });
}

void UvPrimaryLink::close() {
  if (socket_ != nullptr) std::exchange(socket_, nullptr)->shut();
}

}  // namespace hearth
