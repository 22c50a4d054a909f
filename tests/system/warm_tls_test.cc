// cache-warm over TLS to real databases, with certificates of its own authority.
#include <doctest/doctest.h>

#include "tests/support/certificates.h"
#include "tests/support/database_process.h"
#include "tests/system/follower_process.h"

using namespace hearth::test;

namespace {

constexpr const char* kTable =
    "CREATE TABLE items(id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO items VALUES (1, 'one'), "
    "(2, 'two')";
constexpr const char* kMapping = "[[mapping]]\ntable = \"items\"\nkey = \"i:{id}\"\n";

CommandResult warm_from(const std::string& url, const ServerProcess& cache) {
  return run_command({built("cache-warm"), "--source", url, "--target", cache.address(), "--table",
                      "items", "--key", "i:{id}"},
                     milliseconds{60'000});
}

void check_loads(const std::string& url) {
  CAPTURE(url);
  const auto cache = start_peer(hearth_server());
  const auto loaded = warm_from(url, *cache);
  CAPTURE(loaded.err);
  CHECK(loaded.exit_code == 0);
  CHECK(cache->run({"DBSIZE"}) == "2");
}

// The database's words are in the error, and no row was read.
void check_refused(const std::string& url, const std::string& words) {
  CAPTURE(url);
  const auto cache = start_peer(hearth_server());
  const auto refused = warm_from(url, *cache);
  CHECK(refused.exit_code == 3);
  CHECK_MESSAGE(refused.err.find(words) != std::string::npos, refused.err);
  CHECK(cache->run({"DBSIZE"}) == "0");
}

}  // namespace

TEST_CASE("PostgreSQL is read and followed over TLS, and only where its certificate is right") {
  Certificates made("postgres");
  if (!made.sign("server", "db.test", "IP:127.0.0.1") || !made.sign("reader", "reader", "DNS:r")) {
    MESSAGE("skipped: openssl is not installed");
    return;
  }
  const std::string hba =
      made.dir().write("hba",
                       "local all all trust\nhostssl all reader 127.0.0.1/32 cert\n"
                       "hostssl all tester 127.0.0.1/32 trust\n");
  const auto db =
      PostgresProcess::start({"ssl=on", "ssl_cert_file=" + made.pem("server"),
                              "ssl_key_file=" + made.key("server"), "ssl_ca_file=" + made.pem("ca"),
                              "hba_file=" + hba, "wal_level=logical", "max_wal_senders=4"});
  if (!db) {
    MESSAGE("skipped: PostgreSQL is not installed or does not start");
    return;
  }
  REQUIRE(db->run(kTable).exit_code == 0);
  REQUIRE(db->run("CREATE ROLE reader LOGIN; GRANT SELECT ON items TO reader").exit_code == 0);
  const std::string ca = "sslrootcert=" + made.pem("ca");
  const std::string full = db->url() + "?sslmode=verify-full&" + ca;
  check_loads(full);
  check_loads(db->url() + "?sslmode=verify-ca&" + ca);
  check_loads(db->url() + "?sslmode=require");
  // A key that libpq reads is the user's own.
  REQUIRE(::chown(made.key("reader").c_str(), ::geteuid(), ::getegid()) == 0);
  check_loads(db->url("reader") + "?sslmode=verify-full&" + ca + "&sslcert=" + made.pem("reader") +
              "&sslkey=" + made.key("reader"));
  check_refused(db->url() + "?sslmode=disable", "no pg_hba.conf entry");
  check_refused(db->url() + "?sslmode=verify-full&sslrootcert=" + made.pem("other"),
                "certificate verify failed");
  check_refused(db->url() + "?sslmode=verify-full&sslrootcert=" + made.dir().file("none.pem"),
                "none.pem");
  check_refused(db->url("reader") + "?sslmode=require", "client certificate");
  std::string by_name = full;
  by_name.replace(by_name.find("127.0.0.1"), 9, "localhost");
  check_refused(by_name, "does not match host name");

  const auto cache = start_peer(hearth_server());
  FollowerProcess follower(full, *cache, "tls", kMapping);
  follower.start();
  REQUIRE(follower.streams());
  REQUIRE(db->run("UPDATE items SET v = 'changed' WHERE id = 2; INSERT INTO items SELECT n, "
                  "repeat('x', 20) FROM generate_series(3, 5000) n")
              .exit_code == 0);
  CHECK(eventually([&] { return cache->run({"DBSIZE"}) == "5001"; }));
  CHECK(cache->run({"GET", "i:2"}) == R"({"id":2,"v":"changed"})");
  CHECK(db->run("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)")
            .out.starts_with("t"));
  CHECK(follower.differing() == 0);
  CHECK(follower.stop(SIGINT) == 0);
}

TEST_CASE("MariaDB is read and followed over TLS, and only where its certificate is right") {
  Certificates made("mysql");
  if (!made.sign("server", "127.0.0.1", "IP:127.0.0.1") ||
      !made.sign("reader", "reader", "DNS:r")) {
    MESSAGE("skipped: openssl is not installed");
    return;
  }
  const auto db =
      MariaDbProcess::start({"--ssl-cert=" + made.pem("server"), "--ssl-key=" + made.key("server"),
                             "--ssl-ca=" + made.pem("ca"), "--binlog-format=ROW"});
  if (!db) {
    MESSAGE("skipped: MariaDB is not installed or does not start");
    return;
  }
  REQUIRE(db->run(std::string("USE shop; ") + kTable).exit_code == 0);
  REQUIRE(db->run("CREATE USER safe@'%' IDENTIFIED BY 'secret' REQUIRE SSL; GRANT SELECT ON shop.* "
                  "TO safe@'%'; GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO safe@'%'; CREATE "
                  "USER certified@'%' IDENTIFIED BY 'secret' REQUIRE X509; GRANT SELECT ON shop.* "
                  "TO certified@'%'")
              .exit_code == 0);
  const std::string url = db->url("safe:secret");
  const std::string ca = "ssl-ca=" + made.pem("ca");
  const std::string full = url + "?ssl-mode=VERIFY_IDENTITY&" + ca;
  check_loads(full);
  check_loads(url + "?ssl-mode=VERIFY_CA&" + ca);
  check_loads(url + "?ssl-mode=REQUIRED");
  check_loads(url + "?ssl-mode=PREFERRED");
  REQUIRE(::chown(made.key("reader").c_str(), ::geteuid(), ::getegid()) == 0);
  check_loads(db->url("certified:secret") + "?ssl-mode=VERIFY_IDENTITY&" + ca +
              "&ssl-cert=" + made.pem("reader") + "&ssl-key=" + made.key("reader"));
  check_refused(url + "?ssl-mode=DISABLED", "Access denied");
  check_refused(url + "?ssl-mode=VERIFY_IDENTITY&ssl-ca=" + made.pem("other"), "TLS");
  check_refused(url + "?ssl-mode=VERIFY_CA&ssl-ca=" + made.pem("other"), "TLS");
  check_refused(url + "?ssl-mode=VERIFY_CA&ssl-ca=" + made.dir().file("none.pem"), "none.pem");
  check_refused(db->url("certified:secret") + "?ssl-mode=REQUIRED", "Access denied");

  const auto cache = start_peer(hearth_server());
  FollowerProcess follower(full, *cache, "tls", kMapping);
  follower.start();
  REQUIRE(follower.streams());
  REQUIRE(db->run("USE shop; UPDATE items SET v = 'changed' WHERE id = 2; INSERT INTO items SELECT "
                  "seq, 'xxxxxxxxxxxxxxxxxxxx' FROM seq_3_to_5000")
              .exit_code == 0);
  CHECK(eventually([&] { return cache->run({"DBSIZE"}) == "5001"; }));
  CHECK(cache->run({"GET", "i:2"}) == R"({"id":2,"v":"changed"})");
  CHECK(follower.differing() == 0);
  CHECK(follower.stop(SIGINT) == 0);

  // Another name than the one that is connected to.
  REQUIRE(made.sign("server", "elsewhere.test", "DNS:elsewhere.test"));
  REQUIRE(db->run("FLUSH SSL").exit_code == 0);
  check_refused(full, "TLS");
  check_refused(url + "?ssl-mode=VERIFY_CA&" + ca, "TLS");
}

TEST_CASE("a MariaDB without TLS is read where TLS is only preferred") {
  const auto db = MariaDbProcess::start({"--skip-ssl"});
  if (!db) {
    MESSAGE("skipped: MariaDB is not installed or does not start");
    return;
  }
  REQUIRE(db->run(std::string("USE shop; ") + kTable).exit_code == 0);
  check_loads(db->url() + "?ssl-mode=PREFERRED");
  check_refused(db->url() + "?ssl-mode=REQUIRED", "TLS");
  check_refused(db->url() + "?ssl-mode=VERIFY_IDENTITY", "TLS");
}
