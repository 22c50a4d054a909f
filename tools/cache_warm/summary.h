// What a load comes to: for people, for programs, and as an exit code.
#pragma once

#include <string>

#include "tools/cache_warm/loader.h"
#include "tools/client/dispatcher.h"

namespace hearth::warm {

// The exit codes of cache-warm; documented in its --help.
enum ExitCode : int {
  kExitAllStored = 0,
  kExitSomeBad = 1,        // everything was read, some rows could not be stored
  kExitUsage = 2,          // wrong arguments or mapping file
  kExitSource = 3,         // the database cannot be opened or read
  kExitTarget = 4,         // the target cannot be reached, or refused the credentials
  kExitTooManyErrors = 5,  // stopped by on_error = "fail" or max_errors
  kExitInterrupted = 130,  // SIGINT or SIGTERM
};

[[nodiscard]] ExitCode exit_code_of(const LoadReport& report);

// A few lines, each with its end.
[[nodiscard]] std::string summary_text(const LoadReport& report);

// One JSON object and a line end. `nodes` is how many servers got rows; 0 for a run without target.
[[nodiscard]] std::string summary_json(const LoadReport& report,
                                       const client::DispatcherCounters& counters,
                                       std::size_t nodes);

}  // namespace hearth::warm
