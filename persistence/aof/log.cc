#include "persistence/aof/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hearth::aof {
namespace {

constexpr seconds kSyncEvery{1};
// Work that takes longer than this, or that lets more than this gather, makes replies wait.
constexpr seconds kSlowAfter{2};
constexpr std::size_t kGatheredMost = 64 * 1024 * 1024;
constexpr std::size_t kKeptRoom = 64 * 1024;

}  // namespace

std::string timestamp_note(UnixMillis now) { return fmt::format("#TS:{}\r\n", now.unix_seconds()); }

// --- the disk's side ---

Result<void> Log::Writer::write(std::string_view bytes) {
  if (torn) HEARTH_TRY_VOID(file->truncate(size));
  torn = false;
  if (bytes.empty()) return {};
  if (auto done = file->append(bytes); !done) {
    // Half of a command must not stay: whatever is written next would be read as part of it.
    torn = !file->truncate(size);
    return done;
  }
  size += bytes.size();
  return {};
}

Result<void> Log::Writer::next_increment() {
  HEARTH_TRY(LogFiles::OpenIncrement increment, files.add_increment());
  file = std::move(increment.file);
  size = 0;
  torn = false;
  return {};
}

Result<void> Log::Writer::temp_increment() {
  const std::string path = files.temp_increment_path();
  HEARTH_TRY_VOID(files.make_dir());
  if (fs.exists(path)) HEARTH_TRY_VOID(fs.remove(path));
  HEARTH_TRY(file, fs.open(path, io::OpenMode::kAppend));
  size = 0;
  torn = false;
  return {};
}

Result<std::uint64_t> Log::Writer::files_size() const {
  const Manifest& manifest = files.manifest();
  std::uint64_t total = 0;
  const auto add = [&](const LogFile& log_file) -> Result<void> {
    HEARTH_TRY(const std::unique_ptr<io::File> opened,
               fs.open(files.path_of(log_file), io::OpenMode::kRead));
    HEARTH_TRY(const std::uint64_t bytes, opened->size());
    total += bytes;
    return {};
  };
  if (manifest.base) HEARTH_TRY_VOID(add(*manifest.base));
  for (const LogFile& increment : manifest.increments) HEARTH_TRY_VOID(add(increment));
  return total;
}

Log::Outcome Log::perform(Writer& writer, const Op& op) {
  Outcome outcome;
  switch (op.kind) {
    case Op::Kind::kWrite:
      outcome.done = writer.write(op.bytes);
      if (outcome.done && op.sync) outcome.synced = writer.file->sync();
      break;
    case Op::Kind::kIncrement:
      if (op.to.take_temp_increment) {
        outcome.done = writer.temp_increment();
        break;
      }
      // The file that is left must be whole, and safe before anything that follows it is.
      outcome.done = writer.write({});
      if (!outcome.done) break;
      if (op.sync) outcome.synced = writer.file->sync();
      outcome.done = writer.next_increment();
      break;
    case Op::Kind::kSwitch:
      if (op.is_void)
        outcome.done = fail(ErrorCode::kIo, "there is no increment to go with the new base");
      else
        outcome.done = writer.files.switch_base(op.to);
      if (!outcome.done) {
        static_cast<void>(writer.fs.remove(op.to.base_temp_path));
        break;
      }
      outcome.removed = writer.files.remove_history(op.keep_history);
      if (const auto total = writer.files_size()) outcome.total = *total;
      break;
  }
  outcome.size = writer.size;
  return outcome;
}

// --- the engine's side ---

void Log::tell(Event::Kind kind, const Result<void>& why) {
  events_.push_back({kind, why ? std::string() : why.error().context});
}

std::uint64_t Log::buffered() const {
  std::uint64_t bytes = buffer_.size();
  for (const Op& op : queue_) bytes += op.bytes.size();
  return bytes;
}

Result<void> Log::open() {
  const LogFile& last = writer_.files.manifest().increments.back();
  HEARTH_TRY(writer_.file, writer_.fs.open(writer_.files.path_of(last), io::OpenMode::kAppend));
  HEARTH_TRY(writer_.size, writer_.file->size());
  HEARTH_TRY(const std::uint64_t total, writer_.files_size());
  writer_.torn = false;
  size_ = writer_.size;
  size_at_rewrite_ = total;
  other_files_bytes_ = total - std::min(total, size_);
  state_ = State::kOn;
  takes_units_ = true;
  lost_ = failing_ = false;
  fresh_ = true;
  stream_.forget_database();
  last_stamp_ = 0;
  return {};
}

void Log::forget_units() {
  queue_.clear();
  buffer_.clear();
  // Unwritten units are not missed: a base comes before the next one.
  written_.bytes = synced_.bytes = fresh_synced_.bytes = appended_;
  takes_units_ = failing_ = retry_ = lost_ = fresh_ = switching_ = false;
}

void Log::close() {
  disk_.finish();
  forget_units();
  writer_.file.reset();
  size_ = other_files_bytes_ = 0;
  state_ = State::kOff;
}

void Log::on_commit(const CommittedUnit& unit) {
  if (!takes_units_ || unit.effects.empty()) return;
  const std::size_t before = buffer_.size();
  if (timestamps_ && time_.unix_seconds() != last_stamp_) {
    last_stamp_ = time_.unix_seconds();
    buffer_ += timestamp_note(time_);
  }
  stream_.append(unit, buffer_);
  appended_ += buffer_.size() - before;
}

Log::Op Log::write_op(bool sync, std::uint64_t offset) {
  Op op;
  op.bytes = std::exchange(buffer_, {});
  op.sync = sync;
  op.mark = {appended_, offset};
  return op;
}

bool Log::sync_is_due(const Turn& turn) const {
  // A file that has lost bytes is not worth the wait.
  if (turn.policy == SyncPolicy::kNever || turn.hold_sync || (lost_ && !fresh_)) return false;
  const Mark& synced = lost_ || state_ != State::kOn ? fresh_synced_ : synced_;
  if (synced.bytes >= appended_) return false;
  return turn.policy == SyncPolicy::kAlways || turn.now - last_sync_ >= kSyncEvery;
}

void Log::turn(const Turn& turn) {
  replies_wait_ = turn.policy == SyncPolicy::kAlways;
  disk_.poll();
  if (!takes_units_) return;
  if (busy_) {
    const bool slow = turn.now - began_ >= kSlowAfter || buffer_.size() > kGatheredMost;
    if (slow && !std::exchange(told_slow_, true)) {
      ++delayed_;
      tell(Event::Kind::kSlow);
    }
    return;
  }
  if (queue_.empty()) {
    const bool sync = sync_is_due(turn);
    if (sync || !buffer_.empty()) queue_.push_back(write_op(sync, turn.offset));
  } else if (failing_ && !std::exchange(retry_, false)) {
    return;
  }
  pump(turn.now);
  // With a disk that is fast enough it is done already.
  disk_.poll();
  if (is_confirmed() && !busy_ && queue_.empty() && buffer_.empty()) {
    // The rest of the stream was not meant for the log.
    written_ = {appended_, turn.offset};
    if (synced_.bytes >= appended_) synced_.offset = turn.offset;
  }
}

void Log::pump(MonoTime now) {
  if (busy_ || queue_.empty()) return;
  busy_ = true;
  began_ = now;
  told_slow_ = false;
  Op& op = queue_.front();
  op.is_void = rewrite_void_;
  sync_pending_ = op.sync;
  if (op.sync && op.kind == Op::Kind::kWrite) last_sync_ = now;
  auto outcome = std::make_shared<Outcome>();
  disk_.run([this, &op, outcome] { *outcome = perform(writer_, op); },
            [this, outcome, now] {
              busy_ = sync_pending_ = false;
              Op op_done = std::move(queue_.front());
              queue_.pop_front();
              finished(std::move(op_done), *outcome);
              if (!failing_) pump(now);
            },
            replies_wait_ ? DiskThread::Wake::kYes : DiskThread::Wake::kNo);
}

void Log::finished(Op op, const Outcome& outcome) {
  const std::uint64_t size_before = std::exchange(size_, outcome.size);
  switch (op.kind) {
    case Op::Kind::kWrite: return write_finished(std::move(op), outcome);
    case Op::Kind::kIncrement:
      if (outcome.done) other_files_bytes_ += size_before;
      return increment_finished(op, outcome);
    case Op::Kind::kSwitch: return switch_finished(op, outcome);
  }
}

void Log::write_finished(Op op, const Outcome& outcome) {
  if (!outcome.done) {
    if (!std::exchange(failing_, true) || error_ != outcome.done.error().context)
      tell(Event::Kind::kWriteFailed, outcome.done);
    error_ = outcome.done.error().context;
    queue_.push_front(std::move(op));
    return;
  }
  if (std::exchange(failing_, false)) tell(Event::Kind::kWriteRecovered);
  written_ = op.mark;
  if (buffer_.capacity() == 0 && op.bytes.capacity() <= kKeptRoom) {
    op.bytes.clear();
    buffer_ = std::move(op.bytes);
  }
  if (!op.sync) return;
  if (outcome.synced) return note_synced(op.mark);
  sync_failed(outcome.synced);
}

void Log::sync_failed(const Result<void>& why) {
  lost_ = true;
  fresh_ = false;
  error_ = why.error().context;
  tell(Event::Kind::kSyncFailed, why);
}

void Log::note_synced(const Mark& mark) {
  fresh_synced_ = mark;
  if (!lost_) synced_ = mark;
}

void Log::begin_rewrite(std::uint64_t offset) {
  rewrite_void_ = false;
  if (state_ == State::kOff) return;
  Op increment;
  increment.kind = Op::Kind::kIncrement;
  increment.mark = {appended_, offset};
  increment.to.take_temp_increment = state_ == State::kFirstRewrite;
  increment.sync = !lost_ || fresh_;
  if (increment.to.take_temp_increment) {
    disk_.finish();
    forget_units();
    other_files_bytes_ = size_ = 0;
    takes_units_ = true;
  } else {
    // Units that the old file can't take go to a file of their own, in front of the new one: they
    // are part of the base that comes, but must be there if none does.
    if (failing_ && !busy_) queue_.push_front(increment);
    retry_ = failing_;
    queue_.push_back(write_op(!lost_ || fresh_, offset));
  }
  queue_.push_back(std::move(increment));
  stream_.forget_database();
  last_stamp_ = 0;
  pump(began_);
  disk_.poll();
}

void Log::increment_finished(const Op& op, const Outcome& outcome) {
  if (!outcome.synced) sync_failed(outcome.synced);
  if (!outcome.done) {
    rewrite_void_ = true;
    tell(Event::Kind::kIncrementFailed, outcome.done);
    if (state_ == State::kFirstRewrite) forget_units();  // there is no file for them
    return;
  }
  fresh_ = true;
  fresh_synced_ = op.mark;
}

void Log::finish_rewrite(const std::string& base_temp_path, LogFiles::BaseForm form,
                         bool keep_history) {
  Op op;
  op.kind = Op::Kind::kSwitch;
  op.to.base_temp_path = base_temp_path;
  op.to.form = form;
  op.to.keep_last = state_ == State::kOn;
  // The log was turned on again while a child that knew nothing of it was at work.
  op.to.take_temp_increment = state_ == State::kFirstRewrite && takes_units_;
  op.keep_history = keep_history;
  switching_ = true;
  queue_.push_back(std::move(op));
  if (!failing_) pump(began_);
  disk_.poll();
}

void Log::switch_finished(const Op& op, const Outcome& outcome) {
  switching_ = false;
  if (!outcome.done) return tell(Event::Kind::kSwitchFailed, outcome.done);
  if (op.to.take_temp_increment) state_ = State::kOn;
  size_at_rewrite_ = outcome.total;
  other_files_bytes_ = outcome.total - std::min(outcome.total, size_);
  if (state_ == State::kOn && fresh_) {
    // The base holds all that stood before the increment.
    synced_ = fresh_synced_;
    if (std::exchange(lost_, false)) tell(Event::Kind::kSyncRecovered);
  }
  for (const std::string& name : outcome.removed) events_.push_back({Event::Kind::kRemoved, name});
  tell(Event::Kind::kSwitched);
}

void Log::abandon_rewrite() {
  if (state_ != State::kFirstRewrite || !takes_units_) return;
  close();
  state_ = State::kFirstRewrite;
  static_cast<void>(writer_.fs.remove(writer_.files.temp_increment_path()));
}

Result<void> Log::flush_now(std::uint64_t offset) {
  if (!takes_units_) return {};
  disk_.finish();
  queue_.push_back(write_op(!lost_ || fresh_, offset));
  for (std::size_t before = queue_.size() + 1; !queue_.empty() && queue_.size() < before;) {
    before = queue_.size();
    pump(began_);
    disk_.finish();
  }
  if (failing_ || lost_) return fail(ErrorCode::kIo, error_);
  return {};
}

Result<void> Log::end_with(const StreamPosition& position) {
  if (!takes_units_) return {};
  const std::string note = position_note(position);
  buffer_ += note;
  appended_ += note.size();
  return flush_now(position.offset);
}

std::uint64_t Log::barrier(const Turn& turn) const {
  if (!takes_units_ || state_ != State::kOn) return UINT64_MAX;
  if (turn.policy == SyncPolicy::kAlways) return synced_.offset;
  return is_slow() ? written_.offset : UINT64_MAX;
}

}  // namespace hearth::aof
