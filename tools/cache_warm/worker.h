// Reads chunk after chunk, encodes the rows and hands them to a consumer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/cache_warm/consumer.h"
#include "tools/cache_warm/job.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

class Worker {
 public:
  Worker(Job& job, Reader& reader, UnitConsumer& consumer)
      : job_(job), reader_(reader), consumer_(consumer) {}

  // Units carry fingerprints of their values.
  void want_fingerprints() { with_fingerprints_ = true; }

  // Works until there is no chunk left or the job is stopped, and then waits until everything has
  // its answer; after an interrupt a few seconds at most. The job knows how it went.
  void work();

 private:
  bool load_chunk(const ChunkTask& task);
  bool read_chunk(const ChunkTask& task);
  bool take_unit(const Unit* unit);
  bool wait_for_rate(const Unit& unit);
  void read_primary_key(Row row);
  bool settle_chunk(const ChunkTask& task);
  Result<void> settle(std::optional<milliseconds> limit);
  void collect(std::size_t mapping);
  void stop_for(const Error& error, LoadEnd end);
  bool fail_source(const ChunkTask& task, const Error& error);

  Job& job_;
  Reader& reader_;
  UnitConsumer& consumer_;
  bool with_fingerprints_ = false;
  std::size_t mapping_ = 0;
  std::size_t unsettled_ = 0;       // chunks of the mapping that were read
  std::uint64_t row_ = 0;           // number of the last one read, in its chunk
  std::uint64_t rows_in_hand_ = 0;  // read, and neither handed on nor judged yet
  MappingTally tally_;              // what the consumer does not count
  std::vector<std::string> primary_key_;
  bool has_primary_key_ = false;
};

}  // namespace hearth::warm
