// The mapping file: what becomes which keys. TOML; conf/warm/README.md explains every key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/cache_warm/key_template.h"
#include "tools/cache_warm/source.h"
#include "tools/client/endpoint.h"

namespace hearth::warm {

enum class ValueKind : std::uint8_t {
  kString,  // one column as it is
  kJson,    // the row as a JSON object
  kHash,    // the row as a hash: column names are fields
};

// One [[mapping]]: rows of one selection to keys of one form.
struct Mapping {
  std::string name;
  Selection selection;
  KeyTemplate key;
  ValueKind value = ValueKind::kJson;
  std::string column;                     // kString: which one
  std::vector<std::string> fields;        // kJson, kHash: which columns, in this order; empty: all
  std::vector<std::string> exclude;       // kJson, kHash: columns left out
  std::vector<std::string> json_columns;  // kJson: columns whose text is JSON and goes in as it is
  bool keep_nulls = true;                 // kJson: NULL becomes null; false: is left out
  bool replace = true;                    // kHash: fields that an earlier load left are removed
  std::optional<milliseconds> ttl;
  double ttl_jitter = 0;   // fraction of the ttl
  std::string ttl_column;  // seconds, row by row; NULL: `ttl`
  std::size_t max_value_bytes = std::size_t{512} << 20;
  std::uint64_t rows_per_second = 0;  // 0: as fast as it goes
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
};

enum class OnError : std::uint8_t { kSkip, kFail };

struct ErrorPolicy {
  OnError on_error = OnError::kSkip;
  std::uint64_t max_errors = 1000;  // more bad rows than this end the run
  std::string reject_file;          // empty: none
  std::uint64_t printed = 10;       // bad rows that are also printed
};

struct WarmPlan {
  std::string source_url;
  Target target;
  ErrorPolicy errors;
  std::vector<Mapping> mappings;  // at least one
};

// Reads a mapping file's text. `file` is its name for messages.
// Errors: kInvalid, "file:line: key: what is wrong"; unknown keys are wrong too.
Result<WarmPlan> parse_mapping(std::string_view text, std::string_view file);

}  // namespace hearth::warm
