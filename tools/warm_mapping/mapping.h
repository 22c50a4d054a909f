// A mapping: which rows become which keys. conf/warm/README.md explains every key of its TOML form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/warm_mapping/key_template.h"
#include "tools/warm_mapping/selection.h"

namespace hearth::warm {

enum class ValueKind : std::uint8_t {
  kString,  // one column as it is
  kJson,    // the row as a JSON object
  kHash,    // the row as a hash: column names are fields
  kList,    // one column, of all rows with the key, in their order
  kSet,     // the same without order
  kZset,    // the same with a score from another column
};

// The treatment of a row whose key or value would be NULL.
enum class NullPolicy : std::uint8_t {
  kReject,  // a bad row
  kSkip,    // nothing
  kEmpty,   // the empty string; for values only
  kDelete,  // its key is deleted; for values only
};

// A column and the name that it gets in a JSON object or hash.
struct FieldSpec {
  std::string column;
  std::string name;
  friend bool operator==(const FieldSpec&, const FieldSpec&) = default;
};

// One key that a row becomes.
struct Output {
  KeyTemplate key;
  ValueKind value = ValueKind::kJson;
  std::string column;                     // kString, kList, kSet, kZset: which one
  std::string score;                      // kZset: the column of the score
  std::vector<FieldSpec> fields;          // kJson, kHash: which, in this order; empty: all columns
  std::vector<std::string> exclude;       // kJson, kHash: columns left out
  std::vector<std::string> json_columns;  // kJson: columns whose text is JSON and goes in as it is
  std::string embed_name;                 // kJson: an array of objects, one for each row of the key
  std::vector<FieldSpec> embed;           // their members
  bool keep_nulls = true;                 // kJson: NULL becomes null; false: is left out
  NullPolicy null_key = NullPolicy::kReject;
  NullPolicy null_value = NullPolicy::kReject;
  bool replace = true;          // kHash: fields that an earlier load left are removed
  bool only_if_absent = false;  // a key that is there stays as it is
  std::optional<milliseconds> ttl;
  double ttl_jitter = 0;   // fraction of the ttl
  std::string ttl_column;  // seconds, row by row; NULL: `ttl`
  std::string expires_at;  // a time or seconds since 1970, row by row; NULL: `ttl`
  std::size_t max_value_bytes = std::size_t{512} << 20;

  [[nodiscard]] bool is_collection() const { return value >= ValueKind::kList; }
  [[nodiscard]] bool needs_group() const { return !embed_name.empty(); }
};

// A table whose changes touch the values of a mapping.
struct FollowedTable {
  std::string table;
  // Columns of the table that find the rows to read again, and how the query calls them.
  std::vector<FieldSpec> key;
};

// How `follow` hears of changes.
struct FollowRule {
  bool is_off = false;                // it does not: the mapping is loaded only
  std::vector<FollowedTable> tables;  // of a query; a table mapping follows its own table
  std::string poll;                   // a column that grows with every change; empty: the stream
  milliseconds every{1'000};          // between two polls
  milliseconds overlap{5'000};        // a poll reads again what the polls of so long before read
};

// One [[mapping]]: rows of one selection to keys of one or more forms.
struct Mapping {
  std::string name;
  Selection selection;
  std::vector<Output> outputs;  // at least one
  std::string delete_if;        // a column: where it says yes, the row's keys are deleted
  // Rows with one key of the first output stand next to each other and make one value.
  bool group = false;
  FollowRule follow;
  std::uint64_t rows_per_second = 0;  // 0: as fast as it goes
  // Of a load under way, not of the file: the warm epoch that writes name; empty: none.
  std::string epoch;
};

}  // namespace hearth::warm
