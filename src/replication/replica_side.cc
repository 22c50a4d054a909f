#include "src/replication/replica_side.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::replication {
namespace {

constexpr seconds kBetweenAttempts{1};
constexpr seconds kBetweenAcks{1};
// Values that the primary accepted are accepted; memory is taken as bytes arrive.
constexpr std::int64_t kWordMost = INT64_MAX / 16;

}  // namespace

ReplicaSide::Actions ReplicaSide::step(MonoTime now, const Event& event) {
  now_ = now;
  std::visit([this](const auto& e) { on(e); }, event);
  return std::exchange(actions_, {});
}

// --- who is followed ---

void ReplicaSide::on(const Followed& event) {
  drop("another primary is to be followed");
  host_ = event.host;
  port_ = event.port;
  if (state_ == State::kNone) down_since_ = last_heard_ = now_;
  state_ = State::kConnect;
  connect_soon_ = true;
}

void ReplicaSide::on(const Left&) {
  drop("no primary is to be followed");
  state_ = State::kNone;
  host_.clear();
  port_ = 0;
}

// --- the link ---

void ReplicaSide::connect() {
  connect_soon_ = false;
  tried_at_ = heard_at_ = now_;
  state_ = State::kConnecting;
  note(Note::Level::kNotice, fmt::format("Connecting to PRIMARY {}:{}", host_, port_));
  note(Note::Level::kNotice, "PRIMARY <-> REPLICA sync started");
  act(Connect{});
}

void ReplicaSide::on(const Connected& event) {
  if (state_ != State::kConnecting) return;
  note(Note::Level::kNotice, "Non blocking connect for SYNC fired the event.");
  if (event.hello.replication_id.empty()) {
    note(Note::Level::kNotice, "Partial resynchronization not possible (no cached primary)");
  } else {
    note(Note::Level::kNotice, fmt::format("Trying a partial resynchronization (request {}:{}).",
                                           event.hello.replication_id, event.hello.next_offset));
  }
  handshake_.emplace(event.hello);
  asks_takeover_ = event.hello.asks_takeover;
  state_ = State::kHandshake;
  heard_at_ = now_;
  act(SendLink{handshake_->begin()});
}

void ReplicaSide::on(const Lost& event) {
  const bool was_up = state_ == State::kConnected;
  switch (state_) {
    case State::kConnecting:
      note(Note::Level::kWarning, fmt::format("Error condition on socket for SYNC: {}", event.why));
      break;
    case State::kConnected: note(Note::Level::kNotice, "Connection with primary lost."); break;
    default:
      note(Note::Level::kWarning, fmt::format("The link to the primary was lost: {}", event.why));
  }
  drop(event.why);
  if (!was_up) return;
  note(Note::Level::kNotice, fmt::format("Reconnecting to PRIMARY {}:{}", host_, port_));
  connect_soon_ = true;
}

void ReplicaSide::on(const Killed&) {
  note(Note::Level::kNotice, "Connection with primary lost.");
  drop("killed by a client");
  connect_soon_ = true;
}

void ReplicaSide::forget_transfer() {
  if (std::exchange(has_file_, false)) act(DiscardFile{});
  header_.reset();
  received_ = 0;
  tail_.clear();
}

void ReplicaSide::drop(std::string_view why) {
  if (state_ == State::kNone) return;
  note(Note::Level::kDebug, fmt::format("The link to the primary ends: {}", why));
  ++attempt_;
  act(CloseLink{});
  if (state_ == State::kConnected) {
    down_since_ = now_;
    last_heard_ = heard_at_;
    act(RelayComplete{});
  }
  forget_transfer();
  handshake_.reset();
  input_.clear();
  open_.clear();
  done_ = consumed_ = 0;
  broken_ = false;
  parser_.reset();
  act(DiscardTransaction{});
  connect_soon_ = false;
  state_ = State::kConnect;
}

// --- time ---

void ReplicaSide::on(const Ticked& event) {
  switch (state_) {
    case State::kNone:
    case State::kLoad: return;
    case State::kConnect:
      if (connect_soon_ || now_ - tried_at_ >= kBetweenAttempts) connect();
      return;
    case State::kConnecting:
    case State::kHandshake:
    case State::kTransfer:
      if (now_ - heard_at_ < timeout_) return;
      note(Note::Level::kWarning, state_ == State::kTransfer
                                      ? "Timeout receiving bulk data from PRIMARY..."
                                      : "Timeout connecting to the PRIMARY...");
      return drop("time-out");
    case State::kConnected: break;
  }
  if (event.must_wait) heard_at_ = now_;  // it is us who don't listen
  if (now_ - heard_at_ >= timeout_) {
    note(Note::Level::kWarning, "PRIMARY timeout: no data nor PING received...");
    return drop("time-out");
  }
  if (now_ - acked_at_ >= kBetweenAcks) act(Acknowledge{});
}

void ReplicaSide::on(const TurnEnded& event) {
  // A new primary, or the one that was just lost: at once, not with the next tick.
  if (state_ == State::kConnect && connect_soon_) return connect();
  if (state_ != State::kConnected || input_.empty() || event.must_wait) return;
  act(SetReading{true});
  act(RunStream{});
}

// --- what the primary says ---

void ReplicaSide::on(const Received& event) {
  heard_at_ = now_;
  input_ += event.bytes;
  receive();
}

void ReplicaSide::receive() {
  const std::uint64_t attempt = attempt_;
  while (attempt == attempt_) {
    switch (state_) {
      case State::kHandshake:
        if (!take_handshake_line()) return;
        break;
      case State::kTransfer:
        if (!header_ && !take_snapshot_header()) return;
        return take_snapshot_bytes();
      case State::kConnected: return act(RunStream{});
      default: return;
    }
  }
}

// The next line that says something; nothing if it is not there yet, or the link was dropped. An
// empty line is a sign of life.
std::optional<std::string> ReplicaSide::take_line() {
  for (;;) {
    const std::size_t end = input_.find('\n');
    if (end > kLineMost && input_.size() > kLineMost) {
      note(Note::Level::kWarning,
           fmt::format("The primary sent a line of more than {} bytes.", kLineMost));
      drop("no line");
      return std::nullopt;
    }
    if (end == std::string::npos) return std::nullopt;
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) return line;
  }
}

bool ReplicaSide::take_handshake_line() {
  const std::optional<std::string> line = take_line();
  if (!line) return false;
  std::string next = handshake_->hear(*line);
  if (!next.empty()) act(SendLink{std::move(next)});
  if (handshake_->end() != Handshake::End::kNone) handshake_ended();
  return true;
}

void ReplicaSide::handshake_ended() {
  using End = Handshake::End;
  const End end = handshake_->end();
  if (asks_takeover_ && end != End::kLater) act(TakeoverAnswered{end != End::kRefused});
  switch (end) {
    case End::kNone: return;
    case End::kLater:
      note(Note::Level::kNotice,
           "PRIMARY is currently unable to PSYNC but should be in the future: " +
               handshake_->error());
      return drop("not now");
    case End::kRefused: note(Note::Level::kWarning, handshake_->error()); return drop("refused");
    case End::kContinue:
      note(Note::Level::kNotice, "Successful partial resynchronization with primary.");
      if (!handshake_->id().empty()) act(ContinueAs{handshake_->id()});
      return go_online();
    case End::kFull:
      note(Note::Level::kNotice,
           fmt::format("Full resync from primary: {}:{}", handshake_->id(), handshake_->offset()));
      // Their data is about to be of no stream.
      act(DropReplicas{});
      state_ = State::kTransfer;
  }
}

bool ReplicaSide::take_snapshot_header() {
  const std::optional<std::string> line = take_line();
  if (!line) return false;
  header_ = parse_snapshot_header(*line);
  if (!header_) {
    note(Note::Level::kWarning,
         fmt::format("Bad protocol from PRIMARY, the first byte is not '$' (we received '{}')",
                     shown(*line)));
    drop("no snapshot");
    return false;
  }
  if (header_->bytes) {
    note(Note::Level::kNotice,
         fmt::format("PRIMARY <-> REPLICA sync: receiving {} bytes from primary to disk",
                     *header_->bytes));
  } else {
    note(Note::Level::kNotice,
         "PRIMARY <-> REPLICA sync: receiving streamed RDB from primary with EOF to disk");
  }
  has_file_ = true;
  act(OpenFile{});
  return true;
}

// Where the mark ends in what has come; it may have begun before that.
std::optional<std::size_t> ReplicaSide::end_of_mark() const {
  const std::string& mark = header_->mark;
  const std::string seam = tail_ + input_.substr(0, mark.size() - 1);
  if (const std::size_t at = seam.find(mark); at != std::string::npos)
    return at + mark.size() - tail_.size();
  const std::size_t at = input_.find(mark);
  if (at == std::string::npos) return std::nullopt;
  return at + mark.size();
}

void ReplicaSide::take_snapshot_bytes() {
  std::size_t take = input_.size();
  bool complete = false;
  if (header_->bytes) {
    take = std::min<std::uint64_t>(take, *header_->bytes - received_);
    complete = received_ + take == *header_->bytes;
  } else if (const auto end = end_of_mark()) {
    take = *end;
    complete = true;
  }
  std::string piece = input_.substr(0, take);
  input_.erase(0, take);
  received_ += take;
  if (!header_->bytes) {
    // These bytes may be the beginning of the mark.
    const std::size_t kept = header_->mark.size() - 1;
    tail_ += std::string_view(piece).substr(piece.size() - std::min(piece.size(), kept));
    if (tail_.size() > kept) tail_.erase(0, tail_.size() - kept);
  }
  act(WriteFile{std::move(piece)});
  if (!complete) return;
  if (!header_->bytes) act(CutFile{received_ - header_->mark.size()});
  act(SyncFile{});
  act(SetReading{false});
  state_ = State::kLoad;
  act(LoadDue{});
}

void ReplicaSide::on(const FileFailed& event) {
  if (state_ != State::kTransfer && state_ != State::kLoad) return;
  note(Note::Level::kWarning, event.why);
  drop("file");
}

void ReplicaSide::on(const Loaded& event) {
  if (state_ != State::kLoad) return;
  if (!event.succeeded) {
    note(Note::Level::kWarning, event.why);
    return drop("load");
  }
  has_file_ = false;  // whoever loaded it has put it where it belongs
  forget_transfer();
  note(Note::Level::kNotice, "PRIMARY <-> REPLICA sync: Finished with success");
  go_online();
  // A primary that sent a snapshot without a length waits for this.
  act(Acknowledge{});
  act(SetReading{true});
  act(RunStream{});
}

void ReplicaSide::go_online() {
  state_ = State::kConnected;
  handshake_.reset();
  heard_at_ = now_;
  act(Online{});
}

// --- the stream ---

std::optional<ReplicaSide::Command> ReplicaSide::next_command() {
  ParserLimits limits;
  limits.bulk_bytes = kWordMost;
  while (state_ == State::kConnected && !broken_ && done_ < input_.size()) {
    words_.clear();
    const std::string_view rest = std::string_view(input_).substr(done_);
    switch (parser_.next(rest, limits, words_, consumed_)) {
      case RequestParser::Status::kNeedMore: return std::nullopt;
      case RequestParser::Status::kError: broken_ = true; return std::nullopt;
      case RequestParser::Status::kRequest: break;
    }
    if (words_.empty()) {
      command_done(!open_.empty());
      continue;
    }
    const bool asks = words_.size() >= 2 && equals_ignore_case(words_[0], "replconf") &&
                      equals_ignore_case(words_[1], "getack");
    return Command{words_, asks};
  }
  return std::nullopt;
}

void ReplicaSide::command_done(bool in_transaction) {
  open_ += std::string_view(input_).substr(done_, consumed_);
  done_ += std::exchange(consumed_, 0);
  parser_.reset();
  if (!in_transaction) complete_ += std::exchange(open_, {});
}

void ReplicaSide::end_run() { input_.erase(0, std::exchange(done_, 0)); }

}  // namespace hearth::replication
