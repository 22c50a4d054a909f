#include "src/commands/set/set_key.h"

namespace hearth::commands {

SetLimits set_limits(CommandContext& ctx) {
  const config::Settings& s = ctx.settings();
  return {s.set_max_intset_entries, s.set_max_listpack_entries, s.set_max_listpack_value,
          ctx.keyspace().seed()};
}

Result<std::vector<const Set*>, ReplyError> read_sets(CommandContext& ctx, std::size_t first,
                                                      std::size_t count) {
  std::vector<const Set*> sets;
  sets.reserve(count);
  ctx.let_expired_go(first, first + count);
  for (std::size_t i = 0; i < count; ++i) {
    HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(first + i), Type::kSet));
    sets.push_back(at ? at->set() : nullptr);
  }
  return sets;
}

Found made_set(CommandContext& ctx, const KeyRef& key, Found at, std::string_view member,
               std::uint64_t count) {
  if (at) return at;
  return ctx.keys().put(key, at,
                        Entry::make(key.name, Set::for_members(member, count, set_limits(ctx)),
                                    kNoDeadline, ctx.keys().new_access()));
}

void remove_empty_set(CommandContext& ctx, const KeyRef& key, Found at) {
  if (!at->set()->empty()) return;
  ctx.keys().remove(key, at, false);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
}

void store_set(CommandContext& ctx, Set result, std::string_view name) {
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().peek(key);
  const std::uint64_t size = result.size();
  if (size > 0) {
    ctx.keys().put(key, at,
                   Entry::make(key.name, std::move(result), kNoDeadline, ctx.keys().new_access()));
    ctx.effects().replicate_verbatim();
    ctx.effects().event(Notify::kSet, name, key.name);
  } else if (at) {
    ctx.keys().remove(key, at);
    ctx.effects().replicate_verbatim();
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(size));
}

}  // namespace hearth::commands
