// Deletes every key of a mapping by a search: what a TRUNCATE asks for.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "src/base/result.h"
#include "tools/client/client.h"
#include "tools/warm_mapping/mapping.h"

namespace hearth::warm {

struct EraserTarget {
  client::DispatcherOptions options;
  std::vector<client::Endpoint> nodes;  // those that own slots
};

// Deletes the keys that have the form of a key of the mapping, and returns how many. A key that has
// the form of several mappings' keys belongs to the one whose template says most of it
// ("user:{id}:orders" before "user:{id}"). Keys of that form that somebody else wrote are deleted
// too; keys that move between nodes meanwhile may be missed. Steps of 1000 keys. Errors: kIo,
// kBusy.
Result<std::uint64_t> erase_mapping_keys(const EraserTarget& target, const Clock& clock,
                                         const std::atomic<bool>& interrupt,
                                         const std::vector<Mapping>& mappings, std::size_t mapping);

}  // namespace hearth::warm
