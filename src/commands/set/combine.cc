// Several sets at once: SINTER, SUNION, SDIFF, their STORE forms and their counts.
//
// An intersection walks the smallest set and asks the others, smallest first. A difference walks
// the first set and asks the others, or, when that would ask more often than all sets have members,
// removes the others' members from a copy. A union is collected in a set of its own.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/command/repeats.h"
#include "src/commands/set/family.h"
#include "src/commands/set/set_key.h"
#include "src/ds/hll.h"

namespace hearth::commands {
namespace {

using Sets = std::vector<const Set*>;

enum class Operation : std::uint8_t { kIntersection, kUnion, kDifference };

// Hands the members that all sets have to `each`, until it says false.
void intersect(Sets sets, const Set::Predicate& each) {
  if (std::find(sets.begin(), sets.end(), nullptr) != sets.end()) return;
  std::sort(sets.begin(), sets.end(),
            [](const Set* a, const Set* b) { return a->size() < b->size(); });
  sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
  sets.front()->every([&](std::string_view member) {
    for (std::size_t i = 1; i < sets.size(); ++i) {
      if (!sets[i]->contains(member)) return true;
    }
    return each(member);
  });
}

// Adds the members of all sets to a set of `limits`; stops at `most` members.
Set unite(Sets sets, const SetLimits& limits, std::uint64_t most) {
  drop_repeats(sets);
  Set all;
  std::uint64_t largest = 0;
  for (const Set* set : sets) largest = std::max(largest, set != nullptr ? set->size() : 0);
  all.expect(std::min(largest, most), limits);
  for (const Set* set : sets) {
    if (set == nullptr) continue;
    const bool complete = set->every([&](std::string_view member) {
      all.add(member, limits);
      return all.size() < most;
    });
    if (!complete) break;
  }
  return all;
}

// Hands the members that only the first set has to `each`, until it says false.
void subtract(Sets sets, const Set::Predicate& each) {
  const Set* first = sets.front();
  sets.erase(sets.begin());
  std::erase(sets, nullptr);
  drop_repeats(sets);
  if (first == nullptr || std::find(sets.begin(), sets.end(), first) != sets.end()) return;
  std::uint64_t all_members = first->size();
  for (const Set* set : sets) all_members += set->size();
  // Asking ends with the first set that has the member: on average half of them are asked.
  if (first->size() * (sets.size() + 1) / 2 <= all_members) {
    // The largest is the likeliest to have it.
    std::sort(sets.begin(), sets.end(),
              [](const Set* a, const Set* b) { return a->size() > b->size(); });
    first->every([&](std::string_view member) {
      for (const Set* set : sets) {
        if (set->contains(member)) return true;
      }
      return each(member);
    });
    return;
  }
  Set left = first->clone();
  for (const Set* set : sets) {
    const bool some_left = set->every([&](std::string_view member) {
      left.erase(member);
      return !left.empty();
    });
    if (!some_left) return;
  }
  left.every(each);
}

Set combined(Operation operation, const Sets& sets, const SetLimits& limits) {
  if (operation == Operation::kUnion) return unite(sets, limits, UINT64_MAX);
  Set result;
  const auto collect = [&](std::string_view member) { return result.add(member, limits); };
  if (operation == Operation::kIntersection)
    intersect(sets, collect);
  else
    subtract(sets, collect);
  return result;
}

Outcome reply_combined(CommandContext& ctx, Operation operation) {
  HEARTH_TRY(const Sets sets, read_sets(ctx, 1, ctx.args().size() - 1));
  const Set result = combined(operation, sets, set_limits(ctx));
  ctx.reply().set(result.size());
  result.for_each([&](std::string_view member) { ctx.reply().bulk(member); });
  return {};
}

Outcome sinter(CommandContext& ctx) { return reply_combined(ctx, Operation::kIntersection); }
Outcome sunion(CommandContext& ctx) { return reply_combined(ctx, Operation::kUnion); }
Outcome sdiff(CommandContext& ctx) { return reply_combined(ctx, Operation::kDifference); }

Outcome store_combined(CommandContext& ctx, Operation operation, std::string_view event) {
  HEARTH_TRY(const Sets sets, read_sets(ctx, 2, ctx.args().size() - 2));
  Set result = combined(operation, sets, set_limits(ctx));
  // The rest of a large set may be small, whatever came first.
  if (operation != Operation::kUnion) result.compact_integers(set_limits(ctx));
  store_set(ctx, std::move(result), event);
  return {};
}

Outcome sinterstore(CommandContext& ctx) {
  return store_combined(ctx, Operation::kIntersection, "sinterstore");
}
Outcome sunionstore(CommandContext& ctx) {
  return store_combined(ctx, Operation::kUnion, "sunionstore");
}
Outcome sdiffstore(CommandContext& ctx) {
  return store_combined(ctx, Operation::kDifference, "sdiffstore");
}

struct CardOptions {
  std::size_t key_count = 0;
  std::uint64_t limit = UINT64_MAX;
  bool approximate = false;
};

enum class MayApproximate : bool { kNo, kYes };

Result<CardOptions, ReplyError> parse_card(const ArgReader& args, MayApproximate may) {
  CardOptions o;
  HEARTH_TRY(const std::int64_t count,
             args.integer_between(1, 1, INT64_MAX, "ERR numkeys should be greater than 0"));
  if (static_cast<std::uint64_t>(count) > args.size() - 2)
    return refuse("ERR Number of keys can't be greater than number of args");
  o.key_count = static_cast<std::size_t>(count);
  for (std::size_t i = 2 + o.key_count; i < args.size(); ++i) {
    if (args.is(i, "LIMIT", 1)) {
      HEARTH_TRY(const std::int64_t limit,
                 args.integer_between(++i, 0, INT64_MAX, "ERR LIMIT can't be negative"));
      o.limit = limit == 0 ? UINT64_MAX : static_cast<std::uint64_t>(limit);
    } else if (may == MayApproximate::kYes && args.is(i, "APPROX")) {
      o.approximate = true;
    } else {
      return syntax_error();
    }
  }
  return o;
}

Outcome sintercard(CommandContext& ctx) {
  HEARTH_TRY(const CardOptions o, parse_card(ctx.args(), MayApproximate::kNo));
  HEARTH_TRY(const Sets sets, read_sets(ctx, 2, o.key_count));
  std::uint64_t count = 0;
  intersect(sets, [&](std::string_view) { return ++count < o.limit; });
  ctx.reply().integer(static_cast<std::int64_t>(count));
  return {};
}

Outcome sdiffcard(CommandContext& ctx) {
  HEARTH_TRY(const CardOptions o, parse_card(ctx.args(), MayApproximate::kNo));
  HEARTH_TRY(const Sets sets, read_sets(ctx, 2, o.key_count));
  std::uint64_t count = 0;
  subtract(sets, [&](std::string_view) { return ++count < o.limit; });
  ctx.reply().integer(static_cast<std::int64_t>(count));
  return {};
}

std::uint64_t estimated_union(const Sets& sets) {
  ds::Hll counter;
  for (const Set* set : sets) {
    if (set != nullptr) set->for_each([&](std::string_view member) { counter.add(member); });
  }
  return counter.count();
}

Outcome sunioncard(CommandContext& ctx) {
  HEARTH_TRY(const CardOptions o, parse_card(ctx.args(), MayApproximate::kYes));
  HEARTH_TRY(const Sets sets, read_sets(ctx, 2, o.key_count));
  const std::uint64_t count =
      o.approximate ? estimated_union(sets) : unite(sets, set_limits(ctx), o.limit).size();
  ctx.reply().integer(static_cast<std::int64_t>(std::min(count, o.limit)));
  return {};
}

constexpr ArgDoc kKeysArgs[] = {args::key().many()};
constexpr ArgDoc kStoreArgs[] = {args::key("destination", 0), args::key("key", 1).many()};
constexpr ArgDoc kCardArgs[] = {args::integer("numkeys"), args::key().many(),
                                args::integer("limit", "LIMIT").opt()};
constexpr ArgDoc kUnionCardArgs[] = {args::integer("numkeys"), args::key().many(),
                                     args::token("approx", "APPROX").opt(),
                                     args::integer("limit", "LIMIT").opt()};
constexpr KeySpec kReadKeys[] = {KeySpec::range(1, -1, 1, access::kRead)};
constexpr KeySpec kStoreKeys[] = {KeySpec::one(1, access::kOverwrite),
                                  KeySpec::range(2, -1, 1, access::kRead)};
constexpr KeySpec kCountedKeys[] = {KeySpec::counted(1, access::kRead)};
constexpr std::string_view kIntersectionCost =
    "O(N*M) with N the size of the smallest set and M the number of sets.";
constexpr std::string_view kAllCost = "O(N) with the members of all sets.";

struct Words {
  std::string_view name, summary, complexity;
};

constexpr CommandSpec reply_spec(const Words& words, Handler handler) {
  return CommandSpec{
      .name = words.name,
      .summary = words.summary,
      .complexity = words.complexity,
      .since = "1.0.0",
      .arity = Arity::at_least(2),
      .flags = Flag::kReadonly,
      .acl = Acl::kSet,
      .group = Group::kSet,
      .keys = kReadKeys,
      .args = kKeysArgs,
      .reply = Shape::kSet,
      .handler = handler,
      .tips = kNondeterministicOrder,
  };
}

constexpr CommandSpec store_spec(const Words& words, Handler handler) {
  return CommandSpec{
      .name = words.name,
      .summary = words.summary,
      .complexity = words.complexity,
      .since = "1.0.0",
      .arity = Arity::at_least(3),
      .flags = Flag::kWrite | Flag::kDenyOom,
      .acl = Acl::kSet,
      .group = Group::kSet,
      .keys = kStoreKeys,
      .args = kStoreArgs,
      .reply = Shape::kInteger,
      .handler = handler,
  };
}

constexpr CommandSpec card_spec(const Words& words, std::string_view since, Handler handler) {
  return CommandSpec{
      .name = words.name,
      .summary = words.summary,
      .complexity = words.complexity,
      .since = since,
      .arity = Arity::at_least(3),
      .flags = Flag::kReadonly,
      .acl = Acl::kSet,
      .group = Group::kSet,
      .keys = kCountedKeys,
      .args = kCardArgs,
      .reply = Shape::kInteger,
      .handler = handler,
  };
}

}  // namespace

constexpr CommandSpec kSInter = reply_spec(
    {"SINTER", "Returns the members that all of the sets have.", kIntersectionCost}, sinter);
constexpr CommandSpec kSUnion =
    reply_spec({"SUNION", "Returns the members that any of the sets has.", kAllCost}, sunion);
constexpr CommandSpec kSDiff = reply_spec(
    {"SDIFF", "Returns the members that only the first of the sets has.", kAllCost}, sdiff);
constexpr CommandSpec kSInterStore =
    store_spec({"SINTERSTORE", "Stores the members that all of the sets have.", kIntersectionCost},
               sinterstore);
constexpr CommandSpec kSUnionStore = store_spec(
    {"SUNIONSTORE", "Stores the members that any of the sets has.", kAllCost}, sunionstore);
constexpr CommandSpec kSDiffStore =
    store_spec({"SDIFFSTORE", "Stores the members that only the first of the sets has.", kAllCost},
               sdiffstore);
constexpr CommandSpec kSInterCard =
    card_spec({"SINTERCARD", "Counts the members that all of the sets have.", kIntersectionCost},
              "7.0.0", sintercard);
constexpr CommandSpec kSDiffCard =
    card_spec({"SDIFFCARD", "Counts the members that only the first of the sets has.", kAllCost},
              "8.10.0", sdiffcard);
constexpr CommandSpec kSUnionCard = [] {
  CommandSpec spec =
      card_spec({"SUNIONCARD", "Counts the members that any of the sets has.", kAllCost}, "8.10.0",
                sunioncard);
  spec.args = kUnionCardArgs;
  return spec;
}();

}  // namespace hearth::commands
