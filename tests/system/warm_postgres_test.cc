// cache-warm from a real PostgreSQL.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/database_process.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

// One server for all tests of this file.
PostgresProcess* postgres() {
  static const std::unique_ptr<PostgresProcess> server = PostgresProcess::start();
  if (!server) MESSAGE("skipped: PostgreSQL is not installed or does not start");
  return server.get();
}

void run_sql(const PostgresProcess& db, const std::string& sql) {
  const auto result = db.run(sql);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

std::string mapping_file(const TempDir& dir, const PostgresProcess& db, const std::string& mappings,
                         const std::string& source_lines = "") {
  return dir.write("m.toml", "[source]\nurl = \"" + db.url() + "\"\n" + source_lines + mappings);
}

CommandResult warm_pg(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), built("cache-warm"));
  return run_command(arguments, milliseconds{120'000});
}

nlohmann::json parsed(const CommandResult& result) {
  CAPTURE(result.out);
  CAPTURE(result.err);
  return nlohmann::json::parse(result.out);
}

}  // namespace

TEST_CASE("every type of PostgreSQL becomes its JSON") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (VALUE > "
          "0); CREATE TABLE types(id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 "
          "float8, n numeric, n2 numeric(10,2), t text, v varchar(10), c char(3), j json, jb "
          "jsonb, d date, tm time, ts timestamp, tz timestamptz, u uuid, by bytea, ai int[], at "
          "text[], a2 int[][], an numeric[], m mood, po positive, iv interval, ip inet, pt point, "
          "tt timetz, x xml, r int4range, g bigint GENERATED ALWAYS AS (id * 2) STORED, o oid)");
  run_sql(
      *db,
      "INSERT INTO types VALUES (1, true, -2, 9223372036854775807, 0.1, 1e300, "
      "12345678901234567890.123456789, -0.50, 'caf\xc3\xa9 \xf0\x9f\x98\x80 \"q\" \\', 'v', "
      "'c', '{\"a\": [1, 2]}', '{\"b\":  null}', '2024-02-29', '23:59:59.5', "
      "'2024-02-29 12:00:00.000001', '2024-02-29 12:00:00+02', "
      "'123e4567-e89b-12d3-a456-426614174000', '\\x00ff', '{1,NULL,3}', '{\"a,b\",\"c\\\"d\"}', "
      "'{{1,2},{3,4}}', '{1.5,2}', 'happy', 7, '1 day 02:00', '10.0.0.1/8', '(1,2)', "
      "'10:00+01', '<a/>', '[1,5)', DEFAULT, 4000000000)");
  run_sql(*db, "INSERT INTO types(id, d, tz, n) VALUES (2, 'infinity', '-infinity', 0)");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const std::string file = mapping_file(
      dir, *db, "[[mapping]]\ntable = \"types\"\nkey = \"t:{id:pad3}\"\nvalue = \"json\"\n");
  const auto result = warm_pg({file, "--target", server->address()});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(server->run({"GET", "t:001"}) ==
        "{\"id\":1,\"b\":true,\"i2\":-2,\"i8\":9223372036854775807,\"f4\":0.1,\"f8\":1e+300,"
        "\"n\":12345678901234567890.123456789,\"n2\":-0.50,"
        "\"t\":\"caf\xc3\xa9 \xf0\x9f\x98\x80 \\\"q\\\" \\\\\",\"v\":\"v\",\"c\":\"c  \","
        "\"j\":{\"a\": [1, 2]},\"jb\":{\"b\": null},\"d\":\"2024-02-29\",\"tm\":\"23:59:59.5\","
        "\"ts\":\"2024-02-29T12:00:00.000001\",\"tz\":\"2024-02-29T10:00:00Z\","
        "\"u\":\"123e4567-e89b-12d3-a456-426614174000\",\"by\":\"AP8=\",\"ai\":[1,null,3],"
        "\"at\":[\"a,b\",\"c\\\"d\"],\"a2\":[[1,2],[3,4]],\"an\":[1.5,2],\"m\":\"happy\",\"po\":7,"
        "\"iv\":\"P1DT2H\",\"ip\":\"10.0.0.1/8\",\"pt\":\"(1,2)\",\"tt\":\"10:00:00+01\","
        "\"x\":\"<a/>\",\"r\":\"[1,5)\",\"g\":2,\"o\":4000000000}");
  const auto second = nlohmann::json::parse(server->run({"GET", "t:002"}));
  CHECK(second["d"] == "infinity");
  CHECK(second["tz"] == "-infinity");
  CHECK(second["n"] == 0);
  CHECK(second["a2"].is_null());
  // The same through a query, whose columns are cast one by one.
  const auto query =
      warm_pg({"--source", db->url(), "--target", server->address(), "--query",
               "SELECT id, iv, m, ai FROM types ORDER BY id; -- all", "--key", "q:{id}"});
  CAPTURE(query.err);
  CHECK(query.exit_code == 0);
  CHECK(server->run({"GET", "q:1"}) == R"({"id":1,"iv":"P1DT2H","m":"happy","ai":[1,null,3]})");
}

TEST_CASE("odd names, empty tables and values of 10 MB are read; a wrong name says so first") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE SCHEMA \"Odd.schema\"; CREATE TABLE \"Odd.schema\".\"Ta\"\"ble\"(\"the id\" int "
          "PRIMARY KEY, \"V\" text); INSERT INTO \"Odd.schema\".\"Ta\"\"ble\" VALUES (1, 'x'), (2, "
          "repeat('\xe2\x82\xac', 3500000)); CREATE TABLE nothing(id int PRIMARY KEY)");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const std::string file = mapping_file(
      dir, *db,
      "[[mapping]]\ntable = '\"Odd.schema\".\"Ta\"\"ble\"'\nkey = \"o:{the id}\"\nvalue = "
      "\"string\"\ncolumn = \"V\"\n[[mapping]]\ntable = \"nothing\"\nkey = \"n:{id}\"\n");
  const auto result = warm_pg({file, "--target", server->address(), "--json"});
  CHECK(parsed(result)["rows_stored"] == 2);
  CHECK(server->run({"STRLEN", "o:2"}) == "10500000");
  const std::string wrong = mapping_file(
      dir, *db,
      "[[mapping]]\ntable = \"nothing\"\nkey = \"n:{id}\"\n[[mapping]]\nname = \"second\"\ntable = "
      "\"nothing\"\nkey = \"{nope}\"\n");
  const auto refused = warm_pg({wrong, "--target", server->address()});
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("mapping 'second': key names column 'nope'") != std::string::npos);
}

TEST_CASE("partitions and blocks are read by several workers, each row once") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE parts(id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE "
          "parts_a PARTITION OF parts FOR VALUES FROM (0) TO (30000); CREATE TABLE parts_b "
          "PARTITION OF parts FOR VALUES FROM (30000) TO (100000); INSERT INTO parts SELECT n, "
          "repeat('x', 150) FROM generate_series(0, 59999) n; ANALYZE parts");
  const TempDir dir;
  const Nodes nodes = start_cluster({hearth_server(), hearth_server(), hearth_server()});
  const std::string file =
      mapping_file(dir, *db,
                   "[[mapping]]\ntable = \"parts\"\nkey = \"p:{id}\"\nttl = \"1h\"\nttl_jitter = "
                   "\"10%\"\n",
                   "workers = 3\nchunk = 5000\n");
  const auto summary =
      parsed(warm_pg({file, "--target", nodes[0]->address(), "--rate", "max", "--json"}));
  CHECK(summary["rows_stored"] == 60'000);
  CHECK(summary["rows_read"] == 60'000);
  CHECK(keys_in(nodes) == 60'000);
  const auto same = parsed(warm_pg({"verify", file, "--target", nodes[0]->address(), "--json"}));
  CHECK(same["keys_same"] == 60'000);
  CHECK(same["exit_code"] == 0);
}

TEST_CASE("a comparison finds what is missing, different or left over, and mends it") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE kinds(id int PRIMARY KEY, tags text[], score float8); INSERT INTO kinds "
          "SELECT n, ARRAY['a' || n, 'b'], n / 4.0 FROM generate_series(1, 300) n");
  const TempDir dir;
  const std::string file = mapping_file(
      dir, *db,
      "[[mapping]]\nname = \"hashes\"\ntable = \"kinds\"\nkey = \"h:{id}\"\nvalue = \"hash\"\n"
      "[[mapping]]\nname = \"sets\"\ntable = \"kinds\"\nkey = \"s:{id}\"\nvalue = \"set\"\ncolumn "
      "= \"tags\"\ngroup = false\n[[mapping]]\nname = \"lists\"\ntable = \"kinds\"\nkey = "
      "\"l:{id}\"\nvalue = \"list\"\ncolumn = \"tags\"\n[[mapping]]\nname = \"ranking\"\nquery = "
      "\"SELECT 'all' AS name, id, score FROM kinds\"\nkey = \"z:{name}\"\nvalue = "
      "\"zset\"\ncolumn = \"id\"\nscore = \"score\"\n");
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    CHECK(parsed(warm_pg({file, "--target", server->address(), "--json"}))["keys_written"] == 901);
    CHECK(server->run({"ZSCORE", "z:all", "3"}) == "0.75");
    CHECK(server->run({"HGET", "h:7", "tags"}) == R"(["a7","b"])");
    CHECK(server->run({"SISMEMBER", "s:7", "a7"}) == "1");
    CHECK(server->run({"LINDEX", "l:7", "0"}) == "a7");
    server->run({"DEL", "h:1"});
    server->run({"SADD", "s:2", "more"});
    server->run({"SET", "l:3", "another type"});
    server->run({"SET", "h:999", "no row"});
    const auto found =
        warm_pg({"verify", file, "--target", server->address(), "--orphans", "report", "--json"});
    CHECK(found.exit_code == 1);
    const auto counts = parsed(found);
    CHECK(counts["keys_same"] == 898);
    CHECK(counts["keys_missing"] == 1);
    CHECK(counts["keys_different"] == 2);
    CHECK(counts["keys_orphaned"] == 1);
    CHECK(warm_pg({"verify", file, "--target", server->address(), "--orphans", "delete", "--repair",
                   "--quiet"})
              .exit_code == 0);
    const auto again =
        warm_pg({"verify", file, "--target", server->address(), "--orphans", "report"});
    CHECK(again.exit_code == 0);
    CHECK(server->run({"EXISTS", "h:999"}) == "0");
  }
}

TEST_CASE("a load that was killed goes on where it was") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE big(id bigint PRIMARY KEY, v text); INSERT INTO big SELECT n * 7, "
          "repeat('y', 100) FROM generate_series(1, 40000) n; ANALYZE big");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const std::string file = mapping_file(
      dir, *db, "[[mapping]]\ntable = \"big\"\nkey = \"b:{id}\"\n", "workers = 2\nchunk = 1000\n");
  ChildProcess load({built("cache-warm"), file, "--target", server->address(), "--checkpoint",
                     dir.file("done"), "--rate", "20000"},
                    "", "");
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 15'000; }));
  load.send(SIGKILL);
  load.wait(milliseconds{5'000});
  const auto summary = parsed(warm_pg({file, "--target", server->address(), "--checkpoint",
                                       dir.file("done"), "--resume", "--json"}));
  CHECK(summary["exit_code"] == 0);
  CHECK(server->run({"DBSIZE"}) == "40000");
  CHECK(summary["rows_resumed"] > 2'000);
  // Chunks come from a sample, so they are not all of one size.
  CHECK(summary["rows_read"].get<int>() + summary["rows_resumed"].get<int>() == 40'000);
  const auto other =
      warm_pg({"--source", db->url(), "--table", "big", "--key", "x:{id}", "--target",
               server->address(), "--checkpoint", dir.file("done"), "--resume"});
  CHECK(other.exit_code != 0);
}

TEST_CASE("rows that were rejected are read again by their primary key") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(
      *db,
      "CREATE TABLE docs(a int, b text, body text, PRIMARY KEY (a, b)); INSERT INTO docs SELECT "
      "n, 'it''s', CASE WHEN n % 10 = 0 THEN 'no json' ELSE '{}' END FROM generate_series(1, "
      "50) n");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const std::string file = mapping_file(
      dir, *db, "[[mapping]]\ntable = \"docs\"\nkey = \"d:{a}\"\njson_columns = [\"body\"]\n");
  const std::string rejects = dir.file("rejects");
  const auto first =
      warm_pg({file, "--target", server->address(), "--reject-file", rejects, "--json"});
  CHECK(first.exit_code == 1);
  CHECK(parsed(first)["rows_bad"] == 5);
  CHECK(dir.read("rejects").find("\"primary_key\":[\"10\",\"it's\"]") != std::string::npos);
  run_sql(*db, "UPDATE docs SET body = '[1]' WHERE a = 10 OR a = 20");
  const auto again = parsed(warm_pg({file, "--target", server->address(), "--replay", rejects,
                                     "--reject-file", dir.file("left"), "--json"}));
  CHECK(again["rows_read"] == 5);
  CHECK(again["rows_stored"] == 2);
  CHECK(server->run({"GET", "d:10"}) == R"({"a":10,"b":"it's","body":[1]})");
}

TEST_CASE("an interrupt is heard inside of a query that sends nothing") {
  auto* db = postgres();
  if (db == nullptr) return;
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  ChildProcess load({built("cache-warm"), "--source", db->url(), "--target", server->address(),
                     "--query", "SELECT 1 AS id, pg_sleep(60)", "--key", "{id}"},
                    dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] {
    return db->run("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep%'")
        .out.starts_with("1");
  }));
  load.send(SIGINT);
  const auto code = load.wait(milliseconds{5'000});
  REQUIRE(code.has_value());
  CHECK(*code == 130);
  CHECK(eventually([&] {
    return db
        ->run(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep%' AND "
            "state = 'active'")
        .out.starts_with("0");
  }));
}

TEST_CASE("rights that are missing are told with the statement that gives them") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(
      *db,
      "CREATE ROLE poor LOGIN; CREATE SCHEMA private; CREATE TABLE private.t(id int PRIMARY "
      "KEY); CREATE TABLE hidden(id int PRIMARY KEY); INSERT INTO hidden VALUES (1), (2); ALTER "
      "TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden TO poor");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  const auto check = [&](const std::string& table) {
    return warm_pg({"check", "--source", db->url("poor"), "--target", server->address(), "--table",
                    table, "--key", "k:{id}"});
  };
  const auto denied = check("private.t");
  CHECK(denied.exit_code == 2);
  CHECK(denied.out.find("GRANT USAGE ON SCHEMA private TO poor;") != std::string::npos);
  CHECK(denied.out.find("GRANT SELECT ON private.t TO poor;") != std::string::npos);
  CHECK(check("hidden").out.find("ALTER ROLE poor BYPASSRLS;") != std::string::npos);
  const auto filtered = warm_pg({"--source", db->url("poor"), "--target", server->address(),
                                 "--table", "hidden", "--key", "k:{id}"});
  CHECK(filtered.exit_code != 0);
  CHECK(filtered.err.find("row-level security") != std::string::npos);
  run_sql(*db, "ALTER ROLE poor BYPASSRLS");
  CHECK(check("hidden").exit_code == 0);
  run_sql(*db, "DROP TABLE hidden; DROP SCHEMA private CASCADE");
  server->run({"ACL", "SETUSER", "narrow", "on", "nopass", "~k:*", "+get", "+ping"});
  const auto narrow = run_command({built("cache-warm"), "check", "--source", db->url(), "--target",
                                   "redis://narrow:x@" + server->address(), "--query",
                                   "SELECT 1 AS id", "--key", "k:{id}"});
  CHECK(narrow.exit_code == 2);
  CHECK(narrow.out.find("ACL SETUSER narrow +set ~k:*") != std::string::npos);
  const auto refused =
      warm_pg({"--source", db->url(), "--target", "redis://narrow:x@" + server->address(),
               "--query", "SELECT 1 AS id", "--key", "k:{id}"});
  CHECK(refused.exit_code == 4);
  CHECK(refused.err.find("ACL SETUSER narrow") != std::string::npos);
}

TEST_CASE("a database that dies in the middle ends the load with its words and no password") {
  const auto own = PostgresProcess::start();
  if (own == nullptr) return;
  run_sql(
      *own,
      "CREATE TABLE big(id int PRIMARY KEY, v text); INSERT INTO big SELECT n, repeat('z', 500) "
      "FROM generate_series(1, 100000) n");
  const TempDir dir;
  const auto server = start_peer(hearth_server());
  std::string url = own->url();
  url.replace(url.find("tester@"), 7, "tester:secret@");
  ChildProcess load({built("cache-warm"), "--source", url, "--target", server->address(), "--table",
                     "big", "--key", "b:{id}", "--rate", "20000", "--source-retry", "1s", "--json"},
                    dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 1'000; }));
  own->stop(SIGQUIT);
  const auto code = load.wait(milliseconds{60'000});
  REQUIRE(code.has_value());
  CHECK(*code == 3);
  const auto summary = nlohmann::json::parse(dir.read("out"));
  CHECK(summary["result"] == "source_failed");
  CHECK(summary["rows_unconfirmed"] == 0);
  CHECK(server->run({"DBSIZE"}) == std::to_string(summary["rows_stored"].get<int>()));
  const auto gone = warm_pg(
      {"--source", url, "--target", server->address(), "--table", "big", "--key", "b:{id}"});
  CHECK(gone.exit_code == 3);
  CHECK(gone.err.find("secret") == std::string::npos);
  CHECK(gone.err.find("tester:***@") != std::string::npos);
}

TEST_CASE(
    "a database that is restarted in the middle of a load is read on, and no row is missing") {
  const auto own = PostgresProcess::start();
  if (own == nullptr) return;
  run_sql(*own,
          "CREATE TABLE big(id int PRIMARY KEY, v text); INSERT INTO big SELECT n, repeat('z', "
          "300) FROM generate_series(1, 60000) n; ANALYZE big");
  // Blocks of the table's file, which are planned anew; and ranges of its key, which go on.
  for (const bool by_key : {false, true}) {
    CAPTURE(by_key);
    const TempDir dir;
    const auto server = start_peer(hearth_server());
    std::vector<std::string> command{
        built("cache-warm"),
        mapping_file(dir, *own, "[[mapping]]\ntable = \"big\"\nkey = \"b:{id}\"\n",
                     "workers = 2\nchunk = 5000\n"),
        "--target",
        server->address(),
        "--rate",
        "20000",
        "--json"};
    if (by_key) command.insert(command.end(), {"--checkpoint", dir.file("done")});
    ChildProcess load(command, dir.file("out"), dir.file("err"));
    REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 8'000; },
                       milliseconds{60'000}));
    own->stop(by_key ? SIGINT : SIGQUIT);
    REQUIRE(own->run_server());
    const auto code = load.wait(milliseconds{120'000});
    REQUIRE(code.has_value());
    CAPTURE(dir.read("err"));
    CHECK(*code == 0);
    const auto summary = nlohmann::json::parse(dir.read("out"));
    CHECK(summary["source_losses"] == 1);
    CHECK(summary["rows_unconfirmed"] == 0);
    CHECK(summary["notes"].dump().find("the database was lost meanwhile") != std::string::npos);
    CHECK(server->run({"DBSIZE"}) == "60000");
    if (by_key)
      CHECK(summary["rows_read"] == 60'000 + summary["rows_again"].get<int>());
    else
      CHECK(summary["rows_read"] == 60'000);
  }
}

TEST_CASE("hot rows of PostgreSQL come first, whatever the keys look like; --where loads some") {
  auto* db = postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE warm_hot(id int, org varchar(20), v text, PRIMARY KEY (org, id)); INSERT "
          "INTO warm_hot SELECT n, 'it''s' || n % 2, 'v' || n FROM generate_series(1, 1000) n");
  const TempDir dir;
  const auto server = start_peer(hearth_server(), {"warm-hot-keys 100"});
  for (const char* key : {"h:it's1:7", "h:it's0:8", "h:it's1:x", "h:it's1:99999999999",
                          "h:it's1:", "h:\xff:9", "h:'); DROP TABLE warm_hot; --:1", "other"})
    server->run({"SET", key, "old"});
  REQUIRE(eventually([&] {
    const auto hot = server->client()->run({"WARM", "HOT"});
    return hot && hot->items().size() == 8;
  }));
  const std::string file = mapping_file(
      dir, *db,
      "[[mapping]]\ntable = \"warm_hot\"\nkey = \"h:{org}:{id}\"\nvalue = \"string\"\ncolumn = "
      "\"v\"\n");
  const auto summary = parsed(warm_pg({file, "--target", server->address(), "--json"}));
  CHECK(summary["exit_code"] == 0);
  CHECK(summary["rows_hot"] == 2);
  CHECK(summary["rows_stored"] == 1002);
  CHECK(server->run({"GET", "h:it's1:7"}) == "v7");
  run_sql(*db, "UPDATE warm_hot SET v = 'new'");
  const auto part = parsed(warm_pg({file, "--target", server->address(), "--json", "--where",
                                    "id <= 10 AND org = 'it''s1' -- some"}));
  CHECK(part["rows_stored"] == 5);
  CHECK(server->run({"GET", "h:it's1:7"}) == "new");
  CHECK(server->run({"GET", "h:it's0:8"}) == "v8");
}
