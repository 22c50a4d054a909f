#include "persistence/aof/append_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/base/log.h"

namespace hearth::aof {
namespace {
constexpr seconds kSyncEvery{1};
// Writing to a file that is being synced may block: it is put off this long.
constexpr seconds kPutOff{2};
}  // namespace

std::string timestamp_note(UnixMillis now) { return fmt::format("#TS:{}\r\n", now.unix_seconds()); }

void AppendLog::use(std::shared_ptr<io::File> file, std::uint64_t size) {
  file_ = std::move(file);
  size_ = size;
  stream_.forget_database();
  last_stamp_ = 0;
}

void AppendLog::close() {
  file_.reset();
  appended_ -= buffer_.size();
  buffer_.clear();
  size_ = 0;
}

void AppendLog::on_commit(const CommittedUnit& unit) {
  if (file_ == nullptr || unit.effects.empty()) return;
  const std::size_t before = buffer_.size();
  if (timestamps_ && now_.unix_seconds() != last_stamp_) {
    last_stamp_ = now_.unix_seconds();
    buffer_ += timestamp_note(now_);
  }
  stream_.append(unit, buffer_);
  appended_ += buffer_.size() - before;
}

std::uint64_t AppendLog::synced_total() const { return std::max(synced_, syncer_.synced()); }

Result<void> AppendLog::write_out() {
  if (buffer_.empty()) return {};
  if (auto done = file_->append(buffer_); !done) {
    // Half of a command must not stay: whatever is written next would be read as part of it.
    static_cast<void>(file_->truncate(size_));
    return done;
  }
  size_ += buffer_.size();
  written_ = appended_;
  buffer_.clear();
  constexpr std::size_t kKeptRoom = 64 * 1024;
  if (buffer_.capacity() > kKeptRoom) buffer_.shrink_to_fit();
  return {};
}

Result<void> AppendLog::flush(const Flush& how) {
  if (file_ == nullptr) return {};
  if (how.policy == SyncPolicy::kEverySecond && !how.force && !buffer_.empty() &&
      syncer_.is_busy()) {
    if (waiting_since_.us == 0) waiting_since_ = how.now;
    if (how.now - waiting_since_ < kPutOff) return {};
    ++delayed_;
    log::notice(
        "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without "
        "waiting for fsync to complete, this may slow down the server.");
  }
  waiting_since_ = {};
  HEARTH_TRY_VOID(write_out());
  if (how.policy == SyncPolicy::kNever || how.hold_sync || written_ <= synced_total()) return {};
  if (how.policy == SyncPolicy::kAlways) {
    HEARTH_TRY_VOID(file_->sync());
    synced_ = written_;
    last_sync_ = how.now;
  } else if (how.now - last_sync_ >= kSyncEvery && !syncer_.is_busy()) {
    syncer_.start(file_, written_);
    sync_target_ = written_;
    last_sync_ = how.now;
  }
  return {};
}

Result<void> AppendLog::sync_now() {
  if (file_ == nullptr) return {};
  HEARTH_TRY_VOID(write_out());
  syncer_.wait();
  HEARTH_TRY_VOID(file_->sync());
  synced_ = written_;
  return {};
}

}  // namespace hearth::aof
