#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "persistence/rdb/object.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::rdb;
using Items = std::vector<std::string>;

namespace {

struct FreeEntry {
  void operator()(Entry* e) const { Entry::free(e); }
};

Items items_of(const List& list) {
  Items out;
  char scratch[kInt64TextMax];
  list.visit(0, list.size(), [&](const ds::Element& e) { out.emplace_back(e.text(scratch)); });
  return out;
}

Result<Items> decode(std::uint8_t type, const std::string& body, const DecodeLimits& limits = {}) {
  ByteReader in(body);
  HEARTH_TRY(const Object object, decode_object(type, kVersionPortable, in, limits));
  CHECK(object.type() == Type::kList);
  CHECK(in.remaining() == 0);
  return items_of(std::get<List>(object.value));
}

// A string as a file has it that is not compressed.
std::string raw(const std::string& bytes) {
  std::string out;
  write_length(out, bytes.size());
  return out + bytes;
}

// "a", 5, "bc"
const std::string kZiplist(
    "\x14\0\0\0\x0f\0\0\0\x03\0"
    "\0\x01"
    "a"
    "\x03\xf6"
    "\x02\x02"
    "bc\xff",
    20);
const std::string kListpack(
    "\x10\0\0\0\x03\0"
    "\x81"
    "a\x02"
    "\x05\x01"
    "\x82"
    "bc\x03\xff",
    16);

}  // namespace

TEST_CASE("every form of a list that files have had is read") {
  const Items expected{"a", "5", "bc"};
  const auto check = [&](std::uint8_t type, const std::string& body, const Items& items) {
    const auto read = decode(type, body);
    CAPTURE(type);
    INFO((read ? "" : read.error().context));
    REQUIRE(read.has_value());
    CHECK(*read == items);
  };
  check(1, std::string("\x03", 1) + raw("a") + raw("5") + raw("bc"), expected);
  check(10, raw(kZiplist), expected);
  check(14, std::string("\x02", 1) + raw(kZiplist) + raw(kZiplist),
        {"a", "5", "bc", "a", "5", "bc"});
  check(18, std::string("\x02\x02", 2) + raw(kListpack) + "\x01" + raw("alone"),
        {"a", "5", "bc", "alone"});
}

TEST_CASE("lists that break a rule are refused") {
  CHECK_FALSE(decode(1, std::string("\0", 1)).has_value());
  CHECK_FALSE(decode(1, "\x03" + raw("a")).has_value());
  CHECK_FALSE(decode(18, std::string("\0", 1)).has_value());
  CHECK_FALSE(decode(18, "\x01\x03" + raw("a")).has_value());
  const std::string empty_pack("\x07\0\0\0\0\0\xff", 7);
  CHECK_FALSE(decode(18, "\x01\x02" + raw(empty_pack)).has_value());
  const std::string whole = "\x01\x02" + raw(kListpack);
  REQUIRE(decode(18, whole).has_value());
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    CHECK_FALSE(decode(18, whole.substr(0, cut)).has_value());
}

TEST_CASE("lists of every shape come back as they were") {
  Rng rng(7);
  for (const ListLimits& limits : {ListLimits{-2, 0}, ListLimits{3, 0}, ListLimits{-1, 50}}) {
    for (const int size : {1, 4, 40, 2000}) {
      List list;
      for (int i = 0; i < size; ++i) {
        const std::string item = rng.chance(0.1)   ? std::string(rng.below(9000), 'x')
                                 : rng.chance(0.5) ? std::to_string(rng.next() >> rng.below(64))
                                                   : rng.hex(10);
        list.push(ListEnd::kTail, item, limits);
      }
      const Items expected = items_of(list);
      const ListEncoding encoding = list.encoding();
      const std::unique_ptr<Entry, FreeEntry> entry(
          hearth::make_list("k", std::move(list), kNoDeadline, 0));
      std::string body;
      CHECK(encode_object(*entry, {}, body).type == ObjectType::kListQuicklist2);
      DecodeLimits decode_limits;
      decode_limits.list = limits;
      const auto back = decode(18, body, decode_limits);
      REQUIRE(back.has_value());
      CHECK(*back == expected);
      ByteReader in(body);
      const auto object = decode_object(18, kVersionPortable, in, decode_limits);
      CHECK(std::get<List>(object->value).encoding() == encoding);
    }
  }
}
