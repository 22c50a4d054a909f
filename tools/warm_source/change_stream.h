// A database's own stream of changes, as `follow` reads it. One implementation for each kind of
// database that has one.
//
//   open -> missing() -> begin_anew() or resume(position) -> next() ... confirm() ...
//
// A stream delivers every change of a table that it follows at least once, in the order of the
// commits, from the position that it was begun at. What was confirmed need not come again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/warm_mapping/row.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

// A place in the database's log; places of one log are ordered.
struct LogPosition {
  std::uint64_t file = 0;    // the number of the file, where the log has several (MariaDB)
  std::uint64_t offset = 0;  // bytes
  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

// A table that is followed, as its changes show it now.
struct TableShape {
  std::string name;                    // as the mapping calls it
  std::vector<Column> columns;         // in the order of the cells
  std::vector<std::uint8_t> in_old;    // by column: old rows have its value
  std::vector<std::uint8_t> readable;  // by column: changes bring its value at all
  std::vector<std::size_t> row_key;    // columns that name one row; empty: there are none
  std::string hint;                    // the statement that makes old rows whole
};

enum class ChangeKind : std::uint8_t {
  kInsert,
  kUpdate,
  kDelete,
  kTruncate,
  kShape,   // the table's columns are others from here on; nothing else is set but `table`
  kCommit,  // everything up to `position` was delivered; no transaction is open
};

// The values of a row. `known` says by column which of them came with the change: an old row may
// have only its key, a new one may lack a large value that did not change.
struct RowImage {
  bool exists = false;
  std::vector<Cell> cells{};
  std::vector<std::uint8_t> known{};
};

// Borrowed from the stream until its next call.
struct Change {
  ChangeKind kind = ChangeKind::kCommit;
  std::size_t table = 0;
  RowImage old_row{};  // kUpdate without one: what names the row did not change
  RowImage new_row{};
  LogPosition position{};         // kCommit
  UnixMillis committed{};         // when; 0: not known
  std::uint64_t transaction = 0;  // for `is_visible`
};

// Where a load begins whose changes the stream brings.
struct FollowStart {
  LogPosition position{};
  std::string snapshot{};  // for SourceOptions::snapshot; empty: any later one
  std::string note{};      // for the user
};

class ChangeStream {
 public:
  virtual ~ChangeStream() = default;

  // The statements that give what following needs and what is missing, each with its reason in
  // front ("-- ..."); nothing when all is there. Errors: kInvalid (a table that cannot be
  // followed), kIo, kBusy.
  virtual Result<std::vector<std::string>> missing() = 0;
  // The tables, as the database describes them now. Known from `missing` on.
  [[nodiscard]] virtual const TableShape& shape(std::size_t table) const = 0;

  // Makes what holds the database's log from now on; an older one of that name is dropped. The
  // snapshot lives until `start`. Errors: kInvalid (not allowed), kIo, kBusy.
  virtual Result<FollowStart> begin_anew() = 0;
  // Whether the log is still there from `position` on. Errors: kNotFound (it is not, or it is not
  // known to be the same log), naming why; kIo.
  virtual Result<void> check(LogPosition position) = 0;
  // Streams from `position` on. Errors: as `check`.
  virtual Result<void> start(LogPosition position) = 0;
  // Nothing when nothing came within `wait`. Errors: kIo (the connection is lost), kNotFound (the
  // log is gone), kCorrupt, kUnsupported, kBusy (interrupted).
  virtual Result<const Change*> next(milliseconds wait) = 0;
  // The log before `position` is not needed any more. Errors: kIo.
  virtual Result<void> confirm(LogPosition position) = 0;
  // Tells the server that somebody is still there; called several times a second.
  virtual Result<void> keep_alive() { return {}; }
  // Whether a read that begins now sees the transaction of a change, or waits for it
  // (SourceOptions::waits_for_commits). A stream may deliver a commit before other sessions see it.
  // Errors: kIo, kBusy.
  virtual Result<bool> is_visible(std::uint64_t transaction) = 0;
  // Bytes of the log between `position` and its end, as far as it is known.
  [[nodiscard]] virtual std::uint64_t lag_bytes(LogPosition position) const = 0;

  // Takes away what `begin_anew` made. Errors: kIo, kInvalid.
  virtual Result<void> drop() = 0;

  [[nodiscard]] virtual std::string position_text(LogPosition position) const = 0;
  // Errors: kInvalid.
  virtual Result<LogPosition> parse_position(const std::string& text) const = 0;
  // A text that no other database has. Errors: kIo, kBusy.
  virtual Result<std::string> identity() = 0;
};

struct FollowOptions {
  SourceOptions source;
  std::string name;                 // of the slot and publication, or of the replica
  std::vector<std::string> tables;  // without repetition
  const Clock* clock = nullptr;     // outlives the stream
  std::uint32_t replica_id = 0;     // MariaDB, MySQL: unique among their replicas
};

// Connects; nothing is changed. Without tables, a stream that never has a change. Errors:
// kUnsupported (a database without a change stream), kInvalid, kIo, kBusy.
Result<std::unique_ptr<ChangeStream>> open_change_stream(const FollowOptions& options);

}  // namespace hearth::warm
