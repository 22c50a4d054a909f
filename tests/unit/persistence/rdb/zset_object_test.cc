#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>

#include "persistence/rdb/dump.h"
#include "persistence/rdb/fields.h"
#include "persistence/rdb/object.h"

using namespace hearth;
using namespace hearth::rdb;
using namespace std::string_literals;

namespace {

using Scores = std::map<std::string, double>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr ZsetLimits kTables{.listpack_entries = 0, .listpack_value = 0, .seed = 1};

Zset made(const Scores& scores, const ZsetLimits& limits = {}) {
  Zset zset;
  for (const auto& [member, score] : scores) zset.set(member, score, limits);
  return zset;
}

Scores scores_of(const Zset& zset) {
  Scores out;
  Zset::Walk all = zset.walk();
  for (Zset::Item item; all.next(item);) out.emplace(item.member, item.score);
  return out;
}

const Zset& zset_of(const Object& object) {
  REQUIRE(object.type() == Type::kZset);
  return std::get<Zset>(object.value);
}

std::string dump(const Zset& zset, const EncodeOptions& options) {
  Entry* entry = Entry::make("k", zset.clone(), kNoDeadline, 0);
  std::string out = dump_payload(*entry, options);
  Entry::free(entry);
  return out;
}

Result<Object> decoded(int type, std::string_view body, const ZsetLimits& limits = {}) {
  DecodeLimits all;
  all.zset = limits;
  ByteReader in(body);
  return decode_object(static_cast<std::uint8_t>(type), kVersionPortable, in, all);
}

// A string field around a structure.
std::string field(const std::string& bytes) {
  std::string out;
  write_length(out, bytes.size());
  return out + bytes;
}

std::string listpack_of(const std::vector<std::string>& elements) {
  ds::Listpack pack;
  for (const auto& e : elements) pack.append(e);
  return field(std::string(pack.bytes()));
}

std::string score_bytes(double score) {
  std::string out;
  ByteWriter(out).le(score);
  return out;
}

}  // namespace

TEST_CASE("sorted sets for 7.0 are byte for byte what redis-server 7.0.15 dumps") {
  EncodeOptions options;
  options.target = Target::kRedis70;
  CHECK(dump(made({{"a", 1}, {"b", 2.5}, {"c", -kInf}, {"10", 300}, {"d", 4}}), options) ==
        "\x11''\0\0\0\n\0\x81"
        "c\x02\x84-inf\x05\x81"
        "a\x02\x01\x01\x81"
        "b\x02\x83"
        "2.5\x04\x81"
        "d\x02\x04\x01\n\x01\xc1,\x02\xff\n\0u\"6\x1e\x98\x17,\xff"s);
  CHECK(dump(made({{"a", 1}, {"b", 2.5}, {"c", -kInf}, {"10", 300}}, kTables), options) ==
        "\x05\x04\xc0\n\0\0\0\0\0\xc0r@\x01"
        "b\0\0\0\0\0\0\x04@\x01"
        "a\0\0\0\0\0\0\xf0?\x01"
        "c\0\0\0\0\0\0\xf0\xff\n\0\xd0\xf6\xbf\x94\xbc\x8d\xd5j"s);
}

TEST_CASE("sorted sets of both encodings come back, in the encoding that the limits give") {
  Scores many;
  for (int i = 0; i < 500; ++i) many["member " + std::to_string(i)] = std::sin(i) * i;
  for (const Scores& scores : {Scores{{"a", 1}, {"", 0.1}, {"7", -kInf}, {"b", kInf}}, many}) {
    for (const ZsetLimits& limits : {ZsetLimits{}, kTables}) {
      const Zset zset = made(scores, limits);
      DecodeLimits all;
      all.zset = limits;
      const auto back = parse_dump_payload(dump(zset, {}), all);
      REQUIRE(back.has_value());
      CHECK(scores_of(zset_of(*back)) == scores);
      CHECK(zset_of(*back).encoding() == zset.encoding());
      const auto other = parse_dump_payload(dump(zset, {}), {});
      REQUIRE(other.has_value());
      CHECK(zset_of(*other).encoding() ==
            (scores.size() > 128 ? ZsetEncoding::kSkiplist : ZsetEncoding::kListpack));
    }
  }
}

TEST_CASE("the older forms of sorted sets are read") {
  const auto text = decoded(3, "\x03\x01"s + "a\x03" + "1.5\x01" + "b\xfe\x01" + "c\xff");
  REQUIRE(text.has_value());
  CHECK(scores_of(zset_of(*text)) == Scores{{"a", 1.5}, {"b", kInf}, {"c", -kInf}});
  // bytes, tail, count; "a" 2, "b" "2.5"
  const std::string ziplist =
      "\x18\0\0\0\x12\0\0\0\x04\0"s + "\0\x01"s + "a\x03\xf3\x02\x01" + "b\x03\x03" + "2.5\xff";
  const auto old = decoded(12, field(ziplist));
  REQUIRE(old.has_value());
  CHECK(scores_of(zset_of(*old)) == Scores{{"a", 2}, {"b", 2.5}});
}

TEST_CASE("sorted sets that break a rule are refused") {
  CHECK_FALSE(decoded(5, "\0"s).has_value());
  CHECK_FALSE(decoded(5, "\x02\x01"s + "a" + score_bytes(1)).has_value());
  CHECK_FALSE(
      decoded(5, "\x02\x01"s + "a" + score_bytes(1) + "\x01" + "a" + score_bytes(2)).has_value());
  CHECK_FALSE(decoded(5, "\x01\x01"s + "a" + score_bytes(std::nan(""))).has_value());
  CHECK_FALSE(decoded(3, "\x01\x01"s + "a\xfd").has_value());
  CHECK_FALSE(decoded(3, "\x01\x01"s + "a\x02" + "xx").has_value());
  CHECK_FALSE(decoded(17, listpack_of({})).has_value());
  CHECK_FALSE(decoded(17, listpack_of({"a"})).has_value());
  CHECK_FALSE(decoded(17, listpack_of({"a", "nan"})).has_value());
  CHECK_FALSE(decoded(17, listpack_of({"a", "b"})).has_value());
  CHECK_FALSE(decoded(17, listpack_of({"a", "1", "a", "2"})).has_value());
  const std::string whole = "\x02\x01"s + "a" + score_bytes(1) + "\x01" + "b" + score_bytes(2);
  CHECK(decoded(5, whole).has_value());
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_FALSE(decoded(5, whole.substr(0, length)).has_value());
}
