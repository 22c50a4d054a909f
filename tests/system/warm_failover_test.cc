// cache-warm while primaries die that had acknowledged what no replica has.
#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/support/sqlite_file.h"
#include "tests/system/cluster_peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

constexpr int kRows = 300;

// Ids of rows whose key the node owns.
std::vector<int> rows_of(const ServerProcess& node) {
  std::vector<int> ids;
  for (int id = 1; id <= kRows; ++id) {
    if (!node.run({"GET", "i:" + std::to_string(id)}).starts_with("-")) ids.push_back(id);
  }
  return ids;
}

struct Scene {
  Scene() : nodes(created()), pair(some_pair(nodes)) {
    change_file(path,
                "PRAGMA journal_mode = WAL; CREATE TABLE items(id INTEGER PRIMARY KEY, v TEXT, seq "
                "INTEGER); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                "< " +
                    std::to_string(kRows) + ") INSERT INTO items SELECT i, 'first', i FROM n");
    file = dir.write("m.toml", "[source]\nurl = \"sqlite://" + path + "\"\n[target]\naddress = \"" +
                                   nodes[other()]->address() +
                                   "\"\n[[mapping]]\ntable = \"items\"\nkey = \"i:{id}\"\nvalue = "
                                   "\"string\"\ncolumn = \"v\"\nfollow = { poll = \"seq\", every = "
                                   "\"50ms\", overlap = \"100ms\" }\n");
  }
  // A node that stays.
  [[nodiscard]] std::size_t other() const {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i != pair.primary && i != pair.replica) return i;
    }
    return 0;
  }
  void start() {
    follower = std::make_unique<ChildProcess>(
        std::vector<std::string>{built("cache-warm"), "follow", file, "--quiet"}, "",
        dir.file("err"));
  }
  // Others are asked first: the replica may be stopped, and the primary gone.
  [[nodiscard]] ClusterClient client() const {
    std::vector<int> ports;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i != pair.replica && i != pair.primary) ports.push_back(nodes[i]->port());
    }
    return ClusterClient(std::move(ports));
  }
  [[nodiscard]] bool all_are(const std::string& value) const {
    ClusterClient client = this->client();
    for (int id = 1; id <= kRows; ++id) {
      const std::string key = "i:" + std::to_string(id);
      if (client.once(key, {"GET", key}) != value) return false;
    }
    return true;
  }
  // Whether replicas know too that the load has ended.
  [[nodiscard]] bool load_is_saved() const {
    const std::string state = "cache-warm:follow:cache_warm";
    ClusterClient client = this->client();
    if (!eventually([&] { return client.once(state, {"HGET", state, "phase"}) == "streaming"; }))
      return false;
    client.once(state, {"SET", "{" + state + "}", "behind it"});
    return client.confirmed_by(state) > 0;
  }
  [[nodiscard]] ServerProcess& primary() const { return *nodes[pair.primary]; }
  [[nodiscard]] ServerProcess& replica() const { return *nodes[pair.replica]; }

  Nodes nodes;
  Pair pair;
  TempDir dir;
  std::string path = dir.file("app.db");
  std::string file;
  std::unique_ptr<ChildProcess> follower;
};

}  // namespace

TEST_CASE("a primary that dies with changes that no replica has loses none for follow") {
  if (!has_cli()) return;
  // How the replica lacks them: it was given up before, or it is still waited for.
  for (const bool is_given_up : {true, false}) {
    CAPTURE(is_given_up);
    Scene scene;
    scene.start();
    REQUIRE(eventually([&] { return scene.all_are("first"); }, milliseconds{20'000}));
    const std::vector<int> ids = rows_of(scene.primary());
    REQUIRE(!ids.empty());
    const std::string key = "i:" + std::to_string(ids.front());
    REQUIRE(scene.load_is_saved());
    scene.replica().process().send(SIGSTOP);
    if (is_given_up) {
      // Nothing that is written from here on is sent to it.
      scene.primary().run({"CLIENT", "KILL", "TYPE", "replica"});
      REQUIRE(eventually([&] {
        return field_of(scene.primary().run({"INFO", "replication"}), "connected_slaves") == "0";
      }));
    } else {
      // More than its socket takes: what comes later stays at the primary.
      const std::string much(8'000'000, 'x');
      for (int i = 0; i < 5; ++i)
        REQUIRE(scene.primary().run({"SET", "{" + key + "}" + std::to_string(i), much}) == "OK");
    }
    change_file(scene.path, "UPDATE items SET v = 'second', seq = seq + 1000");
    REQUIRE_MESSAGE(eventually([&] { return scene.all_are("second"); }), scene.dir.read("err"));
    if (is_given_up) {
      // Without replicas the position is saved at once.
      REQUIRE(eventually([&] {
        ClusterClient client = scene.client();
        const std::string state = "cache-warm:follow:cache_warm";
        return client.once(state, {"HGET", state, "poll:items"}) ==
               "number:" + std::to_string(1000 + kRows);
      }));
    }
    scene.primary().process().stop(SIGKILL);
    scene.replica().process().send(SIGCONT);
    REQUIRE(eventually([&] { return role_of(scene.replica()) == "master"; }, milliseconds{30'000}));
    CHECK_MESSAGE(eventually([&] { return scene.all_are("second"); }, milliseconds{30'000}),
                  scene.dir.read("err"));
    // Writes that were under way may have brought all of it before the nodes are looked at.
    CHECK(eventually(
        [&] { return scene.dir.read("err").find("took the place of") != std::string::npos; }));
    CHECK(scene.follower->stop(SIGINT) == 0);
    const std::string told = scene.dir.read("err");
    CAPTURE(told);
    CHECK((told.find("loading again") != std::string::npos) == is_given_up);
  }
}

TEST_CASE("a failover while nobody follows is noticed by the next run") {
  if (!has_cli()) return;
  Scene scene;
  scene.start();
  REQUIRE(eventually([&] { return scene.all_are("first"); }, milliseconds{20'000}));
  const std::vector<int> ids = rows_of(scene.primary());
  REQUIRE(!ids.empty());
  scene.replica().process().send(SIGSTOP);
  scene.primary().run({"CLIENT", "KILL", "TYPE", "replica"});
  change_file(scene.path, "UPDATE items SET v = 'second', seq = seq + 1000");
  REQUIRE(eventually([&] { return scene.all_are("second"); }));
  CHECK(scene.follower->stop(SIGINT) == 0);
  scene.primary().process().stop(SIGKILL);
  scene.replica().process().send(SIGCONT);
  REQUIRE(eventually([&] { return role_of(scene.replica()) == "master"; }, milliseconds{30'000}));
  const std::string key = "i:" + std::to_string(ids.front());
  REQUIRE(eventually([&] { return scene.replica().run({"GET", key}) == "first"; }));
  scene.start();
  CHECK_MESSAGE(eventually([&] { return scene.all_are("second"); }, milliseconds{30'000}),
                scene.dir.read("err"));
  CHECK(scene.follower->stop(SIGINT) == 0);
}

TEST_CASE("a node without replicas that restarts empty is filled again, without any change") {
  Nodes nodes = start_cluster({hearth_server(), hearth_server(), hearth_server()});
  const TempDir dir;
  change_file(dir.file("app.db"),
              "CREATE TABLE items(id INTEGER PRIMARY KEY, v TEXT, seq INTEGER); WITH RECURSIVE "
              "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO items "
              "SELECT i, 'first', i FROM n");
  const std::string file = dir.write(
      "m.toml", "[source]\nurl = \"sqlite://" + dir.file("app.db") + "\"\n[target]\nseeds = [\"" +
                    nodes[0]->address() + "\", \"" + nodes[1]->address() +
                    "\"]\n[[mapping]]\ntable = \"items\"\nkey = \"i:{id}\"\nfollow = { poll = "
                    "\"seq\", every = \"50ms\" }\n");
  ChildProcess follower({built("cache-warm"), "follow", file, "--quiet"}, "", dir.file("err"));
  // The rows, and where the run stands.
  REQUIRE(eventually([&] { return keys_in(nodes) == kRows + 1; }, milliseconds{20'000}));
  // Each node, also the one that keeps where the run stands; and more losses than the database may
  // have of its log.
  for (int turn = 0; turn < 5; ++turn) {
    auto& node = nodes[static_cast<std::size_t>(turn) % nodes.size()];
    const int port = node->port();
    const auto place = node->dir();
    REQUIRE(std::stoll(node->run({"DBSIZE"})) > 50);
    node->process().stop(SIGKILL);
    node = ServerProcess::start(
        {.binary = hearth_server().binary, .config = cluster_config(), .dir = place, .port = port});
    REQUIRE(node != nullptr);
    INFO(logs_of(nodes));
    INFO(dir.read("err"));
    CHECK(eventually([&] { return is_cluster_ok(nodes, 3) && keys_in(nodes) == kRows + 1; },
                     milliseconds{40'000}));
  }
  CHECK(follower.stop(SIGINT) == 0);
  const std::string told = dir.read("err");
  CAPTURE(told);
  CHECK(told.find("restarted or was replaced and may have lost keys") != std::string::npos);
}

TEST_CASE("a load whose primary dies with rows that no replica has loads them again") {
  if (!has_cli()) return;
  const Scene scene;
  const std::string source = "sqlite:" + scene.dir.file("products.db");
  constexpr int kProducts = 20'000;
  REQUIRE(
      run_command({built("sample-db"), scene.dir.file("products.db"), std::to_string(kProducts)})
          .exit_code == 0);
  ChildProcess load(
      {built("cache-warm"), HEARTH_SOURCE_DIR "/conf/warm/products.toml", "--source", source,
       "--target", scene.nodes[scene.other()]->address(), "--rate", "8000", "--json"},
      scene.dir.file("out"), scene.dir.file("err"));
  const auto keys = [&](const ServerProcess& node) { return std::stoll(node.run({"DBSIZE"})); };
  REQUIRE(eventually([&] { return keys(scene.primary()) > 500; }));
  scene.replica().process().send(SIGSTOP);
  scene.primary().run({"CLIENT", "KILL", "TYPE", "replica"});
  const auto before = keys(scene.primary());
  REQUIRE(eventually([&] { return keys(scene.primary()) > before + 300; }));
  scene.primary().process().stop(SIGKILL);
  scene.replica().process().send(SIGCONT);
  const auto code = load.wait(milliseconds{60'000});
  const std::string told = scene.dir.read("err");
  CAPTURE(told);
  REQUIRE(code.has_value());
  CHECK(*code == 0);
  const auto summary = nlohmann::json::parse(scene.dir.read("out"));
  CHECK(summary["reloads"] == 1);
  CHECK(summary["rows_bad"] == 0);
  long long sum = 0;
  for (std::size_t i = 0; i < scene.nodes.size(); ++i) {
    if (i != scene.pair.primary && role_of(*scene.nodes[i]) == "master")
      sum += keys(*scene.nodes[i]);
  }
  CHECK(sum == kProducts);
}
