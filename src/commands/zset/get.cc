// Reading one or a few members: ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT.
#include "src/command/common_specs.h"
#include "src/commands/zset/bounds.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"

namespace hearth::commands {
namespace {

Outcome zcard(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  ctx.reply().integer(at ? static_cast<std::int64_t>(at->zset()->size()) : 0);
  return {};
}

void reply_score(ReplyWriter& reply, const std::optional<double>& score) {
  if (score)
    reply.real(*score);
  else
    reply.null();
}

Outcome zscore(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  reply_score(ctx.reply(), at ? at->zset()->score(ctx.arg(2)) : std::nullopt);
  return {};
}

Outcome zmscore(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  const auto members = ctx.args().from(2);
  ctx.reply().array(members.size());
  for (const std::string_view member : members)
    reply_score(ctx.reply(), at ? at->zset()->score(member) : std::nullopt);
  return {};
}

Outcome rank(CommandContext& ctx, Zset::Direction direction) {
  if (ctx.args().size() > 4) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  const bool with_score = ctx.args().is(3, "WITHSCORE");
  if (ctx.args().size() == 4 && !with_score) return syntax_error();
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  const auto ranked = at ? at->zset()->rank(ctx.arg(2)) : std::nullopt;
  if (!ranked) {
    if (with_score)
      ctx.reply().null_array();
    else
      ctx.reply().null();
    return {};
  }
  const std::uint64_t place =
      direction == Zset::Direction::kUp ? ranked->rank : at->zset()->size() - 1 - ranked->rank;
  if (with_score) ctx.reply().array(2);
  ctx.reply().integer(static_cast<std::int64_t>(place));
  if (with_score) ctx.reply().real(ranked->score);
  return {};
}

Outcome zrank(CommandContext& ctx) { return rank(ctx, Zset::Direction::kUp); }
Outcome zrevrank(CommandContext& ctx) { return rank(ctx, Zset::Direction::kDown); }

Outcome count(CommandContext& ctx, RangeKind kind) {
  HEARTH_TRY(const ZsetRange range, ZsetRange::parse(kind, ctx.arg(2), ctx.arg(3)));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  const RankWindow window = at ? range.in(*at->zset(), Zset::Direction::kUp) : RankWindow{};
  ctx.reply().integer(static_cast<std::int64_t>(window.count));
  return {};
}

Outcome zcount(CommandContext& ctx) { return count(ctx, RangeKind::kScore); }
Outcome zlexcount(CommandContext& ctx) { return count(ctx, RangeKind::kLex); }

constexpr ArgDoc kGetScoreArgs[] = {args::key(), args::string("member")};
constexpr ArgDoc kScoresArgs[] = {args::key(), args::string("member").many()};
constexpr ArgDoc kGetRankArgs[] = {args::key(), args::string("member"),
                                   args::token("withscore", "WITHSCORE").opt().from("7.2.0")};
constexpr ArgDoc kCountArgs[] = {args::key(), args::real("min"), args::real("max")};
constexpr ArgDoc kLexCountArgs[] = {args::key(), args::string("min"), args::string("max")};
constexpr KeySpec kMetaKey[] = {KeySpec::one(1, access::kReadMeta)};
constexpr Flag kGetFlags = Flag::kReadonly | Flag::kFast;
constexpr HistoryNote kRankHistory[] = {{"7.2.0", "Has the option WITHSCORE."}};

}  // namespace

constexpr CommandSpec kZCard{
    .name = "ZCARD",
    .summary = "Returns the number of members of a sorted set.",
    .complexity = "O(1)",
    .since = "1.2.0",
    .arity = Arity::exactly(2),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kMetaKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = zcard,
};
constexpr CommandSpec kZScore{
    .name = "ZSCORE",
    .summary = "Returns the score of a member of a sorted set.",
    .complexity = "O(1)",
    .since = "1.2.0",
    .arity = Arity::exactly(3),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kGetScoreArgs,
    .reply = Shape::kDouble | Shape::kNull,
    .handler = zscore,
    .member_at = 2,
};
constexpr CommandSpec kZMScore{
    .name = "ZMSCORE",
    .summary = "Returns the scores of several members of a sorted set.",
    .complexity = "O(N) with the number of members asked for.",
    .since = "6.2.0",
    .arity = Arity::at_least(3),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kScoresArgs,
    .reply = Shape::kArray,
    .handler = zmscore,
    .member_at = 2,
};
constexpr CommandSpec kZRank{
    .name = "ZRANK",
    .summary = "Returns how many members stand before a member, lowest score first.",
    .complexity = "O(log(N))",
    .since = "2.0.0",
    .arity = Arity::at_least(3),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kGetRankArgs,
    .reply = Shape::kInteger | Shape::kNull | Shape::kArray | Shape::kNullArray,
    .handler = zrank,
    .history = kRankHistory,
    .member_at = 2,
};
constexpr CommandSpec kZRevRank{
    .name = "ZREVRANK",
    .summary = "Returns how many members stand before a member, highest score first.",
    .complexity = "O(log(N))",
    .since = "2.0.0",
    .arity = Arity::at_least(3),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kGetRankArgs,
    .reply = Shape::kInteger | Shape::kNull | Shape::kArray | Shape::kNullArray,
    .handler = zrevrank,
    .history = kRankHistory,
    .member_at = 2,
};
constexpr CommandSpec kZCount{
    .name = "ZCOUNT",
    .summary = "Counts the members whose scores lie in a range.",
    .complexity = "O(log(N))",
    .since = "2.0.0",
    .arity = Arity::exactly(4),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kCountArgs,
    .reply = Shape::kInteger,
    .handler = zcount,
};
constexpr CommandSpec kZLexCount{
    .name = "ZLEXCOUNT",
    .summary = "Counts the members in a range of names, where all scores are equal.",
    .complexity = "O(log(N))",
    .since = "2.8.9",
    .arity = Arity::exactly(4),
    .flags = kGetFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kLexCountArgs,
    .reply = Shape::kInteger,
    .handler = zlexcount,
};

}  // namespace hearth::commands
