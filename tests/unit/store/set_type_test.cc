#include "src/store/set.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <vector>

using namespace hearth;

namespace {

using Model = std::set<std::string>;

constexpr SetLimits kLimits{
    .intset_entries = 8, .listpack_entries = 10, .listpack_value = 12, .seed = 7};
constexpr SetLimits kAlwaysTable{
    .intset_entries = 0, .listpack_entries = 0, .listpack_value = 0, .seed = 7};
constexpr SetLimits kLarge{
    .intset_entries = 500, .listpack_entries = 500, .listpack_value = 100, .seed = 7};

Model contents(const Set& set) {
  Model out;
  set.for_each([&](std::string_view member) { CHECK(out.emplace(member).second); });
  return out;
}

std::string some_member(Rng& rng, std::uint64_t range) {
  switch (rng.below(6)) {
    case 0: return "m" + std::to_string(rng.below(range));
    case 1: return std::string(rng.below(rng.chance(0.05) ? 600 : 14), 'x');
    case 2: return std::to_string(static_cast<std::int64_t>(rng.next()));
    case 3: return "-" + std::to_string(1 + rng.below(range));
    default: return std::to_string(rng.below(range));
  }
}

// Integers for a while, so that all three shapes come about and go. Returns those that did.
std::set<SetEncoding> run_against_model(std::uint64_t seed, const SetLimits& limits,
                                        std::uint64_t range) {
  CAPTURE(seed);
  Rng rng(seed);
  Set set;
  Model model;
  std::set<SetEncoding> shapes;
  for (int step = 0; step < 1500; ++step) {
    const bool only_integers = step % 300 < 100;
    const std::string member =
        only_integers ? std::to_string(rng.below(range)) : some_member(rng, range);
    switch (rng.below(7)) {
      case 0:
      case 1:
      case 2:
        if (model.empty()) set = Set::for_members(member, 1, limits);
        CHECK(set.add(member, limits) == model.insert(member).second);
        break;
      case 3: CHECK(set.erase(member) == (model.erase(member) > 0)); break;
      case 4: {
        if (model.empty() || !rng.chance(0.3)) break;
        const std::string gone = set.pop(rng);
        CHECK(model.erase(gone) == 1);
        break;
      }
      case 5: {
        if (model.size() < 2 || !rng.chance(0.1)) break;
        const std::uint64_t count = 1 + rng.below(model.size() - 1);
        std::uint64_t visited = 0;
        set.pop(rng, count, [&](std::string_view gone) {
          ++visited;
          CHECK(model.erase(std::string(gone)) == 1);
        });
        CHECK(visited == count);
        break;
      }
      default: {
        CHECK(set.contains(member) == model.contains(member));
        if (model.empty()) break;
        Set::Scratch scratch;
        CHECK(model.contains(std::string(set.random(rng, scratch))));
        Model sampled;
        const std::uint64_t count = rng.below(model.size() + 2);
        set.sample(rng, count, [&](std::string_view m) { CHECK(sampled.emplace(m).second); });
        CHECK(sampled.size() == std::min<std::size_t>(count, model.size()));
        for (const auto& m : sampled) CHECK(model.contains(m));
      }
    }
    REQUIRE(set.size() == model.size());
    shapes.insert(set.encoding());
    if (step % 50 == 0) {
      CHECK(contents(set) == model);
      CHECK(contents(set.clone()) == model);
      Set moved = set.clone();
      moved.compact_integers(limits);
      CHECK(contents(moved) == model);
      CHECK(moved.clone().encoding() == moved.encoding());
      CHECK(set.memory_bytes() > 0);
      if (set.encoding() == SetEncoding::kIntset)
        CHECK(ds::Intset::from_bytes(set.intset_bytes()).has_value());
    }
    if (rng.chance(0.003)) {
      set = Set();
      model.clear();
    }
  }
  CHECK(contents(set) == model);
  return shapes;
}

Set made(const std::vector<std::string>& members, const SetLimits& limits) {
  Set set = Set::for_members(members.front(), members.size(), limits);
  for (const auto& m : members) set.add(m, limits);
  return set;
}

std::vector<std::string> numbers(int from, int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(std::to_string(from + i));
  return out;
}

}  // namespace

TEST_CASE("a set does what std::set does, through all its shapes") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::set all{SetEncoding::kIntset, SetEncoding::kListpack, SetEncoding::kHashtable};
    CHECK(run_against_model(seed, kLimits, 14) == all);
    CHECK(run_against_model(seed + 100, kLimits, 60) == all);
    CHECK(run_against_model(seed + 200, kAlwaysTable, 40).contains(SetEncoding::kHashtable));
    CHECK(run_against_model(seed + 300, kLarge, 400) == all);
  }
}

TEST_CASE("the shape follows the limits") {
  CHECK(made(numbers(1, 8), kLimits).encoding() == SetEncoding::kIntset);
  CHECK(made(numbers(1, 9), kLimits).encoding() == SetEncoding::kListpack);
  CHECK(made(numbers(1, 11), kLimits).encoding() == SetEncoding::kHashtable);
  CHECK(made({"a", "1"}, kLimits).encoding() == SetEncoding::kListpack);
  CHECK(made({"1", "a"}, kLimits).encoding() == SetEncoding::kListpack);
  CHECK(made({"1234567890123", "a"}, kLimits).encoding() == SetEncoding::kHashtable);
  CHECK(made({std::string(12, 'a')}, kLimits).encoding() == SetEncoding::kListpack);
  CHECK(made({std::string(13, 'a')}, kLimits).encoding() == SetEncoding::kHashtable);

  Set ints = made(numbers(1, 8), kLimits);
  CHECK_FALSE(ints.add("8", kLimits));
  CHECK(ints.encoding() == SetEncoding::kIntset);
  CHECK(ints.add("9", kLimits));
  CHECK(ints.encoding() == SetEncoding::kHashtable);
  ints.erase("9");
  CHECK(ints.encoding() == SetEncoding::kHashtable);
  ints.compact_integers(kLimits);
  CHECK(ints.encoding() == SetEncoding::kIntset);

  Set words = made({"a", "b"}, kLimits);
  words.expect(10, kLimits);
  CHECK(words.encoding() == SetEncoding::kListpack);
  words.expect(11, kLimits);
  CHECK(words.encoding() == SetEncoding::kHashtable);
  words.compact_integers(kLimits);
  CHECK(words.encoding() == SetEncoding::kHashtable);
}

TEST_CASE("texts that only look like integers stay texts") {
  for (const SetLimits& limits : {kLarge, kAlwaysTable}) {
    Set set = made({"1", "01", "+1", "1 ", "-0", "0", "9223372036854775807", "9223372036854775808",
                    "-9223372036854775808", ""},
                   limits);
    CHECK(set.size() == 10);
    CHECK(set.contains("01"));
    CHECK(set.contains("9223372036854775808"));
    CHECK(set.erase("-0"));
    CHECK(set.contains("0"));
    CHECK(contents(set).contains(""));
  }
}

TEST_CASE("every member has the same chance, one at a time and many at once") {
  constexpr int kMembers = 40;
  constexpr int kRounds = 20000;
  for (const SetLimits& limits : {kLarge, kAlwaysTable}) {
    for (const char* prefix : {"", "m"}) {
      std::vector<std::string> members;
      for (int i = 0; i < kMembers; ++i) members.push_back(prefix + std::to_string(i));
      const Set set = made(members, limits);
      Rng rng(3);
      std::map<std::string, int> once, few, most;
      Set::Scratch scratch;
      for (int i = 0; i < kRounds; ++i) {
        ++once[std::string(set.random(rng, scratch))];
        set.sample(rng, 4, [&](std::string_view m) { ++few[std::string(m)]; });
        set.sample(rng, 30, [&](std::string_view m) { ++most[std::string(m)]; });
      }
      const auto chi_square = [&](std::map<std::string, int>& seen, double each) {
        double sum = 0;
        for (const auto& m : members) sum += (seen[m] - each) * (seen[m] - each) / each;
        return sum;
      };
      // 39 degrees of freedom: above 90 once in a million.
      CHECK(chi_square(once, kRounds / 40.0) < 90);
      CHECK(chi_square(few, kRounds / 10.0) < 90);
      CHECK(chi_square(most, kRounds * 0.75) < 90);
    }
  }
}

TEST_CASE("a scan sees what stays, while the table grows and shrinks") {
  Rng rng(11);
  Set set = made({"seed"}, kAlwaysTable);
  Model stays = {"seed"};
  for (int i = 0; i < 2000; ++i) {
    set.add("stays" + std::to_string(i), kAlwaysTable);
    stays.insert("stays" + std::to_string(i));
  }
  Model seen;
  std::uint64_t cursor = 0;
  int round = 0;
  do {
    cursor = set.scan(cursor, [&](std::string_view m) { seen.emplace(m); });
    for (int i = 0; i < 20; ++i) {
      const std::string other = "other" + std::to_string(rng.below(20000));
      if (round / 40 % 2 == 0)
        set.add(other, kAlwaysTable);
      else
        set.erase(other);
    }
    ++round;
  } while (cursor != 0);
  for (const auto& m : stays) CHECK(seen.contains(m));
}

TEST_CASE("visiting can stop early") {
  for (const SetLimits& limits : {kLarge, kAlwaysTable}) {
    const Set set = made(numbers(1, 100), limits);
    int visited = 0;
    CHECK_FALSE(set.every([&](std::string_view) { return ++visited < 10; }));
    CHECK(visited == 10);
    CHECK(set.every([](std::string_view) { return true; }));
  }
}
