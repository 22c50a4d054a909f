// A node that waits until it is warm, the loader that it runs, and the keys that come first.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

constexpr const char* kLoading = "-LOADING Redis is loading the dataset in memory";
// For what takes a loader's whole run, on a slow machine too.
constexpr milliseconds kLong{120'000};

void write_database(const std::string& file, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

std::string rows_sql(int rows) {
  return "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION "
         "ALL SELECT i + 1 FROM n WHERE i < " +
         std::to_string(rows) + ") INSERT INTO t SELECT i, 'v' || i FROM n;";
}

std::string mapping_of(const TempDir& dir, const std::string& more = "") {
  return dir.write("m.toml", "[source]\nurl = \"sqlite:" + dir.file("t.db") +
                                 "\"\n[[mapping]]\nname = \"rows\"\ntable = \"t\"\nkey = "
                                 "\"row:{id}\"\nvalue = \"string\"\ncolumn = \"v\"\n" +
                                 more);
}

CommandResult load(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), built("cache-warm"));
  return run_command(arguments, kLong);
}

std::unique_ptr<ServerProcess> start_cold(std::vector<std::string> config,
                                          std::shared_ptr<TempDir> dir = nullptr) {
  config.insert(config.end(), {"save \"\"", "appendonly no"});
  auto server = ServerProcess::start({.binary = hearth_server().binary,
                                      .config = std::move(config),
                                      .dir = std::move(dir),
                                      .may_be_loading = true});
  REQUIRE(server != nullptr);
  return server;
}

// A process that has ended may wait for a parent that asks for it.
bool has_ended(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(stat, text)) return true;
  const auto end = text.rfind(") ");
  return end != std::string::npos && text[end + 2] == 'Z';
}

bool info_has(const ServerProcess& server, const std::string& line) {
  return server.run({"INFO", "warm"}).find(line) != std::string::npos;
}

}  // namespace

TEST_CASE("a cold node answers LOADING until cache-warm has filled it") {
  const TempDir dir;
  write_database(dir.file("t.db"), rows_sql(5000));
  const auto server = start_cold({"warm-gate loading", "warm-gate-deadline 3600"});
  CHECK(server->run({"GET", "row:7"}) == kLoading);
  CHECK(info_has(*server, "warm_state:cold"));
  const auto result = load({mapping_of(dir), "--target", server->address()});
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  CHECK(server->run({"GET", "row:7"}) == "v7");
  CHECK(info_has(*server, "warm_opened_by:rows"));
  CHECK(info_has(*server, "warm_mapping_rows:state=ready,done=5000,total=5000"));
  CHECK(server->log().find("The warm gate is open: as many rows") != std::string::npos);
  // A part of a load does not open the gate of another node, and a hand does.
  const auto other = start_cold({"warm-gate loading", "warm-gate-deadline 3600"});
  CHECK(load({mapping_of(dir), "--target", other->address(), "--limit", "10"}).exit_code == 0);
  CHECK(other->run({"GET", "row:7"}) == kLoading);
  CHECK(other->run({"WARM", "OPEN"}) == "1");
  CHECK(other->run({"GET", "row:7"}) == "v7");
}

TEST_CASE("a mapping whose rows are all there is ready while another one is loaded") {
  const TempDir dir;
  write_database(dir.file("t.db"), rows_sql(2000));
  const auto server = start_cold({"warm-gate loading", "warm-gate-deadline 3600"});
  const std::string file = mapping_of(dir,
                                      "[[mapping]]\nname = \"slow\"\ntable = \"t\"\nkey = "
                                      "\"slow:{id}\"\nrate = 20\n");
  ChildProcess loader({built("cache-warm"), file, "--target", server->address()}, dir.file("out"),
                      dir.file("err"));
  CHECK(eventually([&] {
    return info_has(*server, "warm_mapping_rows:state=ready,done=2000,total=2000") &&
           info_has(*server, "warm_mapping_slow:state=warming");
  }));
  CHECK(server->run({"GET", "row:7"}) == kLoading);
  CHECK(loader.stop(SIGINT) == 130);
}

TEST_CASE("the gate opens at its deadline, and a node that has its data needs no loader") {
  const auto dir = std::make_shared<TempDir>();
  const auto cold = start_cold({"warm-gate loading", "warm-gate-deadline 1"}, dir);
  CHECK(eventually([&] { return cold->run({"SET", "k", "v"}) == "OK"; }));
  CHECK(info_has(*cold, "warm_opened_by:deadline"));
  cold->client()->run({"SHUTDOWN", "SAVE"});
  CHECK(eventually([&] { return !cold->process().is_running(); }));
  const auto again = start_cold({"warm-gate loading", "warm-gate-deadline 3600"}, dir);
  CHECK(eventually([&] { return again->run({"GET", "k"}) == "v"; }));
  CHECK(info_has(*again, "warm_opened_by:own-data"));
}

TEST_CASE("data that was saved before the gate opened does not make the next start ready") {
  for (const char* log : {"appendonly no", "appendonly yes"}) {
    CAPTURE(log);
    const auto dir = std::make_shared<TempDir>();
    const auto start = [&] {
      auto server = ServerProcess::start(
          {.binary = hearth_server().binary,
           .config = {"warm-gate loading", "warm-gate-deadline 3600", "save \"\"", log},
           .dir = dir,
           .may_be_loading = true});
      REQUIRE(server != nullptr);
      return server;
    };
    const auto half = start();
    const auto loader = half->client();
    CHECK(loader->text({"WARM", "LOADER"}) == "OK");
    CHECK(loader->text({"SET", "row:1", "v1"}) == "OK");
    loader->run({"SHUTDOWN", "SAVE"});
    CHECK(eventually([&] { return !half->process().is_running(); }, kLong));
    const auto next = start();
    CHECK(eventually([&] { return info_has(*next, "warm_gate:closed"); }));
    CHECK(next->run({"GET", "row:1"}) == kLoading);
    CHECK(next->run({"WARM", "OPEN"}) == "1");
    CHECK(next->run({"GET", "row:1"}) == "v1");
    next->client()->run({"SHUTDOWN", "SAVE"});
    CHECK(eventually([&] { return !next->process().is_running(); }, kLong));
    const auto last = start();
    CHECK(eventually([&] { return last->run({"GET", "row:1"}) == "v1"; }));
  }
}

TEST_CASE("a node that is not warm takes no slots and its replica is not promoted") {
  const std::vector<std::string> config = cluster_config(
      {"warm-gate loading", "warm-gate-deadline 3600", "repl-diskless-sync-delay 0"});
  Nodes nodes;
  for (int i = 0; i < 2; ++i) nodes.push_back(start_cold(config));
  ServerProcess& primary = *nodes[0];
  ServerProcess& replica = *nodes[1];
  REQUIRE(primary.run({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}) == "OK");
  REQUIRE(primary.run({"CLUSTER", "MEET", "127.0.0.1", std::to_string(replica.port())}) == "OK");
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 2); }, milliseconds{60'000}));
  const std::string id = primary.run({"CLUSTER", "MYID"});
  CHECK(replica.run({"CLUSTER", "SETSLOT", "1", "IMPORTING", id})
            .starts_with("-ERR this node is "
                         "not warm yet"));
  CHECK(replica.run({"CLUSTER", "MIGRATION", "IMPORT", "0", "9"})
            .starts_with("-ERR this node is not warm yet"));
  REQUIRE(replica.run({"CLUSTER", "REPLICATE", id}) == "OK");
  REQUIRE(eventually(
      [&] {
        return replica.run({"INFO", "replication"}).find("master_link_status:up") !=
               std::string::npos;
      },
      milliseconds{60'000}));
  // Its primary is not ready, so neither is the copy.
  CHECK(replica.run({"CLUSTER", "FAILOVER"}).starts_with("-ERR this node is not warm yet"));
  CHECK(replica.run({"CLUSTER", "FAILOVER", "FORCE"}).starts_with("-ERR this node is not warm"));
  CHECK(primary.run({"WARM", "READY"}) == "OK");
  CHECK(eventually([&] { return info_has(replica, "warm_opened_by:primary"); },
                   milliseconds{30'000}));
  CHECK(replica.run({"CLUSTER", "FAILOVER"}) == "OK");
  CHECK(eventually([&] { return replica.run({"ROLE"}).starts_with("master"); },
                   milliseconds{60'000}));
}

TEST_CASE("the server runs its loader: over a Unix socket, with its password") {
  const TempDir dir;
  write_database(dir.file("t.db"), rows_sql(3000));
  const std::string socket = dir.file("s");
  const auto server =
      start_cold({"warm-gate loading", "warm-gate-deadline 3600", "unixsocket " + socket,
                  "requirepass secret", "warm " + mapping_of(dir)});
  const auto client = server->client();
  REQUIRE(client->text({"AUTH", "secret"}) == "OK");
  CHECK(eventually([&] { return client->text({"GET", "row:3000"}) == "v3000"; }, kLong));
  CHECK(eventually(
      [&] {
        return client->text({"INFO", "warm"}).find("warm_loader:done") != std::string::npos;
      },
      kLong));
  const std::string info = client->text({"INFO", "warm"});
  CHECK(info.find("warm_opened_by:rows") != std::string::npos);
  CHECK(info.find("warm_loader_runs:1") != std::string::npos);
  const std::string log = server->log();
  CHECK(log.find("The loader is done (exit code 0)") != std::string::npos);
  CHECK(log.find("cache-warm: rows: 3,000 rows read, 3,000 stored") != std::string::npos);
  CHECK(log.find("secret") == std::string::npos);
}

TEST_CASE("a loader without its database is started again, and ends with the server") {
  const TempDir dir;
  const auto server =
      start_cold({"warm-gate loading", "warm-gate-deadline 3600", "warm " + mapping_of(dir)});
  CHECK(eventually(
      [&] { return server->log().find("is started again in 1 s") != std::string::npos; }, kLong));
  CHECK(server->run({"GET", "row:1"}) == kLoading);
  write_database(dir.file("t.db"), rows_sql(10));
  CHECK(eventually([&] { return server->run({"GET", "row:1"}) == "v1"; }, kLong));
  CHECK(eventually([&] { return info_has(*server, "warm_loader:done"); }, kLong));
  CHECK_FALSE(info_has(*server, "warm_loader_runs:1\r"));
  // A mapping that is wrong stays so.
  const auto wrong = start_cold({"warm " + dir.write("wrong.toml", "[[mapping]]\n")});
  CHECK(eventually([&] { return info_has(*wrong, "warm_loader:failed"); }, kLong));
  CHECK(wrong->run({"SET", "k", "v"}) == "OK");
  // One that is at work when the server ends.
  write_database(dir.file("t.db"), "DROP TABLE t; " + rows_sql(20'000));
  const auto busy = start_cold({"warm " + mapping_of(dir, "rate = 10\n")});
  CHECK(eventually([&] { return info_has(*busy, "warm_loader:running"); }, kLong));
  const std::string log = busy->log();
  const auto at = log.find("PID ", log.find("The loader is started"));
  REQUIRE(at != std::string::npos);
  const int loader = std::stoi(log.substr(at + 4));
  CHECK_FALSE(has_ended(loader));
  busy->process().send(SIGTERM);
  CHECK(eventually([&] { return !busy->process().is_running(); }, milliseconds{60'000}));
  CHECK(eventually([&] { return has_ended(loader); }, milliseconds{60'000}));
}

TEST_CASE("the keys that were used most are loaded first after a restart") {
  const TempDir data;
  write_database(data.file("t.db"), rows_sql(2000));
  const auto dir = std::make_shared<TempDir>();
  const std::vector<std::string> config{"warm-hot-keys 40"};
  auto first = start_cold(config, dir);
  CHECK(load({mapping_of(data), "--target", first->address()}).exit_code == 0);
  // The access times of keys are whole seconds: these are used until they are the newest.
  const auto client = first->client();
  const auto are_hottest = [&] {
    for (int i = 1; i <= 40; ++i) client->text({"GET", "row:" + std::to_string(i)});
    const auto hot = client->run({"WARM", "HOT"});
    if (!hot || hot->items().size() != 40) return false;
    for (const auto& key : hot->items()) {
      if (std::stoi(std::string(key.text().substr(4))) > 40) return false;
    }
    return true;
  };
  CHECK(eventually(are_hottest, milliseconds{60'000}));
  client->run({"SHUTDOWN", "NOSAVE"});
  CHECK(eventually([&] { return !first->process().is_running(); }, milliseconds{60'000}));
  const auto next = start_cold(config, dir);
  CHECK(next->run({"DBSIZE"}) == "0");
  const std::string mapping = mapping_of(
      data, "[[mapping]]\nname = \"padded\"\ntable = \"t\"\nkey = \"padded:{id:pad9}\"\n");
  const auto result = load({mapping, "--target", next->address(), "--json"});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  const auto summary = nlohmann::json::parse(result.out);
  CHECK(summary["mappings"][0]["rows_hot"] == 40);
  CHECK(summary["mappings"][1]["rows_hot"] == 0);
  CHECK(summary["notes"].dump().find("mapping 'padded': the keys that are used most are not loaded "
                                     "first, since its key has formats") != std::string::npos);
  CHECK(next->run({"DBSIZE"}) == "4000");
  // A damaged file is told of, and no more.
  next->process().stop(SIGKILL);
  dir->write("hot-keys.dat", "HEARTHK1 nonsense that is long enough");
  const auto damaged = start_cold(config, dir);
  CHECK(damaged->log().find("hot-keys.dat: the list of hot keys has another checksum") !=
        std::string::npos);
  CHECK(damaged->run({"WARM", "HOT"}) == "");
}

TEST_CASE("--where loads some rows of one mapping and leaves all other keys alone") {
  const TempDir dir;
  write_database(dir.file("t.db"), rows_sql(1000));
  const std::string file = mapping_of(
      dir,
      "[[mapping]]\nname = \"query\"\nquery = \"SELECT id, v FROM t ORDER BY id -- all\"\nkey = "
      "\"q:{id}\"\n[[mapping]]\nname = \"groups\"\nquery = \"SELECT id % 10 AS g, id FROM t ORDER "
      "BY "
      "g\"\nkey = \"g:{g}\"\nvalue = \"set\"\ncolumn = \"id\"\n");
  const auto server = start_peer(hearth_server());
  const std::string target = server->address();
  CHECK(load({file, "--target", target}).exit_code == 0);
  write_database(dir.file("t.db"),
                 "UPDATE t SET v = 'new' || id WHERE id <= 20; DELETE FROM t "
                 "WHERE id = 900");
  server->run({"SET", "row:500", "by the application"});
  const auto part = load({file, "--target", target, "--mapping", "rows", "--where",
                          "id <= 10 -- a comment", "--json"});
  CAPTURE(part.err);
  REQUIRE(part.exit_code == 0);
  CHECK(nlohmann::json::parse(part.out)["rows_stored"] == 10);
  CHECK(server->run({"GET", "row:10"}) == "new10");
  CHECK(server->run({"GET", "row:11"}) == "v11");
  CHECK(server->run({"GET", "row:500"}) == "by the application");
  CHECK(server->run({"EXISTS", "row:900"}) == "1");
  const auto query = load({file, "--target", target, "--mapping", "query", "--where",
                           "v LIKE 'new%' AND (id > 15)", "--json"});
  CAPTURE(query.err);
  REQUIRE(query.exit_code == 0);
  CHECK(nlohmann::json::parse(query.out)["rows_stored"] == 5);
  CHECK(server->run({"GET", "q:16"}) == R"({"id":16,"v":"new16"})");
  CHECK(server->run({"GET", "q:15"}) == R"({"id":15,"v":"v15"})");
  const auto says = [&](std::vector<std::string> more, const std::string& what) {
    more.insert(more.begin(), {file, "--target", target});
    const auto refused = load(more);
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 2);
    CHECK(refused.err.find(what) != std::string::npos);
  };
  says({"--where", "id < 5"}, "name one with --mapping");
  says({"--mapping", "groups", "--where", "id < 5"}, "several rows of mapping 'groups'");
  says({"--mapping", "rows", "--where", "id < 5) OR (1 = 1"}, "--where: ')' without '('");
  says({"--mapping", "rows", "--where", "v = 'x"}, "--where: a quote does not end");
  says({"--mapping", "rows", "--where", "1; DROP TABLE t"}, "--where: ';' ends a statement");
  says({"--mapping", "rows", "--where", "nope = 1"}, "nope");
}
