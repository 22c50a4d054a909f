// A load as it would be, from the first rows of each mapping: keys and values, counts, and the room
// they will take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/job.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

struct MappingPreview {
  std::string name;
  std::vector<std::pair<std::string, std::string>> samples;  // keys and commands, as text
  std::uint64_t rows_sampled = 0;
  std::uint64_t rows_bad = 0;
  std::uint64_t rows_passed_over = 0;  // expired, or skipped
  std::uint64_t keys = 0;              // of the sample
  std::uint64_t keys_twice = 0;        // of them, those that an earlier row had made
  std::uint64_t key_and_value_bytes = 0;
  std::string first_problem;
  std::optional<std::uint64_t> rows;  // of the whole selection, by the database's statistics

  // Memory of all its keys, by the average of the sample.
  [[nodiscard]] std::optional<std::uint64_t> memory_bytes() const;
};

// How much of a mapping a preview reads, and how many keys it keeps.
struct PreviewSize {
  std::uint64_t rows = 0;
  std::uint64_t shown = 0;
};
// Errors of both: kIo, kInvalid, kBusy.
Result<MappingPreview> preview_mapping(Reader& reader, const PreparedMapping& prepared,
                                       PreviewSize size, UnixMillis now);
// The job is prepared.
Result<std::vector<MappingPreview>> preview_mappings(Source& source, Job& job, PreviewSize size);

// Whether rows of the table may make one key several times, as far as the mapping tells, so that it
// would be left to chance which of them stays. Queries are not judged: reading the first rows of
// one may cost the database as much as all.
[[nodiscard]] bool may_make_keys_twice(const PreparedMapping& prepared);

[[nodiscard]] std::string preview_text(const std::vector<MappingPreview>& previews, double rate);
[[nodiscard]] std::string preview_json(const std::vector<MappingPreview>& previews, double rate);

}  // namespace hearth::warm
