// Names and texts as they stand in SQL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/selection.h"

namespace hearth::warm {

// A name in quotes: '"' for standard SQL, '`' for MySQL.
[[nodiscard]] std::string quoted_name(std::string_view name, char quote);

// The parts of "schema.table"; a part in double quotes may hold a '.', and "" for a '"' in it.
[[nodiscard]] std::vector<std::string> name_parts(std::string_view table);

// The same with each part quoted.
[[nodiscard]] std::string quoted_table(std::string_view table, char quote);

// A text in single quotes, with those in it doubled.
[[nodiscard]] std::string sql_string(std::string_view text);

// Without blanks, ';' and comments behind its end.
[[nodiscard]] std::string_view trimmed_query(std::string_view sql);

// Whether the text is one condition that can stand between parentheses: quotes and parentheses end
// in it, and no statement does. Errors: kInvalid, saying what does not.
[[nodiscard]] Result<void> check_condition(std::string_view sql);

// "a", "b" in quotes, or "*" when there are none.
[[nodiscard]] std::string column_list(const std::vector<std::string>& columns, char quote);

// `SELECT columns FROM from WHERE (where) AND (condition) ORDER BY order` of a table selection. The
// conditions end with a line of their own, so that a comment in them ends there too.
[[nodiscard]] std::string select_text(const Selection& selection, std::string_view columns,
                                      std::string_view from, std::string_view condition,
                                      char quote);

// The query of a selection as it is, or, where columns ("*": all), a condition on its result, an
// order or a limit are wanted, a query around it.
[[nodiscard]] std::string query_text(const Selection& selection, std::string_view columns,
                                     std::string_view condition, char quote);

}  // namespace hearth::warm
