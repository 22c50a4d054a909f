// One row of a source, without a copy.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/cache_warm/buffer.h"

namespace hearth::warm {

enum class CellType : std::uint8_t { kNull, kInteger, kReal, kBool, kText, kBlob };

// A value. `bytes` is borrowed from the source until its next row.
struct Cell {
  CellType type = CellType::kNull;
  std::int64_t integer = 0;  // kInteger; kBool: 0 or 1
  double real = 0;           // kReal
  std::string_view bytes{};  // kText, kBlob

  [[nodiscard]] bool is_null() const { return type == CellType::kNull; }
};

using Row = std::span<const Cell>;

struct Column {
  std::string name;
  bool holds_json = false;  // its declared type says so: its text goes into JSON rows as it is
};

// Appends a cell as plain text: numbers in decimal, true or false, text and blob as they are.
// Null appends nothing.
void append_plain(Buffer& out, const Cell& cell);

}  // namespace hearth::warm
