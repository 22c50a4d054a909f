// Strings that are stored with a deadline which has passed already.
#pragma once

#include "src/command/context.h"

namespace hearth::commands {

[[nodiscard]] inline bool is_past(const CommandContext& ctx, std::int64_t deadline) {
  return deadline != kNoDeadline && deadline <= ctx.now().ms;
}

// Storing a string whose time is over: the key is gone at once, and nobody who replays the log
// needs to look at a clock. `at` may be empty.
inline void remove_as_past(CommandContext& ctx, const KeyRef& key, Found at) {
  if (!at) return;
  const bool lazy = ctx.settings().lazyfree_lazy_expire;
  ctx.keys().remove(key, at, lazy);
  ctx.effects().replicate_as(lazy ? "UNLINK" : "DEL", key.name);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
}

}  // namespace hearth::commands
