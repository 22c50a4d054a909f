#include "src/net/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "src/base/log.h"

namespace hearth::net {
namespace {

constexpr std::size_t kReadChunk = 16 * 1024;
constexpr std::size_t kReadMost = 256 * 1024;  // bytes of one read into a client's own buffer
// A client whose requests wait stops being read here; the second, before it has authenticated.
constexpr std::size_t kParkedInputMost = 1024 * 1024;
constexpr std::size_t kStrangerInputMost = 64 * 1024;
// A client that sends without ever reading replies stops being read here. Large, because libraries
// send whole pipelines before they read the first reply.
constexpr std::size_t kOutputHighWater = 256 * 1024 * 1024;
constexpr unsigned kPiecesMost = 64;

// Assigning an empty string would keep the memory.
void free_memory(std::string& text) { std::string().swap(text); }

}  // namespace

Connection::Connection(Network& network, Kind kind) : network_(network), kind_(kind) {
  if (kind == Kind::kTcp)
    uv_tcp_init(network.loop_, &handle_.tcp);
  else
    uv_pipe_init(network.loop_, &handle_.pipe, 0);
  handle()->data = this;
  write_.data = this;
}

void Connection::start_reading() {
  if (Ring* ring = network_.ring_.get()) {
    uv_os_fd_t fd = -1;
    uv_fileno(handle(), &fd);
    ring->attach(*this, fd);
  }
  update_reading();
}

void Connection::update_reading() {
  if (closing_ || session_ == nullptr || held_) return;
  const std::size_t parked_most = session_->authenticated ? kParkedInputMost : kStrangerInputMost;
  const bool want = session_->out.size() < kOutputHighWater &&
                    !(session_->parked && input_.size() >= parked_most) &&
                    !session_->close_after_reply;
  set_reading(want);
}

void Connection::set_reading(bool on) {
  if (on == reading_) return;
  reading_ = on;
  if (Ring* ring = network_.ring_.get())
    on ? ring->receive(*this) : ring->stop_receiving(*this);
  else
    on ? uv_read_start(stream(), on_alloc, on_read) : uv_read_stop(stream());
}

void Connection::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buf) {
  auto* self = static_cast<Connection*>(handle->data);
  // A second read in one turn: the requests stay in order, behind each other in one buffer.
  if (self->gathered_ != nullptr) self->take_back();
  if (self->input_.empty()) {
    // Nothing unread: the loop's buffer serves; most reads are consumed whole.
    *buf = uv_buf_init(self->network_.gathering_.room(), Gathering::kReadMost);
    return;
  }
  // Without memory the room is empty, and libuv reports the read as failed.
  const auto room = self->input_.room(kReadChunk, self->parser_.bytes_wanted());
  *buf = uv_buf_init(room.data(), static_cast<unsigned>(std::min(room.size(), kReadMost)));
}

bool Connection::append_input(std::string_view bytes) {
  if (input_.append(bytes, parser_.bytes_wanted())) return true;
  log::warning("Closing client, no memory for its input: id={} addr={}", session_->id,
               session_->address);
  session_->close_now = true;
  network_.close_soon(*session_);
  return false;
}

Input Connection::own_input() const { return {input_.unread(), Input::Place::kOwn, 0}; }

void Connection::on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  auto* self = static_cast<Connection*>(stream->data);
  if (nread == 0 || self->closing_) return;
  if (nread < 0) return self->on_input_end(nread == UV_EOF ? 0 : static_cast<int>(nread));
  self->network_.refresh_time();
  const auto bytes = static_cast<std::size_t>(nread);
  self->count_input(bytes);
  // Where one read does not take all that has come, libuv reads again at once.
  const bool may_wait = bytes < buf->len;
  if (buf->base == self->network_.gathering_.room())
    return self->receive({{buf->base, bytes}, Input::Place::kShared, 0}, may_wait);
  self->input_.filled(bytes);
  self->receive(self->own_input(), may_wait);
}

void Connection::on_input(std::string_view bytes, unsigned buffer, bool more) {
  network_.refresh_time();
  count_input(bytes.size());
  // A second input in one turn: the requests stay in order, behind each other in one buffer.
  if (gathered_ != nullptr) take_back();
  if (!held_ && input_.empty()) return receive({bytes, Input::Place::kRing, buffer}, !more);
  if (held_) late_ += bytes;
  const bool kept = held_ || append_input(bytes);
  network_.ring_->give_back(buffer);
  if (!held_ && kept) receive(own_input(), !more);
}

void Connection::on_input_end(int error) {
  network_.refresh_time();
  set_reading(false);
  // What it sent before runs first. Reading starts again then, and meets the end again.
  if (gathered_ != nullptr) return;
  // A client may have ended only its own side: what was answered goes out, as far as it takes it.
  sends_no_more_ = error == 0 && !session_->out.empty() && !full_;
  if (sends_no_more_)
    session_->close_after_reply = true;
  else
    session_->close_now = true;
  network_.close_soon(*session_);
}

void Connection::count_input(std::size_t bytes) {
  Stats& stats = network_.engine_->stats();
  stats.net_input_bytes += bytes;
  ++stats.reads_processed;
  session_->net_input += bytes;
  // A client in the middle of a long request is not idle.
  session_->last_active = network_.engine_->mono_now();
}

void Connection::receive(Input data, bool may_wait) {
  Gathering& gathering = network_.gathering_;
  const std::size_t size = data.bytes.size();
  input_peak_ = std::max(input_peak_, size);
  if (const std::uint64_t limit = network_.config_->settings().client_query_buffer_limit;
      size > limit && limit != 0) {
    log::warning("Closing client that reached max query buffer length: id={} addr={} qbuf={}",
                 session_->id, session_->address, size);
    ++network_.engine_->stats().query_buffer_limit_disconnections;
    session_->close_now = true;
    keep_rest(data, size);
    return network_.close_soon(*session_);
  }
  // A request of which more is missing than has come needs no look at all.
  if (session_->parked || parser_.bytes_wanted() > size) return keep_rest(data, 0);
  may_wait = may_wait && !gathering.is_full() &&
             (data.place != Input::Place::kShared || gathering.holds(size));
  Gathering::Part* part = may_wait ? &gathering.parts[gathering.count] : nullptr;
  RequestBatch& batch = may_wait ? part->batch : network_.batch_;
  const RequestParser::Status status = parse(data.bytes, 0, batch);
  if (batch.requests.empty() && status == RequestParser::Status::kNeedMore)
    return keep_rest(data, 0);
  if (!may_wait || batch.requests.size() >= Gathering::kEnough)
    return keep_rest(data, process_alone(data.bytes, batch, status));
  part->connection = this;
  part->data = data;
  part->status = status;
  gathered_ = part;
  ++gathering.count;
  if (data.place == Input::Place::kShared) gathering.used += size;
}

void Connection::run(Gathering::Part& part) {
  gathered_ = nullptr;
  keep_rest(part.data, process(part.data.bytes, part.batch, part.status));
}

void Connection::take_back() {
  Gathering::Part& part = *std::exchange(gathered_, nullptr);
  part.connection = nullptr;
  parser_.reset();
  keep_rest(part.data, 0);
}

RequestParser::Status Connection::parse(std::string_view data, std::size_t from,
                                        RequestBatch& batch) {
  Engine& engine = *network_.engine_;
  const ParserLimits limits{static_cast<std::int64_t>(engine.settings().proto_max_bulk_len),
                            0x7fffffff, 64 * 1024, session_->authenticated};
  auto status = RequestParser::Status::kNeedMore;
  batch.clear();
  while (batch.requests.size() < RequestBatch::kRequestsMost) {
    const auto first = static_cast<std::uint32_t>(batch.words.size());
    std::size_t used = 0;
    status = parser_.next(data.substr(from), limits, batch.words, used);
    if (status != RequestParser::Status::kRequest) break;
    from += used;
    batch.requests.push_back(
        {first, static_cast<std::uint32_t>(batch.words.size()) - first, from, nullptr, {}});
    // Inline words live in the parser, and what comes before AUTH is parsed under other limits.
    if (parser_.last_was_inline() || !session_->authenticated) break;
  }
  engine.prepare(*session_, batch);
  return status;
}

std::size_t Connection::process_alone(std::string_view data, RequestBatch& batch,
                                      RequestParser::Status status) {
  const SessionBatch alone{session_, &batch};
  network_.engine_->fetch({&alone, 1});
  return process(data, batch, status);
}

std::size_t Connection::process(std::string_view data, RequestBatch& batch,
                                RequestParser::Status status) {
  Engine& engine = *network_.engine_;
  std::size_t consumed = 0;
  for (;;) {
    if (batch.requests.empty() && status == RequestParser::Status::kNeedMore) return consumed;
    const std::size_t done = batch.requests.empty() ? 0 : engine.run_prepared(*session_, batch);
    if (done > 0) consumed = batch.requests[done - 1].end;
    if (done < batch.requests.size() || session_->parked || session_->close_now ||
        session_->close_after_reply) {
      parser_.reset();  // it stands behind requests that did not run
      return consumed;
    }
    if (status == RequestParser::Status::kError) {
      log::verbose("Protocol error ({}) from client: id={} addr={}", parser_.error(), session_->id,
                   session_->address);
      engine.protocol_error(*session_, parser_.error());
      return consumed;
    }
    if (status == RequestParser::Status::kNeedMore) return consumed;
    if (session_->out.size() >= kOutputHighWater) return consumed;
    status = parse(data, consumed, batch);
    const SessionBatch alone{session_, &batch};
    engine.fetch({&alone, 1});
  }
}

void Connection::keep_rest(const Input& data, std::size_t consumed) {
  const std::size_t rest = data.bytes.size() - consumed;
  // The buffer stays for the next large request; trim_input takes it back.
  if (data.place == Input::Place::kOwn)
    input_.consume(consumed);
  else
    append_input(data.bytes.substr(consumed, rest));
  if (data.place == Input::Place::kRing) network_.ring_->give_back(data.ring_buffer);
  if (!late_.empty() && !held_) {
    append_input(late_);
    free_memory(late_);
    network_.resume_soon(*session_);
  }
  note_input();
  update_reading();
}

void Connection::note_input() {
  const std::size_t unread = input_.size();
  session_->argv_bytes = std::min(unread, parser_.bytes_behind());
  session_->query_bytes = unread - session_->argv_bytes;
  session_->query_free = input_.capacity() - unread;
  network_.engine_->note_buffers(*session_);
}

void Connection::trim_input(bool idle) {
  if (closing_ || held_ || gathered_ != nullptr || input_.capacity() == 0) return;
  const std::size_t keep = idle ? 0 : std::max(input_peak_, 2 * kReadChunk);
  input_peak_ = input_.size();
  input_.trim(keep);
  note_input();
}

void Connection::resume() {
  if (closing_ || held_ || session_->parked || session_->close_now) return;
  if (!input_.empty()) {
    const Input data = own_input();
    const RequestParser::Status status = parse(data.bytes, 0, network_.batch_);
    keep_rest(data, process_alone(data.bytes, network_.batch_, status));
  }
  update_reading();
}

void Connection::flush() {
  session_->output_pending = false;
  // What was added goes out when the write under way ends.
  if (in_flight_ > 0 || full_ || closing_) return;
  if (session_->close_now) return;  // killed, or above its output limit: it hears no more
  OutBuffer& out = session_->out;
  if (network_.ring_ != nullptr) {
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
    if (written == UV_EAGAIN && !sends_no_more_) return queue_write();
    if (written < 0) {
      session_->close_now = true;
      network_.close_soon(*session_);
      return;
    }
    take_written(static_cast<std::size_t>(written));
    ++network_.engine_->stats().writes_processed;
    if (static_cast<std::size_t>(written) < total && !sends_no_more_) return queue_write();
  }
}

void Connection::take_written(std::size_t bytes) {
  session_->out.consume(bytes);
  // A client that takes a long reply slowly is not idle.
  if (bytes > 0) session_->last_active = network_.engine_->mono_now();
  network_.engine_->note_buffers(*session_);
  session_->net_output += bytes;
  Stats& stats = network_.engine_->stats();
  stats.net_output_bytes += bytes;
  if (session_->replica) stats.net_repl_output_bytes += bytes;
}

void Connection::queue_write() {
  std::array<uv_buf_t, kPiecesMost> pieces;
  unsigned count = 0;
  in_flight_ = 0;
  session_->out.gather(kPiecesMost, [&](char* data, std::size_t n) {
    pieces[count++] = uv_buf_init(data, static_cast<unsigned>(n));
    in_flight_ += n;
  });
  if (uv_write(&write_, stream(), pieces.data(), count, on_written) != 0) {
    in_flight_ = 0;
    session_->close_now = true;
    network_.close_soon(*session_);
  }
  update_reading();
}

void Connection::send_through_ring() {
  std::array<iovec, Ring::kPiecesMost> pieces;
  std::size_t count = 0;
  in_flight_ = 0;
  session_->out.gather(Ring::kPiecesMost, [&](char* data, std::size_t n) {
    pieces[count++] = {data, n};
    in_flight_ += n;
  });
  network_.ring_->send(*this, {pieces.data(), count});
}

void Connection::on_written(uv_write_t* request, int status) {
  auto* self = static_cast<Connection*>(request->data);
  self->end_write(status < 0 ? status : static_cast<std::int64_t>(self->in_flight_));
}

void Connection::on_sent(int result) { end_write(result == -EAGAIN ? 0 : result); }

void Connection::end_write(std::int64_t result) {
  if (held_) {
    written_while_held_ = true;
    write_result_ = result;
    return;
  }
  finish_write(result);
}

void Connection::finish_write(std::int64_t result) {
  const std::size_t asked = std::exchange(in_flight_, 0);
  if (closing_ || session_ == nullptr) return;
  if (result < 0) {
    session_->close_now = true;
    network_.close_soon(*session_);
    return;
  }
  const auto written = static_cast<std::size_t>(result);
  take_written(written);
  if (network_.ring_ != nullptr) ++network_.engine_->stats().writes_processed;
  if (written < asked && sends_no_more_) {
    session_->close_now = true;
    return network_.close_soon(*session_);
  }
  if (written < asked) {
    full_ = true;
    network_.ring_->wait_writable(*this);
  } else {
    flush_rest();
  }
  if (session_->close_after_reply && session_->out.empty()) network_.close_soon(*session_);
  if (!session_->parked && session_->out.size() < kOutputHighWater && !reading_)
    network_.resume_soon(*session_);
  update_reading();
}

void Connection::on_writable() {
  full_ = false;
  flush_rest();
}

// Not here: replies of this turn may stand in the output, and what must be on the disk before them
// is written at the end of the turn.
void Connection::flush_rest() {
  if (session_->out.empty()) return;
  session_->output_pending = true;
  network_.flush_soon(*session_);
}

void Connection::hold() {
  if (held_) return;
  held_ = true;
  set_reading(false);
}

void Connection::release() {
  if (!held_) return;
  held_ = false;
  // The session is still in the middle of its command: what a finished write leads to comes when
  // this loop turn ends. Reading starts again when the batch is through.
  if (written_while_held_) network_.finish_write_soon(*session_);
}

bool Connection::exchange_blocking(std::string_view out, std::string& in) {
  uv_os_fd_t fd = -1;
  if (closing_ || uv_fileno(handle(), &fd) != 0) return false;
  settle();
  if (in_flight_ > 0 || full_) return false;
  const auto ready = [fd](short event) {
    pollfd p{fd, event, 0};
    return ::poll(&p, 1, -1) > 0;
  };
  std::string bytes = session_->out.str();
  session_->out.clear();
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

// Until now the ring may receive and send; from now on whoever uses the socket does, till its
// session's command has ended.
void Connection::settle() {
  Ring* ring = network_.ring_.get();
  if (ring == nullptr) return;
  const bool held_before = std::exchange(held_, true);
  set_reading(false);
  ring->settle(*this);
  finish_held_write();
  held_ = held_before;
}

void Connection::finish_held_write() {
  if (std::exchange(written_while_held_, false)) finish_write(write_result_);
}

void Connection::refuse(std::string_view line) {
  const uv_buf_t piece =
      uv_buf_init(const_cast<char*>(line.data()), static_cast<unsigned>(line.size()));
  // Best effort: a socket that is new takes a line; if not, the client sees the end alone.
  static_cast<void>(uv_try_write(stream(), &piece, 1));
  close();
}

void Connection::close() {
  if (closing_) return;
  closing_ = true;
  // Nothing reads it any more, and the handle can take its time to go.
  input_.release();
  free_memory(late_);
  if (session_ != nullptr) {
    // A write under way still points into the output: it lives until that has ended.
    if (in_flight_ > 0) {
      last_output_ = std::move(session_->out);
      dying_bytes_ = std::exchange(session_->dying_bytes, 0);
    }
    Session& session = *session_;
    session_ = nullptr;
    network_.engine_->close(session);
    --network_.connection_count_;
  }
  if (network_.ring_ != nullptr) return network_.ring_->forget(*this);
  on_idle();
}

void Connection::on_idle() {
  uv_close(handle(), [](uv_handle_t* h) {
    auto* self = static_cast<Connection*>(h->data);
    if (self->dying_bytes_ > 0) self->network_.engine_->released(self->dying_bytes_);
    delete self;
  });
}

}  // namespace hearth::net
