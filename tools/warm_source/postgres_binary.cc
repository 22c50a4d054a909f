#include "tools/warm_source/postgres_binary.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>

#include "src/base/bytes.h"
#include "src/base/format_number.h"
#include "tools/warm_source/short_float.h"

namespace hearth::warm {
namespace {

constexpr std::int64_t kDaysTo2000 = 10'957;
constexpr std::int64_t kMicrosTo2000 = 946'684'800'000'000;
constexpr int kDimensionsMax = 6;
constexpr std::string_view kCopyMark("PGCOPY\n\377\r\n\0", 11);

struct KnownType {
  std::uint32_t oid;
  std::uint32_t array_oid;  // 0: its arrays are asked for as text
  PgForm form;
};
// The numbers of built-in types, which never change. Source: PostgreSQL's catalogue, pg_type.
constexpr std::array<KnownType, 21> kKnownTypes{{
    {16, 1000, PgForm::kBool},        {17, 1001, PgForm::kBytes},
    {18, 0, PgForm::kText},           {19, 1003, PgForm::kText},
    {20, 1016, PgForm::kInt8},        {21, 1005, PgForm::kInt2},
    {23, 1007, PgForm::kInt4},        {25, 1009, PgForm::kText},
    {26, 1028, PgForm::kOid},         {114, 199, PgForm::kJson},
    {700, 1021, PgForm::kFloat4},     {701, 1022, PgForm::kFloat8},
    {1042, 1014, PgForm::kText},      {1043, 1015, PgForm::kText},
    {1082, 1182, PgForm::kDate},      {1083, 1183, PgForm::kTime},
    {1114, 1115, PgForm::kTimestamp}, {1184, 1185, PgForm::kTimestampTz},
    {1700, 1231, PgForm::kNumeric},   {2950, 2951, PgForm::kUuid},
    {3802, 3807, PgForm::kJsonb},
}};

unexpected<Error> corrupt_copy(std::string_view what) {
  return fail(ErrorCode::kCorrupt, fmt::format("PostgreSQL sent {}", what));
}

template <typename T>
bool read_number(std::string_view bytes, std::int64_t& out) {
  if (bytes.size() != sizeof(T)) return false;
  out = load_be<T>(bytes.data());
  return true;
}

}  // namespace

std::optional<PgType> pg_binary_type(std::uint32_t oid) {
  for (const auto& known : kKnownTypes) {
    if (known.oid == oid) return PgType{known.form};
    if (known.array_oid == oid && oid != 0) return PgType{PgForm::kArray, known.form};
  }
  return std::nullopt;
}

PgDecoder::PgDecoder(std::vector<PgType> types)
    : types_(std::move(types)), cells_(types_.size()), arrays_(types_.size()) {}

Result<std::size_t> PgDecoder::copy_header_bytes(std::string_view bytes) {
  constexpr std::size_t kFixed = kCopyMark.size() + 8;
  if (bytes.size() < kFixed || !bytes.starts_with(kCopyMark)) return corrupt_copy("no binary COPY");
  const auto flags = load_be<std::uint32_t>(bytes.data() + kCopyMark.size());
  if ((flags >> 16) != 0)
    return fail(ErrorCode::kUnsupported, "PostgreSQL sent a COPY of a later version");
  const auto extension = load_be<std::uint32_t>(bytes.data() + kCopyMark.size() + 4);
  if (extension > bytes.size() - kFixed) return corrupt_copy("a COPY header that does not end");
  return kFixed + extension;
}

Result<std::optional<Row>> PgDecoder::decode_copy_row(std::string_view bytes) {
  arena_.clear();
  if (bytes.size() < 2) return corrupt_copy("a row without its field count");
  const auto fields = load_be<std::int16_t>(bytes.data());
  if (fields == -1) return std::optional<Row>{};
  if (static_cast<std::size_t>(fields) != types_.size())
    return corrupt_copy(fmt::format("{} fields in place of {}", fields, types_.size()));
  bytes.remove_prefix(2);
  for (std::size_t i = 0; i < types_.size(); ++i) {
    if (bytes.size() < 4) return corrupt_copy("a row that is cut off");
    const auto length = load_be<std::int32_t>(bytes.data());
    bytes.remove_prefix(4);
    Cell& cell = cells_[i];
    cell.type = CellType::kNull;
    if (length < 0) continue;
    const auto size = static_cast<std::size_t>(length);
    if (size > bytes.size()) return corrupt_copy("a field that is longer than its row");
    HEARTH_TRY_VOID(decode_value(i, bytes.substr(0, size), cell));
    bytes.remove_prefix(size);
  }
  return std::optional<Row>(Row(cells_));
}

Result<void> PgDecoder::decode_value(std::size_t column, std::string_view bytes, Cell& cell) {
  const PgType& type = types_[column];
  const bool good = type.form == PgForm::kArray
                        ? decode_array(type.element, bytes, arrays_[column], cell)
                        : decode(type.form, bytes, cell);
  if (good) return {};
  return corrupt_copy(fmt::format("field {} in another form than its type's", column + 1));
}

bool PgDecoder::decode(PgForm form, std::string_view bytes, Cell& cell) {
  const auto text = [&](CellType type) {
    cell.type = type;
    cell.bytes = bytes;
    return true;
  };
  switch (form) {
    case PgForm::kBool:
      cell.type = CellType::kBool;
      return read_number<std::uint8_t>(bytes, cell.integer);
    case PgForm::kInt2:
      cell.type = CellType::kInteger;
      return read_number<std::int16_t>(bytes, cell.integer);
    case PgForm::kInt4:
      cell.type = CellType::kInteger;
      return read_number<std::int32_t>(bytes, cell.integer);
    case PgForm::kOid:
      cell.type = CellType::kInteger;
      return read_number<std::uint32_t>(bytes, cell.integer);
    case PgForm::kInt8:
      cell.type = CellType::kInteger;
      return read_number<std::int64_t>(bytes, cell.integer);
    case PgForm::kFloat4:
      if (bytes.size() != 4) return false;
      cell.type = CellType::kReal;
      cell.real = as_short_double(std::bit_cast<float>(load_be<std::uint32_t>(bytes.data())));
      return true;
    case PgForm::kFloat8:
      if (bytes.size() != 8) return false;
      cell.type = CellType::kReal;
      cell.real = std::bit_cast<double>(load_be<std::uint64_t>(bytes.data()));
      return true;
    case PgForm::kText: return text(CellType::kText);
    case PgForm::kJson: return text(CellType::kJson);
    case PgForm::kBytes: return text(CellType::kBytes);
    case PgForm::kJsonb:
      if (bytes.empty() || bytes[0] != 1) return false;
      bytes.remove_prefix(1);
      return text(CellType::kJson);
    case PgForm::kUuid: return decode_uuid(bytes, cell);
    case PgForm::kNumeric: return decode_numeric(bytes, cell);
    case PgForm::kDate: {
      cell.type = CellType::kDate;
      if (!read_number<std::int32_t>(bytes, cell.integer)) return false;
      if (cell.integer == std::numeric_limits<std::int32_t>::max()) {
        cell.integer = kForever;
      } else if (cell.integer == std::numeric_limits<std::int32_t>::min()) {
        cell.integer = -kForever;
      } else {
        cell.integer += kDaysTo2000;
      }
      return true;
    }
    case PgForm::kTime:
      cell.type = CellType::kTime;
      return read_number<std::int64_t>(bytes, cell.integer);
    case PgForm::kTimestamp:
    case PgForm::kTimestampTz: {
      cell.type = form == PgForm::kTimestamp ? CellType::kTimestamp : CellType::kTimestampTz;
      if (!read_number<std::int64_t>(bytes, cell.integer)) return false;
      if (cell.integer == kForever || cell.integer == -kForever - 1) return true;
      // The last days of the year 294276 do not fit when counted from 1970.
      if (__builtin_add_overflow(cell.integer, kMicrosTo2000, &cell.integer))
        cell.integer = kForever - 1;
      return true;
    }
    case PgForm::kArray: return false;
  }
  return false;
}

bool PgDecoder::decode_uuid(std::string_view bytes, Cell& cell) {
  static constexpr char kHex[] = "0123456789abcdef";
  if (bytes.size() != 16) return false;
  char* const begin = arena_.take(36);
  char* p = begin;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    *p++ = kHex[byte >> 4];
    *p++ = kHex[byte & 15];
  }
  cell.type = CellType::kUuid;
  cell.bytes = {begin, 36};
  return true;
}

// Groups of four digits: the first one counts 10000^weight. Between the last group and the display
// scale zeros are written; digits behind the scale are not shown.
bool PgDecoder::decode_numeric(std::string_view bytes, Cell& cell) {
  if (bytes.size() < 8) return false;
  const auto groups = load_be<std::uint16_t>(bytes.data());
  const int weight = load_be<std::int16_t>(bytes.data() + 2);
  const auto sign = load_be<std::uint16_t>(bytes.data() + 4);
  const auto scale = load_be<std::uint16_t>(bytes.data() + 6);
  if (bytes.size() != 8 + std::size_t{2} * groups) return false;
  cell.type = CellType::kDecimal;
  if (sign == 0xC000) return cell.bytes = "NaN", true;
  if (sign == 0xD000) return cell.bytes = "Infinity", true;
  if (sign == 0xF000) return cell.bytes = "-Infinity", true;
  if ((sign != 0 && sign != 0x4000) || scale > 16'383) return false;
  const auto group = [&](int index) -> unsigned {
    if (index < 0 || index >= groups) return 0;
    return load_be<std::uint16_t>(bytes.data() + 8 + 2 * index);
  };
  const std::size_t whole_groups = weight < 0 ? 1 : static_cast<std::size_t>(weight) + 1;
  char* const begin = arena_.take(1 + 4 * whole_groups + 2 + scale + 4);
  char* p = begin;
  if (sign == 0x4000) *p++ = '-';
  if (weight < 0) *p++ = '0';
  const auto put_group = [&p](unsigned value) {
    p[0] = static_cast<char>('0' + value / 1000 % 10);
    p[1] = static_cast<char>('0' + value / 100 % 10);
    p[2] = static_cast<char>('0' + value / 10 % 10);
    p[3] = static_cast<char>('0' + value % 10);
    p += 4;
  };
  for (int i = 0; i <= weight; ++i) {
    if (group(i) > 9999) return false;
    if (i == 0) {
      p += format_uint64(group(0), p);
    } else {
      put_group(group(i));
    }
  }
  if (scale > 0) {
    *p++ = '.';
    char* const fraction = p;
    for (int i = weight + 1; p < fraction + scale; ++i) {
      if (group(i) > 9999) return false;
      put_group(group(i));
    }
    p = fraction + scale;
  }
  cell.bytes = {begin, static_cast<std::size_t>(p - begin)};
  return true;
}

// Dimensions, flags, type of the elements; length and lower bound of each dimension; then the
// elements, the last dimension fastest.
bool PgDecoder::decode_array(PgForm element, std::string_view bytes, Levels& levels, Cell& cell) {
  if (bytes.size() < 12) return false;
  const auto dimensions = load_be<std::int32_t>(bytes.data());
  if (dimensions < 0 || dimensions > kDimensionsMax) return false;
  cell.type = CellType::kArray;
  cell.items = {};
  bytes.remove_prefix(12);
  if (dimensions == 0) return true;
  const auto depth = static_cast<std::size_t>(dimensions);
  if (bytes.size() < 8 * depth) return false;
  std::array<std::size_t, kDimensionsMax> lengths{};
  std::array<std::size_t, kDimensionsMax> totals{};
  std::size_t total = 1;
  const std::size_t most = (bytes.size() - 8 * depth) / 4;  // an element takes four bytes at least
  for (std::size_t d = 0; d < depth; ++d) {
    const auto length = load_be<std::int32_t>(bytes.data() + 8 * d);
    if (length <= 0 || static_cast<std::size_t>(length) > most) return false;
    lengths[d] = static_cast<std::size_t>(length);
    total *= lengths[d];
    if (total > most) return false;
    totals[d] = total;
  }
  bytes.remove_prefix(8 * depth);
  if (levels.cells.size() < depth) levels.cells.resize(depth);
  for (std::size_t d = 0; d < depth; ++d) levels.cells[d].assign(totals[d], Cell{});
  for (Cell& item : levels.cells[depth - 1]) {
    if (bytes.size() < 4) return false;
    const auto length = load_be<std::int32_t>(bytes.data());
    bytes.remove_prefix(4);
    if (length < 0) continue;
    const auto size = static_cast<std::size_t>(length);
    if (size > bytes.size() || !decode(element, bytes.substr(0, size), item)) return false;
    bytes.remove_prefix(size);
  }
  for (std::size_t d = depth - 1; d > 0; --d) {
    for (std::size_t i = 0; i < totals[d - 1]; ++i) {
      Cell& outer = levels.cells[d - 1][i];
      outer.type = CellType::kArray;
      outer.items = std::span<const Cell>(levels.cells[d]).subspan(i * lengths[d], lengths[d]);
    }
  }
  cell.items = levels.cells[0];
  return true;
}

}  // namespace hearth::warm
