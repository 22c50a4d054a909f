#include "tools/cache_warm/mapping.h"

#include <fmt/core.h>

#define TOML_EXCEPTIONS 0
// The library states what it believes of its input with assert; a mapping file is anybody's text
// and must end in an error, not in an abort.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "src/base/parse_number.h"
#include "tools/cache_warm/ttl.h"

namespace hearth::warm {
namespace {

// Takes the keys of one table out one by one; what is left at the end is unknown. Keeps the first
// error and the place it belongs to, so that a caller may read all keys and ask once.
class TableReader {
 public:
  TableReader(std::string_view file, std::string path, const toml::table& table)
      : file_(file), path_(std::move(path)), table_(table) {}

  bool has(std::string_view key) const { return table_.contains(key); }

  std::optional<std::string> text(std::string_view key) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<std::string>()) return *value;
    wrong(key, "must be a string");
    return std::nullopt;
  }
  std::optional<bool> boolean(std::string_view key) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<bool>()) return *value;
    wrong(key, "must be true or false");
    return std::nullopt;
  }
  std::optional<std::uint64_t> number(std::string_view key, std::uint64_t least,
                                      std::uint64_t most) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 0 || static_cast<std::uint64_t>(*value) < least ||
        static_cast<std::uint64_t>(*value) > most) {
      wrong(key, fmt::format("must be a whole number, {} to {}", least, most));
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(*value);
  }
  // A number of bytes, or a text such as "64mb".
  std::optional<std::size_t> bytes(std::string_view key, std::uint64_t least, std::uint64_t most) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    std::optional<std::uint64_t> size;
    if (const auto value = node->value_exact<std::int64_t>(); value && *value >= 0)
      size = static_cast<std::uint64_t>(*value);
    if (const auto value = node->value_exact<std::string>()) size = parse_memory_size(*value);
    if (!size || *size < least || *size > most) {
      wrong(key, fmt::format("must be a size such as 64kb or 16mb, {} to {} bytes", least, most));
      return std::nullopt;
    }
    return static_cast<std::size_t>(*size);
  }
  std::optional<milliseconds> duration(std::string_view key) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto length = parse_duration(*value);
    if (!length)
      wrong(key, fmt::format("'{}' is no duration such as 30s, 15m, 1h30m or 7d", *value));
    return length;
  }
  std::optional<double> percent(std::string_view key) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto fraction = parse_percent(*value);
    if (!fraction) wrong(key, fmt::format("'{}' is no percentage such as 10%", *value));
    return fraction;
  }
  std::optional<std::vector<std::string>> texts(std::string_view key) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    std::vector<std::string> result;
    const auto* array = node->as_array();
    if (array == nullptr || array->empty()) {
      wrong(key, "must be a list of strings, with at least one");
      return std::nullopt;
    }
    for (const auto& item : *array) {
      const auto value = item.value_exact<std::string>();
      if (!value || value->empty()) {
        wrong(key, "must be a list of strings");
        return std::nullopt;
      }
      result.push_back(*value);
    }
    return result;
  }
  // Index into `words`.
  std::optional<std::size_t> choice(std::string_view key,
                                    std::initializer_list<std::string_view> words) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto found = std::find(words.begin(), words.end(), *value);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    wrong(key, fmt::format("'{}' is none of: {}", *value, joined(words)));
    return std::nullopt;
  }

  void wrong(std::string_view key, std::string_view what) {
    if (!error_) set_error(key, what);
  }
  // A key that is not known comes before any other mistake: that one may be missing because this
  // one is misspelt.
  Result<void> finish() {
    for (const auto& [key, node] : table_) {
      if (taken_.contains(std::string(key.str()))) continue;
      set_error(key.str(), "is not known here");
      break;
    }
    if (error_) return unexpected<Error>(*error_);
    return {};
  }
  const toml::node* take(std::string_view key) {
    taken_.emplace(key);
    return table_.get(key);
  }

 private:
  void set_error(std::string_view key, std::string_view what) {
    const auto* node = table_.get(key);
    const auto line = node == nullptr ? table_.source().begin.line : node->source().begin.line;
    error_ = Error{ErrorCode::kInvalid, fmt::format("{}:{}: {}{}{}: {}", file_, line, path_,
                                                    path_.empty() ? "" : ".", key, what)};
  }
  static std::string joined(std::initializer_list<std::string_view> words) {
    std::string all;
    for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string(word);
    return all;
  }
  std::string_view file_;
  std::string path_;
  const toml::table& table_;
  std::set<std::string> taken_;
  std::optional<Error> error_;
};

template <typename T, typename U>
void assign(T& to, std::optional<U> from) {
  if (from) to = static_cast<T>(*std::move(from));
}

Result<void> read_target(TableReader& in, Target& target) {
  std::vector<std::string> addresses;
  if (const auto one = in.text("address")) addresses.push_back(*one);
  if (auto several = in.texts("seeds")) {
    if (!addresses.empty()) in.wrong("seeds", "give either address or seeds");
    addresses = *std::move(several);
  }
  for (const auto& text : addresses) {
    auto endpoint = client::parse_endpoint(text);
    if (endpoint) {
      target.seeds.push_back(*std::move(endpoint));
    } else {
      in.wrong(in.has("seeds") ? "seeds" : "address", endpoint.error().context);
    }
  }
  if (const auto text = in.text("url")) {
    auto url = client::parse_server_url(*text);
    if (!url) {
      in.wrong("url", url.error().context);
    } else if (!target.seeds.empty()) {
      in.wrong("url", "give one of url, address and seeds");
    } else {
      target.seeds.push_back(url->endpoint);
      target.username = url->username;
      target.password = url->password;
      target.db = url->db;
    }
  }
  assign(target.username, in.text("username"));
  assign(target.password, in.text("password"));
  assign(target.db, in.number("db", 0, std::numeric_limits<DbIndex>::max()));
  assign(target.connections_per_node, in.number("connections", 1, 64));
  assign(target.batch_rows, in.number("batch", 1, 1'000'000));
  assign(target.batch_bytes, in.bytes("batch_bytes", 1, 1 << 26));
  assign(target.window_bytes, in.bytes("window", 1, 1 << 30));
  assign(target.retry_for, in.duration("retry_for"));
  return in.finish();
}

Result<void> read_errors(TableReader& in, ErrorPolicy& errors) {
  if (const auto policy = in.choice("on_error", {"skip", "fail"}))
    errors.on_error = *policy == 0 ? OnError::kSkip : OnError::kFail;
  assign(errors.max_errors, in.number("max_errors", 0, std::numeric_limits<std::int64_t>::max()));
  assign(errors.reject_file, in.text("reject_file"));
  return in.finish();
}

void read_selection(TableReader& in, Selection& selection) {
  assign(selection.table, in.text("table"));
  assign(selection.sql, in.text("query"));
  assign(selection.columns, in.texts("columns"));
  assign(selection.where, in.text("where"));
  if (selection.table.empty() == selection.sql.empty()) {
    in.wrong(selection.table.empty() ? "table" : "query", "give either table or query");
  }
  for (const char* key : {"columns", "where"}) {
    if (!selection.sql.empty() && in.has(key))
      in.wrong(key, "belongs to table; write it into the query");
  }
}

void read_value(TableReader& in, Mapping& mapping) {
  if (const auto kind = in.choice("value", {"string", "json", "hash"}))
    mapping.value = static_cast<ValueKind>(*kind);
  const bool is_string = mapping.value == ValueKind::kString;
  const bool is_json = mapping.value == ValueKind::kJson;
  assign(mapping.column, in.text("column"));
  assign(mapping.fields, in.texts("fields"));
  assign(mapping.exclude, in.texts("exclude"));
  assign(mapping.json_columns, in.texts("json_columns"));
  if (const auto nulls = in.choice("nulls", {"keep", "omit"})) mapping.keep_nulls = *nulls == 0;
  assign(mapping.replace, in.boolean("replace"));
  assign(mapping.max_value_bytes, in.bytes("max_value", 1, std::uint64_t{512} << 20));
  if (is_string && mapping.column.empty())
    in.wrong("column", "value = \"string\" needs the name of a column");
  const auto only_for = [&](std::string_view key, bool allowed, std::string_view kinds) {
    if (in.has(key) && !allowed) in.wrong(key, fmt::format("is for value = {} only", kinds));
  };
  only_for("column", is_string, "\"string\"");
  only_for("fields", !is_string, "\"json\" or \"hash\"");
  only_for("exclude", !is_string, "\"json\" or \"hash\"");
  only_for("json_columns", is_json, "\"json\"");
  only_for("nulls", is_json, "\"json\"");
  only_for("replace", mapping.value == ValueKind::kHash, "\"hash\"");
  if (in.has("fields") && in.has("exclude")) in.wrong("exclude", "give either fields or exclude");
}

Result<Mapping> read_mapping(TableReader& in, std::size_t index) {
  Mapping mapping;
  read_selection(in, mapping.selection);
  read_value(in, mapping);
  mapping.name = in.text("name").value_or(mapping.selection.table.empty()
                                              ? fmt::format("mapping {}", index + 1)
                                              : mapping.selection.table);
  if (const auto text = in.text("key")) {
    auto parsed = KeyTemplate::parse(*text);
    if (parsed) {
      mapping.key = *std::move(parsed);
    } else {
      in.wrong("key", parsed.error().context);
    }
  } else {
    in.wrong("key", "is missing");
  }
  mapping.ttl = in.duration("ttl");
  assign(mapping.ttl_jitter, in.percent("ttl_jitter"));
  assign(mapping.ttl_column, in.text("ttl_column"));
  if (in.has("ttl_jitter") && !mapping.ttl && mapping.ttl_column.empty())
    in.wrong("ttl_jitter", "needs ttl or ttl_column");
  assign(mapping.rows_per_second, in.number("rate", 1, 1'000'000'000));
  HEARTH_TRY_VOID(in.finish());
  return mapping;
}

unexpected<Error> wrong_shape(std::string_view file, const toml::node& node, std::string_view key,
                              std::string_view what) {
  return fail(ErrorCode::kInvalid,
              fmt::format("{}:{}: {}: {}", file, node.source().begin.line, key, what));
}

Result<void> read_section(const toml::table& root, TableReader& top, std::string_view file,
                          std::string_view name,
                          const std::function<Result<void>(TableReader&)>& read) {
  const auto* node = top.take(name);
  if (node == nullptr) return {};
  const auto* table = node->as_table();
  if (table == nullptr) return wrong_shape(file, *root.get(name), name, "must be a table");
  TableReader reader(file, std::string(name), *table);
  return read(reader);
}

Result<void> read_mappings(TableReader& top, std::string_view file, WarmPlan& plan) {
  const auto* node = top.take("mapping");
  if (node == nullptr) {
    HEARTH_TRY_VOID(top.finish());
    return fail(ErrorCode::kInvalid, fmt::format("{}: mapping: there is no [[mapping]]", file));
  }
  const auto* array = node->as_array();
  if (array == nullptr || array->empty())
    return wrong_shape(file, *node, "mapping", "write [[mapping]]");
  std::set<std::string> names;
  for (const auto& item : *array) {
    const auto* table = item.as_table();
    if (table == nullptr) return wrong_shape(file, item, "mapping", "write [[mapping]]");
    TableReader reader(file, fmt::format("mapping[{}]", plan.mappings.size() + 1), *table);
    HEARTH_TRY(Mapping mapping, read_mapping(reader, plan.mappings.size()));
    if (!names.insert(mapping.name).second) {
      return wrong_shape(file, item, "mapping",
                         fmt::format("two mappings are named '{}'", mapping.name));
    }
    plan.mappings.push_back(std::move(mapping));
  }
  return {};
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

Result<WarmPlan> parse_mapping(std::string_view text, std::string_view file) {
  if (const auto line = line_of_stray_byte(text)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{}:{}: only strings and comments may have characters beyond ASCII; "
                            "put quotes around it",
                            file, *line));
  }
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const auto& error = parsed.error();
    return fail(ErrorCode::kInvalid,
                fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  const toml::table& root = parsed.table();
  TableReader top(file, "", root);
  WarmPlan plan;
  HEARTH_TRY_VOID(read_section(root, top, file, "source", [&](TableReader& in) {
    assign(plan.source_url, in.text("url"));
    return in.finish();
  }));
  HEARTH_TRY_VOID(read_section(root, top, file, "target",
                               [&](TableReader& in) { return read_target(in, plan.target); }));
  HEARTH_TRY_VOID(read_section(root, top, file, "errors",
                               [&](TableReader& in) { return read_errors(in, plan.errors); }));
  HEARTH_TRY_VOID(read_mappings(top, file, plan));
  HEARTH_TRY_VOID(top.finish());
  return plan;
}

}  // namespace hearth::warm
