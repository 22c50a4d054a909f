#include "tools/cache_warm/row.h"

#include "src/base/format_number.h"

namespace hearth::warm {

void append_plain(Buffer& out, const Cell& cell) {
  switch (cell.type) {
    case CellType::kNull: return;
    case CellType::kInteger:
      return out.advance(format_int64(cell.integer, out.room(kInt64TextMax)));
    case CellType::kReal: return out.advance(format_double(cell.real, out.room(kDoubleTextMax)));
    case CellType::kBool: return out.append(cell.integer != 0 ? "true" : "false");
    case CellType::kText:
    case CellType::kBlob: return out.append(cell.bytes);
  }
}

}  // namespace hearth::warm
