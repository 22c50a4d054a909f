#include "src/server/migration_link.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "src/proto/reply_parser.h"

namespace hearth {
namespace {

// One write at a time, so that a slow peer shows progress to the timeout.
constexpr std::size_t kWritePiece = 256 * 1024;
constexpr std::size_t kIdleChannelsMost = 64;
constexpr milliseconds kIdle{10'000};

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
  milliseconds timeout{0};
  std::function<void(JobResult)> done;
  std::size_t replies = 0;  // the preamble's too, where it is sent
  std::vector<std::string> errors;
};

// One connection. Dropped by its own callbacks alone, as the last thing that they do.
class MigrationLink::Channel final : private ByteStream::Owner {
 public:
  Channel(MigrationLink& link, std::unique_ptr<Work> work)
      : link_(link),
        work_(std::move(work)),
        host_(work_->host),
        port_(work_->port),
        preamble_(work_->preamble) {}

  void open() {
    StreamTarget target;
    target.host = host_;
    target.port = port_;
    stream_ = link_.opener_.open(target, *this);
    stream_->set_deadline(work_->timeout);
  }

  [[nodiscard]] bool is_idle() const { return !is_closed() && work_ == nullptr; }
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
    stream_->set_deadline(work_->timeout);
    send(work_->authenticates ? work_->preamble : work_->commands);
  }

  // Nobody is told.
  void close() { stream_.reset(); }

 private:
  enum class Phase : std::uint8_t { kConnecting, kWriting, kReading };

  [[nodiscard]] bool is_closed() const { return stream_ == nullptr; }

  // --- ByteStream::Owner ---

  void stream_opened() override {
    send(work_->preamble_count > 0 ? work_->preamble : work_->commands);
  }

  void stream_sent() override {
    if (work_ != nullptr) send_piece();
  }

  void stream_received() override {
    if (work_ == nullptr) {
      close();  // an idle peer has nothing to say
    } else {
      parser_.feed(stream_->unread());
      stream_->consume(stream_->unread().size());
      read_replies();
    }
    if (is_closed()) link_.drop(this);
  }

  void stream_ended(const ByteStream::End& end) override {
    const bool was_lost = end.reason != ByteStream::End::Reason::kTimeout;
    close();
    if (work_ != nullptr) {
      if (was_lost && reused_ && work_->replies == replies_before_) {
        // The peer had closed it while it was idle: that says nothing about the job.
        link_.start_on_new_channel(std::move(work_));
      } else {
        fail(current_error());
      }
    }
    link_.drop(this);
  }

  // --- the job ---

  // The job is over; the channel goes on, or was closed before.
  void finish(std::string failure) {
    const std::unique_ptr<Work> work = std::move(work_);
    if (!is_closed()) become_idle();
    link_.before_done_();
    work->done(JobResult{std::move(failure), std::move(work->errors)});
  }
  void become_idle() {
    if (link_.cached_connections() > kIdleChannelsMost) return close();
    stream_->set_deadline(kIdle);
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

  void send(const std::string& text) {
    outgoing_ = &text;
    sent_ = 0;
    send_piece();
  }

  void send_piece() {
    phase_ = sent_ < outgoing_->size() ? Phase::kWriting : Phase::kReading;
    if (phase_ == Phase::kReading) return;
    const std::string_view piece = std::string_view(*outgoing_).substr(sent_, kWritePiece);
    sent_ += piece.size();
    stream_->write(piece);
  }

  void read_replies() {
    while (!is_closed() && work_ != nullptr) {
      auto reply = parser_.next();
      if (!reply) return fail(kReadError);
      if (!*reply) return;
      take_reply(**reply);
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
  std::unique_ptr<LinkStream> stream_;  // null: closed
  std::unique_ptr<Work> work_;          // null: idle
  const std::string host_;
  const std::uint16_t port_;
  const std::string preamble_;
  bool reused_ = false;
  std::size_t replies_before_ = 0;  // of the work, when the channel was used again
  Phase phase_ = Phase::kConnecting;
  const std::string* outgoing_ = nullptr;
  std::size_t sent_ = 0;
  ReplyParser parser_;
};

MigrationLink::MigrationLink(StreamOpener& opener, std::function<void()> before_done)
    : opener_(opener), before_done_(std::move(before_done)) {}

MigrationLink::~MigrationLink() = default;

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
  work->timeout = job.timeout;
  work->done = std::move(done);
  const auto idle = std::find_if(channels_.begin(), channels_.end(),
                                 [&](const auto& c) { return c->fits(*work); });
  if (idle != channels_.end())
    (*idle)->reuse(std::move(work));
  else
    start_on_new_channel(std::move(work));
}

void MigrationLink::start_on_new_channel(std::unique_ptr<Work> work) {
  work->replies = 0;
  channels_.push_back(std::make_unique<Channel>(*this, std::move(work)));
  channels_.back()->open();
}

void MigrationLink::drop(const Channel* channel) {
  std::erase_if(channels_, [&](const auto& c) { return c.get() == channel; });
}

std::uint64_t MigrationLink::cached_connections() const {
  return static_cast<std::uint64_t>(std::count_if(channels_.begin(), channels_.end(),
                                                  [](const auto& c) { return c->is_idle(); }));
}

void MigrationLink::stop() {
  for (const auto& c : channels_) c->close();  // one of them may be on the stack
}

}  // namespace hearth
