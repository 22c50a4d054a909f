// Writing: ZADD, ZINCRBY, ZREM.
#include <array>

#include "src/command/common_specs.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"

namespace hearth::commands {
namespace {

struct AddRequest {
  Zset::AddRule rule;
  bool count_changed = false;  // CH
  std::size_t first_pair = 0;  // word
};

Result<AddRequest, ReplyError> parse_add(const ArgReader& args) {
  AddRequest request;
  Zset::AddRule& rule = request.rule;
  std::size_t i = 2;
  for (; i < args.size(); ++i) {
    // A word that begins like a number is no option: by far the most frequent case.
    if (static_cast<unsigned char>(args[i].empty() ? '0' : args[i][0]) < 'A') break;
    if (args.is(i, "NX"))
      rule.only_new = true;
    else if (args.is(i, "XX"))
      rule.only_existing = true;
    else if (args.is(i, "CH"))
      request.count_changed = true;
    else if (args.is(i, "INCR"))
      rule.increment = true;
    else if (args.is(i, "GT"))
      rule.only_greater = true;
    else if (args.is(i, "LT"))
      rule.only_less = true;
    else
      break;
  }
  request.first_pair = i;
  const std::size_t words = args.size() - i;
  if (words == 0 || words % 2 != 0) return syntax_error();
  if (rule.only_new && rule.only_existing)
    return refuse("ERR XX and NX options at the same time are not compatible");
  if ((rule.only_new && (rule.only_greater || rule.only_less)) ||
      (rule.only_greater && rule.only_less)) {
    return refuse("ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  if (rule.increment && words > 2)
    return refuse("ERR INCR option supports a single increment-element pair");
  return request;
}

// Scores of a request: on the stack where they are few.
class ScoreWords {
 public:
  explicit ScoreWords(std::size_t count) {
    if (count > few_.size()) many_.resize(count);
  }
  double& operator[](std::size_t i) { return many_.empty() ? few_[i] : many_[i]; }

 private:
  std::array<double, 16> few_;
  std::vector<double> many_;
};

Outcome add_pairs(CommandContext& ctx, const AddRequest& request) {
  const auto pairs = ctx.args().from(request.first_pair);
  const std::size_t count = pairs.size() / 2;
  const Zset::AddRule& rule = request.rule;
  ScoreWords scores(count);
  for (std::size_t i = 0; i < count; ++i) {
    HEARTH_TRY(scores[i], ctx.args().real(request.first_pair + 2 * i));
  }
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, ctx.keys().write(key, Type::kZset));
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  Zset::Added last{Zset::Change::kRefused, 0};
  if (at || !rule.only_existing) {
    at = made_zset(ctx, key, at);
    const ZsetLimits limits = zset_limits(ctx);
    const Change change = ctx.keys().change(key, at);
    for (std::size_t i = 0; i < count; ++i) {
      last = change->zset()->add(pairs[2 * i + 1], scores[i], rule, limits);
      // Only a single increment can fail, so nothing has changed then.
      if (last.change == Zset::Change::kNotANumber)
        return refuse("ERR resulting score is not a number (NaN)");
      if (last.change == Zset::Change::kAdded) ++added;
      if (last.change == Zset::Change::kChanged) ++changed;
    }
  }
  if (added + changed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(added + changed - 1);
    ctx.effects().event(Notify::kZset, rule.increment ? "zincr" : "zadd", key.name);
  }
  if (!rule.increment)
    ctx.reply().integer(static_cast<std::int64_t>(request.count_changed ? added + changed : added));
  else if (last.change == Zset::Change::kRefused)
    ctx.reply().null();
  else
    ctx.reply().real(last.score);
  return {};
}

Outcome zadd(CommandContext& ctx) {
  HEARTH_TRY(const AddRequest request, parse_add(ctx.args()));
  return add_pairs(ctx, request);
}

Outcome zincrby(CommandContext& ctx) {
  AddRequest request;
  request.rule.increment = true;
  request.first_pair = 2;
  return add_pairs(ctx, request);
}

Outcome zrem(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kZset));
  std::int64_t removed = 0;
  if (at) {
    const Change change = ctx.keys().change(key, at);
    for (const std::string_view member : ctx.args().from(2)) {
      if (change->zset()->erase(member)) ++removed;
      if (change->zset()->size() == 0) break;
    }
  }
  if (removed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(static_cast<std::uint64_t>(removed) - 1);
    ctx.effects().event(Notify::kZset, "zrem", key.name);
    remove_empty_zset(ctx, key, at);
  }
  ctx.reply().integer(removed);
  return {};
}

constexpr ArgDoc kPair[] = {args::real("score"), args::string("member")};
constexpr ArgDoc kCondition[] = {args::token("nx", "NX"), args::token("xx", "XX")};
constexpr ArgDoc kComparison[] = {args::token("gt", "GT"), args::token("lt", "LT")};
constexpr ArgDoc kAddArgs[] = {args::key(),
                               args::one_of("condition", kCondition).opt().from("3.0.2"),
                               args::one_of("comparison", kComparison).opt().from("6.2.0"),
                               args::token("change", "CH").opt().from("3.0.2"),
                               args::token("increment", "INCR").opt().from("3.0.2"),
                               args::block("data", kPair).many()};
constexpr ArgDoc kIncrArgs[] = {args::key(), args::real("increment"), args::string("member")};
constexpr ArgDoc kRemArgs[] = {args::key(), args::string("member").many()};
constexpr KeySpec kCounterKey[] = {KeySpec::one(1, access::kModifyRead)};
constexpr Flag kAddFlags = Flag::kWrite | Flag::kDenyOom | Flag::kFast;
constexpr HistoryNote kAddHistory[] = {
    {"2.4.0", "Accepts several pairs of score and member."},
    {"3.0.2", "Has the options XX, NX, CH and INCR."},
    {"6.2.0", "Has the options GT and LT."},
};
constexpr HistoryNote kRemHistory[] = {{"2.4.0", "Accepts several members."}};

}  // namespace

constexpr CommandSpec kZAdd{
    .name = "ZADD",
    .summary = "Adds members to a sorted set or changes their scores, making the set if needed.",
    .complexity = "O(log(N)) for each member, with N the members of the set.",
    .since = "1.2.0",
    .arity = Arity::at_least(4),
    .flags = kAddFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kUpdateKey,
    .args = kAddArgs,
    .reply = Shape::kInteger | Shape::kDouble | Shape::kNull,
    .handler = zadd,
    .history = kAddHistory,
    .member_at = 3,
};
constexpr CommandSpec kZIncrBy{
    .name = "ZINCRBY",
    .summary = "Adds to the score of a member; an absent member counts as 0.",
    .complexity = "O(log(N)) with N the members of the set.",
    .since = "1.2.0",
    .arity = Arity::exactly(4),
    .flags = kAddFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kCounterKey,
    .args = kIncrArgs,
    .reply = Shape::kDouble,
    .handler = zincrby,
    .member_at = 3,
};
constexpr CommandSpec kZRem{
    .name = "ZREM",
    .summary = "Removes members of a sorted set, and the set with its last member.",
    .complexity = "O(M*log(N)) with N the members of the set and M those to remove.",
    .since = "1.2.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kDeleteKey,
    .args = kRemArgs,
    .reply = Shape::kInteger,
    .handler = zrem,
    .history = kRemHistory,
    .member_at = 2,
};

}  // namespace hearth::commands
