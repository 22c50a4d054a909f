#include "tools/cache_warm/change_router.h"

#include <fmt/core.h>

#include <algorithm>

namespace hearth::warm {
namespace {

bool has_text(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

std::optional<std::size_t> column_at(const TableShape& shape, std::string_view name) {
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    if (shape.columns[i].name == name) return i;
  }
  return std::nullopt;
}

// The columns of the table that a document may take: those of the selection, or all.
std::vector<FieldSpec> selected_columns(const Selection& selection, const TableShape& shape) {
  std::vector<FieldSpec> out;
  for (const auto& name : selection.columns) out.push_back({name, name});
  if (!out.empty()) return out;
  for (const auto& column : shape.columns) out.push_back({column.name, column.name});
  return out;
}

bool needs_column(const Mapping& mapping, std::string_view name) {
  if (mapping.delete_if == name) return true;
  for (const Output& output : mapping.outputs) {
    if (has_text(output.key.columns(), name) || output.column == name || output.score == name ||
        output.ttl_column == name || output.expires_at == name)
      return true;
    if (output.value != ValueKind::kJson && output.value != ValueKind::kHash) continue;
    const bool is_field = std::any_of(output.fields.begin(), output.fields.end(),
                                      [&](const FieldSpec& field) { return field.column == name; });
    if (is_field || (output.fields.empty() && !has_text(output.exclude, name))) return true;
  }
  return false;
}

unexpected<Error> cannot_follow(const Mapping& mapping, std::string_view why) {
  return fail(ErrorCode::kInvalid,
              fmt::format("mapping '{}' cannot be followed: {}", mapping.name, why));
}

}  // namespace

Result<ChangeRouter> ChangeRouter::make(const std::vector<Mapping>& mappings) {
  ChangeRouter router(mappings);
  for (std::size_t i = 0; i < mappings.size(); ++i) HEARTH_TRY_VOID(router.add(i));
  return router;
}

Result<void> ChangeRouter::add(std::size_t index) {
  const Mapping& mapping = (*mappings_)[index];
  if (mapping.follow.is_off) return {};
  for (const Output& output : mapping.outputs) {
    if (output.only_if_absent)
      return cannot_follow(mapping, "only_if_absent keeps old values (follow = false loads it)");
    if (output.value == ValueKind::kHash && !output.replace)
      return cannot_follow(
          mapping, "replace = false keeps the fields of earlier rows (follow = false loads it)");
    if (mapping.group && output.key.merges_values())
      return cannot_follow(mapping,
                           "several values of a column make one key (lower, upper), and the rows "
                           "of a key are read again by its columns");
  }
  if (!mapping.follow.poll.empty()) return {};
  if (mapping.selection.sql.empty()) {
    listen(index, mapping.selection.table, nullptr);
    return {};
  }
  if (mapping.follow.tables.empty()) {
    return cannot_follow(mapping,
                         "its query needs follow = { tables = { table = [\"column as name\"] } }: "
                         "whose changes, and by which columns of the query its rows are read "
                         "again; or follow = { poll = \"column\" }, or follow = false");
  }
  for (const auto& rule : mapping.follow.tables) listen(index, rule.table, &rule);
  return {};
}

void ChangeRouter::listen(std::size_t mapping, const std::string& table,
                          const FollowedTable* rule) {
  const auto found = std::find(tables_.begin(), tables_.end(), table);
  Listener listener;
  listener.mapping = mapping;
  listener.table = static_cast<std::size_t>(found - tables_.begin());
  listener.rule = rule;
  if (found == tables_.end()) tables_.push_back(table);
  listeners_.push_back(std::move(listener));
}

// ---- shapes ----

Result<void> ChangeRouter::set_shape(std::size_t table, const TableShape& shape) {
  notes_.clear();
  for (Listener& listener : listeners_) {
    if (listener.table == table) HEARTH_TRY_VOID(bind(listener, shape));
  }
  return {};
}

Result<void> ChangeRouter::bind(Listener& listener, const TableShape& shape) {
  Listener bound;
  bound.mapping = listener.mapping;
  bound.table = listener.table;
  bound.rule = listener.rule;
  const Mapping& mapping = (*mappings_)[bound.mapping];
  HEARTH_TRY_VOID(mapping.group || bound.rule != nullptr ? bind_group(bound, shape)
                                                         : bind_row(bound, shape));
  listener = std::move(bound);
  return {};
}

Result<void> ChangeRouter::bind_keys(Listener& listener, const TableShape& shape,
                                     const std::vector<FieldSpec>& columns) {
  const Mapping& mapping = (*mappings_)[listener.mapping];
  std::vector<Column> named;
  for (const auto& spec : columns) {
    const auto index = column_at(shape, spec.column);
    if (!index)
      return cannot_follow(mapping,
                           fmt::format("table '{}' has no column '{}'", shape.name, spec.column));
    named.push_back({.name = spec.name});
    listener.key_cells.push_back(*index);
  }
  for (const Output& output : mapping.outputs) {
    KeyTemplate key = output.key;
    if (auto bound = key.bind(named); !bound) return cannot_follow(mapping, bound.error().context);
    for (const auto& name : key.columns()) {
      const auto at = std::find_if(named.begin(), named.end(),
                                   [&](const Column& column) { return column.name == name; });
      const auto cell = listener.key_cells[static_cast<std::size_t>(at - named.begin())];
      if (!shape.readable[cell])
        return cannot_follow(mapping, fmt::format("its key needs column '{}', which changes of "
                                                  "table '{}' do not bring",
                                                  shape.columns[cell].name, shape.name));
      if (!shape.in_old[cell])
        return cannot_follow(mapping,
                             fmt::format("its key needs column '{}', and the database does not "
                                         "tell the old one of table '{}': {}",
                                         shape.columns[cell].name, shape.name, shape.hint));
    }
    listener.keys.push_back(std::move(key));
  }
  return {};
}

Result<void> ChangeRouter::bind_row(Listener& listener, const TableShape& shape) {
  const Mapping& mapping = (*mappings_)[listener.mapping];
  const auto selected = selected_columns(mapping.selection, shape);
  std::vector<FieldSpec> all;
  for (const auto& column : shape.columns) all.push_back({column.name, column.name});
  HEARTH_TRY_VOID(bind_keys(listener, shape, all));
  for (const std::size_t cell : shape.row_key) {
    listener.again_columns.push_back(shape.columns[cell].name);
    listener.again_cells.push_back(cell);
  }
  std::string why = mapping.selection.where.empty() ? "" : "it has a condition";
  std::vector<Column> columns;
  for (const auto& spec : selected) {
    const auto index = column_at(shape, spec.column);
    if (!index)
      return cannot_follow(mapping,
                           fmt::format("table '{}' has no column '{}'", shape.name, spec.column));
    listener.cells.push_back(*index);
    columns.push_back(shape.columns[*index]);
    if (!needs_column(mapping, spec.column)) continue;
    listener.needed.push_back(*index);
    if (!shape.readable[*index]) why = fmt::format("changes do not bring column '{}'", spec.column);
  }
  auto encoder = RowEncoder::bind(mapping, columns);
  if (!encoder) return unexpected<Error>(encoder.error());
  listener.encoder = *std::move(encoder);
  listener.reads_again = !why.empty();
  if (!listener.reads_again) return {};
  if (listener.again_columns.empty())
    return cannot_follow(mapping, fmt::format("{}, and table '{}' has no primary key by which a "
                                              "row could be read again",
                                              why, shape.name));
  notes_.push_back(
      fmt::format("mapping '{}': rows are read again after each change: {}", mapping.name, why));
  return {};
}

Result<void> ChangeRouter::bind_group(Listener& listener, const TableShape& shape) {
  const Mapping& mapping = (*mappings_)[listener.mapping];
  std::vector<FieldSpec> columns;
  if (listener.rule != nullptr) {
    columns = listener.rule->key;
  } else {
    for (const auto& name : mapping.outputs.front().key.columns()) {
      const bool is_there = std::any_of(columns.begin(), columns.end(),
                                        [&](const FieldSpec& spec) { return spec.column == name; });
      if (!is_there) columns.push_back({name, name});
    }
  }
  HEARTH_TRY_VOID(bind_keys(listener, shape, columns));
  listener.reads_again = true;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    listener.again_columns.push_back(columns[i].name);
    listener.again_cells.push_back(listener.key_cells[i]);
  }
  return {};
}

// ---- changes ----

std::vector<std::string> ChangeRouter::keys_of(const Listener& listener, const RowImage& row) {
  std::vector<std::string> keys;
  if (!row.exists) return keys;
  row_.clear();
  for (const std::size_t cell : listener.key_cells) row_.push_back(row.cells[cell]);
  for (const KeyTemplate& key : listener.keys) {
    key_.clear();
    if (key.render(row_, key_) >= 0 || key_.size() == 0 ||
        key_.size() > OutputEncoder::kKeyBytesMax)
      continue;
    keys.emplace_back(key_.view());
  }
  return keys;
}

Result<void> ChangeRouter::route(const Change& change, UnixMillis now, ChangeEffects& effects) {
  for (Listener& listener : listeners_) {
    if (listener.table == change.table) HEARTH_TRY_VOID(route_to(listener, change, now, effects));
  }
  return {};
}

Result<void> ChangeRouter::route_to(Listener& listener, const Change& change, UnixMillis now,
                                    ChangeEffects& effects) {
  const Mapping& mapping = (*mappings_)[listener.mapping];
  if (change.kind == ChangeKind::kTruncate) {
    if (listener.rule == nullptr) return effects.erase_all(listener.mapping);
    return fail(ErrorCode::kNotFound,
                fmt::format("table '{}' of mapping '{}' was truncated, and only a load tells what "
                            "is left of its query",
                            tables_[listener.table], mapping.name));
  }
  const bool is_group = mapping.group || listener.rule != nullptr;
  if (is_group) {
    HEARTH_TRY_VOID(read_rows_again(listener, change.old_row, effects));
    return read_rows_again(listener, change.new_row, effects);
  }
  // Keys that only the old row had go first: the new row's keys are written behind.
  if (change.old_row.exists) {
    const auto kept = keys_of(listener, change.new_row);
    for (const auto& key : keys_of(listener, change.old_row)) {
      if (!has_text(kept, key)) HEARTH_TRY_VOID(effects.erase(listener.mapping, key));
    }
  }
  if (!change.new_row.exists) return {};
  return store_row(listener, change.new_row, now, effects);
}

Result<void> ChangeRouter::store_row(Listener& listener, const RowImage& row, UnixMillis now,
                                     ChangeEffects& effects) {
  const Mapping& mapping = (*mappings_)[listener.mapping];
  bool is_whole = !listener.reads_again;
  for (const std::size_t cell : listener.needed) is_whole = is_whole && row.known[cell] != 0;
  if (!is_whole) {
    if (!listener.again_columns.empty()) return read_rows_again(listener, row, effects);
    return cannot_follow(mapping, fmt::format("a change of table '{}' lacks a large value, and "
                                              "there is no primary key to read the row by",
                                              tables_[listener.table]));
  }
  row_.clear();
  for (const std::size_t cell : listener.cells) row_.push_back(row.cells[cell]);
  const Unit* unit = listener.encoder->encode(row_, 0, now);
  if (unit->outcome == RowOutcome::kBad) effects.reject(listener.mapping, unit->key, unit->problem);
  for (const Write& write : unit->writes) HEARTH_TRY_VOID(effects.write(listener.mapping, write));
  if (unit->writes.size() == listener.keys.size()) return {};
  // A row that is bad, over or passed over leaves no value; an old one would be wrong.
  for (const auto& key : keys_of(listener, row)) {
    const bool is_written = std::any_of(unit->writes.begin(), unit->writes.end(),
                                        [&](const Write& write) { return write.key == key; });
    if (!is_written) HEARTH_TRY_VOID(effects.erase(listener.mapping, key));
  }
  return {};
}

Result<void> ChangeRouter::read_rows_again(Listener& listener, const RowImage& row,
                                           ChangeEffects& effects) {
  if (!row.exists) return {};
  RowsWanted wanted;
  wanted.columns = &listener.again_columns;
  for (const std::size_t cell : listener.again_cells) {
    Buffer text;
    // No row is equal to NULL.
    if (row.cells[cell].is_null() || !append_plain(text, row.cells[cell])) return {};
    wanted.values.emplace_back(text.view());
  }
  wanted.keys = keys_of(listener, row);
  return effects.read_again(listener.mapping, std::move(wanted));
}

}  // namespace hearth::warm
