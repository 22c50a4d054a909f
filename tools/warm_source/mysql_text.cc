#include "tools/warm_source/mysql_text.h"

#include <algorithm>

namespace hearth::warm {
namespace {

constexpr char kNameMark = '`';
constexpr std::size_t kNameBytesMax = 64 * 4;

void skip_sql_blanks(std::string_view& sql) {
  for (;;) {
    while (!sql.empty() && (sql[0] == ' ' || sql[0] == '\t' || sql[0] == '\n' || sql[0] == '\r'))
      sql.remove_prefix(1);
    std::size_t end = 0;
    if (sql.starts_with("/*")) {
      end = sql.find("*/");
      if (end != std::string_view::npos) end += 2;
    } else if (sql.starts_with("#") || sql.starts_with("-- ")) {
      end = sql.find('\n');
    } else {
      return;
    }
    sql.remove_prefix(std::min(end, sql.size()));
  }
}

std::string take_sql_word(std::string_view& sql) {
  skip_sql_blanks(sql);
  std::string word;
  while (!sql.empty() && ((sql[0] | 0x20) >= 'a' && (sql[0] | 0x20) <= 'z') && word.size() < 32) {
    word += static_cast<char>(sql[0] & ~0x20);
    sql.remove_prefix(1);
  }
  return word;
}

std::string take_sql_name(std::string_view& sql) {
  skip_sql_blanks(sql);
  std::string name;
  const bool is_quoted = !sql.empty() && sql[0] == kNameMark;
  if (is_quoted) sql.remove_prefix(1);
  while (!sql.empty() && name.size() <= kNameBytesMax) {
    const char c = sql[0];
    if (is_quoted && c == kNameMark) {
      sql.remove_prefix(1);
      if (sql.empty() || sql[0] != kNameMark) break;
    } else if (!is_quoted && (c == '.' || c == ';' || c == ' ' || c == '\n' || c == '\t')) {
      break;
    }
    name += sql[0];
    sql.remove_prefix(1);
  }
  return name;
}

}  // namespace

std::vector<std::string> names_of_my_type(std::string_view type) {
  std::vector<std::string> names;
  if (!type.starts_with("enum(") && !type.starts_with("set(")) return names;
  for (std::size_t i = type.find('\''); i < type.size(); ++i) {
    if (type[i] != '\'') continue;
    std::string name;
    for (++i; i < type.size(); ++i) {
      if (type[i] == '\'') {
        if (i + 1 >= type.size() || type[i + 1] != '\'') break;
        ++i;
      }
      name += type[i];
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::string first_sql_word(std::string_view statement) { return take_sql_word(statement); }

std::optional<MyTableName> truncated_my_table(std::string_view statement, std::string_view schema) {
  if (take_sql_word(statement) != "TRUNCATE") return std::nullopt;
  std::string_view rest = statement;
  if (take_sql_word(rest) == "TABLE") statement = rest;
  MyTableName out{std::string(schema), take_sql_name(statement)};
  if (statement.starts_with(".")) {
    statement.remove_prefix(1);
    out.schema = std::move(out.name);
    out.name = take_sql_name(statement);
  }
  return out;
}

}  // namespace hearth::warm
