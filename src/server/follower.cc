#include "src/server/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/log.h"
#include "src/command/context.h"
#include "src/effects/command_stream.h"

namespace hearth {
namespace {

constexpr seconds kBetweenAttempts{1};
constexpr seconds kBetweenAcks{1};
constexpr seconds kBetweenNewlines{1};
// A line of the handshake is short; whoever sends more is no primary.
constexpr std::size_t kLineMost = 64 * 1024;
constexpr std::size_t kErrorShown = 160;
// Of the stream that waits to be run, at most about this much stands in memory.
constexpr std::size_t kInputAhead = 16 * 1024 * 1024;

bool is_word(std::string_view word, std::string_view lower) {
  return std::equal(word.begin(), word.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

// --- who is followed ---

void Follower::begin() {
  ports_.replication->begin_following();
  engine_->set_following(true);
  state_ = State::kConnect;
  down_since_ = ports_.clock->mono_now();
  ports_.role_changed();
}

void Follower::start() {
  const config::PrimaryAddress& primary = settings().replicaof;
  if (primary.host.empty()) return;
  host_ = primary.host;
  port_ = primary.port;
  begin();
}

Outcome Follower::follow(std::string_view host, std::uint16_t port, CommandContext& by) {
  if (settings().cluster_enabled) return refuse("ERR REPLICAOF not allowed in cluster mode.");
  if (is_replica() && host == host_ && port == port_) {
    log::notice(
        "REPLICAOF would result into synchronization with the primary we are already "
        "connected with. No operation performed.");
    by.reply().simple("OK Already connected to specified master");
    return {};
  }
  const std::string words[] = {std::string(host), std::to_string(port)};
  if (!ports_.config->replace("replicaof", words)) return refuse("ERR Invalid master host");
  const bool was_primary = !is_replica();
  drop("another primary is to be followed");
  host_ = host;
  port_ = port;
  if (was_primary) {
    engine_->unblock_all(
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> "
        "replica?)");
    begin();
  }
  state_ = State::kConnect;
  tried_at_ = {};
  log::notice("REPLICAOF {}:{} enabled (user request from 'client id={}')", host_, port_,
              by.session().id);
  by.reply().ok();
  return {};
}

Outcome Follower::follow_nobody(CommandContext& by) {
  if (settings().cluster_enabled) return refuse("ERR REPLICAOF not allowed in cluster mode.");
  if (is_replica()) {
    drop("no primary is to be followed");
    if (session_ != nullptr) engine_->close(*std::exchange(session_, nullptr));
    state_ = State::kNone;
    host_.clear();
    static_cast<void>(ports_.config->replace("replicaof", ""));  // the default is valid
    engine_->set_following(false);
    ports_.replication->lead();
    ports_.role_changed();
    log::notice("PRIMARY MODE enabled (user request from 'client id={}')", by.session().id);
  }
  by.reply().ok();
  return {};
}

void Follower::close() {
  ports_.link->close();
  if (session_ != nullptr) engine_->close(*std::exchange(session_, nullptr));
}

// --- the link ---

void Follower::try_connect() {
  tried_at_ = heard_at_ = ports_.clock->mono_now();
  state_ = State::kConnecting;
  log::notice("Connecting to PRIMARY {}:{}", host_, port_);
  log::notice("PRIMARY <-> REPLICA sync started");
  ports_.link->connect(
      {host_, port_, settings().bind_source_addr, !settings().repl_disable_tcp_nodelay});
}

void Follower::link_connected() {
  log::notice("Non blocking connect for SYNC fired the event.");
  const config::Settings& s = settings();
  replication::Handshake::Hello hello;
  hello.user = s.primaryuser;
  hello.password = s.primaryauth;
  hello.port = s.replica_announce_port != 0 ? s.replica_announce_port : s.port;
  hello.address = s.replica_announce_ip;
  if (ports_.replication->can_continue()) {
    hello.replication_id = engine_->replication_id();
    hello.next_offset = ports_.replication->offset() + 1;
    log::notice("Trying a partial resynchronization (request {}:{}).", hello.replication_id,
                hello.next_offset);
  } else {
    log::notice("Partial resynchronization not possible (no cached primary)");
  }
  handshake_.emplace(std::move(hello));
  state_ = State::kHandshake;
  heard_at_ = ports_.clock->mono_now();
  ports_.link->send(handshake_->begin());
}

void Follower::link_received(std::string_view bytes) {
  ports_.refresh_time();
  heard_at_ = ports_.clock->mono_now();
  input_ += bytes;
  engine_->stats().net_input_bytes += bytes.size();
  engine_->stats().net_repl_input_bytes += bytes.size();
  receive();
}

void Follower::link_lost(std::string_view why) {
  switch (state_) {
    case State::kConnecting: log::warning("Error condition on socket for SYNC: {}", why); break;
    case State::kConnected: log::notice("Connection with primary lost."); break;
    default: log::warning("The link to the primary was lost: {}", why);
  }
  const bool was_up = state_ == State::kConnected;
  drop(why);
  if (!was_up) return;
  log::notice("Reconnecting to PRIMARY {}:{}", host_, port_);
  tried_at_ = {};
}

void Follower::forget_transfer() {
  if (file_ != nullptr) {
    file_.reset();
    static_cast<void>(ports_.disk->remove(path_));
  }
  header_.reset();
  received_ = 0;
  tail_.clear();
}

// Back to the start. What was run of the stream stays; a transaction in it that is not complete
// comes again.
void Follower::drop(std::string_view why) {
  log::debug("The link to the primary ends: {}", why);
  ++attempt_;
  ports_.link->close();
  if (state_ == State::kConnected) down_since_ = ports_.clock->mono_now();
  if (!complete_.empty()) relay_complete(complete_.size());
  forget_transfer();
  handshake_.reset();
  owes_synced_ = false;
  input_.clear();
  open_.clear();
  parser_.reset();
  if (session_ != nullptr && session_->in_multi) engine_->discard(*session_);
  if (state_ != State::kNone) state_ = State::kConnect;
}

void Follower::tick() {
  const MonoTime now = ports_.clock->mono_now();
  const config::Settings& s = settings();
  switch (state_) {
    case State::kNone:
    case State::kLoad: return;
    case State::kConnect:
      if (now - tried_at_ >= kBetweenAttempts) try_connect();
      return;
    case State::kConnecting:
    case State::kHandshake:
    case State::kTransfer:
      if (now - heard_at_ < s.repl_timeout) return;
      log::warning("{}", state_ == State::kTransfer ? "Timeout receiving bulk data from PRIMARY..."
                                                    : "Timeout connecting to the PRIMARY...");
      return drop("time-out");
    case State::kConnected: break;
  }
  if (end_if_killed()) return;
  if (must_wait()) heard_at_ = now;  // it is us who don't listen
  if (now - heard_at_ >= s.repl_timeout) {
    log::warning("PRIMARY timeout: no data nor PING received...");
    return drop("time-out");
  }
  if (now - acked_at_ >= kBetweenAcks) acknowledge();
}

void Follower::end_turn() {
  // A new primary, or the one that was just lost: at once, not with the next tick.
  if (state_ == State::kConnect && tried_at_.us == 0) return try_connect();
  if (state_ != State::kConnected) return;
  if (!input_.empty() && !must_wait()) {
    ports_.link->set_reading(true);
    receive();
  }
  if (state_ != State::kConnected) return;
  const std::uint64_t before = synced_offset_;
  const bool has_all = note_synced();
  if (synced_offset_ == before) return;
  if (owes_synced_) acknowledge();
  if (has_all) owes_synced_ = false;
}

// Whether that is everything.
bool Follower::note_synced() {
  const bool has_all = ports_.persistence->log_is_synced();
  synced_offset_ = has_all ? ports_.replication->offset() : ports_.persistence->synced_offset();
  return has_all;
}

void Follower::acknowledge() {
  acked_at_ = ports_.clock->mono_now();
  std::vector<std::string> words{"REPLCONF", "ACK", std::to_string(ports_.replication->offset())};
  if (settings().appendonly) {
    words.emplace_back("FACK");
    words.push_back(std::to_string(synced_offset_));
  }
  std::string out;
  append_command(std::span<const std::string>(words), out);
  ports_.link->send(out);
}

// In the middle of a script, which lets the server run on, and while clients are paused.
bool Follower::must_wait() const { return engine_->is_paused() || engine_->running_script(); }

// --- what the primary says ---

void Follower::receive() {
  const std::uint64_t attempt = attempt_;
  while (attempt == attempt_) {
    switch (state_) {
      case State::kHandshake:
        if (!take_handshake_line()) return;
        break;
      case State::kTransfer:
        if (!header_ && !take_snapshot_header()) return;
        return take_snapshot_bytes();
      case State::kConnected: return run_stream();
      default: return;
    }
  }
}

bool Follower::take_handshake_line() {
  const std::size_t end = input_.find('\n');
  if (end == std::string::npos) {
    if (input_.size() > kLineMost) {
      log::warning("The primary's answer is no line");
      drop("no line");
    }
    return false;
  }
  std::string line = input_.substr(0, end);
  input_.erase(0, end + 1);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) return true;  // a sign of life
  const std::string next = handshake_->hear(line);
  if (!next.empty()) ports_.link->send(next);
  if (handshake_->end() != replication::Handshake::End::kNone) handshake_ended();
  return true;
}

void Follower::handshake_ended() {
  using End = replication::Handshake::End;
  switch (handshake_->end()) {
    case End::kNone: return;
    case End::kLater:
      log::notice("PRIMARY is currently unable to PSYNC but should be in the future: {}",
                  handshake_->error());
      return drop("not now");
    case End::kRefused: log::warning("{}", handshake_->error()); return drop("refused");
    case End::kContinue:
      log::notice("Successful partial resynchronization with primary.");
      if (!handshake_->id().empty()) ports_.replication->continue_as(handshake_->id());
      return become_connected();
    case End::kFull:
      log::notice("Full resync from primary: {}:{}", handshake_->id(), handshake_->offset());
      // Their data is about to be of no stream.
      ports_.replication->drop_replicas();
      state_ = State::kTransfer;
  }
}

bool Follower::take_snapshot_header() {
  for (;;) {
    const std::size_t end = input_.find('\n');
    if (end == std::string::npos) return false;
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;  // it is still at work
    header_ = replication::parse_snapshot_header(line);
    if (!header_) {
      log::warning("Bad protocol from PRIMARY, the first byte is not '$' (we received '{}')",
                   line.substr(0, kErrorShown));
      drop("no snapshot");
      return false;
    }
    break;
  }
  if (header_->bytes)
    log::notice("PRIMARY <-> REPLICA sync: receiving {} bytes from primary to disk",
                *header_->bytes);
  else
    log::notice("PRIMARY <-> REPLICA sync: receiving streamed RDB from primary with EOF to disk");
  path_ = fmt::format("temp-{}.{}.rdb", ports_.clock->unix_now().unix_seconds(), ports_.pid);
  auto file = ports_.disk->open(path_, io::OpenMode::kCreate);
  if (!file) {
    log::warning("Opening the temp file needed for PRIMARY <-> REPLICA synchronization: {}",
                 file.error().context);
    drop("no file");
    return false;
  }
  file_ = std::move(*file);
  return true;
}

void Follower::take_snapshot_bytes() {
  std::size_t take = input_.size();
  if (header_->bytes) take = std::min<std::uint64_t>(take, *header_->bytes - received_);
  const std::string_view piece = std::string_view(input_).substr(0, take);
  if (const auto done = file_->append(piece); !done) {
    log::warning(
        "Write error or short write writing to the DB dump file needed for PRIMARY <-> REPLICA "
        "synchronization: {}",
        done.error().context);
    return drop("file");
  }
  received_ += take;
  bool complete = header_->bytes && received_ == *header_->bytes;
  if (!header_->bytes) {
    tail_ += piece.substr(piece.size() - std::min(piece.size(), header_->mark.size()));
    if (tail_.size() > header_->mark.size()) tail_.erase(0, tail_.size() - header_->mark.size());
    complete = tail_ == header_->mark;
  }
  input_.erase(0, take);
  if (complete) snapshot_complete();
}

void Follower::snapshot_complete() {
  if (!header_->bytes) {
    const auto cut = file_->truncate(received_ - header_->mark.size());
    if (!cut) {
      log::warning("The snapshot's end mark could not be cut off: {}", cut.error().context);
      return drop("file");
    }
  }
  if (const auto synced = file_->sync(); !synced) {
    log::warning("Failed trying to sync the temp DB to disk: {}", synced.error().context);
    return drop("file");
  }
  ports_.link->set_reading(false);
  state_ = State::kLoad;
  ports_.load_due();
}

void Follower::load(const std::function<bool()>& serve) {
  const std::uint64_t attempt = attempt_;
  const std::string id = handshake_->id();
  const std::uint64_t offset = handshake_->offset();
  ports_.replication->forget_stream();
  log::notice("PRIMARY <-> REPLICA sync: Flushing old data");
  log::notice("PRIMARY <-> REPLICA sync: Loading DB in memory");
  // A user may choose another primary, or none, meanwhile.
  const auto loaded = ports_.persistence->replace_data(path_, [&] {
    const MonoTime now = ports_.clock->mono_now();
    if (now - newline_at_ >= kBetweenNewlines) {
      newline_at_ = now;
      ports_.link->send("\n");
    }
    return serve() && attempt == attempt_;
  });
  ports_.refresh_time();
  if (attempt != attempt_) return;
  if (!loaded) {
    log::warning("Failed trying to load the PRIMARY synchronization DB from disk: {}",
                 loaded.error().context);
    return drop("load");
  }
  // A restart begins with it.
  file_.reset();
  if (const config::Settings& s = settings();
      s.rdb_del_sync_files && s.save.empty() && !s.appendonly) {
    static_cast<void>(ports_.disk->remove(path_));
  } else if (const auto kept = ports_.disk->rename(path_, s.dbfilename); !kept) {
    log::warning("Failed trying to rename the temp DB into {}: {}", s.dbfilename,
                 kept.error().context);
  }
  forget_transfer();
  ports_.replication->adopt(id, offset);
  log::notice("PRIMARY <-> REPLICA sync: Finished with success");
  become_connected();
  session().db = *loaded;
  // A primary that sent a snapshot without a length waits for this.
  acknowledge();
  ports_.link->set_reading(true);
  receive();
}

void Follower::become_connected() {
  state_ = State::kConnected;
  handshake_.reset();
  heard_at_ = ports_.clock->mono_now();
  if (session_ == nullptr) {
    session_ = &engine_->open({fmt::format("{}:{}", host_, port_), "", -1, false, false, false});
    session_->primary = session_->replaying = session_->authenticated = true;
    session_->db = ports_.replication->stream_db();
  }
}

// --- the stream ---

void Follower::relay_complete(std::size_t bytes) {
  ports_.replication->relay(std::string_view(complete_).substr(0, bytes), session().db);
  complete_.erase(0, bytes);
}

void Follower::run_command(std::span<const std::string_view> words) {
  if (words.size() >= 2 && is_word(words[0], "replconf") && is_word(words[1], "getack")) {
    relay_complete(complete_.size());
    owes_synced_ = settings().appendonly && !note_synced();
    return acknowledge();
  }
  Session& s = session();
  if (const std::string_view refusal = ports_.persistence->write_refusal();
      !refusal.empty() && !settings().replica_ignore_disk_write_errors) {
    log::warning("Replica was unable to write command to disk: {}", refusal);
    std::abort();
  }
  engine_->begin_replay();
  engine_->execute(s, words);
  engine_->end_replay();
  if (s.out.size() > 0) {
    const std::string said = s.out.str();
    if (said.front() == '-') {
      log::warning(
          "== CRITICAL == This replica is sending an error to its primary: '{}' after processing "
          "the command '{}'",
          said.substr(1, std::min(kErrorShown, said.find('\r')) - 1), words[0]);
      if (settings().propagation_error_behavior != config::PropagationError::kIgnore) std::abort();
    }
    s.out.clear();
    s.output_pending = false;
  }
}

// CLIENT KILL: a session without a connection ends with its link. Nothing is run in it before that:
// it would be refused, and counted as done.
bool Follower::end_if_killed() {
  if (!session_->close_now && !session_->close_after_reply) return false;
  session_->close_now = session_->close_after_reply = false;
  log::notice("Connection with primary lost.");
  drop("killed by a client");
  tried_at_ = {};
  return true;
}

void Follower::run_stream() {
  if (end_if_killed()) return;
  if (must_wait()) {
    if (input_.size() >= kInputAhead) ports_.link->set_reading(false);
    return;
  }
  const std::uint64_t attempt = attempt_;
  ParserLimits limits;
  limits.bulk_bytes = settings().proto_max_bulk_len;
  std::vector<std::string_view> words;
  std::size_t done = 0;
  bool broken = false;
  while (done < input_.size()) {
    words.clear();
    std::size_t consumed = 0;
    const std::string_view rest = std::string_view(input_).substr(done);
    const auto status = parser_.next(rest, limits, words, consumed);
    if (status == RequestParser::Status::kNeedMore) break;
    if (status == RequestParser::Status::kError) {
      log::warning("Protocol error from the primary: {}", parser_.error());
      broken = true;
      break;
    }
    if (!words.empty()) run_command(words);
    if (attempt != attempt_) return;
    open_ += rest.substr(0, consumed);
    done += consumed;
    parser_.reset();
    if (!session().in_multi) complete_ += std::exchange(open_, {});
  }
  input_.erase(0, done);
  if (!complete_.empty()) relay_complete(complete_.size());
  if (broken) drop("protocol");
}

// --- what others ask ---

std::string_view Follower::state_name(State state) {
  switch (state) {
    case State::kNone: return "none";
    case State::kConnect: return "connect";
    case State::kConnecting: return "connecting";
    case State::kHandshake: return "handshake";
    case State::kTransfer:
    case State::kLoad: return "sync";
    case State::kConnected: break;
  }
  return "connected";
}

void Follower::write_role(ReplyWriter& out) {
  out.array(5);
  out.bulk("slave");
  out.bulk(host_);
  out.integer(port_);
  out.bulk(state_name(state_));
  out.integer(link_is_up() ? as_signed(ports_.replication->offset()) : -1);
}

void Follower::write_info(InfoWriter& out) {
  const MonoTime now = ports_.clock->mono_now();
  const auto since = [now](MonoTime t) {
    return std::chrono::duration_cast<seconds>(now - t).count();
  };
  const bool syncing = state_ == State::kTransfer || state_ == State::kLoad;
  out.field("master_host", host_);
  out.field("master_port", port_);
  out.field("master_link_status", link_is_up() ? "up" : "down");
  out.field("master_last_io_seconds_ago", link_is_up() ? since(heard_at_) : -1);
  out.field("master_sync_in_progress", syncing ? 1 : 0);
  const std::int64_t offset = as_signed(ports_.replication->offset());
  out.field("slave_read_repl_offset",
            offset + as_signed(open_.size()) + (link_is_up() ? as_signed(input_.size()) : 0));
  out.field("slave_repl_offset", offset);
  if (syncing) {
    const std::int64_t total = header_ && header_->bytes ? as_signed(*header_->bytes) : 0;
    const std::int64_t read = as_signed(received_);
    out.field("master_sync_total_bytes", total);
    out.field("master_sync_read_bytes", read);
    out.field("master_sync_left_bytes", total == 0 ? -1 : total - read);
    out.fixed("master_sync_perc",
              total == 0 ? 0.0 : 100.0 * static_cast<double>(read) / static_cast<double>(total));
    out.field("master_sync_last_io_seconds_ago", since(heard_at_));
  }
  if (!link_is_up()) out.field("master_link_down_since_seconds", since(down_since_));
  out.field("slave_priority", settings().replica_priority);
  out.field("slave_read_only", settings().replica_read_only ? 1 : 0);
  out.field("replica_announced", settings().replica_announced ? 1 : 0);
}

}  // namespace hearth
