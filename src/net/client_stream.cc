#include "src/net/client_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace hearth::net {
namespace {

constexpr std::size_t kReadChunk = 16 * 1024;
constexpr std::size_t kReadMost = 256 * 1024;  // bytes of one read into a client's own buffer
constexpr unsigned kPiecesMost = 64;
// Bytes that libuv is given to write at its pace. It tells of them when all are written: with more
// at a time, a client that takes a long reply slowly would look idle.
constexpr std::size_t kQueuedMost = std::size_t{1} << 20;

// Assigning an empty string would keep the memory.
void free_memory(std::string& text) { std::string().swap(text); }

}  // namespace

SocketStream::SocketStream(uv_loop_t* loop, Ring* ring, Gathering& gathering, Owner& owner,
                           Kind kind)
    : ring_(ring), gathering_(gathering), owner_(owner), kind_(kind) {
  if (kind_ == Kind::kTcp)
    uv_tcp_init(loop, &handle_.tcp);
  else
    uv_pipe_init(loop, &handle_.pipe, 0);
  handle()->data = this;
  write_.data = this;
}

void SocketStream::start(OutBuffer& output) {
  output_ = &output;
  if (ring_ == nullptr) return;
  uv_os_fd_t fd = -1;
  uv_fileno(handle(), &fd);
  ring_->attach(*this, fd);
}

// --- reading ---

std::string_view SocketStream::unread() const {
  return place_ == Place::kOwn ? input_.unread() : elsewhere_;
}

void SocketStream::set_reading(bool on) {
  if (on == reading_ || closing_ || held_) return;
  reading_ = on;
  if (ring_ != nullptr)
    on ? ring_->receive(*this) : ring_->stop_receiving(*this);
  else
    on ? uv_read_start(stream(), on_alloc, on_read) : uv_read_stop(stream());
}

void SocketStream::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buf) {
  auto* self = static_cast<SocketStream*>(handle->data);
  // A second read in one turn: the bytes of both stand behind each other, in order.
  self->move_unread();
  if (self->input_.empty()) {
    // Nothing unread: the loop's buffer serves; most reads are consumed whole.
    *buf = uv_buf_init(self->gathering_.room(), Gathering::kReadMost);
    return;
  }
  // Without memory the room is empty, and libuv reports the read as failed.
  const auto room = self->input_.room(kReadChunk, self->expected_);
  *buf = uv_buf_init(room.data(), static_cast<unsigned>(std::min(room.size(), kReadMost)));
}

void SocketStream::on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  auto* self = static_cast<SocketStream*>(stream->data);
  if (nread == 0 || self->closing_) return;
  if (nread < 0) return self->on_input_end(nread == UV_EOF ? 0 : static_cast<int>(nread));
  const auto bytes = static_cast<std::size_t>(nread);
  // Where one read does not take all that has come, libuv reads again at once.
  bool more = bytes == buf->len;
  if (buf->base == self->gathering_.room()) {
    self->elsewhere_ = {buf->base, bytes};
    self->place_ = Place::kShared;
    more = more || !self->gathering_.holds(bytes);
  } else {
    self->input_.filled(bytes);
  }
  self->tell_input(bytes, more);
}

void SocketStream::on_input(std::string_view bytes, unsigned buffer, bool more) {
  move_unread();
  if (!held_ && input_.empty()) {
    elsewhere_ = bytes;
    place_ = Place::kRing;
    ring_buffer_ = buffer;
    return tell_input(bytes.size(), more);
  }
  if (held_)
    late_ += bytes;
  else
    append_input(bytes);
  ring_->give_back(buffer);
  if (!held_) tell_input(bytes.size(), more);
}

void SocketStream::tell_input(std::size_t bytes, bool more) {
  lent_ = true;
  owner_.client_sent(bytes, more);
  // The next read of the turn goes behind bytes that the owner still needs.
  if (lent_ && place_ == Place::kShared) gathering_.used += elsewhere_.size();
}

void SocketStream::move_unread() {
  if (!lent_ || held_) return;
  owner_.stream_moves();
  consume(0);
}

void SocketStream::consume(std::size_t bytes) {
  if (closing_) return;
  lent_ = false;
  switch (std::exchange(place_, Place::kOwn)) {
    case Place::kOwn: input_.consume(bytes); break;
    case Place::kRing:
      append_input(elsewhere_.substr(bytes));
      ring_->give_back(ring_buffer_);
      break;
    case Place::kShared: append_input(elsewhere_.substr(bytes)); break;
  }
  if (late_.empty() || held_) return;
  append_input(late_);
  free_memory(late_);
}

void SocketStream::append_input(std::string_view bytes) {
  if (!input_.append(bytes, expected_)) end(UV_ENOMEM);
}

void SocketStream::on_input_end(int error) {
  set_reading(false);
  owner_.input_ended(error);
}

void SocketStream::end(int error) { owner_.stream_ended({End::Reason::kPeer, uv_strerror(error)}); }

// --- writing ---

void SocketStream::write(std::string_view bytes) {
  output_->append(bytes);
  flush();
}

bool SocketStream::stop_waiting() {
  if (full_) return false;
  waits_ = false;
  return true;
}

void SocketStream::flush() {
  // While a write is under way, its completion sends the rest.
  if (in_flight_ > 0 || full_ || closing_ || held_) return;
  OutBuffer& out = *output_;
  if (ring_ != nullptr) {
    if (!out.empty()) send_through_ring();
    return;
  }
  while (!out.empty()) {
    std::array<uv_buf_t, kPiecesMost> pieces;
    unsigned count = 0;
    std::size_t total = 0;
    out.gather(kPiecesMost, [&](char* data, std::size_t n) {
      pieces[count++] = uv_buf_init(data, static_cast<unsigned>(n));
      total += n;
    });
    const int written = uv_try_write(stream(), pieces.data(), count);
    if (written == UV_EAGAIN && waits_) return queue_write();
    if (written < 0) return end(written);
    out.consume(static_cast<std::size_t>(written));
    owner_.stream_took(static_cast<std::size_t>(written));
    if (static_cast<std::size_t>(written) < total && waits_) return queue_write();
  }
}

void SocketStream::queue_write() {
  std::array<uv_buf_t, kPiecesMost> pieces;
  unsigned count = 0;
  in_flight_ = 0;
  output_->gather(kPiecesMost, [&](char* data, std::size_t n) {
    n = std::min(n, kQueuedMost - in_flight_);
    if (n == 0) return;
    pieces[count++] = uv_buf_init(data, static_cast<unsigned>(n));
    in_flight_ += n;
  });
  if (const int error = uv_write(&write_, stream(), pieces.data(), count, on_written); error != 0) {
    in_flight_ = 0;
    end(error);
  }
}

void SocketStream::send_through_ring() {
  std::array<iovec, Ring::kPiecesMost> pieces;
  std::size_t count = 0;
  in_flight_ = 0;
  output_->gather(Ring::kPiecesMost, [&](char* data, std::size_t n) {
    pieces[count++] = {data, n};
    in_flight_ += n;
  });
  ring_->send(*this, {pieces.data(), count});
}

void SocketStream::on_written(uv_write_t* request, int status) {
  auto* self = static_cast<SocketStream*>(request->data);
  self->end_write(status < 0 ? status : static_cast<std::int64_t>(self->in_flight_));
}

void SocketStream::on_sent(int result) { end_write(result == -EAGAIN ? 0 : result); }

void SocketStream::end_write(std::int64_t result) {
  if (held_) {
    written_while_held_ = true;
    write_result_ = result;
    return;
  }
  finish_write(result);
}

void SocketStream::finish_write(std::int64_t result) {
  const std::size_t asked = std::exchange(in_flight_, 0);
  if (closing_) return;
  if (result < 0) return end(static_cast<int>(result));
  const auto written = static_cast<std::size_t>(result);
  output_->consume(written);
  owner_.stream_took(written);
  if (written < asked && !waits_) return end(UV_EAGAIN);
  if (written < asked) {
    full_ = true;
    ring_->wait_writable(*this);
  }
  owner_.stream_writable();
}

void SocketStream::on_writable() {
  full_ = false;
  owner_.stream_writable();
}

void SocketStream::write_last(std::string_view line) {
  const uv_buf_t piece =
      uv_buf_init(const_cast<char*>(line.data()), static_cast<unsigned>(line.size()));
  // Best effort: a new socket has room for one line.
  static_cast<void>(uv_try_write(stream(), &piece, 1));
}

// --- turns in which the socket is left alone ---

void SocketStream::hold() {
  if (held_) return;
  set_reading(false);
  held_ = true;
}

bool SocketStream::release() {
  held_ = false;
  return written_while_held_;
}

void SocketStream::finish_held_write() {
  if (std::exchange(written_while_held_, false)) finish_write(write_result_);
}

bool SocketStream::exchange_blocking(std::string_view out, std::string& in) {
  uv_os_fd_t fd = -1;
  if (closing_ || uv_fileno(handle(), &fd) != 0) return false;
  settle();
  if (in_flight_ > 0 || full_) return false;
  const auto ready = [fd](short event) {
    pollfd p{fd, event, 0};
    return ::poll(&p, 1, -1) > 0;
  };
  std::string bytes = output_->str();
  output_->clear();
  bytes += out;
  for (std::size_t sent = 0; sent < bytes.size();) {
    if (!ready(POLLOUT)) return false;
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  if (!late_.empty()) {
    in += std::exchange(late_, {});
    return true;
  }
  if (!ready(POLLIN)) return false;
  char chunk[kReadChunk];
  const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
  if (n <= 0) return false;
  in.append(chunk, static_cast<std::size_t>(n));
  return true;
}

// Ends all operations of the ring on this socket: from now until the session's command ends, the
// caller reads and writes the socket itself.
void SocketStream::settle() {
  if (ring_ == nullptr) return;
  const bool held_before = held_;
  hold();
  ring_->settle(*this);
  finish_held_write();
  held_ = held_before;
}

// --- the end ---

std::size_t SocketStream::close() {
  if (closing_) return 0;
  closing_ = true;
  if (place_ == Place::kRing) ring_->give_back(ring_buffer_);
  place_ = Place::kOwn;
  lent_ = false;
  // Freed now: libuv may take a while to close the handle.
  input_.release();
  free_memory(late_);
  // A write under way points into the output: keep it until the write ends.
  if (in_flight_ > 0) last_output_ = std::move(*output_);
  const std::size_t writing = in_flight_;
  if (ring_ != nullptr)
    ring_->forget(*this);
  else
    on_idle();
  return writing;
}

void SocketStream::on_idle() {
  uv_close(handle(),
           [](uv_handle_t* h) { static_cast<SocketStream*>(h->data)->owner_.stream_gone(); });
}

}  // namespace hearth::net
