#include <doctest/doctest.h>

#include <set>

#include "persistence/rdb/dump.h"
#include "persistence/rdb/fields.h"
#include "persistence/rdb/object.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::rdb;
using namespace std::string_literals;

namespace {

using Members = std::set<std::string>;

struct Encoded {
  EncodedType type;
  std::string body;
};

Encoded encoded(const Set& set, Target target) {
  Entry* entry = Entry::make("k", set.clone(), kNoDeadline, 0);
  EncodeOptions options;
  options.target = target;
  Encoded out;
  out.type = encode_object(*entry, options, out.body);
  Entry::free(entry);
  return out;
}

Result<Object> decoded(ObjectType type, std::string_view body, const SetLimits& limits = {}) {
  DecodeLimits all;
  all.set = limits;
  ByteReader in(body);
  return decode_object(static_cast<std::uint8_t>(type), kVersionPortable, in, all);
}

const Set& set_of(const Object& object) {
  REQUIRE(object.type() == Type::kSet);
  return std::get<Set>(object.value);
}

Members members(const Set& set) {
  Members out;
  set.for_each([&](std::string_view member) { out.emplace(member); });
  return out;
}

Set made(const Members& all, const SetLimits& limits = {}) {
  Set set = Set::for_members(*all.begin(), all.size(), limits);
  for (const auto& m : all) set.add(m, limits);
  return set;
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

}  // namespace

TEST_CASE("sets survive in every form, and 7.0 gets one that it knows") {
  Members ints, words, many;
  for (int i = 0; i < 300; ++i) {
    if (i < 50) ints.insert(std::to_string(i * 1000 - 7000));
    if (i < 50) words.insert("w" + std::to_string(i));
    many.insert("member" + std::to_string(i));
  }
  const struct {
    Members all;
    ObjectType now, old;
  } cases[] = {{ints, ObjectType::kSetIntset, ObjectType::kSetIntset},
               {words, ObjectType::kSetListpack, ObjectType::kSet},
               {many, ObjectType::kSet, ObjectType::kSet}};
  for (const auto& c : cases) {
    const Set set = made(c.all);
    for (const Target target : {Target::kRedis72, Target::kRedis70}) {
      const Encoded e = encoded(set, target);
      CHECK(e.type.type == (target == Target::kRedis70 ? c.old : c.now));
      CHECK(e.type.version == (target == Target::kRedis70 ? kVersionRedis70 : kVersionPortable));
      const auto back = decoded(e.type.type, e.body);
      REQUIRE(back);
      CHECK(members(set_of(*back)) == c.all);
      CHECK(set_of(*back).encoding() == set.encoding());
    }
  }
}

TEST_CASE("the reader's limits decide the shape") {
  const SetLimits small{.intset_entries = 2, .listpack_entries = 2, .listpack_value = 2, .seed = 1};
  const Encoded ints = encoded(made({"1", "2", "3"}), Target::kRedis72);
  const Encoded words = encoded(made({"a", "b", "c"}), Target::kRedis72);
  const Encoded wide = encoded(made({"a", "bbb"}), Target::kRedis72);
  for (const Encoded* e : {&ints, &words, &wide}) {
    const auto back = decoded(e->type.type, e->body, small);
    REQUIRE(back);
    CHECK(set_of(*back).encoding() == SetEncoding::kHashtable);
  }
}

TEST_CASE("sets that break a rule of their type are refused") {
  CHECK(decoded(ObjectType::kSet, "\2\1a\1b"s));
  CHECK_FALSE(decoded(ObjectType::kSet, "\2\1a\1a"s));
  CHECK_FALSE(decoded(ObjectType::kSet, "\0"s));
  CHECK_FALSE(decoded(ObjectType::kSet, "\3\1a\1b"s));
  CHECK(decoded(ObjectType::kSetListpack, listpack_of({"a", "1"})));
  CHECK_FALSE(decoded(ObjectType::kSetListpack, listpack_of({"a", "a"})));
  CHECK_FALSE(decoded(ObjectType::kSetListpack, listpack_of({"1", "1"})));
  CHECK_FALSE(decoded(ObjectType::kSetListpack, listpack_of({})));
  CHECK(decoded(ObjectType::kSetIntset, field("\2\0\0\0\2\0\0\0\1\0\2\0"s)));
  CHECK_FALSE(decoded(ObjectType::kSetIntset, field("\2\0\0\0\2\0\0\0\2\0\1\0"s)));
  CHECK_FALSE(decoded(ObjectType::kSetIntset, field("\2\0\0\0\2\0\0\0\1\0\1\0"s)));
  CHECK_FALSE(decoded(ObjectType::kSetIntset, field("\2\0\0\0\0\0\0\0"s)));
  CHECK_FALSE(decoded(ObjectType::kSetIntset, field("\2\0\0\0\3\0\0\0\1\0\2\0"s)));
}

TEST_CASE("damaged sets are refused or are sets") {
  Rng rng(4);
  Members many;
  for (int i = 0; i < 200; ++i) many.insert("member" + std::to_string(i));
  for (const Members& all : {Members{"1", "2", "70000"}, Members{"a", "7", "xyz"}, many}) {
    const Encoded e = encoded(made(all), Target::kRedis72);
    for (int round = 0; round < 2000; ++round) {
      std::string body = e.body;
      for (std::uint64_t i = 1 + rng.below(3); i > 0; --i)
        body[rng.below(body.size())] = static_cast<char>(rng.below(256));
      if (rng.chance(0.2)) body.resize(rng.below(body.size()));
      const auto back = decoded(e.type.type, body);
      if (back) CHECK(members(set_of(*back)).size() == set_of(*back).size());
    }
  }
}
