#include "tools/warm_source/sql_text.h"

#include <fmt/core.h>

namespace hearth::warm {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

// Where the thing that begins at `at` ends: a quoted text, a comment, a dollar-quoted text, or one
// character. Sets `is_code` to whether it is part of the statement.
std::size_t skip_token(std::string_view sql, std::size_t at, bool& is_code) {
  const char c = sql[at];
  is_code = true;
  const auto after = [&](std::string_view mark, std::size_t from) {
    const auto found = sql.find(mark, from);
    return found == std::string_view::npos ? sql.size() : found + mark.size();
  };
  if (c == '\'' || c == '"' || c == '`') return after({&c, 1}, at + 1);
  const std::string_view two = sql.substr(at, 2);
  if (two == "--" || two == "/*") {
    is_code = false;
    return two == "--" ? after("\n", at) : after("*/", at + 2);
  }
  if (c == '$') {
    const auto close = sql.find('$', at + 1);
    const std::string_view tag =
        close == std::string_view::npos ? "" : sql.substr(at, close - at + 1);
    const bool is_tag = !tag.empty() &&
                        tag.find_first_of(" \t\r\n;(),") == std::string_view::npos &&
                        (tag.size() == 2 || tag[1] < '0' || tag[1] > '9');
    if (is_tag && sql.find(tag, close + 1) != std::string_view::npos) return after(tag, close + 1);
  }
  is_code = !is_blank(c) && c != ';';
  return at + 1;
}

}  // namespace

std::string quoted_name(std::string_view name, char quote) {
  std::string out(1, quote);
  for (const char c : name) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

std::vector<std::string> name_parts(std::string_view table) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i] == '.' && !parts.back().empty()) {
      parts.emplace_back();
    } else if (table[i] == '"' && parts.back().empty()) {
      for (++i; i < table.size(); ++i) {
        if (table[i] == '"') {
          if (i + 1 >= table.size() || table[i + 1] != '"') break;
          ++i;
        }
        parts.back() += table[i];
      }
    } else {
      parts.back() += table[i];
    }
  }
  return parts;
}

std::string quoted_table(std::string_view table, char quote) {
  std::string out;
  for (const auto& part : name_parts(table)) {
    if (!out.empty()) out += '.';
    out += quoted_name(part, quote);
  }
  return out;
}

std::string sql_string(std::string_view text) { return quoted_name(text, '\''); }

std::string_view trimmed_query(std::string_view sql) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < sql.size();) {
    bool is_code = false;
    at = skip_token(sql, at, is_code);
    if (is_code) end = at;
  }
  return sql.substr(0, end);
}

Result<void> check_condition(std::string_view sql) {
  int depth = 0;
  bool is_empty = true;
  for (std::size_t at = 0; at < sql.size();) {
    const char c = sql[at];
    bool is_code = false;
    const std::size_t next = skip_token(sql, at, is_code);
    const bool is_quoted = c == '\'' || c == '"' || c == '`';
    if (is_quoted && (next == at + 1 || sql[next - 1] != c))
      return fail(ErrorCode::kInvalid, "a quote does not end");
    if (sql.substr(at, 2) == "/*" && !sql.substr(at, next - at).ends_with("*/"))
      return fail(ErrorCode::kInvalid, "a comment does not end");
    if (c == ';') return fail(ErrorCode::kInvalid, "';' ends a statement");
    if (c == '(') ++depth;
    if (c == ')' && --depth < 0) return fail(ErrorCode::kInvalid, "')' without '('");
    is_empty = is_empty && !is_code;
    at = next;
  }
  if (depth > 0) return fail(ErrorCode::kInvalid, "'(' without ')'");
  if (is_empty) return fail(ErrorCode::kInvalid, "it is empty");
  return {};
}

std::string column_list(const std::vector<std::string>& columns, char quote) {
  std::string out;
  for (const auto& name : columns) out += (out.empty() ? "" : ", ") + quoted_name(name, quote);
  return out.empty() ? "*" : out;
}

std::string select_text(const Selection& selection, std::string_view columns, std::string_view from,
                        std::string_view condition, char quote) {
  std::string sql = fmt::format("SELECT {} FROM {}", columns, from);
  if (!selection.where.empty()) sql += fmt::format(" WHERE ({}\n)", selection.where);
  if (!condition.empty())
    sql += fmt::format("{}({})", selection.where.empty() ? " WHERE " : " AND ", condition);
  if (!selection.order.empty()) sql += " ORDER BY " + column_list(selection.order, quote);
  if (selection.limit > 0) sql += fmt::format(" LIMIT {}", selection.limit);
  return sql;
}

std::string query_text(const Selection& selection, std::string_view columns,
                       std::string_view condition, char quote) {
  const std::string query(trimmed_query(selection.sql));
  const bool is_plain = columns == "*" && condition.empty() && selection.order.empty();
  if (is_plain && selection.limit == 0) return query;
  return select_text(selection, columns, fmt::format("({}\n) AS q", query), condition, quote);
}

}  // namespace hearth::warm
