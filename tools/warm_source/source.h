// Where rows come from. One implementation per kind of database.
//
// A Source is one state of the data. Its readers, a connection each, see that same state, so that
// workers can read chunks of one selection side by side.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/warm_mapping/row.h"
#include "tools/warm_mapping/selection.h"
#include "tools/warm_source/chunk.h"

namespace hearth::warm {

struct SourceOptions {
  std::string url;
  std::string password{};      // in place of the URL's
  int readers = 1;             // wanted; `Source::readers` may be fewer
  bool consistent = true;      // all readers and chunks see one state of the data
  bool stable_chunks = false;  // chunks must mean the same in a later run
  std::string snapshot{};      // PostgreSQL: one that another session exported, to be read in
  // MySQL, which does not tell what a snapshot shows: reads lock their rows until `release`, so
  // that they wait for transactions that stand in the binary log and are not seen yet. Not with
  // `consistent`.
  bool waits_for_commits = false;
  milliseconds connect_timeout{10'000};
  // Turns true when the user wants to stop. Waiting for a database ends soon after, with kBusy.
  const std::atomic<bool>* interrupt = nullptr;
};

// Facts about a selection before its first row.
struct SelectionShape {
  std::vector<Column> columns;
  std::vector<std::string> key;  // the primary key of a table; empty: none is known
  // From the database's own statistics; nothing where an answer would cost a scan.
  std::optional<std::uint64_t> rows;
  std::optional<std::uint64_t> bytes;
};

// A running read. Rows stream: memory does not grow with the number of rows.
class RowStream {
 public:
  virtual ~RowStream() = default;
  // In the order of the cells. Valid as long as the stream.
  [[nodiscard]] virtual const std::vector<Column>& columns() const = 0;
  // The next row, valid until the next call; nothing at the end. Errors: kIo with the source's
  // words, kBusy (interrupted).
  virtual Result<std::optional<Row>> next() = 0;
};

// One connection. Used by one thread; one stream at a time.
class Reader {
 public:
  virtual ~Reader() = default;
  // Errors: kInvalid (no such table, wrong SQL), kIo, kBusy.
  virtual Result<std::unique_ptr<RowStream>> open(const Selection& selection,
                                                  const Chunk& chunk) = 0;
  // The last stream was read to its end: what it held in the database is let go. Errors: kIo.
  virtual Result<void> release() { return {}; }
  // Whether the last error was the end of the connection: the state of the data is gone with it,
  // and another source may read on. Asked while the stream that failed is still there.
  [[nodiscard]] virtual bool is_lost() { return false; }
};

class Source {
 public:
  virtual ~Source() = default;
  // Errors: kInvalid (no such table or column, wrong SQL), kIo, kBusy. Reads no row.
  virtual Result<SelectionShape> describe(const Selection& selection) = 0;
  // Chunks of about `rows_wanted` rows; one when the selection cannot be split.
  virtual Result<std::vector<Chunk>> plan(const Selection& selection,
                                          std::uint64_t rows_wanted) = 0;
  // How many readers there can be in all.
  [[nodiscard]] virtual int readers() const = 0;
  // A reader on the state of the data. The source outlives it; `describe` and `plan` are not called
  // while readers are at work.
  virtual Result<std::unique_ptr<Reader>> reader() = 0;
  // The rights that the user of the database lacks to read the selection, each with the statement
  // that gives it; nothing when it may read.
  virtual Result<std::vector<std::string>> missing_rights(const Selection& selection) = 0;
  // Ends what a library waits for without looking at the interrupt flag. Any thread.
  virtual void interrupt() {}
  // Notes for the user about this source: fewer readers than wanted, for example.
  [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
};

// Opens the source that a URL names; see source_url.h. Errors: kUnsupported (no such kind),
// kInvalid (malformed), kIo (cannot be opened), kBusy. No message shows a password.
Result<std::unique_ptr<Source>> open_source(const SourceOptions& options);

}  // namespace hearth::warm
