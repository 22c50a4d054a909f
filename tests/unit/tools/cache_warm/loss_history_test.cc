#include "tools/cache_warm/loss_history.h"

#include <doctest/doctest.h>

#include <vector>

using namespace hearth;
using namespace hearth::warm;

namespace {

const std::vector<client::Endpoint> kNobody;

std::bitset<kSlotCount> slots(std::size_t first, std::size_t count) {
  std::bitset<kSlotCount> set;
  for (std::size_t i = 0; i < count; ++i) set.set(first + i);
  return set;
}

}  // namespace

TEST_CASE("a reshard of a whole cluster over many passes ends no load") {
  LossHistory history;
  for (std::size_t pass = 0; pass < 16384 / 64; ++pass) {
    REQUIRE(history.note(kNobody, slots(pass * 64, 64)));
  }
}

TEST_CASE("a slot that loses its keys again and again ends the load") {
  LossHistory history;
  for (int pass = 0; pass < LossHistory::kTimesMax; ++pass) {
    REQUIRE(history.note(kNobody, slots(16383, 1)));
  }
  CHECK(history.note(kNobody, slots(0, 1)));
  CHECK_FALSE(history.note(kNobody, slots(16383, 1)));
}

TEST_CASE("a node that starts again and again ends the load, others do not count for it") {
  LossHistory history;
  const std::vector<client::Endpoint> one{{"127.0.0.1", 7001, ""}};
  const std::vector<client::Endpoint> two{{"127.0.0.1", 7002, ""}};
  for (int pass = 0; pass < LossHistory::kTimesMax; ++pass) {
    REQUIRE(history.note(one, {}));
    REQUIRE(history.note(two, {}));
  }
  CHECK_FALSE(history.note(one, {}));
}
