// ZPOPMIN, ZPOPMAX, ZMPOP.
#include "src/commands/zset/pop.h"

#include <algorithm>

#include "src/commands/zset/family.h"
#include "src/commands/zset/spec_parts.h"

namespace hearth::commands {

std::string_view zset_pop_command(ZsetEnd end) {
  return end == ZsetEnd::kMin ? "ZPOPMIN" : "ZPOPMAX";
}

void pop_members(CommandContext& ctx, const KeyRef& key, Found at, ZsetEnd end, std::uint64_t count,
                 PopForm form) {
  const Zset& zset = *at->zset();
  const std::uint64_t size = zset.size();
  const bool from_min = end == ZsetEnd::kMin;
  Zset::Walk walk = zset.walk(from_min ? 0 : size - 1, count,
                              from_min ? Zset::Direction::kUp : Zset::Direction::kDown);
  for (Zset::Item item; walk.next(item);) {
    if (form == PopForm::kPairs) ctx.reply().array(2);
    ctx.reply().bulk(item.member);
    ctx.reply().real(item.score);
  }
  ctx.keys().change(key, at)->zset()->erase_ranks(from_min ? 0 : size - count, count);
  ctx.effects().event(Notify::kZset, from_min ? "zpopmin" : "zpopmax", key.name);
  remove_empty_zset(ctx, key, at);
}

Result<bool, ReplyError> pop_from_first(CommandContext& ctx, const MultiPop& pop) {
  const ZsetEnd end = pop.at_second_end ? ZsetEnd::kMax : ZsetEnd::kMin;
  for (std::size_t i = 0; i < pop.key_count; ++i) {
    const KeyRef key = ctx.key(pop.first_key + i);
    HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kZset));
    if (!at) continue;
    const std::uint64_t count = std::min(pop.count, at->zset()->size());
    ctx.reply().array(2);
    ctx.reply().bulk(key.name);
    ctx.reply().array(count);
    pop_members(ctx, key, at, end, count, PopForm::kPairs);
    ctx.effects().replicate_as(zset_pop_command(end), key.name, static_cast<std::int64_t>(count));
    ctx.effects().count_changes(count - 1);
    return true;
  }
  return false;
}

namespace {

Outcome pop(CommandContext& ctx, ZsetEnd end) {
  if (ctx.args().size() > 3) return syntax_error();
  const bool counted = ctx.args().size() == 3;
  std::int64_t wanted = 1;
  if (counted) {
    HEARTH_TRY(wanted, ctx.args().integer_between(2, 0, INT64_MAX,
                                                  "ERR value is out of range, must be positive"));
  }
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kZset));
  if (!at || wanted == 0) {
    ctx.reply().array(0);
    return {};
  }
  const std::uint64_t count = std::min(static_cast<std::uint64_t>(wanted), at->zset()->size());
  const bool pairs = counted && ctx.reply().resp() >= 3;
  ctx.reply().array(pairs ? count : count * 2);
  pop_members(ctx, key, at, end, count, pairs ? PopForm::kPairs : PopForm::kInTurn);
  ctx.effects().replicate_verbatim();
  ctx.effects().count_changes(count - 1);
  return {};
}

Outcome zpopmin(CommandContext& ctx) { return pop(ctx, ZsetEnd::kMin); }
Outcome zpopmax(CommandContext& ctx) { return pop(ctx, ZsetEnd::kMax); }

Outcome zmpop(CommandContext& ctx) {
  HEARTH_TRY(const MultiPop pop, parse_multi_pop(ctx.args(), 1, "MIN", "MAX"));
  HEARTH_TRY(const bool popped, pop_from_first(ctx, pop));
  if (!popped) ctx.reply().null_array();
  return {};
}

constexpr ArgDoc kPopArgs[] = {args::key(), args::integer("count").opt()};
constexpr ArgDoc kPopMultiArgs[] = {args::integer("numkeys"), args::key().many(),
                                    args::one_of("where", kZsetEnds),
                                    args::integer("count", "COUNT").opt()};
constexpr KeySpec kPopKey[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kDelete)};
constexpr KeySpec kPopMultiKeys[] = {
    KeySpec::counted(1, access::kRW | access::kAccess | access::kDelete)};
constexpr std::string_view kPopComplexity =
    "O(log(N)+M) with N the members of the set and M those popped.";

}  // namespace

constexpr CommandSpec kZPopMin{
    .name = "ZPOPMIN",
    .summary = "Removes and returns the members with the lowest scores.",
    .complexity = kPopComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kPopKey,
    .args = kPopArgs,
    .reply = Shape::kArray,
    .handler = zpopmin,
};
constexpr CommandSpec kZPopMax{
    .name = "ZPOPMAX",
    .summary = "Removes and returns the members with the highest scores.",
    .complexity = kPopComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kPopKey,
    .args = kPopArgs,
    .reply = Shape::kArray,
    .handler = zpopmax,
};
constexpr CommandSpec kZMPop{
    .name = "ZMPOP",
    .summary = "Removes and returns members of the first of several sorted sets that has any.",
    .complexity = "O(K)+O(M*log(N)) with K the keys, N the members of the set and M those popped.",
    .since = "7.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kPopMultiKeys,
    .args = kPopMultiArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = zmpop,
};

}  // namespace hearth::commands
