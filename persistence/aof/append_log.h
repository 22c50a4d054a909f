// AppendLog: the file that changes are appended to, and when they are forced to the disk.
//
// Units gather in memory while a loop turn runs; flush() writes them at its end, before the replies
// of the turn leave. With `always` it also forces them to the disk; with `every second` another
// thread does, once a second.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "persistence/io/file_system.h"
#include "src/base/time.h"
#include "src/effects/command_stream.h"

namespace hearth::aof {

// Forces a file to the disk somewhere else. One at a time.
class Syncer {
 public:
  virtual ~Syncer() = default;
  virtual void start(std::shared_ptr<io::File> file, std::uint64_t up_to) = 0;
  [[nodiscard]] virtual bool is_busy() const = 0;
  // The highest `up_to` that reached the disk.
  [[nodiscard]] virtual std::uint64_t synced() const = 0;
  // Why the last one failed; "" if it did not.
  [[nodiscard]] virtual std::string error() const = 0;
  // Returns when nothing is under way.
  virtual void wait() = 0;
};

enum class SyncPolicy : std::uint8_t { kEverySecond, kAlways, kNever };

class AppendLog final : public EffectSink {
 public:
  explicit AppendLog(Syncer& syncer) : syncer_(syncer) {}

  // From now on units go to this file, which holds `size` bytes. The old one must be flushed.
  void use(std::shared_ptr<io::File> file, std::uint64_t size);
  // Units are forgotten until the next use().
  void close();
  [[nodiscard]] bool is_open() const { return file_ != nullptr; }

  void on_commit(const CommittedUnit& unit) override;
  // The time is noted in the log whenever its second changes.
  void set_timestamps(bool on) { timestamps_ = on; }
  void set_now(UnixMillis now) { now_ = now; }

  struct Flush {
    SyncPolicy policy = SyncPolicy::kEverySecond;
    bool hold_sync = false;  // a child writes: leave the disk to it
    bool force = false;      // write even though the disk is busy
    MonoTime now{};
  };
  // Writes what has gathered. After an error the bytes are still there and the file is as long as
  // before, so that it can be tried again.
  [[nodiscard]] Result<void> flush(const Flush& how);
  // Flushes, and returns when everything is on the disk.
  [[nodiscard]] Result<void> sync_now();

  // Bytes of the file.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t buffered() const { return buffer_.size(); }
  [[nodiscard]] std::uint64_t delayed() const { return delayed_; }
  [[nodiscard]] bool sync_pending() const { return syncer_.is_busy(); }
  // Bytes ever given to the log, and of these how many are known to be on the disk.
  [[nodiscard]] std::uint64_t appended_total() const { return appended_; }
  [[nodiscard]] std::uint64_t synced_total() const;
  // What synced_total() will be when the last sync in the background has ended.
  [[nodiscard]] std::uint64_t sync_target() const { return sync_target_; }

 private:
  [[nodiscard]] Result<void> write_out();

  Syncer& syncer_;
  std::shared_ptr<io::File> file_;
  CommandStream stream_{Effect::kToLog};
  std::string buffer_;
  std::uint64_t size_ = 0;
  std::uint64_t appended_ = 0, written_ = 0, synced_ = 0, sync_target_ = 0;
  bool timestamps_ = false;
  UnixMillis now_{};
  std::int64_t last_stamp_ = 0;
  MonoTime last_sync_{}, waiting_since_{};
  std::uint64_t delayed_ = 0;
};

// A note of the time, as it stands between commands.
[[nodiscard]] std::string timestamp_note(UnixMillis now);

}  // namespace hearth::aof
