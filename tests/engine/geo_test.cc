#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "src/base/random.h"
#include "src/ds/geohash.h"
#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
std::string array(const Lines& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += bulk(word);
  return out;
}

void add_sicily(EngineFixture& server) {
  CHECK(server.run("GEOADD", "Sicily", "13.361389", "38.115556", "Palermo", "15.087269",
                   "37.502669", "Catania") == ":2\r\n");
}

}  // namespace

TEST_CASE("GEOADD adds positions as scores and keeps to its conditions") {
  EngineFixture server;
  add_sicily(server);
  CHECK(server.effects() ==
        Lines{"GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"});
  CHECK(server.events() == Lines{"new Sicily", "zadd Sicily"});
  CHECK(server.run("ZSCORE", "Sicily", "Palermo") == bulk("3479099956230698"));
  CHECK(server.run("ZSCORE", "Sicily", "Catania") == bulk("3479447370796909"));
  CHECK(server.run("GEOADD", "Sicily", "NX", "CH", "1", "1", "Palermo") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("GEOADD", "Sicily", "XX", "CH", "13.4", "38", "Palermo", "1", "1", "x") ==
        ":1\r\n");
  CHECK(server.run("GEOADD", "none", "XX", "1", "1", "x") == ":0\r\n");
  CHECK(server.run("EXISTS", "none") == ":0\r\n");
  CHECK(server.run("GEOADD", "Sicily", "NX", "XX", "1", "1", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("GEOADD", "Sicily", "1", "1", "x", "2") == "-ERR syntax error\r\n");
  CHECK(server.run("GEOADD", "Sicily", "a", "1", "x") == "-ERR value is not a valid float\r\n");
  CHECK(server.run("GEOADD", "Sicily", "200", "100", "x") ==
        "-ERR invalid longitude,latitude pair 200.000000,100.000000\r\n");
}

TEST_CASE("single positions, distances and hashes") {
  EngineFixture server;
  add_sicily(server);
  CHECK(server.run("GEOPOS", "Sicily", "Palermo", "none") ==
        "*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n");
  CHECK(server.run("GEOPOS", "none", "a") == "*1\r\n*-1\r\n");
  CHECK(server.run("GEOPOS", "Sicily") == "*0\r\n");
  CHECK(server.run("GEOHASH", "Sicily", "Palermo", "Catania", "none") ==
        "*3\r\n$11\r\nsqc8b49rny0\r\n$11\r\nsqdtr74hyu0\r\n$-1\r\n");
  CHECK(server.run("GEODIST", "Sicily", "Palermo", "Catania") == bulk("166274.1516"));
  CHECK(server.run("GEODIST", "Sicily", "Palermo", "Catania", "KM") == bulk("166.2742"));
  CHECK(server.run("GEODIST", "Sicily", "Palermo", "Catania", "mi") == bulk("103.3182"));
  CHECK(server.run("GEODIST", "Sicily", "Palermo", "none") == "$-1\r\n");
  CHECK(server.run("GEODIST", "none", "Palermo", "Catania") == "$-1\r\n");
  CHECK(server.run("GEODIST", "Sicily", "Palermo", "Catania", "x") ==
        "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n");
  CHECK(server.run("GEODIST", "Sicily", "a", "b", "m", "x") == "-ERR syntax error\r\n");
  server.session().resp = 3;
  CHECK(server.run("GEOPOS", "Sicily", "Palermo", "none") ==
        "*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n");
}

TEST_CASE("searches by circle, box and polygon") {
  EngineFixture server;
  add_sicily(server);
  server.run("GEOADD", "Sicily", "12.758489", "38.788135", "edge1", "17.241510", "38.788135",
             "edge2");
  CHECK(server.run("GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km",
                   "ASC") == array({"Catania", "Palermo"}));
  CHECK(server.run("GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km",
                   "ASC", "WITHDIST") ==
        "*4\r\n*2\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n*2\r\n$7\r\nPalermo\r\n$8\r\n190.4424\r\n"
        "*2\r\n$5\r\nedge2\r\n$8\r\n279.7403\r\n*2\r\n$5\r\nedge1\r\n$8\r\n279.7405\r\n");
  CHECK(server.run("GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", "200", "km", "DESC",
                   "COUNT", "2") == array({"Catania", "edge1"}));
  CHECK(server.run("GEOSEARCH", "Sicily", "BYPOLYGON", "4", "13", "37", "16", "37", "16", "39",
                   "13", "39", "ASC") == array({"Catania", "Palermo"}));
  // Distances are measured from the middle of the vertices on the sphere; the numbers are those of
  // the documentation of GEOSEARCH.
  CHECK(server.run("GEOSEARCH", "Sicily", "BYPOLYGON", "5", "12.41098696654226",
                   "38.05033923003755", "15.107936245794182", "38.00616649901906",
                   "18.148439288534455", "38.63804787603499", "17.80831874257693",
                   "39.50316813110968", "12.458468633214036", "38.57719533463012", "WITHDIST",
                   "ASC") ==
        "*2\r\n*2\r\n$7\r\nPalermo\r\n$11\r\n166482.0159\r\n*2\r\n$5\r\nedge2\r\n$11\r\n"
        "180861.7725\r\n");
  // A hollow on the side of Palermo leaves it outside.
  CHECK(server.run("GEOSEARCH", "Sicily", "BYPOLYGON", "5", "13", "37", "16", "37", "16", "39",
                   "13", "39", "14", "38") == array({"Catania"}));
  CHECK(server.run("GEORADIUS", "Sicily", "15", "37", "200", "km", "WITHDIST", "WITHCOORD",
                   "WITHHASH", "COUNT", "1") ==
        "*1\r\n*4\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n:3479447370796909\r\n*2\r\n$20\r\n"
        "15.08726745843887329\r\n$20\r\n37.50266842333162032\r\n");
  CHECK(server.run("GEORADIUS_RO", "Sicily", "15", "37", "100", "km") == array({"Catania"}));
  CHECK(server.run("GEORADIUSBYMEMBER", "Sicily", "Catania", "1", "m") == array({"Catania"}));
  CHECK(server.run("GEORADIUSBYMEMBER_RO", "Sicily", "Catania", "170", "km", "DESC") ==
        array({"Palermo", "Catania"}));
  CHECK(server.run("GEORADIUS", "none", "15", "37", "100", "km") == "*0\r\n");
  CHECK(server.run("GEOSEARCH", "none", "FROMMEMBER", "x", "BYRADIUS", "1", "km") == "*0\r\n");
}

TEST_CASE("searches can store what they find, or how far it is") {
  EngineFixture server;
  add_sicily(server);
  CHECK(server.run("GEOSEARCHSTORE", "d", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "100",
                   "km") == ":1\r\n");
  CHECK(server.events() == Lines{"new d", "geosearchstore d"});
  CHECK(server.run("ZRANGE", "d", "0", "-1", "WITHSCORES") ==
        array({"Catania", "3479447370796909"}));
  CHECK(server.run("GEORADIUS", "Sicily", "15", "37", "200", "km", "STOREDIST", "d") == ":2\r\n");
  CHECK(server.effects() == Lines{"GEORADIUS Sicily 15 37 200 km STOREDIST d"});
  CHECK(server.events() == Lines{"georadiusstore d"});
  CHECK(server.run("ZRANGE", "d", "0", "-1") == array({"Catania", "Palermo"}));
  CHECK(server.run("ZSCORE", "d", "Catania").starts_with("$"));
  CHECK(server.run("GEORADIUSBYMEMBER", "Sicily", "Catania", "1", "m", "STORE", "d") == ":1\r\n");
  CHECK(server.run("GEOSEARCHSTORE", "d", "none", "FROMMEMBER", "x", "BYRADIUS", "1", "km",
                   "STOREDIST") == ":0\r\n");
  CHECK(server.effects() == Lines{"DEL d"});
  CHECK(server.run("EXISTS", "d") == ":0\r\n");
}

TEST_CASE("searches refuse what they don't understand") {
  EngineFixture server;
  add_sicily(server);
  struct Case {
    Lines words;
    const char* error;
  };
  const std::vector<Case> cases = {
      {{"GEOSEARCH", "Sicily", "BYRADIUS", "1", "km", "ASC", "WITHDIST"},
       "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "ASC", "WITHDIST"},
       "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "FROMMEMBER", "x", "BYRADIUS", "1", "km"},
       "-ERR syntax error\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km", "BYBOX", "1", "1",
        "km"},
       "-ERR syntax error\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMMEMBER", "none", "BYRADIUS", "1", "km"},
       "-ERR could not decode requested zset member\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km", "STOREDIST"},
       "-ERR syntax error\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYBOX", "-1", "1", "km"},
       "-ERR height or width cannot be negative\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYBOX", "x", "1", "km"},
       "-ERR need numeric width\r\n"},
      {{"GEOSEARCH", "Sicily", "BYPOLYGON", "2", "1", "1", "2", "2"},
       "-ERR GEOSEARCH BYPOLYGON must have at least 3 vertices\r\n"},
      {{"GEOSEARCH", "Sicily", "BYPOLYGON", "3", "1", "1", "2", "2"}, "-ERR syntax error\r\n"},
      {{"GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYPOLYGON", "3", "1", "1", "2", "2", "3",
        "1"},
       "-ERR FROMMEMBER and FROMLONLAT cannot be specified with BYPOLYGON for GEOSEARCH\r\n"},
      {{"GEORADIUS", "Sicily", "1", "1", "x", "km"}, "-ERR need numeric radius\r\n"},
      {{"GEORADIUS", "Sicily", "1", "1", "-1", "km"}, "-ERR radius cannot be negative\r\n"},
      {{"GEORADIUS", "Sicily", "1", "1", "1", "yd"},
       "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n"},
      {{"GEORADIUS", "Sicily", "1", "1", "1", "km", "ANY"},
       "-ERR the ANY argument requires COUNT argument\r\n"},
      {{"GEORADIUS", "Sicily", "1", "1", "1", "km", "COUNT", "0"}, "-ERR COUNT must be > 0\r\n"},
      {{"GEORADIUS", "Sicily", "1", "1", "1", "km", "WITHDIST", "STORE", "d"},
       "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD "
       "options\r\n"},
      {{"GEORADIUS_RO", "Sicily", "1", "1", "1", "km", "STORE", "d"}, "-ERR syntax error\r\n"},
      {{"GEOSEARCHSTORE", "d", "Sicily", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km", "WITHHASH"},
       "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options\r\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.error);
    CHECK(server.run_words(server.session(), c.words) == c.error);
    CHECK(server.effects().empty());
  }
  server.run("SET", "s", "x");
  CHECK(server.run("GEOADD", "s", "1", "1", "a") == kWrongType);
  CHECK(server.run("GEOPOS", "s", "a") == kWrongType);
  CHECK(server.run("GEOHASH", "s", "a") == kWrongType);
  CHECK(server.run("GEODIST", "s", "a", "b") == kWrongType);
  CHECK(server.run("GEORADIUS", "s", "1", "1", "1", "km") == kWrongType);
  CHECK(server.run("GEOSEARCH", "s", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km") == kWrongType);
}

TEST_CASE("a search finds exactly what a look at every member finds") {
  using namespace hearth::ds;
  hearth::Rng rng(31);
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const bool near = rng.chance(0.5);
    const GeoPoint center{rng.unit() * 340 - 170, rng.unit() * 150 - 75};
    std::vector<GeoPoint> points;
    for (int i = 0; i < 400; ++i) {
      GeoPoint p{rng.unit() * 360 - 180, rng.unit() * 170 - 85};
      if (near) p = {center.longitude + rng.unit() * 4 - 2, center.latitude + rng.unit() * 4 - 2};
      points.push_back(geo_point(geo_score(p)));
    }
    const double size = (near ? 200'000 : 2'000'000) * rng.unit();
    std::vector<GeoPoint> corners;
    for (int i = 0; i < 6; ++i) {
      const double angle = i * 3.14159265 / 3;
      const double degrees = size / 150'000 * (0.3 + rng.unit());
      corners.push_back({center.longitude + degrees * std::cos(angle),
                         std::clamp(center.latitude + degrees * std::sin(angle), -85.0, 85.0)});
    }
    for (const GeoShape& shape :
         {GeoShape::circle(center, size), GeoShape::box(center, size, size / 3),
          GeoShape::polygon(corners)}) {
      const auto ranges = shape.ranges();
      for (const GeoPoint& p : points) {
        if (!shape.distance_inside(p)) continue;
        // The date line is where a search ends.
        if (std::fabs(p.longitude - center.longitude) > 180) continue;
        const double score = geo_score(p);
        const auto holding = std::count_if(ranges.begin(), ranges.end(), [&](const auto& r) {
          return r.min <= score && score < r.max;
        });
        CHECK(holding == 1);
      }
    }
  }
}

TEST_CASE(
    "every form of search finds positions on the grid's edges and across the 180th meridian") {
  EngineFixture server;
  server.run("GEOADD", "g", "180", "0", "east", "-180", "0", "west", "179.9", "0", "near east",
             "-179.9", "0", "near west", "180", "85.05112878", "corner");
  const std::string all = "*4\r\n";
  for (const char* longitude : {"180", "-180", "179.95", "-179.95"}) {
    CAPTURE(longitude);
    CHECK(server.run("GEORADIUS", "g", longitude, "0", "100", "km").starts_with(all));
    CHECK(server.run("GEORADIUS_RO", "g", longitude, "0", "100", "km").starts_with(all));
    CHECK(server.run("GEOSEARCH", "g", "FROMLONLAT", longitude, "0", "BYRADIUS", "100", "km")
              .starts_with(all));
    CHECK(server.run("GEOSEARCH", "g", "FROMLONLAT", longitude, "0", "BYBOX", "100", "10", "km")
              .starts_with(all));
    CHECK(server.run("GEOSEARCHSTORE", "d", "g", "FROMLONLAT", longitude, "0", "BYRADIUS", "100",
                     "km") == ":4\r\n");
  }
  for (const char* member : {"east", "west", "near east", "near west"}) {
    CAPTURE(member);
    CHECK(server.run("GEORADIUSBYMEMBER", "g", member, "100", "km").starts_with(all));
    CHECK(server.run("GEORADIUSBYMEMBER_RO", "g", member, "100", "km").starts_with(all));
    CHECK(server.run("GEORADIUSBYMEMBER", "g", member, "100", "km", "STORE", "d") == ":4\r\n");
    CHECK(server.run("GEOSEARCH", "g", "FROMMEMBER", member, "BYBOX", "100", "1", "km")
              .starts_with(all));
  }
  CHECK(server
            .run("GEOSEARCH", "g", "BYPOLYGON", "4", "179", "-1", "-179", "-1", "-179", "1", "179",
                 "1")
            .starts_with(all));
  CHECK(server.run("GEORADIUSBYMEMBER", "g", "corner", "1", "km") == array({"corner"}));
}
