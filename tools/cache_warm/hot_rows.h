// Hot rows: the rows of keys that are used most, which a load reads first.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/cache_warm/job.h"

namespace hearth::warm {

struct HotRows {
  std::vector<ChunkTask> tasks;
  std::vector<std::string> notes;  // mappings whose keys can't be turned into rows, and why
};

// Turns keys back into the rows that make them, by the template of each mapping's first output.
// Keys are not trusted: values that the column's type can't hold ask for nothing, since a database
// would end the whole snapshot with an error.
enum class Typing : std::uint8_t {
  kStrict,  // a value that is none of its column's type is an error
  kLoose,   // SQLite: every value may be compared with every column
};
[[nodiscard]] HotRows find_hot_rows(std::span<const PreparedMapping> mappings,
                                    std::span<const std::string> keys, Typing typing);

}  // namespace hearth::warm
