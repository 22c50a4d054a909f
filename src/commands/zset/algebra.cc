// Sets of sets: ZUNION, ZINTER, ZDIFF, their STORE forms and ZINTERCARD. Plain sets may take part:
// their members count with score 1.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "src/command/repeats.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"
#include "src/commands/zset/spec_parts.h"
#include "src/store/set.h"

namespace hearth::commands {
namespace {

enum class Operation : std::uint8_t { kUnion, kInter, kDiff };

// One input: a sorted set, a set, or nothing.
struct Source {
  const Zset* zset = nullptr;
  const Set* set = nullptr;
  double weight = 1;

  // Tells one value from another.
  [[nodiscard]] const void* value() const {
    return zset != nullptr ? static_cast<const void*>(zset) : set;
  }
  [[nodiscard]] std::uint64_t size() const {
    if (zset != nullptr) return zset->size();
    return set != nullptr ? set->size() : 0;
  }
  [[nodiscard]] std::optional<double> score(std::string_view member) const {
    if (zset != nullptr) return zset->score(member);
    if (set != nullptr && set->contains(member)) return 1.0;
    return std::nullopt;
  }
  // Until fn says no.
  template <typename F>
  void for_each(F&& fn) const {
    if (set != nullptr) {
      set->every([&](std::string_view member) { return fn(Zset::Item{member, 1.0}); });
    } else if (zset != nullptr) {
      Zset::Walk walk = zset->walk();
      for (Zset::Item item; walk.next(item);) {
        if (!fn(item)) return;
      }
    }
  }
};

// How the weighted scores of one member become one.
enum class Aggregate : std::uint8_t { kSum, kMin, kMax, kCount };
using Combine = double (*)(double, double);

double sum_of(double a, double b) {
  const double sum = a + b;
  return std::isnan(sum) ? 0 : sum;  // infinities of both signs
}
double min_of(double a, double b) { return std::min(a, b); }
double max_of(double a, double b) { return std::max(a, b); }

Combine combine_of(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kMin: return min_of;
    case Aggregate::kMax: return max_of;
    case Aggregate::kSum:
    case Aggregate::kCount: break;
  }
  return sum_of;
}

struct AlgebraRequest {
  std::vector<Source> sources;
  Aggregate aggregate = Aggregate::kSum;
  Scores scores = Scores::kLeaveOut;
  std::uint64_t limit = 0;  // 0: none

  // The share of a source for a member that has `score` there.
  [[nodiscard]] double weighted(const Source& source, double score) const {
    const double value = aggregate == Aggregate::kCount ? source.weight : source.weight * score;
    return std::isnan(value) ? 0 : value;  // 0 times infinity
  }
};

// Makes one source, or two, of a key that the request names more than kRepeatsMax times, so that
// such a key costs a word and not its whole value again. MIN and MAX only need the outermost
// weights; a sum takes the sum of the weights, which may round differently from one addition for
// each.
void join_repeats(AlgebraRequest& request) {
  constexpr std::size_t kRepeatsMax = 8;
  struct Repeated {
    std::size_t times = 0;
    double lowest = std::numeric_limits<double>::infinity();
    double highest = -std::numeric_limits<double>::infinity();
    double sum = 0;
    bool is_joined = false;
  };
  if (request.sources.size() <= kRepeatsMax) return;
  std::map<const void*, Repeated> by_value;
  for (const Source& source : request.sources) {
    Repeated& repeated = by_value[source.value()];
    ++repeated.times;
    repeated.lowest = std::min(repeated.lowest, source.weight);
    repeated.highest = std::max(repeated.highest, source.weight);
    repeated.sum = sum_of(repeated.sum, source.weight);
  }
  const bool adds = request.aggregate == Aggregate::kSum || request.aggregate == Aggregate::kCount;
  std::vector<Source> joined;
  for (Source source : request.sources) {
    Repeated& repeated = by_value[source.value()];
    if (repeated.times > kRepeatsMax) {
      if (std::exchange(repeated.is_joined, true)) continue;
      if (!adds) {
        source.weight = repeated.lowest;
        joined.push_back(source);
      }
      source.weight = adds ? repeated.sum : repeated.highest;
    }
    joined.push_back(source);
  }
  request.sources = std::move(joined);
}

enum class AlgebraForm : std::uint8_t { kReply, kStore, kCount };

Result<Aggregate, ReplyError> parse_aggregate(const ArgReader& args, std::size_t at) {
  if (args.is(at, "SUM")) return Aggregate::kSum;
  if (args.is(at, "MIN")) return Aggregate::kMin;
  if (args.is(at, "MAX")) return Aggregate::kMax;
  if (args.is(at, "COUNT")) return Aggregate::kCount;
  return syntax_error();
}

Result<Source, ReplyError> read_source(CommandContext& ctx, std::size_t word) {
  Source source;
  const Found at = ctx.keys().read(ctx.key(word));
  if (!at) return source;
  if (at->type() == Type::kZset)
    source.zset = at->zset();
  else if (at->type() == Type::kSet)
    source.set = at->set();
  else
    return refuse(std::string(kWrongType));
  return source;
}

// numkeys key [key ...] and the options, from word `at` on.
Result<AlgebraRequest, ReplyError> parse_algebra(CommandContext& ctx, std::size_t at,
                                                 Operation operation, AlgebraForm form) {
  const ArgReader& args = ctx.args();
  HEARTH_TRY(const std::int64_t keys, args.integer(at));
  if (keys < 1) {
    return refuse("ERR at least 1 input key is needed for '" + ctx.command().full_name +
                  "' command");
  }
  if (static_cast<std::uint64_t>(keys) > args.size() - at - 1) return syntax_error();
  const auto count = static_cast<std::size_t>(keys);
  AlgebraRequest request;
  request.sources.reserve(count);
  ctx.let_expired_go(at + 1, at + 1 + count);
  for (std::size_t i = 0; i < count; ++i) {
    HEARTH_TRY(const Source source, read_source(ctx, at + 1 + i));
    request.sources.push_back(source);
  }
  const bool weighs = operation != Operation::kDiff && form != AlgebraForm::kCount;
  for (std::size_t i = at + 1 + count; i < args.size(); ++i) {
    if (weighs && args.is(i, "WEIGHTS", count)) {
      for (Source& source : request.sources) {
        HEARTH_TRY(source.weight, args.real(++i, "ERR weight value is not a float"));
      }
    } else if (weighs && args.is(i, "AGGREGATE", 1)) {
      HEARTH_TRY(request.aggregate, parse_aggregate(args, ++i));
    } else if (form == AlgebraForm::kReply && args.is(i, "WITHSCORES")) {
      request.scores = Scores::kInclude;
    } else if (form == AlgebraForm::kCount && args.is(i, "LIMIT", 1)) {
      HEARTH_TRY(const std::int64_t limit,
                 args.integer_between(++i, 0, INT64_MAX, "ERR LIMIT can't be negative"));
      request.limit = static_cast<std::uint64_t>(limit);
    } else {
      return syntax_error();
    }
  }
  if (weighs) join_repeats(request);
  // Small ones first: the intersection looks the members of the first up in the others. Sums of
  // floating point depend on the order, and this is the one that clients know.
  if (operation != Operation::kDiff) {
    std::stable_sort(request.sources.begin(), request.sources.end(),
                     [](const Source& a, const Source& b) { return a.size() < b.size(); });
  }
  return request;
}

void unite(const AlgebraRequest& request, ZsetBuilder& result) {
  const Combine combine = combine_of(request.aggregate);
  for (const Source& source : request.sources) {
    source.for_each([&](const Zset::Item& item) {
      result.merge(item.member, request.weighted(source, item.score), combine);
      return true;
    });
  }
}

// Calls found(member, score) for what is in all sources, until it says no.
template <typename F>
void intersect(const AlgebraRequest& request, F&& found) {
  const Combine combine = combine_of(request.aggregate);
  const Source& smallest = request.sources.front();
  smallest.for_each([&](const Zset::Item& item) {
    double score = request.weighted(smallest, item.score);
    for (std::size_t i = 1; i < request.sources.size(); ++i) {
      const Source& other = request.sources[i];
      const auto there = other.score(item.member);
      if (!there) return true;
      score = combine(score, request.weighted(other, *there));
    }
    return found(item.member, score);
  });
}

// Asks the others for each member of the first, or, when that would ask more often than the others
// have members, looks theirs up in the first.
void subtract(const AlgebraRequest& request, const SetLimits& limits, ZsetBuilder& result) {
  const Source& first = request.sources.front();
  std::vector<Source> others(request.sources.begin() + 1, request.sources.end());
  keep_of_repeats(others, &Source::value, [](std::size_t) { return std::size_t{1}; });
  std::uint64_t members = 0;
  for (const Source& other : others) members += other.size();
  if (first.size() * others.size() / 2 <= members) {
    first.for_each([&](const Zset::Item& item) {
      const bool elsewhere = std::any_of(others.begin(), others.end(), [&](const Source& other) {
        return other.score(item.member).has_value();
      });
      if (!elsewhere) result.add(item.member, item.score);
      return true;
    });
    return;
  }
  Set elsewhere;
  for (const Source& other : others) {
    other.for_each([&](const Zset::Item& item) {
      if (first.score(item.member)) elsewhere.add(item.member, limits);
      return elsewhere.size() < first.size();
    });
  }
  first.for_each([&](const Zset::Item& item) {
    if (!elsewhere.contains(item.member)) result.add(item.member, item.score);
    return true;
  });
}

Zset result_of(CommandContext& ctx, const AlgebraRequest& request, Operation operation) {
  ZsetBuilder result(ctx.keyspace().seed());
  switch (operation) {
    case Operation::kUnion: unite(request, result); break;
    case Operation::kInter:
      intersect(request,
                [&](std::string_view member, double score) { return result.add(member, score); });
      break;
    case Operation::kDiff: subtract(request, {.seed = ctx.keyspace().seed()}, result); break;
  }
  return result.build(zset_limits(ctx));
}

Outcome reply_with(CommandContext& ctx, Operation operation) {
  HEARTH_TRY(const AlgebraRequest request, parse_algebra(ctx, 1, operation, AlgebraForm::kReply));
  const Zset result = result_of(ctx, request, operation);
  reply_window(ctx.reply(), result, 0, result.size(), Zset::Direction::kUp, request.scores);
  return {};
}

Outcome store(CommandContext& ctx, Operation operation, std::string_view event) {
  HEARTH_TRY(const AlgebraRequest request, parse_algebra(ctx, 2, operation, AlgebraForm::kStore));
  store_zset(ctx, ctx.key(1), result_of(ctx, request, operation), event);
  return {};
}

Outcome zunion(CommandContext& ctx) { return reply_with(ctx, Operation::kUnion); }
Outcome zinter(CommandContext& ctx) { return reply_with(ctx, Operation::kInter); }
Outcome zdiff(CommandContext& ctx) { return reply_with(ctx, Operation::kDiff); }
Outcome zunionstore(CommandContext& ctx) { return store(ctx, Operation::kUnion, "zunionstore"); }
Outcome zinterstore(CommandContext& ctx) { return store(ctx, Operation::kInter, "zinterstore"); }
Outcome zdiffstore(CommandContext& ctx) { return store(ctx, Operation::kDiff, "zdiffstore"); }

Outcome zintercard(CommandContext& ctx) {
  HEARTH_TRY(AlgebraRequest request, parse_algebra(ctx, 1, Operation::kInter, AlgebraForm::kCount));
  keep_of_repeats(request.sources, &Source::value, [](std::size_t) { return std::size_t{1}; });
  std::uint64_t count = 0;
  intersect(request, [&](std::string_view, double) {
    ++count;
    return request.limit == 0 || count < request.limit;
  });
  ctx.reply().integer(static_cast<std::int64_t>(count));
  return {};
}

constexpr ArgDoc kAggregates[] = {args::token("sum", "SUM"), args::token("min", "MIN"),
                                  args::token("max", "MAX"),
                                  args::token("count", "COUNT").from("8.8.0")};
constexpr ArgDoc kNumKeys = args::integer("numkeys");
constexpr ArgDoc kWeights = args::integer("weight", "WEIGHTS").opt().many();
constexpr ArgDoc kAggregateArg = args::one_of("aggregate", kAggregates, "AGGREGATE").opt();
constexpr ArgDoc kCombineArgs[] = {kNumKeys, args::key().many(), kWeights, kAggregateArg,
                                   kWithScores};
constexpr ArgDoc kDiffArgs[] = {kNumKeys, args::key().many(), kWithScores};
constexpr ArgDoc kCardArgs[] = {kNumKeys, args::key().many(),
                                args::integer("limit", "LIMIT").opt()};
constexpr ArgDoc kAlgebraStoreArgs[] = {args::key("destination"), kNumKeys,
                                        args::key("key", 1).many(), kWeights, kAggregateArg};
constexpr ArgDoc kDiffStoreArgs[] = {args::key("destination"), kNumKeys,
                                     args::key("key", 1).many()};
constexpr KeySpec kReadKeys[] = {KeySpec::counted(1, access::kRead)};
constexpr KeySpec kAlgebraStoreKeys[] = {KeySpec::one(1, access::kOverwrite),
                                         KeySpec::counted(2, access::kRead)};
constexpr Flag kStoreFlags = Flag::kWrite | Flag::kDenyOom;
constexpr std::string_view kUnionCost =
    "O(N)+O(M*log(M)) with N the members of all inputs and M those of the result.";
constexpr std::string_view kInterCost =
    "O(N*K)+O(M*log(M)) with N the members of the smallest of K inputs and M those of the result.";
constexpr std::string_view kDiffCost =
    "O(N)+O(M*log(M)) with N the members of all inputs and M those of the result.";

}  // namespace

constexpr CommandSpec kZUnion{
    .name = "ZUNION",
    .summary = "Returns the members of any of several sorted sets.",
    .complexity = kUnionCost,
    .since = "6.2.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKeys,
    .args = kCombineArgs,
    .reply = Shape::kArray,
    .handler = zunion,
};
constexpr CommandSpec kZInter{
    .name = "ZINTER",
    .summary = "Returns the members that several sorted sets share.",
    .complexity = kInterCost,
    .since = "6.2.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKeys,
    .args = kCombineArgs,
    .reply = Shape::kArray,
    .handler = zinter,
};
constexpr CommandSpec kZDiff{
    .name = "ZDIFF",
    .summary = "Returns the members of the first sorted set that none of the others has.",
    .complexity = kDiffCost,
    .since = "6.2.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKeys,
    .args = kDiffArgs,
    .reply = Shape::kArray,
    .handler = zdiff,
};
constexpr CommandSpec kZInterCard{
    .name = "ZINTERCARD",
    .summary = "Counts the members that several sorted sets share.",
    .complexity = "O(N*K) with N the members of the smallest of K inputs.",
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKeys,
    .args = kCardArgs,
    .reply = Shape::kInteger,
    .handler = zintercard,
};
constexpr CommandSpec kZUnionStore{
    .name = "ZUNIONSTORE",
    .summary = "Stores the members of any of several sorted sets under another key.",
    .complexity = kUnionCost,
    .since = "2.0.0",
    .arity = Arity::at_least(4),
    .flags = kStoreFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kAlgebraStoreKeys,
    .args = kAlgebraStoreArgs,
    .reply = Shape::kInteger,
    .handler = zunionstore,
};
constexpr CommandSpec kZInterStore{
    .name = "ZINTERSTORE",
    .summary = "Stores the members that several sorted sets share under another key.",
    .complexity = kInterCost,
    .since = "2.0.0",
    .arity = Arity::at_least(4),
    .flags = kStoreFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kAlgebraStoreKeys,
    .args = kAlgebraStoreArgs,
    .reply = Shape::kInteger,
    .handler = zinterstore,
};
constexpr CommandSpec kZDiffStore{
    .name = "ZDIFFSTORE",
    .summary = "Stores the members of the first sorted set that none of the others has.",
    .complexity = kDiffCost,
    .since = "6.2.0",
    .arity = Arity::at_least(4),
    .flags = kStoreFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kAlgebraStoreKeys,
    .args = kDiffStoreArgs,
    .reply = Shape::kInteger,
    .handler = zdiffstore,
};

}  // namespace hearth::commands
