#include "src/commands/geo/query.h"

#include <algorithm>

#include "src/command/options.h"

namespace hearth::commands {
namespace {

bool is_search(GeoForm form) { return form == GeoForm::kSearch || form == GeoForm::kSearchStore; }

enum class GeoWord : std::uint8_t {
  kWithDistance,
  kWithHash,
  kWithPosition,
  kAny,
  kAsc,
  kDesc,
  kCount,
  kStore,
  kStoreDistance,
};
// Options that all forms have.
constexpr OptionWord<GeoWord> kPlainWords[] = {{GeoWord::kWithDistance, "WITHDIST"},
                                               {GeoWord::kWithHash, "WITHHASH"},
                                               {GeoWord::kWithPosition, "WITHCOORD"},
                                               {GeoWord::kAny, "ANY"},
                                               {GeoWord::kAsc, "ASC"},
                                               {GeoWord::kDesc, "DESC"},
                                               {GeoWord::kCount, "COUNT", 1}};
constexpr OptionWord<GeoWord> kStoreWords[] = {{GeoWord::kWithDistance, "WITHDIST"},
                                               {GeoWord::kWithHash, "WITHHASH"},
                                               {GeoWord::kWithPosition, "WITHCOORD"},
                                               {GeoWord::kAny, "ANY"},
                                               {GeoWord::kAsc, "ASC"},
                                               {GeoWord::kDesc, "DESC"},
                                               {GeoWord::kCount, "COUNT", 1},
                                               {GeoWord::kStore, "STORE", 1},
                                               {GeoWord::kStoreDistance, "STOREDIST", 1}};

std::span<const OptionWord<GeoWord>> words_of(GeoForm form) {
  if (form == GeoForm::kRadius || form == GeoForm::kByMember) return kStoreWords;
  return kPlainWords;
}
// Where the options of the forms without FROM and BY begin.
std::size_t options_of(GeoForm form) {
  return form == GeoForm::kRadius || form == GeoForm::kRadiusReadOnly ? 6 : 5;
}

constexpr std::string_view kNoMember = "ERR could not decode requested zset member";

// Parses the words behind those that every form has.
class QueryParser {
 public:
  QueryParser(CommandContext& ctx, GeoForm form, const Zset* zset)
      : args_(ctx.args()), form_(form), zset_(zset) {}

  Result<GeoQuery, ReplyError> parse() {
    HEARTH_TRY(std::size_t at, fixed_words());
    while (at < args_.size()) {
      HEARTH_TRY(const std::size_t used, option(at));
      if (used == 0) return syntax_error();
      at += used;
    }
    HEARTH_TRY_VOID(check());
    finish();
    return std::move(query_);
  }

 private:
  enum class By : std::uint8_t { kNothing, kRadius, kBox, kPolygon };

  // Returns where the options begin.
  Result<std::size_t, ReplyError> fixed_words() {
    switch (form_) {
      case GeoForm::kRadius:
      case GeoForm::kRadiusReadOnly: {
        HEARTH_TRY(center_, parse_position(args_, 2));
        HEARTH_TRY_VOID(radius(4));
        return options_of(form_);
      }
      case GeoForm::kByMember:
      case GeoForm::kByMemberReadOnly:
        // Without a set the words are not looked at: the answer is empty whatever they say.
        if (zset_ != nullptr) {
          HEARTH_TRY_VOID(member(2));
          HEARTH_TRY_VOID(radius(3));
        }
        return options_of(form_);
      case GeoForm::kSearch: return 2;
      case GeoForm::kSearchStore: query_.store_key = 1; return 3;
    }
    return 2;
  }

  // Returns how many words it took; 0: it is no option of this form.
  Result<std::size_t, ReplyError> option(std::size_t at) {
    if (const OptionWord<GeoWord>* word = option_at(args_, at, words_of(form_))) {
      HEARTH_TRY_VOID(take(word->id, at + 1));
      return 1 + word->values;
    }
    if (form_ == GeoForm::kSearchStore && args_.is(at, "STOREDIST"))
      return query_.stores_distance = true, 1;
    if (is_search(form_)) return search_option(at);
    return 0;
  }

  Outcome take(GeoWord word, std::size_t value_at) {
    switch (word) {
      case GeoWord::kWithDistance: query_.with_distance = true; break;
      case GeoWord::kWithHash: query_.with_hash = true; break;
      case GeoWord::kWithPosition: query_.with_position = true; break;
      case GeoWord::kAny: query_.any = true; break;
      case GeoWord::kAsc: query_.order = GeoOrder::kNearestFirst; break;
      case GeoWord::kDesc: query_.order = GeoOrder::kFarthestFirst; break;
      case GeoWord::kCount: {
        HEARTH_TRY(const std::int64_t count, args_.integer(value_at));
        if (count <= 0) return refuse("ERR COUNT must be > 0");
        query_.count = static_cast<std::uint64_t>(count);
        break;
      }
      case GeoWord::kStore:
      case GeoWord::kStoreDistance:
        query_.store_key = value_at;
        query_.stores_distance = word == GeoWord::kStoreDistance;
        break;
    }
    return {};
  }

  Result<std::size_t, ReplyError> search_option(std::size_t at) {
    if (args_.is(at, "FROMMEMBER", 1) && !from_position_) {
      from_member_ = true;
      if (zset_ != nullptr) HEARTH_TRY_VOID(member(at + 1));
      return 2;
    }
    if (args_.is(at, "FROMLONLAT", 2) && !from_member_) {
      HEARTH_TRY(center_, parse_position(args_, at + 1));
      from_position_ = true;
      return 3;
    }
    if (args_.is(at, "BYRADIUS", 2) && may_be(By::kRadius)) {
      HEARTH_TRY_VOID(radius(at + 1));
      return 3;
    }
    if (args_.is(at, "BYBOX", 3) && may_be(By::kBox)) {
      HEARTH_TRY_VOID(box(at + 1));
      return 4;
    }
    if (args_.is(at, "BYPOLYGON", 1) && may_be(By::kPolygon)) return polygon(at + 1);
    return 0;
  }
  [[nodiscard]] bool may_be(By by) const { return by_ == By::kNothing || by_ == by; }

  Outcome member(std::size_t at) {
    const auto point = position_of(*zset_, args_[at]);
    if (!point) return refuse(std::string(kNoMember));
    center_ = *point;
    return {};
  }

  Outcome radius(std::size_t at) {
    HEARTH_TRY(width_, args_.real(at, "ERR need numeric radius"));
    if (width_ < 0) return refuse("ERR radius cannot be negative");
    HEARTH_TRY(query_.unit, parse_unit(args_, at + 1));
    by_ = By::kRadius;
    return {};
  }

  Outcome box(std::size_t at) {
    HEARTH_TRY(width_, args_.real(at, "ERR need numeric width"));
    HEARTH_TRY(height_, args_.real(at + 1, "ERR need numeric height"));
    if (width_ < 0 || height_ < 0) return refuse("ERR height or width cannot be negative");
    HEARTH_TRY(query_.unit, parse_unit(args_, at + 2));
    by_ = By::kBox;
    return {};
  }

  // The number of vertices, then their coordinates. Returns the words taken, BYPOLYGON included.
  Result<std::size_t, ReplyError> polygon(std::size_t at) {
    HEARTH_TRY(const std::int64_t count, args_.integer(at));
    if (count < 3) return refuse("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    if (static_cast<std::uint64_t>(count) > (args_.size() - at - 1) / 2) return syntax_error();
    vertices_.clear();
    for (std::int64_t i = 0; i < count; ++i) {
      HEARTH_TRY(const ds::GeoPoint vertex,
                 parse_position(args_, at + 1 + 2 * static_cast<std::size_t>(i)));
      vertices_.push_back(vertex);
    }
    by_ = By::kPolygon;
    return 2 + 2 * static_cast<std::size_t>(count);
  }

  Outcome check() {
    if (query_.store_key && query_.has_extras()) {
      return refuse(
          std::string("ERR ") +
          (form_ == GeoForm::kSearchStore ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS") +
          " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
    }
    if (is_search(form_)) {
      const std::string name(args_[0]);
      if (!from_member_ && !from_position_ && by_ != By::kPolygon) {
        return refuse("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
      }
      if (by_ == By::kPolygon && (from_member_ || from_position_)) {
        return refuse("ERR FROMMEMBER and FROMLONLAT cannot be specified with BYPOLYGON for " +
                      name);
      }
      if (by_ == By::kNothing)
        return refuse("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
    }
    if (query_.any && query_.count == 0)
      return refuse("ERR the ANY argument requires COUNT argument");
    return {};
  }

  void finish() {
    // The nearest are meant by a count without an order, which takes sorting.
    if (query_.count > 0 && query_.order == GeoOrder::kNone && !query_.any)
      query_.order = GeoOrder::kNearestFirst;
    const double unit = query_.unit;
    if (by_ == By::kRadius) {
      query_.shape = ds::GeoShape::circle(center_, width_ * unit);
    } else if (by_ == By::kBox) {
      query_.shape = ds::GeoShape::box(center_, width_ * unit, height_ * unit);
    } else if (by_ == By::kPolygon) {
      query_.shape = ds::GeoShape::polygon(std::move(vertices_));
    }
  }

  const ArgReader& args_;
  GeoForm form_;
  const Zset* zset_;
  GeoQuery query_;
  By by_ = By::kNothing;
  bool from_member_ = false, from_position_ = false;
  ds::GeoPoint center_;
  double width_ = 0, height_ = 0;  // the radius is a width
  std::vector<ds::GeoPoint> vertices_;
};

}  // namespace

bool geo_keys(GeoForm form, std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  std::size_t store = 0;
  static_cast<void>(walk_options(ArgReader(argv), options_of(form), kStoreWords,
                                 [&](GeoWord word, std::size_t i) -> Outcome {
                                   if (word == GeoWord::kStore || word == GeoWord::kStoreDistance)
                                     store = i + 1;
                                   return {};
                                 }));
  out.push_back({1, access::kRead});
  if (store != 0) out.push_back({static_cast<std::uint32_t>(store), access::kOverwrite});
  return true;
}

Result<GeoQuery, ReplyError> parse_geo_query(CommandContext& ctx, GeoForm form, const Zset* zset) {
  return QueryParser(ctx, form, zset).parse();
}

std::vector<GeoHit> geo_search(const Zset& zset, const GeoQuery& query) {
  std::vector<GeoHit> hits;
  const bool stops_early = query.any;
  for (const auto& range : query.shape->ranges()) {
    const std::uint64_t first = zset.count_below(range.min, false);
    Zset::Walk walk = zset.walk(first, zset.size());
    for (Zset::Item item; walk.next(item) && item.score < range.max;) {
      if (stops_early && hits.size() >= query.count) break;
      const ds::GeoPoint point = ds::geo_point(item.score);
      const auto distance = query.shape->distance_inside(point);
      if (distance) hits.push_back({std::string(item.member), item.score, point, *distance});
    }
  }
  const std::size_t kept =
      query.count == 0 ? hits.size() : std::min<std::uint64_t>(query.count, hits.size());
  const auto middle = hits.begin() + static_cast<std::ptrdiff_t>(kept);
  if (query.order == GeoOrder::kNearestFirst) {
    std::partial_sort(hits.begin(), middle, hits.end(),
                      [](const GeoHit& a, const GeoHit& b) { return a.distance < b.distance; });
  } else if (query.order == GeoOrder::kFarthestFirst) {
    std::partial_sort(hits.begin(), middle, hits.end(),
                      [](const GeoHit& a, const GeoHit& b) { return a.distance > b.distance; });
  }
  hits.resize(kept);
  return hits;
}

}  // namespace hearth::commands
