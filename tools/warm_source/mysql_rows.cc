#include "tools/warm_source/mysql_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/base/parse_number.h"
#include "tools/warm_mapping/civil_time.h"
#include "tools/warm_source/short_float.h"

namespace hearth::warm {
namespace {

constexpr unsigned kBinaryCharset = 63;
constexpr std::size_t kSlotBytesFirst = 256;
// Memory of a larger value is given back with the next row.
constexpr std::size_t kSlotBytesKept = 256 * 1024;
constexpr std::int64_t kMicrosPerSecondMy = 1'000'000;
constexpr std::int64_t kSecondsPerDayMy = 86'400;

std::string_view attribute_of(const MYSQL_FIELD& field, mariadb_field_attr_t which) {
  MARIADB_CONST_STRING text{};
  if (mariadb_field_attr(&text, &field, which) != 0 || text.str == nullptr) return {};
  return {text.str, text.length};
}

CellType text_cell_type(const MYSQL_FIELD& field) {
  if (equals_ignore_case(attribute_of(field, MARIADB_FIELD_ATTR_FORMAT_NAME), "json"))
    return CellType::kJson;
  const std::string_view type = attribute_of(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME);
  if (equals_ignore_case(type, "uuid")) return CellType::kUuid;
  if (!type.empty() && !equals_ignore_case(type, "json")) return CellType::kText;  // inet6, inet4
  return field.charsetnr == kBinaryCharset ? CellType::kBytes : CellType::kText;
}

CellType cell_type_of(const MYSQL_FIELD& field) {
  switch (field.type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
      return (field.flags & UNSIGNED_FLAG) != 0 ? CellType::kUnsigned : CellType::kInteger;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE: return CellType::kReal;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: return CellType::kDecimal;
    case MYSQL_TYPE_BIT: return CellType::kUnsigned;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE: return CellType::kDate;
    case MYSQL_TYPE_TIME: return CellType::kTime;
    case MYSQL_TYPE_DATETIME: return CellType::kTimestamp;
    case MYSQL_TYPE_TIMESTAMP: return CellType::kTimestampTz;
    case MYSQL_TYPE_JSON: return CellType::kJson;
    case MYSQL_TYPE_GEOMETRY: return CellType::kBytes;
    case MYSQL_TYPE_NULL: return CellType::kNull;
    default: return text_cell_type(field);
  }
}

std::string type_name_of(const MYSQL_FIELD& field) {
  const std::string_view special = attribute_of(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME);
  if (!special.empty()) return std::string(special);
  static constexpr std::pair<enum_field_types, std::string_view> kNames[] = {
      {MYSQL_TYPE_TINY, "tinyint"},       {MYSQL_TYPE_SHORT, "smallint"},
      {MYSQL_TYPE_INT24, "mediumint"},    {MYSQL_TYPE_LONG, "int"},
      {MYSQL_TYPE_LONGLONG, "bigint"},    {MYSQL_TYPE_YEAR, "year"},
      {MYSQL_TYPE_FLOAT, "float"},        {MYSQL_TYPE_DOUBLE, "double"},
      {MYSQL_TYPE_NEWDECIMAL, "decimal"}, {MYSQL_TYPE_BIT, "bit"},
      {MYSQL_TYPE_DATE, "date"},          {MYSQL_TYPE_TIME, "time"},
      {MYSQL_TYPE_DATETIME, "datetime"},  {MYSQL_TYPE_TIMESTAMP, "timestamp"},
      {MYSQL_TYPE_JSON, "json"},          {MYSQL_TYPE_GEOMETRY, "geometry"},
  };
  for (const auto& [type, name] : kNames) {
    if (type == field.type)
      return std::string(name) + ((field.flags & UNSIGNED_FLAG) != 0 ? " unsigned" : "");
  }
  return field.charsetnr == kBinaryCharset ? "binary" : "text";
}

// Parts of a date or time in microseconds; nothing for a zero date.
std::optional<std::int64_t> timestamp_of(const MYSQL_TIME& time) {
  if (time.month < 1 || time.month > 12 || time.day < 1 || time.day > 31) return std::nullopt;
  const std::int64_t days =
      days_of_date(static_cast<std::int64_t>(time.year), time.month, time.day);
  const std::int64_t in_day =
      (static_cast<std::int64_t>(time.hour) * 60 + time.minute) * 60 + time.second;
  return (days * kSecondsPerDayMy + in_day) * kMicrosPerSecondMy +
         static_cast<std::int64_t>(time.second_part);
}

std::int64_t duration_of(const MYSQL_TIME& time) {
  const std::int64_t hours = static_cast<std::int64_t>(time.day) * 24 + time.hour;
  const std::int64_t micros = ((hours * 60 + time.minute) * 60 + time.second) * kMicrosPerSecondMy +
                              static_cast<std::int64_t>(time.second_part);
  return time.neg != 0 ? -micros : micros;
}

// "-0012.50" as "-12.50": a column with ZEROFILL has zeros that no JSON number may begin with.
std::string_view without_zero_fill(std::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
    digits.remove_prefix(1);
  return digits;
}

}  // namespace

Result<MyStatement> MyStatement::prepare(MyConnection& connection, const std::string& sql) {
  MyStatement statement;
  statement.statement_.reset(mysql_stmt_init(connection.get()));
  MYSQL_STMT* const raw = statement.statement_.get();
  if (raw == nullptr) return fail(ErrorCode::kIo, "MySQL: out of memory");
  if (mysql_stmt_prepare(raw, sql.data(), sql.size()) != 0)
    return my_failure(mysql_stmt_errno(raw), mysql_stmt_error(raw));
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> metadata(
      mysql_stmt_result_metadata(raw), &mysql_free_result);
  if (!metadata) return fail(ErrorCode::kInvalid, "not a query: it returns no columns");
  statement.read_fields(metadata.get());
  return statement;
}

void MyStatement::read_fields(MYSQL_RES* metadata) {
  const unsigned count = mysql_num_fields(metadata);
  for (unsigned i = 0; i < count; ++i) {
    const MYSQL_FIELD& field = *mysql_fetch_field_direct(metadata, i);
    Column column;
    column.name.assign(field.name, field.name_length);
    column.source_type = type_name_of(field);
    column.is_nullable = (field.flags & NOT_NULL_FLAG) == 0;
    columns_.push_back(std::move(column));
    fields_.push_back({field.type, cell_type_of(field), (field.flags & UNSIGNED_FLAG) != 0,
                       (field.flags & ZEROFILL_FLAG) != 0});
  }
}

Result<void> MyStatement::execute() {
  if (mysql_stmt_execute(statement_.get()) != 0)
    return my_failure(mysql_stmt_errno(statement_.get()), mysql_stmt_error(statement_.get()));
  return {};
}

Result<std::unique_ptr<RowStream>> MyStream::start(MyStatement statement,
                                                   std::function<void()> stop,
                                                   const std::atomic<bool>* interrupt) {
  HEARTH_TRY_VOID(statement.execute());
  auto stream = std::unique_ptr<MyStream>(new MyStream(std::move(statement)));
  stream->stop_ = std::move(stop);
  stream->interrupt_ = interrupt;
  HEARTH_TRY_VOID(stream->bind());
  return std::unique_ptr<RowStream>(std::move(stream));
}

MyStream::~MyStream() {
  if (!is_done_ && stop_) stop_();
}

Result<void> MyStream::bind() {
  const auto& fields = statement_.fields();
  if (binds_.empty()) {
    binds_.resize(fields.size());
    slots_.resize(fields.size());
    cells_.resize(fields.size());
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    MYSQL_BIND& bind = binds_[i];
    Slot& slot = slots_[i];
    bind = MYSQL_BIND{};
    bind.is_null = &slot.is_null;
    bind.length = &slot.size;
    bind.error = &slot.is_cut;
    bind.is_unsigned = fields[i].is_unsigned ? 1 : 0;
    switch (fields[i].cell) {
      case CellType::kInteger:
      case CellType::kUnsigned:
        if (fields[i].type == MYSQL_TYPE_BIT) break;
        bind.buffer_type = MYSQL_TYPE_LONGLONG;
        bind.buffer = &slot.integer;
        continue;
      case CellType::kReal:
        bind.buffer_type = fields[i].type;
        bind.buffer = fields[i].type == MYSQL_TYPE_FLOAT ? static_cast<void*>(&slot.single)
                                                         : static_cast<void*>(&slot.real);
        continue;
      case CellType::kDate:
      case CellType::kTime:
      case CellType::kTimestamp:
      case CellType::kTimestampTz:
        bind.buffer_type = fields[i].type;
        bind.buffer = &slot.time;
        bind.buffer_length = sizeof slot.time;
        continue;
      default: break;
    }
    if (slot.bytes.size() < kSlotBytesFirst) slot.bytes.resize(kSlotBytesFirst);
    bind.buffer_type = fields[i].type == MYSQL_TYPE_BIT ? MYSQL_TYPE_BIT : MYSQL_TYPE_STRING;
    bind.buffer = slot.bytes.data();
    bind.buffer_length = slot.bytes.size();
  }
  if (mysql_stmt_bind_result(statement_.get(), binds_.data()) != 0) {
    return my_failure(mysql_stmt_errno(statement_.get()), mysql_stmt_error(statement_.get()));
  }
  return {};
}

Result<std::optional<Row>> MyStream::next() {
  if (has_large_slots_) {
    for (Slot& slot : slots_) {
      if (slot.bytes.size() > kSlotBytesKept) std::vector<char>().swap(slot.bytes);
    }
    has_large_slots_ = false;
    HEARTH_TRY_VOID(bind());
  }
  const int code = mysql_stmt_fetch(statement_.get());
  if (code == MYSQL_NO_DATA) {
    is_done_ = true;
    return std::optional<Row>{};
  }
  if (code == 1) {
    is_done_ = true;  // what failed has nothing left to stop
    auto error = my_failure(mysql_stmt_errno(statement_.get()), mysql_stmt_error(statement_.get()));
    if (interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed))
      return fail(ErrorCode::kBusy, "interrupted");
    return error;
  }
  if (code == MYSQL_DATA_TRUNCATED) HEARTH_TRY_VOID(fetch_long_values());
  for (std::size_t i = 0; i < cells_.size(); ++i) read_cell(i);
  return std::optional<Row>(Row(cells_));
}

// Values that did not fit: their slots grow, and they are fetched once more.
Result<void> MyStream::fetch_long_values() {
  bool has_grown = false;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.is_null != 0 || slot.bytes.empty() || slot.size <= slot.bytes.size()) continue;
    slot.bytes.resize(slot.size + slot.size / 4);
    if (slot.bytes.size() > kSlotBytesKept) has_large_slots_ = true;
    has_grown = true;
    binds_[i].buffer = slot.bytes.data();
    binds_[i].buffer_length = slot.bytes.size();
    if (mysql_stmt_fetch_column(statement_.get(), &binds_[i], static_cast<unsigned>(i), 0) != 0)
      return my_failure(mysql_stmt_errno(statement_.get()), mysql_stmt_error(statement_.get()));
  }
  if (has_grown && mysql_stmt_bind_result(statement_.get(), binds_.data()) != 0)
    return my_failure(mysql_stmt_errno(statement_.get()), mysql_stmt_error(statement_.get()));
  return {};
}

void MyStream::read_cell(std::size_t index) {
  const auto& field = statement_.fields()[index];
  const Slot& slot = slots_[index];
  Cell& cell = cells_[index];
  cell.type = slot.is_null != 0 ? CellType::kNull : field.cell;
  const std::string_view bytes(slot.bytes.data(),
                               std::min<std::size_t>(slot.size, slot.bytes.size()));
  switch (cell.type) {
    case CellType::kNull: return;
    case CellType::kInteger:
    case CellType::kUnsigned:
      cell.integer = slot.integer;
      if (field.type != MYSQL_TYPE_BIT) return;
      cell.integer = 0;
      for (const char c : bytes) {
        cell.integer =
            static_cast<std::int64_t>(cell.as_unsigned() << 8 | static_cast<unsigned char>(c));
      }
      return;
    case CellType::kReal:
      cell.real = field.type == MYSQL_TYPE_FLOAT ? as_short_double(slot.single) : slot.real;
      return;
    case CellType::kTime: cell.integer = duration_of(slot.time); return;
    case CellType::kDate:
    case CellType::kTimestamp:
    case CellType::kTimestampTz: {
      const auto micros = timestamp_of(slot.time);
      if (!micros) {
        cell.type = CellType::kNull;
        return;
      }
      cell.integer = *micros;
      if (cell.type == CellType::kDate) {
        const std::int64_t day = kSecondsPerDayMy * kMicrosPerSecondMy;
        cell.integer = *micros / day - (*micros % day < 0 ? 1 : 0);
      }
      return;
    }
    case CellType::kDecimal:
      cell.bytes = field.has_zero_fill ? without_zero_fill(bytes) : bytes;
      return;
    default: cell.bytes = bytes;
  }
}

}  // namespace hearth::warm
