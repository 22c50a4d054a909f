// Texts of MariaDB that are looked into: types of the catalogue and statements of the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::warm {

// The names of an ENUM or SET type: "enum('a','it''s')". Nothing for another type.
[[nodiscard]] std::vector<std::string> names_of_my_type(std::string_view type);

// The table that a TRUNCATE names, with the schema that it names or `schema`; nothing for another
// statement.
struct MyTableName {
  std::string schema;
  std::string name;
};
[[nodiscard]] std::optional<MyTableName> truncated_my_table(std::string_view statement,
                                                            std::string_view schema);
// The first word of a statement, in capitals; comments in front are passed over.
[[nodiscard]] std::string first_sql_word(std::string_view statement);

}  // namespace hearth::warm
