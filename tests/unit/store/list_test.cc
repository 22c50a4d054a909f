#include "src/store/list.h"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/store/list_value.h"

using namespace hearth;
using Model = std::deque<std::string>;

namespace {

std::string text(const ds::Element& e) {
  char scratch[kInt64TextMax];
  return std::string(e.text(scratch));
}

template <typename L>
Model contents(const L& list) {
  Model out;
  list.visit(0, list.size(), [&](const ds::Element& e) { out.push_back(text(e)); });
  return out;
}

std::string random_item(Rng& rng, std::size_t long_most) {
  switch (rng.below(5)) {
    case 0: return std::to_string(rng.below(20));
    case 1: return std::string(rng.below(30), 'a');
    case 2: return std::string(rng.below(300), 'b');
    case 3: return rng.chance(0.02) ? std::string(rng.below(long_most), 'c') : "c";
    default: return "x" + std::to_string(rng.below(8));
  }
}

std::ptrdiff_t at(std::uint64_t i) { return static_cast<std::ptrdiff_t>(i); }

void remove_from_model(Model& model, const std::string& item, bool from_tail, std::uint64_t most) {
  while (most-- > 0) {
    if (from_tail) {
      const auto last = std::find(model.rbegin(), model.rend(), item);
      if (last == model.rend()) return;
      model.erase(std::next(last).base());
    } else {
      const auto first = std::find(model.begin(), model.end(), item);
      if (first == model.end()) return;
      model.erase(first);
    }
  }
}

template <typename L>
void check_finds(const L& list, const Model& model, const std::string& item, Rng& rng) {
  const std::uint64_t skip = rng.below(3), looks = rng.chance(0.5) ? 0 : 1 + rng.below(50);
  const bool from_tail = rng.chance(0.5);
  std::vector<std::uint64_t> expected, found;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < model.size() && (looks == 0 || i < looks); ++i) {
    const std::size_t index = from_tail ? model.size() - 1 - i : i;
    if (model[index] == item && ++seen > skip) expected.push_back(index);
  }
  list.find(item, from_tail, skip, looks, [&](std::uint64_t index) {
    found.push_back(index);
    return true;
  });
  CHECK(found == expected);
}

// One random edit of both.
template <typename L>
void edit(L& list, Model& model, const ListLimits& limits, Rng& rng, bool growing,
          std::size_t long_most) {
  const std::string item = random_item(rng, long_most);
  const std::string_view word = item;
  const std::uint64_t index = model.empty() ? 0 : rng.below(model.size());
  switch (rng.below(10)) {
    case 0:
    case 1:
      list.push(ListEnd::kHead, std::span(&word, 1), limits);
      model.push_front(item);
      break;
    case 2: {
      const std::string other = random_item(rng, long_most);
      const std::string_view items[] = {item, other};
      list.push(ListEnd::kTail, items, limits);
      model.push_back(item);
      model.push_back(other);
      break;
    }
    case 3:
      if (model.empty()) break;
      list.set(index, item, limits);
      model[index] = item;
      break;
    case 4:
    case 5: {
      const std::string pivot = model.empty() ? "none" : model[index];
      const bool behind = rng.chance(0.5);
      const auto place = std::find(model.begin(), model.end(), pivot);
      CHECK(list.insert(pivot, behind, item, limits) == (place != model.end()));
      if (place != model.end()) model.insert(behind ? std::next(place) : place, item);
      break;
    }
    case 6: {
      if (growing) break;
      const bool from_tail = rng.chance(0.5);
      const std::uint64_t most = 1 + rng.below(4), before = model.size();
      remove_from_model(model, item, from_tail, most);
      CHECK(list.remove(item, from_tail, most) == before - model.size());
      break;
    }
    case 7: {
      if (model.empty()) break;
      const std::uint64_t count = 1 + rng.below(std::min<std::uint64_t>(model.size(), 3));
      list.drop(rng.chance(0.5) ? ListEnd::kHead : ListEnd::kTail, 0);
      list.drop(ListEnd::kHead, count);
      model.erase(model.begin(), model.begin() + at(count));
      break;
    }
    case 8:
      if (model.empty()) break;
      list.drop(ListEnd::kTail, 1);
      model.pop_back();
      break;
    default: {
      if (model.empty() || growing) break;
      const std::uint64_t count = 1 + rng.below(model.size() - index);
      if constexpr (std::is_same_v<L, List>)
        list.erase(index, count);
      else
        list.drop(ListEnd::kTail, count);
      const std::uint64_t first = std::is_same_v<L, List> ? index : model.size() - count;
      model.erase(model.begin() + at(first), model.begin() + at(first + count));
    }
  }
  if (!rng.chance(0.1)) return;
  if constexpr (std::is_same_v<L, List>)
    list.shrink(limits);
  else
    list.settle(limits);
}

}  // namespace

TEST_CASE("random edits of a list agree with a deque, in every shape and for all limits") {
  struct Setting {
    ListLimits limits;
    std::size_t long_most;
  };
  const Setting settings[] = {{{-2, 0}, 20'000}, {{-1, 0}, 9000},  {{3, 0}, 9000},
                              {{128, 0}, 9000},  {{-2, 100}, 400}, {{1, 0}, 100},
                              {{-5, 0}, 90'000}, {{0, 5}, 100}};
  bool seen[2] = {false, false};
  for (const Setting& setting : settings) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      CAPTURE(setting.limits.listpack_size);
      CAPTURE(seed);
      Rng rng(seed);
      List list;
      Model model;
      for (int step = 0; step < 1200; ++step) {
        edit(list, model, setting.limits, rng, step % 600 < 400, setting.long_most);
        REQUIRE(list.size() == model.size());
        seen[static_cast<int>(list.encoding())] = true;
        if (!model.empty()) {
          const std::uint64_t index = rng.below(model.size());
          REQUIRE(text(list.at(index)) == model[index]);
        }
        if (step % 40 == 0) {
          REQUIRE(contents(list) == model);
          check_finds(list, model, random_item(rng, 10), rng);
        }
      }
      const List copy = list.clone();
      CHECK(contents(copy) == model);
      Model reversed;
      if (!model.empty())
        list.visit_back(model.size() - 1, model.size(),
                        [&](const ds::Element& e) { reversed.push_front(text(e)); });
      CHECK(reversed == model);
      CHECK(list.memory_bytes() > 0);
    }
  }
  CHECK(seen[0]);
  CHECK(seen[1]);
}

namespace {

// A database with one entry.
struct Place {
  explicit Place(Entry* made) : key{made->key(), hearth::hash_bytes(made->key(), 1), 0} {
    db.insert(key, made);
  }
  [[nodiscard]] const Entry& entry() const { return *db.find(key); }
  hearth::Database db{1, false};
  hearth::KeyRef key;
};

}  // namespace

TEST_CASE("random edits of a key's list agree with a deque, packed in the entry or not") {
  struct Setting {
    ListLimits limits;
    std::int64_t deadline;
    std::size_t longest;  // the list is cut back to so many items
  };
  const Setting settings[] = {{{-2, 0}, kNoDeadline, 8},
                              {{-2, 0}, 12345, 40},
                              {{3, 0}, kNoDeadline, 6},
                              {{-2, 100}, kNoDeadline, 12},
                              {{1, 0}, 5, 3}};
  int moves = 0, packed_steps = 0, whole_steps = 0;
  for (const Setting& setting : settings) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      CAPTURE(setting.limits.listpack_size);
      CAPTURE(seed);
      Rng rng(seed);
      Model model{"first", "second"};
      const std::vector<std::string_view> words(model.rbegin(), model.rend());
      Place place(make_list("some key", ListEnd::kHead, words, setting.limits, 77));
      place.key.name = "some key";
      place.db.set_deadline(place.key, place.db.find(place.key), setting.deadline);
      const hearth::Change change(place.db, place.key, place.db.find(place.key));
      ListValue list(change);
      for (int step = 0; step < 3000; ++step) {
        const bool was_packed = place.entry().is_inline();
        edit(list, model, setting.limits, rng, model.size() < 3, 250);
        if (model.size() > setting.longest) {
          const std::uint64_t more = model.size() - setting.longest;
          list.drop(ListEnd::kHead, more);
          list.settle(setting.limits);
          model.erase(model.begin(), model.begin() + at(more));
        }
        REQUIRE(contents(list) == model);
        REQUIRE(list.size() == model.size());
        for (std::size_t i = 0; i < model.size(); ++i) REQUIRE(text(list.at(i)) == model[i]);
        Model reversed;
        if (!model.empty())
          list.visit_back(model.size() - 1, model.size(),
                          [&](const ds::Element& e) { reversed.push_front(text(e)); });
        REQUIRE(reversed == model);
        check_finds(list, model, random_item(rng, 10), rng);
        REQUIRE(place.entry().key() == "some key");
        REQUIRE(place.entry().deadline() == setting.deadline);
        REQUIRE(place.entry().access() == 77);
        const bool packed = place.entry().is_inline();
        if (packed) REQUIRE(place.entry().inline_value().size() <= kPackedListMost);
        moves += packed != was_packed ? 1 : 0;
        ++(packed ? packed_steps : whole_steps);
      }
      Place copy(place.entry().copy_as("copy"));
      CHECK(contents(ListView(copy.entry())) == model);
    }
  }
  CHECK(moves > 100);
  CHECK(packed_steps > 1000);
  CHECK(whole_steps > 1000);
}

TEST_CASE("a packed list is one allocation, with nothing but a byte between the items") {
  std::vector<std::string> texts;
  for (int i = 0; i < 10; ++i) texts.push_back("value:" + std::to_string(100'000 + i));
  const std::vector<std::string_view> items(texts.begin(), texts.end());
  Place place(make_list("key:000000000001", ListEnd::kTail, items, ListLimits{}, 0));
  CHECK(place.entry().inline_value().size() == 1 + 10 * 13);
  CHECK(place.entry().memory_bytes() <= 176);  // 155 bytes, as the allocator rounds them

  place.key.name = "key:000000000001";  // the entry moves
  const hearth::Change change(place.db, place.key, place.db.find(place.key));
  ListValue list(change);
  const std::string_view more[] = {"value:200000", "value:200001", "value:200002", "value:200003"};
  list.push(ListEnd::kTail, more, ListLimits{});
  CHECK(place.entry().inline_value().size() == 1 + 14 * 13);
  list.push(ListEnd::kTail, more, ListLimits{});
  CHECK_FALSE(place.entry().is_inline());
  CHECK(list.size() == 18);
  list.drop(ListEnd::kTail, 11);
  list.settle(ListLimits{});
  CHECK_FALSE(place.entry().is_inline());  // more than half of what fits: it stays
  list.drop(ListEnd::kTail, 1);
  list.settle(ListLimits{});
  CHECK(place.entry().is_inline());
  CHECK(list.size() == 6);
}

TEST_CASE("a list becomes a quicklist past its limit and a listpack again at half of it") {
  const ListLimits by_count{4, 0};
  List list;
  for (int i = 0; i < 4; ++i) list.push(ListEnd::kTail, "x", by_count);
  CHECK(list.encoding() == ListEncoding::kListpack);
  list.push(ListEnd::kTail, "x", by_count);
  CHECK(list.encoding() == ListEncoding::kQuicklist);
  list.drop(ListEnd::kTail, 2);
  list.shrink(by_count);
  CHECK(list.encoding() == ListEncoding::kQuicklist);
  list.drop(ListEnd::kTail, 1);
  list.shrink(by_count);
  CHECK(list.encoding() == ListEncoding::kListpack);

  const ListLimits by_bytes{-1, 0};
  List other;
  other.push(ListEnd::kTail, std::string(4089, 'x'), by_bytes);
  CHECK(other.encoding() == ListEncoding::kListpack);
  List larger;
  larger.push(ListEnd::kTail, std::string(4090, 'x'), by_bytes);
  CHECK(larger.encoding() == ListEncoding::kQuicklist);
}

TEST_CASE("items past the threshold stand alone") {
  const ListLimits limits{-2, 10};
  List list;
  list.push(ListEnd::kTail, "short", limits);
  list.set(0, std::string(9000, 'x'), limits);
  CHECK(list.encoding() == ListEncoding::kQuicklist);
  int alone = 0, packed = 0;
  list.push(ListEnd::kTail, "short", limits);
  list.for_each_segment({[&](std::string_view, std::size_t) { ++packed; },
                         [&](std::string_view item) { alone += item.size() == 9000 ? 1 : 0; }});
  CHECK(alone == 1);
  CHECK(packed == 1);
}

TEST_CASE("segments that are read back make the same list") {
  const ListLimits limits{-1, 0};
  List list;
  Model model;
  for (int i = 0; i < 3000; ++i) {
    model.push_back(i % 7 == 0 ? std::string(static_cast<std::size_t>(i), 'z') : std::to_string(i));
    list.push(ListEnd::kTail, model.back(), limits);
  }
  for (const ListLimits& target : {limits, ListLimits{-2, 0}, ListLimits{5, 0}}) {
    List read;
    list.for_each_segment(
        {[&](std::string_view elements, std::size_t count) {
           read.append_packed(elements, count, target);
         },
         [&](std::string_view item) { read.push(ListEnd::kTail, item, target); }});
    read.settle(target);
    CHECK(contents(read) == model);
  }
}
