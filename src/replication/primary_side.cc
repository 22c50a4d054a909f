#include "src/replication/primary_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "src/base/parse_number.h"
#include "src/effects/command_stream.h"
#include "src/replication/handshake.h"

namespace hearth::replication {
namespace {

constexpr seconds kNewlineEvery{1};

bool has_begun(const Replica& r) { return r.state != ReplicaState::kGreeting; }
bool is_saving_direct(const Replica& r) {
  return !r.dropped && r.state == ReplicaState::kSaving && r.direct;
}
// The stream has to be kept for it.
bool needs_stream(const Replica& r) { return !r.dropped && r.next != 0; }

}  // namespace

PrimarySide::PrimarySide(const PrimarySettings& settings, std::function<std::string()> new_name)
    : settings_(settings), new_name_(std::move(new_name)) {}

void PrimarySide::change_settings(const PrimarySettings& settings) {
  settings_ = settings;
  if (backlog_ && backlog_->capacity() != settings.backlog_bytes)
    backlog_->set_capacity(settings.backlog_bytes);
}

PrimaryActions PrimarySide::step(MonoTime now, const PrimaryEvent& event) {
  now_ = now;
  std::visit([this](const auto& e) { on(e); }, event);
  keep_what_is_needed(false);
  return take();
}

// --- the stream ---

void PrimarySide::append(std::string_view bytes, DbIndex db) {
  stream_db_ = db;
  if (!backlog_ || frozen_) return;
  backlog_->append(bytes);
  fed_ = true;
}

void PrimarySide::append_command(std::span<const std::string_view> words) {
  std::string bytes;
  hearth::append_command(words, bytes);
  append(bytes, stream_db_);
}

void PrimarySide::begin_stream() {
  // Nobody can know the stream up to here: it gets a new name.
  if (offset_ == 0) {
    id_ = new_name_();
    act(NameChanged{});
  }
  backlog_.emplace(settings_.backlog_bytes, offset_);
  last_ping_ = now_;
  act(WantsChanged{});
}

// Blocks handed out are read after the step, so only the next turn lets go of it.
void PrimarySide::keep_what_is_needed(bool may_release) {
  if (!backlog_) return;
  std::uint64_t slowest = Backlog::kNobody;
  for (const auto& [peer, replica] : replicas_) {
    if (needs_stream(replica)) slowest = std::min(slowest, replica.next);
  }
  kept_from_ = may_release ? slowest : std::min(slowest, kept_from_);
  backlog_->keep_from(kept_from_);
}

// Gives an online replica what the stream has for it, as far as its output has room.
void PrimarySide::pull(PeerId peer, Replica& replica) {
  const bool reads = replica.state == ReplicaState::kOnline && needs_stream(replica);
  if (!reads || !backlog_) return;
  const std::uint64_t behind = backlog_->last() + 1 - replica.next;
  if (behind == 0 || replica.unsent >= kOutputAhead) return;
  const std::uint64_t bytes = std::min(behind, kOutputAhead - replica.unsent);
  act(SendStream{peer, replica.next, bytes});
  replica.next += bytes;
  replica.unsent += bytes;
  if (bytes < behind) act(MoreToSend{});
}

void PrimarySide::check_limits(PeerId peer, Replica& replica) {
  if (!needs_stream(replica) || !backlog_) return;
  const bool online = replica.state == ReplicaState::kOnline;
  const std::uint64_t waits = backlog_->last() + 1 - replica.next + (online ? replica.unsent : 0);
  if (settings_.output_soft == 0 || waits <= settings_.output_soft)
    replica.soft_since = {};
  else if (replica.soft_since.us == 0)
    replica.soft_since = now_;
  const bool soft = replica.soft_since.us != 0 && now_ - replica.soft_since > settings_.soft_for;
  const bool hard = settings_.output_hard != 0 && waits > settings_.output_hard;
  if (!soft && !hard) return;
  note(Note::Level::kWarning,
       "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.", peer);
  drop(peer, Drop::Why::kOutputLimit);
}

// --- replicas come and go ---

void PrimarySide::drop(PeerId peer, Drop::Why why) {
  Replica& replica = replicas_[peer];
  if (std::exchange(replica.dropped, true)) return;
  act(Drop{peer, why});
  stop_useless_snapshot();
}

void PrimarySide::stop_useless_snapshot() {
  if (child_ != Child::kDirect) return;
  for (const auto& [peer, replica] : replicas_) {
    if (is_saving_direct(replica)) return;
  }
  note(Note::Level::kNotice, "Diskless rdb transfer, last replica dropped, killing fork child.");
  child_ = Child::kNone;
  reading_ = false;
  act(StopSnapshot{});
}

void PrimarySide::on(const PeerClosed& event) {
  const auto at = replicas_.find(event.peer);
  if (at == replicas_.end()) return;
  const bool had_begun = has_begun(at->second);
  if (had_begun) note(Note::Level::kNotice, "Connection with replica {} lost.", event.peer);
  act(CloseFile{event.peer});
  replicas_.erase(at);
  if (had_begun) alone_since_ = now_;
  count_good_replicas();
  stop_useless_snapshot();
}

PrimaryActions PrimarySide::drop_replicas() {
  for (auto& [peer, replica] : replicas_) {
    if (has_begun(replica)) drop(peer, Drop::Why::kAsked);
  }
  return take();
}

void PrimarySide::on(const SyncAsked& event) {
  Replica& replica = replicas_[event.peer];
  replica.acknowledges = event.partial;
  replica.sent_at = now_;
  note(Note::Level::kNotice, "Replica {} asks for synchronization", event.peer);
  if (event.partial && try_partial(event, replica)) return;
  ++figures_.full;
  if (!backlog_) begin_stream();
  replica.state = ReplicaState::kWaiting;
  replica.waiting_since = now_;
  start_snapshot();
}

bool PrimarySide::try_partial(const SyncAsked& event, Replica& replica) {
  const auto number = parse_int64(event.offset);
  const std::uint64_t wanted = number && *number >= 0 ? static_cast<std::uint64_t>(*number) : 0;
  const bool before = !id2_.empty() && event.id == id2_ && wanted <= id2_until_;
  const bool ours = event.id == id_ || before;
  if (!ours || !backlog_ || wanted == 0 || !backlog_->can_continue_at(wanted)) {
    if (event.id == "?") return false;
    ++figures_.partial_err;
    if (!ours) {
      note(Note::Level::kNotice, "Partial resynchronization not accepted: Replication ID mismatch");
    } else {
      note(Note::Level::kNotice,
           "Unable to partial resync with replica {} for lack of backlog (Replica request was: " +
               shown(event.offset) + ").",
           event.peer);
    }
    return false;
  }
  ++figures_.partial_ok;
  replica.state = ReplicaState::kOnline;
  replica.acked_at = now_;
  replica.next = wanted;
  act(Send{event.peer, replica.takes_psync2 ? fmt::format("+CONTINUE {}\r\n", id_)
                                            : std::string("+CONTINUE\r\n")});
  note(Note::Level::kNotice,
       fmt::format("Partial resynchronization request from {{}} accepted. Sending {} bytes of "
                   "backlog starting from offset {}.",
                   backlog_->last() + 1 - wanted, wanted),
       event.peer);
  pull(event.peer, replica);
  return true;
}

void PrimarySide::on(const Acknowledged& event) {
  const auto at = replicas_.find(event.peer);
  if (at == replicas_.end() || !has_begun(at->second)) return;
  Replica& replica = at->second;
  // Nobody can have more than there is.
  replica.acked = std::max(replica.acked, std::min(event.offset, offset()));
  if (event.on_disk)
    replica.acked_on_disk = std::max(replica.acked_on_disk, std::min(*event.on_disk, offset()));
  replica.acked_at = now_;
  if (replica.state == ReplicaState::kAwaitAck) go_online(event.peer, replica);
  count_good_replicas();
  act(Progressed{});
}

void PrimarySide::go_online(PeerId peer, Replica& replica) {
  act(CloseFile{peer});
  if (replica.snapshot_only) {
    replica.next = 0;
    act(Dismiss{peer});
    return;
  }
  replica.state = ReplicaState::kOnline;
  replica.acked_at = now_;
  note(Note::Level::kNotice, "Synchronization with replica {} succeeded", peer);
  act(WentOnline{peer});
  pull(peer, replica);
}

// --- snapshots ---

void PrimarySide::start_snapshot() {
  if (child_ != Child::kNone || !child_allowed_ || frozen_) return;
  int direct = 0, by_file = 0;
  bool due = false;
  // One snapshot serves all who want the same of the data; the others wait for the next.
  SnapshotContent content;
  for (const auto& [peer, replica] : replicas_) {
    if (replica.state != ReplicaState::kWaiting || replica.dropped) continue;
    if (direct + by_file == 0) content = replica.content;
    if (replica.content != content) continue;
    if (!settings_.diskless || !replica.takes_eof) {
      ++by_file;
      continue;
    }
    ++direct;
    due = due || now_ - replica.waiting_since >= settings_.diskless_delay;
  }
  if (by_file > 0) return begin_snapshot(false, content);
  if (direct == 0) return;
  const bool enough =
      settings_.diskless_max_replicas > 0 && direct >= settings_.diskless_max_replicas;
  if (due || enough) return begin_snapshot(true, content);
  note(Note::Level::kDebug, "Delay next BGSAVE for diskless SYNC");
}

void PrimarySide::begin_snapshot(bool direct, SnapshotContent content) {
  note(Note::Level::kNotice, fmt::format("Starting BGSAVE for SYNC with target: {}",
                                         direct ? "replicas sockets" : "disk"));
  // The stream goes on from here, for readers that know of no database yet.
  fresh_start_ = true;
  child_ = direct ? Child::kDirect : Child::kFile;
  std::vector<PeerId> takers;
  for (auto& [peer, replica] : replicas_) {
    if (replica.state != ReplicaState::kWaiting || replica.dropped || replica.content != content)
      continue;
    if (direct && !replica.takes_eof) continue;
    replica.state = ReplicaState::kSaving;
    replica.direct = direct;
    replica.next = replica.snapshot_only ? 0 : offset() + 1;
    replica.sent_at = now_;
    takers.push_back(peer);
    if (replica.acknowledges) act(Send{peer, fmt::format("+FULLRESYNC {} {}\r\n", id_, offset())});
  }
  act(StartSnapshot{direct, content});
  if (!direct) return;
  eof_mark_ = new_name_();
  for (const PeerId peer : takers) act(Send{peer, "$EOF:" + eof_mark_ + "\r\n"});
  reading_ = true;
  act(ReadSnapshot{true});
}

void PrimarySide::on(const SnapshotFailed& event) {
  note(Note::Level::kWarning, "BGSAVE for replication failed: " + event.why);
  child_ = Child::kNone;
  reading_ = false;
  for (auto& [peer, replica] : replicas_) {
    if (replica.state == ReplicaState::kSaving) drop(peer, Drop::Why::kFailed);
  }
}

void PrimarySide::on(const SnapshotEnded& event) {
  const bool direct = child_ == Child::kDirect;
  child_ = Child::kNone;
  reading_ = false;
  for (auto& [peer, replica] : replicas_) {
    if (replica.state != ReplicaState::kSaving || replica.dropped) continue;
    if (!event.succeeded) {
      drop(peer, Drop::Why::kFailed);
    } else if (!replica.direct) {
      act(OpenFile{peer});
    } else {
      act(Send{peer, eof_mark_});
      replica.state = ReplicaState::kAwaitAck;
      replica.acked_at = now_;
      if (!replica.acknowledges || replica.snapshot_only) go_online(peer, replica);
    }
  }
  if (!direct) act(RemoveFile{});
  start_snapshot();
}

void PrimarySide::on(const SnapshotBytes& event) {
  for (auto& [peer, replica] : replicas_) {
    if (!is_saving_direct(replica)) continue;
    act(SendSnapshot{peer});
    replica.unsent += event.bytes.size();
  }
  update_reading();
}

// The snapshot is read while every replica has room: the slowest one sets the pace, until it takes
// nothing for too long.
void PrimarySide::update_reading() {
  if (child_ != Child::kDirect) return;
  bool room = true;
  for (const auto& [peer, replica] : replicas_)
    room = room && !(is_saving_direct(replica) && replica.unsent >= kOutputAhead);
  if (std::exchange(reading_, room) != room) act(ReadSnapshot{room});
}

void PrimarySide::on(const FileOpened& event) {
  const auto at = replicas_.find(event.peer);
  if (at == replicas_.end() || at->second.state != ReplicaState::kSaving) return;
  if (!event.size) return drop(event.peer, Drop::Why::kFailed);
  at->second.state = ReplicaState::kSending;
  at->second.file_left = *event.size;
  at->second.sent_at = now_;
  act(Send{event.peer, fmt::format("${}\r\n", *event.size)});
  act(SendFile{event.peer, std::min(at->second.file_left, kOutputAhead)});
}

void PrimarySide::on(const FilePiece& event) {
  const auto at = replicas_.find(event.peer);
  if (at == replicas_.end() || at->second.state != ReplicaState::kSending) return;
  Replica& replica = at->second;
  if (event.bytes == 0 && replica.file_left > 0) return drop(event.peer, Drop::Why::kFailed);
  replica.file_left -= std::min(replica.file_left, event.bytes);
  replica.unsent += event.bytes;
  if (replica.file_left == 0) return go_online(event.peer, replica);
  act(MoreToSend{});
}

// --- time ---

void PrimarySide::on(const TurnEnded& event) {
  if (!backlog_ || frozen_) return;
  keep_what_is_needed(true);
  for (const PeerOutput& output : event.peers) {
    const auto at = replicas_.find(output.peer);
    if (at == replicas_.end()) continue;
    Replica& replica = at->second;
    if (output.unsent == 0 || output.sent != replica.sent) replica.sent_at = now_;
    replica.unsent = output.unsent;
    replica.sent = output.sent;
  }
  if (std::exchange(acks_wanted_, false) && !replicas_.empty()) {
    constexpr std::string_view kGetAck[] = {"REPLCONF", "GETACK", "*"};
    append_command(kGetAck);
  }
  for (auto& [peer, replica] : replicas_) {
    if (replica.dropped) continue;
    check_limits(peer, replica);
    if (replica.state == ReplicaState::kSending && replica.unsent < kOutputAhead)
      act(SendFile{peer, std::min(replica.file_left, kOutputAhead - replica.unsent)});
    pull(peer, replica);
  }
  update_reading();
}

// Those that hold up the promise of min-replicas-to-write: they take the stream and said so lately.
void PrimarySide::count_good_replicas() {
  const auto count = static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [this](const auto& entry) {
        const Replica& r = entry.second;
        return r.state == ReplicaState::kOnline && !r.dropped &&
               std::chrono::duration_cast<seconds>(now_ - r.acked_at) <= settings_.good_lag;
      }));
  good_ = count;
  act(CountChanged{});
}

bool PrimarySide::is_timed_out(const Replica& replica) const {
  const bool takes_nothing = replica.unsent > 0 && now_ - replica.sent_at > settings_.timeout;
  const bool is_silent = replica.acknowledges && now_ - replica.acked_at > settings_.timeout;
  switch (replica.state) {
    case ReplicaState::kGreeting: return false;
    case ReplicaState::kWaiting:
    case ReplicaState::kSaving:
    case ReplicaState::kSending: return takes_nothing;
    case ReplicaState::kAwaitAck:
    case ReplicaState::kOnline: return is_silent || takes_nothing;
  }
  return false;
}

void PrimarySide::on(const Ticked&) {
  if (!backlog_ || frozen_) return;
  count_good_replicas();
  start_snapshot();
  bool any = false;
  const bool newline = now_ - last_newline_ >= kNewlineEvery;
  if (newline) last_newline_ = now_;
  for (auto& [peer, replica] : replicas_) {
    if (replica.dropped) continue;
    any = any || has_begun(replica);
    const bool early = replica.state == ReplicaState::kWaiting ||
                       (replica.state == ReplicaState::kSaving && !replica.direct);
    // So that the replica knows that we are there.
    if (early && newline) act(Send{peer, "\n"});
    if (!is_timed_out(replica)) continue;
    note(Note::Level::kWarning,
         replica.state == ReplicaState::kOnline
             ? "Disconnecting timedout replica (streaming sync): {}"
             : "Disconnecting timedout replica (full sync): {}",
         peer);
    drop(peer, Drop::Why::kTimeout);
  }
  // A stream that flows needs no ping.
  if (std::exchange(fed_, false) || !any || following_) last_ping_ = now_;
  if (now_ - last_ping_ >= settings_.ping_period) {
    last_ping_ = now_;
    constexpr std::string_view kPing[] = {"PING"};
    append_command(kPing);
  }
  if (any || following_ || settings_.backlog_ttl.count() == 0 ||
      now_ - alone_since_ < settings_.backlog_ttl)
    return;
  note(Note::Level::kNotice,
       fmt::format("Replication backlog freed after {} seconds without connected replicas.",
                   settings_.backlog_ttl.count()));
  // Changes from here on are in no stream: nobody may go on from where it stood.
  forget_stream();
  id_ = new_name_();
  id2_.clear();
  act(NameChanged{});
  act(WantsChanged{});
}

// --- whose stream it is ---

PrimaryActions PrimarySide::resume(MonoTime now, const std::string& id, std::uint64_t offset,
                                   DbIndex db, Role role) {
  stream_db_ = db;
  backlog_.emplace(settings_.backlog_bytes, offset);
  alone_since_ = last_ping_ = now;
  if (role == Role::kReplica) {
    id_ = id;
    act(NameChanged{});
  } else {
    // A stream of its own, under the name that it has; the loaded one ends here.
    id2_ = id;
    id2_until_ = offset + 1;
    fresh_start_ = true;
  }
  act(WantsChanged{});
  return take();
}

PrimaryActions PrimarySide::follow() {
  following_ = true;
  act(WantsChanged{});
  return take();
}

PrimaryActions PrimarySide::adopt(const std::string& id, std::uint64_t offset) {
  id_ = id;
  id2_.clear();
  for (auto& [peer, replica] : replicas_) {
    if (has_begun(replica)) drop(peer, Drop::Why::kAsked);
    replica.next = 0;
  }
  backlog_.emplace(settings_.backlog_bytes, offset);
  act(NameChanged{});
  return take();
}

PrimaryActions PrimarySide::continue_as(const std::string& id) {
  if (id == id_) return take();
  id2_ = std::exchange(id_, id);
  id2_until_ = offset() + 1;
  act(NameChanged{});
  // They learn the new name by asking again.
  return drop_replicas();
}

PrimaryActions PrimarySide::lead(MonoTime now) {
  following_ = false;
  if (backlog_) {
    id2_ = id_;
    id2_until_ = offset() + 1;
  }
  id_ = new_name_();
  fresh_start_ = true;
  alone_since_ = now;
  act(NameChanged{});
  act(WantsChanged{});
  return drop_replicas();
}

void PrimarySide::forget_stream() {
  offset_ = offset();
  for (auto& [peer, replica] : replicas_) replica.next = 0;
  backlog_.reset();
}

// --- what others ask ---

std::size_t PrimarySide::online_replicas() const {
  return static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [](const auto& entry) {
        return entry.second.state == ReplicaState::kOnline && !entry.second.dropped;
      }));
}

bool PrimarySide::replicas_take_open_slots() const {
  return std::all_of(replicas_.begin(), replicas_.end(), [](const auto& entry) {
    const Replica& replica = entry.second;
    return replica.state != ReplicaState::kOnline || replica.dropped || replica.takes_open_slots;
  });
}

std::uint64_t PrimarySide::confirmed_by(std::size_t replicas) const {
  std::vector<std::uint64_t> offsets;
  for (const auto& [peer, r] : replicas_) {
    if (r.state == ReplicaState::kOnline && !r.dropped) offsets.push_back(r.acked);
  }
  if (replicas == 0 || offsets.size() < replicas) return 0;
  const auto nth = offsets.begin() + static_cast<std::ptrdiff_t>(replicas - 1);
  std::nth_element(offsets.begin(), nth, offsets.end(), std::greater<>());
  return *nth;
}

std::size_t PrimarySide::fed_replicas() const {
  if (!wants_stream()) return 0;
  return static_cast<std::size_t>(std::count_if(
      replicas_.begin(), replicas_.end(),
      [](const auto& entry) { return entry.second.next != 0 && !entry.second.dropped; }));
}

std::size_t PrimarySide::replicas_at(std::uint64_t offset, bool on_disk) const {
  return static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [&](const auto& entry) {
        const Replica& r = entry.second;
        return r.state == ReplicaState::kOnline && !r.dropped &&
               (on_disk ? r.acked_on_disk : r.acked) >= offset;
      }));
}

}  // namespace hearth::replication
