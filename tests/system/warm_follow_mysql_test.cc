// cache-warm follow on a real MariaDB and a real MySQL.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/system/follower_process.h"
#include "tests/system/my_servers.h"

using namespace hearth::test;

namespace {

template <class Server>
std::unique_ptr<Server> start_followed() {
  auto server = start_my_server<Server>();
  if (!server) return nullptr;
  run_sql(*server,
          std::string("SET GLOBAL binlog_format = 'ROW', innodb_flush_log_at_trx_commit = 2; GRANT "
                      "REPLICATION SLAVE, ") +
              Server::kRightToLog + " ON *.* TO tester@'%'");
  return server;
}

// One server for the tests that do not stop it.
template <class Server>
Server* followed_server() {
  static const std::unique_ptr<Server> server = start_followed<Server>();
  return server.get();
}

class BinlogFollower : public FollowerProcess {
 public:
  BinlogFollower(const MyServerProcess& db, const ServerProcess& cache, std::string name,
                 const std::string& mappings)
      : FollowerProcess(db.url(), cache, std::move(name), mappings), db_(db) {}
  // Whether what is committed now comes to the cache: the position in it passes the log's end.
  bool catches_up() {
    const std::string status = db_.run("SHOW MASTER STATUS").out;
    const auto tab = status.find('\t');
    const std::string file = status.substr(0, tab);
    const long long end = std::stoll(status.substr(tab + 1));
    return eventually(
        [&] {
          // A load saves where it begins.
          if (!is_streaming()) return false;
          const std::string at = saved("position");
          const auto colon = at.find(':');
          if (colon == std::string::npos) return false;
          const std::string at_file = at.substr(0, colon);
          return at_file > file || (at_file == file && std::stoll(at.substr(colon + 1)) >= end);
        },
        milliseconds{60'000});
  }

 private:
  const MyServerProcess& db_;
};

}  // namespace

TEST_CASE_TEMPLATE("every type comes from the log as it comes from a query", Server, MariaDbProcess,
                   MySqlProcess) {
  auto* db = followed_server<Server>();
  if (db == nullptr) return;
  constexpr bool kIsMariaDb = std::is_same_v<Server, MariaDbProcess>;
  run_sql(*db,
          "CREATE TABLE types(id INT PRIMARY KEY, t1 TINYINT, u8 BIGINT UNSIGNED, i8 BIGINT, m "
          "MEDIUMINT, y YEAR, f FLOAT, d DOUBLE, n DECIMAL(30,10), nz DECIMAL(8,2) ZEROFILL, n0 "
          "DECIMAL(20,0), n9 DECIMAL(18,18), b BIT(12), s VARCHAR(20), s2 VARCHAR(300), c CHAR(3), "
          "c2 CHAR(100), tx TEXT, bl BLOB, vb VARBINARY(4), bi BINARY(4), e "
          "ENUM('sad','ha''ppy'), st SET('a','b','c'), dt DATE, dtm DATETIME(6), d3 "
          "DATETIME(3), d0 DATETIME, ts TIMESTAMP NULL, t2 TIMESTAMP(2) NULL, tm TIME(1), t0 TIME, "
          "t6 TIME(6), la VARCHAR(9) CHARACTER SET latin1) CHARACTER SET utf8mb4; CREATE TABLE "
          "seed(id INT PRIMARY KEY); INSERT INTO seed VALUES (1)");
  if (kIsMariaDb) {
    run_sql(*db,
            "ALTER TABLE types ADD j JSON, ADD u UUID, ADD ip INET6, ADD vi INT AS (id * 3) "
            "VIRTUAL, ADD g INT AS (id * 2) STORED, ADD iv INT INVISIBLE");
  }
  const auto cache = start_peer(hearth_server());
  const std::string not_in_log = kIsMariaDb ? R"("la", "u", "ip", "vi")" : R"("la")";
  BinlogFollower follower(
      *db, *cache, "types",
      "[[mapping]]\nname = \"log\"\ntable = \"types\"\nkey = \"t:{id}\"\nexclude = [" + not_in_log +
          "]\n[[mapping]]\nname = \"again\"\ntable = \"types\"\nkey = \"a:{id}\"\n"
          "[[mapping]]\ntable = \"seed\"\nkey = \"s:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  const std::string more_columns = kIsMariaDb ? ", j, u, ip" : "";
  const std::string more_values =
      kIsMariaDb ? R"(, '{"k": [1, null]}', '123e4567-e89b-12d3-a456-426614174000', '::1')" : "";
  run_sql(
      *db,
      "SET time_zone = '+02:00'; INSERT INTO types(id, t1, u8, i8, m, y, f, d, n, nz, n0, n9, b, "
      "s, s2, c, c2, tx, bl, vb, bi, e, st, dt, dtm, d3, d0, ts, t2, tm, t0, t6, la" +
          more_columns +
          ") VALUES (1, -5, 18446744073709551615, "
          "-9223372036854775808, -7, 2024, 0.1, 1e300, -12345678901234567890.123456789, 12.5, "
          "-12345678901234567890, 0.123456789012345678, b'101010101010', 'caf\xc3\xa9 "
          "\xf0\x9f\x98\x80', REPEAT('y', 299), 'c', REPEAT('\xe2\x82\xac', 100), 'a\"b\\\\', "
          "x'00ff', x'01', x'01', 'ha''ppy', 'a,c', '2024-02-29', '2024-02-29 "
          "12:00:00.000001', '2024-02-29 12:00:00.5', '1000-01-01 00:00:00', '2024-02-29 "
          "12:00:00', '2024-02-29 12:00:00.25', '-838:59:59.0', '-00:00:01', '-01:02:03.000004', "
          "'caf\xc3\xa9'" +
          more_values +
          "); SET sql_mode = ''; INSERT INTO types(id, dt, n, e, d0) VALUES (2, '0000-00-00', 0.5, "
          "'nope', '0000-00-00'); INSERT INTO types(id, n, n9) VALUES (3, "
          "99999999999999999999.9999999999, -0.000000000000000001), (4, -0.0000000001, 0)");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"EXISTS", "t:1", "t:4", "a:1"}) == "3");
}

TEST_CASE_TEMPLATE("follow loads, then keeps tables, conditions, groups and documents true", Server,
                   MariaDbProcess, MySqlProcess) {
  auto* db = followed_server<Server>();
  if (db == nullptr) return;
  run_sql(
      *db,
      "CREATE TABLE people(id INT PRIMARY KEY, mail VARCHAR(50), n INT); CREATE TABLE "
      "orders(id INT PRIMARY KEY, who INT, total INT); INSERT INTO people SELECT seq, CONCAT('M', "
      "seq), seq FROM numbers WHERE seq <= 50; INSERT INTO orders SELECT seq, seq % 40, 700 - seq "
      "FROM numbers WHERE seq <= 200");
  const auto cache = start_peer(hearth_server());
  BinlogFollower follower(
      *db, *cache, "kinds",
      "[[mapping]]\nname = \"plain\"\ntable = \"people\"\nkey = "
      "\"p:{id}\"\n[[mapping.output]]\nkey "
      "= \"by-mail:{mail:lower}\"\nvalue = \"string\"\ncolumn = \"id\"\nnull_key = \"skip\"\n"
      "[[mapping]]\nname = \"some\"\ntable = \"people\"\nwhere = \"n > 10\"\nkey = "
      "\"s:{id}\"\nvalue = \"hash\"\n[[mapping]]\nname = \"sets\"\ntable = \"orders\"\nkey = "
      "\"o:{who}\"\nvalue = \"set\"\ncolumn = \"total\"\n[[mapping]]\nname = \"documents\"\nquery "
      "= "
      "\"SELECT p.id, p.mail, o.id AS oid, o.total FROM people p LEFT JOIN orders o ON o.who = "
      "p.id\"\norder_by = [\"total\", \"oid\"]\nkey = \"d:{id}\"\nfields = [\"id\", \"mail\"]\n"
      "embed = { orders = [\"oid\", \"total\"] }\nfollow = { tables = { people = [\"id\"], orders "
      "= [\"who as id\"] } "
      "}\n");
  follower.start();
  REQUIRE(follower.streams());
  run_sql(*db,
          "UPDATE people SET mail = 'changed' WHERE id = 3; UPDATE people SET n = n + 5; START "
          "TRANSACTION; UPDATE people SET id = 1000 WHERE id = 4; DELETE FROM people WHERE id = "
          "5; SAVEPOINT s; DELETE FROM people; ROLLBACK TO s; COMMIT; REPLACE INTO people "
          "VALUES (6, 'replaced', 1); INSERT INTO people VALUES (7, 'dup', 1) ON DUPLICATE KEY "
          "UPDATE mail = 'updated'; UPDATE orders SET who = 2 WHERE id < 20; DELETE FROM "
          "orders WHERE who = 9; FLUSH BINARY LOGS; INSERT INTO orders SELECT seq, seq % 7, "
          "seq FROM numbers WHERE seq BETWEEN 300 AND 400");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"EXISTS", "by-mail:m3", "p:4", "p:5", "d:5"}) == "0");
  CHECK(cache->run({"GET", "by-mail:replaced"}) == "6");
  // Behind the last transaction stand events of the server's own: the position passes them.
  run_sql(*db, "FLUSH BINARY LOGS");
  REQUIRE(follower.catches_up());
  run_sql(*db,
          "ALTER TABLE people ADD COLUMN more INT DEFAULT 3, MODIFY n BIGINT; UPDATE people SET "
          "n = n + 1");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  run_sql(*db, "TRUNCATE TABLE people; INSERT INTO people VALUES (1, 'one', 11, 1)");
  REQUIRE(eventually([&] { return follower.errors().find("truncated") != std::string::npos; }));
  REQUIRE(follower.streams());
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(follower.stop(SIGINT) == 0);
}

TEST_CASE_TEMPLATE("a log that was purged leads to a load that also removes what is gone", Server,
                   MariaDbProcess, MySqlProcess) {
  auto* db = followed_server<Server>();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE gaps(id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO gaps SELECT seq, 'v' "
          "FROM numbers WHERE seq <= 100");
  const auto cache = start_peer(hearth_server());
  BinlogFollower follower(*db, *cache, "gaps", "[[mapping]]\ntable = \"gaps\"\nkey = \"g:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  REQUIRE(follower.catches_up());
  CHECK(follower.stop(SIGTERM) == 0);
  run_sql(*db, "DELETE FROM gaps WHERE id % 10 = 1; UPDATE gaps SET v = 'w'; FLUSH BINARY LOGS");
  const std::string status = db->run("SHOW MASTER STATUS").out;
  const std::string file = status.substr(0, status.find('\t'));
  // The server keeps a file while it believes that a replica reads it.
  REQUIRE(eventually([&] {
    run_sql(*db, "PURGE BINARY LOGS TO '" + file + "'");
    return db->run("SHOW BINARY LOGS").out.starts_with(file);
  }));
  follower.start();
  REQUIRE(eventually([&] { return follower.errors().find("purged") != std::string::npos; }));
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
}

TEST_CASE("follow of a MySQL whose tables cannot be locked begins with the log's file") {
  auto* db = followed_server<MySqlProcess>();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE held(id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO held SELECT seq, 'v' "
          "FROM numbers WHERE seq <= 100");
  const auto cache = start_peer(hearth_server());
  BinlogFollower follower(*db, *cache, "held", "[[mapping]]\ntable = \"held\"\nkey = \"h:{id}\"\n");
  // A transaction that is open for longer than follow waits.
  ChildProcess writer(
      db->command("USE shop; START TRANSACTION; UPDATE held SET v = 'w' WHERE id < 50; SELECT "
                  "SLEEP(5); COMMIT"),
      "", "");
  const auto is_open = [&] {
    return db
        ->run("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT S%'")
        .out.starts_with("1");
  };
  REQUIRE(eventually(is_open));
  follower.start();
  REQUIRE(follower.streams());
  CHECK(follower.errors().find("could not be locked") != std::string::npos);
  REQUIRE(eventually([&] { return !is_open(); }));
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"GET", "h:1"}) == R"({"id":1,"v":"w"})");
}

TEST_CASE_TEMPLATE(
    "kill -9 of follow and of the database under a write load ends with no differing key", Server,
    MariaDbProcess, MySqlProcess) {
  const auto db = start_followed<Server>();
  if (!db) return;
  run_sql(*db,
          "CREATE TABLE busy(id INT PRIMARY KEY, n INT, v VARCHAR(100)); INSERT INTO busy SELECT "
          "seq, "
          "0, 'v' FROM numbers WHERE seq <= 500");
  run_sql(
      *db,
      "\nDELIMITER //\nCREATE PROCEDURE shop.work() BEGIN DECLARE i INT DEFAULT 0; WHILE i < "
      "200000 DO SET i = i + 1; UPDATE busy SET n = n + 1 WHERE id = i % 500 + 1; IF i % 7 = 0 "
      "THEN DELETE FROM busy WHERE id = i % 300 + 1; END IF; IF i % 5 = 0 THEN REPLACE INTO busy "
      "VALUES (i % 300 + 1, i, 'new'); END IF; IF i % 11 = 0 THEN UPDATE IGNORE busy SET id = id "
      "+ 1000 WHERE id = i % 90 + 300; END IF; END WHILE; END//\nDELIMITER ;\n");
  const auto cache = start_peer(hearth_server());
  BinlogFollower follower(*db, *cache, "busy",
                          "[[mapping]]\ntable = \"busy\"\nkey = \"b:{id}\"\n[[mapping]]\nname = "
                          "\"few\"\ntable = \"busy\"\nwhere = \"id < 20\"\nkey = \"f:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  const auto rows_changed = [&] {
    const auto sum = db->run("SELECT SUM(n) FROM shop.busy").out;
    return sum.empty() || sum.starts_with("NULL") ? 0LL : std::stoll(sum);
  };
  const auto writes = [&] {
    return std::make_unique<ChildProcess>(db->command("CALL shop.work()"), "", "");
  };
  auto writer = writes();
  for (int round = 0; round < 3; ++round) {
    const long long before = rows_changed();
    REQUIRE(eventually([&] { return std::abs(rows_changed() - before) > 300; }));
    if (round == 1) {
      db->stop(SIGKILL);
      REQUIRE(eventually([&] { return db->run_server(); }, milliseconds{60'000}));
      run_sql(*db, "SET GLOBAL binlog_format = 'ROW', innodb_flush_log_at_trx_commit = 2");
      writer = writes();
    } else {
      follower.stop(SIGKILL);
      follower.start();
    }
  }
  writer->stop(SIGTERM);
  // The server does not notice that the writer is gone.
  const std::string others =
      "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'root' AND ID <> CONNECTION_ID()";
  CHECK(eventually([&] {
    const std::string ids = db->run(others).out;
    if (ids.empty()) return true;
    static_cast<void>(db->run("KILL " + ids.substr(0, ids.find('\n'))));
    return false;
  }));
  CAPTURE(follower.errors());
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(follower.stop(SIGINT) == 0);
}
