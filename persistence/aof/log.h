// Log: the append-only log, as a state machine on the engine's thread. Everything that waits for
// the disk is work for a DiskThread; this class decides what is done next and what a failure means.
//
// Units gather in memory. turn() gives them to the disk, one write at a time: while it is under
// way, the next units gather. Replies wait by offset (barrier()), nobody else does.
//
//   kOff           no log
//   kFirstRewrite  turned on while the server runs: units go to a temporary increment until the
//                  first base is complete; nothing is confirmed before
//   kOn            a base and increments hold all data
//
// A rewrite: begin_rewrite() at the moment of the fork, so that units from there on go to a new
// increment; finish_rewrite() with the child's base, which switches the manifest.
//
// Failures, and the way back from each:
//   a write    The file is cut back to its length before, and the bytes are kept: tried again with
//              every retry(). While it can't be cut back nothing is written behind the torn bytes.
//   a sync     The system may have dropped what was written since the last good sync, and says so
//              once. Nothing is confirmed any more until a rewrite that begins after it is
//              complete: its increment is a new file, and its base holds everything before.
//   a new increment, or the switch   The log in use stays; the rewrite is void.
//
// Offsets are those of the stream of effects; byte counts go over all files since the start.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "persistence/aof/disk_thread.h"
#include "persistence/aof/manifest.h"
#include "persistence/aof/stream_position.h"
#include "persistence/io/file_system.h"
#include "src/base/time.h"
#include "src/effects/command_stream.h"

namespace hearth::aof {

enum class SyncPolicy : std::uint8_t { kEverySecond, kAlways, kNever };

class Log final : public EffectSink {
 public:
  enum class State : std::uint8_t { kOff, kOn, kFirstRewrite };
  enum class Trouble : std::uint8_t { kNone, kWrite, kSync };
  struct Event {
    enum class Kind : std::uint8_t {
      kWriteFailed,      // for the first time, or for another reason
      kWriteRecovered,   // all that had gathered is written
      kSyncFailed,       // only a rewrite helps
      kSyncRecovered,    // it has helped
      kIncrementFailed,  // the rewrite that has begun can't be completed
      kSwitched,         // its base is the base
      kSwitchFailed,
      kRemoved,  // a file that was history; `text` is its name
      kSlow,     // the disk takes so long that replies to writes wait for it
    };
    Kind kind;
    std::string text{};  // the reason of a failure
  };

  // `files` is the disk's while anything is under way.
  Log(LogFiles& files, io::FileSystem& fs, DiskThread& disk)
      : disk_(disk), writer_{files, fs, nullptr, 0, false} {}
  ~Log() override { disk_.finish(); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // --- on and off; these wait for the disk ---
  // The manifest's last increment, which was just read or made, is the file in use.
  [[nodiscard]] Result<void> open();
  // Everything that was committed is gathered from now on; begin_rewrite() must follow.
  void begin_first() { state_ = State::kFirstRewrite; }
  // Writes what there is, and forgets the file.
  void close();
  // Writes and syncs all there is. For the end of the process, and before the files are read.
  [[nodiscard]] Result<void> flush_now(std::uint64_t offset);
  // The same with a note of where the stream stands behind it.
  [[nodiscard]] Result<void> end_with(const StreamPosition& position);

  // --- units ---
  void on_commit(const CommittedUnit& unit) override;
  // The time is noted in the log whenever its second changes.
  void set_timestamps(bool on) { timestamps_ = on; }
  void set_time(UnixMillis time) { time_ = time; }

  struct Turn {
    SyncPolicy policy = SyncPolicy::kEverySecond;
    bool hold_sync = false;  // a child writes: leave the disk to it
    MonoTime now{};
    std::uint64_t offset = 0;  // of the stream
  };
  // At the end of a loop turn: takes what the disk has done, and gives it what there is.
  void turn(const Turn& turn);
  // A write that failed is tried again by the next turn.
  void retry() { retry_ = true; }
  [[nodiscard]] std::vector<Event> take_events() { return std::exchange(events_, {}); }

  // --- rewriting ---
  // The fork comes right after this. If the new increment can't be made, an event says so.
  void begin_rewrite(std::uint64_t offset);
  // base_temp_path is complete and synced. An event tells how it went.
  void finish_rewrite(const std::string& base_temp_path, LogFiles::BaseForm form,
                      bool keep_history);
  // The child failed. A log that has no base yet goes back to before begin_rewrite().
  void abandon_rewrite();
  [[nodiscard]] bool rewrite_is_void() const { return rewrite_void_; }
  // The disk takes long. Replies to writes wait; who has no client to hold back must wait itself.
  [[nodiscard]] bool is_slow() const { return busy_ && told_slow_; }
  // finish_rewrite() is not through.
  [[nodiscard]] bool is_switching() const { return switching_; }

  // --- what there is ---
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_on() const { return state_ != State::kOff; }
  // Units are taken down.
  [[nodiscard]] bool takes_units() const { return takes_units_; }
  [[nodiscard]] Trouble trouble() const {
    return lost_ ? Trouble::kSync : failing_ ? Trouble::kWrite : Trouble::kNone;
  }
  [[nodiscard]] const std::string& error() const { return error_; }
  // Replies to writes behind this offset must not leave yet; UINT64_MAX: none waits.
  [[nodiscard]] std::uint64_t barrier(const Turn& turn) const;
  // Up to here all of the stream is on the disk, as far as is known; 0 while nothing is confirmed.
  [[nodiscard]] std::uint64_t synced_offset() const { return is_confirmed() ? synced_.offset : 0; }
  [[nodiscard]] bool is_synced() const {
    return is_confirmed() && synced_.bytes >= appended_ && !busy_;
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }  // of the file in use
  [[nodiscard]] std::uint64_t total_size() const { return other_files_bytes_ + size_; }
  [[nodiscard]] std::uint64_t size_at_rewrite() const { return size_at_rewrite_; }
  [[nodiscard]] std::uint64_t buffered() const;
  [[nodiscard]] bool sync_pending() const { return sync_pending_; }
  [[nodiscard]] std::uint64_t delayed() const { return delayed_; }

 private:
  struct Mark {
    std::uint64_t bytes = 0, offset = 0;
  };
  // The file, as the disk's thread sees it.
  struct Writer {
    LogFiles& files;
    io::FileSystem& fs;
    std::shared_ptr<io::File> file;
    std::uint64_t size = 0;
    bool torn = false;  // bytes of a failed write stand behind `size`

    [[nodiscard]] Result<void> write(std::string_view bytes);
    [[nodiscard]] Result<void> next_increment();
    [[nodiscard]] Result<void> temp_increment();
    [[nodiscard]] Result<std::uint64_t> files_size() const;
  };
  struct Op {
    enum class Kind : std::uint8_t { kWrite, kIncrement, kSwitch };
    Kind kind = Kind::kWrite;
    std::string bytes;
    bool sync = false;
    Mark mark;  // what is in the log when this is done
    LogFiles::Switch to;
    bool keep_history = false;
    bool is_void = false;  // a switch whose increment could not be made
  };
  struct Outcome {
    Result<void> done, synced;
    std::uint64_t size = 0;   // of the file in use
    std::uint64_t total = 0;  // of all files
    std::vector<std::string> removed;
  };

  void forget_units();
  [[nodiscard]] bool is_confirmed() const { return state_ == State::kOn && !lost_; }
  [[nodiscard]] Op write_op(bool sync, std::uint64_t offset);
  [[nodiscard]] bool sync_is_due(const Turn& turn) const;
  void pump(MonoTime now);
  [[nodiscard]] static Outcome perform(Writer& writer, const Op& op);
  void finished(Op op, const Outcome& outcome);
  void write_finished(Op op, const Outcome& outcome);
  void increment_finished(const Op& op, const Outcome& outcome);
  void switch_finished(const Op& op, const Outcome& outcome);
  void sync_failed(const Result<void>& why);
  void note_synced(const Mark& mark);
  void tell(Event::Kind kind, const Result<void>& why = {});

  DiskThread& disk_;
  Writer writer_;
  State state_ = State::kOff;
  bool takes_units_ = false;
  CommandStream stream_{Effect::kToLog};
  std::string buffer_;
  std::deque<Op> queue_;
  bool busy_ = false;  // the first of the queue is the disk's
  bool sync_pending_ = false;
  MonoTime began_{};  // the work under way
  bool told_slow_ = false;
  bool replies_wait_ = false;  // for every sync
  bool failing_ = false, retry_ = false;
  bool lost_ = false;
  // The increment in use was begun by a rewrite after the last failed sync: what is synced in it,
  // and what stood before it, is safe once that rewrite is complete.
  bool fresh_ = false;
  bool switching_ = false, rewrite_void_ = false;
  Mark fresh_synced_, synced_, written_;
  std::uint64_t appended_ = 0;
  std::string error_;
  std::vector<Event> events_;
  std::uint64_t size_ = 0, other_files_bytes_ = 0, size_at_rewrite_ = 0;
  bool timestamps_ = false;
  UnixMillis time_{};
  std::int64_t last_stamp_ = 0;
  MonoTime last_sync_{};
  std::uint64_t delayed_ = 0;
};

// A note of the time, as it stands between commands.
[[nodiscard]] std::string timestamp_note(UnixMillis now);

}  // namespace hearth::aof
