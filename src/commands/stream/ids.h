// Stream ids as clients write them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "src/command/context.h"
#include "src/store/stream.h"

namespace hearth::commands {

// "<ms>-<seq>" or "<ms>", then with `missing_seq`.
[[nodiscard]] Result<StreamId, ReplyError> strict_id(std::string_view word,
                                                     std::uint64_t missing_seq = 0);
// The same, or "-" for the smallest and "+" for the largest.
[[nodiscard]] Result<StreamId, ReplyError> any_id(std::string_view word,
                                                  std::uint64_t missing_seq = 0);
// Ends of an interval; "(" in front leaves the id itself out.
[[nodiscard]] Result<StreamId, ReplyError> interval_start(std::string_view word);
[[nodiscard]] Result<StreamId, ReplyError> interval_end(std::string_view word);
// Words from..., all strict ids.
[[nodiscard]] Result<std::vector<StreamId>, ReplyError> strict_ids(
    std::span<const std::string_view> words);

}  // namespace hearth::commands
