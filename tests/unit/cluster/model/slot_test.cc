#include "cluster/model/slot.h"

#include <doctest/doctest.h>

#include <string>

#include "cluster/model/slot_set.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::cluster;

namespace {
// The definition, bit by bit.
unsigned crc16_by_bits(std::string_view bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int i = 0; i < 8; ++i)
      crc = ((crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1) & 0xffff;
  }
  return crc;
}
}  // namespace

TEST_CASE("known keys map to their published slots") {
  CHECK(slot_of("foo") == 12182);
  CHECK(slot_of("06S") == 0);
  CHECK(slot_of("Qi") == 1);
  CHECK(slot_of("") == 0);
  CHECK(slot_of("123456789") == 0x31C3);
}

TEST_CASE("the slot agrees with the bitwise definition for every length") {
  Rng rng(7);
  for (std::size_t length = 0; length < 70; ++length) {
    const std::string key = rng.hex(length);
    CHECK(slot_of(key) == (crc16_by_bits(key) & 16383U));
  }
}

TEST_CASE("only a non-empty hash tag replaces the key") {
  CHECK(hashed_part("{user1000}.following") == "user1000");
  CHECK(hashed_part("foo{}{bar}") == "foo{}{bar}");
  CHECK(hashed_part("foo{{bar}}zap") == "{bar");
  CHECK(hashed_part("foo{bar}{zap}") == "bar");
  CHECK(hashed_part("foo{bar") == "foo{bar");
  CHECK(hashed_part("foo}bar{") == "foo}bar{");
  CHECK(hashed_part("{") == "{");
  CHECK(hashed_part("{}") == "{}");
}

TEST_CASE("a slot set gives its ranges, its count and its wire bytes back") {
  SlotSet set;
  CHECK(set.empty());
  set.add(SlotRange{0, 2});
  set.add(5);
  set.add(SlotRange{16380, 16383});
  CHECK(set.count() == 8);
  CHECK(set.ranges() == std::vector<SlotRange>{{0, 2}, {5, 5}, {16380, 16383}});
  CHECK(set.wire_bytes().substr(0, 1) == "\x27");
  CHECK(SlotSet::from_wire(set.wire_bytes()) == set);
  CHECK(SlotSet::of(set.ranges()) == set);
  set.remove(1);
  CHECK_FALSE(set.has(1));
  CHECK(range_text({5, 5}) == "5");
  CHECK(range_text({0, 5460}) == "0-5460");
}
