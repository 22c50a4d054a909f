// cache-warm follow of a database without a change stream.
#include <doctest/doctest.h>

#include <memory>

#include "tests/support/child_process.h"
#include "tests/support/sqlite_file.h"
#include "tests/system/peers.h"

using namespace hearth::test;

TEST_CASE(
    "polling takes rows whose column has grown, also over a restart, and says what it misses") {
  const TempDir dir;
  const std::string path = dir.file("app.db");
  change_file(path,
              "PRAGMA journal_mode = WAL; CREATE TABLE items(id INTEGER PRIMARY KEY, v TEXT, gone "
              "INTEGER, seq INTEGER); INSERT INTO items VALUES (1, 'a', 0, 1), (2, 'b', 0, 2)");
  const auto cache = start_peer(hearth_server());
  const std::string file = dir.write(
      "m.toml",
      "[source]\nurl = \"sqlite://" + path + "\"\n[target]\naddress = \"" + cache->address() +
          "\"\n[[mapping]]\ntable = \"items\"\nkey = \"i:{id}\"\nvalue = "
          "\"string\"\ncolumn = \"v\"\ndelete_if = \"gone\"\nfollow = { poll = \"seq\", "
          "every = \"50ms\", overlap = \"100ms\" }\n[[mapping]]\nname = \"all\"\ntable = "
          "\"items\"\nkey = \"all:{id}\"\nfollow = { poll = \"seq\", every = \"50ms\" }\n");
  const auto start = [&] {
    return std::make_unique<ChildProcess>(
        std::vector<std::string>{built("cache-warm"), "follow", file, "--quiet"}, "",
        dir.file("err"));
  };
  auto follower = start();
  REQUIRE(eventually([&] { return cache->run({"GET", "i:2"}) == "b"; }));
  change_file(path,
              "UPDATE items SET v = 'c', seq = 3 WHERE id = 1; INSERT INTO items VALUES (3, "
              "'new', 0, 4); UPDATE items SET gone = 1, seq = 5 WHERE id = 2");
  CHECK(eventually([&] { return cache->run({"GET", "i:1"}) == "c"; }));
  CHECK(eventually([&] { return cache->run({"GET", "i:3"}) == "new"; }));
  CHECK(eventually([&] { return cache->run({"EXISTS", "i:2"}) == "0"; }));
  REQUIRE(eventually([&] {
    return cache->run({"HGET", "cache-warm:follow:cache_warm", "poll:items"}) == "number:5";
  }));
  CHECK(follower->stop(SIGINT) == 0);
  change_file(path, "UPDATE items SET v = 'later', seq = 6 WHERE id = 3");
  follower = start();
  CHECK(eventually([&] { return cache->run({"GET", "i:3"}) == "later"; }));
  CHECK(follower->stop(SIGTERM) == 0);
  CHECK(dir.read("err").find("mapping 'all': a look at column 'seq' does not see rows that are "
                             "deleted") != std::string::npos);
}

TEST_CASE("a mapping that has no change stream says that it can be polled") {
  const TempDir dir;
  const std::string path = dir.file("app.db");
  change_file(path, "CREATE TABLE items(id INTEGER PRIMARY KEY)");
  const auto cache = start_peer(hearth_server());
  const auto refused =
      run_command({built("cache-warm"), "follow", "--source", "sqlite://" + path, "--target",
                   cache->address(), "--table", "items", "--key", "i:{id}"});
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("follow = { poll =") != std::string::npos);
}
