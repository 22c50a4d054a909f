#include "tools/warm_mapping/output_encoder.h"

#include <fmt/core.h>

#include <algorithm>

#include "cluster/model/slot.h"
#include "src/base/parse_number.h"
#include "tools/warm_mapping/fingerprint.h"
#include "tools/warm_mapping/json.h"
#include "tools/warm_mapping/redis_value.h"
#include "tools/warm_mapping/resp_text.h"

namespace hearth::warm {
namespace {

bool contains_name(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<double> score_of(const Cell& cell) {
  switch (cell.type) {
    case CellType::kInteger:
    case CellType::kDate:
    case CellType::kBool: return static_cast<double>(cell.integer);
    case CellType::kUnsigned: return static_cast<double>(cell.as_unsigned());
    case CellType::kReal: return cell.real;
    case CellType::kDecimal:
    case CellType::kText: return parse_double(cell.bytes);
    // Scores of times are milliseconds, which a double holds exactly.
    case CellType::kTime:
    case CellType::kTimestamp:
    case CellType::kTimestampTz: {
      const std::int64_t milliseconds = cell.integer / 1000;
      return static_cast<double>(milliseconds);
    }
    default: return std::nullopt;
  }
}

}  // namespace

// ---- binding ----

Result<std::size_t> OutputEncoder::column(const std::vector<Column>& columns,
                                          std::string_view name) const {
  const auto is_it = [&](const Column& one) { return one.name == name; };
  const auto found = std::find_if(columns.begin(), columns.end(), is_it);
  if (std::count_if(columns.begin(), columns.end(), is_it) > 1) {
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}': two columns are named '{}'; name one of them with AS",
                            mapping_->name, name));
  }
  if (found != columns.end()) return static_cast<std::size_t>(found - columns.begin());
  std::string all;
  for (const auto& one : columns) all += (all.empty() ? "" : ", ") + one.name;
  return fail(ErrorCode::kInvalid,
              fmt::format("mapping '{}': the rows have no column '{}'; they have: {}",
                          mapping_->name, name, all));
}

Result<std::vector<FieldSpec>> OutputEncoder::wanted_fields(
    const std::vector<Column>& columns) const {
  for (const auto& name : output_->exclude) HEARTH_TRY_VOID(column(columns, name));
  std::vector<FieldSpec> wanted = output_->fields;
  if (wanted.empty()) {
    for (const auto& one : columns) {
      if (!contains_name(output_->exclude, one.name)) wanted.push_back({one.name, one.name});
    }
  }
  if (wanted.empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}': no column is left", mapping_->name));
  }
  return wanted;
}

Result<std::vector<OutputEncoder::Field>> OutputEncoder::bind_fields(
    const std::vector<Column>& columns, const std::vector<FieldSpec>& wanted) const {
  std::vector<Field> fields;
  for (const auto& spec : wanted) {
    HEARTH_TRY(const std::size_t index, column(columns, spec.column));
    const bool twice = std::any_of(fields.begin(), fields.end(),
                                   [&](const Field& field) { return field.name == spec.name; });
    if (twice || spec.name == output_->embed_name) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("mapping '{}': two columns are named '{}'; name one of them with AS, "
                              "or choose with fields",
                              mapping_->name, spec.name));
    }
    Buffer prefix;
    prefix.push(',');
    if (!append_json_string(prefix, spec.name)) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("mapping '{}': a column name is not UTF-8", mapping_->name));
    }
    prefix.push(':');
    const bool holds_json =
        columns[index].holds_json || contains_name(output_->json_columns, spec.column);
    fields.push_back({index, spec.name, std::string(prefix.view()), holds_json});
  }
  return fields;
}

Result<OutputEncoder> OutputEncoder::bind(const Mapping& mapping, const Output& output,
                                          const std::vector<Column>& columns) {
  OutputEncoder encoder(mapping, output);
  encoder.key_template_ = output.key;
  for (const auto& one : columns) encoder.names_.push_back(one.name);
  if (auto bound = encoder.key_template_.bind(columns); !bound) {
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}': {}", mapping.name, bound.error().context));
  }
  const std::string& life = output.expires_at.empty() ? output.ttl_column : output.expires_at;
  if (!life.empty()) {
    HEARTH_TRY(encoder.life_column_, encoder.column(columns, life));
  }
  for (const auto& name : output.json_columns) HEARTH_TRY_VOID(encoder.column(columns, name));
  if (output.value == ValueKind::kJson || output.value == ValueKind::kHash) {
    HEARTH_TRY(const auto wanted, encoder.wanted_fields(columns));
    HEARTH_TRY(encoder.fields_, encoder.bind_fields(columns, wanted));
    if (!output.embed_name.empty()) {
      HEARTH_TRY(encoder.embedded_, encoder.bind_fields(columns, output.embed));
    }
    return encoder;
  }
  HEARTH_TRY(encoder.value_column_, encoder.column(columns, output.column));
  if (output.value == ValueKind::kZset) {
    HEARTH_TRY(encoder.score_column_, encoder.column(columns, output.score));
  }
  return encoder;
}

// ---- a value ----

OutputEncoder::State OutputEncoder::bad(std::string problem) {
  problem_ = std::move(problem);
  return state_ = State::kBad;
}

OutputEncoder::State OutputEncoder::null_value(std::string_view column_name) {
  switch (output_->null_value) {
    case NullPolicy::kSkip: return state_ = State::kSkipped;
    case NullPolicy::kDelete: return state_ = State::kDelete;
    case NullPolicy::kEmpty: return state_;
    case NullPolicy::kReject: break;
  }
  if (column_name.empty()) return bad("the value would be empty: every column is NULL");
  return bad(fmt::format("column '{}' is NULL", column_name));
}

OutputEncoder::State OutputEncoder::begin(Row row, bool is_deleted, UnixMillis now) {
  key_.clear();
  value_.clear();
  items_.clear();
  count_ = 0;
  has_embedded_ = false;
  life_ = Lifetime{};
  state_ = State::kStore;
  if (encode_key(row) != State::kStore) return state_;
  if (is_deleted) return state_ = State::kDelete;
  if (encode_lifetime(row, now) != State::kStore) return state_;
  switch (output_->value) {
    case ValueKind::kString: return encode_string(row);
    case ValueKind::kJson: return encode_json(row);
    case ValueKind::kHash: return encode_hash(row);
    default: return add_items(row);
  }
}

OutputEncoder::State OutputEncoder::add(Row row) {
  if (state_ != State::kStore) return state_;
  if (output_->is_collection()) return add_items(row);
  if (!embedded_.empty()) return add_embedded(row);
  return state_;
}

OutputEncoder::State OutputEncoder::encode_key(Row row) {
  if (const int null = key_template_.render(row, key_); null >= 0) {
    key_.clear();
    if (output_->null_key == NullPolicy::kSkip) return state_ = State::kSkipped;
    return bad(fmt::format("key column '{}' is NULL", names_[static_cast<std::size_t>(null)]));
  }
  if (key_.size() == 0) return bad("the key is empty");
  if (key_.size() > kKeyBytesMax) {
    const std::size_t size = key_.size();
    key_.cut_to(100);
    return bad(fmt::format("the key has {} bytes, limit {}", size, kKeyBytesMax));
  }
  return state_;
}

OutputEncoder::State OutputEncoder::encode_lifetime(Row row, UnixMillis now) {
  static constexpr Cell kNone{};
  const bool has_column = !output_->ttl_column.empty() || !output_->expires_at.empty();
  const auto life = lifetime_of(*output_, has_column ? row[life_column_] : kNone, key_.view(), now);
  if (!life) {
    return bad(output_->expires_at.empty()
                   ? fmt::format("column '{}' is no time to live in seconds", output_->ttl_column)
                   : fmt::format("column '{}' is no point in time", output_->expires_at));
  }
  life_ = *life;
  return life->is_over ? state_ = State::kExpired : state_;
}

OutputEncoder::State OutputEncoder::encode_string(Row row) {
  const Cell& cell = row[value_column_];
  if (cell.is_null()) return null_value(output_->column);
  if (!append_plain(value_, cell))
    return bad(fmt::format("column '{}' has an element that JSON cannot say", output_->column));
  return state_;
}

// The comma in front of the first member is turned into the opening brace.
bool OutputEncoder::append_object(Row row, const std::vector<Field>& fields) {
  const std::size_t begin = value_.size();
  for (const auto& field : fields) {
    const Cell& cell = row[field.index];
    if (cell.is_null() && !output_->keep_nulls) continue;
    value_.append(field.json_prefix);
    const auto problem = append_json_cell(value_, cell, field.holds_json);
    if (problem.empty()) continue;
    bad(fmt::format("column '{}' {}", names_[field.index], problem));
    return false;
  }
  if (value_.size() == begin) value_.push('{');
  value_.data()[begin] = '{';
  return true;
}

OutputEncoder::State OutputEncoder::encode_json(Row row) {
  if (!append_object(row, fields_)) return state_;
  if (embedded_.empty()) {
    value_.push('}');
    return state_;
  }
  if (value_.size() > 1) value_.push(',');
  if (!append_json_string(value_, output_->embed_name)) return bad("embed is not UTF-8");
  value_.append(":[");
  return add_embedded(row);
}

// A row of an outer join without a partner has nothing but NULLs to embed.
OutputEncoder::State OutputEncoder::add_embedded(Row row) {
  const bool is_absent = std::all_of(embedded_.begin(), embedded_.end(), [&](const Field& field) {
    return row[field.index].is_null();
  });
  if (is_absent) return state_;
  if (has_embedded_) value_.push(',');
  has_embedded_ = true;
  if (append_object(row, embedded_)) value_.push('}');
  if (value_.size() > output_->max_value_bytes)
    return bad(fmt::format("the value has more than {} bytes", output_->max_value_bytes));
  return state_;
}

OutputEncoder::State OutputEncoder::encode_hash(Row row) {
  for (const auto& field : fields_) {
    const Cell& cell = row[field.index];
    if (cell.is_null()) continue;
    cell_.clear();
    if (!append_plain(cell_, cell))
      return bad(
          fmt::format("column '{}' has an element that JSON cannot say", names_[field.index]));
    append_payload_text(value_, field.name);
    append_payload_text(value_, cell_.view());
    ++count_;
  }
  return count_ > 0 ? state_ : null_value("");
}

OutputEncoder::State OutputEncoder::add_items(Row row) {
  const Cell& cell = row[value_column_];
  double score = 0;
  if (output_->value == ValueKind::kZset && !cell.is_null()) {
    const auto number = score_of(row[score_column_]);
    if (!number || *number != *number)
      return bad(fmt::format("column '{}' is no score", output_->score));
    score = *number;
  }
  if (cell.type != CellType::kArray) return add_item(cell, score);
  for (const Cell& item : cell.items) {
    if (add_item(item, score) != State::kStore) break;
  }
  return state_;
}

// A NULL adds nothing: an outer join has one for a parent without children.
OutputEncoder::State OutputEncoder::add_item(const Cell& cell, double score) {
  if (cell.is_null()) return state_;
  Item item{value_.size(), 0, score};
  if (!append_plain(value_, cell))
    return bad(fmt::format("column '{}' has an element that JSON cannot say", output_->column));
  item.size = value_.size() - item.begin;
  items_.push_back(item);
  if (value_.size() > output_->max_value_bytes)
    return bad(fmt::format("the value has more than {} bytes", output_->max_value_bytes));
  return state_;
}

// ---- the command ----

OutputEncoder::State OutputEncoder::finish(Buffer& out, bool with_fingerprint) {
  if (state_ == State::kStore && output_->is_collection()) {
    if (items_.empty() && null_value(output_->column) == State::kStore)
      return bad("a collection cannot be empty: null_value = \"delete\" or \"skip\"");
    sort_members();
  }
  if (state_ == State::kStore && output_->value == ValueKind::kHash && count_ == 0)
    return bad("a hash cannot be empty: null_value = \"delete\" or \"skip\"");
  if (state_ == State::kStore && !embedded_.empty()) value_.append("]}");
  if (state_ == State::kStore && value_.size() > output_->max_value_bytes) {
    return bad(
        fmt::format("the value has {} bytes, limit {}", value_.size(), output_->max_value_bytes));
  }
  command_span_.first = out.size();
  if (state_ == State::kDelete) {
    begin_command(out, 2, "DEL");
  } else if (state_ == State::kStore) {
    fingerprint_ = with_fingerprint ? fingerprint() : 0;
    if (output_->value == ValueKind::kHash && !output_->replace) {
      frame_added_hash(out);
    } else if (output_->value == ValueKind::kString || output_->value == ValueKind::kJson) {
      frame_set(out);
    } else {
      frame_payload(out);
    }
  }
  command_span_.second = out.size() - command_span_.first;
  return state_;
}

// Members of sets are written once each; of a member with several scores the last one counts.
void OutputEncoder::sort_members() {
  if (output_->value == ValueKind::kList) return;
  const auto text = [&](const Item& item) { return value_.view().substr(item.begin, item.size); };
  std::stable_sort(items_.begin(), items_.end(),
                   [&](const Item& a, const Item& b) { return text(a) < text(b); });
  std::vector<Item> kept;
  for (const Item& item : items_) {
    if (!kept.empty() && text(kept.back()) == text(item)) {
      kept.back() = item;
    } else {
      kept.push_back(item);
    }
  }
  items_ = std::move(kept);
}

void OutputEncoder::begin_command(Buffer& out, std::size_t arguments, std::string_view name) {
  append_resp_header(out, '*', arguments);
  append_resp_bulk(out, name);
  append_resp_header(out, '$', key_.size());
  key_begin_ = out.size() - command_span_.first;
  out.append(key_.view());
  out.append("\r\n");
}

void OutputEncoder::frame_set(Buffer& out) {
  const std::size_t life_words = life_.is_forever() ? 0 : 2;
  begin_command(out, 3 + life_words + (output_->only_if_absent ? 1 : 0) + epoch_words(), "SET");
  append_resp_bulk(out, value_.view());
  if (life_.deadline) {
    out.append("$4\r\nPXAT\r\n");
    append_resp_number(out, life_.deadline->ms);
  } else if (life_.length) {
    out.append("$2\r\nPX\r\n");
    append_resp_number(out, life_.length->count());
  }
  if (output_->only_if_absent) out.append("$2\r\nNX\r\n");
  append_epoch(out);
}

void OutputEncoder::append_epoch(Buffer& out) const {
  if (mapping_->epoch.empty()) return;
  append_resp_bulk(out, "WARM");
  append_resp_bulk(out, mapping_->epoch);
}

void OutputEncoder::frame_payload(Buffer& out) {
  payload_.clear();
  if (output_->value == ValueKind::kHash) {
    append_payload(payload_, PayloadType::kHash, count_, value_.view());
  } else {
    cell_.clear();
    for (const Item& item : items_) {
      append_payload_text(cell_, value_.view().substr(item.begin, item.size));
      if (output_->value == ValueKind::kZset) append_payload_score(cell_, item.score);
    }
    const PayloadType type = output_->value == ValueKind::kList  ? PayloadType::kList
                             : output_->value == ValueKind::kSet ? PayloadType::kSet
                                                                 : PayloadType::kZset;
    append_payload(payload_, type, items_.size(), cell_.view());
  }
  const bool absolute = life_.deadline.has_value();
  begin_command(out, 4 + (output_->only_if_absent ? 0 : 1) + (absolute ? 1 : 0) + epoch_words(),
                "RESTORE");
  append_resp_number(
      out, absolute ? life_.deadline->ms : life_.length.value_or(milliseconds{0}).count());
  append_resp_bulk(out, payload_.view());
  if (!output_->only_if_absent) out.append("$7\r\nREPLACE\r\n");
  if (absolute) out.append("$6\r\nABSTTL\r\n");
  append_epoch(out);
}

void OutputEncoder::frame_added_hash(Buffer& out) {
  static constexpr std::string_view kScript =
      "redis.call('HSET',KEYS[1],unpack(ARGV,3)) return redis.call(ARGV[1],KEYS[1],ARGV[2])";
  // Null, as of SET, for a key that others have touched.
  static constexpr std::string_view kGuardedScript =
      "if redis.call('HSETEX',KEYS[1],'WARM',ARGV[3],'FIELDS',(#ARGV-3)/2,unpack(ARGV,4))==0 then "
      "return nil end if ARGV[1]~='' then redis.call(ARGV[1],KEYS[1],ARGV[2]) end return 1";
  const bool is_guarded = !mapping_->epoch.empty();
  if (life_.is_forever() && !is_guarded) {
    begin_command(out, 2 + 2 * count_, "HSET");
  } else {
    append_resp_header(out, '*', (is_guarded ? 7 : 6) + 2 * count_);
    append_resp_bulk(out, "EVAL");
    append_resp_bulk(out, is_guarded ? kGuardedScript : kScript);
    append_resp_bulk(out, "1");
    append_resp_header(out, '$', key_.size());
    key_begin_ = out.size() - command_span_.first;
    out.append(key_.view());
    out.append("\r\n");
    append_resp_bulk(out, life_.is_forever() ? "" : life_.deadline ? "PEXPIREAT" : "PEXPIRE");
    append_resp_number(
        out, life_.deadline ? life_.deadline->ms : life_.length.value_or(milliseconds{0}).count());
    if (is_guarded) append_resp_bulk(out, mapping_->epoch);
  }
  std::string_view rest = value_.view();
  while (!rest.empty()) append_resp_bulk(out, take_payload_text(rest));
}

std::uint64_t OutputEncoder::fingerprint() const {
  Fingerprint print(output_->value);
  if (output_->value == ValueKind::kString || output_->value == ValueKind::kJson) {
    print.add(value_.view());
  } else if (output_->value == ValueKind::kHash) {
    std::string_view rest = value_.view();
    while (!rest.empty()) {
      const std::string_view name = take_payload_text(rest);
      print.add_field(name, take_payload_text(rest));
    }
  } else {
    for (const Item& item : items_) {
      const auto text = value_.view().substr(item.begin, item.size);
      if (output_->value == ValueKind::kZset) {
        print.add_member(text, item.score);
      } else {
        print.add(text);
      }
    }
  }
  return print.value();
}

Write OutputEncoder::write(std::string_view commands) const {
  Write write;
  write.bytes = commands.substr(command_span_.first, command_span_.second);
  write.key = write.bytes.substr(key_begin_, key_.size());
  write.slot = cluster::slot_of(write.key);
  write.is_delete = state_ == State::kDelete;
  write.only_if_absent = output_->only_if_absent && !write.is_delete;
  write.kind = output_->value;
  write.fingerprint = fingerprint_;
  return write;
}

}  // namespace hearth::warm
