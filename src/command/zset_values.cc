#include "src/command/zset_values.h"

namespace hearth {

ZsetLimits zset_limits(CommandContext& ctx) {
  const config::Settings& s = ctx.settings();
  return {s.zset_max_listpack_entries, s.zset_max_listpack_value, ctx.keyspace().seed()};
}

Found made_zset(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at) return at;
  return ctx.keys().put(key, at,
                        Entry::make(key.name, Zset(), kNoDeadline, ctx.keys().new_access()));
}

void store_zset(CommandContext& ctx, const KeyRef& key, Zset zset, std::string_view event) {
  const std::uint64_t size = zset.size();
  const Found at = ctx.keys().peek(key);
  if (size > 0) {
    ctx.keys().put(key, at,
                   Entry::make(key.name, std::move(zset), kNoDeadline, ctx.keys().new_access()));
    ctx.effects().replicate_verbatim();
    ctx.effects().event(Notify::kZset, event, key.name);
  } else if (at) {
    ctx.keys().remove(key, at);
    ctx.effects().replicate_as("DEL", key.name);
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(size));
}

}  // namespace hearth
