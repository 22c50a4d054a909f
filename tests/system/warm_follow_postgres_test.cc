// cache-warm follow on a real PostgreSQL.
#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/support/database_process.h"
#include "tests/system/follower_process.h"

using namespace hearth::test;

namespace {

const std::vector<std::string> kLogical = {"wal_level=logical", "max_wal_senders=8",
                                           "max_replication_slots=8"};

// One server for the tests that do not stop it.
PostgresProcess* followed_postgres() {
  static const std::unique_ptr<PostgresProcess> server = PostgresProcess::start(kLogical);
  if (!server) MESSAGE("skipped: PostgreSQL is not installed or does not start");
  return server.get();
}

void run_sql(const PostgresProcess& db, const std::string& sql) {
  const auto result = db.run(sql);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

class PostgresFollower : public FollowerProcess {
 public:
  PostgresFollower(const PostgresProcess& db, const ServerProcess& cache, std::string name,
                   const std::string& mappings)
      : FollowerProcess(db.url(), cache, std::move(name), mappings), db_(db) {}
  // Whether all that is committed now was acknowledged and confirmed in the end.
  bool catches_up() {
    const std::string end = db_.run("SELECT pg_current_wal_insert_lsn()").out;
    run_sql(db_, "SELECT pg_logical_emit_message(false, 'test', 'x')");
    const std::string sql = "SELECT confirmed_flush_lsn >= '" + end.substr(0, end.find('\n')) +
                            "' FROM pg_replication_slots WHERE slot_name = '" + name() + "'";
    // The slot of a load is confirmed where the load begins.
    return eventually([&] { return is_streaming() && db_.run(sql).out.starts_with("t"); },
                      milliseconds{60'000});
  }

 private:
  const PostgresProcess& db_;
};

}  // namespace

TEST_CASE("follow loads, then keeps every kind of mapping true") {
  auto* db = followed_postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE people(id int PRIMARY KEY, "
          "mail text, n numeric, at timestamptz, m mood, big text, tags text[], j jsonb, i "
          "interval, double int GENERATED ALWAYS AS (id * 2) STORED); ALTER TABLE people ALTER "
          "big SET STORAGE EXTERNAL, REPLICA IDENTITY FULL; CREATE TABLE orders(id int PRIMARY "
          "KEY, who int, total int); ALTER TABLE orders REPLICA IDENTITY FULL; INSERT INTO people "
          "SELECT n, 'M' || n, n / 3.0, now(), 'sad', repeat('x', 9000), ARRAY['a', 'b'], '{}', "
          "'1 day' FROM generate_series(1, 50) n; INSERT INTO orders SELECT n, n % 40, n FROM "
          "generate_series(1, 200) n");
  const auto cache = start_peer(hearth_server());
  PostgresFollower follower(
      *db, *cache, "kinds",
      "[[mapping]]\nname = \"plain\"\ntable = \"people\"\ncolumns = [\"id\", \"mail\", \"n\", "
      "\"at\", \"m\", \"big\", \"tags\", \"j\"]\nkey = \"p:{id}\"\nttl = \"1h\"\n"
      "[[mapping.output]]\nkey = \"by-mail:{mail:lower}\"\nvalue = \"string\"\ncolumn = "
      "\"id\"\nnull_key = \"skip\"\n"
      "[[mapping]]\nname = \"whole\"\ntable = \"people\"\nkey = \"w:{id}\"\n"
      "[[mapping]]\nname = \"some\"\ntable = \"people\"\nwhere = \"id % 2 = 0\"\nkey = "
      "\"s:{id}\"\nvalue = \"hash\"\nfields = [\"id\", \"mail\"]\n"
      "[[mapping]]\nname = \"lists\"\ntable = \"orders\"\nkey = \"o:{who}\"\nvalue = "
      "\"list\"\ncolumn = \"total\"\norder_by = [\"total\"]\n"
      "[[mapping]]\nname = \"documents\"\nquery = \"SELECT p.id, p.mail, o.id AS oid, o.total FROM "
      "people p LEFT JOIN orders o ON o.who = p.id ORDER BY p.id, o.id\"\nkey = \"d:{id}\"\nfields "
      "= [\"id\", \"mail\"]\nembed = { orders = [\"oid\", \"total\"] }\nfollow = { tables = { "
      "people = [\"id\"], orders = [\"who as id\"] } }\n");
  follower.start();
  REQUIRE(follower.streams());
  CHECK(follower.differing() == 0);
  run_sql(*db, "UPDATE people SET mail = 'changed' WHERE id = 3; UPDATE people SET n = n + 1");
  run_sql(*db,
          "BEGIN; UPDATE people SET id = 1000 WHERE id = 4; DELETE FROM people WHERE id = 5; "
          "SAVEPOINT s; DELETE FROM people; ROLLBACK TO s; INSERT INTO people(id, m) VALUES "
          "(2000, 'happy'); COMMIT");
  run_sql(*db, "UPDATE people SET id = 7000, j = '[1]', i = '2 days' WHERE id = 7");
  run_sql(*db, "UPDATE orders SET who = 2 WHERE id < 20; DELETE FROM orders WHERE who = 9");
  run_sql(*db, "INSERT INTO orders SELECT n, n % 7, n FROM generate_series(300, 400) n");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"GET", "by-mail:changed"}) == "3");
  CHECK(cache->run({"EXISTS", "by-mail:m3", "p:4", "w:5", "d:7"}) == "0");
  run_sql(*db, "TRUNCATE orders; INSERT INTO orders VALUES (1, 1, 1)");
  REQUIRE(eventually([&] { return follower.errors().find("truncated") != std::string::npos; }));
  REQUIRE(follower.streams());
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"EXISTS", "o:2", "o:3"}) == "0");
  CHECK(follower.stop(SIGINT) == 0);
  CHECK(nlohmann::json::parse(follower.output())["result"] == "complete");
}

TEST_CASE("values that are left out because they did not change are read by the key") {
  auto* db = followed_postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE toast(id int PRIMARY KEY, n int, big text, mail text); ALTER TABLE toast "
          "ALTER big SET STORAGE EXTERNAL; INSERT INTO toast SELECT n, 0, repeat('y', 9000), 'm' "
          "FROM generate_series(1, 600) n");
  const auto cache = start_peer(hearth_server());
  PostgresFollower follower(*db, *cache, "toasted",
                            "[[mapping]]\ntable = \"toast\"\nkey = \"t:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  run_sql(*db, "UPDATE toast SET n = n + 1; UPDATE toast SET id = id + 10000 WHERE id <= 50");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"EXISTS", "t:1", "t:10001"}) == "1");
  run_sql(*db, "TRUNCATE toast; INSERT INTO toast VALUES (1, 1, 'b')");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(cache->run({"DBSIZE"}) == "2");  // with the position
  // A column more, and a mapping's column gone.
  run_sql(*db, "ALTER TABLE toast ADD extra int DEFAULT 7; UPDATE toast SET n = 2");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  run_sql(*db,
          "ALTER TABLE toast DROP id CASCADE; ALTER TABLE toast REPLICA IDENTITY FULL; UPDATE "
          "toast SET n = 3");
  const auto code = follower.ends();
  REQUIRE(code.has_value());
  CHECK(*code == 3);
  CHECK(follower.errors().find("column 'id'") != std::string::npos);
}

TEST_CASE("partitions are followed through their root") {
  auto* db = followed_postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE parts(id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE "
          "parts_a PARTITION OF parts FOR VALUES FROM (0) TO (100); CREATE TABLE parts_b PARTITION "
          "OF parts FOR VALUES FROM (100) TO (1000); INSERT INTO parts SELECT n, 'v' FROM "
          "generate_series(1, 150) n");
  const auto cache = start_peer(hearth_server());
  PostgresFollower follower(*db, *cache, "partitions",
                            "[[mapping]]\ntable = \"parts\"\nkey = \"p:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  run_sql(*db,
          "UPDATE parts SET id = id + 500 WHERE id < 20; UPDATE parts SET v = 'w' WHERE id > "
          "140; DELETE FROM parts WHERE id = 50; INSERT INTO parts_b VALUES (999, 'direct')");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  run_sql(*db, "TRUNCATE parts; INSERT INTO parts VALUES (7, 'x')");
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
}

TEST_CASE("a slot that was dropped or made anew leads to a load that also removes what is gone") {
  auto* db = followed_postgres();
  if (db == nullptr) return;
  run_sql(*db,
          "CREATE TABLE gaps(id int PRIMARY KEY, v text); INSERT INTO gaps SELECT n, 'v' FROM "
          "generate_series(1, 100) n");
  const auto cache = start_peer(hearth_server());
  PostgresFollower follower(*db, *cache, "gaps",
                            "[[mapping]]\ntable = \"gaps\"\nkey = \"g:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  REQUIRE(follower.catches_up());
  CHECK(follower.stop(SIGTERM) == 0);
  for (const bool is_made_anew : {false, true}) {
    CAPTURE(is_made_anew);
    run_sql(*db, "SELECT pg_drop_replication_slot('gaps')");
    run_sql(*db, "DELETE FROM gaps WHERE id % 10 = " + std::to_string(is_made_anew ? 1 : 2) +
                     "; UPDATE gaps SET v = v || 'w'");
    if (is_made_anew) run_sql(*db, "SELECT pg_create_logical_replication_slot('gaps', 'pgoutput')");
    follower.start();
    REQUIRE(
        eventually([&] { return follower.errors().find("loading again") != std::string::npos; }));
    REQUIRE(follower.catches_up());
    REQUIRE(follower.streams());
    REQUIRE(follower.catches_up());
    CHECK(follower.differing() == 0);
    CHECK(follower.stop(SIGTERM) == 0);
  }
  CHECK(
      run_command({built("cache-warm"), "follow", follower.file(), "--name", "gaps", "--drop-slot"})
          .exit_code == 0);
  CHECK(db->run("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'gaps'")
            .out.starts_with("0"));
  CHECK(cache->run({"EXISTS", "cache-warm:follow:gaps"}) == "0");
}

TEST_CASE("a slot whose log the server gave up leads to a load, whether somebody follows or not") {
  std::vector<std::string> settings = kLogical;
  settings.insert(settings.end(), {"max_slot_wal_keep_size=1MB", "min_wal_size=32MB",
                                   "max_wal_size=32MB", "wal_sender_timeout=0"});
  const auto db = PostgresProcess::start(settings);
  if (!db) {
    MESSAGE("skipped: PostgreSQL is not installed or does not start");
    return;
  }
  run_sql(*db,
          "CREATE TABLE kept(id int PRIMARY KEY, v text); INSERT INTO kept SELECT n, 'v' FROM "
          "generate_series(1, 100) n; CREATE TABLE noise(v text)");
  const auto cache = start_peer(hearth_server());
  PostgresFollower follower(*db, *cache, "kept",
                            "[[mapping]]\ntable = \"kept\"\nkey = \"k:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  REQUIRE(follower.catches_up());
  for (const bool is_running : {false, true}) {
    CAPTURE(is_running);
    if (is_running) {
      follower.send(SIGSTOP);
    } else {
      CHECK(follower.stop(SIGTERM) == 0);
    }
    run_sql(*db, "DELETE FROM kept WHERE id % 10 = " + std::to_string(is_running ? 1 : 2));
    run_sql(*db, "UPDATE kept SET v = v || 'w'");
    const std::string before = follower.errors();
    REQUIRE(eventually(
        [&] {
          run_sql(*db, "INSERT INTO noise SELECT repeat('n', 1000) FROM generate_series(1, 8000)");
          run_sql(*db, "SELECT pg_switch_wal()");
          run_sql(*db, "CHECKPOINT");
          return db->run("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'kept'")
              .out.starts_with("lost");
        },
        milliseconds{60'000}));
    if (is_running) {
      follower.send(SIGCONT);
    } else {
      follower.start();
    }
    REQUIRE(eventually(
        [&] {
          return follower.errors().substr(is_running ? before.size() : 0).find("loading again") !=
                 std::string::npos;
        },
        milliseconds{60'000}));
    REQUIRE(eventually(
        [&] {
          return db->run("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'kept'")
              .out.starts_with("reserved");
        },
        milliseconds{60'000}));
    REQUIRE(follower.streams());
    REQUIRE(follower.catches_up());
    CHECK(follower.differing() == 0);
  }
  CHECK(follower.stop(SIGTERM) == 0);
}

TEST_CASE("kill -9 of follow and of the database under a write load ends with no differing key") {
  const auto db = PostgresProcess::start(kLogical);
  if (!db) return;
  run_sql(*db,
          "CREATE TABLE busy(id int PRIMARY KEY, n int, big text); ALTER TABLE busy ALTER big SET "
          "STORAGE EXTERNAL; INSERT INTO busy SELECT n, 0, repeat('z', 3000) FROM "
          "generate_series(1, 500) n");
  const auto cache = start_peer(hearth_server());
  PostgresFollower follower(*db, *cache, "busy",
                            "[[mapping]]\ntable = \"busy\"\nkey = \"b:{id}\"\n");
  follower.start();
  REQUIRE(follower.streams());
  // Changes of every kind, from a session that goes on until it is ended.
  const std::string load =
      "DO $$ BEGIN FOR i IN 1..10000000 LOOP UPDATE busy SET n = n + 1 WHERE id = i % 500 + 1; IF "
      "i "
      "% "
      "7 = 0 THEN DELETE FROM busy WHERE id = i % 300 + 1; END IF; IF i % 5 = 0 THEN INSERT INTO "
      "busy VALUES (i % 300 + 1, i, 'new') ON CONFLICT (id) DO UPDATE SET big = 'other'; END IF; "
      "IF "
      "i % 11 = 0 THEN UPDATE busy SET id = id + 1000 WHERE id = i % 90 + 300 AND NOT EXISTS "
      "(SELECT FROM busy WHERE id = i % 90 + 1300); END IF; COMMIT; END LOOP; END $$";
  const auto writes = [&] {
    return std::make_unique<ChildProcess>(
        std::vector<std::string>{"psql", "-X", "-q", "-d", db->url(), "-c", load}, "", "");
  };
  auto writer = writes();
  for (int round = 0; round < 3; ++round) {
    const auto changes = db->run("SELECT pg_current_wal_lsn() - '0/0'").out;
    REQUIRE(eventually([&] {
      return std::stoll(db->run("SELECT pg_current_wal_lsn() - '0/0'").out) >
             std::stoll(changes) + 200'000;
    }));
    if (round == 1) {
      const std::string busy =
          db->run("SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %'").out;
      db->stop(SIGKILL);
      // Children of the killed server hold its memory until they see that it is gone; the one at
      // work does not look.
      if (const int pid = std::atoi(busy.c_str()); pid > 0) ::kill(pid, SIGKILL);
      REQUIRE(eventually([&] { return db->run_server(); }));
      REQUIRE(eventually([&] { return db->run("SELECT 1").exit_code == 0; }));
      writer = writes();
    } else {
      follower.stop(SIGKILL);
      follower.start();
    }
  }
  REQUIRE(follower.streams());
  writer->stop(SIGTERM);
  run_sql(*db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'");
  CAPTURE(follower.errors());
  REQUIRE(follower.catches_up());
  CHECK(follower.differing() == 0);
  CHECK(follower.stop(SIGINT) == 0);
}

TEST_CASE("check tells what following lacks, with the statements that give it") {
  const auto db = PostgresProcess::start();
  if (!db) return;
  run_sql(*db,
          "CREATE ROLE poor LOGIN; CREATE TABLE plain(id int, v int); GRANT SELECT ON plain TO "
          "poor");
  const auto cache = start_peer(hearth_server());
  const auto check =
      run_command({built("cache-warm"), "check", "--follow", "--source", db->url("poor"),
                   "--target", cache->address(), "--table", "plain", "--key", "k:{id}"});
  CHECK(check.exit_code == 2);
  for (const char* words : {"ALTER SYSTEM SET wal_level = logical;", "ALTER ROLE poor REPLICATION;",
                            "ALTER TABLE public.plain REPLICA IDENTITY FULL;",
                            "CREATE PUBLICATION \"cache_warm\" FOR"}) {
    CHECK_MESSAGE(check.out.find(words) != std::string::npos, check.out);
  }
}
