// A temporary file is the database here: SQLite cannot be asked to read through our port.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include <cstdlib>
#include <set>

#include "tests/support/temp_dir.h"
#include "tools/warm_source/source.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

class Database {
 public:
  explicit Database(const std::string& sql) { REQUIRE_MESSAGE(run(sql), sql); }
  // False: the file is locked, or SQLite says no for another reason.
  [[nodiscard]] bool run(const std::string& sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path_.c_str(), &db) == SQLITE_OK);
    const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(db);
    return code == SQLITE_OK;
  }
  Database(const Database&) = delete;
  std::unique_ptr<Source> source(bool consistent = true, int readers = 1) const {
    auto opened =
        open_source({.url = "sqlite:" + path_, .readers = readers, .consistent = consistent});
    REQUIRE_MESSAGE(opened.has_value(), opened.error().context);
    return *std::move(opened);
  }

 private:
  test::TempDir dir_;  // SQLite adds files of its own
  std::string path_ = dir_.file("db");
};

std::vector<std::string> first_cells(Reader& reader, const Selection& selection,
                                     const Chunk& chunk = {}) {
  auto stream = reader.open(selection, chunk);
  REQUIRE_MESSAGE(stream.has_value(), stream.error().context);
  std::vector<std::string> all;
  for (;;) {
    auto row = (*stream)->next();
    REQUIRE(row.has_value());
    if (!row->has_value()) return all;
    Buffer out;
    CHECK(append_plain(out, (**row)[0]));
    all.emplace_back(out.view());
  }
}

std::vector<std::string> first_cells(Source& source, const Selection& selection,
                                     const Chunk& chunk = {}) {
  auto reader = source.reader();
  REQUIRE(reader.has_value());
  return first_cells(**reader, selection, chunk);
}

}  // namespace

TEST_CASE("cells keep the type that each row gives them") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v, j JSON);"
      "INSERT INTO t VALUES (1, 5, '{}'), (2, 1.5, NULL), (3, 'café', '[]'), (4, x'00ff', 1), (5, "
      "NULL, '');");
  auto source = db.source();
  auto reader = source->reader();
  REQUIRE(reader.has_value());
  auto stream = (*reader)->open({.table = "t"}, {});
  REQUIRE(stream.has_value());
  const auto& columns = (*stream)->columns();
  REQUIRE(columns.size() == 3);
  CHECK(columns[1].name == "v");
  CHECK_FALSE(columns[1].holds_json);
  CHECK(columns[2].holds_json);
  const CellType types[] = {CellType::kInteger, CellType::kReal, CellType::kText, CellType::kBytes,
                            CellType::kNull};
  for (const CellType type : types) {
    auto row = (*stream)->next();
    REQUIRE(row.has_value());
    REQUIRE(row->has_value());
    const Cell& cell = (**row)[1];
    CHECK(cell.type == type);
    if (type == CellType::kText) CHECK(cell.bytes == "café");
    if (type == CellType::kBytes) CHECK(cell.bytes == std::string_view("\0\xff", 2));
    if (type == CellType::kReal) CHECK(cell.real == 1.5);
  }
  CHECK_FALSE((*stream)->next()->has_value());
}

TEST_CASE("a UTF-16 database gives UTF-8 text") {
  const Database db(
      "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(v); INSERT INTO t VALUES ('café €');");
  CHECK(first_cells(*db.source(), {.table = "t"}) == std::vector<std::string>{"café €"});
}

TEST_CASE("tables, columns, conditions and queries select what they say") {
  const Database db(
      "CREATE TABLE \"odd \"\"name\"(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO \"odd \"\"name\" "
      "VALUES (1,'a'),(2,'b'),(3,'c');");
  auto source = db.source();
  CHECK(first_cells(*source, {.table = "odd \"name"}) == std::vector<std::string>{"1", "2", "3"});
  CHECK(first_cells(*source, {.table = "odd \"name", .columns = {"v"}}) ==
        std::vector<std::string>{"a", "b", "c"});
  CHECK(first_cells(*source, {.table = "odd \"name", .where = "id = 1 OR id = 3"},
                    {.kind = Chunk::Kind::kRange, .from = Bound{Bound::Type::kInteger, 2}}) ==
        std::vector<std::string>{"3"});
  CHECK(first_cells(*source, {.sql = "SELECT v || v FROM \"odd \"\"name\" ORDER BY 1 DESC;"}) ==
        std::vector<std::string>{"cc", "bb", "aa"});
}

TEST_CASE("chunks cover every row exactly once") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY); WITH RECURSIVE c(n) AS (SELECT -5 UNION ALL SELECT "
      "n + 3 FROM c WHERE n < 1000) "
      "INSERT INTO t SELECT n FROM c; INSERT INTO t VALUES (9223372036854775807), "
      "(-9223372036854775808);");
  auto source = db.source();
  const auto all = first_cells(*source, {.table = "t"});
  for (const std::uint64_t rows :
       {std::uint64_t{1} << 60, std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    CAPTURE(rows);
    const auto chunks = source->plan({.table = "t"}, rows);
    REQUIRE(chunks.has_value());
    std::multiset<std::string> seen;
    for (const auto& chunk : *chunks) {
      const auto written = Chunk::parse(chunk.id());
      REQUIRE(written.has_value());
      CHECK(*written == chunk);
      for (auto& cell : first_cells(*source, {.table = "t"}, *written))
        seen.insert(std::move(cell));
    }
    CHECK(seen == std::multiset<std::string>(all.begin(), all.end()));
  }
}

TEST_CASE("evenly filled tables split into even chunks") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n "
      "+ 1 FROM c WHERE n < 1000) "
      "INSERT INTO t SELECT n FROM c;");
  auto source = db.source();
  const auto chunks = source->plan({.table = "t"}, 250);
  REQUIRE(chunks.has_value());
  REQUIRE(chunks->size() == 4);
  for (const auto& chunk : *chunks)
    CHECK(first_cells(*source, {.table = "t"}, chunk).size() == 250);
  CHECK(source->describe({.table = "t"})->rows == std::uint64_t{1000});
  CHECK(source->describe({.table = "t"})->key == std::vector<std::string>{"id"});
}

TEST_CASE("what has no rowid is one chunk without estimate") {
  const Database db(
      "CREATE TABLE w(k TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES ('a'), ('b'); CREATE "
      "TABLE e(id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT * FROM w;");
  auto source = db.source();
  CHECK(source->plan({.table = "w"}, 1)->size() == 1);
  CHECK_FALSE(source->describe({.table = "w"})->rows.has_value());
  CHECK(first_cells(*source, {.table = "w"}).size() == 2);
  CHECK(source->plan({.table = "e"}, 1)->size() == 1);
  CHECK(source->plan({.table = "v"}, 1)->size() == 1);
  CHECK_FALSE(source->describe({.table = "v"})->rows.has_value());
  CHECK(source->plan({.sql = "SELECT 1"}, 1)->size() == 1);
  CHECK_FALSE(source->describe({.table = "w", .where = "k = 'a'"})->rows.has_value());
}

TEST_CASE("a column that is called rowid does not hide the rows' numbers") {
  const Database db(
      "CREATE TABLE t(rowid TEXT, _rowid_ TEXT); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT "
      "n + 1 FROM c WHERE n < 100) INSERT INTO t SELECT 'x' || n, 'y' FROM c;");
  auto source = db.source();
  const auto chunks = source->plan({.table = "t"}, 25);
  REQUIRE(chunks.has_value());
  CHECK(chunks->size() == 4);
  std::multiset<std::string> seen;
  for (const auto& chunk : *chunks) {
    for (auto& cell : first_cells(*source, {.table = "t"}, chunk)) seen.insert(std::move(cell));
  }
  CHECK(seen.size() == 100);
}

TEST_CASE("single rows are read by their primary key") {
  const Database db(
      "CREATE TABLE t(a INTEGER, b TEXT, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 'it''s'), "
      "(1, 'x'), (2, 'x');");
  auto source = db.source();
  CHECK(
      first_cells(*source, {.table = "t"},
                  {.kind = Chunk::Kind::kKeys, .keys = {{"1", "it's"}, {"2", "x"}, {"3", "x"}}}) ==
      std::vector<std::string>{"1", "2"});
}

TEST_CASE("a misspelt column is an error, not a text") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, sum INTEGER); INSERT INTO t VALUES (1, 2);");
  auto source = db.source();
  const auto columns = source->describe({.table = "t", .columns = {"id", "sume"}});
  REQUIRE_FALSE(columns.has_value());
  CHECK(columns.error().context.find("no such column: sume") != std::string::npos);
  CHECK_FALSE(source->describe({.table = "t", .where = "\"sume\" = 'x'"}).has_value());
}

TEST_CASE("names may have a schema, queries and conditions comments at their end") {
  const Database db("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);");
  auto source = db.source();
  CHECK(first_cells(*source, {.table = "main.t"}).size() == 2);
  CHECK(first_cells(*source, {.table = "\"main\".\"t\""}).size() == 2);
  CHECK(first_cells(*source, {.table = "t", .where = "id = 1 -- the first"}).size() == 1);
  CHECK(first_cells(*source, {.sql = "SELECT * FROM t; -- all /* of */\n /* them */"}).size() == 2);
  CHECK(first_cells(*source, {.table = "t", .order = {"id"}, .limit = 1}).size() == 1);
}

TEST_CASE("an inconsistent source leaves the file to its writers between chunks") {
  const Database db("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);");
  auto source = db.source(false, 3);
  CHECK(source->readers() == 3);
  CHECK(first_cells(*source, {.table = "t"}).size() == 1);
}

TEST_CASE("readers of one source see one state of the data, whatever is written meanwhile") {
  for (const bool is_wal : {true, false}) {
    CAPTURE(is_wal);
    const Database db(std::string(is_wal ? "PRAGMA journal_mode = WAL; " : "") +
                      "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);");
    auto source = db.source(true, 3);
    CHECK(source->readers() == 3);
    CHECK(source->notes().empty());
    // With a rollback journal nobody can write before the source is gone.
    CHECK(db.run("INSERT INTO t VALUES (2);") == is_wal);
    std::vector<std::unique_ptr<Reader>> readers;
    for (int i = 0; i < 3; ++i) {
      auto reader = source->reader();
      REQUIRE(reader.has_value());
      readers.push_back(*std::move(reader));
      CHECK(first_cells(*readers.back(), {.table = "t"}).size() == 1);
    }
    readers.clear();
    CHECK(first_cells(*source, {.table = "t"}).size() == 1);
    source.reset();
    CHECK(db.run("INSERT INTO t VALUES (3);"));
    CHECK(first_cells(*db.source(), {.table = "t"}).size() == (is_wal ? 3 : 2));
  }
}

TEST_CASE("only queries are run, and mistakes come with SQLite's words") {
  const Database db("CREATE TABLE t(id INTEGER PRIMARY KEY);");
  auto source = db.source();
  const auto error = [&](const Selection& selection) {
    auto reader = source->reader();
    REQUIRE(reader.has_value());
    auto stream = (*reader)->open(selection, {});
    return stream ? std::string("no error") : stream.error().context;
  };
  CHECK(error({.table = "nope"}).find("no such table: nope") != std::string::npos);
  CHECK(error({.sql = "DELETE FROM t"}).find("not a query") != std::string::npos);
  CHECK(error({.sql = "SELECT 1; DELETE FROM t"}).find("more than one statement") !=
        std::string::npos);
  CHECK(error({.sql = "SELEC"}).find("syntax error") != std::string::npos);
  CHECK(error({.sql = " ; "}).find("no statement") != std::string::npos);
}

TEST_CASE("source URLs that cannot be opened say why, and never their password") {
  const auto error = [](const std::string& url) {
    const auto opened = open_source({.url = url});
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().context.find("secret") == std::string::npos);
    return opened.error();
  };
  CHECK(error("oracle://u:secret@x").code == ErrorCode::kUnsupported);
  CHECK(error("nothing").code == ErrorCode::kUnsupported);
  CHECK(error("mysql://u:secret@h:0/db").code == ErrorCode::kInvalid);
  CHECK(error("mysql://u:se%zzcret@h/db").code == ErrorCode::kInvalid);
  CHECK(error("postgresql://u:secret@h/db?nonsense=1").code == ErrorCode::kInvalid);
  CHECK(error("sqlite:").code == ErrorCode::kInvalid);
  CHECK(error("sqlite://relative").code == ErrorCode::kInvalid);
  CHECK(error("sqlite:///no/such/file.db").context.find("/no/such/file.db") != std::string::npos);
  CHECK(error("sqlite:/etc/passwd").code == ErrorCode::kIo);
}
