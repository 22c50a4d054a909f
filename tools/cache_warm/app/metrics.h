// The counts of a run over HTTP, for Prometheus.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/report.h"

namespace hearth::warm {

// A number of the whole run, of what it is now.
struct Gauge {
  const char* name;
  const char* help;
  double value;
};

class Metrics {
 public:
  // Listens until it is destroyed. `tallies` and `gauges` are called from other threads. Errors:
  // kIo.
  static Result<std::unique_ptr<Metrics>> listen(
      const std::string& address, std::function<std::vector<MappingTally>()> tallies,
      std::function<std::vector<Gauge>()> gauges = [] { return std::vector<Gauge>{}; });
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

 private:
  struct Parts;
  explicit Metrics(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::warm
