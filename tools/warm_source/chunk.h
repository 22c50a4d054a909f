// Parts of a selection, as they are handed to workers and written into checkpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace hearth::warm {

// A value of the column that a selection is split by.
struct Bound {
  enum class Type : std::uint8_t { kInteger, kUnsigned, kText, kBytes };
  Type type = Type::kInteger;
  std::int64_t integer = 0;  // kInteger; the bits of a kUnsigned
  std::string text{};        // kText, kBytes

  friend bool operator==(const Bound&, const Bound&) = default;
};

// All chunks of one plan together are the selection, and no two overlap.
struct Chunk {
  enum class Kind : std::uint8_t {
    kAll,     // the whole selection
    kBlocks,  // blocks of the file of a table; means something within one snapshot only
    kRange,   // a range of the first column of the primary key, or of the rowid
    kKeys,    // rows by their primary key, or by `columns`
  };
  Kind kind = Kind::kAll;
  std::string relation{};                        // kBlocks: the partition, quoted
  std::optional<Bound> from{};                   // kBlocks, kRange: inclusive; nothing: open
  std::optional<Bound> to{};                     // exclusive
  std::vector<std::vector<std::string>> keys{};  // kKeys: values in the order of the key's columns
  std::vector<std::string> columns{};  // kKeys: those columns, also of a query; empty: the key's

  // One line of printable characters, unique within a plan; kKeys have none.
  [[nodiscard]] std::string id() const;
  // Errors: kInvalid.
  static Result<Chunk> parse(std::string_view id);
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

}  // namespace hearth::warm
