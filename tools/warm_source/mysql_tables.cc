#include "tools/warm_source/mysql_tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "src/base/parse_number.h"
#include "tools/warm_source/mysql_rows.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr char kMyNameQuote = '`';

std::string my_text_at(const MyConnection::Texts& rows, std::size_t row, std::size_t column) {
  if (row >= rows.size() || column >= rows[row].size()) return "";
  return rows[row][column].value_or("");
}

std::string schema_literal(const std::vector<std::string>& parts) {
  return parts.size() > 1 ? my_text(parts[parts.size() - 2]) : "DATABASE()";
}

bool is_utf8_name(std::string_view charset) {
  return charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8" || charset == "ascii";
}

// Columns of the catalogue meet those of a query by their names.
void add_column(const MyConnection::Texts& rows, std::size_t at, const MyStatement& statement,
                MyTable& table) {
  const std::string name = my_text_at(rows, at, 0);
  const std::string charset = my_text_at(rows, at, 1);
  const std::string extra = my_text_at(rows, at, 3);
  const std::string type = my_text_at(rows, at, 4);
  MyLogColumn column;
  column.is_virtual = extra.find("VIRTUAL") != std::string::npos;
  const auto& columns = statement.columns();
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& one) { return one.name == name; });
  if (found != columns.end()) {
    column.cell = static_cast<std::size_t>(found - columns.begin());
    column.form.cell = statement.fields()[*column.cell].cell;
  }
  column.form.names = names_of_my_type(my_text_at(rows, at, 2));
  const bool has_own_form = type == "uuid" || type == "inet6" || type == "inet4";
  if (has_own_form || column.is_virtual || (!charset.empty() && !is_utf8_name(charset))) {
    column.form.cell = CellType::kNull;
    column.form.names.clear();
  }
  if (column.cell && column.form.cell == CellType::kNull) table.shape.readable[*column.cell] = 0;
  table.columns.push_back(std::move(column));
}

}  // namespace

Result<MyTable> describe_my_table(MyConnection& connection, const std::string& name) {
  const auto parts = name_parts(name);
  const std::string where = fmt::format("TABLE_SCHEMA = {} AND TABLE_NAME = {}",
                                        schema_literal(parts), my_text(parts.back()));
  HEARTH_TRY(const auto tables, connection.run("SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM "
                                               "information_schema.TABLES WHERE " +
                                               where));
  if (tables.empty() || my_text_at(tables, 0, 2) != "BASE TABLE") {
    return fail(ErrorCode::kInvalid,
                fmt::format("MySQL: there is no table {} whose changes could be followed", name));
  }
  MyTable table;
  table.schema = my_text_at(tables, 0, 0);
  table.name = my_text_at(tables, 0, 1);
  HEARTH_TRY(const auto statement,
             MyStatement::prepare(
                 connection, fmt::format("SELECT * FROM {}", quoted_table(name, kMyNameQuote))));
  table.shape.name = name;
  table.shape.columns = statement.columns();
  table.shape.in_old.assign(table.shape.columns.size(), 1);
  table.shape.readable.assign(table.shape.columns.size(), 1);
  table.shape.hint = "SET GLOBAL binlog_row_image = 'FULL';";
  HEARTH_TRY(const auto columns,
             connection.run("SELECT COLUMN_NAME, CHARACTER_SET_NAME, COLUMN_TYPE, EXTRA, DATA_TYPE "
                            "FROM information_schema.COLUMNS WHERE " +
                            where + " ORDER BY ORDINAL_POSITION"));
  for (std::size_t i = 0; i < columns.size(); ++i) add_column(columns, i, statement, table);
  HEARTH_TRY(const auto key,
             connection.run("SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE " + where +
                            " AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"));
  for (std::size_t i = 0; i < key.size(); ++i) {
    for (std::size_t c = 0; c < table.shape.columns.size(); ++c) {
      if (table.shape.columns[c].name == my_text_at(key, i, 0)) table.shape.row_key.push_back(c);
    }
  }
  return table;
}

Result<std::vector<std::string>> missing_for_my_follow(MyConnection& connection) {
  HEARTH_TRY(const auto facts,
             connection.run("SELECT CURRENT_USER(), @@global.log_bin, @@global.binlog_format, "
                            "@@global.binlog_row_image"));
  std::vector<std::string> missing;
  if (my_text_at(facts, 0, 1) != "1") {
    missing.emplace_back(
        "-- there is no log of changes; put this under [mysqld] of my.cnf and restart the "
        "server\nlog_bin = mysql-bin");
  }
  if (my_text_at(facts, 0, 2) != "ROW") {
    missing.emplace_back(
        "-- the log may have statements in place of rows; sessions that are open keep theirs\nSET "
        "GLOBAL binlog_format = 'ROW';");
  }
  if (my_text_at(facts, 0, 3) != "FULL") {
    missing.emplace_back("-- the log leaves columns out\nSET GLOBAL binlog_row_image = 'FULL';");
  }
  // Settings that only one of the servers has, and only its later versions.
  struct Setting {
    std::string_view name;
    std::string_view wanted;
    std::string_view statement;
  };
  static constexpr std::array<Setting, 3> kSettings = {
      {{"binlog_row_value_options", "",
        "-- the log has parts of JSON values\nSET GLOBAL binlog_row_value_options = '';"},
       {"binlog_transaction_compression", "OFF",
        "-- the log is compressed\nSET GLOBAL binlog_transaction_compression = OFF;"},
       {"log_bin_compress", "OFF",
        "-- the log is compressed\nSET GLOBAL log_bin_compress = OFF;"}}};
  HEARTH_TRY(const auto settings,
             connection.run("SHOW GLOBAL VARIABLES WHERE Variable_name IN "
                            "('binlog_row_value_options', 'binlog_transaction_compression', "
                            "'log_bin_compress')"));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    for (const auto& setting : kSettings) {
      if (equals_ignore_case(my_text_at(settings, i, 0), setting.name) &&
          my_text_at(settings, i, 1) != setting.wanted)
        missing.emplace_back(setting.statement);
    }
  }
  HEARTH_TRY(const auto grants, connection.run("SHOW GRANTS"));
  bool may_replicate = false;
  bool may_look = false;
  for (std::size_t i = 0; i < grants.size(); ++i) {
    const std::string grant = my_text_at(grants, i, 0);
    if (grant.find(" ON *.*") == std::string::npos) continue;
    const bool has_all = grant.starts_with("GRANT ALL PRIVILEGES");
    may_replicate |= has_all || grant.find("REPLICATION SLAVE") != std::string::npos;
    may_look |= has_all || grant.find("BINLOG MONITOR") != std::string::npos ||
                grant.find("REPLICATION CLIENT") != std::string::npos;
  }
  if (!may_replicate || !may_look) {
    const std::string user = my_text_at(facts, 0, 0);
    const auto at = std::min(user.rfind('@'), user.size());
    missing.push_back(fmt::format(
        "-- the user may not read the log\nGRANT REPLICATION SLAVE, {} ON *.* TO {}@{};",
        connection.is_mariadb() ? "BINLOG MONITOR" : "REPLICATION CLIENT",
        sql_string(user.substr(0, at)), sql_string(at < user.size() ? user.substr(at + 1) : "%")));
  }
  return missing;
}

Result<MyLogEnd> end_of_my_log(MyConnection& connection) {
  auto rows = connection.run("SHOW MASTER STATUS");
  // The name that it has since MySQL 8.2; the other one is gone since 8.4.
  if (!rows) rows = connection.run("SHOW BINARY LOG STATUS");
  if (!rows) return unexpected<Error>(rows.error());
  const auto offset = parse_uint64(my_text_at(*rows, 0, 1));
  if (!offset) return fail(ErrorCode::kInvalid, "MySQL: there is no binary log");
  return MyLogEnd{my_text_at(*rows, 0, 0), *offset};
}

Result<MyLogEnd> settled_end_of_my_log(MyConnection& connection,
                                       const std::vector<std::string>& tables) {
  std::string locks;
  for (const auto& table : tables)
    locks += (locks.empty() ? "" : ", ") + quoted_table(table, kMyNameQuote) + " READ";
  // Without autocommit InnoDB locks the tables too, against transactions that are being committed.
  auto end = [&]() -> Result<MyLogEnd> {
    HEARTH_TRY_VOID(connection.run(
        "SET SESSION autocommit = 0, lock_wait_timeout = 2, innodb_lock_wait_timeout = 2"));
    HEARTH_TRY_VOID(connection.run("LOCK TABLES " + locks));
    return end_of_my_log(connection);
  }();
  for (const char* undo : {"ROLLBACK", "UNLOCK TABLES",
                           "SET SESSION autocommit = 1, lock_wait_timeout = DEFAULT, "
                           "innodb_lock_wait_timeout = DEFAULT"}) {
    if (auto undone = connection.run(undo); !undone) return unexpected<Error>(undone.error());
  }
  return end;
}

}  // namespace hearth::warm
