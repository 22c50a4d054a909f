// The tables that are followed, and the binary log, as the server describes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/warm_source/binlog.h"
#include "tools/warm_source/change_stream.h"
#include "tools/warm_source/mysql_connection.h"
#include "tools/warm_source/mysql_text.h"

namespace hearth::warm {

// A column of the table, in the order of the log.
struct MyLogColumn {
  std::optional<std::size_t> cell{};  // in the shape; nothing: SELECT * leaves it out
  BinlogValueForm form{};             // a kNull: its values are not readable
  bool is_virtual = false;            // the log may leave it out
};

struct MyTable {
  std::string schema;
  std::string name;
  TableShape shape;
  std::vector<MyLogColumn> columns;
};

// Errors: kInvalid (no such table, a view), kIo.
Result<MyTable> describe_my_table(MyConnection& connection, const std::string& table);

// The statements, with their reasons, that are missing to follow by the log. Errors: kIo.
Result<std::vector<std::string>> missing_for_my_follow(MyConnection& connection);

// Where the log ends.
struct MyLogEnd {
  std::string file;
  std::uint64_t offset = 0;
};
// Errors: kInvalid (not allowed), kIo.
Result<MyLogEnd> end_of_my_log(MyConnection& connection);
// The same at a moment when every snapshot shows all changes of `tables` up to there, which the end
// alone does not say: a change stands in the log before others see it. For that moment the tables
// are locked against writes; the lock waits for open transactions that wrote, at most two seconds a
// table.
// Errors: kInvalid (not allowed), kIo (also: they took too long).
Result<MyLogEnd> settled_end_of_my_log(MyConnection& connection,
                                       const std::vector<std::string>& tables);

}  // namespace hearth::warm
