// Where rows come from. One implementation per kind of database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/row.h"

namespace hearth::warm {

// What to read: a table (with columns and a condition), or a whole query. Exactly one of `table`
// and `sql` is set.
struct Selection {
  std::string table{};
  std::vector<std::string> columns{};  // of the table; empty: all
  std::string where{};                 // SQL condition on the table; empty: none
  std::string sql{};
};

// A part of a selection that can be read on its own, in the words of the source that made it. All
// parts of one call of `partitions` together are the selection, and no two overlap.
struct Partition {
  std::string condition{};  // SQL; empty: everything
};

// A running read. Rows stream: memory does not grow with the number of rows.
class RowStream {
 public:
  virtual ~RowStream() = default;
  // Names in the order of the cells. Valid as long as the stream.
  [[nodiscard]] virtual const std::vector<Column>& columns() const = 0;
  // The next row, valid until the next call; nothing at the end. Errors: kIo with the source's
  // words.
  virtual Result<std::optional<Row>> next() = 0;
};

// One connection to one database. All streams of one Source see the same state of the data.
class Source {
 public:
  virtual ~Source() = default;
  // Errors: kInvalid (no such table, wrong SQL), kIo.
  virtual Result<std::unique_ptr<RowStream>> open(const Selection& selection,
                                                  const Partition& part) = 0;
  // Up to `wanted` parts of about the same size; one part when the selection cannot be split.
  virtual Result<std::vector<Partition>> partitions(const Selection& selection, int wanted) = 0;
  // About how many rows there are, if that can be told without reading them: for the progress bar.
  virtual Result<std::optional<std::uint64_t>> estimate_rows(const Selection& selection) = 0;
};

// Opens the source that a URL names:
//   sqlite:///absolute/path   sqlite:relative/path
// Errors: kUnsupported (no such kind), kInvalid (malformed), kIo (cannot be opened).
Result<std::unique_ptr<Source>> open_source(std::string_view url);

}  // namespace hearth::warm
