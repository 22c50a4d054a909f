// Turns rows into the commands of a mapping: none, one, or several for each row, or one set of
// commands for all rows of a group.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/warm_mapping/output_encoder.h"

namespace hearth::warm {

enum class RowOutcome : std::uint8_t {
  kEncoded,  // there are commands to send
  kExpired,  // the time to live is over: nothing to store
  kSkipped,  // the mapping passes over it
  kBad,
};

// The writes of one row, or of one group of rows. Borrowed from the encoder until its next call.
struct Unit {
  RowOutcome outcome = RowOutcome::kSkipped;
  std::uint64_t first_row = 0;
  std::uint64_t rows = 0;
  std::span<const Write> writes;
  std::string_view key;      // of a bad one, if it has one
  std::string_view problem;  // of a bad one
};

class RowEncoder {
 public:
  // A group of more rows is a query that is not sorted, or a key that is no key.
  static constexpr std::uint64_t kGroupRowsMax = 1'000'000;

  // Looks up every column the mapping names. Errors: kInvalid, naming mapping and column.
  static Result<RowEncoder> bind(const Mapping& mapping, const std::vector<Column>& columns);

  // Writes carry fingerprints of their values from now on.
  void want_fingerprints() { with_fingerprints_ = true; }

  // Takes the next row, whose number is `row`. Returns what is complete now: the row itself, or in
  // a mapping with groups the group before it, if this row begins another one; else nothing.
  const Unit* encode(Row row, std::uint64_t number, UnixMillis now);
  // The last group, if there is one.
  const Unit* finish();

 private:
  explicit RowEncoder(const Mapping& mapping) : mapping_(&mapping) {}
  void begin(Row row, std::uint64_t number, UnixMillis now);
  const Unit* complete();
  bool is_of_open_group(Row row);
  bool was_seen();

  const Mapping* mapping_;  // outlives the encoder
  std::vector<OutputEncoder> outputs_;
  std::optional<std::size_t> delete_column_;
  bool with_fingerprints_ = false;

  bool is_open_ = false;
  KeyTemplate group_key_;
  Buffer open_key_;
  Buffer probe_;
  // Groups that ended lately, by the hash of their keys: one that comes again was torn apart.
  std::unordered_set<std::uint64_t> ended_;
  std::deque<std::uint64_t> ended_order_;

  Unit open_;
  Unit unit_;
  Buffer commands_;
  std::vector<Write> writes_;
  std::string problem_;
};

}  // namespace hearth::warm
