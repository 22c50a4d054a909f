// Ranges of members: ZRANGE, ZRANGESTORE and the older commands for each kind of range.
#include "src/command/common_specs.h"
#include "src/commands/zset/bounds.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"
#include "src/commands/zset/spec_parts.h"

namespace hearth::commands {
namespace {

// The choices that a command leaves to its options, and where its words begin.
struct RangeForm {
  std::optional<RangeKind> kind;
  std::optional<Zset::Direction> direction;
  std::size_t key = 1;  // word; the bounds follow
  bool stores = false;
};

struct RangeRequest {
  ZsetRange range;
  Zset::Direction direction = Zset::Direction::kUp;
  Scores scores = Scores::kLeaveOut;
  std::int64_t offset = 0;
  std::int64_t count = -1;
  bool is_limited = false;
};

Result<RangeRequest, ReplyError> parse_range(const ArgReader& args, RangeForm form) {
  RangeRequest request;
  for (std::size_t i = form.key + 3; i < args.size(); ++i) {
    if (!form.stores && args.is(i, "WITHSCORES")) {
      request.scores = Scores::kInclude;
    } else if (args.is(i, "LIMIT", 2)) {
      HEARTH_TRY(request.offset, args.integer(i + 1));
      HEARTH_TRY(request.count, args.integer(i + 2));
      request.is_limited = true;
      i += 2;
    } else if (!form.direction && args.is(i, "REV")) {
      form.direction = Zset::Direction::kDown;
    } else if (!form.kind && args.is(i, "BYLEX")) {
      form.kind = RangeKind::kLex;
    } else if (!form.kind && args.is(i, "BYSCORE")) {
      form.kind = RangeKind::kScore;
    } else {
      return syntax_error();
    }
  }
  request.direction = form.direction.value_or(Zset::Direction::kUp);
  const RangeKind kind = form.kind.value_or(RangeKind::kRank);
  if (request.count != -1 && kind == RangeKind::kRank) {
    return refuse(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
  }
  if (request.scores == Scores::kInclude && kind == RangeKind::kLex)
    return refuse("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
  std::string_view low = args[form.key + 1];
  std::string_view high = args[form.key + 2];
  // Scores and names are given from the greatest down; ranks are counted from there.
  if (request.direction == Zset::Direction::kDown && kind != RangeKind::kRank) std::swap(low, high);
  HEARTH_TRY(request.range, ZsetRange::parse(kind, low, high));
  request.is_limited = request.is_limited && kind != RangeKind::kRank;
  return request;
}

RankWindow window_of(const RangeRequest& request, const Zset& zset) {
  const RankWindow window = request.range.in(zset, request.direction);
  if (!request.is_limited) return window;
  return limited(window, request.offset, request.count, request.direction);
}

// The rank where a walk in this direction begins.
std::uint64_t start_of(const RankWindow& window, Zset::Direction direction) {
  if (direction == Zset::Direction::kUp || window.count == 0) return window.first;
  return window.first + window.count - 1;
}

Outcome range(CommandContext& ctx, const RangeForm& form) {
  HEARTH_TRY(const RangeRequest request, parse_range(ctx.args(), form));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(form.key), Type::kZset));
  if (!at) {
    ctx.reply().array(0);
    return {};
  }
  const RankWindow window = window_of(request, *at->zset());
  reply_window(ctx.reply(), *at->zset(), start_of(window, request.direction), window.count,
               request.direction, request.scores);
  return {};
}

constexpr auto kUp = Zset::Direction::kUp;
constexpr auto kDown = Zset::Direction::kDown;

Outcome zrange(CommandContext& ctx) { return range(ctx, {}); }
Outcome zrevrange(CommandContext& ctx) {
  return range(ctx, {.kind = RangeKind::kRank, .direction = kDown});
}
Outcome zrangebyscore(CommandContext& ctx) {
  return range(ctx, {.kind = RangeKind::kScore, .direction = kUp});
}
Outcome zrevrangebyscore(CommandContext& ctx) {
  return range(ctx, {.kind = RangeKind::kScore, .direction = kDown});
}
Outcome zrangebylex(CommandContext& ctx) {
  return range(ctx, {.kind = RangeKind::kLex, .direction = kUp});
}
Outcome zrevrangebylex(CommandContext& ctx) {
  return range(ctx, {.kind = RangeKind::kLex, .direction = kDown});
}

Outcome zrangestore(CommandContext& ctx) {
  HEARTH_TRY(const RangeRequest request,
             parse_range(ctx.args(), {.kind = {}, .direction = {}, .key = 2, .stores = true}));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(2), Type::kZset));
  ZsetBuilder builder(ctx.keyspace().seed());
  if (at) {
    const RankWindow window = window_of(request, *at->zset());
    Zset::Walk walk = at->zset()->walk(window.first, window.count);
    for (Zset::Item item; walk.next(item);) builder.add(item.member, item.score);
  }
  store_zset(ctx, ctx.key(1), builder.build(zset_limits(ctx)), "zrangestore");
  return {};
}

constexpr ArgDoc kSortBy[] = {args::token("byscore", "BYSCORE"), args::token("bylex", "BYLEX")};
constexpr ArgDoc kLimit[] = {args::integer("offset"), args::integer("count")};
constexpr ArgDoc kLimitArg = args::block("limit", kLimit, "LIMIT").opt();
constexpr ArgDoc kRangeArgs[] = {args::key(),
                                 args::string("start"),
                                 args::string("stop"),
                                 args::one_of("sortby", kSortBy).opt().from("6.2.0"),
                                 args::token("rev", "REV").opt().from("6.2.0"),
                                 kLimitArg.from("6.2.0"),
                                 kWithScores};
constexpr ArgDoc kRangeStoreArgs[] = {args::key("dst"),
                                      args::key("src", 1),
                                      args::string("min"),
                                      args::string("max"),
                                      args::one_of("sortby", kSortBy).opt(),
                                      args::token("rev", "REV").opt(),
                                      kLimitArg};
constexpr ArgDoc kRevRangeArgs[] = {args::key(), args::integer("start"), args::integer("stop"),
                                    kWithScores};
constexpr ArgDoc kRangeScoreArgs[] = {args::key(), args::real("min"), args::real("max"),
                                      kWithScores.from("2.0.0"), kLimitArg};
constexpr ArgDoc kRevScoreArgs[] = {args::key(), args::real("max"), args::real("min"), kWithScores,
                                    kLimitArg};
constexpr ArgDoc kRangeLexArgs[] = {args::key(), args::string("min"), args::string("max"),
                                    kLimitArg};
constexpr ArgDoc kRevLexArgs[] = {args::key(), args::string("max"), args::string("min"), kLimitArg};
constexpr KeySpec kRangeStoreKeys[] = {KeySpec::one(1, access::kOverwrite),
                                       KeySpec::one(2, access::kRead)};
constexpr std::string_view kRangeComplexity =
    "O(log(N)+M) with N the members of the set and M those returned.";
constexpr HistoryNote kRangeHistory[] = {
    {"6.2.0", "Has the options REV, BYSCORE, BYLEX and LIMIT."}};

}  // namespace

constexpr CommandSpec kZRange{
    .name = "ZRANGE",
    .summary = "Returns the members in a range of ranks, scores or names.",
    .complexity = kRangeComplexity,
    .since = "1.2.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRangeArgs,
    .reply = Shape::kArray,
    .handler = zrange,
    .history = kRangeHistory,
};
constexpr CommandSpec kZRangeStore{
    .name = "ZRANGESTORE",
    .summary = "Stores the members in a range of ranks, scores or names under another key.",
    .complexity = "O(log(N)+M) with N the members of the set and M those stored.",
    .since = "6.2.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kRangeStoreKeys,
    .args = kRangeStoreArgs,
    .reply = Shape::kInteger,
    .handler = zrangestore,
};
constexpr CommandSpec kZRevRange{
    .name = "ZREVRANGE",
    .summary = "Returns the members in a range of ranks, highest score first.",
    .complexity = kRangeComplexity,
    .since = "1.2.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRevRangeArgs,
    .reply = Shape::kArray,
    .handler = zrevrange,
    .deprecated_since = "6.2.0",
    .replaced_by = "`ZRANGE` with the option `REV`",
};
constexpr CommandSpec kZRangeByScore{
    .name = "ZRANGEBYSCORE",
    .summary = "Returns the members in a range of scores.",
    .complexity = kRangeComplexity,
    .since = "1.0.5",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRangeScoreArgs,
    .reply = Shape::kArray,
    .handler = zrangebyscore,
    .deprecated_since = "6.2.0",
    .replaced_by = "`ZRANGE` with the option `BYSCORE`",
};
constexpr CommandSpec kZRevRangeByScore{
    .name = "ZREVRANGEBYSCORE",
    .summary = "Returns the members in a range of scores, highest score first.",
    .complexity = kRangeComplexity,
    .since = "2.2.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRevScoreArgs,
    .reply = Shape::kArray,
    .handler = zrevrangebyscore,
    .deprecated_since = "6.2.0",
    .replaced_by = "`ZRANGE` with the options `REV` and `BYSCORE`",
};
constexpr CommandSpec kZRangeByLex{
    .name = "ZRANGEBYLEX",
    .summary = "Returns the members in a range of names, where all scores are equal.",
    .complexity = kRangeComplexity,
    .since = "2.8.9",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRangeLexArgs,
    .reply = Shape::kArray,
    .handler = zrangebylex,
    .deprecated_since = "6.2.0",
    .replaced_by = "`ZRANGE` with the option `BYLEX`",
};
constexpr CommandSpec kZRevRangeByLex{
    .name = "ZREVRANGEBYLEX",
    .summary = "Returns the members in a range of names, last name first.",
    .complexity = kRangeComplexity,
    .since = "2.8.9",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kRevLexArgs,
    .reply = Shape::kArray,
    .handler = zrevrangebylex,
    .deprecated_since = "6.2.0",
    .replaced_by = "`ZRANGE` with the options `REV` and `BYLEX`",
};

}  // namespace hearth::commands
