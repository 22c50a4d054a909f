// Single positions: GEOPOS, GEODIST, GEOHASH.
#include "src/command/common_specs.h"
#include "src/commands/geo/family.h"
#include "src/commands/geo/positions.h"
#include "src/commands/geo/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome geopos(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  const auto members = ctx.args().from(2);
  ctx.reply().array(members.size());
  for (const std::string_view member : members) {
    const auto point = at ? position_of(*at->zset(), member) : std::nullopt;
    if (point)
      reply_position(ctx.reply(), *point);
    else
      ctx.reply().null_array();
  }
  return {};
}

Outcome geohash(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  const auto members = ctx.args().from(2);
  ctx.reply().array(members.size());
  for (const std::string_view member : members) {
    const auto point = at ? position_of(*at->zset(), member) : std::nullopt;
    if (point)
      ctx.reply().bulk(ds::geohash_text(*point));
    else
      ctx.reply().null();
  }
  return {};
}

Outcome geodist(CommandContext& ctx) {
  if (ctx.args().size() > 5) return syntax_error();
  double unit = 1;
  if (ctx.args().size() == 5) {
    HEARTH_TRY(unit, parse_unit(ctx.args(), 4));
  }
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  const auto from = at ? position_of(*at->zset(), ctx.arg(2)) : std::nullopt;
  const auto to = at ? position_of(*at->zset(), ctx.arg(3)) : std::nullopt;
  if (from && to)
    reply_distance(ctx.reply(), ds::geo_distance(*from, *to) / unit);
  else
    ctx.reply().null();
  return {};
}

constexpr ArgDoc kMembersArgs[] = {args::key(), args::string("member").opt().many()};
constexpr ArgDoc kDistArgs[] = {args::key(), args::string("member1"), args::string("member2"),
                                args::one_of("unit", kUnits).opt()};

}  // namespace

constexpr CommandSpec kGeoPos{
    .name = "GEOPOS",
    .summary = "Returns the positions of members.",
    .complexity = "O(N) with the number of members asked for.",
    .since = "3.2.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kReadKey,
    .args = kMembersArgs,
    .reply = Shape::kArray,
    .handler = geopos,
    .member_at = 2,
};
constexpr CommandSpec kGeoHash{
    .name = "GEOHASH",
    .summary = "Returns the positions of members as geohash texts.",
    .complexity = "O(N) with the number of members asked for.",
    .since = "3.2.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kReadKey,
    .args = kMembersArgs,
    .reply = Shape::kArray,
    .handler = geohash,
    .member_at = 2,
};
constexpr CommandSpec kGeoDist{
    .name = "GEODIST",
    .summary = "Returns the distance between two members.",
    .complexity = "O(1)",
    .since = "3.2.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kReadKey,
    .args = kDistArgs,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = geodist,
    .member_at = 2,
};

}  // namespace hearth::commands
