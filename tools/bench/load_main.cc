// hearth-load: a load generator that costs little itself and measures the server's CPU time.
// Prints one JSON object. tools/bench/compare drives it.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "tools/bench/load_run.h"

namespace {

using namespace hearth;
using namespace hearth::bench;

int run(const LoadOptions& options) {
  const auto result = run_load(options);
  if (!result) {
    fmt::print(stderr, "hearth-load: {}\n", result.error().context);
    return 1;
  }
  fmt::print(
      "{{\"requests\":{},\"errors\":{},\"nulls\":{},\"seconds\":{:.6f},\"requests_per_second\":{:."
      "0f},"
      "\"server_user_us\":{:.4f},\"server_system_us\":{:.4f},\"p50_us\":{:.0f},\"p99_us\":{:.0f},"
      "\"p999_us\":{:.0f}}}\n",
      result->requests, result->errors, result->nulls, result->seconds,
      static_cast<double>(result->requests) / result->seconds, result->user_us, result->system_us,
      result->p50_us, result->p99_us, result->p999_us);
  return result->errors == 0 ? 0 : 3;
}

int run_tool(int argc, char** argv) {
  CLI::App app{"Sends one kind of command to a server and prints what it cost, as JSON."};
  LoadOptions options;
  std::string server = "127.0.0.1:6379";
  std::string operation = "get";
  bool sequential = false;
  app.add_option("--server", server, "IPv4 address:port or unix:/path");
  app.add_option("--operation", operation,
                 "ping, get, set, get-set, set-ttl, set-int, set-ver or hset10");
  app.add_option("--connections", options.connections, "default 50")->check(CLI::Range(1, 10'000));
  app.add_option("--pipeline", options.pipeline, "requests in flight on each connection")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--rate", options.rate, "requests a second that arrive at random; 0: as answered")
      ->check(CLI::Range(0.0, 1e7));
  app.add_flag("--sleep", options.sleeps,
               "with --rate: sleeps between arrivals, for machines without a core to spare");
  app.add_option("--requests", options.requests, "how many in all")->check(CLI::PositiveNumber);
  app.add_option("--keys", options.workload.keys, "how many different keys")
      ->check(CLI::PositiveNumber);
  app.add_option("--value-bytes", options.workload.value_bytes, "default 64");
  app.add_option("--seed", options.workload.seed, "of the random key order");
  app.add_flag("--sequential", sequential, "keys in order, for filling");
  app.add_option("--server-pid", options.server_pid, "measures this process's CPU time");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  auto endpoint = client::parse_endpoint(server);
  auto parsed = parse_operation(operation);
  if (!endpoint || !parsed) {
    fmt::print(stderr, "hearth-load: {}\n",
               !endpoint ? endpoint.error().context : parsed.error().context);
    return 2;
  }
  options.server = *endpoint;
  options.workload.operation = *parsed;
  options.workload.order = sequential ? KeyOrder::kSequential : KeyOrder::kRandom;
  return run(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_tool(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hearth-load: %s\n", error.what());
  } catch (...) {
    std::fputs("hearth-load: failed\n", stderr);
  }
  return 1;
}
