#include "tools/cache_warm/source_sqlite.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

Result<Statement> prepare(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()) + 1, &raw, &rest);
  Statement statement(raw);
  if (code != SQLITE_OK)
    return fail(ErrorCode::kInvalid, fmt::format("{} in: {}", sqlite3_errmsg(db), sql));
  if (!statement) return fail(ErrorCode::kInvalid, fmt::format("no statement in: '{}'", sql));
  if (sqlite3_stmt_readonly(raw) == 0)
    return fail(ErrorCode::kInvalid, fmt::format("not a query: {}", sql));
  if (std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, fmt::format("more than one statement: {}", sql));
  }
  return statement;
}

std::string select_text(const Selection& selection, const Partition& part) {
  if (!selection.sql.empty()) return selection.sql;
  std::string columns;
  for (const auto& name : selection.columns)
    columns += (columns.empty() ? "" : ", ") + quoted(name);
  std::string sql =
      fmt::format("SELECT {} FROM {}", columns.empty() ? "*" : columns, quoted(selection.table));
  if (!selection.where.empty()) sql += fmt::format(" WHERE ({})", selection.where);
  if (!part.condition.empty())
    sql += fmt::format("{}({})", selection.where.empty() ? " WHERE " : " AND ", part.condition);
  return sql;
}

class SqliteStream final : public RowStream {
 public:
  SqliteStream(sqlite3* db, Statement statement, bool is_utf8)
      : db_(db), statement_(std::move(statement)), is_utf8_(is_utf8) {
    const int count = sqlite3_column_count(statement_.get());
    cells_.resize(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      const char* name = sqlite3_column_name(statement_.get(), i);
      const char* type = sqlite3_column_decltype(statement_.get(), i);
      const bool json = type != nullptr &&
                        (equals_ignore_case(type, "json") || equals_ignore_case(type, "jsonb"));
      columns_.push_back({name == nullptr ? "" : name, json});
    }
  }

  [[nodiscard]] const std::vector<Column>& columns() const override { return columns_; }

  Result<std::optional<Row>> next() override {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_DONE) return std::optional<Row>{};
    if (code != SQLITE_ROW)
      return fail(ErrorCode::kIo, fmt::format("SQLite: {}", sqlite3_errmsg(db_)));
    for (std::size_t i = 0; i < cells_.size(); ++i) read_cell(static_cast<int>(i), cells_[i]);
    return std::optional<Row>(Row(cells_));
  }

 private:
  void read_cell(int index, Cell& cell) {
    // One look-up for all questions about the value. Values may be used so because the connection
    // has no mutex and one thread: SQLite then makes no difference between protected and
    // unprotected values.
    sqlite3_value* value = sqlite3_column_value(statement_.get(), index);
    switch (sqlite3_value_type(value)) {
      case SQLITE_INTEGER:
        cell.type = CellType::kInteger;
        cell.integer = sqlite3_value_int64(value);
        return;
      case SQLITE_FLOAT:
        cell.type = CellType::kReal;
        cell.real = sqlite3_value_double(value);
        return;
      case SQLITE_TEXT: {
        cell.type = CellType::kText;
        // In a UTF-8 database the bytes of a text are the text; asking for them as a blob spares
        // the copy that adds a terminating zero.
        const void* bytes = is_utf8_ ? sqlite3_value_blob(value)
                                     : static_cast<const void*>(sqlite3_value_text(value));
        cell.bytes = {static_cast<const char*>(bytes),
                      static_cast<std::size_t>(sqlite3_value_bytes(value))};
        return;
      }
      case SQLITE_BLOB: {
        cell.type = CellType::kBlob;
        const void* bytes = sqlite3_value_blob(value);
        cell.bytes = {static_cast<const char*>(bytes),
                      static_cast<std::size_t>(sqlite3_value_bytes(value))};
        return;
      }
      default: cell.type = CellType::kNull;
    }
  }

  sqlite3* db_;
  Statement statement_;
  bool is_utf8_;
  std::vector<Column> columns_;
  std::vector<Cell> cells_;
};

class SqliteSource final : public Source {
 public:
  SqliteSource(Database db, bool is_utf8) : db_(std::move(db)), is_utf8_(is_utf8) {}

  Result<std::unique_ptr<RowStream>> open(const Selection& selection,
                                          const Partition& part) override {
    HEARTH_TRY(Statement statement, prepare(db_.get(), select_text(selection, part)));
    return std::unique_ptr<RowStream>(
        std::make_unique<SqliteStream>(db_.get(), std::move(statement), is_utf8_));
  }

  Result<std::vector<Partition>> partitions(const Selection& selection, int wanted) override {
    const auto range = rowid_range(selection);
    if (wanted <= 1 || !range) return std::vector<Partition>(1);
    const auto [first, last] = *range;
    const auto rows = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) + 1;
    const auto parts = std::clamp<std::uint64_t>(rows, 1, static_cast<std::uint64_t>(wanted));
    std::vector<Partition> result;
    std::int64_t from = first;
    for (std::uint64_t i = 1; i <= parts; ++i) {
      // The outer ranges are open, so that no row can fall outside of all of them.
      const auto to =
          static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + rows / parts * i);
      std::string condition = i == 1 ? "" : fmt::format("rowid >= {}", from);
      if (i < parts) condition += fmt::format("{}rowid < {}", condition.empty() ? "" : " AND ", to);
      result.push_back({std::move(condition)});
      from = to;
    }
    return result;
  }

  Result<std::optional<std::uint64_t>> estimate_rows(const Selection& selection) override {
    if (!selection.where.empty()) return std::optional<std::uint64_t>{};
    const auto range = rowid_range(selection);
    if (!range) return std::optional<std::uint64_t>{};
    return std::optional<std::uint64_t>(static_cast<std::uint64_t>(range->second) -
                                        static_cast<std::uint64_t>(range->first) + 1);
  }

 private:
  // Two look-ups in the table's tree. Nothing for an empty table and for what has no rowid.
  std::optional<std::pair<std::int64_t, std::int64_t>> rowid_range(const Selection& selection) {
    if (selection.table.empty()) return std::nullopt;
    auto statement = prepare(
        db_.get(), fmt::format("SELECT (SELECT min(rowid) FROM {0}), (SELECT max(rowid) FROM {0})",
                               quoted(selection.table)));
    if (!statement || sqlite3_step(statement->get()) != SQLITE_ROW) return std::nullopt;
    if (sqlite3_column_type(statement->get(), 0) != SQLITE_INTEGER) return std::nullopt;
    return std::pair{sqlite3_column_int64(statement->get(), 0),
                     sqlite3_column_int64(statement->get(), 1)};
  }

  Database db_;
  bool is_utf8_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_sqlite(const std::string& path) {
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  if (code != SQLITE_OK) {
    return fail(ErrorCode::kIo,
                fmt::format("{}: {}", path, db ? sqlite3_errmsg(db.get()) : "out of memory"));
  }
  sqlite3_busy_timeout(db.get(), 5'000);
  char* message = nullptr;
  // The first read of the file; a file that is no database fails here.
  if (sqlite3_exec(db.get(), "BEGIN; SELECT count(*) FROM sqlite_master", nullptr, nullptr,
                   &message) != SQLITE_OK) {
    std::string text = fmt::format("{}: {}", path, message == nullptr ? "cannot be read" : message);
    sqlite3_free(message);
    return fail(ErrorCode::kIo, std::move(text));
  }
  HEARTH_TRY(const Statement encoding, prepare(db.get(), "PRAGMA encoding"));
  bool is_utf8 = false;
  if (sqlite3_step(encoding.get()) == SQLITE_ROW) {
    const void* name = sqlite3_column_blob(encoding.get(), 0);
    is_utf8 = std::string_view(static_cast<const char*>(name),
                               static_cast<std::size_t>(sqlite3_column_bytes(encoding.get(), 0))) ==
              "UTF-8";
  }
  return std::unique_ptr<Source>(std::make_unique<SqliteSource>(std::move(db), is_utf8));
}

}  // namespace hearth::warm
