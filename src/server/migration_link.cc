#include "src/server/migration_link.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/proto/reply_parser.h"

namespace hearth {
namespace {

// One write at a time, so that a slow peer shows progress to the timeout.
constexpr std::size_t kWritePiece = 256 * 1024;
constexpr std::size_t kReadPiece = 16 * 1024;
constexpr std::size_t kIdleChannelsMost = 64;
constexpr std::uint64_t kIdleMs = 10'000;

constexpr std::string_view kConnectError = "IOERR error or timeout connecting to the client";
constexpr std::string_view kWriteError = "IOERR error or timeout writing to target instance";
constexpr std::string_view kReadError = "IOERR error or timeout reading to target instance";

std::string encode(const std::vector<std::vector<std::string>>& commands) {
  std::string out;
  for (const auto& words : commands) {
    out += "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      out += "$" + std::to_string(word.size()) + "\r\n";
      out += word;
      out += "\r\n";
    }
  }
  return out;
}

}  // namespace

// A job as bytes, and what it has heard.
struct MigrationLink::Work {
  std::string host;
  std::uint16_t port = 0;
  std::string preamble, commands;
  std::size_t preamble_count = 0, command_count = 0;
  bool authenticates = false;  // the preamble does more than choose a database
  std::uint64_t timeout_ms = 0;
  std::function<void(JobResult)> done;
  std::size_t replies = 0;  // the preamble's too, where it is sent
  std::vector<std::string> errors;
};

// One connection. Lives until libuv has let go of its last handle and request.
class MigrationLink::Channel {
 public:
  Channel(MigrationLink& link, std::unique_ptr<Work> work)
      : link_(link),
        work_(std::move(work)),
        host_(work_->host),
        port_(work_->port),
        preamble_(work_->preamble) {
    uv_timer_init(link_.loop_, &timer_);
    timer_.data = resolve_.data = connect_.data = write_.data = this;
    ++held_;
  }
  ~Channel() {
    if (addresses_ != nullptr) uv_freeaddrinfo(addresses_);
  }

  void open() {
    note_progress();
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    if (uv_getaddrinfo(link_.loop_, &resolve_, on_resolved, host_.c_str(),
                       std::to_string(port_).c_str(), &hints) != 0) {
      uv_timer_start(&timer_, on_timeout, 0, 0);  // the end never comes from inside start
      return;
    }
    ++held_;
  }

  [[nodiscard]] bool is_idle() const { return !closed_ && work_ == nullptr; }
  [[nodiscard]] bool fits(const Work& work) const {
    return is_idle() && work.host == host_ && work.port == port_ && work.preamble == preamble_;
  }
  // The preamble was accepted on this channel before; but rights may have changed since, so that
  // one that names a password is sent again.
  void reuse(std::unique_ptr<Work> work) {
    reused_ = true;
    work_ = std::move(work);
    if (!work_->authenticates) work_->replies = work_->preamble_count;
    replies_before_ = work_->replies;
    note_progress();
    send(work_->authenticates ? work_->preamble : work_->commands);
  }

  // Closes everything; nobody is told.
  void close() {
    if (closed_) return;
    closed_ = true;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolve_));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
             [](uv_handle_t* h) { of(h->data)->release(); });
    drop_socket();
  }

 private:
  enum class Phase : std::uint8_t { kConnecting, kWriting, kReading };

  static Channel* of(void* data) { return static_cast<Channel*>(data); }

  void release() {
    if (--held_ > 0) return;
    link_.channels_.erase(this);
    delete this;
  }

  // The job is over; the channel goes on, or was closed before.
  void finish(std::string failure) {
    const std::unique_ptr<Work> work = std::move(work_);
    if (!closed_) become_idle();
    link_.before_done_();
    work->done(JobResult{std::move(failure), std::move(work->errors)});
  }
  void become_idle() {
    std::size_t idle = 0;
    for (const Channel* c : link_.channels_) idle += c->is_idle() ? 1 : 0;
    if (idle > kIdleChannelsMost) return close();
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { of(timer->data)->close(); }, kIdleMs, 0);
  }
  void fail(std::string_view error) {
    close();
    finish(std::string(error));
  }
  [[nodiscard]] std::string_view current_error() const {
    return phase_ == Phase::kConnecting ? kConnectError
           : phase_ == Phase::kWriting  ? kWriteError
                                        : kReadError;
  }
  // The connection broke.
  void break_off() {
    if (closed_) return;
    if (work_ == nullptr) return close();
    if (reused_ && work_->replies == replies_before_) {
      // The peer had closed it while it was idle: that says nothing about the job.
      close();
      return link_.start_on_new_channel(std::move(work_));
    }
    fail(current_error());
  }
  void note_progress() { uv_timer_start(&timer_, on_timeout, work_->timeout_ms, 0); }

  static void on_timeout(uv_timer_t* timer) {
    Channel* self = of(timer->data);
    if (!self->closed_) self->fail(self->current_error());
  }

  // --- connecting: the addresses of the name, one after the other ---

  static void on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* addresses) {
    Channel* self = of(request->data);
    self->addresses_ = self->next_address_ = addresses;
    if (!self->closed_) {
      if (status != 0)
        self->break_off();
      else
        self->connect_next();
    }
    self->release();
  }

  void connect_next() {
    while (next_address_ != nullptr) {
      const addrinfo* address = std::exchange(next_address_, next_address_->ai_next);
      socket_ = std::make_unique<uv_tcp_t>().release();  // freed when libuv has closed it
      uv_tcp_init(link_.loop_, socket_);
      socket_->data = this;
      ++held_;
      if (uv_tcp_connect(&connect_, socket_, address->ai_addr, on_connected) == 0) {
        ++held_;
        return;
      }
      drop_socket();
    }
    break_off();
  }

  void drop_socket() {
    if (socket_ == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(socket_, nullptr)), [](uv_handle_t* h) {
      Channel* self = of(h->data);
      std::unique_ptr<uv_tcp_t>(reinterpret_cast<uv_tcp_t*>(h)).reset();
      self->release();
    });
  }

  static void on_connected(uv_connect_t* request, int status) {
    Channel* self = of(request->data);
    if (!self->closed_) {
      if (status == 0) {
        self->greet();
      } else {
        self->drop_socket();
        self->connect_next();
      }
    }
    self->release();
  }

  void greet() {
    note_progress();
    uv_tcp_nodelay(socket_, 1);
    if (uv_read_start(reinterpret_cast<uv_stream_t*>(socket_), on_alloc, on_read) != 0)
      return break_off();
    send(work_->preamble_count > 0 ? work_->preamble : work_->commands);
  }

  // --- talking ---

  void send(std::string& text) {
    outgoing_ = &text;
    sent_ = 0;
    send_piece();
  }

  void send_piece() {
    phase_ = sent_ < outgoing_->size() ? Phase::kWriting : Phase::kReading;
    if (phase_ == Phase::kReading) return;
    piece_ = std::min(kWritePiece, outgoing_->size() - sent_);
    const uv_buf_t bytes = uv_buf_init(outgoing_->data() + sent_, static_cast<unsigned>(piece_));
    if (uv_write(&write_, reinterpret_cast<uv_stream_t*>(socket_), &bytes, 1, on_written) != 0) {
      uv_timer_start(&timer_, on_timeout, 0, 0);  // may be inside start
      return;
    }
    ++held_;
  }

  static void on_written(uv_write_t* request, int status) {
    Channel* self = of(request->data);
    if (!self->closed_) {
      if (status != 0) {
        self->break_off();
      } else {
        self->note_progress();
        self->sent_ += self->piece_;
        self->send_piece();
      }
    }
    self->release();
  }

  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buf) {
    const auto room = of(handle->data)->parser_.room(kReadPiece);
    *buf = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
  }

  static void on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t*) {
    Channel* self = of(stream->data);
    if (self->closed_ || nread == 0) return;
    // An idle peer has nothing to say.
    if (nread < 0 || self->work_ == nullptr) return self->break_off();
    self->note_progress();
    self->parser_.filled(static_cast<std::size_t>(nread));
    while (!self->closed_ && self->work_ != nullptr) {
      auto reply = self->parser_.next();
      if (!reply) return self->fail(kReadError);
      if (!*reply) return;
      self->take_reply(**reply);
    }
  }

  void take_reply(const RespValue& reply) {
    Work& work = *work_;
    const bool in_preamble = work.replies < work.preamble_count;
    ++work.replies;
    if (in_preamble) {
      // Keys must not arrive as the wrong user or in the wrong database.
      if (reply.is_error())
        return fail("ERR Target instance replied with error: " + std::string(reply.text()));
      if (work.replies < work.preamble_count) return;
      if (phase_ == Phase::kWriting) return fail(kReadError);  // answered before it was asked
      return send(work.commands);
    }
    work.errors.push_back(reply.is_error() ? std::string(reply.text()) : std::string());
    if (work.replies < work.preamble_count + work.command_count) return;
    // A peer that answered what it was not sent yet is not to be trusted with another job.
    if (phase_ == Phase::kWriting || parser_.buffered() > 0) close();
    finish({});
  }

  MigrationLink& link_;
  std::unique_ptr<Work> work_;  // null: idle
  const std::string host_;
  const std::uint16_t port_;
  const std::string preamble_;
  uv_timer_t timer_{};
  uv_getaddrinfo_t resolve_{};
  uv_connect_t connect_{};
  uv_write_t write_{};
  uv_tcp_t* socket_ = nullptr;
  addrinfo* addresses_ = nullptr;
  addrinfo* next_address_ = nullptr;
  int held_ = 0;  // handles and requests that libuv still has
  bool closed_ = false;
  bool reused_ = false;
  std::size_t replies_before_ = 0;  // of the work, when the channel was used again
  Phase phase_ = Phase::kConnecting;
  std::string* outgoing_ = nullptr;
  std::size_t sent_ = 0, piece_ = 0;
  ReplyParser parser_;
};

MigrationLink::MigrationLink(uv_loop_t* loop, std::function<void()> before_done)
    : loop_(loop), before_done_(std::move(before_done)) {}

MigrationLink::~MigrationLink() { HEARTH_CHECK(channels_.empty()); }

void MigrationLink::start(Job job, std::function<void(JobResult)> done) {
  auto work = std::make_unique<Work>();
  work->host = std::move(job.host);
  work->port = job.port;
  work->preamble = encode(job.preamble);
  work->preamble_count = job.preamble.size();
  work->authenticates = std::any_of(job.preamble.begin(), job.preamble.end(),
                                    [](const auto& words) { return words[0] == "AUTH"; });
  work->commands = encode(job.commands);
  work->command_count = job.commands.size();
  work->timeout_ms = static_cast<std::uint64_t>(job.timeout.count());
  work->done = std::move(done);
  const auto idle = std::find_if(channels_.begin(), channels_.end(),
                                 [&](const Channel* c) { return c->fits(*work); });
  if (idle != channels_.end())
    (*idle)->reuse(std::move(work));
  else
    start_on_new_channel(std::move(work));
}

void MigrationLink::start_on_new_channel(std::unique_ptr<Work> work) {
  work->replies = 0;
  auto channel = std::make_unique<Channel>(*this, std::move(work));
  channels_.insert(channel.get());
  channel.release()->open();  // deletes itself when its last handle is closed
}

std::uint64_t MigrationLink::cached_connections() const {
  return static_cast<std::uint64_t>(std::count_if(channels_.begin(), channels_.end(),
                                                  [](const Channel* c) { return c->is_idle(); }));
}

void MigrationLink::stop() {
  for (Channel* c : channels_) c->close();  // only marks and closes: the set changes later
}

}  // namespace hearth
