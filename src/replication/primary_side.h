// PrimarySide: replication as its primary sees it, as a state machine. It knows no sockets, files,
// processes or clocks: events come in by step(), with the time; what is to be done comes out.
//
// A replica is a peer that sent SYNC or PSYNC. Its states, and what ends each but the next one:
//
//   kGreeting  it is an ordinary client that said REPLCONF              (nothing)
//   kWaiting   until a child can be started for its snapshot            it takes no bytes
//   kSaving    a child writes the snapshot, into a file or to us        it takes no bytes
//   kSending   the file goes to it, a piece whenever there is room      it takes no bytes
//   kAwaitAck  it got a snapshot without a length: its first
//              acknowledgement says that it is loaded                   no acknowledgement
//   kOnline    it gets the stream                                       no acknowledgement
//
// "It takes no bytes" is: some wait for it and none leave for `timeout`. So no peer can hold the
// one child there is, or its part of the stream, for longer.
//
// The stream stands in one Backlog. A replica is an offset in it; what it has not been given yet is
// bounded by `output_hard` and `output_soft`.
//
// The stream's name (id) changes when this server begins a stream of its own; the name before holds
// for offsets up to id2_until(), so that who followed the old one can follow on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "src/base/ids.h"
#include "src/base/time.h"
#include "src/replication/backlog.h"

namespace hearth::replication {

using PeerId = ConnId;

struct PrimarySettings {
  std::uint64_t backlog_bytes = 1024 * 1024;
  seconds backlog_ttl{3600};  // 0: for ever
  seconds timeout{60};
  seconds ping_period{10};
  bool diskless = true;
  seconds diskless_delay{5};
  int diskless_max_replicas = 0;  // 0: no limit
  // Bytes that wait for a replica: the most at once, and the most for longer than soft_for. 0: any.
  std::uint64_t output_hard = 0, output_soft = 0;
  seconds soft_for{0};
  seconds good_lag{10};  // a replica that acknowledged this lately counts as good
};

// The part of the data set that a snapshot holds.
struct SnapshotContent {
  bool keys = true, functions = true;
  friend bool operator==(const SnapshotContent&, const SnapshotContent&) = default;
};

enum class ReplicaState : std::uint8_t {
  kGreeting,
  kWaiting,
  kSaving,
  kSending,
  kAwaitAck,
  kOnline
};

struct Replica {
  ReplicaState state = ReplicaState::kGreeting;
  // Facts that it told of itself.
  bool takes_eof = false;  // a snapshot of unknown length, ended by a mark
  bool takes_psync2 = false;
  bool snapshot_only = false;     // wants no stream
  bool takes_open_slots = false;  // SETSLOT in the stream: it is a cluster node that knows how
  SnapshotContent content;
  bool acknowledges = false;  // came by PSYNC
  int port = 0;
  std::string address;  // "": as its connection says

  bool direct = false;     // its snapshot goes to it without a file
  std::uint64_t next = 0;  // offset of the byte of the stream that it is given next; 0: none
  std::uint64_t acked = 0, acked_on_disk = 0;
  MonoTime acked_at{}, waiting_since{};
  // Bytes that wait in its output, how many have left for it, and when some last did.
  std::uint64_t unsent = 0, sent = 0;
  MonoTime sent_at{};
  MonoTime soft_since{};  // the soft limit is passed since; 0: it is not
  std::uint64_t file_left = 0;
  bool dropped = false;  // its connection is about to be closed
};

// --- what happens ---

struct SyncAsked {
  PeerId peer = 0;
  bool partial = false;  // PSYNC: `id` and `offset` are what it has and wants next
  std::string_view id;
  std::string_view offset;
};
struct Acknowledged {
  PeerId peer = 0;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> on_disk;
};
struct PeerClosed {
  PeerId peer = 0;
};
// Bytes that wait in a peer's output, and bytes that have left for it in all.
struct PeerOutput {
  PeerId peer = 0;
  std::uint64_t unsent = 0, sent = 0;
};
// The end of a loop turn, before its output leaves; `peers` are those of peers(), those that are
// gone left out.
struct TurnEnded {
  std::span<const PeerOutput> peers;
};
struct Ticked {};
struct SnapshotFailed {  // it could not be started
  std::string why;
};
struct SnapshotEnded {
  bool succeeded = false;
};
struct SnapshotBytes {  // of a direct snapshot, from the child
  std::string_view bytes;
};
struct FileOpened {  // of a snapshot in a file, for one peer
  PeerId peer = 0;
  std::optional<std::uint64_t> size;  // nothing: it can't be read
};
struct FilePiece {  // the answer to SendFile; empty: it can't be read
  PeerId peer = 0;
  std::uint64_t bytes = 0;
};
using PrimaryEvent =
    std::variant<SyncAsked, Acknowledged, PeerClosed, TurnEnded, Ticked, SnapshotFailed,
                 SnapshotEnded, SnapshotBytes, FileOpened, FilePiece>;

// --- what is to be done, in this order ---

struct Send {
  PeerId peer = 0;
  std::string bytes;
};
struct SendStream {  // bytes of the backlog
  PeerId peer = 0;
  std::uint64_t from = 0, bytes = 0;
};
struct SendFile {  // at most so many bytes of its file; FilePiece tells how many they were
  PeerId peer = 0;
  std::uint64_t bytes = 0;
};
struct SendSnapshot {  // what SnapshotBytes brought
  PeerId peer = 0;
};
struct OpenFile {  // FileOpened tells its size
  PeerId peer = 0;
};
struct RemoveFile {};  // peers that read it have it open
struct CloseFile {
  PeerId peer = 0;
};
struct Drop {
  PeerId peer = 0;
  enum class Why : std::uint8_t { kFailed, kTimeout, kOutputLimit, kAsked } why = Why::kFailed;
};
// Its snapshot was all that it wanted.
struct Dismiss {
  PeerId peer = 0;
};
struct StartSnapshot {  // SnapshotFailed, or SnapshotEnded at its end
  bool direct = false;
  SnapshotContent content;
};
struct StopSnapshot {};
// Whether bytes of the direct snapshot are wanted.
struct ReadSnapshot {
  bool on = false;
};
struct NameChanged {};  // id() did
// Commits are to be appended or not: wants_stream() may have changed.
struct WantsChanged {};
struct Progressed {};    // somebody acknowledged more
struct CountChanged {};  // good_replicas() may have
struct MoreToSend {};    // there will be more, once what was sent has left
struct WentOnline {      // it gets the stream from now on
  PeerId peer = 0;
};
struct Note {
  enum class Level : std::uint8_t { kDebug, kNotice, kWarning } level = Level::kNotice;
  std::string text;  // "{}" stands for the peer's name
  PeerId peer = 0;
};
using PrimaryAction =
    std::variant<Send, SendStream, SendFile, SendSnapshot, OpenFile, RemoveFile, CloseFile, Drop,
                 Dismiss, StartSnapshot, StopSnapshot, ReadSnapshot, NameChanged, WantsChanged,
                 Progressed, CountChanged, MoreToSend, WentOnline, Note>;
using PrimaryActions = std::vector<PrimaryAction>;

class PrimarySide {
 public:
  // new_name makes a name for a stream, 40 hexadecimal digits.
  PrimarySide(const PrimarySettings& settings, std::function<std::string()> new_name);

  void change_settings(const PrimarySettings& settings);
  // Whether a child can be started now. Told before each step.
  void allow_child(bool on) { child_allowed_ = on; }
  [[nodiscard]] PrimaryActions step(MonoTime now, const PrimaryEvent& event);

  // A peer introduces itself (REPLCONF), in state kGreeting or later.
  [[nodiscard]] Replica& greet(PeerId peer) { return replicas_[peer]; }

  // --- the stream: called for every unit, so without an event ---
  // Bytes of a unit whose effects are in the data; `db` is where the next effect belongs if it does
  // not say so. There is a stream.
  void append(std::string_view bytes, DbIndex db);
  // A unit while there is no stream: the offset counts it, so that it says what the disk has.
  void count_unit() { ++offset_; }
  // Replicas are asked for an acknowledgement with the end of the turn.
  void ask_for_acks() { acks_wanted_ = true; }
  // The writer of the stream has to name its database again: a reader begins here. Asked once.
  [[nodiscard]] bool takes_fresh_start() { return std::exchange(fresh_start_, false); }

  // --- whose stream it is ---
  // The data was loaded, and stands there in the stream of that name.
  enum class Role : bool { kPrimary, kReplica };
  [[nodiscard]] PrimaryActions resume(MonoTime now, const std::string& id, std::uint64_t offset,
                                      DbIndex db, Role role);
  // This server follows another: what replicas get comes from there.
  [[nodiscard]] PrimaryActions follow();
  // All data came from the primary, whose stream stands at `offset`.
  [[nodiscard]] PrimaryActions adopt(const std::string& id, std::uint64_t offset);
  // The primary goes on where we are, under this name of the stream.
  [[nodiscard]] PrimaryActions continue_as(const std::string& id);
  // This server is its own primary again.
  [[nodiscard]] PrimaryActions lead(MonoTime now);
  [[nodiscard]] PrimaryActions drop_replicas();
  // The data is of no stream any more.
  void forget_stream();
  // Somebody gave the stream another name: who follows can't go on.
  void rename(std::string id) { id_ = std::move(id); }
  // Nothing is added to the stream and nobody is answered: its end is being saved.
  void freeze(bool on) { frozen_ = on; }

  // --- what there is ---
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& id2() const { return id2_; }  // "" if there is none
  [[nodiscard]] std::uint64_t id2_until() const { return id2_until_; }
  [[nodiscard]] const std::optional<Backlog>& backlog() const { return backlog_; }
  [[nodiscard]] std::uint64_t offset() const { return backlog_ ? backlog_->last() : offset_; }
  [[nodiscard]] DbIndex stream_db() const { return stream_db_; }
  [[nodiscard]] bool is_following() const { return following_; }
  // Units of this server are to be appended.
  [[nodiscard]] bool wants_stream() const { return backlog_.has_value() && !following_; }
  [[nodiscard]] bool is_frozen() const { return frozen_; }
  [[nodiscard]] const std::map<PeerId, Replica>& peers() const { return replicas_; }
  [[nodiscard]] std::size_t online_replicas() const;
  // Those that units of this server go to, now or once their snapshot is there.
  [[nodiscard]] std::size_t fed_replicas() const;
  [[nodiscard]] std::size_t replicas_at(std::uint64_t offset, bool on_disk) const;
  // All that are online do.
  [[nodiscard]] bool replicas_take_open_slots() const;
  // The offset that so many online replicas have confirmed; 0 if there are fewer.
  [[nodiscard]] std::uint64_t confirmed_by(std::size_t replicas) const;
  [[nodiscard]] std::size_t good_replicas() const { return good_; }
  struct Figures {
    std::uint64_t full = 0, partial_ok = 0, partial_err = 0;
  };
  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  // Bytes that wait in a replica's output at most, and what is added to it at a time.
  static constexpr std::uint64_t kOutputAhead = 1024 * 1024;

  void on(const SyncAsked& event);
  void on(const Acknowledged& event);
  void on(const PeerClosed& event);
  void on(const TurnEnded& event);
  void on(const Ticked& event);
  void on(const SnapshotFailed& event);
  void on(const SnapshotEnded& event);
  void on(const SnapshotBytes& event);
  void on(const FileOpened& event);
  void on(const FilePiece& event);

  [[nodiscard]] bool try_partial(const SyncAsked& event, Replica& replica);
  void begin_stream();
  void start_snapshot();
  void begin_snapshot(bool direct, SnapshotContent content);
  void go_online(PeerId peer, Replica& replica);
  void pull(PeerId peer, Replica& replica);
  void update_reading();
  void check_limits(PeerId peer, Replica& replica);
  [[nodiscard]] bool is_timed_out(const Replica& replica) const;
  void drop(PeerId peer, Drop::Why why);
  void stop_useless_snapshot();
  void keep_what_is_needed(bool may_release);
  void count_good_replicas();
  void append_command(std::span<const std::string_view> words);
  template <typename A>
  void act(A action) {
    actions_.emplace_back(std::move(action));
  }
  void note(Note::Level level, std::string text, PeerId peer = 0) {
    actions_.emplace_back(Note{level, std::move(text), peer});
  }
  [[nodiscard]] PrimaryActions take() { return std::exchange(actions_, {}); }

  PrimarySettings settings_;
  std::function<std::string()> new_name_;
  MonoTime now_{};
  PrimaryActions actions_;
  std::map<PeerId, Replica> replicas_;
  std::optional<Backlog> backlog_;
  std::uint64_t kept_from_ = Backlog::kNobody;
  std::uint64_t offset_ = 0;  // where the stream stood when the backlog was given up
  std::string id_, id2_;
  std::uint64_t id2_until_ = 0;
  DbIndex stream_db_ = 0;
  bool following_ = false, frozen_ = false;
  bool fresh_start_ = false;
  bool acks_wanted_ = false;
  bool fed_ = false;  // since the last tick
  MonoTime last_ping_{}, last_newline_{}, alone_since_{};
  enum class Child : std::uint8_t { kNone, kFile, kDirect } child_ = Child::kNone;
  bool child_allowed_ = true;
  bool reading_ = false;
  std::string eof_mark_;
  std::size_t good_ = 0;
  Figures figures_;
};

}  // namespace hearth::replication
