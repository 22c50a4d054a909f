// Finding HyperLogLog values, and putting changed ones back.
#pragma once

#include "src/command/context.h"
#include "src/store/hyperloglog.h"

namespace hearth::commands {

// Refuses strings that are no HyperLogLog value.
[[nodiscard]] Result<hll::Encoding, ReplyError> checked_hll(const Entry& entry);

// The bytes of a string entry that holds one, to be changed in place.
[[nodiscard]] char* hll_bytes(Entry& entry);

// Makes the key hold `value` in place of what it holds, with the deadline it has.
void put_hll(CommandContext& ctx, const KeyRef& key, Found at, std::string_view value);

}  // namespace hearth::commands
