#include "src/stream/uv_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/base/input_buffer.h"
#include "src/base/out_buffer.h"

namespace hearth {
namespace {

constexpr std::size_t kReadLeast = 64 * 1024;
constexpr std::size_t kReadMost = 256 * 1024;
constexpr unsigned kPiecesMost = 64;
// Bytes of one write, so that a slow peer shows progress to the deadline.
constexpr std::size_t kWriteMost = 256 * 1024;
constexpr std::uint64_t kNoDeadline = 0;

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

// The part that libuv knows of. It outlives its stream until the last handle is closed and the last
// request has ended: each of those holds it, and so does the stream.
class UvStream::Socket {
 public:
  Socket(uv_loop_t* loop, Owner& owner, StreamTarget options)
      : loop_(loop), owner_(&owner), options_(std::move(options)) {
    uv_timer_init(loop_, &timer_);
    hold();
    timer_.data = resolve_.data = connect_.data = write_.data = this;
    moved_at_ = uv_now(loop_);
  }
  ~Socket() {
    if (addresses_ != nullptr) uv_freeaddrinfo(addresses_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] const InputBuffer& input() const { return in_; }
  [[nodiscard]] std::size_t unsent() const { return out_.size(); }
  [[nodiscard]] const uv_tcp_t* tcp() const { return tcp_; }
  void hold() { ++held_; }
  void release() {
    if (--held_ == 0) delete this;
  }

  void connect() {
    sockaddr_storage address{};
    if (parse_ip(options_.host, options_.port, address)) {
      open(reinterpret_cast<const sockaddr*>(&address));
      if (tcp_ == nullptr) fail_soon();
      return;
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const std::string port = std::to_string(options_.port);
    const int error =
        uv_getaddrinfo(loop_, &resolve_, on_resolved, options_.host.c_str(), port.c_str(), &hints);
    if (error != 0) {
      note_error("", error);
      return fail_soon();
    }
    hold();
  }

  // False: closed again.
  bool accept(uv_stream_t* listener) {
    make_handle();
    if (const int error = uv_accept(listener, stream()); error != 0) return false;
    return start() == 0;
  }

  void consume(std::size_t bytes) { in_.consume(bytes); }

  void set_reading(bool on) {
    reading_ = on;
    if (!open_) return;
    if (on)
      uv_read_start(stream(), on_alloc, on_read);
    else
      uv_read_stop(stream());
  }

  void write(std::string_view bytes) {
    out_.append(bytes);
    if (options_.limits.unsent_most != 0 && out_.size() > options_.limits.unsent_most) {
      why_ = {End::Reason::kLimit, "the peer does not take what is sent"};
      return fail_soon();
    }
    if (open_ && in_flight_ == 0) send();
  }

  void set_deadline(std::uint64_t ms) {
    deadline_ms_ = ms;
    moved_at_ = uv_now(loop_);
    if (failing_) return;
    if (ms == kNoDeadline)
      uv_timer_stop(&timer_);
    else
      uv_timer_start(&timer_, on_timer, ms, 0);
  }

  // Nothing is called from now on.
  void close() {
    if (owner_ == nullptr) return;
    owner_ = nullptr;
    open_ = false;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolve_));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
             [](uv_handle_t* handle) { of(handle->data)->release(); });
    drop_handle();
  }

 private:
  static Socket* of(void* data) { return static_cast<Socket*>(data); }
  [[nodiscard]] uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(tcp_); }

  void make_handle() {
    tcp_ = std::make_unique<uv_tcp_t>().release();  // freed when libuv has closed it
    uv_tcp_init(loop_, tcp_);
    tcp_->data = this;
    hold();
  }
  void drop_handle() {
    if (tcp_ == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(tcp_, nullptr)), [](uv_handle_t* handle) {
      Socket* self = of(handle->data);
      std::unique_ptr<uv_tcp_t>(reinterpret_cast<uv_tcp_t*>(handle)).reset();
      self->release();
    });
  }
  void moved() { moved_at_ = uv_now(loop_); }

  // The owner is told from the loop, never from inside its own call.
  void fail_soon() {
    failing_ = true;
    uv_timer_start(&timer_, on_timer, 0, 0);
  }
  void end(const End& why) {
    Owner* owner = owner_;
    close();
    owner->stream_ended(why);
  }
  void end(int error) { end({End::Reason::kPeer, uv_strerror(error)}); }
  void note_error(const char* what, int error) {
    why_ = {End::Reason::kPeer, std::string(what) + uv_strerror(error)};
  }
  static void on_timer(uv_timer_t* timer) {
    Socket* self = of(timer->data);
    if (self->failing_) return self->end(self->why_);
    const std::uint64_t quiet = uv_now(self->loop_) - self->moved_at_;
    if (quiet >= self->deadline_ms_)
      return self->end({End::Reason::kTimeout, self->open_ ? "timeout" : "timeout of the connect"});
    uv_timer_start(timer, on_timer, self->deadline_ms_ - quiet, 0);
  }

  // --- connecting: the addresses of the name, one after the other ---

  static void on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* addresses) {
    Socket* self = of(request->data);
    self->addresses_ = self->next_address_ = addresses;
    if (self->owner_ != nullptr) {
      if (status != 0)
        self->end(status);
      else
        self->connect_next();
    }
    self->release();
  }

  void connect_next() {
    while (tcp_ == nullptr && next_address_ != nullptr)
      open(std::exchange(next_address_, next_address_->ai_next)->ai_addr);
    if (tcp_ == nullptr) end(why_);
  }

  // Leaves no handle behind where the attempt cannot begin.
  void open(const sockaddr* address) {
    make_handle();
    int error = 0;
    if (!options_.source_ip.empty()) {
      sockaddr_storage source{};
      error = parse_ip(options_.source_ip, 0, source)
                  ? uv_tcp_bind(tcp_, reinterpret_cast<const sockaddr*>(&source), 0)
                  : UV_EINVAL;
      if (error != 0) note_error("bind: ", error);
    }
    if (error == 0) {
      error = uv_tcp_connect(&connect_, tcp_, address, on_connected);
      if (error != 0) note_error("connect: ", error);
    }
    if (error == 0)
      hold();
    else
      drop_handle();
  }

  static void on_connected(uv_connect_t* request, int status) {
    Socket* self = of(request->data);
    if (self->owner_ != nullptr) {
      if (status == 0) status = self->start();
      if (status == 0) {
        self->moved();
        self->owner_->stream_opened();
      } else {
        self->note_error("", status);
        self->drop_handle();
        self->connect_next();
      }
    }
    self->release();
  }

  int start() {
    if (options_.no_delay) uv_tcp_nodelay(tcp_, 1);
    if (options_.keep_alive_seconds > 0) uv_tcp_keepalive(tcp_, 1, options_.keep_alive_seconds);
    if (reading_) {
      if (const int error = uv_read_start(stream(), on_alloc, on_read); error != 0) return error;
    }
    open_ = true;
    if (!out_.empty()) send();
    return 0;
  }

  // --- talking ---

  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buf) {
    // Without memory the room is empty, and libuv reports the read as failed.
    const auto room = of(handle->data)->in_.room(kReadLeast);
    *buf = uv_buf_init(room.data(), static_cast<unsigned>(std::min(room.size(), kReadMost)));
  }

  static void on_read(uv_stream_t* stream, ssize_t got, const uv_buf_t*) {
    Socket* self = of(stream->data);
    // A node of a large cluster has thousands of links, most of them idle: none keeps its room.
    if (got == 0) self->in_.trim(0);
    if (self->owner_ == nullptr || got == 0) return;
    if (got < 0) return self->end(static_cast<int>(got));
    self->moved();
    self->in_.filled(static_cast<std::size_t>(got));
    self->hold();  // the owner may destroy the stream
    self->owner_->stream_received();
    const std::size_t most = self->options_.limits.unread_most;
    if (self->owner_ != nullptr && most != 0 && self->in_.size() > most)
      self->end({End::Reason::kLimit, "more bytes than a message may have"});
    self->in_.trim(0);
    self->release();
  }

  void send() {
    std::array<uv_buf_t, kPiecesMost> pieces;
    unsigned count = 0;
    out_.gather(kPiecesMost, [&](char* data, std::size_t n) {
      n = std::min(n, kWriteMost - in_flight_);
      if (n == 0) return;
      pieces[count++] = uv_buf_init(data, static_cast<unsigned>(n));
      in_flight_ += n;
    });
    if (const int error = uv_write(&write_, stream(), pieces.data(), count, on_written);
        error != 0) {
      in_flight_ = 0;
      note_error("write: ", error);
      return fail_soon();
    }
    hold();
  }

  static void on_written(uv_write_t* request, int status) {
    Socket* self = of(request->data);
    const std::size_t written = std::exchange(self->in_flight_, 0);
    if (self->owner_ != nullptr) {
      if (status != 0) {
        self->end(status);
      } else {
        self->moved();
        self->out_.consume(written);
        if (self->out_.empty())
          self->owner_->stream_sent();
        else
          self->send();
      }
    }
    self->release();
  }

  uv_loop_t* loop_;
  Owner* owner_;  // null once closed
  const StreamTarget options_;
  uv_tcp_t* tcp_ = nullptr;
  uv_timer_t timer_{};
  uv_getaddrinfo_t resolve_{};
  uv_connect_t connect_{};
  uv_write_t write_{};
  addrinfo* addresses_ = nullptr;
  addrinfo* next_address_ = nullptr;
  int held_ = 0;  // by handles and requests that libuv still has, and by the stream
  bool open_ = false;
  bool reading_ = true;
  bool failing_ = false;
  End why_{End::Reason::kPeer, "no address"};
  std::uint64_t deadline_ms_ = kNoDeadline;
  std::uint64_t moved_at_ = 0;
  InputBuffer in_;
  OutBuffer out_;
  std::size_t in_flight_ = 0;  // bytes of out_ that libuv writes
};

std::unique_ptr<UvStream> UvStream::accept(uv_stream_t* listener, Owner& owner,
                                           const StreamTarget& options) {
  std::unique_ptr<UvStream> stream(new UvStream(new Socket(listener->loop, owner, options)));
  if (!stream->socket_->accept(listener)) return nullptr;
  return stream;
}

std::unique_ptr<UvStream> UvStream::connect(uv_loop_t* loop, Owner& owner,
                                            const StreamTarget& target) {
  std::unique_ptr<UvStream> stream(new UvStream(new Socket(loop, owner, target)));
  stream->socket_->connect();
  return stream;
}

UvStream::UvStream(Socket* socket) : socket_(socket) { socket_->hold(); }
UvStream::~UvStream() {
  socket_->close();
  socket_->release();
}

std::string_view UvStream::unread() const { return socket_->input().unread(); }
void UvStream::consume(std::size_t bytes) { socket_->consume(bytes); }
void UvStream::set_reading(bool on) { socket_->set_reading(on); }
void UvStream::write(std::string_view bytes) { socket_->write(bytes); }
std::size_t UvStream::unsent_bytes() const { return socket_->unsent(); }
void UvStream::set_deadline(std::chrono::milliseconds longest_silence) {
  socket_->set_deadline(static_cast<std::uint64_t>(longest_silence.count()));
}

std::string UvStream::peer_ip() const {
  sockaddr_storage address{};
  int size = sizeof address;
  if (socket_->tcp() != nullptr)
    uv_tcp_getpeername(socket_->tcp(), reinterpret_cast<sockaddr*>(&address), &size);
  return ip_text(address);
}

std::string UvStream::local_ip() const {
  sockaddr_storage address{};
  int size = sizeof address;
  if (socket_->tcp() != nullptr)
    uv_tcp_getsockname(socket_->tcp(), reinterpret_cast<sockaddr*>(&address), &size);
  return ip_text(address);
}

}  // namespace hearth
