// Positions on the earth as sorted set scores, and searches among them.
//
// A position becomes 52 bits: 26 of the latitude (within +-85.05112878 degrees) and 26 of the
// longitude, interleaved, so that scores of near positions mostly have a long common beginning and
// a square of the grid is one range of scores. A search looks through the square that holds its
// centre and its eight neighbours, the squares as small as they can be to cover the shape.
//
// A position at exactly 180 degrees or at the northern edge has an index one past the last square,
// as in the field: such scores lie behind all others, in ranges of their own. Searches wrap around
// at the 180th meridian.
//
// Degrees and metres throughout; the earth is a sphere of radius 6372797.560856 m.
// Source: the public description of the field's geospatial commands; G. Morton 1966; Niemeyer's
// geohash. The order of squares and the size of the first guess are observed behaviour, since
// unsorted results come in it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hearth::ds {

struct GeoPoint {
  double longitude = 0;
  double latitude = 0;
};

// Whether the grid has this position.
[[nodiscard]] bool is_on_grid(const GeoPoint& point);
// The score of a position that is on the grid: an integer below 2^52.
[[nodiscard]] double geo_score(const GeoPoint& point);
// The middle of the smallest square that the score stands for. Any score is read as some position.
[[nodiscard]] GeoPoint geo_point(double score);
// The 11 letters of the public geohash of a position; the last is always '0'.
[[nodiscard]] std::string geohash_text(const GeoPoint& point);
// Great-circle distance in metres.
[[nodiscard]] double geo_distance(const GeoPoint& a, const GeoPoint& b);

// The area of a search.
class GeoShape {
 public:
  static GeoShape circle(const GeoPoint& center, double radius);
  // Sides along the meridians and parallels, `width` measured at the latitude of each point.
  static GeoShape box(const GeoPoint& center, double width, double height);
  // At least three vertices. Edges are straight in degrees. An edge of more than 180 degrees of
  // longitude goes the short way, across the 180th meridian; one of 360 goes around the earth.
  static GeoShape polygon(std::vector<GeoPoint> vertices);

  // Distances are measured from here: the centre, of a polygon the mean of its vertices.
  [[nodiscard]] const GeoPoint& center() const { return center_; }
  // The distance from the centre, if the point lies in the shape.
  [[nodiscard]] std::optional<double> distance_inside(const GeoPoint& point) const;

  // Scores min <= score < max that hold all positions in the shape, in the order of the search.
  struct ScoreRange {
    double min = 0;
    double max = 0;
  };
  [[nodiscard]] std::vector<ScoreRange> ranges() const;

 private:
  enum class Kind : std::uint8_t { kCircle, kBox, kPolygon };
  struct Bounds {
    GeoPoint low, high;
  };
  [[nodiscard]] Bounds bounds() const;
  [[nodiscard]] bool is_in_polygon(const GeoPoint& point) const;

  Kind kind_ = Kind::kCircle;
  GeoPoint center_;
  GeoPoint grid_center_;  // in the middle of the squares; never changes
  double half_width_ = 0, half_height_ = 0;
  double reach_ = 0;  // metres from grid_center_ to the farthest point
  std::vector<GeoPoint> vertices_;
};

}  // namespace hearth::ds
