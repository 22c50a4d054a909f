// cache-warm from a real MariaDB and a real MySQL.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/system/my_servers.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

// One server for all tests of this file.
template <class Server>
Server* server_of_all() {
  static const std::unique_ptr<Server> server = start_my_server<Server>();
  return server.get();
}

MariaDbProcess* mariadb() { return server_of_all<MariaDbProcess>(); }

CommandResult warm_my(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), built("cache-warm"));
  return run_command(arguments, milliseconds{120'000});
}

nlohmann::json parsed(const CommandResult& result) {
  CAPTURE(result.out);
  CAPTURE(result.err);
  return nlohmann::json::parse(result.out);
}

}  // namespace

TEST_CASE("every type of MariaDB becomes its JSON") {
  auto* db = mariadb();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE types(id INT PRIMARY KEY, t1 TINYINT, u8 BIGINT UNSIGNED, i8 BIGINT, m "
          "MEDIUMINT, y YEAR, f FLOAT, d DOUBLE, n DECIMAL(30,10), nz DECIMAL(8,2) ZEROFILL, b "
          "BIT(12), s VARCHAR(20), c CHAR(3), tx TEXT, bl BLOB, vb VARBINARY(4), e "
          "ENUM('sad','happy'), st SET('a','b','c'), j JSON, dt DATE, dtm DATETIME(6), ts "
          "TIMESTAMP NULL, tm TIME(1), u UUID, ip INET6, g INT AS (id * 2) STORED) CHARACTER SET "
          "utf8mb4");
  run_sql(
      *db,
      "SET time_zone = '+02:00'; INSERT INTO types VALUES (1, -5, 18446744073709551615, "
      "-9223372036854775808, 7, 2024, 0.1, 1e300, -12345678901234567890.123456789, 12.5, "
      "b'101010101010', 'caf\xc3\xa9 \xf0\x9f\x98\x80', 'c', 'a\"b\\\\', x'00ff', x'01', 'happy', "
      "'a,c', '{\"k\": [1, null]}', '2024-02-29', '2024-02-29 12:00:00.000001', "
      "'2024-02-29 12:00:00', '-838:59:59.0', '123e4567-e89b-12d3-a456-426614174000', '::1', "
      "DEFAULT); SET sql_mode = ''; INSERT INTO types(id, dt) VALUES (2, '0000-00-00')");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const auto result = warm_my({"--source", db->url(), "--target", server->address(), "--table",
                               "types", "--key", "t:{id}"});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(server->run({"GET", "t:1"}) ==
        "{\"id\":1,\"t1\":-5,\"u8\":18446744073709551615,\"i8\":-9223372036854775808,\"m\":7,"
        "\"y\":2024,\"f\":0.1,\"d\":1e+300,\"n\":-12345678901234567890.1234567890,\"nz\":12.50,"
        "\"b\":2730,\"s\":\"caf\xc3\xa9 \xf0\x9f\x98\x80\",\"c\":\"c\",\"tx\":\"a\\\"b\\\\\","
        "\"bl\":\"AP8=\",\"vb\":\"AQ==\",\"e\":\"happy\",\"st\":\"a,c\",\"j\":{\"k\": [1, null]},"
        "\"dt\":\"2024-02-29\",\"dtm\":\"2024-02-29T12:00:00.000001\","
        "\"ts\":\"2024-02-29T10:00:00Z\",\"tm\":\"-838:59:59\","
        "\"u\":\"123e4567-e89b-12d3-a456-426614174000\",\"ip\":\"::1\",\"g\":2}");
  const auto second = nlohmann::json::parse(server->run({"GET", "t:2"}));
  CHECK(second["dt"].is_null());
  CHECK(second["u8"].is_null());
}

TEST_CASE_TEMPLATE(
    "tables with gaps, text keys and several columns in the key are read once by all workers",
    Server, MariaDbProcess, MySqlProcess) {
  auto* db = server_of_all<Server>();
  if (db == nullptr) return;
  run_sql(
      *db,
      "CREATE TABLE gaps(id BIGINT PRIMARY KEY, v VARCHAR(100)); INSERT INTO gaps SELECT "
      "IF(seq <= 20000, -seq, seq * 1000000000000), REPEAT('x', 80) FROM (SELECT a.seq + 500 * "
      "(b.seq - 1) AS seq FROM numbers a, numbers b WHERE a.seq <= 500 AND b.seq <= 60) AS many; "
      "CREATE "
      "TABLE `na``me d`(`the key` VARCHAR(20), n INT UNSIGNED, PRIMARY KEY (`the key`, n)); "
      "INSERT INTO `na``me d` SELECT CONCAT('k\xc3\xa9', seq DIV 3), seq FROM (SELECT a.seq + 500 "
      "* "
      "(b.seq - 1) AS seq FROM numbers a, numbers b WHERE a.seq <= 500 AND b.seq <= 18) AS many; "
      "ANALYZE TABLE gaps; ANALYZE TABLE `na``me d`");
  const TempDir dir;
  const Nodes nodes = start_cluster({hearth_server(), hearth_server(), hearth_server()});
  const std::string file = dir.write(
      "m.toml", "[source]\nurl = \"" + db->url() +
                    "\"\nworkers = 3\nchunk = 2000\n[[mapping]]\ntable = \"gaps\"\nkey = "
                    "\"g:{id}\"\n[[mapping]]\nname = \"named\"\ntable = 'na`me d'\nkey = \"n:{the "
                    "key:url}:{n}\"\nvalue = \"hash\"\nttl = \"1h\"\n");
  const auto result = warm_my({file, "--target", nodes[0]->address(), "--rate", "max", "--json"});
  CAPTURE(result.err);
  const auto summary = parsed(result);
  CHECK(summary["exit_code"] == 0);
  CHECK(summary["rows_stored"] == 39'000);
  CHECK(keys_in(nodes) == 39'000);
  const auto same = parsed(warm_my({"verify", file, "--target", nodes[0]->address(), "--json"}));
  CHECK(same["keys_same"] == 39'000);
}

TEST_CASE("values of 10 MB and broken encodings come through, or are bad rows") {
  auto* db = mariadb();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE large(id INT PRIMARY KEY, v LONGTEXT CHARACTER SET utf8mb4, b LONGBLOB); "
          "INSERT INTO large VALUES (1, REPEAT('\xe2\x82\xac', 3500000), NULL), (2, 'small', "
          "REPEAT(x'00ff', 2000000)), (3, NULL, NULL); CREATE TABLE empty_one(id INT PRIMARY KEY)");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const std::string file = dir.write(
      "m.toml", "[source]\nurl = \"" + db->url() +
                    "\"\n[[mapping]]\ntable = \"large\"\nkey = \"l:{id}\"\nvalue = "
                    "\"string\"\ncolumn = \"v\"\nnull_value = "
                    "\"empty\"\n[[mapping.output]]\nkey = \"b:{id}\"\nvalue = "
                    "\"string\"\ncolumn = \"b\"\nnull_value = \"skip\"\n[[mapping]]\ntable = "
                    "\"empty_one\"\nkey = \"e:{id}\"\n");
  const auto summary = parsed(warm_my({file, "--target", server->address(), "--json"}));
  CHECK(summary["exit_code"] == 0);
  CHECK(server->run({"STRLEN", "l:1"}) == "10500000");
  CHECK(server->run({"GET", "l:2"}) == "small");
  CHECK(server->run({"GET", "l:3"}).empty());
  CHECK(server->run({"STRLEN", "b:2"}) == "4000000");
  CHECK(server->run({"DBSIZE"}) == "4");
  const auto binary =
      parsed(warm_my({"--source", db->url(), "--target", server->address(), "--query",
                      "SELECT 1 AS id, CAST(x'ff' AS CHAR CHARACTER SET "
                      "latin1) AS v",
                      "--key", "x:{id}", "--json"}));
  CHECK(binary["rows_stored"] == 1);
  CHECK(server->run({"GET", "x:1"}) == "{\"id\":1,\"v\":\"\xc3\xbf\"}");
}

TEST_CASE("an interrupt ends a query that sends nothing") {
  auto* db = mariadb();
  if (db == nullptr) return;
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  ChildProcess load({built("cache-warm"), "--source", db->url(), "--target", server->address(),
                     "--query", "SELECT 1 AS id, SLEEP(60) AS s", "--key", "{id}"},
                    dir.file("out"), dir.file("err"));
  const auto is_sleeping = [&] {
    return db->run("SELECT count(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'")
        .out.starts_with("1");
  };
  REQUIRE(eventually(is_sleeping));
  load.send(SIGINT);
  const auto code = load.wait(milliseconds{5'000});
  REQUIRE(code.has_value());
  CHECK(*code == 130);
  CHECK(eventually([&] { return !is_sleeping(); }));
}

TEST_CASE("missing rights are told with the statement that gives them, and no password is shown") {
  auto* db = mariadb();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE closed(id INT PRIMARY KEY); CREATE USER poor@'%' IDENTIFIED BY 'hush'; "
          "CREATE TABLE open_one(id INT PRIMARY KEY); GRANT SELECT ON shop.open_one TO poor@'%'");
  const auto server = start_peer(hearth_server());
  const auto denied = warm_my({"check", "--source", db->url("poor:hush"), "--target",
                               server->address(), "--table", "closed", "--key", "k:{id}"});
  CHECK(denied.exit_code == 2);
  CHECK(denied.out.find("GRANT SELECT ON `shop`.`closed` TO 'poor'@'%';") != std::string::npos);
  CHECK(warm_my({"check", "--source", db->url("poor:hush"), "--target", server->address(),
                 "--table", "open_one", "--key", "k:{id}"})
            .exit_code == 0);
  const auto wrong = warm_my({"--source", db->url("poor:wrong-secret"), "--target",
                              server->address(), "--table", "open_one", "--key", "k:{id}"});
  CHECK(wrong.exit_code == 3);
  CHECK(wrong.err.find("wrong-secret") == std::string::npos);
  CHECK(wrong.err.find("Access denied") != std::string::npos);
  const auto by_environment =
      run_command({"env", "MYSQL_PWD=hush", built("cache-warm"), "--source", db->url("poor"),
                   "--target", server->address(), "--table", "open_one", "--key", "k:{id}"});
  CHECK(by_environment.exit_code == 0);
}

TEST_CASE("a MariaDB that dies in the middle ends the load; what was sent is accounted for") {
  auto* db = mariadb();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE dying(id INT PRIMARY KEY, v VARCHAR(600)); INSERT INTO dying SELECT seq, "
          "REPEAT('z', 500) FROM seq_1_to_100000");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  ChildProcess load(
      {built("cache-warm"), "--source", db->url(), "--target", server->address(), "--table",
       "dying", "--key", "b:{id}", "--rate", "20000", "--source-retry", "1s", "--json"},
      dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 1'000; }));
  db->stop(SIGKILL);
  const auto code = load.wait(milliseconds{60'000});
  REQUIRE(code.has_value());
  CHECK(*code == 3);
  const auto summary = nlohmann::json::parse(dir.read("out"));
  CHECK(summary["rows_unconfirmed"] == 0);
  CHECK(server->run({"DBSIZE"}) == std::to_string(summary["rows_stored"].get<int>()));
  CHECK(db->run_server());
}

TEST_CASE("hot rows of MariaDB come first, whatever the keys look like; --where loads some") {
  auto* db = mariadb();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE warm_hot(id INT UNSIGNED, org VARCHAR(20), v TEXT, PRIMARY KEY (org, id)); "
          "INSERT INTO warm_hot SELECT seq, CONCAT('it''s', seq % 2), CONCAT('v', seq) FROM "
          "seq_1_to_1000");
  const auto server = start_peer(hearth_server(), {"warm-hot-keys 100"});
  for (const char* key : {"h:it's1:7", "h:it's0:8", "h:it's1:x", "h:it's1:-1",
                          "h:it's1:", "h:\xff:9", "h:\\'); DROP TABLE warm_hot; -- :1", "other"})
    server->run({"SET", key, "old"});
  REQUIRE(eventually([&] {
    const auto hot = server->client()->run({"WARM", "HOT"});
    return hot && hot->items().size() == 8;
  }));
  const TempDir dir;
  const std::string file = dir.write(
      "m.toml", "[source]\nurl = \"" + db->url() +
                    "\"\n[[mapping]]\ntable = \"warm_hot\"\nkey = \"h:{org}:{id}\"\nvalue = "
                    "\"string\"\ncolumn = \"v\"\n");
  const auto load = [&](std::vector<std::string> more) {
    std::vector<std::string> command{built("cache-warm"), file, "--target", server->address(),
                                     "--json"};
    command.insert(command.end(), more.begin(), more.end());
    const auto result = run_command(command, milliseconds{120'000});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return nlohmann::json::parse(result.out);
  };
  const auto summary = load({});
  CHECK(summary["rows_hot"] == 2);
  CHECK(summary["rows_stored"] == 1002);
  CHECK(server->run({"GET", "h:it's1:7"}) == "v7");
  run_sql(*db, "UPDATE warm_hot SET v = 'new'");
  CHECK(load({"--where", "id <= 10 AND org = 'it''s1' -- some"})["rows_stored"] == 5);
  CHECK(server->run({"GET", "h:it's1:7"}) == "new");
  CHECK(server->run({"GET", "h:it's0:8"}) == "v8");
}
