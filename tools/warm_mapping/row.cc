#include "tools/warm_mapping/row.h"

#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "tools/warm_mapping/civil_time.h"
#include "tools/warm_mapping/json.h"

namespace hearth::warm {
namespace {

bool append_array(Buffer& out, const Cell& cell) {
  out.push('[');
  bool first = true;
  for (const Cell& item : cell.items) {
    if (!first) out.push(',');
    first = false;
    if (!append_json_cell(out, item, false).empty()) return false;
  }
  out.push(']');
  return true;
}

// Only digits, a point and an exponent are a JSON number; "NaN" is not.
bool is_finite_decimal(std::string_view text) {
  return !text.empty() && (text.back() >= '0' && text.back() <= '9');
}

}  // namespace

bool append_plain(Buffer& out, const Cell& cell) {
  switch (cell.type) {
    case CellType::kNull: return true;
    case CellType::kInteger:
      return out.advance(format_int64(cell.integer, out.room(kInt64TextMax))), true;
    case CellType::kUnsigned:
      return out.advance(format_uint64(cell.as_unsigned(), out.room(kInt64TextMax))), true;
    case CellType::kReal:
      return out.advance(format_double(cell.real, out.room(kDoubleTextMax))), true;
    case CellType::kBool: return out.append(cell.integer != 0 ? "true" : "false"), true;
    case CellType::kDecimal:
    case CellType::kText:
    case CellType::kBytes:
    case CellType::kJson:
    case CellType::kUuid: return out.append(cell.bytes), true;
    case CellType::kDate: return append_date(out, cell.integer), true;
    case CellType::kTime: return append_time(out, cell.integer), true;
    case CellType::kTimestamp: return append_timestamp(out, cell.integer, TimeZone::kNone), true;
    case CellType::kTimestampTz: return append_timestamp(out, cell.integer, TimeZone::kUtc), true;
    case CellType::kArray: return append_array(out, cell);
  }
  return true;
}

std::string_view append_json_cell(Buffer& out, const Cell& cell, bool holds_json) {
  switch (cell.type) {
    case CellType::kNull: return out.append("null"), "";
    case CellType::kInteger:
    case CellType::kUnsigned:
    case CellType::kBool: return append_plain(out, cell) ? "" : "cannot be written";
    case CellType::kReal:
      return append_json_number(out, cell.real) ? "" : "is infinite, which JSON cannot say";
    case CellType::kDecimal:
      if (!is_finite_decimal(cell.bytes)) return "is not finite, which JSON cannot say";
      return out.append(cell.bytes), "";
    case CellType::kBytes: return append_json_base64(out, cell.bytes), "";
    case CellType::kArray:
      return append_array(out, cell) ? "" : "has an element that JSON cannot say";
    case CellType::kDate:
    case CellType::kTime:
    case CellType::kTimestamp:
    case CellType::kTimestampTz: {
      out.push('"');
      const bool good = append_plain(out, cell);
      out.push('"');
      return good ? "" : "cannot be written";
    }
    case CellType::kUuid:
    case CellType::kText:
    case CellType::kJson: break;
  }
  if (cell.type != CellType::kJson && !holds_json)
    return append_json_string(out, cell.bytes) ? "" : "is not valid UTF-8";
  switch (check_json(cell.bytes)) {
    case JsonCheck::kGood: return out.append(cell.bytes), "";
    case JsonCheck::kTooDeep: return "is JSON that is nested too deep";
    case JsonCheck::kMalformed: break;
  }
  return "is not valid JSON";
}

bool is_truthy(const Cell& cell) {
  switch (cell.type) {
    case CellType::kNull: return false;
    case CellType::kInteger:
    case CellType::kUnsigned:
    case CellType::kBool: return cell.integer != 0;
    case CellType::kReal: return cell.real != 0;
    case CellType::kDecimal: return parse_double(cell.bytes).value_or(1) != 0;
    case CellType::kText:
    case CellType::kBytes:
      return !cell.bytes.empty() && cell.bytes != "0" && cell.bytes != std::string_view("\0", 1) &&
             !equals_ignore_case(cell.bytes, "f") && !equals_ignore_case(cell.bytes, "false");
    default: return true;
  }
}

}  // namespace hearth::warm
