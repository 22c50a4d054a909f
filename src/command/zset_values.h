// Sorted sets as values of keys: what the families of sorted sets and of positions share.
#pragma once

#include <string_view>

#include "src/command/context.h"
#include "src/store/zset.h"

namespace hearth {

// The limits of the compact encoding, as configured.
[[nodiscard]] ZsetLimits zset_limits(CommandContext& ctx);

// The same place, with an empty sorted set made if there was none.
[[nodiscard]] Found made_zset(CommandContext& ctx, const KeyRef& key, Found at);

// Makes `key` hold this set in place of whatever it holds, or removes it if the set is empty;
// records `event` and the request as it came, if anything changed. Replies with the size.
void store_zset(CommandContext& ctx, const KeyRef& key, Zset zset, std::string_view event);

}  // namespace hearth
