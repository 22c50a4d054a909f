#include "tools/warm_source/postgres_tables.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/base/parse_number.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr char kPgNameQuote = '"';
constexpr int kBinaryStreamVersion = 140'000;  // the first whose pgoutput sends binary values

bool is_true(const PgConnection::Answer& answer, int row, int column) {
  return pg_text(answer, row, column) == "t";
}

Result<void> describe_columns(PgConnection& connection, PgTable& table) {
  HEARTH_TRY(
      const auto answer,
      connection.run(fmt::format(
          "SELECT a.attname, t.oid, b.oid, b.typtype = 'e', a.attgenerated <> '', a.attnotnull, "
          "format_type(a.atttypid, a.atttypmod), EXISTS (SELECT FROM pg_catalog.pg_index i WHERE "
          "i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)), EXISTS "
          "(SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisreplident "
          "AND a.attnum = ANY (i.indkey)) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type "
          "t ON t.oid = a.atttypid JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' "
          "THEN t.typbasetype ELSE t.oid END WHERE a.attrelid = {} AND a.attnum > 0 AND NOT "
          "a.attisdropped ORDER BY a.attnum",
          table.oid)));
  for (int i = 0; i < PQntuples(answer.get()); ++i) {
    Column column;
    column.name = pg_text(answer, i, 0);
    column.source_type = pg_text(answer, i, 6);
    column.is_nullable = !is_true(answer, i, 5);
    const auto own = parse_uint64(pg_text(answer, i, 1)).value_or(0);
    const auto base = parse_uint64(pg_text(answer, i, 2)).value_or(0);
    auto type = pg_binary_type(static_cast<std::uint32_t>(base));
    if (!type && is_true(answer, i, 3)) type = PgType{PgForm::kText};  // an enum
    table.types[static_cast<std::uint32_t>(own)] = type;
    const bool is_generated = is_true(answer, i, 4);
    const bool is_key = is_true(answer, i, 7);
    if (is_generated) table.generated.push_back(column.name);
    if (is_key) table.key.push_back(column.name);
    const bool in_old = table.identity == 'f' || (table.identity == 'd' && is_key) ||
                        (table.identity == 'i' && is_true(answer, i, 8));
    if (is_key) table.shape.row_key.push_back(table.shape.columns.size());
    table.shape.columns.push_back(std::move(column));
    table.shape.in_old.push_back(in_old && !is_generated ? 1 : 0);
    table.shape.readable.push_back(type && !is_generated ? 1 : 0);
  }
  return {};
}

std::string table_list(const std::vector<PgTable>& tables) {
  std::string out;
  for (const auto& table : tables) out += (out.empty() ? "" : ", ") + table.quoted;
  return out;
}

std::string create_publication(const std::string& name, const std::vector<PgTable>& tables) {
  return fmt::format(
      "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert, update, delete, truncate', "
      "publish_via_partition_root = true)",
      quoted_name(name, kPgNameQuote), table_list(tables));
}

// The statements that make a publication what following needs.
Result<std::vector<std::string>> publication_statements(PgConnection& connection,
                                                        const std::string& name,
                                                        const std::vector<PgTable>& tables) {
  HEARTH_TRY(const auto found,
             connection.run(fmt::format("SELECT pubinsert AND pubupdate AND pubdelete AND "
                                        "pubtruncate AND pubviaroot FROM pg_catalog.pg_publication "
                                        "WHERE pubname = {}",
                                        sql_string(name))));
  std::vector<std::string> statements;
  if (PQntuples(found.get()) == 0) {
    statements.push_back(create_publication(name, tables));
    return statements;
  }
  const std::string quoted = quoted_name(name, kPgNameQuote);
  if (!is_true(found, 0, 0)) {
    statements.push_back(
        fmt::format("ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate', "
                    "publish_via_partition_root = true)",
                    quoted));
  }
  HEARTH_TRY(const auto rows,
             connection.run(fmt::format("SELECT schemaname, tablename FROM "
                                        "pg_catalog.pg_publication_tables WHERE pubname = {}",
                                        sql_string(name))));
  for (const auto& table : tables) {
    bool is_there = false;
    for (int i = 0; i < PQntuples(rows.get()) && !is_there; ++i)
      is_there = pg_text(rows, i, 0) == table.schema && pg_text(rows, i, 1) == table.name;
    if (!is_there)
      statements.push_back(fmt::format("ALTER PUBLICATION {} ADD TABLE {}", quoted, table.quoted));
  }
  return statements;
}

}  // namespace

Result<PgTable> describe_pg_table(PgConnection& connection, const std::string& name) {
  HEARTH_TRY(
      const auto answer,
      connection.run(fmt::format(
          "SELECT c.oid, n.nspname, c.relname, quote_ident(n.nspname) || '.' || "
          "quote_ident(c.relname), c.relkind, c.relreplident, pg_has_role(c.relowner, 'USAGE') "
          "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
          "WHERE c.oid = to_regclass({})",
          sql_string(quoted_table(name, kPgNameQuote)))));
  if (PQntuples(answer.get()) == 0)
    return fail(ErrorCode::kInvalid, fmt::format("PostgreSQL: there is no table {}", name));
  PgTable table;
  table.oid = static_cast<std::uint32_t>(parse_uint64(pg_text(answer, 0, 0)).value_or(0));
  table.schema = pg_text(answer, 0, 1);
  table.name = pg_text(answer, 0, 2);
  table.quoted = pg_text(answer, 0, 3);
  table.kind = pg_text(answer, 0, 4)[0];
  table.identity = pg_text(answer, 0, 5)[0];
  table.is_owner = is_true(answer, 0, 6);
  table.shape.name = name;
  table.shape.hint = fmt::format("ALTER TABLE {} REPLICA IDENTITY FULL;", table.quoted);
  HEARTH_TRY_VOID(describe_columns(connection, table));
  return table;
}

Result<std::vector<std::string>> missing_for_pg_follow(PgConnection& connection,
                                                       const std::string& name,
                                                       const std::vector<PgTable>& tables) {
  if (connection.version() < kBinaryStreamVersion)
    return fail(ErrorCode::kUnsupported, "PostgreSQL: changes are followed from version 14 on");
  std::vector<std::string> missing;
  HEARTH_TRY(const auto answer,
             connection.run("SELECT current_setting('wal_level'), r.rolreplication OR r.rolsuper, "
                            "quote_ident(current_user), r.rolsuper, has_database_privilege("
                            "current_database(), 'CREATE'), quote_ident(current_database()) FROM "
                            "pg_catalog.pg_roles r WHERE r.rolname = current_user"));
  if (PQntuples(answer.get()) == 0)
    return fail(ErrorCode::kCorrupt, "PostgreSQL does not know its own user");
  const std::string user = pg_text(answer, 0, 2);
  if (pg_text(answer, 0, 0) != "logical") {
    missing.emplace_back(
        "-- the log has no changes of rows; the server must be restarted after this\nALTER SYSTEM "
        "SET wal_level = logical;");
  }
  if (!is_true(answer, 0, 1))
    missing.push_back(
        fmt::format("-- the user may not replicate\nALTER ROLE {} REPLICATION;", user));
  bool may_publish = is_true(answer, 0, 3) || is_true(answer, 0, 4);
  for (const auto& table : tables) {
    if (table.kind != 'r' && table.kind != 'p')
      return fail(ErrorCode::kInvalid,
                  fmt::format("PostgreSQL: {} is no table whose changes could be followed; a view "
                              "needs follow = {{ poll = \"column\" }} or follow = false",
                              table.shape.name));
    may_publish = may_publish && table.is_owner;
    const bool has_old = std::find(table.shape.in_old.begin(), table.shape.in_old.end(), 1) !=
                         table.shape.in_old.end();
    if (!has_old)
      missing.push_back(fmt::format(
          "-- table {} has no primary key: its updates and deletes would fail once it is "
          "published\nALTER TABLE {} REPLICA IDENTITY FULL;",
          table.shape.name, table.quoted));
  }
  if (is_true(answer, 0, 3)) may_publish = true;
  HEARTH_TRY(const auto statements, publication_statements(connection, name, tables));
  for (const auto& statement : statements) {
    if (!may_publish)
      missing.push_back(fmt::format("-- to be run by the owner of the tables\n{};", statement));
  }
  return missing;
}

Result<void> ensure_pg_publication(PgConnection& connection, const std::string& name,
                                   const std::vector<PgTable>& tables) {
  HEARTH_TRY(const auto statements, publication_statements(connection, name, tables));
  if (statements.empty()) return {};
  HEARTH_TRY_VOID(connection.run("SET default_transaction_read_only = off"));
  for (const auto& statement : statements) HEARTH_TRY_VOID(connection.run(statement));
  HEARTH_TRY_VOID(connection.run("SET default_transaction_read_only = on"));
  return {};
}

}  // namespace hearth::warm
