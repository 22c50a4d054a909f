// A consumer of encoded rows: they are sent, compared, or shown.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/cache_warm/report.h"
#include "tools/warm_mapping/row_encoder.h"

namespace hearth::warm {

// Where a unit comes from. `primary_key` is null where it is not known.
struct UnitOrigin {
  std::size_t mapping = 0;
  const std::vector<std::string>* primary_key = nullptr;
};

// Used by one worker.
class UnitConsumer {
 public:
  virtual ~UnitConsumer() = default;
  // Takes a unit with writes; may block. Errors: the target failed for good, or kBusy.
  virtual Result<void> take(const Unit& unit, const UnitOrigin& origin) = 0;
  // Lets time pass usefully.
  virtual Result<void> idle(milliseconds wait) = 0;
  // Waits until all that was taken has its answer, at most `limit` long.
  virtual Result<void> settle(std::optional<milliseconds> limit) = 0;
  // The counts since the last call, of one mapping.
  virtual MappingTally collect() = 0;
};

}  // namespace hearth::warm
