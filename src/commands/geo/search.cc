// Searches: GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUSBYMEMBER and their read-only forms.
#include "src/command/common_specs.h"
#include "src/command/zset_values.h"
#include "src/commands/geo/family.h"
#include "src/commands/geo/query.h"
#include "src/commands/geo/spec_parts.h"

namespace hearth::commands {
namespace {

void reply_hits(ReplyWriter& reply, const GeoQuery& query, const std::vector<GeoHit>& hits) {
  reply.array(hits.size());
  const std::size_t parts = 1U + (query.with_distance ? 1U : 0U) + (query.with_hash ? 1U : 0U) +
                            (query.with_position ? 1U : 0U);
  for (const GeoHit& hit : hits) {
    if (parts > 1) reply.array(parts);
    reply.bulk(hit.member);
    if (query.with_distance) reply_distance(reply, hit.distance / query.unit);
    if (query.with_hash) reply.integer(static_cast<std::int64_t>(hit.score));
    if (query.with_position) reply_position(reply, hit.point);
  }
}

Outcome search(CommandContext& ctx, GeoForm form) {
  const std::size_t source = form == GeoForm::kSearchStore ? 2 : 1;
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(source), Type::kZset));
  const Zset* zset = at ? at->zset() : nullptr;
  HEARTH_TRY(const GeoQuery query, parse_geo_query(ctx, form, zset));
  std::vector<GeoHit> hits;
  if (zset != nullptr && query.shape) hits = geo_search(*zset, query);
  if (!query.store_key) {
    reply_hits(ctx.reply(), query, hits);
    return {};
  }
  ZsetBuilder builder(ctx.keyspace().seed());
  for (const GeoHit& hit : hits)
    builder.add(hit.member, query.stores_distance ? hit.distance / query.unit : hit.score);
  store_zset(ctx, ctx.key(*query.store_key), builder.build(zset_limits(ctx)),
             form == GeoForm::kSearchStore ? "geosearchstore" : "georadiusstore");
  return {};
}

Outcome geosearch(CommandContext& ctx) { return search(ctx, GeoForm::kSearch); }
Outcome geosearchstore(CommandContext& ctx) { return search(ctx, GeoForm::kSearchStore); }
Outcome georadius(CommandContext& ctx) { return search(ctx, GeoForm::kRadius); }
Outcome georadius_ro(CommandContext& ctx) { return search(ctx, GeoForm::kRadiusReadOnly); }
Outcome by_member(CommandContext& ctx) { return search(ctx, GeoForm::kByMember); }
Outcome by_member_ro(CommandContext& ctx) { return search(ctx, GeoForm::kByMemberReadOnly); }

bool georadius_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  return geo_keys(GeoForm::kRadius, argv, out);
}
bool by_member_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  return geo_keys(GeoForm::kByMember, argv, out);
}

constexpr ArgDoc kUnit = args::one_of("unit", kUnits);
constexpr ArgDoc kCoordinates[] = {args::real("longitude"), args::real("latitude")};
constexpr ArgDoc kFrom[] = {args::string("member", "FROMMEMBER"),
                            args::block("fromlonlat", kCoordinates, "FROMLONLAT")};
constexpr ArgDoc kCircle[] = {args::real("radius"), kUnit};
constexpr ArgDoc kBox[] = {args::real("width"), args::real("height"), kUnit};
constexpr ArgDoc kPolygon[] = {args::integer("num-vertices"),
                               args::block("vertex", kCoordinates).many()};
constexpr ArgDoc kBy[] = {args::block("circle", kCircle, "BYRADIUS"),
                          args::block("box", kBox, "BYBOX"),
                          args::block("polygon", kPolygon, "BYPOLYGON").from("9.0.0")};
constexpr ArgDoc kOrder[] = {args::token("asc", "ASC"), args::token("desc", "DESC")};
constexpr ArgDoc kCountParts[] = {args::integer("count", "COUNT"),
                                  args::token("any", "ANY").opt().from("6.2.0")};
constexpr ArgDoc kOrderArg = args::one_of("order", kOrder).opt();
constexpr ArgDoc kCountArg = args::block("count-block", kCountParts).opt();
constexpr ArgDoc kWithCoord = args::token("withcoord", "WITHCOORD").opt();
constexpr ArgDoc kWithDist = args::token("withdist", "WITHDIST").opt();
constexpr ArgDoc kWithHash = args::token("withhash", "WITHHASH").opt();
constexpr ArgDoc store_key(std::string_view token, int spec) {
  ArgDoc a = args::key(token == "STORE" ? "storekey" : "storedistkey", spec);
  a.token = token;
  return a;
}
constexpr ArgDoc kStore[] = {store_key("STORE", 1), store_key("STOREDIST", 2)};
constexpr ArgDoc kSearchArgs[] = {args::key(),
                                  args::one_of("from", kFrom),
                                  args::one_of("by", kBy),
                                  kOrderArg,
                                  kCountArg,
                                  kWithCoord,
                                  kWithDist,
                                  kWithHash};
constexpr ArgDoc kSearchStoreArgs[] = {args::key("destination"),
                                       args::key("source", 1),
                                       args::one_of("from", kFrom),
                                       args::one_of("by", kBy),
                                       kOrderArg,
                                       kCountArg,
                                       args::token("storedist", "STOREDIST").opt()};
constexpr ArgDoc kRadiusArgs[] = {args::key(),
                                  args::real("longitude"),
                                  args::real("latitude"),
                                  args::real("radius"),
                                  kUnit,
                                  kWithCoord,
                                  kWithDist,
                                  kWithHash,
                                  kCountArg,
                                  kOrderArg,
                                  args::one_of("store", kStore).opt()};
constexpr ArgDoc kRadiusRoArgs[] = {args::key(),
                                    args::real("longitude"),
                                    args::real("latitude"),
                                    args::real("radius"),
                                    kUnit,
                                    kWithCoord,
                                    kWithDist,
                                    kWithHash,
                                    kCountArg,
                                    kOrderArg};
constexpr ArgDoc kMemberArgs[] = {args::key(),
                                  args::string("member"),
                                  args::real("radius"),
                                  kUnit,
                                  kWithCoord,
                                  kWithDist,
                                  kWithHash,
                                  kCountArg,
                                  kOrderArg,
                                  args::one_of("store", kStore).opt()};
constexpr ArgDoc kMemberRoArgs[] = {args::key(),
                                    args::string("member"),
                                    args::real("radius"),
                                    kUnit,
                                    kWithCoord,
                                    kWithDist,
                                    kWithHash,
                                    kCountArg,
                                    kOrderArg};
constexpr KeySpec kSearchStoreKeys[] = {KeySpec::one(1, access::kOverwrite),
                                        KeySpec::one(2, access::kRead)};
constexpr KeySpec kRadiusKeys[] = {KeySpec::one(1, access::kRead),
                                   KeySpec::after_keyword("STORE", 6, 0, access::kOverwrite),
                                   KeySpec::after_keyword("STOREDIST", 6, 0, access::kOverwrite)};
constexpr KeySpec kMemberKeys[] = {KeySpec::one(1, access::kRead),
                                   KeySpec::after_keyword("STORE", 5, 0, access::kOverwrite),
                                   KeySpec::after_keyword("STOREDIST", 5, 0, access::kOverwrite)};
constexpr std::string_view kComplexity =
    "O(N+log(M)) with N the members in the squares around the shape and M those of the set.";
constexpr HistoryNote kRadiusHistory[] = {{"6.2.0", "Has the option ANY for COUNT."}};

}  // namespace

constexpr CommandSpec kGeoSearch{
    .name = "GEOSEARCH",
    .summary = "Returns the members inside a circle, box or polygon.",
    .complexity = kComplexity,
    .since = "6.2.0",
    .arity = Arity::at_least(7),
    .flags = Flag::kReadonly,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kReadKey,
    .args = kSearchArgs,
    .reply = Shape::kArray,
    .handler = geosearch,
};
constexpr CommandSpec kGeoSearchStore{
    .name = "GEOSEARCHSTORE",
    .summary = "Stores the members inside a circle, box or polygon under another key.",
    .complexity = kComplexity,
    .since = "6.2.0",
    .arity = Arity::at_least(8),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kSearchStoreKeys,
    .args = kSearchStoreArgs,
    .reply = Shape::kInteger,
    .handler = geosearchstore,
};
constexpr CommandSpec kGeoRadius{
    .name = "GEORADIUS",
    .summary = "Returns or stores the members within a distance of a position.",
    .complexity = kComplexity,
    .since = "3.2.0",
    .arity = Arity::at_least(6),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kRadiusKeys,
    .args = kRadiusArgs,
    .reply = Shape::kArray | Shape::kInteger,
    .handler = georadius,
    .deprecated_since = "6.2.0",
    .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the option `BYRADIUS`",
    .history = kRadiusHistory,
    .find_keys = georadius_keys,
};
constexpr CommandSpec kGeoRadiusRo{
    .name = "GEORADIUS_RO",
    .summary = "Returns the members within a distance of a position.",
    .complexity = kComplexity,
    .since = "3.2.10",
    .arity = Arity::at_least(6),
    .flags = Flag::kReadonly,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kReadKey,
    .args = kRadiusRoArgs,
    .reply = Shape::kArray,
    .handler = georadius_ro,
    .deprecated_since = "6.2.0",
    .replaced_by = "`GEOSEARCH` with the option `BYRADIUS`",
    .history = kRadiusHistory,
};
constexpr CommandSpec kGeoRadiusByMember{
    .name = "GEORADIUSBYMEMBER",
    .summary = "Returns or stores the members within a distance of a member.",
    .complexity = kComplexity,
    .since = "3.2.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kMemberKeys,
    .args = kMemberArgs,
    .reply = Shape::kArray | Shape::kInteger,
    .handler = by_member,
    .deprecated_since = "6.2.0",
    .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the options `BYRADIUS` and `FROMMEMBER`",
    .history = kRadiusHistory,
    .find_keys = by_member_keys,
};
constexpr CommandSpec kGeoRadiusByMemberRo{
    .name = "GEORADIUSBYMEMBER_RO",
    .summary = "Returns the members within a distance of a member.",
    .complexity = kComplexity,
    .since = "3.2.10",
    .arity = Arity::at_least(5),
    .flags = Flag::kReadonly,
    .acl = Acl::kGeo,
    .group = Group::kGeo,
    .keys = kReadKey,
    .args = kMemberRoArgs,
    .reply = Shape::kArray,
    .handler = by_member_ro,
    .deprecated_since = "6.2.0",
    .replaced_by = "`GEOSEARCH` with the options `BYRADIUS` and `FROMMEMBER`",
    .history = kRadiusHistory,
};

}  // namespace hearth::commands
