// ZRANDMEMBER.
#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "src/command/client_control.h"
#include "src/command/common_specs.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"

namespace hearth::commands {
namespace {

// The count is the client's and has no bound: a reply that can't be sent any more is given up.
// Asked now and then, since it costs more than a draw.
bool is_hopeless(CommandContext& ctx, std::uint64_t drawn) {
  return drawn % 4096 == 4095 && ctx.services().clients->is_over_output_limit(ctx.session());
}

// `count` times any member: the same one may come again.
void with_repetition(CommandContext& ctx, const Zset& zset, std::uint64_t count, Scores scores) {
  begin_members(ctx.reply(), count, scores);
  Zset::Scratch scratch;
  for (std::uint64_t i = 0; i < count && !is_hopeless(ctx, i); ++i)
    add_member(ctx.reply(), zset.random(ctx.rng(), scratch), scores);
}

// `count` different ranks out of `size`, in no order.
std::vector<std::uint64_t> distinct_ranks(Rng& rng, std::uint64_t size, std::uint64_t count) {
  std::vector<std::uint64_t> ranks;
  ranks.reserve(count);
  // Few out of many: draw, and draw again what was there already. Otherwise shuffle all.
  constexpr std::uint64_t kFewRatio = 3;
  if (count * kFewRatio < size) {
    std::unordered_set<std::uint64_t> chosen;
    while (chosen.size() < count) {
      const std::uint64_t rank = rng.below(size);
      if (chosen.insert(rank).second) ranks.push_back(rank);
    }
    return ranks;
  }
  ranks.resize(size);
  std::iota(ranks.begin(), ranks.end(), std::uint64_t{0});
  for (std::uint64_t i = 0; i < count; ++i) std::swap(ranks[i], ranks[i + rng.below(size - i)]);
  ranks.resize(count);
  return ranks;
}

void distinct(CommandContext& ctx, const Zset& zset, std::uint64_t count, Scores scores) {
  begin_members(ctx.reply(), count, scores);
  Zset::Scratch scratch;
  for (const std::uint64_t rank : distinct_ranks(ctx.rng(), zset.size(), count))
    add_member(ctx.reply(), zset.at(rank, scratch), scores);
}

Outcome one_member(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  Zset::Scratch scratch;
  ctx.reply().bulk(at->zset()->random(ctx.rng(), scratch).member);
  return {};
}

Outcome zrandmember(CommandContext& ctx) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (ctx.args().size() == 2) return one_member(ctx);
  HEARTH_TRY(const std::int64_t count, ctx.args().integer(2));
  if (count < -kMost) {
    return refuse(std::string(kOutOfLongRange));
  }
  const Scores scores = ctx.args().is(3, "WITHSCORES") ? Scores::kInclude : Scores::kLeaveOut;
  if (ctx.args().size() > (scores == Scores::kInclude ? 4 : 3)) return syntax_error();
  if (scores == Scores::kInclude && (count < -kMost / 2 || count > kMost / 2))
    return refuse("ERR value is out of range");

  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  if (!at || count == 0) {
    ctx.reply().array(0);
    return {};
  }
  const Zset& zset = *at->zset();
  if (count < 0)
    with_repetition(ctx, zset, static_cast<std::uint64_t>(-count), scores);
  else if (static_cast<std::uint64_t>(count) >= zset.size())
    reply_window(ctx.reply(), zset, 0, zset.size(), Zset::Direction::kUp, scores);
  else
    distinct(ctx, zset, static_cast<std::uint64_t>(count), scores);
  return {};
}

constexpr ArgDoc kCountParts[] = {args::integer("count"),
                                  args::token("withscores", "WITHSCORES").opt()};
constexpr ArgDoc kRandomArgs[] = {args::key(), args::block("options", kCountParts).opt()};

}  // namespace

constexpr CommandSpec kZRandMember{
    .name = "ZRANDMEMBER",
    .summary = "Returns members of a sorted set chosen at random.",
    .complexity = "O(M*log(N)) with N the members of the set and M those returned.",
    .since = "6.2.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRandomArgs,
    .reply = Shape::kBulk | Shape::kNull | Shape::kArray,
    .handler = zrandmember,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
