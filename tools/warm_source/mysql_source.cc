#include "tools/warm_source/mysql_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "src/base/parse_number.h"
#include "tools/warm_source/mysql_connection.h"
#include "tools/warm_source/mysql_rows.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr char kMyQuote = '`';
constexpr std::size_t kMyRangesMax = 4'096;
// A read of a transaction then takes a shared lock of each row, whatever the query is made of.
constexpr const char* kLockWhatIsRead = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE";
// Snapshots of several connections are one if nothing was written between them.
constexpr int kSnapshotAttempts = 10;

using Texts = MyConnection::Texts;

std::string text_at(const Texts& rows, std::size_t row, std::size_t column) {
  if (row >= rows.size() || column >= rows[row].size()) return "";
  return rows[row][column].value_or("");
}

std::string my_query(const Selection& selection, std::string_view condition) {
  if (selection.sql.empty()) {
    return select_text(selection, column_list(selection.columns, kMyQuote),
                       quoted_table(selection.table, kMyQuote), condition, kMyQuote);
  }
  return query_text(selection, "*", condition, kMyQuote);
}

struct KeyColumn {
  std::string name;
  CellType cell = CellType::kText;
  bool is_unsigned = false;
};

// A value as the literal that its column is compared with. Numbers must stand bare: beside a text
// they would be compared as doubles.
std::string literal_of(const KeyColumn& column, const std::string& value) {
  const bool is_number = column.cell == CellType::kInteger || column.cell == CellType::kUnsigned;
  if (is_number && (parse_int64(value) || parse_uint64(value))) return value;
  return column.cell == CellType::kBytes ? my_bytes(value) : my_text(value);
}

std::string literal_of(const Bound& bound) {
  switch (bound.type) {
    case Bound::Type::kInteger: return fmt::format("{}", bound.integer);
    case Bound::Type::kUnsigned:
      return fmt::format("{}", static_cast<std::uint64_t>(bound.integer));
    case Bound::Type::kBytes: return my_bytes(bound.text);
    case Bound::Type::kText: break;
  }
  return my_text(bound.text);
}

std::string condition_of(const Chunk& chunk, const std::vector<KeyColumn>& key) {
  if (key.empty()) return "";
  std::string condition;
  if (chunk.kind == Chunk::Kind::kKeys) {
    for (const auto& values : chunk.keys) {
      std::string one;
      for (std::size_t i = 0; i < std::min(values.size(), key.size()); ++i) {
        one += fmt::format("{}{} = {}", one.empty() ? "" : " AND ",
                           quoted_name(key[i].name, kMyQuote), literal_of(key[i], values[i]));
      }
      condition += (condition.empty() ? "(" : " OR (") + one + ")";
    }
    return condition;
  }
  const std::string column = quoted_name(key[0].name, kMyQuote);
  if (chunk.from) condition = fmt::format("{} >= {}", column, literal_of(*chunk.from));
  if (chunk.to) {
    condition +=
        fmt::format("{}{} < {}", condition.empty() ? "" : " AND ", column, literal_of(*chunk.to));
  }
  return condition;
}

// A connection, as the source and its readers need it.
class MySession {
 public:
  explicit MySession(MyConnection opened)
      : connection(std::move(opened)), thread_id(connection.thread_id()) {}

  // The primary key, with the types of its columns.
  Result<std::vector<KeyColumn>> primary_key(const Selection& selection) {
    std::vector<KeyColumn> key;
    if (selection.table.empty()) return key;
    const auto parts = name_parts(selection.table);
    HEARTH_TRY(const auto rows,
               connection.run(fmt::format(
                   "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {} "
                   "AND TABLE_NAME = {} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX",
                   schema_of(parts), my_text(parts.back()))));
    if (rows.empty()) return key;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) names.push_back(text_at(rows, i, 0));
    return columns(selection, names);
  }

  // These columns of a table or query, with their types.
  Result<std::vector<KeyColumn>> columns(const Selection& selection,
                                         const std::vector<std::string>& names) {
    std::vector<KeyColumn> out;
    const std::string from =
        selection.sql.empty()
            ? quoted_table(selection.table, kMyQuote)
            : fmt::format("({}\n) AS q", std::string(trimmed_query(selection.sql)));
    HEARTH_TRY(const auto statement,
               MyStatement::prepare(connection, fmt::format("SELECT {} FROM {}",
                                                            column_list(names, kMyQuote), from)));
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto& field = statement.fields()[i];
      out.push_back({names[i], field.cell, field.is_unsigned});
    }
    return out;
  }

  static std::string schema_of(const std::vector<std::string>& parts) {
    return parts.size() > 1 ? my_text(parts[parts.size() - 2]) : "DATABASE()";
  }

  MyConnection connection;
  unsigned long thread_id;
};

// The name under which a reader remembers the columns of a selection.
std::string known_as(const Selection& selection, const Chunk& chunk) {
  std::string text = selection.table + selection.sql;
  for (const auto& column : chunk.columns) text += "\n" + column;
  return text;
}

class MyReader final : public Reader {
 public:
  MyReader(MySession& session, bool is_locking, std::function<void()> stop,
           const std::atomic<bool>* interrupt)
      : session_(session), is_locking_(is_locking), stop_(std::move(stop)), interrupt_(interrupt) {}

  Result<std::unique_ptr<RowStream>> open(const Selection& selection, const Chunk& chunk) override {
    const std::string wanted = known_as(selection, chunk);
    if (chunk.kind != Chunk::Kind::kAll && wanted != known_) {
      HEARTH_TRY(key_, chunk.columns.empty() ? session_.primary_key(selection)
                                             : session_.columns(selection, chunk.columns));
      known_ = wanted;
    }
    if (is_locking_) HEARTH_TRY_VOID(session_.connection.run("START TRANSACTION"));
    HEARTH_TRY(
        auto statement,
        MyStatement::prepare(session_.connection, my_query(selection, condition_of(chunk, key_))));
    return MyStream::start(std::move(statement), stop_, interrupt_);
  }

  Result<void> release() override {
    if (is_locking_) HEARTH_TRY_VOID(session_.connection.run("COMMIT"));
    return {};
  }

  [[nodiscard]] bool is_lost() override { return session_.connection.is_lost(); }

 private:
  MySession& session_;
  const bool is_locking_;  // what is read stays as it is until `release`
  std::function<void()> stop_;
  const std::atomic<bool>* interrupt_;
  std::string known_;
  std::vector<KeyColumn> key_;
};

class MySource final : public Source {
 public:
  MySource(SourceUrl url, SourceOptions options)
      : url_(std::move(url)), options_(std::move(options)) {}

  Result<void> begin() {
    const int wanted = std::max(1, options_.readers);
    for (int i = 0; i < wanted; ++i) HEARTH_TRY_VOID(add_session());
    is_locking_ = options_.waits_for_commits && !sessions_[0]->connection.is_mariadb();
    if (is_locking_) {
      for (auto& session : sessions_) HEARTH_TRY_VOID(session->connection.run(kLockWhatIsRead));
    }
    if (!options_.consistent) return {};
    if (wanted > 1) {
      for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
        HEARTH_TRY(const bool is_one, begin_snapshots());
        if (is_one) return {};
      }
      note_ =
          "one reader: only MariaDB tells, by its binary log, that the snapshots of several "
          "connections are one (or set consistent = false)";
      const std::scoped_lock lock(mutex_);
      sessions_.resize(1);
    }
    HEARTH_TRY_VOID(begin_snapshots());
    return {};
  }

  Result<SelectionShape> describe(const Selection& selection) override {
    MySession& session = *sessions_[0];
    HEARTH_TRY(const auto statement,
               MyStatement::prepare(session.connection, my_query(selection, "")));
    SelectionShape shape;
    shape.columns = statement.columns();
    if (selection.table.empty()) return shape;
    HEARTH_TRY(const auto key, session.primary_key(selection));
    for (const auto& column : key) shape.key.push_back(column.name);
    if (!selection.where.empty()) return shape;
    const auto parts = name_parts(selection.table);
    HEARTH_TRY(const auto rows,
               session.connection.run(fmt::format(
                   "SELECT TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES WHERE "
                   "TABLE_SCHEMA = {} AND TABLE_NAME = {} AND TABLE_TYPE = 'BASE TABLE'",
                   MySession::schema_of(parts), my_text(parts.back()))));
    if (rows.empty()) return shape;
    shape.rows = parse_uint64(text_at(rows, 0, 0));
    shape.bytes = parse_uint64(text_at(rows, 0, 1));
    return shape;
  }

  Result<std::vector<Chunk>> plan(const Selection& selection, std::uint64_t rows_wanted) override {
    const bool can_split =
        !selection.table.empty() && selection.order.empty() && selection.limit == 0;
    if (!can_split) return std::vector<Chunk>(1);
    HEARTH_TRY(const auto key, sessions_[0]->primary_key(selection));
    if (key.empty()) return std::vector<Chunk>(1);
    const bool is_number = key[0].cell == CellType::kInteger || key[0].cell == CellType::kUnsigned;
    std::vector<Bound> bounds;
    if (is_number) {
      HEARTH_TRY(bounds, bisected(selection, key[0], rows_wanted));
    } else if (readers() > 1 || options_.stable_chunks) {
      HEARTH_TRY(bounds, walked(selection, key[0], rows_wanted));
    }
    std::vector<Chunk> chunks(
        1, Chunk{.kind = bounds.empty() ? Chunk::Kind::kAll : Chunk::Kind::kRange});
    for (auto& bound : bounds) {
      chunks.back().to = bound;
      chunks.push_back(Chunk{.kind = Chunk::Kind::kRange, .from = std::move(bound)});
    }
    return chunks;
  }

  [[nodiscard]] int readers() const override { return static_cast<int>(sessions_.size()); }

  Result<std::unique_ptr<Reader>> reader() override {
    if (given_ >= sessions_.size())
      return fail(ErrorCode::kLimit, "MySQL: there is no reader left");
    MySession& session = *sessions_[given_++];
    const unsigned long id = session.thread_id;
    return std::unique_ptr<Reader>(std::make_unique<MyReader>(
        session, is_locking_, [this, id] { kill_queries({id}); }, options_.interrupt));
  }

  Result<std::vector<std::string>> missing_rights(const Selection& selection) override {
    std::vector<std::string> missing;
    MyConnection& connection = sessions_[0]->connection;
    const auto tried = MyStatement::prepare(connection, my_query(selection, ""));
    if (tried) return missing;
    const std::string& words = tried.error().context;
    if (words.find("denied") == std::string::npos) return unexpected<Error>(tried.error());
    if (selection.table.empty()) {
      missing.push_back(words);
      return missing;
    }
    HEARTH_TRY(const auto who, connection.run("SELECT CURRENT_USER(), DATABASE()"));
    const std::string user = text_at(who, 0, 0);
    const auto at = std::min(user.rfind('@'), user.size());
    const auto parts = name_parts(selection.table);
    const std::string schema = parts.size() > 1 ? parts[parts.size() - 2] : text_at(who, 0, 1);
    missing.push_back(fmt::format("GRANT SELECT ON {}.{} TO {}@{};", quoted_name(schema, kMyQuote),
                                  quoted_name(parts.back(), kMyQuote),
                                  sql_string(user.substr(0, at)),
                                  sql_string(at < user.size() ? user.substr(at + 1) : "%")));
    return missing;
  }

  void interrupt() override {
    std::vector<unsigned long> ids;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& session : sessions_) ids.push_back(session->thread_id);
    }
    kill_queries(ids);
  }

  [[nodiscard]] std::vector<std::string> notes() const override {
    return note_.empty() ? std::vector<std::string>{} : std::vector<std::string>{note_};
  }

 private:
  Result<void> add_session() {
    HEARTH_TRY(auto connection, MyConnection::open(url_, options_));
    const std::scoped_lock lock(mutex_);
    sessions_.push_back(std::make_unique<MySession>(std::move(connection)));
    return {};
  }

  // Another connection is the only way to end what a connection waits for.
  void kill_queries(const std::vector<unsigned long>& ids) {
    SourceOptions options = options_;
    options.connect_timeout = milliseconds{2'000};
    auto connection = MyConnection::open(url_, options);
    if (!connection) return;
    for (const unsigned long id : ids)
      static_cast<void>(connection->run(fmt::format("KILL QUERY {}", id)));
  }

  // Begins a snapshot in each connection. True when all are known to be the same.
  Result<bool> begin_snapshots() {
    std::string first;
    bool is_one = true;
    for (auto& session : sessions_) {
      HEARTH_TRY_VOID(session->connection.run("ROLLBACK"));
      HEARTH_TRY_VOID(
          session->connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"));
      HEARTH_TRY(const auto rows, session->connection.run("SHOW STATUS LIKE 'binlog_snapshot%'"));
      std::string position;
      for (const auto& row : rows) position += row.size() > 1 ? row[1].value_or("") + " " : "";
      if (session == sessions_.front()) first = position;
      is_one = is_one && position == first && position.find_first_not_of(' ') != std::string::npos;
    }
    return is_one;
  }

  // The optimizer's estimate of a range, which costs two dives into the index.
  Result<std::uint64_t> estimated_rows(const std::string& query) {
    HEARTH_TRY(const auto rows, sessions_[0]->connection.run("EXPLAIN " + query));
    // The columns of EXPLAIN differ between the servers; the one of rows is before the last.
    const std::size_t count = rows.empty() ? 0 : rows[0].size();
    for (std::size_t back = 2; back <= std::min<std::size_t>(3, count); ++back) {
      if (const auto number = parse_uint64(text_at(rows, 0, count - back))) return *number;
    }
    return 0;
  }

  // Splits the range of an integer in two until the estimate of each part is small enough, so that
  // gaps in the numbers do not matter.
  Result<std::vector<Bound>> bisected(const Selection& selection, const KeyColumn& column,
                                      std::uint64_t rows_wanted) {
    const std::string name = quoted_name(column.name, kMyQuote);
    const std::string from = quoted_table(selection.table, kMyQuote);
    HEARTH_TRY(const auto ends, sessions_[0]->connection.run(
                                    fmt::format("SELECT min({0}), max({0}) FROM {1}", name, from)));
    // Signed numbers are shifted, so that all ranges are ranges of unsigned numbers.
    const std::uint64_t shift = column.is_unsigned ? 0 : std::uint64_t{1} << 63;
    const auto number = [&](std::size_t i) -> std::optional<std::uint64_t> {
      const std::string text = text_at(ends, 0, i);
      if (column.is_unsigned) return parse_uint64(text);
      const auto value = parse_int64(text);
      return value ? std::optional(static_cast<std::uint64_t>(*value) ^ shift) : std::nullopt;
    };
    const auto bound_at = [&](std::uint64_t at) {
      return Bound{column.is_unsigned ? Bound::Type::kUnsigned : Bound::Type::kInteger,
                   static_cast<std::int64_t>(at ^ shift)};
    };
    std::vector<Bound> bounds;
    if (!number(0) || !number(1)) return bounds;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> open{{*number(0), *number(1)}};
    // Ranges are taken from the back, so that bounds come out in order.
    while (!open.empty()) {
      const auto [low, high] = open.back();
      open.pop_back();
      if (high > low && bounds.size() + open.size() < kMyRangesMax) {
        HEARTH_TRY(const std::uint64_t rows,
                   estimated_rows(fmt::format("SELECT 1 FROM {} WHERE {} >= {} AND {} <= {}", from,
                                              name, literal_of(bound_at(low)), name,
                                              literal_of(bound_at(high)))));
        if (rows > rows_wanted + rows_wanted / 2) {
          const std::uint64_t middle = low + (high - low) / 2;
          open.emplace_back(middle + 1, high);
          open.emplace_back(low, middle);
          continue;
        }
      }
      if (!open.empty()) bounds.push_back(bound_at(open.back().first));
    }
    return bounds;
  }

  // Every so many entries of the index one bound.
  Result<std::vector<Bound>> walked(const Selection& selection, const KeyColumn& column,
                                    std::uint64_t rows_wanted) {
    std::vector<Bound> bounds;
    const std::string name = quoted_name(column.name, kMyQuote);
    while (bounds.size() < kMyRangesMax) {
      const std::string after =
          bounds.empty() ? "" : fmt::format(" WHERE {} > {}", name, literal_of(bounds.back()));
      HEARTH_TRY(const auto rows,
                 sessions_[0]->connection.run(
                     fmt::format("SELECT {0} FROM {1}{2} ORDER BY {0} LIMIT 1 OFFSET {3}", name,
                                 quoted_table(selection.table, kMyQuote), after, rows_wanted)));
      if (rows.empty() || !rows[0][0]) break;
      bounds.push_back({column.cell == CellType::kBytes ? Bound::Type::kBytes : Bound::Type::kText,
                        0, *rows[0][0]});
    }
    return bounds;
  }

  SourceUrl url_;
  SourceOptions options_;
  std::mutex mutex_;  // of the list of sessions
  std::vector<std::unique_ptr<MySession>> sessions_;
  std::size_t given_ = 0;
  bool is_locking_ = false;
  std::string note_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_mysql(const SourceUrl& url, const SourceOptions& options) {
  auto source = std::make_unique<MySource>(url, options);
  HEARTH_TRY_VOID(source->begin());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace hearth::warm
