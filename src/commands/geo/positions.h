// Helpers of the commands on positions: words that are coordinates, distances and units, and how
// positions and distances are written in a reply.
#pragma once

#include <optional>
#include <string_view>

#include "src/command/context.h"
#include "src/ds/geohash.h"
#include "src/store/zset.h"

namespace hearth::commands {

// Metres in the unit that word `at` names.
[[nodiscard]] Result<double, ReplyError> parse_unit(const ArgReader& args, std::size_t at);
// Longitude and latitude, words `at` and `at` + 1.
[[nodiscard]] Result<ds::GeoPoint, ReplyError> parse_position(const ArgReader& args,
                                                              std::size_t at);

// Where a member is; nothing if it is not there.
[[nodiscard]] std::optional<ds::GeoPoint> position_of(const Zset& zset, std::string_view member);

// Longitude and latitude with all their digits, in an array.
void reply_position(ReplyWriter& reply, const ds::GeoPoint& point);
// With four digits behind the point.
void reply_distance(ReplyWriter& reply, double distance);

}  // namespace hearth::commands
