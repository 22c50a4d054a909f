#include "tools/warm_source/postgres_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "src/base/parse_number.h"
#include "tools/warm_source/postgres_binary.h"
#include "tools/warm_source/postgres_connection.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr char kPgQuote = '"';
constexpr int kTidRangeVersion = 140'000;  // the first that reads a range of ctid without a scan
// Of a table without statistics: 16 MB of its file.
constexpr std::uint64_t kBlocksUnknown = 2'048;
constexpr std::uint64_t kBlocksMin = 128;
constexpr std::uint64_t kBlocksMax = 8'192;
// A sample has so many keys for each bound that is taken from it.
constexpr std::uint64_t kSampledPerBound = 200;
constexpr std::uint64_t kKeyRangesMax = 10'000;

// How each column of a selection is asked for and read.
struct PgColumns {
  std::vector<Column> columns;
  std::vector<PgType> types;
  std::vector<bool> as_text;
};

std::uint64_t number_in(const PgConnection::Answer& answer, int row, int column) {
  return parse_uint64(pg_text(answer, row, column)).value_or(0);
}

// The whole selection, without a choice of chunk.
std::string plain_query(const Selection& selection) {
  if (!selection.sql.empty()) return query_text(selection, "*", "", kPgQuote);
  return select_text(selection, column_list(selection.columns, kPgQuote),
                     quoted_table(selection.table, kPgQuote), "", kPgQuote);
}

// Types of the user and of extensions: how they are called, and whether they are enums, whose
// binary form is their text.
Result<void> name_types(PgConnection& connection, const PgConnection::Answer& described,
                        PgColumns& out) {
  std::string pairs;
  const int count = PQnfields(described.get());
  for (int i = 0; i < count; ++i) {
    pairs += fmt::format("{}({},{},{},{},{})", pairs.empty() ? "" : ",", i,
                         PQftype(described.get(), i), PQfmod(described.get(), i),
                         PQftable(described.get(), i), PQftablecol(described.get(), i));
  }
  if (count == 0) return {};
  HEARTH_TRY(
      const auto answer,
      connection.run(fmt::format(
          "SELECT format_type(t.oid, v.mod), t.typtype, a.attnotnull FROM (VALUES {}) AS "
          "v(i, type, mod, rel, att) JOIN pg_catalog.pg_type t ON t.oid = v.type::oid LEFT JOIN "
          "pg_catalog.pg_attribute a ON a.attrelid = v.rel::oid AND a.attnum = v.att ORDER BY v.i",
          pairs)));
  if (PQntuples(answer.get()) != count)
    return fail(ErrorCode::kCorrupt, "PostgreSQL does not know the types of its own columns");
  for (int i = 0; i < count; ++i) {
    Column column;
    column.name = PQfname(described.get(), i);
    column.source_type = pg_text(answer, i, 0);
    column.is_nullable = pg_text(answer, i, 2) != "t";
    const auto known = pg_binary_type(PQftype(described.get(), i));
    const bool is_enum = pg_text(answer, i, 1) == "e";
    out.columns.push_back(std::move(column));
    out.types.push_back(known.value_or(PgType{PgForm::kText}));
    out.as_text.push_back(!known && !is_enum);
  }
  return {};
}

Result<PgColumns> columns_of_query(PgConnection& connection, const Selection& selection) {
  HEARTH_TRY(const auto described, connection.describe(plain_query(selection)));
  PgColumns columns;
  HEARTH_TRY_VOID(name_types(connection, described, columns));
  if (columns.columns.empty())
    return fail(ErrorCode::kInvalid, "not a query: it returns no columns");
  return columns;
}

std::string typed_list(const PgColumns& columns, std::string_view prefix) {
  std::string out;
  for (std::size_t i = 0; i < columns.columns.size(); ++i) {
    out += fmt::format("{}{}{}{}", out.empty() ? "" : ", ", prefix,
                       quoted_name(columns.columns[i].name, kPgQuote),
                       columns.as_text[i] ? "::text" : "");
  }
  return out;
}

std::string bound_condition(std::string_view column, std::string_view sign, const Bound& bound) {
  return fmt::format("{} {} {}", column, sign, sql_string(bound.text));
}

std::string condition_of(const Chunk& chunk, const std::vector<std::string>& key) {
  std::string condition;
  const auto also = [&](const std::string& text) {
    condition += (condition.empty() ? "" : " AND ") + text;
  };
  switch (chunk.kind) {
    case Chunk::Kind::kAll: break;
    case Chunk::Kind::kBlocks:
      if (chunk.from) also(fmt::format("ctid >= '({},0)'::tid", chunk.from->integer));
      if (chunk.to) also(fmt::format("ctid < '({},0)'::tid", chunk.to->integer));
      break;
    case Chunk::Kind::kRange:
      if (key.empty()) break;
      if (chunk.from) also(bound_condition(quoted_name(key[0], kPgQuote), ">=", *chunk.from));
      if (chunk.to) also(bound_condition(quoted_name(key[0], kPgQuote), "<", *chunk.to));
      break;
    case Chunk::Kind::kKeys:
      for (const auto& values : chunk.keys) {
        const auto& columns = chunk.columns.empty() ? key : chunk.columns;
        std::string one;
        for (std::size_t i = 0; i < std::min(values.size(), columns.size()); ++i) {
          one += fmt::format("{}{} = {}", one.empty() ? "" : " AND ",
                             quoted_name(columns[i], kPgQuote), sql_string(values[i]));
        }
        condition += (condition.empty() ? "(" : " OR (") + one + ")";
      }
  }
  return condition;
}

class PgStream final : public RowStream {
 public:
  PgStream(PgConnection& connection, PgColumns columns)
      : connection_(connection),
        columns_(std::move(columns.columns)),
        decoder_(std::move(columns.types)) {}

  [[nodiscard]] const std::vector<Column>& columns() const override { return columns_; }

  Result<std::optional<Row>> next() override {
    if (is_done_) return std::optional<Row>{};
    HEARTH_TRY(const auto data, connection_.next_copy_data());
    if (!data) {
      is_done_ = true;
      return std::optional<Row>{};
    }
    std::string_view bytes = *data;
    if (!has_header_) {
      HEARTH_TRY(const std::size_t header, PgDecoder::copy_header_bytes(bytes));
      bytes.remove_prefix(header);
      has_header_ = true;
      if (bytes.empty()) return next();
    }
    HEARTH_TRY(const auto row, decoder_.decode_copy_row(bytes));
    if (row) return row;
    // The trailer: what follows is the end of the COPY.
    return next();
  }

 private:
  PgConnection& connection_;
  std::vector<Column> columns_;
  PgDecoder decoder_;
  bool has_header_ = false;
  bool is_done_ = false;
};

// The primary key's columns in their order.
Result<std::vector<std::string>> primary_key_of(PgConnection& connection,
                                                const Selection& selection) {
  if (selection.table.empty()) return std::vector<std::string>{};
  HEARTH_TRY(const auto answer,
             connection.run(fmt::format(
                 "SELECT a.attname FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH "
                 "ORDINALITY AS k(att, place) JOIN pg_catalog.pg_attribute a ON a.attnum = k.att "
                 "WHERE i.indrelid = to_regclass({0}) AND a.attrelid = i.indrelid AND "
                 "i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place",
                 sql_string(quoted_table(selection.table, kPgQuote)))));
  std::vector<std::string> key;
  key.reserve(static_cast<std::size_t>(PQntuples(answer.get())));
  for (int i = 0; i < PQntuples(answer.get()); ++i) key.push_back(pg_text(answer, i, 0));
  return key;
}

class PgReader final : public Reader {
 public:
  explicit PgReader(PgConnection connection) : connection_(std::move(connection)) {}

  Result<std::unique_ptr<RowStream>> open(const Selection& selection, const Chunk& chunk) override {
    HEARTH_TRY_VOID(learn(selection));
    std::string query;
    if (!selection.sql.empty()) {
      const bool casts = std::find(columns_.as_text.begin(), columns_.as_text.end(), true) !=
                         columns_.as_text.end();
      const std::string condition = condition_of(chunk, key_);
      query = query_text(selection, casts || !condition.empty() ? typed_list(columns_, "q.") : "*",
                         condition, kPgQuote);
    } else {
      const std::string from = chunk.kind == Chunk::Kind::kBlocks
                                   ? "ONLY " + chunk.relation
                                   : quoted_table(selection.table, kPgQuote);
      query = select_text(selection, typed_list(columns_, ""), from, condition_of(chunk, key_),
                          kPgQuote);
    }
    HEARTH_TRY(const auto answer,
               connection_.run(fmt::format("COPY ({}\n) TO STDOUT (FORMAT binary)", query)));
    if (PQresultStatus(answer.get()) != PGRES_COPY_OUT)
      return fail(ErrorCode::kInvalid, "PostgreSQL does not send the rows of this query");
    return std::unique_ptr<RowStream>(std::make_unique<PgStream>(connection_, columns_));
  }

  [[nodiscard]] bool is_lost() override { return connection_.is_lost(); }

 private:
  // Types and key of a selection are asked for once, not for each of its chunks.
  Result<void> learn(const Selection& selection) {
    const std::string query = plain_query(selection);
    if (query == known_) return {};
    HEARTH_TRY(columns_, columns_of_query(connection_, selection));
    HEARTH_TRY(key_, primary_key_of(connection_, selection));
    known_ = query;
    return {};
  }

  PgConnection connection_;
  std::string known_;
  PgColumns columns_;
  std::vector<std::string> key_;
};

// A table, or a leaf of a partitioned one.
struct Relation {
  std::string name;
  char kind = 'r';
  std::uint64_t blocks = 0;
  std::uint64_t rows = 0;  // 0: no statistics
  bool may_read = true;
};

class PgSource final : public Source {
 public:
  PgSource(SourceOptions options, PgConnection connection)
      : options_(std::move(options)), connection_(std::move(connection)) {}

  Result<void> begin() {
    if (!options_.consistent) return {};
    HEARTH_TRY_VOID(connection_.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    if (!options_.snapshot.empty()) {
      snapshot_ = options_.snapshot;
      HEARTH_TRY_VOID(connection_.run("SET TRANSACTION SNAPSHOT " + sql_string(snapshot_)));
      return {};
    }
    HEARTH_TRY(const auto answer, connection_.run("SELECT pg_export_snapshot()"));
    snapshot_ = pg_text(answer, 0, 0);
    return {};
  }

  Result<SelectionShape> describe(const Selection& selection) override {
    // A mistake of the user's must not end the transaction whose snapshot the readers share.
    HEARTH_TRY_VOID(mark());
    auto shape = describe_marked(selection);
    HEARTH_TRY_VOID(back_to_mark());
    return shape;
  }

  Result<std::vector<Chunk>> plan(const Selection& selection, std::uint64_t rows_wanted) override {
    if (selection.table.empty() || !selection.order.empty() || selection.limit > 0)
      return std::vector<Chunk>(1);
    HEARTH_TRY(const auto relations, relations_of(selection));
    const bool has_files = std::all_of(relations.begin(), relations.end(), [](const Relation& r) {
      return (r.kind == 'r' || r.kind == 'm' || r.kind == 'f') && r.may_read;
    });
    const bool by_blocks = !options_.stable_chunks && options_.consistent && has_files &&
                           !relations.empty() && connection_.version() >= kTidRangeVersion;
    if (!by_blocks) return key_ranges(selection, relations, rows_wanted);
    std::vector<Chunk> chunks;
    for (const auto& relation : relations) add_block_ranges(relation, rows_wanted, chunks);
    // A table that fits one range is read without naming blocks.
    if (chunks.size() == 1 && relations.size() == 1) return std::vector<Chunk>(1);
    return chunks;
  }

  [[nodiscard]] int readers() const override { return std::max(1, options_.readers); }

  Result<std::unique_ptr<Reader>> reader() override {
    HEARTH_TRY(auto connection, PgConnection::open(options_));
    if (!snapshot_.empty()) {
      HEARTH_TRY_VOID(connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
      HEARTH_TRY_VOID(connection.run("SET TRANSACTION SNAPSHOT " + sql_string(snapshot_)));
    }
    return std::unique_ptr<Reader>(std::make_unique<PgReader>(std::move(connection)));
  }

  Result<std::vector<std::string>> missing_rights(const Selection& selection) override;

 private:
  Result<void> mark() {
    if (!snapshot_.empty()) HEARTH_TRY_VOID(connection_.run("SAVEPOINT mark"));
    return {};
  }
  Result<void> back_to_mark() {
    if (!snapshot_.empty()) HEARTH_TRY_VOID(connection_.run("ROLLBACK TO SAVEPOINT mark"));
    return {};
  }

  Result<SelectionShape> describe_marked(const Selection& selection) {
    HEARTH_TRY(auto columns, columns_of_query(connection_, selection));
    // Asks the planner, and with it the row security and the rights, without reading a row.
    HEARTH_TRY_VOID(connection_.run("EXPLAIN " + plain_query(selection)));
    SelectionShape shape;
    shape.columns = std::move(columns.columns);
    HEARTH_TRY(shape.key, primary_key_of(connection_, selection));
    if (selection.table.empty() || !selection.where.empty()) return shape;
    HEARTH_TRY(const auto relations, relations_of(selection));
    std::uint64_t rows = 0;
    std::uint64_t blocks = 0;
    bool is_known = !relations.empty();
    for (const auto& relation : relations) {
      rows += relation.rows;
      blocks += relation.blocks;
      is_known = is_known && (relation.rows > 0 || relation.blocks == 0);
    }
    if (is_known) shape.rows = rows;
    shape.bytes = blocks * block_bytes_;
    return shape;
  }

  // The tables that hold the rows: the table itself, or the leaves below it, largest first.
  Result<std::vector<Relation>> relations_of(const Selection& selection) {
    HEARTH_TRY(
        const auto answer,
        connection_.run(fmt::format(
            "WITH RECURSIVE tree(oid) AS (SELECT to_regclass({})::oid UNION ALL SELECT "
            "i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid) SELECT "
            "quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind, CASE WHEN "
            "c.relkind IN ('r','m') THEN pg_relation_size(c.oid) / "
            "current_setting('block_size')::int ELSE 0 END, greatest(c.reltuples, 0)::bigint, "
            "has_table_privilege(c.oid, 'SELECT'), current_setting('block_size') FROM tree JOIN "
            "pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = "
            "c.relnamespace WHERE c.relkind NOT IN ('p', 'I') ORDER BY 3 DESC, 1",
            sql_string(quoted_table(selection.table, kPgQuote)))));
    std::vector<Relation> relations;
    for (int i = 0; i < PQntuples(answer.get()); ++i) {
      relations.push_back({pg_text(answer, i, 0), pg_text(answer, i, 1)[0], number_in(answer, i, 2),
                           number_in(answer, i, 3), pg_text(answer, i, 4) == "t"});
      block_bytes_ = std::max<std::uint64_t>(1, number_in(answer, i, 5));
    }
    return relations;
  }

  static void add_block_ranges(const Relation& relation, std::uint64_t rows_wanted,
                               std::vector<Chunk>& chunks) {
    std::uint64_t step = kBlocksUnknown;
    if (relation.rows > 0)
      step = std::clamp(relation.blocks * rows_wanted / relation.rows, kBlocksMin, kBlocksMax);
    const std::uint64_t count =
        relation.kind == 'f' ? 1 : std::max<std::uint64_t>(1, (relation.blocks + step - 1) / step);
    for (std::uint64_t i = 0; i < count; ++i) {
      Chunk chunk{.kind = Chunk::Kind::kBlocks, .relation = relation.name};
      const auto at = [&](std::uint64_t part) {
        return Bound{Bound::Type::kInteger, static_cast<std::int64_t>(part * step)};
      };
      if (i > 0) chunk.from = at(i);
      if (i + 1 < count) chunk.to = at(i + 1);
      chunks.push_back(std::move(chunk));
    }
  }

  // Bounds from a sample of the primary key's first column, so that the ranges hold about as many
  // rows each.
  Result<std::vector<Chunk>> key_ranges(const Selection& selection,
                                        const std::vector<Relation>& relations,
                                        std::uint64_t rows_wanted) {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    for (const auto& relation : relations) {
      rows += relation.rows;
      bytes += relation.blocks * block_bytes_;
    }
    rows = std::max(rows, bytes / 500);  // where there are no statistics
    const auto ranges = std::min(kKeyRangesMax, rows / std::max<std::uint64_t>(1, rows_wanted));
    HEARTH_TRY(const auto key, primary_key_of(connection_, selection));
    const bool is_table = std::all_of(relations.begin(), relations.end(), [](const Relation& r) {
      return r.kind == 'r' || r.kind == 'm';
    });
    if (ranges < 2 || key.empty() || !is_table) return std::vector<Chunk>(1);
    const double percent = std::min(
        100.0, 100.0 * static_cast<double>(ranges * kSampledPerBound) / static_cast<double>(rows));
    HEARTH_TRY(
        const auto answer,
        connection_.run(fmt::format(
            "SELECT DISTINCT ON (t.k) t.k::text AS bound FROM (SELECT k, row_number() OVER (ORDER "
            "BY k) AS n, count(*) OVER () AS c FROM (SELECT {0} AS k FROM {1} TABLESAMPLE SYSTEM "
            "({2})) AS s) AS t WHERE n % greatest(c / {3}, 1) = 0 ORDER BY t.k",
            quoted_name(key[0], kPgQuote), quoted_table(selection.table, kPgQuote), percent,
            ranges)));
    std::vector<Chunk> chunks(1, Chunk{.kind = Chunk::Kind::kRange});
    for (int i = 0; i < PQntuples(answer.get()); ++i) {
      const Bound bound{Bound::Type::kText, 0, pg_text(answer, i, 0)};
      chunks.back().to = bound;
      chunks.push_back(Chunk{.kind = Chunk::Kind::kRange, .from = bound});
    }
    return chunks;
  }

  SourceOptions options_;
  PgConnection connection_;
  std::string snapshot_;
  std::uint64_t block_bytes_ = 8'192;
};

Result<std::vector<std::string>> PgSource::missing_rights(const Selection& selection) {
  std::vector<std::string> missing;
  HEARTH_TRY_VOID(mark());
  if (selection.table.empty()) {
    const auto tried = connection_.run("EXPLAIN " + plain_query(selection));
    if (!tried && tried.error().code == ErrorCode::kInvalid)
      missing.push_back(tried.error().context);
    HEARTH_TRY_VOID(back_to_mark());
    return missing;
  }
  const auto parts = name_parts(selection.table);
  auto answer = connection_.run(fmt::format(
      "SELECT quote_ident(n.nspname), quote_ident(n.nspname) || '.' || quote_ident(c.relname), "
      "quote_ident(current_user), has_schema_privilege(n.oid, 'USAGE'), "
      "has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'), "
      "c.relrowsecurity AND row_security_active(c.oid) FROM pg_catalog.pg_class c JOIN "
      "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = {} AND {} AND "
      "c.relkind IN ('r','p','v','m','f')",
      sql_string(parts.back()),
      parts.size() > 1 ? "n.nspname = " + sql_string(parts[parts.size() - 2])
                       : "n.nspname = ANY (current_schemas(true))"));
  HEARTH_TRY_VOID(back_to_mark());
  if (!answer) return unexpected<Error>(answer.error());
  if (PQntuples(answer->get()) == 0) {
    return fail(ErrorCode::kInvalid,
                fmt::format("PostgreSQL: there is no table {}", selection.table));
  }
  const std::string user = pg_text(*answer, 0, 2);
  if (pg_text(*answer, 0, 3) != "t")
    missing.push_back(fmt::format("GRANT USAGE ON SCHEMA {} TO {};", pg_text(*answer, 0, 0), user));
  if (pg_text(*answer, 0, 4) != "t")
    missing.push_back(fmt::format("GRANT SELECT ON {} TO {};", pg_text(*answer, 0, 1), user));
  if (pg_text(*answer, 0, 5) == "t")
    missing.push_back(fmt::format("ALTER ROLE {} BYPASSRLS;", user));
  return missing;
}

}  // namespace

Result<std::unique_ptr<Source>> open_postgres(const SourceOptions& options) {
  HEARTH_TRY(auto connection, PgConnection::open(options));
  auto source = std::make_unique<PgSource>(options, std::move(connection));
  HEARTH_TRY_VOID(source->begin());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace hearth::warm
