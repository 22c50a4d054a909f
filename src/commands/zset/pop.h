// Taking members off an end of a sorted set: what ZPOPMIN, ZMPOP and their waiting variants share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/multi_pop.h"
#include "src/commands/zset/members.h"

namespace hearth::commands {

// An end, with the names of the command that takes one off it and of its event.
enum class ZsetEnd : bool { kMin, kMax };
[[nodiscard]] std::string_view zset_pop_command(ZsetEnd end);

enum class PopForm : bool { kInTurn, kPairs };  // member, score ... or [member, score] ...

// Replies with `count` members from an end, which must be there, takes them out with the events
// that go with it, and removes a set that is empty then. The caller writes the array's head before
// and logs the command after.
void pop_members(CommandContext& ctx, const KeyRef& key, Found at, ZsetEnd end, std::uint64_t count,
                 PopForm form);

// Pops from the first of the keys that has members: replies with its name and its members, and logs
// that. False if there is none, with nothing replied.
Result<bool, ReplyError> pop_from_first(CommandContext& ctx, const MultiPop& pop);

}  // namespace hearth::commands
