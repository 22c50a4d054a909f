// MigrationControl: MIGRATE, which hands keys over to another server. Implemented by the
// composition root.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/base/time.h"

namespace hearth {

class MigrationControl {
 public:
  virtual ~MigrationControl() = default;
  struct Job {
    std::string host;  // a name or an address
    std::uint16_t port = 0;
    std::vector<std::vector<std::string>> preamble;  // AUTH, SELECT
    std::vector<std::vector<std::string>> commands;  // one RESTORE per key
    milliseconds timeout{1000};                      // the longest the other side may be silent
  };
  // failure: the error for the client, with its code, if the job did not come to its end; then
  // `errors` may be short. errors: for each command that was answered, the peer's error or "" for
  // OK.
  struct JobResult {
    std::string failure;
    std::vector<std::string> errors;
  };
  // Never calls `done` from inside start. `done` is called once, unless the server ends before.
  virtual void start(Job job, std::function<void(JobResult)> done) = 0;
  // Connections kept open for the next job.
  [[nodiscard]] virtual std::uint64_t cached_connections() const { return 0; }
};

}  // namespace hearth
