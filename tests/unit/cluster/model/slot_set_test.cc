#include "cluster/model/slot_set.h"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "src/base/random.h"

using namespace hearth;
using namespace hearth::cluster;

namespace {
std::set<Slot> members(const SlotSet& set) {
  std::set<Slot> out;
  set.for_each([&](Slot s) { out.insert(s); });
  return out;
}
}  // namespace

TEST_CASE("copies of a slot set share nothing that can be seen") {
  Rng rng(11);
  std::vector<SlotSet> sets(6);
  std::vector<std::set<Slot>> models(6);
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t a = rng.below(6);
    const std::size_t b = rng.below(6);
    const auto slot = static_cast<Slot>(rng.below(300));
    switch (rng.below(7)) {
      case 0: sets[a] = sets[b], models[a] = models[b]; break;
      case 1: sets[a].remove(slot), models[a].erase(slot); break;
      case 2:
        sets[a].subtract(sets[b]);
        for (const Slot s : std::set<Slot>(models[b])) models[a].erase(s);
        break;
      case 3:
        sets[a].intersect(sets[b]);
        std::erase_if(models[a], [&](Slot s) { return models[b].count(s) == 0; });
        break;
      default: sets[a].add(slot), models[a].insert(slot); break;
    }
    REQUIRE(members(sets[a]) == models[a]);
    REQUIRE(sets[a].count() == static_cast<int>(models[a].size()));
    REQUIRE(sets[a].empty() == models[a].empty());
    REQUIRE((sets[a] == sets[b]) == (models[a] == models[b]));
    bool all = true;
    for (const Slot s : models[b]) all = all && models[a].count(s) != 0;
    REQUIRE(sets[a].contains(sets[b]) == all);
    REQUIRE(SlotSet::from_wire(sets[a].wire_bytes()) == sets[a]);
  }
}

TEST_CASE("a slot set may change while its members are visited, which are those of before") {
  SlotSet set;
  set.add(SlotRange{0, 99});
  int visited = 0;
  set.for_each([&](Slot s) {
    ++visited;
    set.remove(s);
    set.add(static_cast<Slot>(s + 1000));
  });
  CHECK(visited == 100);
  CHECK(set.ranges() == std::vector<SlotRange>{{1000, 1099}});
}
