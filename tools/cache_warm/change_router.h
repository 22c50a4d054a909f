// From changes of tables to operations on keys, by the mappings that `warm` and `verify` use.
//
// A mapping of a table is followed row by row: a change writes the new document and deletes keys
// that the old row had and the new one has not. Where a change cannot say what the document is, the
// rows are read from the database again:
//
//   why                                          what is read
//   the mapping has a condition (where)          the row, by what names it in its table
//   it needs a column that changes do not bring  the row
//   a value came without its bytes (TOAST)       the row, for this change only
//   several rows make one value (group, query)   the rows of the old key and of the new one
//
// Refused, because a change could not be undone or found: only_if_absent, hashes that are added to,
// keys of columns that old rows lack, queries without follow.tables. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/row_encoder.h"
#include "tools/warm_source/change_stream.h"

namespace hearth::warm {

// Rows to be read again.
struct RowsWanted {
  const std::vector<std::string>* columns = nullptr;  // of the selection; as long as the router
  std::vector<std::string> values;                    // of these columns
  // Keys that no row has any more unless the rows that are read have them.
  std::vector<std::string> keys;
};

// Takes the things that a change asks for. Arguments are borrowed for the call.
class ChangeEffects {
 public:
  virtual ~ChangeEffects() = default;
  virtual Result<void> write(std::size_t mapping, const Write& write) = 0;
  virtual Result<void> erase(std::size_t mapping, std::string_view key) = 0;
  virtual Result<void> read_again(std::size_t mapping, RowsWanted wanted) = 0;
  // All keys of the mapping: its table was emptied.
  virtual Result<void> erase_all(std::size_t mapping) = 0;
  virtual void reject(std::size_t mapping, std::string_view key, std::string_view reason) = 0;
};

class ChangeRouter {
 public:
  // The mappings outlive the router. Errors: kInvalid, naming the mapping that cannot be followed
  // and what would help.
  static Result<ChangeRouter> make(const std::vector<Mapping>& mappings);

  // The tables whose changes are wanted; their indexes are those of Change::table.
  [[nodiscard]] const std::vector<std::string>& tables() const { return tables_; }
  [[nodiscard]] bool is_empty() const { return tables_.empty(); }

  // Looks up what the mappings need of a table. Errors: kInvalid, naming mapping and column; the
  // table is not followed then.
  Result<void> set_shape(std::size_t table, const TableShape& shape);
  // Tells `effects` what a change of a row, or a TRUNCATE, asks for. Errors: theirs; kInvalid
  // (the change lacks something that cannot be read again).
  Result<void> route(const Change& change, UnixMillis now, ChangeEffects& effects);

  // Mappings whose every change is read again, with the reason; for the user.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  // A mapping that listens to a table.
  struct Listener {
    std::size_t mapping = 0;
    std::size_t table = 0;
    const FollowedTable* rule = nullptr;  // of a query
    bool reads_again = false;             // after each change
    // Of the rows that are read again: names for the selection, and which cells have their values.
    std::vector<std::string> again_columns{};
    std::vector<std::size_t> again_cells{};
    // The keys, one for each output, over `key_cells`.
    std::vector<KeyTemplate> keys{};
    std::vector<std::size_t> key_cells{};
    // Of a document that is made from the change.
    std::optional<RowEncoder> encoder{};
    std::vector<std::size_t> cells{};   // in the order of the encoder's columns
    std::vector<std::size_t> needed{};  // those of them that the document is made of
  };

  explicit ChangeRouter(const std::vector<Mapping>& mappings) : mappings_(&mappings) {}
  Result<void> add(std::size_t mapping);
  void listen(std::size_t mapping, const std::string& table, const FollowedTable* rule);
  Result<void> bind(Listener& listener, const TableShape& shape);
  Result<void> bind_row(Listener& listener, const TableShape& shape);
  Result<void> bind_group(Listener& listener, const TableShape& shape);
  Result<void> bind_keys(Listener& listener, const TableShape& shape,
                         const std::vector<FieldSpec>& columns);
  Result<void> route_to(Listener& listener, const Change& change, UnixMillis now,
                        ChangeEffects& effects);
  Result<void> store_row(Listener& listener, const RowImage& row, UnixMillis now,
                         ChangeEffects& effects);
  Result<void> read_rows_again(Listener& listener, const RowImage& row, ChangeEffects& effects);
  std::vector<std::string> keys_of(const Listener& listener, const RowImage& row);

  const std::vector<Mapping>* mappings_;
  std::vector<std::string> tables_;
  std::vector<Listener> listeners_;
  std::vector<std::string> notes_;
  std::vector<Cell> row_;
  Buffer key_;
};

}  // namespace hearth::warm
