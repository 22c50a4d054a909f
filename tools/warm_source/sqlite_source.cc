#include "tools/warm_source/sqlite_source.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "src/base/parse_number.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr char kSqliteQuote = '"';
constexpr int kBusyTimeoutMs = 5'000;
// Instructions of SQLite's machine between two looks at the interrupt flag: about a millisecond.
constexpr int kStepsPerLook = 20'000;
// How often several connections are tried to see one state of a file that others write to.
constexpr int kSameStateTries = 5;
// Ranges of rowid are even; where rows are few and far between there shall not be too many.
constexpr std::uint64_t kRangesMax = 4'096;

struct CloseSqlite {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using SqliteHandle = std::unique_ptr<sqlite3, CloseSqlite>;
using SqliteStatement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

unexpected<Error> sqlite_failure(sqlite3* db, int code, ErrorCode otherwise, std::string context) {
  if ((code & 0xff) == SQLITE_INTERRUPT) return fail(ErrorCode::kBusy, "interrupted");
  return fail(otherwise, fmt::format("SQLite: {}{}", sqlite3_errmsg(db), context));
}

Result<SqliteStatement> prepare_sqlite(sqlite3* db, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &raw, &rest);
  SqliteStatement statement(raw);
  if (code != SQLITE_OK)
    return sqlite_failure(db, code, ErrorCode::kInvalid, fmt::format(" in: {}", sql));
  if (!statement) return fail(ErrorCode::kInvalid, fmt::format("no statement in: '{}'", sql));
  if (sqlite3_stmt_readonly(raw) == 0)
    return fail(ErrorCode::kInvalid, fmt::format("not a query: {}", sql));
  const auto used = static_cast<std::size_t>(rest - sql.data());
  if (!trimmed_query(sql.substr(used)).empty())
    return fail(ErrorCode::kInvalid, fmt::format("more than one statement: {}", sql));
  return statement;
}

std::vector<Column> columns_of(sqlite3_stmt* statement) {
  std::vector<Column> columns;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    const char* name = sqlite3_column_name(statement, i);
    const char* type = sqlite3_column_decltype(statement, i);
    Column column;
    column.name = name == nullptr ? "" : name;
    column.source_type = type == nullptr ? "" : type;
    column.holds_json = equals_ignore_case(column.source_type, "json") ||
                        equals_ignore_case(column.source_type, "jsonb");
    columns.push_back(std::move(column));
  }
  return columns;
}

class SqliteStream final : public RowStream {
 public:
  SqliteStream(sqlite3* db, SqliteStatement statement, bool is_utf8)
      : db_(db),
        statement_(std::move(statement)),
        is_utf8_(is_utf8),
        columns_(columns_of(statement_.get())),
        cells_(columns_.size()) {}

  [[nodiscard]] const std::vector<Column>& columns() const override { return columns_; }

  Result<std::optional<Row>> next() override {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_DONE) return std::optional<Row>{};
    if (code != SQLITE_ROW) return sqlite_failure(db_, code, ErrorCode::kIo, "");
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
        cell.type = CellType::kBytes;
        const void* bytes = sqlite3_value_blob(value);
        cell.bytes = {static_cast<const char*>(bytes),
                      static_cast<std::size_t>(sqlite3_value_bytes(value))};
        return;
      }
      default: cell.type = CellType::kNull;
    }
  }

  sqlite3* db_;
  SqliteStatement statement_;
  bool is_utf8_;
  std::vector<Column> columns_;
  std::vector<Cell> cells_;
};

std::string condition_of(const Chunk& chunk, std::string_view rowid,
                         const std::vector<std::string>& key) {
  std::string condition;
  const auto also = [&](std::string text) {
    condition += (condition.empty() ? "" : " AND ") + std::move(text);
  };
  if (chunk.kind == Chunk::Kind::kKeys) {
    for (const auto& values : chunk.keys) {
      std::string one;
      for (std::size_t i = 0; i < std::min(values.size(), key.size()); ++i) {
        one += fmt::format("{}{} = {}", one.empty() ? "" : " AND ",
                           quoted_name(key[i], kSqliteQuote), sql_string(values[i]));
      }
      condition += (condition.empty() ? "(" : " OR (") + one + ")";
    }
    return condition;
  }
  if (chunk.from) also(fmt::format("{} >= {}", rowid, chunk.from->integer));
  if (chunk.to) also(fmt::format("{} < {}", rowid, chunk.to->integer));
  return condition;
}

// One open file. The two kinds of use, the source's own and a reader's, share what it knows.
class SqliteConnection {
 public:
  static Result<SqliteConnection> open(const SourceUrl& url, const SourceOptions& options);

  Result<SqliteStatement> prepare(const Selection& selection, const Chunk& chunk) const {
    if (!selection.sql.empty()) {
      const std::string condition =
          chunk.columns.empty() ? "" : condition_of(chunk, "", chunk.columns);
      return prepare_sqlite(db_.get(), query_text(selection, "*", condition, kSqliteQuote));
    }
    std::string rowid;
    std::vector<std::string> key;
    if (chunk.kind == Chunk::Kind::kRange) rowid = rowid_name(selection).value_or("rowid");
    if (chunk.kind == Chunk::Kind::kKeys)
      key = chunk.columns.empty() ? primary_key(selection) : chunk.columns;
    return prepare_sqlite(db_.get(),
                          select_text(selection, column_list(selection.columns, kSqliteQuote),
                                      quoted_table(selection.table, kSqliteQuote),
                                      condition_of(chunk, rowid, key), kSqliteQuote));
  }

  // The columns of the primary key; of a table without one the rowid has no name to ask by.
  [[nodiscard]] std::vector<std::string> primary_key(const Selection& selection) const;
  // A name of the rowid that no column of the table hides; nothing for a view and for a table
  // WITHOUT ROWID.
  [[nodiscard]] std::optional<std::string> rowid_name(const Selection& selection) const;
  // Two look-ups in the table's tree. Nothing for an empty table and for what has no rowid.
  [[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> rowid_range(
      const Selection& selection) const;

  [[nodiscard]] sqlite3* db() const { return db_.get(); }
  [[nodiscard]] bool is_utf8() const { return is_utf8_; }

 private:
  [[nodiscard]] std::string table_info(const Selection& selection) const;

  SqliteHandle db_;
  bool is_utf8_ = true;
};

std::string column_text(sqlite3_stmt* statement, int index) {
  const unsigned char* text = sqlite3_column_text(statement, index);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
  return text == nullptr ? "" : std::string(reinterpret_cast<const char*>(text), size);
}

std::string SqliteConnection::table_info(const Selection& selection) const {
  const auto parts = name_parts(selection.table);
  const std::string schema = parts.size() > 1 ? quoted_name(parts[0], kSqliteQuote) + "." : "";
  return fmt::format("PRAGMA {}table_info({})", schema, quoted_name(parts.back(), kSqliteQuote));
}

std::vector<std::string> SqliteConnection::primary_key(const Selection& selection) const {
  std::vector<std::pair<int, std::string>> found;
  if (selection.table.empty()) return {};
  auto statement = prepare_sqlite(db_.get(), table_info(selection));
  while (statement && sqlite3_step(statement->get()) == SQLITE_ROW) {
    const int place = sqlite3_column_int(statement->get(), 5);
    if (place > 0) found.emplace_back(place, column_text(statement->get(), 1));
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& [place, name] : found) names.push_back(std::move(name));
  return names;
}

std::optional<std::string> SqliteConnection::rowid_name(const Selection& selection) const {
  if (selection.table.empty()) return std::nullopt;
  std::vector<std::string> columns;
  auto info = prepare_sqlite(db_.get(), table_info(selection));
  while (info && sqlite3_step(info->get()) == SQLITE_ROW)
    columns.push_back(lower_case(column_text(info->get(), 1)));
  for (const char* name : {"rowid", "_rowid_", "oid"}) {
    if (std::find(columns.begin(), columns.end(), name) != columns.end()) continue;
    // A view has no rowid that means a place.
    const auto parts = name_parts(selection.table);
    auto kind = prepare_sqlite(
        db_.get(), fmt::format("SELECT type FROM {}sqlite_master WHERE lower(name) = lower({})",
                               parts.size() > 1 ? quoted_name(parts[0], kSqliteQuote) + "." : "",
                               sql_string(parts.back())));
    if (!kind || sqlite3_step(kind->get()) != SQLITE_ROW || column_text(kind->get(), 0) != "table")
      return std::nullopt;
    auto probe = prepare_sqlite(
        db_.get(),
        fmt::format("SELECT {} FROM {}", name, quoted_table(selection.table, kSqliteQuote)));
    return probe ? std::optional<std::string>(name) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::pair<std::int64_t, std::int64_t>> SqliteConnection::rowid_range(
    const Selection& selection) const {
  const auto rowid = rowid_name(selection);
  if (!rowid) return std::nullopt;
  auto statement = prepare_sqlite(
      db_.get(), fmt::format("SELECT (SELECT min({0}) FROM {1}), (SELECT max({0}) FROM {1})",
                             *rowid, quoted_table(selection.table, kSqliteQuote)));
  if (!statement || sqlite3_step(statement->get()) != SQLITE_ROW) return std::nullopt;
  if (sqlite3_column_type(statement->get(), 0) != SQLITE_INTEGER) return std::nullopt;
  return std::pair{sqlite3_column_int64(statement->get(), 0),
                   sqlite3_column_int64(statement->get(), 1)};
}

std::string hint_for(int code) {
  switch (code & 0xff) {
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return "; a database in WAL mode, or one whose last writer crashed, needs a folder that may "
             "be written to; if nobody writes to it, add ?immutable=1 to the URL";
    default: return "";
  }
}

int sqlite_is_interrupted(void* flag) {
  return static_cast<const std::atomic<bool>*>(flag)->load(std::memory_order_relaxed) ? 1 : 0;
}

Result<SqliteConnection> SqliteConnection::open(const SourceUrl& url,
                                                const SourceOptions& options) {
  SqliteConnection connection;
  std::string name = url.path;
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
  if (url.options.contains("immutable")) {
    name = "file:" + percent_encoded(url.path) + "?immutable=1";
    flags |= SQLITE_OPEN_URI;
  }
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(name.c_str(), &raw, flags, nullptr);
  connection.db_.reset(raw);
  const auto failed = [&](int code) {
    return fail(ErrorCode::kIo, fmt::format("{}: {}{}", url.path,
                                            raw == nullptr ? "out of memory" : sqlite3_errmsg(raw),
                                            hint_for(code)));
  };
  if (opened != SQLITE_OK) return failed(opened);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  // A name that is no column is an error then, not a text.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  if (options.interrupt != nullptr) {
    sqlite3_progress_handler(raw, kStepsPerLook, sqlite_is_interrupted,
                             const_cast<std::atomic<bool>*>(options.interrupt));
  }
  // The first read of the file; a file that is no database fails here.
  const char* begin = options.consistent ? "BEGIN; SELECT count(*) FROM sqlite_master"
                                         : "SELECT count(*) FROM sqlite_master";
  if (const int code = sqlite3_exec(raw, begin, nullptr, nullptr, nullptr); code != SQLITE_OK)
    return failed(code);
  HEARTH_TRY(const SqliteStatement encoding, prepare_sqlite(raw, "PRAGMA encoding"));
  if (sqlite3_step(encoding.get()) == SQLITE_ROW)
    connection.is_utf8_ = column_text(encoding.get(), 0) == "UTF-8";
  return connection;
}

// A connection in a read transaction, and whether a reader has it.
struct SqliteSeat {
  explicit SqliteSeat(SqliteConnection opened) : connection(std::move(opened)) {}
  SqliteConnection connection;
  std::atomic<bool> is_taken{false};
};

// Changes of the file that others have made, as this connection sees them.
Result<std::int64_t> data_version(const SqliteConnection& connection) {
  HEARTH_TRY(const SqliteStatement statement,
             prepare_sqlite(connection.db(), "PRAGMA data_version"));
  const int code = sqlite3_step(statement.get());
  if (code != SQLITE_ROW) return sqlite_failure(connection.db(), code, ErrorCode::kIo, "");
  return sqlite3_column_int64(statement.get(), 0);
}

// As many connections as readers are wanted, all in one state of the data: nobody has committed
// between the first and the last of them. One, if others write all the time.
Result<std::vector<std::unique_ptr<SqliteSeat>>> open_seats(const SourceUrl& url,
                                                            const SourceOptions& options) {
  SourceOptions watching = options;
  watching.consistent = false;
  HEARTH_TRY(const SqliteConnection watch, SqliteConnection::open(url, watching));
  std::vector<std::unique_ptr<SqliteSeat>> seats;
  for (int tries = 0; tries < kSameStateTries; ++tries) {
    seats.clear();
    HEARTH_TRY(const std::int64_t before, data_version(watch));
    for (int i = 0; i < std::max(1, options.readers); ++i) {
      HEARTH_TRY(auto connection, SqliteConnection::open(url, options));
      seats.push_back(std::make_unique<SqliteSeat>(std::move(connection)));
    }
    HEARTH_TRY(const std::int64_t after, data_version(watch));
    if (before == after) return seats;
  }
  seats.resize(1);
  return seats;
}

class SqliteReader final : public Reader {
 public:
  // Has a seat of the source, or a connection of its own.
  explicit SqliteReader(SqliteSeat& seat) : seat_(&seat), connection_(&seat.connection) {
    seat_->is_taken = true;
  }
  explicit SqliteReader(std::unique_ptr<SqliteConnection> own)
      : own_(std::move(own)), connection_(own_.get()) {}
  ~SqliteReader() override {
    if (seat_ != nullptr) seat_->is_taken = false;
  }
  SqliteReader(const SqliteReader&) = delete;
  SqliteReader& operator=(const SqliteReader&) = delete;

  Result<std::unique_ptr<RowStream>> open(const Selection& selection, const Chunk& chunk) override {
    HEARTH_TRY(SqliteStatement statement, connection_->prepare(selection, chunk));
    return std::unique_ptr<RowStream>(std::make_unique<SqliteStream>(
        connection_->db(), std::move(statement), connection_->is_utf8()));
  }

 private:
  std::unique_ptr<SqliteConnection> own_;
  SqliteSeat* seat_ = nullptr;
  const SqliteConnection* connection_;
};

class SqliteSource final : public Source {
 public:
  SqliteSource(SourceUrl url, SourceOptions options, std::vector<std::unique_ptr<SqliteSeat>> seats)
      : url_(std::move(url)),
        options_(std::move(options)),
        seats_(std::move(seats)),
        connection_(seats_.front()->connection) {}

  Result<SelectionShape> describe(const Selection& selection) override {
    HEARTH_TRY(const SqliteStatement statement, connection_.prepare(selection, {}));
    SelectionShape shape;
    shape.columns = columns_of(statement.get());
    shape.key = connection_.primary_key(selection);
    if (selection.where.empty()) {
      if (const auto range = connection_.rowid_range(selection))
        shape.rows = rows_in(range->first, range->second);
    }
    return shape;
  }

  Result<std::vector<Chunk>> plan(const Selection& selection, std::uint64_t rows_wanted) override {
    const auto range = selection.order.empty() ? connection_.rowid_range(selection) : std::nullopt;
    if (!range) return std::vector<Chunk>(1);
    const std::uint64_t rows = rows_in(range->first, range->second);
    const auto parts =
        std::clamp<std::uint64_t>(rows / std::max<std::uint64_t>(rows_wanted, 1), 1, kRangesMax);
    std::vector<Chunk> chunks;
    for (std::uint64_t i = 0; i < parts; ++i) {
      const auto at = [&](std::uint64_t part) {
        return Bound{Bound::Type::kInteger,
                     static_cast<std::int64_t>(static_cast<std::uint64_t>(range->first) +
                                               rows / parts * part)};
      };
      Chunk chunk{.kind = parts == 1 ? Chunk::Kind::kAll : Chunk::Kind::kRange};
      // The outer ranges are open, so that no row can fall outside of all of them.
      if (i > 0) chunk.from = at(i);
      if (i + 1 < parts) chunk.to = at(i + 1);
      chunks.push_back(std::move(chunk));
    }
    return chunks;
  }

  [[nodiscard]] int readers() const override {
    return options_.consistent ? static_cast<int>(seats_.size()) : std::max(1, options_.readers);
  }

  // More readers than there are seats share the first one; they are for one thread then.
  Result<std::unique_ptr<Reader>> reader() override {
    if (options_.consistent) {
      const auto free = std::find_if(seats_.begin(), seats_.end(),
                                     [](const auto& seat) { return !seat->is_taken; });
      SqliteSeat& seat = free == seats_.end() ? *seats_.front() : **free;
      return std::unique_ptr<Reader>(std::make_unique<SqliteReader>(seat));
    }
    HEARTH_TRY(auto connection, SqliteConnection::open(url_, options_));
    return std::unique_ptr<Reader>(
        std::make_unique<SqliteReader>(std::make_unique<SqliteConnection>(std::move(connection))));
  }

  [[nodiscard]] std::vector<std::string> notes() const override {
    if (readers() >= options_.readers) return {};
    return {"others write to the database all the time: one worker reads it, to see one state"};
  }

  // The file was opened: SQLite has no other rights.
  Result<std::vector<std::string>> missing_rights(const Selection&) override {
    return std::vector<std::string>{};
  }

 private:
  static std::uint64_t rows_in(std::int64_t first, std::int64_t last) {
    const auto span = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
    return span == ~std::uint64_t{0} ? span : span + 1;
  }

  SourceUrl url_;
  SourceOptions options_;
  std::vector<std::unique_ptr<SqliteSeat>> seats_;  // one, where each chunk may be of its own state
  const SqliteConnection& connection_;              // of the first
};

}  // namespace

Result<std::unique_ptr<Source>> open_sqlite(const SourceUrl& url, const SourceOptions& options) {
  SourceOptions own = options;
  if (!options.consistent) own.readers = 1;  // others are opened when they are asked for
  HEARTH_TRY(auto seats, open_seats(url, own));
  return std::unique_ptr<Source>(std::make_unique<SqliteSource>(url, options, std::move(seats)));
}

}  // namespace hearth::warm
