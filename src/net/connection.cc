#include "src/net/connection.h"

#include <algorithm>
#include <utility>

#include "src/base/log.h"

namespace hearth::net {
namespace {

// A client whose requests wait stops being read here; the second, before it has authenticated.
constexpr std::size_t kParkedInputMost = 1024 * 1024;
constexpr std::size_t kStrangerInputMost = 64 * 1024;
// A client that sends without ever reading replies stops being read here. Large, because libraries
// send whole pipelines before they read the first reply.
constexpr std::size_t kOutputHighWater = 256 * 1024 * 1024;
// One client's share of a turn: after so many requests, so many bytes of replies, or the time that
// the network says, the others are served first. A client that sends more than it is served stops
// being read at kAheadMost unread bytes, until a quarter of that is left.
constexpr std::size_t kShareRequests = 512;
constexpr std::size_t kShareReplies = 1024 * 1024;
constexpr std::size_t kAheadMost = 128 * 1024;

// Kept of the input buffer of a client that is not idle.
constexpr std::size_t kInputKept = 32 * 1024;

}  // namespace

// --- reading ---

void Connection::update_reading() {
  if (closing_ || session_ == nullptr || held_) return;
  const std::size_t unread = stream_->unread().size();
  const bool far_ahead = waits_for_turn_ && unread >= (reading_ ? kAheadMost : kAheadMost / 4);
  const std::size_t parked_most = session_->authenticated ? kParkedInputMost : kStrangerInputMost;
  reading_ = session_->out.size() < kOutputHighWater && !far_ahead &&
             !(session_->is_held_back() && unread >= parked_most) && !session_->close_after_reply;
  stream_->set_reading(reading_);
}

void Connection::client_sent(std::size_t bytes, bool more) {
  network_.refresh_time();
  count_input(bytes);
  receive(!more);
}

void Connection::count_input(std::size_t bytes) {
  Engine& engine = *network_.engine_;
  engine.stats().net_input_bytes += bytes;
  ++engine.stats().reads_processed;
  session_->net_input += bytes;
  // A client in the middle of a long request is not idle.
  session_->last_active = engine.mono_now();
}

void Connection::input_ended(int error) {
  network_.refresh_time();
  reading_ = false;
  // Requests sent before the end run first. Reading starts again after them and meets the end
  // again.
  if (gathered_ != nullptr || waits_for_turn_) return;
  // A client may have shut down only its sending side: replies are still written, without waiting.
  if (error == 0 && !session_->out.empty() && stream_->stop_waiting())
    session_->close_after_reply = true;
  else
    session_->close_now = true;
  network_.close_soon(*session_);
}

void Connection::stream_ended(const ByteStream::End&) {
  if (session_ == nullptr) return;
  session_->close_now = true;
  network_.close_soon(*session_);
}

void Connection::receive(bool may_wait) {
  Gathering& gathering = network_.gathering_;
  const std::string_view data = stream_->unread();
  const std::size_t size = data.size();
  input_peak_ = std::max(input_peak_, size);
  if (const std::uint64_t limit = network_.config_->settings().client_query_buffer_limit;
      size > limit && limit != 0) {
    log::warning("Closing client that reached max query buffer length: id={} addr={} qbuf={}",
                 session_->id, session_->address, size);
    ++network_.engine_->stats().query_buffer_limit_disconnections;
    session_->close_now = true;
    keep_rest(size);
    return network_.close_soon(*session_);
  }
  // The parser needs more bytes than are here: no need to call it.
  if (session_->is_held_back() || waits_for_turn_ || parser_.bytes_wanted() > size)
    return keep_rest(0);
  may_wait = may_wait && !gathering.is_full();
  Gathering::Part* part = may_wait ? &gathering.parts[gathering.count] : nullptr;
  RequestBatch& batch = may_wait ? part->batch : network_.batch_;
  const RequestParser::Status status = parse(data, 0, batch);
  if (batch.requests.empty() && status == RequestParser::Status::kNeedMore) return keep_rest(0);
  if (!may_wait || batch.requests.size() >= Gathering::kEnough)
    return keep_rest(process_alone(data, batch, status));
  part->connection = this;
  part->data = data;
  part->status = status;
  gathered_ = part;
  ++gathering.count;
}

void Connection::run(Gathering::Part& part) {
  gathered_ = nullptr;
  keep_rest(process(part.data, part.batch, part.status));
}

void Connection::stream_moves() {
  if (gathered_ == nullptr) return;
  std::exchange(gathered_, nullptr)->connection = nullptr;
  parser_.reset();
}

void Connection::take_back() {
  stream_moves();
  keep_rest(0);
}

RequestParser::Status Connection::parse(std::string_view data, std::size_t from,
                                        RequestBatch& batch) {
  Engine& engine = *network_.engine_;
  const ParserLimits limits{static_cast<std::int64_t>(engine.settings().proto_max_bulk_len),
                            0x7fffffff, 64 * 1024, session_->authenticated};
  auto status = RequestParser::Status::kNeedMore;
  batch.clear();
  batch.begin = from;
  while (batch.requests.size() < RequestBatch::kRequestsMost) {
    const auto first = static_cast<std::uint32_t>(batch.words.size());
    std::size_t used = 0;
    status = parser_.next(data.substr(from), limits, batch.words, used);
    if (status != RequestParser::Status::kRequest) break;
    from += used;
    batch.requests.push_back(
        {first, static_cast<std::uint32_t>(batch.words.size()) - first, from, nullptr, {}});
    // Inline arguments live in the parser; requests before AUTH are parsed under stricter limits.
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
    if (turn_ != network_.turn_) {
      turn_ = network_.turn_;
      // One request alone is not measured.
      const bool is_alone =
          batch.requests.size() == 1 && status == RequestParser::Status::kNeedMore;
      until_ = is_alone ? UINT64_MAX : engine.ticks() + network_.share_ns();
      ran_ = 0;
      out_before_ = session_->out.size();
    }
    const std::size_t done =
        batch.requests.empty() ? 0 : engine.run_prepared(*session_, batch, until_);
    ran_ += done;
    if (done > 0) consumed = batch.requests[done - 1].end;
    if (done < batch.requests.size() || session_->is_parked() || session_->close_now ||
        session_->close_after_reply) {
      parser_.reset();  // requests that did not run are parsed again later
      const bool may_go_on = !session_->is_held_back() && !session_->close_now &&
                             !session_->close_after_reply && done > 0;
      if (may_go_on) static_cast<void>(used_up_share());
      return consumed;
    }
    if (status == RequestParser::Status::kError) {
      log::verbose("Protocol error ({}) from client: id={} addr={}", parser_.error(), session_->id,
                   session_->address);
      engine.protocol_error(*session_, parser_.error());
      return consumed;
    }
    if (status == RequestParser::Status::kNeedMore) return consumed;
    if (session_->out.size() >= kOutputHighWater || used_up_share()) return consumed;
    status = parse(data, consumed, batch);
    const SessionBatch alone{session_, &batch};
    engine.fetch({&alone, 1});
  }
}

bool Connection::used_up_share() {
  if (ran_ < kShareRequests && network_.engine_->last_ticks() < until_ &&
      session_->out.size() < out_before_ + kShareReplies)
    return false;
  waits_for_turn_ = true;
  network_.continue_soon(*session_);
  return true;
}

void Connection::keep_rest(std::size_t consumed) {
  const std::size_t rest = stream_->unread().size() - consumed;
  stream_->expect(parser_.bytes_wanted());
  stream_->consume(consumed);
  if (const std::size_t late = stream_->unread().size() - rest; late > 0) {
    // It had come while the stream was held.
    count_input(late);
    network_.resume_soon(*session_);
  }
  note_input();
  update_reading();
}

void Connection::note_input() {
  const std::size_t unread = stream_->unread().size();
  session_->argv_bytes = std::min(unread, parser_.bytes_behind());
  session_->query_bytes = unread - session_->argv_bytes;
  // The buffer stays for the next large request; trim_input takes it back.
  session_->query_free = stream_->input_capacity() - unread;
  network_.engine_->sessions().note_buffers(*session_);
}

void Connection::trim_input(bool idle) {
  if (closing_ || held_ || gathered_ != nullptr || stream_->input_capacity() == 0) return;
  const std::size_t keep = idle ? 0 : std::max(input_peak_, kInputKept);
  input_peak_ = stream_->unread().size();
  stream_->trim_input(keep);
  note_input();
}

void Connection::take_turn() {
  waits_for_turn_ = false;
  resume();
}

void Connection::resume() {
  if (closing_ || held_ || waits_for_turn_ || session_->is_held_back() || session_->close_now)
    return;
  if (const std::string_view unread = stream_->unread(); !unread.empty()) {
    const RequestParser::Status status = parse(unread, 0, network_.batch_);
    keep_rest(process_alone(unread, network_.batch_, status));
  }
  update_reading();
}

// --- writing ---

void Connection::flush() {
  session_->output_pending = false;
  // A client that was killed, or exceeds its output limit, gets no more output.
  if (closing_ || session_->close_now) return;
  stream_->flush();
  if (session_ != nullptr) session_->sent_in_part = !session_->out.empty();
}

void Connection::stream_took(std::size_t bytes) {
  if (session_ == nullptr) return;
  Engine& engine = *network_.engine_;
  engine.sessions().note_buffers(*session_);
  session_->sent_in_part = !session_->out.empty();
  if (bytes == 0) return;
  // A client that takes a long reply slowly is not idle.
  session_->last_active = engine.mono_now();
  session_->net_output += bytes;
  Stats& stats = engine.stats();
  ++stats.writes_processed;
  stats.net_output_bytes += bytes;
  if (session_->replica) stats.net_repl_output_bytes += bytes;
}

void Connection::stream_writable() {
  if (closing_ || session_ == nullptr) return;
  // Deferred to the end of the turn: the output may hold replies of this turn, and those may leave
  // only after the log was written.
  if (!session_->out.empty()) {
    session_->output_pending = true;
    network_.flush_soon(*session_);
  } else if (session_->close_after_reply) {
    network_.close_soon(*session_);
  }
  if (!session_->is_held_back() && session_->out.size() < kOutputHighWater && !reading_)
    network_.resume_soon(*session_);
  update_reading();
}

void Connection::hold() {
  if (held_) return;
  held_ = true;
  reading_ = false;
  stream_->hold();
}

void Connection::release() {
  if (!held_) return;
  held_ = false;
  // The session is still in the middle of its command, so a write that finished is handled at the
  // end of this turn. Reading starts again after the batch.
  if (stream_->release()) network_.finish_write_soon(*session_);
}

// --- the end ---

void Connection::refuse(std::string_view line) {
  stream_->write_last(line);
  close();
}

void Connection::close() {
  if (closing_) return;
  closing_ = true;
  const bool writes = stream_->close() > 0;
  if (session_ == nullptr) return;
  Session& session = *std::exchange(session_, nullptr);
  // The stream keeps the output that is being written.
  if (writes) dying_bytes_ = std::exchange(session.dying_bytes, 0);
  network_.engine_->close(session);
  --network_.connection_count_;
}

void Connection::stream_gone() {
  if (dying_bytes_ > 0) network_.engine_->sessions().released(dying_bytes_);
  delete this;
}

}  // namespace hearth::net
