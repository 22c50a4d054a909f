// A temporary file is the database here: SQLite cannot be asked to read through our port.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include <cstdlib>
#include <set>

#include "tests/support/temp_dir.h"
#include "tools/cache_warm/source.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

class Database {
 public:
  explicit Database(const std::string& sql) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path_.c_str(), &db) == SQLITE_OK);
    char* message = nullptr;
    const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
    REQUIRE_MESSAGE(code == SQLITE_OK, (message == nullptr ? "" : message));
    sqlite3_close(db);
  }
  Database(const Database&) = delete;
  std::unique_ptr<Source> source() const {
    auto opened = open_source("sqlite:" + path_);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().context);
    return *std::move(opened);
  }

 private:
  test::TempDir dir_;  // SQLite adds files of its own
  std::string path_ = dir_.file("db");
};

std::vector<std::string> first_cells(Source& source, const Selection& selection,
                                     const Partition& part = {}) {
  auto stream = source.open(selection, part);
  REQUIRE_MESSAGE(stream.has_value(), stream.error().context);
  std::vector<std::string> all;
  for (;;) {
    auto row = (*stream)->next();
    REQUIRE(row.has_value());
    if (!row->has_value()) return all;
    Buffer out;
    append_plain(out, (**row)[0]);
    all.emplace_back(out.view());
  }
}

}  // namespace

TEST_CASE("cells keep the type that each row gives them") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v, j JSON);"
      "INSERT INTO t VALUES (1, 5, '{}'), (2, 1.5, NULL), (3, 'café', '[]'), (4, x'00ff', 1), (5, "
      "NULL, '');");
  auto source = db.source();
  auto stream = source->open({.table = "t"}, {});
  REQUIRE(stream.has_value());
  const auto& columns = (*stream)->columns();
  REQUIRE(columns.size() == 3);
  CHECK(columns[1].name == "v");
  CHECK_FALSE(columns[1].holds_json);
  CHECK(columns[2].holds_json);
  const CellType types[] = {CellType::kInteger, CellType::kReal, CellType::kText, CellType::kBlob,
                            CellType::kNull};
  for (const CellType type : types) {
    auto row = (*stream)->next();
    REQUIRE(row.has_value());
    REQUIRE(row->has_value());
    const Cell& cell = (**row)[1];
    CHECK(cell.type == type);
    if (type == CellType::kText) CHECK(cell.bytes == "café");
    if (type == CellType::kBlob) CHECK(cell.bytes == std::string_view("\0\xff", 2));
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
                    {"rowid >= 2"}) == std::vector<std::string>{"3"});
  CHECK(first_cells(*source, {.sql = "SELECT v || v FROM \"odd \"\"name\" ORDER BY 1 DESC;"}) ==
        std::vector<std::string>{"cc", "bb", "aa"});
}

TEST_CASE("partitions cover every row exactly once") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY); WITH RECURSIVE c(n) AS (SELECT -5 UNION ALL SELECT "
      "n + 3 FROM c WHERE n < 1000) "
      "INSERT INTO t SELECT n FROM c; INSERT INTO t VALUES (9223372036854775807), "
      "(-9223372036854775808);");
  auto source = db.source();
  const auto all = first_cells(*source, {.table = "t"});
  for (const int wanted : {1, 2, 3, 7, 64}) {
    CAPTURE(wanted);
    const auto parts = source->partitions({.table = "t"}, wanted);
    REQUIRE(parts.has_value());
    CHECK(parts->size() <= static_cast<std::size_t>(wanted));
    std::multiset<std::string> seen;
    for (const auto& part : *parts) {
      for (auto& cell : first_cells(*source, {.table = "t"}, part)) seen.insert(std::move(cell));
    }
    CHECK(seen == std::multiset<std::string>(all.begin(), all.end()));
  }
}

TEST_CASE("evenly filled tables split into even parts") {
  const Database db(
      "CREATE TABLE t(id INTEGER PRIMARY KEY); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n "
      "+ 1 FROM c WHERE n < 1000) "
      "INSERT INTO t SELECT n FROM c;");
  auto source = db.source();
  const auto parts = source->partitions({.table = "t"}, 4);
  REQUIRE(parts.has_value());
  REQUIRE(parts->size() == 4);
  for (const auto& part : *parts) CHECK(first_cells(*source, {.table = "t"}, part).size() == 250);
  CHECK(*source->estimate_rows({.table = "t"}) == std::uint64_t{1000});
}

TEST_CASE("what has no rowid is one part without estimate") {
  const Database db(
      "CREATE TABLE w(k TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES ('a'), ('b'); CREATE "
      "TABLE e(id INTEGER PRIMARY KEY);");
  auto source = db.source();
  CHECK(source->partitions({.table = "w"}, 4)->size() == 1);
  CHECK_FALSE(source->estimate_rows({.table = "w"})->has_value());
  CHECK(first_cells(*source, {.table = "w"}).size() == 2);
  CHECK(source->partitions({.table = "e"}, 4)->size() == 1);
  CHECK(source->partitions({.sql = "SELECT 1"}, 4)->size() == 1);
  CHECK_FALSE(source->estimate_rows({.table = "w", .where = "k = 'a'"})->has_value());
}

TEST_CASE("streams of one source see one state of the data") {
  const Database db(
      "PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES "
      "(1);");
  auto source = db.source();
  CHECK(first_cells(*source, {.table = "t"}).size() == 1);
}

TEST_CASE("only queries are run, and mistakes come with SQLite's words") {
  const Database db("CREATE TABLE t(id INTEGER PRIMARY KEY);");
  auto source = db.source();
  const auto error = [&](const Selection& selection) {
    auto stream = source->open(selection, {});
    return stream ? std::string("no error") : stream.error().context;
  };
  CHECK(error({.table = "nope"}).find("no such table: nope") != std::string::npos);
  CHECK(error({.sql = "DELETE FROM t"}).find("not a query") != std::string::npos);
  CHECK(error({.sql = "SELECT 1; DELETE FROM t"}).find("more than one statement") !=
        std::string::npos);
  CHECK(error({.sql = "SELEC"}).find("syntax error") != std::string::npos);
  CHECK(error({.sql = " ; "}).find("no statement") != std::string::npos);
}

TEST_CASE("source URLs that cannot be opened say why") {
  CHECK(open_source("mysql://x").error().code == ErrorCode::kUnsupported);
  CHECK(open_source("nothing").error().code == ErrorCode::kUnsupported);
  CHECK(open_source("sqlite:").error().code == ErrorCode::kInvalid);
  CHECK(open_source("sqlite://relative").error().code == ErrorCode::kInvalid);
  CHECK(open_source("sqlite:///no/such/file.db").error().context.find("/no/such/file.db") !=
        std::string::npos);
  CHECK(open_source("sqlite:/etc/passwd").error().code == ErrorCode::kIo);
}
