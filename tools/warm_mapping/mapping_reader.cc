#include "tools/warm_mapping/mapping_reader.h"

#include <fmt/core.h>

#include <set>
#include <string>

namespace hearth::warm {
namespace {

void read_selection(TableReader& in, Selection& selection) {
  assign(selection.table, in.text("table"));
  assign(selection.sql, in.text("query"));
  assign(selection.columns, in.texts("columns"));
  assign(selection.where, in.text("where"));
  assign(selection.order, in.texts("order_by"));
  if (selection.table.empty() == selection.sql.empty()) {
    in.wrong(selection.table.empty() ? "table" : "query", "give either table or query");
  }
  for (const char* key : {"columns", "where"}) {
    if (!selection.sql.empty() && in.has(key))
      in.wrong(key, "belongs to table; write it into the query");
  }
}

// "column", or "column as name".
FieldSpec field_of(const std::string& text) {
  constexpr std::string_view kAs = " as ";
  const auto at = text.rfind(kAs);
  if (at == std::string::npos || at == 0 || at + kAs.size() == text.size()) return {text, text};
  return {text.substr(0, at), text.substr(at + kAs.size())};
}

std::vector<FieldSpec> fields_of(const std::vector<std::string>& texts) {
  std::vector<FieldSpec> fields;
  fields.reserve(texts.size());
  for (const auto& text : texts) fields.push_back(field_of(text));
  return fields;
}

void read_embed(TableReader& in, std::string_view file, Output& output) {
  const auto* node = in.take("embed");
  if (node == nullptr) return;
  const auto* table = node->as_table();
  if (table == nullptr || table->size() != 1)
    return in.wrong("embed", "write embed = { name = [\"column\", ...] }");
  const std::string name(table->begin()->first.str());
  TableReader inner(file, "embed", *table);
  if (const auto members = inner.texts(name)) {
    output.embed_name = name;
    output.embed = fields_of(*members);
  } else {
    in.wrong("embed", "write embed = { name = [\"column\", ...] }");
  }
}

void check_value_keys(TableReader& in, const Output& output) {
  const bool is_json = output.value == ValueKind::kJson;
  const bool has_fields = is_json || output.value == ValueKind::kHash;
  const auto only_for = [&](std::string_view key, bool allowed, std::string_view kinds) {
    if (in.has(key) && !allowed) in.wrong(key, fmt::format("is for value = {} only", kinds));
  };
  if (!has_fields && output.column.empty())
    in.wrong("column", "this value needs the name of a column");
  if (output.value == ValueKind::kZset && output.score.empty())
    in.wrong("score", "value = \"zset\" needs the column of the score");
  only_for("column", !has_fields, "\"string\", \"list\", \"set\" or \"zset\"");
  only_for("score", output.value == ValueKind::kZset, "\"zset\"");
  only_for("fields", has_fields, "\"json\" or \"hash\"");
  only_for("exclude", has_fields, "\"json\" or \"hash\"");
  only_for("json_columns", is_json, "\"json\"");
  only_for("embed", is_json, "\"json\"");
  only_for("nulls", is_json, "\"json\"");
  only_for("replace", output.value == ValueKind::kHash, "\"hash\"");
  if (in.has("fields") && in.has("exclude")) in.wrong("exclude", "give either fields or exclude");
  if (in.has("embed") && !in.has("fields"))
    in.wrong("embed", "needs fields, which say what is of the key and what of each row");
  if (!output.replace && output.only_if_absent)
    in.wrong("only_if_absent", "replace = false adds to a hash that is there");
}

void read_lifetime(TableReader& in, Output& output) {
  output.ttl = in.duration("ttl");
  assign(output.ttl_jitter, in.percent("ttl_jitter"));
  assign(output.ttl_column, in.text("ttl_column"));
  assign(output.expires_at, in.text("expires_at"));
  if (in.has("ttl_jitter") && !output.ttl && output.ttl_column.empty())
    in.wrong("ttl_jitter", "needs ttl or ttl_column");
  if (in.has("ttl_column") && in.has("expires_at"))
    in.wrong("expires_at", "give either ttl_column or expires_at");
}

// The keys that say how one output is made: those of [[mapping]] itself, or of [[mapping.output]].
Output read_output(TableReader& in, std::string_view file) {
  Output output;
  if (const auto text = in.text("key")) {
    auto parsed = KeyTemplate::parse(*text);
    if (parsed) {
      output.key = *std::move(parsed);
    } else {
      in.wrong("key", parsed.error().context);
    }
  } else {
    in.wrong("key", "is missing");
  }
  if (const auto kind = in.choice("value", {"string", "json", "hash", "list", "set", "zset"}))
    output.value = static_cast<ValueKind>(*kind);
  assign(output.column, in.text("column"));
  assign(output.score, in.text("score"));
  if (const auto texts = in.texts("fields")) output.fields = fields_of(*texts);
  assign(output.exclude, in.texts("exclude"));
  assign(output.json_columns, in.texts("json_columns"));
  read_embed(in, file, output);
  if (const auto nulls = in.choice("nulls", {"keep", "omit"})) output.keep_nulls = *nulls == 0;
  if (const auto policy = in.choice("null_key", {"reject", "skip"}))
    output.null_key = static_cast<NullPolicy>(*policy);
  if (const auto policy = in.choice("null_value", {"reject", "skip", "empty", "delete"}))
    output.null_value = static_cast<NullPolicy>(*policy);
  assign(output.replace, in.boolean("replace"));
  assign(output.only_if_absent, in.boolean("only_if_absent"));
  assign(output.max_value_bytes, in.bytes("max_value", 1, std::uint64_t{512} << 20));
  read_lifetime(in, output);
  check_value_keys(in, output);
  return output;
}

Result<void> read_more_outputs(TableReader& in, std::string_view file, Mapping& mapping) {
  const auto* node = in.take("output");
  if (node == nullptr) return {};
  const auto* array = node->as_array();
  if (array == nullptr) return wrong_shape(file, *node, "output", "write [[mapping.output]]");
  for (const auto& item : *array) {
    const auto* table = item.as_table();
    if (table == nullptr) return wrong_shape(file, item, "output", "write [[mapping.output]]");
    TableReader inner(file, fmt::format("output[{}]", mapping.outputs.size()), *table);
    mapping.outputs.push_back(read_output(inner, file));
    HEARTH_TRY_VOID(inner.finish());
  }
  return {};
}

// A group needs its rows next to each other: tables, and queries whose order the mapping tells, are
// read in the order of the key's columns, then in the one that the mapping asks for.
void read_group(TableReader& in, Mapping& mapping) {
  bool collects = false;
  bool embeds = false;
  for (const auto& output : mapping.outputs) {
    collects |= output.is_collection();
    embeds |= output.needs_group();
  }
  mapping.group = in.boolean("group").value_or(collects || embeds);
  if (embeds && !mapping.group) in.wrong("group", "embed makes one value of several rows");
  if (mapping.group && (!mapping.selection.table.empty() || !mapping.selection.order.empty())) {
    std::vector<std::string> order = mapping.outputs.front().key.columns();
    for (auto& column : mapping.selection.order) order.push_back(std::move(column));
    mapping.selection.order = std::move(order);
  }
}

void read_followed_tables(TableReader& in, const toml::table& tables, std::string_view file,
                          FollowRule& rule) {
  TableReader inner(file, "follow.tables", tables);
  for (const auto& [name, node] : tables) {
    const auto key = inner.texts(name.str());
    if (!key) return in.wrong("follow", "write tables = { table = [\"column as name\", ...] }");
    rule.tables.push_back({std::string(name.str()), fields_of(*key)});
  }
}

void read_follow(TableReader& in, std::string_view file, Mapping& mapping) {
  const auto* node = in.take("follow");
  if (node == nullptr) return;
  FollowRule& rule = mapping.follow;
  if (const auto on = node->value_exact<bool>(); on && !*on) {
    rule.is_off = true;
    return;
  }
  const auto* table = node->as_table();
  if (table == nullptr)
    return in.wrong("follow", "write false, { poll = \"column\" } or { tables = { ... } }");
  TableReader inner(file, "follow", *table);
  assign(rule.poll, inner.text("poll"));
  assign(rule.every, inner.duration("every"));
  assign(rule.overlap, inner.duration("overlap"));
  if (const auto* tables = inner.take("tables")) {
    if (tables->as_table() == nullptr)
      return in.wrong("follow", "write tables = { table = [\"column as name\", ...] }");
    read_followed_tables(in, *tables->as_table(), file, rule);
    if (mapping.selection.sql.empty()) in.wrong("follow", "tables are for a query");
  }
  if (rule.poll.empty() && (inner.has("every") || inner.has("overlap")))
    in.wrong("follow", "every and overlap belong to poll");
  if (!rule.poll.empty() && !rule.tables.empty()) in.wrong("follow", "give either poll or tables");
  if (const auto finished = inner.finish(); !finished) in.wrong("follow", finished.error().context);
}

Result<Mapping> read_mapping(TableReader& in, std::string_view file, std::size_t index) {
  Mapping mapping;
  read_selection(in, mapping.selection);
  mapping.outputs.push_back(read_output(in, file));
  HEARTH_TRY_VOID(read_more_outputs(in, file, mapping));
  mapping.name = in.text("name").value_or(mapping.selection.table.empty()
                                              ? fmt::format("mapping {}", index + 1)
                                              : mapping.selection.table);
  assign(mapping.delete_if, in.text("delete_if"));
  read_group(in, mapping);
  read_follow(in, file, mapping);
  assign(mapping.rows_per_second, in.number("rate", 1, 1'000'000'000));
  HEARTH_TRY_VOID(in.finish());
  return mapping;
}

// The line of the first byte beyond ASCII that stands neither in a string nor in a comment, where
// TOML has no use for one. Asked first, because the library looks such a character up in a table
// that does not have them all.
std::optional<std::size_t> line_of_stray_byte(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  std::size_t line = 1;
  std::size_t i = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (i < text.size()) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) return line;
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '"' || c == '\'') {
      const std::string three(3, c);
      const bool many_lines = text.substr(i).starts_with(three);
      for (i += many_lines ? 3 : 1; i < text.size(); ++i) {
        if (text[i] == '\n') {
          if (!many_lines) break;  // it never ended: the library's to complain about
          ++line;
        } else if (text[i] == '\\' && c == '"') {
          ++i;
          if (i < text.size() && text[i] == '\n') ++line;
        } else if (text[i] == c && (!many_lines || text.substr(i).starts_with(three))) {
          i += many_lines ? 3 : 1;
          // Up to two quotes may stand right before the three that end it.
          for (int more = 0; many_lines && more < 2 && i < text.size() && text[i] == c; ++more) ++i;
          break;
        }
      }
    } else {
      if (c == '\n') ++line;
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text, std::string_view file) {
  if (const auto line = line_of_stray_byte(text)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{}:{}: only strings and comments may have characters beyond ASCII; "
                            "put quotes around it",
                            file, *line));
  }
  toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const auto& error = parsed.error();
    return fail(ErrorCode::kInvalid,
                fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  return std::move(parsed).table();
}

Result<std::vector<Mapping>> read_mappings(TableReader& top, std::string_view file) {
  const auto* node = top.take("mapping");
  if (node == nullptr) {
    HEARTH_TRY_VOID(top.finish());
    return fail(ErrorCode::kInvalid, fmt::format("{}: mapping: there is no [[mapping]]", file));
  }
  const auto* array = node->as_array();
  if (array == nullptr || array->empty())
    return wrong_shape(file, *node, "mapping", "write [[mapping]]");
  std::vector<Mapping> mappings;
  std::set<std::string> names;
  for (const auto& item : *array) {
    const auto* table = item.as_table();
    if (table == nullptr) return wrong_shape(file, item, "mapping", "write [[mapping]]");
    TableReader reader(file, fmt::format("mapping[{}]", mappings.size() + 1), *table);
    HEARTH_TRY(Mapping mapping, read_mapping(reader, file, mappings.size()));
    if (!names.insert(mapping.name).second) {
      return wrong_shape(file, item, "mapping",
                         fmt::format("two mappings are named '{}'", mapping.name));
    }
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

}  // namespace hearth::warm
