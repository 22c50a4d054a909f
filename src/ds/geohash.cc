#include "src/ds/geohash.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hearth::ds {
namespace {

constexpr double kLongitudeMost = 180;
constexpr double kLatitudeMost = 85.05112878;
constexpr double kPole = 90;
constexpr double kEarthRadius = 6372797.560856;
constexpr double kMercatorMost = 20037726.37;
constexpr unsigned kStepsMost = 26;

double radians(double degrees) { return degrees * (std::numbers::pi / 180); }
double degrees(double radians_) { return radians_ / (std::numbers::pi / 180); }

// Bits of v to the even places.
std::uint64_t spread(std::uint64_t v) {
  v &= 0xffffffff;
  v = (v | (v << 16)) & 0x0000ffff0000ffffULL;
  v = (v | (v << 8)) & 0x00ff00ff00ff00ffULL;
  v = (v | (v << 4)) & 0x0f0f0f0f0f0f0f0fULL;
  v = (v | (v << 2)) & 0x3333333333333333ULL;
  v = (v | (v << 1)) & 0x5555555555555555ULL;
  return v;
}
// The even places of v together.
std::uint64_t gather(std::uint64_t v) {
  v &= 0x5555555555555555ULL;
  v = (v | (v >> 1)) & 0x3333333333333333ULL;
  v = (v | (v >> 2)) & 0x0f0f0f0f0f0f0f0fULL;
  v = (v | (v >> 4)) & 0x00ff00ff00ff00ffULL;
  v = (v | (v >> 8)) & 0x0000ffff0000ffffULL;
  v = (v | (v >> 16)) & 0x00000000ffffffffULL;
  return v;
}

// A square of the grid that halves both sides `steps` times.
struct Cell {
  std::uint64_t row = 0;     // of latitude
  std::uint64_t column = 0;  // of longitude
  unsigned steps = 0;

  [[nodiscard]] std::uint64_t bits() const { return spread(row) | spread(column) << 1; }
  // The grid closes upon itself in both directions.
  [[nodiscard]] std::uint64_t last() const { return (std::uint64_t{1} << steps) - 1; }
  [[nodiscard]] Cell moved(int rows, int columns) const {
    return {(row + static_cast<std::uint64_t>(rows)) & last(),
            (column + static_cast<std::uint64_t>(columns)) & last(), steps};
  }
};

Cell cell_of(const GeoPoint& point, double latitude_most, unsigned steps) {
  const auto count = static_cast<double>(std::uint64_t{1} << steps);
  const double y = (point.latitude + latitude_most) / (2 * latitude_most);
  const double x = (point.longitude + kLongitudeMost) / (2 * kLongitudeMost);
  return {static_cast<std::uint64_t>(y * count), static_cast<std::uint64_t>(x * count), steps};
}

// The square that holds a position; of the eastern and northern edge, the last one.
Cell square_of(const GeoPoint& point, unsigned steps) {
  Cell cell = cell_of(point, kLatitudeMost, steps);
  cell.row = std::min(cell.row, cell.last());
  cell.column = std::min(cell.column, cell.last());
  return cell;
}

struct Area {
  GeoPoint low, high;
};

Area area_of(const Cell& cell) {
  const auto count = static_cast<double>(std::uint64_t{1} << cell.steps);
  const auto at = [&](std::uint64_t index, double most) {
    return -most + (static_cast<double>(index) / count) * (2 * most);
  };
  return {{at(cell.column, kLongitudeMost), at(cell.row, kLatitudeMost)},
          {at(cell.column + 1, kLongitudeMost), at(cell.row + 1, kLatitudeMost)}};
}

// How often the sides can be halved so that nine squares still cover so many metres around a
// centre, most of the time.
unsigned steps_for(double reach, double latitude) {
  if (reach == 0) return kStepsMost;
  int steps = 1;
  while (reach < kMercatorMost) {
    reach *= 2;
    ++steps;
  }
  steps -= 2;
  // Towards the poles squares get narrow.
  if (std::fabs(latitude) > 66) --steps;
  if (std::fabs(latitude) > 80) --steps;
  return static_cast<unsigned>(std::clamp(steps, 1, static_cast<int>(kStepsMost)));
}

double latitude_distance(double a, double b) {
  return kEarthRadius * std::fabs(radians(b) - radians(a));
}

}  // namespace

bool is_on_grid(const GeoPoint& point) {
  return std::fabs(point.longitude) <= kLongitudeMost && std::fabs(point.latitude) <= kLatitudeMost;
}

double geo_score(const GeoPoint& point) {
  return static_cast<double>(cell_of(point, kLatitudeMost, kStepsMost).bits());
}

GeoPoint geo_point(double score) {
  constexpr double kTooLarge = 18446744073709551616.0;
  const std::uint64_t bits = score >= kTooLarge ? ~std::uint64_t{0}
                             : score > 0        ? static_cast<std::uint64_t>(score)
                                                : 0;
  const Area area = area_of({gather(bits), gather(bits >> 1), kStepsMost});
  return {
      std::clamp((area.low.longitude + area.high.longitude) / 2, -kLongitudeMost, kLongitudeMost),
      std::clamp((area.low.latitude + area.high.latitude) / 2, -kLatitudeMost, kLatitudeMost)};
}

std::string geohash_text(const GeoPoint& point) {
  static constexpr char kLetters[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr unsigned kLength = 11, kBits = 52, kBitsEach = 5;
  const std::uint64_t bits = cell_of(point, kPole, kStepsMost).bits();
  // 52 bits fill ten letters; the last one stands for nothing.
  std::string text(kLength, kLetters[0]);
  for (unsigned i = 0; i + 1 < kLength; ++i)
    text[i] = kLetters[(bits >> (kBits - (i + 1) * kBitsEach)) & 31];
  return text;
}

double geo_distance(const GeoPoint& a, const GeoPoint& b) {
  const double half_x = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (half_x == 0) return latitude_distance(a.latitude, b.latitude);
  const double a_latitude = radians(a.latitude);
  const double b_latitude = radians(b.latitude);
  const double half_y = std::sin((b_latitude - a_latitude) / 2);
  const double h = half_y * half_y + std::cos(a_latitude) * std::cos(b_latitude) * half_x * half_x;
  return 2.0 * kEarthRadius * std::asin(std::sqrt(h));
}

GeoShape GeoShape::circle(const GeoPoint& center, double radius) {
  GeoShape shape;
  shape.center_ = shape.grid_center_ = center;
  shape.half_width_ = shape.half_height_ = shape.reach_ = radius;
  return shape;
}

GeoShape GeoShape::box(const GeoPoint& center, double width, double height) {
  GeoShape shape = circle(center, 0);
  shape.kind_ = Kind::kBox;
  shape.half_width_ = width / 2;
  shape.half_height_ = height / 2;
  shape.reach_ =
      std::sqrt(shape.half_width_ * shape.half_width_ + shape.half_height_ * shape.half_height_);
  return shape;
}

namespace {

// The mean of the points as vectors from the centre of the earth, back on its surface.
GeoPoint middle_of(const std::vector<GeoPoint>& points) {
  double x = 0, y = 0, z = 0;
  for (const GeoPoint& p : points) {
    const double longitude = radians(p.longitude), latitude = radians(p.latitude);
    x += std::cos(latitude) * std::cos(longitude);
    y += std::cos(latitude) * std::sin(longitude);
    z += std::sin(latitude);
  }
  return {degrees(std::atan2(y, x)), degrees(std::atan2(z, std::hypot(x, y)))};
}

}  // namespace

namespace {

// Continues longitudes beyond 180 degrees where an edge goes the short way across the meridian. A
// polygon that does not close then holds a pole: it stays as it is.
void unwrap(std::vector<GeoPoint>& vertices) {
  std::vector<GeoPoint> out = vertices;
  const auto turns = [](double from, double to) {
    const double span = std::fabs(to - from);
    if (span <= kLongitudeMost || span >= 2 * kLongitudeMost) return 0.0;
    return to > from ? -2 * kLongitudeMost : 2 * kLongitudeMost;
  };
  double shift = 0;
  for (std::size_t i = 1; i < vertices.size(); ++i) {
    shift += turns(vertices[i - 1].longitude, vertices[i].longitude);
    out[i].longitude += shift;
  }
  if (shift + turns(vertices.back().longitude, vertices.front().longitude) == 0)
    vertices = std::move(out);
}

}  // namespace

GeoShape GeoShape::polygon(std::vector<GeoPoint> vertices) {
  GeoShape shape;
  shape.kind_ = Kind::kPolygon;
  shape.vertices_ = std::move(vertices);
  unwrap(shape.vertices_);
  shape.center_ = middle_of(shape.vertices_);
  Bounds around = shape.bounds();
  double middle = (around.low.longitude + around.high.longitude) / 2;
  if (std::fabs(middle) > kLongitudeMost) {
    const double back = middle > 0 ? -2 * kLongitudeMost : 2 * kLongitudeMost;
    for (GeoPoint& v : shape.vertices_) v.longitude += back;
    middle += back;
  }
  shape.grid_center_ = {middle, (around.low.latitude + around.high.latitude) / 2};
  for (const GeoPoint& v : shape.vertices_)
    shape.reach_ = std::max(shape.reach_, geo_distance(shape.grid_center_, v));
  return shape;
}

// Whether a ray to the east crosses the edges an odd number of times.
bool GeoShape::is_in_polygon(const GeoPoint& point) const {
  bool inside = false;
  const GeoPoint* a = &vertices_.back();
  for (const GeoPoint& b : vertices_) {
    if ((a->latitude > point.latitude) != (b.latitude > point.latitude)) {
      const double crossing = a->longitude + (point.latitude - a->latitude) /
                                                 (b.latitude - a->latitude) *
                                                 (b.longitude - a->longitude);
      if (point.longitude < crossing) inside = !inside;
    }
    a = &b;
  }
  return inside;
}

std::optional<double> GeoShape::distance_inside(const GeoPoint& point) const {
  if (kind_ == Kind::kPolygon) {
    const bool inside = is_in_polygon(point) ||
                        is_in_polygon({point.longitude + 2 * kLongitudeMost, point.latitude}) ||
                        is_in_polygon({point.longitude - 2 * kLongitudeMost, point.latitude});
    if (!inside) return std::nullopt;
    return geo_distance(center_, point);
  }
  if (kind_ == Kind::kBox) {
    if (latitude_distance(point.latitude, center_.latitude) > half_height_) return std::nullopt;
    if (geo_distance(point, {center_.longitude, point.latitude}) > half_width_) return std::nullopt;
    return geo_distance(center_, point);
  }
  const double distance = geo_distance(center_, point);
  if (distance > half_width_) return std::nullopt;
  return distance;
}

GeoShape::Bounds GeoShape::bounds() const {
  if (kind_ == Kind::kPolygon) {
    Bounds around{vertices_.front(), vertices_.front()};
    for (const GeoPoint& v : vertices_) {
      around.low = {std::min(around.low.longitude, v.longitude),
                    std::min(around.low.latitude, v.latitude)};
      around.high = {std::max(around.high.longitude, v.longitude),
                     std::max(around.high.latitude, v.latitude)};
    }
    return around;
  }
  const double y = degrees(half_height_ / kEarthRadius);
  // Meridians are closest together at the edge that is nearer to a pole.
  const double edge = center_.latitude < 0 ? center_.latitude - y : center_.latitude + y;
  // A shape that holds a pole, or goes around the earth, has all longitudes.
  double x = 2 * kLongitudeMost;
  if (std::fabs(edge) < kPole)
    x = std::min(x, degrees(half_width_ / kEarthRadius / std::cos(radians(edge))));
  return {{center_.longitude - x, center_.latitude - y},
          {center_.longitude + x, center_.latitude + y}};
}

namespace {

// Whether a square and its eight neighbours hold all that is between `low` and `high`. Longitudes
// go on beyond 180 degrees; beyond the grid's edges in the north and south there is nothing.
bool covers(const Cell& middle, const GeoPoint& low, const GeoPoint& high) {
  const Area own = area_of(middle);
  const double height = own.high.latitude - own.low.latitude;
  const double width = own.high.longitude - own.low.longitude;
  return own.high.latitude + height >= std::min(high.latitude, kLatitudeMost) &&
         own.low.latitude - height <= std::max(low.latitude, -kLatitudeMost) &&
         own.high.longitude + width >= high.longitude && own.low.longitude - width <= low.longitude;
}

void add_range(std::uint64_t first, std::uint64_t end, std::vector<GeoShape::ScoreRange>& out) {
  const GeoShape::ScoreRange range{static_cast<double>(first), static_cast<double>(end)};
  // On a coarse grid a square is its own neighbour.
  const bool is_new = std::none_of(
      out.begin(), out.end(), [&](const GeoShape::ScoreRange& r) { return r.min == range.min; });
  if (is_new) out.push_back(range);
}

// The scores of positions on the grid's eastern and northern edge that touch a square.
void add_edges(const Cell& cell, std::vector<GeoShape::ScoreRange>& out) {
  constexpr std::uint64_t kPast = std::uint64_t{1} << kStepsMost;  // the index of such positions
  const unsigned shift = kStepsMost - cell.steps;
  const bool is_last_row = cell.row == cell.last();
  const std::uint64_t east = spread(kPast) << 1, north = spread(kPast);
  // Scores as large as these are even numbers, rounded.
  constexpr std::uint64_t kBehind = 2;
  // The first and the last index that a square has on the finest grid, in the scores' form.
  const auto first = [shift](std::uint64_t index) { return spread(index << shift); };
  const auto last = [shift](std::uint64_t index) { return spread(((index + 1) << shift) - 1); };
  // 180 degrees are -180 degrees.
  if (cell.column == cell.last() || cell.column == 0) {
    add_range(east + first(cell.row), east + last(cell.row) + kBehind, out);
    if (is_last_row) add_range(east + north, east + north + kBehind, out);
  }
  if (is_last_row) {
    add_range(north + (first(cell.column) << 1), north + (last(cell.column) << 1) + kBehind, out);
  }
}

}  // namespace

std::vector<GeoShape::ScoreRange> GeoShape::ranges() const {
  const Bounds around = bounds();
  Cell middle = square_of(grid_center_, steps_for(reach_, grid_center_.latitude));
  // Where the centre is near an edge of its square, the neighbours may be too small.
  const bool too_small = area_of(middle.moved(1, 0)).high.latitude < around.high.latitude ||
                         area_of(middle.moved(-1, 0)).low.latitude > around.low.latitude ||
                         area_of(middle.moved(0, 1)).high.longitude < around.high.longitude ||
                         area_of(middle.moved(0, -1)).low.longitude > around.low.longitude;
  if (middle.steps > 1 && too_small) middle = square_of(grid_center_, middle.steps - 1);
  while (middle.steps > 1 && !covers(middle, around.low, around.high))
    middle = square_of(grid_center_, middle.steps - 1);

  // A neighbour is left out where the middle square itself passes the shape on that side.
  const Area own = area_of(middle);
  const bool may_skip = middle.steps >= 2;
  const bool skip_south = may_skip && own.low.latitude < around.low.latitude;
  const bool skip_north = may_skip && own.high.latitude > around.high.latitude;
  const bool skip_west = may_skip && own.low.longitude < around.low.longitude;
  const bool skip_east = may_skip && own.high.longitude > around.high.longitude;

  struct Move {
    int rows, columns;
  };
  static constexpr std::array<Move, 9> kMoves{
      {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}}};
  std::vector<ScoreRange> out;
  std::vector<ScoreRange> edges;
  const unsigned shift = 2 * (kStepsMost - middle.steps);
  for (const auto& [rows, columns] : kMoves) {
    if ((rows > 0 && skip_north) || (rows < 0 && skip_south) || (columns > 0 && skip_east) ||
        (columns < 0 && skip_west)) {
      continue;
    }
    const Cell cell = middle.moved(rows, columns);
    add_range(cell.bits() << shift, (cell.bits() + 1) << shift, out);
    add_edges(cell, edges);
  }
  for (const ScoreRange& range : edges) {
    const bool is_new = std::none_of(out.begin(), out.end(),
                                     [&](const ScoreRange& r) { return r.min == range.min; });
    if (is_new) out.push_back(range);
  }
  return out;
}

}  // namespace hearth::ds
