// Helpers of the sorted set commands: removing the set, and the ways members and
// scores are written in a reply.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/zset_values.h"
#include "src/store/zset.h"

namespace hearth::commands {

// Removes the key if its set has no member left, with the event that goes with it.
void remove_empty_zset(CommandContext& ctx, const KeyRef& key, Found at);

enum class Scores : bool { kLeaveOut, kInclude };

// An array of members, with scores as pairs in RESP3 and in turn in RESP2.
void begin_members(ReplyWriter& reply, std::uint64_t count, Scores scores);
void add_member(ReplyWriter& reply, const Zset::Item& item, Scores scores);
// A window of ranks as such an array: `count` members from `first` on, which must exist.
void reply_window(ReplyWriter& reply, const Zset& zset, std::uint64_t first, std::uint64_t count,
                  Zset::Direction direction, Scores scores);

}  // namespace hearth::commands
