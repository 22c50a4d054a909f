// Runs a load against one server and measures both sides.
#pragma once

#include <cstdint>
#include <string>

#include "src/base/result.h"
#include "tools/bench/workload.h"
#include "tools/client/endpoint.h"

namespace hearth::bench {

struct LoadOptions {
  client::Endpoint server;
  WorkloadOptions workload;
  int connections = 50;
  int pipeline = 1;  // requests in flight on each connection
  // Not 0: so many requests a second arrive at random, each on a random connection, whether the
  // earlier ones were answered or not; `pipeline` does not count.
  double rate = 0;
  // With a rate, sleeps between arrivals as clients do, and does not take a core for itself; how
  // late it wakes up is measured too then.
  bool sleeps = false;
  std::uint64_t requests = 1'000'000;
  int server_pid = 0;  // 0: its CPU time is not measured
};

struct LoadResult {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;  // error replies
  std::uint64_t nulls = 0;   // keys that were not there
  double seconds = 0;
  // Of the server while the load ran, from /proc/PID/stat; per request.
  double user_us = 0;
  double system_us = 0;
  // From the sending of a pipeline to its last reply; with a rate, from the moment at which a
  // request was to arrive to its reply.
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
};

// One thread; without a rate each connection sends its next pipeline when the last is fully
// answered.
// Errors: kIo (connecting, a connection that breaks), kCorrupt (not RESP).
Result<LoadResult> run_load(const LoadOptions& options);

}  // namespace hearth::bench
