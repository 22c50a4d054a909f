#include "src/ds/geohash.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "src/base/random.h"

using hearth::Rng;
using hearth::ds::geo_distance;
using hearth::ds::geo_point;
using hearth::ds::geo_score;
using hearth::ds::GeoPoint;
using hearth::ds::GeoShape;

namespace {

constexpr double kNorth = 85.05112878;

// Mostly near the edges of the grid, and often on them.
double coordinate(Rng& rng, double most) {
  switch (rng.below(5)) {
    case 0: return most;
    case 1: return -most;
    case 2: return most - rng.unit() * 3;
    case 3: return -most + rng.unit() * 3;
    default: return (rng.unit() * 2 - 1) * most;
  }
}
GeoPoint point_of(Rng& rng) { return {coordinate(rng, 180), coordinate(rng, kNorth)}; }

double metres(Rng& rng) {
  constexpr double kMost[] = {10, 1000, 100'000, 1'000'000, 30'000'000};
  return rng.unit() * kMost[rng.below(5)];
}

GeoShape shape_of(Rng& rng) {
  const GeoPoint center = point_of(rng);
  switch (rng.below(3)) {
    case 0: return GeoShape::circle(center, metres(rng));
    case 1: return GeoShape::box(center, metres(rng), metres(rng));
    default: break;
  }
  std::vector<GeoPoint> vertices;
  const double size = rng.unit() * 30;
  for (const auto& [x, y] : {std::pair{-1.0, -1.0}, {1.0, -1.0}, {1.0, 1.0}, {-1.0, 1.0}}) {
    GeoPoint vertex{center.longitude + x * size, center.latitude + y * size};
    if (vertex.longitude > 180) vertex.longitude -= 360;
    if (vertex.longitude < -180) vertex.longitude += 360;
    vertex.latitude = std::clamp(vertex.latitude, -kNorth, kNorth);
    vertices.push_back(vertex);
  }
  return GeoShape::polygon(std::move(vertices));
}

bool is_searched(const GeoShape& shape, double score) {
  const auto ranges = shape.ranges();
  return std::any_of(ranges.begin(), ranges.end(), [&](const GeoShape::ScoreRange& range) {
    return score >= range.min && score < range.max;
  });
}

}  // namespace

TEST_CASE("a search looks at every position in its shape, over the edges of the grid") {
  Rng rng(7);
  int inside = 0;
  for (int step = 0; step < 60'000; ++step) {
    const GeoShape shape = shape_of(rng);
    for (int n = 0; n < 3; ++n) {
      const double score = geo_score(point_of(rng));
      if (!shape.distance_inside(geo_point(score))) continue;
      ++inside;
      CAPTURE(step);
      CAPTURE(shape.center().longitude);
      CAPTURE(shape.center().latitude);
      CAPTURE(geo_point(score).longitude);
      CAPTURE(geo_point(score).latitude);
      REQUIRE(is_searched(shape, score));
    }
  }
  CHECK(inside > 5000);
}

TEST_CASE("a small shape on the edge is found by a few small ranges") {
  const GeoShape shape = GeoShape::circle({180, 0}, 1000);
  double searched = 0;
  for (const auto& range : shape.ranges()) searched += range.max - range.min;
  CHECK(searched < 1e10);  // of 4.5e15
  CHECK(is_searched(shape, geo_score({180, 0})));
  CHECK(is_searched(shape, geo_score({-180, 0})));
  CHECK(is_searched(shape, geo_score({179.999, 0})));
  CHECK(is_searched(shape, geo_score({-179.999, 0})));
}

TEST_CASE("a polygon across the 180th meridian has both sides and nothing else") {
  const GeoShape shape = GeoShape::polygon({{170, -10}, {-170, -10}, {-170, 10}, {170, 10}});
  CHECK(shape.distance_inside({175, 0}));
  CHECK(shape.distance_inside({-175, 0}));
  CHECK(shape.distance_inside({180, 0}));
  CHECK_FALSE(shape.distance_inside({165, 0}));
  CHECK_FALSE(shape.distance_inside({0, 0}));
  // The whole earth, whose edges run around it.
  const GeoShape earth = GeoShape::polygon({{-180, -80}, {180, -80}, {180, 80}, {-180, 80}});
  CHECK(earth.distance_inside({0, 0}));
  CHECK(earth.distance_inside({-179, 70}));
}
