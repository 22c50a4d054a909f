// Removing ranges: ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.
#include "src/command/common_specs.h"
#include "src/commands/zset/bounds.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"

namespace hearth::commands {
namespace {

Outcome remove_range(CommandContext& ctx, RangeKind kind, std::string_view event) {
  HEARTH_TRY(const ZsetRange range, ZsetRange::parse(kind, ctx.arg(2), ctx.arg(3)));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kZset));
  const RankWindow window = at ? range.in(*at->zset(), Zset::Direction::kUp) : RankWindow{};
  if (window.count > 0) {
    ctx.keys().change(key, at)->zset()->erase_ranks(window.first, window.count);
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(window.count - 1);
    ctx.effects().event(Notify::kZset, event, key.name);
    remove_empty_zset(ctx, key, at);
  }
  ctx.reply().integer(static_cast<std::int64_t>(window.count));
  return {};
}

Outcome by_rank(CommandContext& ctx) {
  return remove_range(ctx, RangeKind::kRank, "zremrangebyrank");
}
Outcome by_score(CommandContext& ctx) {
  return remove_range(ctx, RangeKind::kScore, "zremrangebyscore");
}
Outcome by_lex(CommandContext& ctx) { return remove_range(ctx, RangeKind::kLex, "zremrangebylex"); }

constexpr ArgDoc kRemoveRangeRankArgs[] = {args::key(), args::integer("start"),
                                           args::integer("stop")};
constexpr ArgDoc kRemoveRangeScoreArgs[] = {args::key(), args::real("min"), args::real("max")};
constexpr ArgDoc kRemoveRangeLexArgs[] = {args::key(), args::string("min"), args::string("max")};
constexpr std::string_view kRemoveRangeComplexity =
    "O(log(N)+M) with N the members of the set and M those removed.";

}  // namespace

constexpr CommandSpec kZRemRangeByRank{
    .name = "ZREMRANGEBYRANK",
    .summary = "Removes the members in a range of ranks.",
    .complexity = kRemoveRangeComplexity,
    .since = "2.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kDeleteKey,
    .args = kRemoveRangeRankArgs,
    .reply = Shape::kInteger,
    .handler = by_rank,
};
constexpr CommandSpec kZRemRangeByScore{
    .name = "ZREMRANGEBYSCORE",
    .summary = "Removes the members in a range of scores.",
    .complexity = kRemoveRangeComplexity,
    .since = "1.2.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kDeleteKey,
    .args = kRemoveRangeScoreArgs,
    .reply = Shape::kInteger,
    .handler = by_score,
};
constexpr CommandSpec kZRemRangeByLex{
    .name = "ZREMRANGEBYLEX",
    .summary = "Removes the members in a range of names, where all scores are equal.",
    .complexity = kRemoveRangeComplexity,
    .since = "2.8.9",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kDeleteKey,
    .args = kRemoveRangeLexArgs,
    .reply = Shape::kInteger,
    .handler = by_lex,
};

}  // namespace hearth::commands
