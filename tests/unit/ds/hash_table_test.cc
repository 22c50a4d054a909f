#include "src/ds/hash_table.h"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

using namespace hearth;

namespace {

struct Item {
  std::string name;
};
struct ItemTraits {
  static std::string_view key(const Item& item) { return item.name; }
};
using Table = ds::HashTable<Item, ItemTraits>;

class Fixture {
 public:
  explicit Fixture(std::uint64_t seed) : table(seed) {}
  void add(const std::string& name, bool mark = false) {
    auto item = std::make_unique<Item>(Item{name});
    table.insert(item.get(), table.hash_of(name), mark);
    model[name] = std::move(item);
  }
  void remove(const std::string& name) {
    Item** slot = table.find(name);
    REQUIRE(slot != nullptr);
    CHECK(table.erase(slot, table.hash_of(name)) == model[name].get());
    model.erase(name);
  }
  Table table;
  std::unordered_map<std::string, std::unique_ptr<Item>> model;
};

}  // namespace

TEST_CASE("the hash table agrees with a map over random insertions and removals") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    Rng rng(seed);
    Fixture f(seed);
    for (int step = 0; step < 60'000; ++step) {
      const bool growing = (step / 10'000) % 2 == 0;
      const std::string name = "k" + std::to_string(rng.below(8'000));
      const bool present = f.model.count(name) != 0;
      CHECK((f.table.find(name) != nullptr) == present);
      if (!present && rng.chance(growing ? 0.9 : 0.2)) f.add(name);
      if (present && rng.chance(growing ? 0.1 : 0.9)) f.remove(name);
      REQUIRE(f.table.size() == f.model.size());
    }
    std::set<std::string> seen;
    f.table.for_each([&](Item* item) { CHECK(seen.insert(item->name).second); });
    CHECK(seen.size() == f.model.size());
    while (!f.model.empty()) f.remove(f.model.begin()->first);
    CHECK(f.table.bucket_count() <= 2);
  }
}

TEST_CASE("a scan sees every lasting entry while the table grows and shrinks under it") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Fixture f(seed);
    std::set<std::string> lasting;
    for (int i = 0; i < 300; ++i) {
      lasting.insert("stay" + std::to_string(i));
      f.add("stay" + std::to_string(i));
    }
    int made = 0;
    std::vector<std::string> passing;
    std::set<std::string> seen;
    std::uint64_t cursor = 0;
    std::uint64_t steps = 0;
    const bool grow_first = seed % 2 == 0;
    if (!grow_first) {
      for (; made < 6000; ++made) f.add(passing.emplace_back("pass" + std::to_string(made)));
    }
    do {
      cursor = f.table.scan(cursor, [&](Item* item) { seen.insert(item->name); });
      for (std::uint64_t n = rng.below(200); n > 0; --n) {
        if (grow_first && made < 20000) {
          f.add(passing.emplace_back("pass" + std::to_string(made++)));
        } else if (!grow_first && !passing.empty()) {
          f.remove(passing.back());
          passing.pop_back();
        }
      }
      REQUIRE(++steps < 100'000);
    } while (cursor != 0);
    for (const auto& name : lasting) CHECK(seen.count(name) == 1);
  }
}

TEST_CASE("marks follow their entry through splits, joins and removals") {
  Rng rng(5);
  Fixture f(5);
  for (int i = 0; i < 5000; ++i) f.add("k" + std::to_string(i), i % 3 == 0);
  for (int i = 0; i < 4000; ++i) f.remove("k" + std::to_string(i));
  std::uint64_t marked = 0;
  for (std::uint64_t b = 0; b < f.table.bucket_count(); ++b) {
    f.table.for_each_in_bucket(b, [&](Item* item, bool mark) {
      CHECK(mark == (std::stoi(item->name.substr(1)) % 3 == 0));
      marked += mark ? 1 : 0;
    });
  }
  CHECK(marked == 333);
}

TEST_CASE("a random entry is uniform: every one of 1000 comes near its share") {
  Rng rng(11);
  Fixture f(11);
  for (int i = 0; i < 1000; ++i) f.add("k" + std::to_string(i));
  std::unordered_map<std::string, int> hits;
  for (int i = 0; i < 200'000; ++i) ++hits[f.table.random(rng)->name];
  double chi_square = 0;
  for (int i = 0; i < 1000; ++i) {
    const double d = hits["k" + std::to_string(i)] - 200.0;
    chi_square += d * d / 200.0;
  }
  // 999 degrees of freedom: mean 999, standard deviation about 45.
  CHECK(chi_square > 780);
  CHECK(chi_square < 1220);
}

TEST_CASE("a table that was filled or emptied while paused settles afterwards, within the budget") {
  Fixture f(1);
  for (int i = 0; i < 128; ++i) f.add("k" + std::to_string(i));
  const std::uint64_t buckets = f.table.bucket_count();
  f.table.pause_resize();
  for (int i = 128; i < 500; ++i) f.add("k" + std::to_string(i));
  CHECK(f.table.settle(1000) == 1000);
  CHECK(f.table.bucket_count() == buckets);
  f.table.resume_resize();
  CHECK(f.table.settle(10) == 0);
  CHECK(f.table.bucket_count() == buckets + 10);
  CHECK(f.table.settle(1'000'000) > 0);
  CHECK(f.table.bucket_count() == (500 * 4 + 20) / 21);
  CHECK(f.table.settle(10) == 10);

  f.table.pause_resize();
  for (int i = 5; i < 500; ++i) f.remove("k" + std::to_string(i));
  f.table.resume_resize();
  CHECK(f.table.settle(3) == 0);
  CHECK(f.table.settle(1'000'000) > 0);
  CHECK(f.table.bucket_count() == 1);
  for (int i = 0; i < 5; ++i) CHECK(f.table.find("k" + std::to_string(i)) != nullptr);
}

TEST_CASE("the nominal size is the power of two that doubling would have come to") {
  Fixture f(1);
  CHECK(f.table.nominal_size() == 0);
  for (int i = 1; i <= 5000; ++i) {
    f.add("k" + std::to_string(i));
    CHECK(f.table.nominal_size() == std::bit_ceil(static_cast<std::uint64_t>(i)));
  }
  // Entries that come or go while it is paused change nothing of what it is laid out for.
  f.table.pause_resize();
  for (int i = 5001; i <= 9000; ++i) f.add("k" + std::to_string(i));
  CHECK(f.table.nominal_size() == 8192);
  f.table.resume_resize();
  f.table.settle(1'000'000);
  CHECK(f.table.nominal_size() == 16384);
}

TEST_CASE("a paused table splits before its chains get long, and never joins") {
  Fixture f(1);
  f.table.pause_resize();
  std::uint64_t longest = 0;
  for (int i = 0; i < 80'000; ++i) f.add("k" + std::to_string(i));
  for (std::uint64_t b = 0; b < f.table.bucket_count(); ++b) {
    std::uint64_t length = 0;
    f.table.for_each_in_bucket(b, [&](auto*, bool) { ++length; });
    longest = std::max(longest, length);
  }
  CHECK(longest < 120);
  const std::uint64_t buckets = f.table.bucket_count();
  for (int i = 1; i < 80'000; ++i) f.remove("k" + std::to_string(i));
  CHECK(f.table.bucket_count() == buckets);
  // Nearly empty, it still gives its one entry at once.
  Rng rng(1);
  for (int i = 0; i < 100; ++i) CHECK(f.table.random(rng)->name == "k0");
}
