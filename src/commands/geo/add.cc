// GEOADD.
#include "src/command/common_specs.h"
#include "src/command/zset_values.h"
#include "src/commands/geo/family.h"
#include "src/commands/geo/positions.h"

namespace hearth::commands {
namespace {

Outcome geoadd(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  Zset::AddRule rule;
  bool count_changed = false;
  std::size_t first = 2;
  for (; first < args.size(); ++first) {
    if (args.is(first, "NX"))
      rule.only_new = true;
    else if (args.is(first, "XX"))
      rule.only_existing = true;
    else if (args.is(first, "CH"))
      count_changed = true;
    else
      break;
  }
  const std::size_t words = args.size() - first;
  if (words == 0 || words % 3 != 0 || (rule.only_new && rule.only_existing)) return syntax_error();
  std::vector<double> scores;
  scores.reserve(words / 3);
  for (std::size_t i = first; i < args.size(); i += 3) {
    HEARTH_TRY(const ds::GeoPoint point, parse_position(args, i));
    scores.push_back(ds::geo_score(point));
  }
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, ctx.keys().write(key, Type::kZset));
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  if (at || !rule.only_existing) {
    at = made_zset(ctx, key, at);
    const ZsetLimits limits = zset_limits(ctx);
    const Change change = ctx.keys().change(key, at);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const auto done = change->zset()->add(args[first + 3 * i + 2], scores[i], rule, limits);
      if (done.change == Zset::Change::kAdded) ++added;
      if (done.change == Zset::Change::kChanged) ++changed;
    }
  }
  if (added + changed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(added + changed - 1);
    ctx.effects().event(Notify::kZset, "zadd", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(count_changed ? added + changed : added));
  return {};
}

constexpr ArgDoc kCondition[] = {args::token("nx", "NX"), args::token("xx", "XX")};
constexpr ArgDoc kPlace[] = {args::real("longitude"), args::real("latitude"),
                             args::string("member")};
constexpr ArgDoc kArgs[] = {args::key(), args::one_of("condition", kCondition).opt().from("6.2.0"),
                            args::token("change", "CH").opt().from("6.2.0"),
                            args::block("data", kPlace).many()};
constexpr HistoryNote kHistory[] = {{"6.2.0", "Has the options CH, NX and XX."}};

}  // namespace

constexpr CommandSpec kGeoAdd{
    .name = "GEOADD",
    .summary = "Adds members with their positions to a sorted set.",
    .complexity = "O(log(N)) for each member, with N the members of the set.",
    .since = "3.2.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kUpdateKey,
    .args = kArgs,
    .reply = Shape::kInteger,
    .handler = geoadd,
    .history = kHistory,
    .member_at = 4,
};

}  // namespace hearth::commands
