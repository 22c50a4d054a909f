#include "src/commands/zset/access.h"

namespace hearth::commands {

ZsetLimits zset_limits(CommandContext& ctx) {
  const config::Settings& s = ctx.settings();
  return {s.zset_max_listpack_entries, s.zset_max_listpack_value, ctx.keyspace().seed()};
}

Found made_zset(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at) return at;
  auto zset = std::make_unique<Zset>();
  return ctx.keys().put(key, at,
                        Entry::make_object(key.name, Type::kZset, zset.release(), kNoDeadline,
                                           ctx.keys().new_access()));
}

void remove_empty_zset(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at->zset()->size() > 0) return;
  ctx.keys().remove(key, at);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
}

void store_zset(CommandContext& ctx, const KeyRef& key, Zset zset, std::string_view event) {
  const std::uint64_t size = zset.size();
  const Found at = ctx.keys().peek(key);
  if (size > 0) {
    auto owned = std::make_unique<Zset>(std::move(zset));
    ctx.keys().put(key, at,
                   Entry::make_object(key.name, Type::kZset, owned.release(), kNoDeadline,
                                      ctx.keys().new_access()));
    ctx.effects().replicate_verbatim();
    ctx.effects().event(Notify::kZset, event, key.name);
  } else if (at) {
    ctx.keys().remove(key, at);
    ctx.effects().replicate_as("DEL", key.name);
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(size));
}

void begin_members(ReplyWriter& reply, std::uint64_t count, Scores scores) {
  const bool in_turn = scores == Scores::kInclude && reply.resp() < 3;
  reply.array(in_turn ? count * 2 : count);
}

void add_member(ReplyWriter& reply, const Zset::Item& item, Scores scores) {
  if (scores == Scores::kInclude && reply.resp() >= 3) reply.array(2);
  reply.bulk(item.member);
  if (scores == Scores::kInclude) reply.real(item.score);
}

void reply_window(ReplyWriter& reply, const Zset& zset, std::uint64_t first, std::uint64_t count,
                  Zset::Direction direction, Scores scores) {
  begin_members(reply, count, scores);
  Zset::Walk walk = zset.walk(first, count, direction);
  for (Zset::Item item; walk.next(item);) add_member(reply, item, scores);
}

}  // namespace hearth::commands
