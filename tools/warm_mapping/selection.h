// A selection: the rows to read from a database.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth::warm {

// A table (with columns and a condition), or a whole query. Exactly one of `table` and `sql` is
// set.
struct Selection {
  std::string table{};                 // "name" or "schema.name", each part "quoted" if it must be
  std::vector<std::string> columns{};  // of the table; empty: all
  std::string where{};                 // SQL condition on the table; empty: none
  std::vector<std::string> order{};    // columns of the result to sort by; empty: any order, or
                                       // that of `sql`
  std::string sql{};
  std::uint64_t limit = 0;  // so many rows at most; 0: all
};

}  // namespace hearth::warm
