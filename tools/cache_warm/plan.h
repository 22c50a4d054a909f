// A mapping file as a whole: source, target, what happens to bad rows, and the mappings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/client/endpoint.h"
#include "tools/warm_mapping/mapping.h"

namespace hearth::warm {

struct SourcePlan {
  std::string url;
  std::string password;  // in place of the URL's
  int workers = 2;       // connections, at most
  bool consistent = true;
  std::uint64_t chunk_rows = 50'000;
  milliseconds connect_timeout{10'000};
  milliseconds retry_for{300'000};  // after a connection that was lost in a load
};

// Whether rows may overwrite what applications wrote since the database was read.
enum class Guard : std::uint8_t {
  kAuto,   // they may not, where the target has warm epochs
  kEpoch,  // the target must have them
  kOff,
};

struct Target {
  std::vector<client::Endpoint> seeds;
  std::string username;
  std::string password;
  DbIndex db = 0;
  int connections_per_node = 1;
  std::size_t batch_rows = 512;
  std::size_t batch_bytes = 48 * 1024;
  std::size_t window_bytes = 1024 * 1024;
  milliseconds retry_for{30'000};
  milliseconds reply_timeout{10'000};
  milliseconds latency_limit{2};  // see Pacer
  double memory_limit = 0.95;     // of maxmemory; a load stops there
  Guard guard = Guard::kAuto;
};

enum class OnError : std::uint8_t { kSkip, kFail };

struct ErrorPolicy {
  OnError on_error = OnError::kSkip;
  std::uint64_t max_errors = 1000;  // more bad rows than this end the run
  std::string reject_file;          // empty: none
  std::uint64_t printed = 10;       // bad rows that are also printed
};

struct WarmPlan {
  SourcePlan source;
  Target target;
  ErrorPolicy errors;
  std::vector<Mapping> mappings;  // at least one
};

// Reads a mapping file's text. `file` is its name for messages.
// Errors: kInvalid, "file:line: key: what is wrong"; unknown keys are wrong too.
Result<WarmPlan> parse_plan(std::string_view text, std::string_view file);

}  // namespace hearth::warm
