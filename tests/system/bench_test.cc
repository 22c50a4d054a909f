// The comparison runs and prints its tables; what they say is for quiet machines.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/system/peers.h"

using namespace hearth::test;

TEST_CASE("tools/bench/compare measures two servers and prints tables") {
  const TempDir dir;
  const std::string binary = hearth_server().binary;
  const auto result = run_command(
      {HEARTH_SOURCE_DIR "/tools/bench/compare", "--hearth", binary, "--redis", binary, "--names",
       "one,other", "--load", built("hearth-load"), "--null", built("hearth-null-server"), "--keys",
       "2000", "--runs", "1", "--scale", "0.002", "--json", dir.file("report.json")},
      milliseconds{120'000});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.find("| GET, pipeline 16 |") != std::string::npos);
  CHECK(result.out.find("| hash of 10 fields |") != std::string::npos);
  const auto report = nlohmann::json::parse(dir.read("report.json"));
  CHECK(report["cpu"].size() == 6);
  CHECK(report["memory"].size() == 11);
  CHECK(report["commands"].size() == 11);
  CHECK(report["commands"][0]["runs"]["null"].size() == 1);
  CHECK(report["environment"]["servers"]["one"]["binary"] == binary);
  for (const auto& cell : report["cpu"]) CHECK(cell["runs"]["other"][0]["errors"] == 0);
}

TEST_CASE("tools/bench/loader_speed measures loads and follow") {
  if (!find_program("psql") || !find_program("pg_recvlogical")) {
    MESSAGE("skipped: PostgreSQL is not installed");
    return;
  }
  const TempDir dir;
  const std::string cache_warm = built("cache-warm");
  const auto result = run_command(
      {HEARTH_SOURCE_DIR "/tools/bench/loader_speed", "--build",
       cache_warm.substr(0, cache_warm.rfind('/')), "--rows", "2000", "--runs", "1", "--seconds",
       "1", "--only", "load,follow,versions", "--json", dir.file("report.json")},
      milliseconds{240'000});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.find("| PostgreSQL -> 3 nodes of hearth |") != std::string::npos);
  const auto report = nlohmann::json::parse(dir.read("report.json"));
  CHECK(report["table"].size() >= 9);
  for (const auto& row : report["table"]) CHECK(row["runs"][0]["value"].get<double>() > 0);
}
