// cache-warm as users run it: against servers without cluster mode.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <nlohmann/json.hpp>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

constexpr const char* kProducts = HEARTH_SOURCE_DIR "/conf/warm/products.toml";

std::string sample_database(const TempDir& dir, int rows) {
  const std::string file = dir.file("products.db");
  REQUIRE(run_command({built("sample-db"), file, std::to_string(rows)}).exit_code == 0);
  return file;
}

void make_database(const std::string& file, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  char* message = nullptr;
  const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
  REQUIRE_MESSAGE(code == SQLITE_OK, (message == nullptr ? "" : message));
  sqlite3_close(db);
}

CommandResult warm(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), built("cache-warm"));
  return run_command(arguments);
}

nlohmann::json summary_of(const CommandResult& result) {
  CAPTURE(result.out);
  CAPTURE(result.err);
  return nlohmann::json::parse(result.out);
}

}  // namespace

TEST_CASE("rows become JSON values with their jittered time to live") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const TempDir dir;
    const std::string source = "sqlite:" + sample_database(dir, 20'000);
    const auto server = start_peer(peer);
    const auto result =
        warm({kProducts, "--source", source, "--target", server->address(), "--json"});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    const auto summary = summary_of(result);
    CHECK(summary["rows_stored"] == 20'000);
    CHECK(summary["rows_unconfirmed"] == 0);
    CHECK(server->run({"DBSIZE"}) == "20000");
    const auto value = nlohmann::json::parse(server->run({"GET", "product:77"}));
    CHECK(value["id"] == 77);
    CHECK(value["details"]["tags"].is_array());
    const long long ttl = std::stoll(server->run({"PTTL", "product:77"}));
    CHECK(ttl > 12 * 3'600'000LL * 89 / 100);
    CHECK(ttl <= 12 * 3'600'000LL * 110 / 100);
    // Again: the same keys, none more.
    CHECK(warm({kProducts, "--source", source, "--target", server->address()}).exit_code == 0);
    CHECK(server->run({"DBSIZE"}) == "20000");
  }
}

TEST_CASE("hashes replace what was there, strings keep their bytes") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const TempDir dir;
    make_database(dir.file("t.db"),
                  "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v BLOB);"
                  "INSERT INTO t VALUES (1, 'one', x'00ff0d0a'), (2, NULL, 'two');");
    const std::string mapping =
        dir.write("m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") + "\"\n" +
                                "[[mapping]]\nname = \"hash\"\ntable = \"t\"\nkey = "
                                "\"h:{id}\"\nvalue = \"hash\"\nttl = \"1h\"\n"
                                "[[mapping]]\nname = \"string\"\ntable = \"t\"\nkey = "
                                "\"{{s}}:{id}\"\nvalue = \"string\"\ncolumn = \"v\"\n");
    const auto server = start_peer(peer);
    server->run({"HSET", "h:2", "stale", "x"});
    const auto result = warm({mapping, "--target", server->address()});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(server->run({"HGET", "h:1", "name"}) == "one");
    CHECK(server->run({"HLEN", "h:2"}) == "2");
    CHECK(server->run({"HEXISTS", "h:2", "stale"}) == "0");
    CHECK(std::stoll(server->run({"PTTL", "h:2"})) > 3'500'000);
    CHECK(server->run({"GET", "{s}:1"}) == std::string("\0\xff\r\n", 4));
    CHECK(server->run({"PTTL", "{s}:1"}) == "-1");
  }
}

TEST_CASE("bad rows are skipped, counted and written down; on request they end the load") {
  const TempDir dir;
  make_database(
      dir.file("t.db"),
      "CREATE TABLE t(id INTEGER, name TEXT);"
      "INSERT INTO t VALUES (1, 'good'), (NULL, 'no key'), (3, CAST(x'ff' AS TEXT)), (4, 'good');");
  const std::string mapping =
      dir.write("m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") +
                              "\"\n[[mapping]]\ntable = \"t\"\nkey = \"k:{id}\"\n");
  const auto server = start_peer(hearth_server());
  const auto skipped = warm(
      {mapping, "--target", server->address(), "--reject-file", dir.file("rejects"), "--json"});
  CHECK(skipped.exit_code == 1);
  CHECK(summary_of(skipped)["rows_stored"] == 2);
  CHECK(summary_of(skipped)["rows_bad"] == 2);
  CHECK(dir.read("rejects") ==
        "{\"mapping\":\"t\",\"row\":2,\"key\":null,\"reason\":\"key column 'id' is NULL\"}\n"
        "{\"mapping\":\"t\",\"row\":3,\"key\":\"k:3\",\"reason\":\"column 'name' is not valid "
        "UTF-8\"}\n");
  // A run that does not begin leaves the file of the one before.
  CHECK(warm({mapping, "--target", "127.0.0.1:1", "--reject-file", dir.file("rejects"), "--only",
              "nope"})
            .exit_code == 2);
  CHECK_FALSE(dir.read("rejects").empty());
  CHECK(warm({mapping, "--target", server->address(), "--max-errors", "-1"}).exit_code == 2);
  CHECK(warm({mapping, "--target", server->address(), "--on-error", "fail"}).exit_code == 5);
  CHECK(warm({mapping, "--target", server->address(), "--max-errors", "1"}).exit_code == 5);
}

TEST_CASE("rows that the server refuses are bad rows with the server's words") {
  const TempDir dir;
  make_database(dir.file("t.db"),
                "CREATE TABLE t(id INTEGER, name TEXT); INSERT INTO t VALUES (1, 'a');");
  const std::string mapping = dir.write(
      "m.toml",
      "[source]\nurl = \"sqlite:" + dir.file("t.db") +
          "\"\n[[mapping]]\ntable = \"t\"\nkey = \"k:{id}\"\nvalue = \"hash\"\nreplace = false\n");
  const auto server = start_peer(hearth_server());
  server->run({"SET", "k:1", "a string"});
  const auto result = warm({mapping, "--target", server->address()});
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("row 1, key 'k:1': the server refused it: WRONGTYPE") != std::string::npos);
}

TEST_CASE("a dry run shows keys and values and needs no server") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 100);
  const auto result = warm({kProducts, "--source", source, "--dry-run", "--show", "1"});
  CHECK(result.exit_code == 0);
  CHECK(result.out.starts_with("product:1\n  SET product:1 {\"id\":1,"));
  CHECK(result.out.find("product:2\n") == std::string::npos);
  CHECK(result.out.find("products: about 100 rows; of the first 100: 100 keys, 0 bad") !=
        std::string::npos);
  const auto json = nlohmann::json::parse(
      warm({kProducts, "--source", source, "--dry-run", "--show", "2", "--json"}).out);
  CHECK(json["mappings"][0]["samples"].size() == 2);
  CHECK(json["mappings"][0]["rows"] == 100);
}

TEST_CASE("a target that is not there is named while it is waited for") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 10);
  const std::string patient = dir.write(
      "patient.toml",
      "[target]\nretry_for = \"1s\"\n[[mapping]]\ntable = \"products\"\nkey = \"{id}\"\n");
  const auto result = warm({patient, "--source", source, "--target", "127.0.0.1:1"});
  CHECK(result.exit_code == 4);
  CHECK(result.err.find("waiting for 127.0.0.1:1: Connection refused") != std::string::npos);
}

TEST_CASE("a single table needs no mapping file") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 500);
  const auto server = start_peer(hearth_server());
  const auto result = warm({"--source", source, "--target", server->address(), "--table",
                            "products", "--key", "p:{id:pad6}", "--ttl", "1h", "--limit", "20"});
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  CHECK(server->run({"DBSIZE"}) == "20");
  CHECK(server->run({"EXISTS", "p:000007"}) == "1");
}

TEST_CASE(
    "a hash that does not fit leaves the one that was there, and the load says why it waits") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const TempDir dir;
    make_database(dir.file("t.db"),
                  "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, "
                  "'new');");
    const std::string mapping = dir.write(
        "m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") +
                      "\"\n[target]\nretry_for = \"500ms\"\n[[mapping]]\ntable = \"t\"\nkey = "
                      "\"h:{id}\"\nvalue = \"hash\"\nttl = \"1h\"\n");
    const auto server = start_peer(peer, {"maxmemory-policy noeviction"});
    server->run({"HSET", "h:1", "v", "old"});
    server->run({"CONFIG", "SET", "maxmemory", "1"});
    const auto result = warm({mapping, "--target", server->address(), "--force"});
    CHECK(result.exit_code == 4);
    CHECK(result.err.find("OOM") + result.out.find("OOM") != 2 * std::string::npos);
    CHECK(server->run({"HGET", "h:1", "v"}) == "old");
    // Without --force it does not even begin.
    CHECK(warm({mapping, "--target", server->address()}).exit_code == 2);
    server->run({"CONFIG", "SET", "maxmemory", "0"});
    CHECK(warm({mapping, "--target", server->address()}).exit_code == 0);
    CHECK(server->run({"HGET", "h:1", "v"}) == "new");
    CHECK(std::stoll(server->run({"PTTL", "h:1"})) > 3'500'000);
  }
}

TEST_CASE("a load that would evict keys stops, and its exit code says so") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const TempDir dir;
    const std::string source = "sqlite:" + sample_database(dir, 100'000);
    const auto server = start_peer(peer, {"maxmemory 8mb", "maxmemory-policy allkeys-lru"});
    const auto result = warm({kProducts, "--source", source, "--target", server->address(),
                              "--rate", "40000", "--force", "--json"});
    CHECK(result.exit_code == 6);
    CHECK(summary_of(result)["result"] == "memory_full");
  }
}

TEST_CASE("a table several of whose rows make one key is not loaded, unless that is wanted") {
  const TempDir dir;
  make_database(dir.file("t.db"),
                "CREATE TABLE t(id INTEGER PRIMARY KEY, code TEXT, v TEXT);"
                "INSERT INTO t VALUES (1, 'a', 'one'), (2, 'b', 'two'), (3, 'a', 'three');");
  const auto server = start_peer(hearth_server());
  const auto mapping = [&](const std::string& lines) {
    return dir.write("m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") +
                                   "\"\n[[mapping]]\nname = \"codes\"\n" + lines);
  };
  const std::string twice = mapping("table = \"t\"\nkey = \"k:{code}\"\n");
  const auto refused = warm({twice, "--target", server->address(), "--json"});
  CHECK(refused.exit_code == 2);
  CHECK(refused.out.find("mapping 'codes': of the first 3 rows, 1 make a key that an earlier one "
                         "made") != std::string::npos);
  CHECK(server->run({"DBSIZE"}) == "0");
  CHECK(warm({twice, "--target", server->address(), "--force"}).exit_code == 0);
  CHECK(server->run({"DBSIZE"}) == "2");
  // A primary key tells rows apart; a hash may be filled by several; queries are not judged.
  for (const std::string lines :
       {"table = \"t\"\nkey = \"p:{id}:{code}\"\n",
        "table = \"t\"\nkey = \"h:{code}\"\nvalue = \"hash\"\nreplace = false\n",
        "query = \"SELECT * FROM t\"\nkey = \"q:{code}\"\n"}) {
    CAPTURE(lines);
    const auto loaded = warm({mapping(lines), "--target", server->address()});
    CHECK_MESSAGE(loaded.exit_code == 0, loaded.err);
  }
}

TEST_CASE("keys that are there stay when only absent ones are wanted") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const TempDir dir;
    make_database(dir.file("t.db"),
                  "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), "
                  "(2, 'b');");
    const std::string mapping =
        dir.write("m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") +
                                "\"\n[[mapping]]\ntable = \"t\"\nkey = \"s:{id}\"\nvalue = "
                                "\"string\"\ncolumn = \"v\"\nonly_if_absent = "
                                "true\n[[mapping.output]]\nkey = \"h:{id}\"\nvalue = "
                                "\"hash\"\nonly_if_absent = true\n");
    const auto server = start_peer(peer);
    server->run({"SET", "s:1", "mine"});
    server->run({"HSET", "h:2", "v", "mine"});
    const auto summary = summary_of(warm({mapping, "--target", server->address(), "--json"}));
    CHECK(summary["exit_code"] == 0);
    CHECK(summary["keys_kept"] == 2);
    CHECK(server->run({"GET", "s:1"}) == "mine");
    CHECK(server->run({"GET", "s:2"}) == "b");
    CHECK(server->run({"HGET", "h:2", "v"}) == "mine");
    CHECK(server->run({"HGET", "h:1", "v"}) == "a");
  }
}

TEST_CASE("a hash that is added to gets its fields and its time to live in one command") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const TempDir dir;
    make_database(dir.file("t.db"),
                  "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a');");
    const std::string mapping =
        dir.write("m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") +
                                "\"\n[[mapping]]\ntable = \"t\"\nkey = \"h:{id}\"\nvalue = "
                                "\"hash\"\nreplace = false\nttl = \"1h\"\n");
    const auto server = start_peer(peer);
    server->run({"HSET", "h:1", "mine", "x"});
    CHECK(warm({mapping, "--target", server->address()}).exit_code == 0);
    CHECK(server->run({"HLEN", "h:1"}) == "3");
    CHECK(std::stoll(server->run({"PTTL", "h:1"})) > 3'500'000);
  }
}

TEST_CASE("an interrupt is heard inside of a query that takes long") {
  const TempDir dir;
  make_database(dir.file("t.db"), "CREATE TABLE t(id INTEGER);");
  const auto server = start_peer(hearth_server());
  ChildProcess load(
      {built("cache-warm"), "--source", "sqlite:" + dir.file("t.db"), "--target", server->address(),
       "--key", "{n}", "--query",
       "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) AS n FROM c"},
      dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] {
    return server->run({"CLIENT", "LIST"}).find("name=cache-warm ") != std::string::npos;
  }));
  load.send(SIGINT);
  const auto code = load.wait(milliseconds{5'000});
  REQUIRE(code.has_value());
  CHECK(*code == 130);
}

TEST_CASE("counts are told to Prometheus while rows move") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 50'000);
  const auto server = start_peer(hearth_server());
  const std::string address = "127.0.0.1:" + std::to_string(free_port());
  ChildProcess load({built("cache-warm"), kProducts, "--source", source, "--target",
                     server->address(), "--rate", "10000", "--metrics", address},
                    dir.file("out"), dir.file("err"));
  CHECK(eventually([&] {
    const auto got = run_command({"python3", "-c",
                                  "import sys,urllib.request; "
                                  "print(urllib.request.urlopen(sys.argv[1]).read().decode())",
                                  "http://" + address + "/metrics"});
    return got.out.find("cache_warm_rows_stored_total{mapping=\"products\"}") != std::string::npos;
  }));
  load.stop(SIGINT);
}

TEST_CASE("each way to fail has its exit code and says what is wrong") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 10);
  const auto says = [](const CommandResult& result, int code, const std::string& words) {
    CAPTURE(result.err);
    CHECK(result.exit_code == code);
    CHECK(result.err.find(words) != std::string::npos);
  };
  says(warm({}), 2, "mapping_file is required");
  says(warm({"/no/such.toml"}), 2, "/no/such.toml: cannot be read");
  says(warm({dir.write("bad.toml", "[source]\nurl = 1\n")}), 2,
       "bad.toml:2: source.url: must be a string");
  says(warm({kProducts, "--only", "nope"}), 2, "there is no such mapping");
  says(warm({kProducts, "--source", "sqlite:/no/such.db", "--null"}), 3, "/no/such.db");
  says(warm({dir.write("table.toml", "[[mapping]]\ntable = \"nope\"\nkey = \"{id}\"\n"), "--source",
             source, "--null"}),
       2, "mapping 'nope': SQLite: no such table: nope");

  const std::string impatient = dir.write(
      "impatient.toml",
      "[target]\nretry_for = \"300ms\"\n[[mapping]]\ntable = \"products\"\nkey = \"{id}\"\n");
  says(warm({impatient, "--source", source, "--target", "127.0.0.1:1"}), 4,
       "127.0.0.1:1: Connection refused");
  const auto locked = start_peer(hearth_server(), {"requirepass secret"});
  says(warm({impatient, "--source", source, "--target", locked->address()}), 4, "NOAUTH");
  says(run_command({"env", "HEARTH_PASSWORD=wrong", built("cache-warm"), impatient, "--source",
                    source, "--target", locked->address()}),
       4, "WRONGPASS");
  CHECK(run_command({"env", "HEARTH_PASSWORD=secret", built("cache-warm"), impatient, "--source",
                     source, "--target", locked->address()})
            .exit_code == 0);
}

TEST_CASE("an interrupt ends the load with a summary in which every row is accounted for") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 50'000);
  const auto server = start_peer(hearth_server());
  ChildProcess load({built("cache-warm"), kProducts, "--source", source, "--target",
                     server->address(), "--rate", "5000", "--json"},
                    dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 500; }));
  load.send(SIGINT);
  const auto code = load.wait(milliseconds{10'000});
  REQUIRE(code.has_value());
  CHECK(*code == 130);
  const auto summary = nlohmann::json::parse(dir.read("out"));
  CHECK(summary["result"] == "interrupted");
  CHECK(summary["rows_stored"] == summary["rows_read"]);
  CHECK(summary["rows_stored"] < 50'000);
  CHECK(server->run({"DBSIZE"}) == std::to_string(summary["rows_stored"].get<int>()));
}

TEST_CASE("a server that restarts empty in the middle has every row in the end") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 20'000);
  auto server = start_peer(hearth_server());
  const int port = server->port();
  ChildProcess load({built("cache-warm"), kProducts, "--source", source, "--target",
                     server->address(), "--rate", "10000", "--json"},
                    dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 1000; }));
  server->process().stop(SIGKILL);
  server = ServerProcess::start(
      {.binary = hearth_server().binary, .config = {"save \"\""}, .port = port});
  REQUIRE(server != nullptr);
  const auto code = load.wait(milliseconds{30'000});
  REQUIRE(code.has_value());
  CHECK(*code == 0);
  const auto summary = nlohmann::json::parse(dir.read("out"));
  CHECK(summary["rows_stored"] == 20'000);
  CHECK(summary["connections_lost"] >= 1);
  // It came back empty; what it had was loaded again.
  CHECK(summary["reloads"] == 1);
  CHECK(server->run({"DBSIZE"}) == "20000");
}

TEST_CASE("a load leaves alone what applications write and remove meanwhile") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 20'000);
  const auto server = start_peer(hearth_server());
  ChildProcess load({built("cache-warm"), kProducts, "--source", source, "--target",
                     server->address(), "--rate", "10000", "--json"},
                    dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 1000; }));
  const auto key = [](int id) { return "product:" + std::to_string(id); };
  REQUIRE(server->run({"EXISTS", key(1)}) == "1");
  REQUIRE(server->run({"EXISTS", key(19'999)}) == "0");
  // Before the row came and after it: changed, removed, and removed without having been there.
  CHECK(server->run({"SET", key(1), "by the application"}) == "OK");
  CHECK(server->run({"SET", key(19'999), "by the application"}) == "OK");
  CHECK(server->run({"DEL", key(2)}) == "1");
  CHECK(server->run({"DEL", key(19'998)}) == "0");
  const auto code = load.wait(milliseconds{30'000});
  REQUIRE(code.has_value());
  CHECK(*code == 0);
  CHECK(server->run({"GET", key(1)}) == "by the application");
  CHECK(server->run({"GET", key(19'999)}) == "by the application");
  CHECK(server->run({"EXISTS", key(2), key(19'998)}) == "0");
  CHECK(server->run({"DBSIZE"}) == "19998");
  const auto summary = nlohmann::json::parse(dir.read("out"));
  CHECK(summary["keys_kept"] == 2);
  CHECK(summary["rows_stored"] == 20'000);
  // No epoch is left open.
  CHECK(server->run({"INFO", "warm"}).find("warm_epochs:0") != std::string::npos);
}

TEST_CASE("a flush in the middle of a load ends with all rows, of after the flush") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 20'000);
  // A reader does not keep this kind of journal from being written to.
  make_database(dir.file("products.db"), "PRAGMA journal_mode=WAL");
  const auto server = start_peer(hearth_server());
  ChildProcess load({built("cache-warm"), kProducts, "--source", source, "--target",
                     server->address(), "--rate", "10000", "--json"},
                    dir.file("out"), dir.file("err"));
  REQUIRE(eventually([&] { return std::stoll(server->run({"DBSIZE"})) > 1000; }));
  make_database(dir.file("products.db"), "DELETE FROM products WHERE id = 5");
  CHECK(server->run({"FLUSHALL"}) == "OK");
  const auto code = load.wait(milliseconds{30'000});
  REQUIRE(code.has_value());
  CHECK(*code == 0);
  CHECK(server->run({"DBSIZE"}) == "19999");
  CHECK(server->run({"EXISTS", "product:5"}) == "0");
  CHECK(nlohmann::json::parse(dir.read("out"))["reloads"] == 1);
}

TEST_CASE("a target without epochs is loaded with a note, or not at all if one is asked for") {
  const auto redis = redis_server();
  if (!redis) return;
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 10);
  const auto server = start_peer(*redis);
  const auto loaded = warm({kProducts, "--source", source, "--target", server->address()});
  CHECK(loaded.exit_code == 0);
  CHECK(loaded.err.find("the target has no warm epochs") != std::string::npos);
  CHECK(server->run({"DBSIZE"}) == "10");
  const auto strict =
      warm({kProducts, "--source", source, "--target", server->address(), "--guard", "epoch"});
  CHECK(strict.exit_code != 0);
  CHECK(strict.err.find("WARM") != std::string::npos);
  const auto off =
      warm({kProducts, "--source", source, "--target", server->address(), "--guard", "off"});
  CHECK(off.exit_code == 0);
  CHECK(off.err.find("warm epochs") == std::string::npos);
}

TEST_CASE("Unix sockets and IPv6 addresses are targets too") {
  const TempDir dir;
  const std::string source = "sqlite:" + sample_database(dir, 1'000);
  const auto server =
      start_peer(hearth_server(), {"bind 127.0.0.1 -::1", "unixsocket " + dir.file("s")});
  CHECK(warm({kProducts, "--source", source, "--target", "unix:" + dir.file("s")}).exit_code == 0);
  CHECK(server->run({"DBSIZE"}) == "1000");
  if (RespClient(server->port(), "::1").is_connected()) {
    CHECK(
        warm({kProducts, "--source", source, "--target", "[::1]:" + std::to_string(server->port())})
            .exit_code == 0);
  } else {
    MESSAGE("skipped: no IPv6 on this machine");
  }
}
