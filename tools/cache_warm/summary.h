// The summary of a run: for people, for programs, and as an exit code.
#pragma once

#include <string>

#include "tools/cache_warm/report.h"

namespace hearth::warm {

// The exit codes of cache-warm; documented in its --help.
enum ExitCode : int {
  kExitAllStored = 0,
  kExitSomeBad = 1,        // everything was read; some rows could not be stored, or differ
  kExitUsage = 2,          // wrong arguments or mapping file, or something missing at the start
  kExitSource = 3,         // the database cannot be opened or read
  kExitTarget = 4,         // the target cannot be reached, or refused the credentials
  kExitTooManyErrors = 5,  // stopped by on_error = "fail" or max_errors
  kExitKeysLost = 6,       // the target evicted keys, would have, or lost what it had
  kExitInterrupted = 130,  // SIGINT or SIGTERM
};

[[nodiscard]] ExitCode exit_code_of(const LoadReport& report);

// A few lines, each with its end.
[[nodiscard]] std::string summary_text(const LoadReport& report, bool compares);

// One JSON object and a line end.
[[nodiscard]] std::string summary_json(const LoadReport& report);

}  // namespace hearth::warm
