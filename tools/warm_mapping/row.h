// One row of a source, without a copy.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "tools/warm_mapping/buffer.h"

namespace hearth::warm {

enum class CellType : std::uint8_t {
  kNull,
  kInteger,
  kUnsigned,  // the bits of `integer`, as a number without sign
  kReal,
  kBool,
  kDecimal,  // `bytes`: digits as the database writes them; "NaN" and "Infinity" are possible
  kText,     // UTF-8 is expected and not guaranteed
  kBytes,
  kJson,         // `bytes`: one JSON value
  kUuid,         // `bytes`: 36 characters
  kDate,         // `integer`: days since 1970-01-01
  kTime,         // `integer`: microseconds since midnight; may be negative and above a day
  kTimestamp,    // `integer`: microseconds since 1970-01-01 00:00, without time zone
  kTimestampTz,  // the same, UTC
  kArray,        // `items`
};

// A date or timestamp later than all others. The earliest is its negative.
inline constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

// A value. `bytes` and `items` are borrowed from the source until its next row.
struct Cell {
  CellType type = CellType::kNull;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view bytes{};
  std::span<const Cell> items{};

  [[nodiscard]] bool is_null() const { return type == CellType::kNull; }
  [[nodiscard]] std::uint64_t as_unsigned() const { return static_cast<std::uint64_t>(integer); }
};

using Row = std::span<const Cell>;

struct Column {
  std::string name;
  bool holds_json = false;    // its declared type says so: its text goes into JSON rows as it is
  std::string source_type{};  // in the words of the database; empty: not known
  bool is_nullable = true;
};

// Appends a cell as plain text: numbers in decimal, true or false, text and bytes as they are,
// times in ISO 8601 ("2024-02-29T23:59:59.5Z"), arrays as JSON. Null appends nothing. Returns false
// for an array that JSON cannot say.
[[nodiscard]] bool append_plain(Buffer& out, const Cell& cell);

// Appends a cell as a JSON value; text of a column that `holds_json` goes in as it is, once it is
// found to be JSON. Returns what is wrong with the cell, to stand behind "column 'x' ", or nothing.
[[nodiscard]] std::string_view append_json_cell(Buffer& out, const Cell& cell, bool holds_json);

// Whether a condition column says yes: true, a number that is not zero, any other value that is not
// NULL, not empty and not "0", "f" or "false".
[[nodiscard]] bool is_truthy(const Cell& cell);

}  // namespace hearth::warm
