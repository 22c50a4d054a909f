// Helpers of the set commands: finding sets, making one, removing it with its last member.
#pragma once

#include <memory>
#include <vector>

#include "src/command/context.h"
#include "src/store/set.h"

namespace hearth::commands {

[[nodiscard]] SetLimits set_limits(CommandContext& ctx);

// The sets under words [first, first + count) for reading; nullptr where there is none. Refuses
// values of other types, whatever stands beside them. The pointers last until the data changes.
[[nodiscard]] Result<std::vector<const Set*>, ReplyError> read_sets(CommandContext& ctx,
                                                                    std::size_t first,
                                                                    std::size_t count);

// The same place, with an empty set made if there was none, in the shape for `count` members of
// which `member` is the first.
[[nodiscard]] Found made_set(CommandContext& ctx, const KeyRef& key, Found at,
                             std::string_view member, std::uint64_t count);

// Removes the key of a set without members.
void remove_empty_set(CommandContext& ctx, const KeyRef& key, Found at);

// Makes word 1 hold `result` in place of whatever it is, or nothing if that is empty; replies with
// the number of members. The event is named `name`.
void store_set(CommandContext& ctx, Set result, std::string_view name);

}  // namespace hearth::commands
