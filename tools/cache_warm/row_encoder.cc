#include "tools/cache_warm/row_encoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "cluster/model/slot.h"
#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "tools/cache_warm/json.h"
#include "tools/cache_warm/ttl.h"

namespace hearth::warm {
namespace {

Result<std::size_t> find_column(const Mapping& mapping, const std::vector<Column>& columns,
                                std::string_view name) {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
  if (found != columns.end()) return static_cast<std::size_t>(found - columns.begin());
  std::string all;
  for (const auto& column : columns) all += (all.empty() ? "" : ", ") + column.name;
  return fail(ErrorCode::kInvalid,
              fmt::format("mapping '{}': the rows have no column '{}'; they have: {}", mapping.name,
                          name, all));
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append_header(Buffer& out, char mark, std::size_t number) {
  char* p = out.room(kInt64TextMax + 3);
  *p = mark;
  const std::size_t digits = format_uint64(number, p + 1);
  p[digits + 1] = '\r';
  p[digits + 2] = '\n';
  out.advance(digits + 3);
}

void append_bulk(Buffer& out, std::string_view bytes) {
  append_header(out, '$', bytes.size());
  char* p = out.room(bytes.size() + 2);
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  p[bytes.size()] = '\r';
  p[bytes.size() + 1] = '\n';
  out.advance(bytes.size() + 2);
}

std::string as_bulk(std::string_view text) {
  Buffer out;
  append_bulk(out, text);
  return std::string(out.view());
}

void append_milliseconds(Buffer& out, milliseconds ttl) {
  char digits[kInt64TextMax];
  append_bulk(out, {digits, format_int64(ttl.count(), digits)});
}

}  // namespace

Result<RowEncoder> RowEncoder::bind(const Mapping& mapping, const std::vector<Column>& columns) {
  RowEncoder encoder(mapping);
  encoder.key_template_ = mapping.key;
  for (const auto& column : columns) encoder.names_.push_back(column.name);
  if (auto bound = encoder.key_template_.bind(columns); !bound) {
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}': {}", mapping.name, bound.error().context));
  }
  if (!mapping.ttl_column.empty()) {
    HEARTH_TRY(encoder.ttl_column_, find_column(mapping, columns, mapping.ttl_column));
  }
  if (mapping.value == ValueKind::kString) {
    HEARTH_TRY(encoder.value_column_, find_column(mapping, columns, mapping.column));
  } else {
    HEARTH_TRY_VOID(encoder.bind_fields(columns));
  }
  return encoder;
}

Result<void> RowEncoder::bind_fields(const std::vector<Column>& columns) {
  for (const auto* names : {&mapping_->exclude, &mapping_->json_columns}) {
    for (const auto& name : *names) HEARTH_TRY_VOID(find_column(*mapping_, columns, name));
  }
  std::vector<std::string> wanted = mapping_->fields;
  if (wanted.empty()) {
    for (const auto& name : names_) {
      if (!contains(mapping_->exclude, name)) wanted.push_back(name);
    }
  }
  for (const auto& name : wanted) {
    HEARTH_TRY(const std::size_t index, find_column(*mapping_, columns, name));
    Field field{index, name, "", as_bulk(name),
                columns[index].holds_json || contains(mapping_->json_columns, name)};
    Buffer prefix;
    prefix.push(fields_.empty() ? '{' : ',');
    if (!append_json_string(prefix, name)) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("mapping '{}': a column name is not UTF-8", mapping_->name));
    }
    prefix.push(':');
    field.json_prefix = prefix.view();
    fields_.push_back(std::move(field));
  }
  if (fields_.empty())
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}': no column is left", mapping_->name));
  return {};
}

RowOutcome RowEncoder::bad(std::string problem) {
  problem_ = std::move(problem);
  return RowOutcome::kBad;
}

RowOutcome RowEncoder::encode(Row row) {
  key_.clear();
  value_.clear();
  command_.clear();
  if (const int null = key_template_.render(row, key_); null >= 0) {
    key_.clear();
    return bad(fmt::format("key column '{}' is NULL", names_[static_cast<std::size_t>(null)]));
  }
  if (key_.size() == 0) return bad("the key is empty");
  if (key_.size() > kKeyBytesMax) {
    const std::size_t size = key_.size();
    key_.cut_to(100);
    return bad(fmt::format("the key has {} bytes, limit {}", size, kKeyBytesMax));
  }
  bool expired = false;
  if (!encode_ttl(row, expired)) return RowOutcome::kBad;
  if (expired) return RowOutcome::kExpired;

  bool good = false;
  switch (mapping_->value) {
    case ValueKind::kString: good = encode_string(row); break;
    case ValueKind::kJson: good = encode_json(row); break;
    case ValueKind::kHash: good = encode_hash(row); break;
  }
  if (!good) return RowOutcome::kBad;
  if (value_.size() > mapping_->max_value_bytes) {
    return bad(
        fmt::format("the value has {} bytes, limit {}", value_.size(), mapping_->max_value_bytes));
  }
  if (mapping_->value == ValueKind::kHash) {
    frame_hash();
  } else {
    frame_string();
  }
  return RowOutcome::kEncoded;
}

bool RowEncoder::encode_ttl(Row row, bool& expired) {
  row_ttl_ = mapping_->ttl;
  if (!mapping_->ttl_column.empty()) {
    const Cell& cell = row[ttl_column_];
    std::optional<double> seconds;
    if (cell.type == CellType::kInteger) seconds = static_cast<double>(cell.integer);
    if (cell.type == CellType::kReal) seconds = cell.real;
    if (cell.type == CellType::kText) seconds = parse_double(cell.bytes);
    if (!cell.is_null()) {
      if (!seconds || !(std::fabs(*seconds) <= 100.0 * 366 * 86'400)) {
        bad(fmt::format("column '{}' is no time to live in seconds", mapping_->ttl_column));
        return false;
      }
      const auto ms = static_cast<std::int64_t>(*seconds * 1000);
      expired = ms <= 0;
      row_ttl_ = milliseconds{ms};
    }
  }
  if (row_ttl_ && !expired) row_ttl_ = jittered_ttl(*row_ttl_, mapping_->ttl_jitter, key_.view());
  return true;
}

bool RowEncoder::encode_string(Row row) {
  const Cell& cell = row[value_column_];
  if (cell.is_null()) {
    bad(fmt::format("column '{}' is NULL", mapping_->column));
    return false;
  }
  append_plain(value_, cell);
  return true;
}

bool RowEncoder::encode_json(Row row) {
  bool first = true;
  for (const auto& field : fields_) {
    const Cell& cell = row[field.index];
    if (cell.is_null() && !mapping_->keep_nulls) continue;
    // The prefix brings the separator of its place in the full row; only a row whose first column
    // was left out needs the other one.
    value_.append(field.json_prefix);
    if (first) value_.data()[0] = '{';
    first = false;
    if (!encode_json_cell(field, cell)) return false;
  }
  if (first) value_.push('{');
  value_.push('}');
  return true;
}

bool RowEncoder::encode_json_cell(const Field& field, const Cell& cell) {
  switch (cell.type) {
    case CellType::kNull: return value_.append("null"), true;
    case CellType::kInteger: return append_plain(value_, cell), true;
    case CellType::kBool: return append_plain(value_, cell), true;
    case CellType::kReal:
      if (append_json_number(value_, cell.real)) return true;
      return bad(fmt::format("column '{}' is infinite, which JSON cannot say", field.name)), false;
    case CellType::kBlob: return append_json_base64(value_, cell.bytes), true;
    case CellType::kText:
      if (!field.holds_json) {
        if (append_json_string(value_, cell.bytes)) return true;
        return bad(fmt::format("column '{}' is not valid UTF-8", field.name)), false;
      }
      if (!is_json(cell.bytes))
        return bad(fmt::format("column '{}' is not valid JSON", field.name)), false;
      return value_.append(cell.bytes), true;
  }
  return false;
}

bool RowEncoder::encode_hash(Row row) {
  hash_fields_ = 0;
  for (const auto& field : fields_) {
    const Cell& cell = row[field.index];
    if (cell.is_null()) continue;
    value_.append(field.hash_prefix);
    cell_.clear();
    append_plain(cell_, cell);
    append_bulk(value_, cell_.view());
    ++hash_fields_;
  }
  if (hash_fields_ > 0) return true;
  bad("the hash would have no field: every column is NULL");
  return false;
}

void RowEncoder::frame_string() {
  command_.append(row_ttl_ ? "*5\r\n$3\r\nSET\r\n" : "*3\r\n$3\r\nSET\r\n");
  append_header(command_, '$', key_.size());
  key_begin_ = command_.size();
  command_.append(key_.view());
  command_.append("\r\n");
  append_bulk(command_, value_.view());
  if (row_ttl_) {
    command_.append("$2\r\nPX\r\n");
    append_milliseconds(command_, *row_ttl_);
  }
  commands_ = 1;
}

void RowEncoder::frame_hash() {
  commands_ = 0;
  const auto begin = [&](std::size_t arguments, std::string_view name) {
    append_header(command_, '*', arguments);
    append_bulk(command_, name);
    append_header(command_, '$', key_.size());
    if (commands_++ == 0) key_begin_ = command_.size();
    command_.append(key_.view());
    command_.append("\r\n");
  };
  if (mapping_->replace) begin(2, "DEL");
  begin(2 + 2 * hash_fields_, "HSET");
  command_.append(value_.view());
  if (row_ttl_) {
    begin(3, "PEXPIRE");
    append_milliseconds(command_, *row_ttl_);
  }
}

client::Operation RowEncoder::operation() const {
  client::Operation operation;
  operation.bytes = command_.view();
  operation.key = command_.view().substr(key_begin_, key_.size());
  operation.slot = cluster::slot_of(operation.key);
  operation.commands = commands_;
  return operation;
}

}  // namespace hearth::warm
