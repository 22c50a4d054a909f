#include "src/commands/geo/positions.h"

#include <cstdio>

namespace hearth::commands {

Result<double, ReplyError> parse_unit(const ArgReader& args, std::size_t at) {
  if (args.is(at, "m")) return 1.0;
  if (args.is(at, "km")) return 1000.0;
  if (args.is(at, "ft")) return 0.3048;
  if (args.is(at, "mi")) return 1609.34;
  return refuse("ERR unsupported unit provided. please use M, KM, FT, MI");
}

Result<ds::GeoPoint, ReplyError> parse_position(const ArgReader& args, std::size_t at) {
  ds::GeoPoint point;
  HEARTH_TRY(point.longitude, args.real(at));
  HEARTH_TRY(point.latitude, args.real(at + 1));
  if (ds::is_on_grid(point)) return point;
  char text[800];  // the greatest doubles have 309 digits before the point
  std::snprintf(text, sizeof text, "ERR invalid longitude,latitude pair %f,%f", point.longitude,
                point.latitude);
  return refuse(text);
}

std::optional<ds::GeoPoint> position_of(const Zset& zset, std::string_view member) {
  const auto score = zset.score(member);
  if (!score) return std::nullopt;
  return ds::geo_point(*score);
}

void reply_position(ReplyWriter& reply, const ds::GeoPoint& point) {
  reply.array(2);
  for (const double degrees : {point.longitude, point.latitude}) {
    const std::string text = long_double_text(degrees);
    if (reply.resp() >= 3)
      reply.raw("," + text + "\r\n");
    else
      reply.bulk(text);
  }
}

void reply_distance(ReplyWriter& reply, double distance) {
  char text[400];
  const int length = std::snprintf(text, sizeof text, "%.4f", distance);
  reply.bulk({text, static_cast<std::size_t>(length)});
}

}  // namespace hearth::commands
