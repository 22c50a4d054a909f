// cache-warm into clusters, while things go wrong.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

constexpr const char* kProducts = HEARTH_SOURCE_DIR "/conf/warm/products.toml";

std::string sample_source(const TempDir& dir, int rows) {
  REQUIRE(
      run_command({built("sample-db"), dir.file("products.db"), std::to_string(rows)}).exit_code ==
      0);
  return "sqlite:" + dir.file("products.db");
}

// Starts a load that takes some seconds and lets the caller disturb it until it ends.
nlohmann::json load_while(const Nodes& nodes, int rows, int rate,
                          const std::function<void()>& disturb) {
  const TempDir dir;
  ChildProcess load(
      {built("cache-warm"), kProducts, "--source", sample_source(dir, rows), "--target",
       nodes[0]->address(), "--rate", std::to_string(rate), "--connections", "2", "--json"},
      dir.file("out"), dir.file("err"));
  while (load.is_running()) disturb();
  const auto code = load.wait(milliseconds{1'000});
  CAPTURE(dir.read("err"));
  CHECK(code == 0);
  return nlohmann::json::parse(dir.read("out"));
}

void check_all_stored(const Nodes& nodes, const nlohmann::json& summary, int rows) {
  CAPTURE(summary.dump());
  CHECK(summary["rows_stored"] == rows);
  CHECK(summary["rows_bad"] == 0);
  CHECK(summary["rows_unconfirmed"] == 0);
  CHECK(keys_in(nodes) == rows);
}

}  // namespace

TEST_CASE("every row reaches the node that owns its slot") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const Nodes nodes = start_cluster({peer, peer, peer});
    const auto summary = load_while(nodes, 20'000, 1'000'000, [] {});
    check_all_stored(nodes, summary, 20'000);
    CHECK(summary["nodes"] == 3);
    CHECK(summary["moved"] == 0);
    for (const auto& node : nodes) CHECK(std::stoll(node->run({"DBSIZE"})) > 5'000);
  }
}

TEST_CASE("connections that are killed again and again lose no row") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const Nodes nodes = start_cluster({peer, peer, peer});
    std::size_t next = 0;
    const auto summary = load_while(nodes, 20'000, 10'000, [&] {
      nodes[next++ % 3]->run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
      std::this_thread::sleep_for(milliseconds{50});
    });
    check_all_stored(nodes, summary, 20'000);
    CHECK(summary["connections_lost"] > 0);
  }
}

TEST_CASE("slots that move during the load take their rows with them") {
  const auto cli = find_program("redis-cli");
  if (!cli) {
    MESSAGE("skipped: redis-cli is not installed");
    return;
  }
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const Nodes nodes = start_cluster({peer, peer, peer});
    const std::string from = nodes[0]->run({"CLUSTER", "MYID"});
    const std::string to = nodes[1]->run({"CLUSTER", "MYID"});
    bool moved = false;
    const auto summary = load_while(nodes, 30'000, 8'000, [&] {
      // Once rows arrive: the load knows the slots then.
      if (moved || keys_in(nodes) == 0) {
        std::this_thread::sleep_for(milliseconds{20});
        return;
      }
      moved = true;
      const auto result =
          run_command({*cli, "--cluster", "reshard", nodes[0]->address(), "--cluster-from", from,
                       "--cluster-to", to, "--cluster-slots", "200", "--cluster-yes"});
      CAPTURE(result.out);
      CAPTURE(result.err);
      CHECK(result.exit_code == 0);
    });
    check_all_stored(nodes, summary, 30'000);
    CHECK(summary["moved"].get<int>() + summary["asked"].get<int>() > 0);
  }
}
