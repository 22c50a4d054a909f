#include "src/commands/zset/members.h"

namespace hearth::commands {

void remove_empty_zset(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at->zset()->size() > 0) return;
  ctx.keys().remove(key, at);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
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
