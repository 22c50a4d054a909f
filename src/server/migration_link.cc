#include "src/server/migration_link.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/proto/reply_parser.h"

namespace hearth {
namespace {

// One write at a time, so that a slow peer shows progress to the timeout.
constexpr std::size_t kWritePiece = 256 * 1024;
constexpr std::size_t kReadPiece = 16 * 1024;

constexpr std::string_view kConnectError = "IOERR error or timeout connecting to the client";
constexpr std::string_view kWriteError = "IOERR error or timeout writing to target instance";
constexpr std::string_view kReadError = "IOERR error or timeout reading to target instance";

void append_command(std::string& out, const std::vector<std::string>& words) {
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
}

}  // namespace

// One job. Lives until its last handle is closed, which may be after its end.
class MigrationLink::Transfer {
 public:
  Transfer(MigrationLink& link, Job job, std::function<void(JobResult)> done)
      : link_(link), job_(std::move(job)), done_(std::move(done)) {
    uv_timer_init(link_.loop_, &timer_);
    timer_.data = resolve_.data = connect_.data = write_.data = this;
    ++open_;
    for (const auto& words : job_.preamble) append_command(preamble_, words);
    for (const auto& words : job_.commands) append_command(commands_, words);
    reply_count_ = job_.preamble.size() + job_.commands.size();
  }
  ~Transfer() {
    if (addresses_ != nullptr) uv_freeaddrinfo(addresses_);
  }

  void begin() {
    uv_timer_start(&timer_, on_timeout, static_cast<std::uint64_t>(job_.timeout.count()), 0);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const std::string service = std::to_string(job_.port);
    if (uv_getaddrinfo(link_.loop_, &resolve_, on_resolved, job_.host.c_str(), service.c_str(), &hints) != 0) {
      uv_timer_start(&timer_, on_timeout, 0, 0);  // the end never comes from inside start
      return;
    }
    ++open_;
  }

  // Closes everything; nobody is told.
  void abandon() {
    if (ended_) return;
    ended_ = true;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolve_));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_), [](uv_handle_t* h) { static_cast<Transfer*>(h->data)->release(); });
    drop_socket();
  }

 private:
  enum class Phase : std::uint8_t { kConnecting, kWriting, kReading };

  static Transfer* of(void* data) { return static_cast<Transfer*>(data); }

  void release() {
    if (--open_ > 0) return;
    link_.transfers_.erase(this);
    delete this;
  }

  void finish(std::string failure) {
    if (ended_) return;
    JobResult result{std::move(failure), std::move(errors_)};
    const auto done = std::move(done_);
    MigrationLink& link = link_;
    abandon();
    link.before_done_();
    done(std::move(result));
  }
  void fail_now() {
    finish(std::string(phase_ == Phase::kConnecting ? kConnectError : phase_ == Phase::kWriting ? kWriteError : kReadError));
  }
  void note_progress() { uv_timer_start(&timer_, on_timeout, static_cast<std::uint64_t>(job_.timeout.count()), 0); }

  // --- connecting: the addresses of the name, one after the other ---

  static void on_timeout(uv_timer_t* timer) { of(timer->data)->fail_now(); }

  static void on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* addresses) {
    Transfer* self = of(request->data);
    self->addresses_ = self->next_address_ = addresses;
    if (!self->ended_) {
      if (status != 0) self->fail_now();
      else self->connect_next();
    }
    self->release();
  }

  void connect_next() {
    while (next_address_ != nullptr) {
      const addrinfo* address = std::exchange(next_address_, next_address_->ai_next);
      socket_ = std::make_unique<uv_tcp_t>().release();
      uv_tcp_init(link_.loop_, socket_);
      socket_->data = this;
      ++open_;
      if (uv_tcp_connect(&connect_, socket_, address->ai_addr, on_connected) == 0) {
        ++open_;
        return;
      }
      drop_socket();
    }
    fail_now();
  }

  void drop_socket() {
    if (socket_ == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(socket_, nullptr)), [](uv_handle_t* h) {
      Transfer* self = of(h->data);
      std::unique_ptr<uv_tcp_t>(reinterpret_cast<uv_tcp_t*>(h)).reset();
      self->release();
    });
  }

  static void on_connected(uv_connect_t* request, int status) {
    Transfer* self = of(request->data);
    if (!self->ended_) {
      if (status != 0) {
        self->drop_socket();
        self->connect_next();
      } else {
        self->note_progress();
        uv_tcp_nodelay(self->socket_, 1);
        if (uv_read_start(reinterpret_cast<uv_stream_t*>(self->socket_), on_alloc, on_read) != 0) self->fail_now();
        else self->send(self->job_.preamble.empty() ? self->commands_ : self->preamble_);
      }
    }
    self->release();
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
    if (uv_write(&write_, reinterpret_cast<uv_stream_t*>(socket_), &bytes, 1, on_written) != 0) return fail_now();
    ++open_;
  }

  static void on_written(uv_write_t* request, int status) {
    Transfer* self = of(request->data);
    if (!self->ended_) {
      if (status != 0) {
        self->fail_now();
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
    Transfer* self = of(stream->data);
    if (self->ended_ || nread == 0) return;
    if (nread < 0) return self->fail_now();
    self->note_progress();
    self->parser_.filled(static_cast<std::size_t>(nread));
    self->take_replies();
  }

  void take_replies() {
    while (!ended_ && replies_ < reply_count_) {
      auto reply = parser_.next();
      if (!reply) return finish(std::string(kReadError));
      if (!*reply) return;
      take_reply(**reply);
    }
  }

  void take_reply(const RespValue& reply) {
    const bool in_preamble = replies_ < job_.preamble.size();
    ++replies_;
    if (in_preamble) {
      // Keys must not arrive as the wrong user or in the wrong database.
      if (reply.is_error()) return finish("ERR Target instance replied with error: " + std::string(reply.text()));
      if (replies_ < job_.preamble.size()) return;
      if (phase_ == Phase::kWriting) return fail_now();  // answered before it was asked
      return send(commands_);
    }
    errors_.push_back(reply.is_error() ? std::string(reply.text()) : std::string());
    if (replies_ == reply_count_) finish({});
  }

  MigrationLink& link_;
  Job job_;
  std::function<void(JobResult)> done_;
  uv_timer_t timer_{};
  uv_getaddrinfo_t resolve_{};
  uv_connect_t connect_{};
  uv_write_t write_{};
  uv_tcp_t* socket_ = nullptr;  // freed when libuv has closed it
  addrinfo* addresses_ = nullptr;
  addrinfo* next_address_ = nullptr;
  int open_ = 0;  // handles and requests that libuv still holds
  bool ended_ = false;
  Phase phase_ = Phase::kConnecting;
  std::string preamble_, commands_;
  std::string* outgoing_ = nullptr;
  std::size_t sent_ = 0, piece_ = 0;
  ReplyParser parser_;
  std::size_t replies_ = 0, reply_count_ = 0;
  std::vector<std::string> errors_;
};

MigrationLink::MigrationLink(uv_loop_t* loop, std::function<void()> before_done)
    : loop_(loop), before_done_(std::move(before_done)) {}

MigrationLink::~MigrationLink() { HEARTH_CHECK(transfers_.empty()); }

void MigrationLink::start(Job job, std::function<void(JobResult)> done) {
  auto transfer = std::make_unique<Transfer>(*this, std::move(job), std::move(done));
  transfers_.insert(transfer.get());
  transfer.release()->begin();  // deletes itself when its last handle is closed
}

void MigrationLink::stop() {
  for (Transfer* t : transfers_) t->abandon();  // only marks and closes: the set changes later
}

}  // namespace hearth
