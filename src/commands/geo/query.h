// Searches among positions: the words of the six commands that search, and the search itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/commands/geo/positions.h"

namespace hearth::commands {

enum class GeoOrder : std::uint8_t { kNone, kNearestFirst, kFarthestFirst };

// A search, as it is asked for.
struct GeoQuery {
  // Missing only where the set that should hold the centre does not exist.
  std::optional<ds::GeoShape> shape;
  double unit = 1;  // metres in the unit that distances are given in
  bool with_distance = false, with_hash = false, with_position = false;
  GeoOrder order = GeoOrder::kNone;
  std::uint64_t count = 0;               // 0: all
  bool any = false;                      // the first `count` that are found will do
  std::optional<std::size_t> store_key;  // word
  bool stores_distance = false;

  [[nodiscard]] bool has_extras() const { return with_distance || with_hash || with_position; }
};

// The forms of commands, by the words that they have.
enum class GeoForm : std::uint8_t {
  kRadius,  // GEORADIUS key longitude latitude radius unit
  kRadiusReadOnly,
  kByMember,  // GEORADIUSBYMEMBER key member radius unit
  kByMemberReadOnly,
  kSearch,       // GEOSEARCH key
  kSearchStore,  // GEOSEARCHSTORE destination source
};

// The keys of the forms that may store: the source, and where the last STORE or STOREDIST says.
bool geo_keys(GeoForm form, std::span<const std::string_view> argv, std::vector<KeyPosition>& out);

// zset: the set to search, null if there is none.
[[nodiscard]] Result<GeoQuery, ReplyError> parse_geo_query(CommandContext& ctx, GeoForm form,
                                                           const Zset* zset);

struct GeoHit {
  std::string member;
  double score = 0;
  ds::GeoPoint point;
  double distance = 0;  // metres
};
// The members in the shape, in the order asked for and not more than asked for.
// O(log n + members in the squares that cover the shape).
[[nodiscard]] std::vector<GeoHit> geo_search(const Zset& zset, const GeoQuery& query);

}  // namespace hearth::commands
