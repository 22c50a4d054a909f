// The tables that are followed, and the binary log, as MariaDB describes them.
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

// The statements, with their reasons, that are missing to follow by the log. Errors: kUnsupported
// (MySQL), kIo.
Result<std::vector<std::string>> missing_for_my_follow(MyConnection& connection);

}  // namespace hearth::warm
