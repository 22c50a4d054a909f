// The result of a load, or of a comparison.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/client/dispatcher.h"

namespace hearth::warm {

struct MappingTally {
  std::string name;
  std::uint64_t rows_read = 0;
  std::uint64_t rows_stored = 0;   // acknowledged by the server
  std::uint64_t rows_bad = 0;      // not encodable, or refused by the server
  std::uint64_t rows_expired = 0;  // their time to live was over
  std::uint64_t rows_skipped = 0;  // the mapping passes over them
  std::uint64_t keys_written = 0;
  std::uint64_t keys_deleted = 0;
  std::uint64_t keys_kept = 0;     // only_if_absent: they were there
  std::uint64_t bytes = 0;         // of the commands
  std::uint64_t rows_resumed = 0;  // stored by the run that this one goes on from
  std::uint64_t rows_hot = 0;      // of rows_read: read first, since their keys are used most
  std::uint64_t rows_again = 0;    // of rows_read: read a second time, in another connection
  // Of a comparison:
  std::uint64_t keys_same = 0;
  std::uint64_t keys_missing = 0;
  std::uint64_t keys_different = 0;
  std::uint64_t keys_orphaned = 0;
  std::uint64_t keys_repaired = 0;
  double seconds = 0;

  void add(const MappingTally& other);
};

enum class LoadEnd : std::uint8_t {
  kComplete,
  kInterrupted,
  kTooManyErrors,
  kSourceFailed,
  kTargetFailed,
  kRefused,     // something was wrong before the first row
  kMemoryFull,  // the target would have had to evict, or did
  kDataLost,    // a node came back empty, and what it had could not be loaded again
};

struct LoadReport {
  LoadEnd end = LoadEnd::kComplete;
  std::string reason;                  // of a failure
  std::vector<MappingTally> mappings;  // those that were begun
  double seconds = 0;
  std::size_t nodes = 0;  // servers that got rows; 0 for a run without target
  std::uint64_t keys_evicted = 0;
  std::uint64_t restarts = 0;       // nodes that came back with another run id
  std::uint64_t reloads = 0;        // passes that were made for them
  std::uint64_t source_losses = 0;  // connections to the database that were lost and made again
  std::vector<std::string> notes;
  client::DispatcherCounters counters;

  [[nodiscard]] MappingTally total() const;
  // Rows read that are neither stored, nor bad, nor expired, nor skipped: their fate is not known.
  [[nodiscard]] std::uint64_t unconfirmed() const;
};

}  // namespace hearth::warm
