#include "src/store/hash.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace hearth;

namespace {

struct Model {
  struct Cell {
    std::string value;
    std::int64_t deadline = Hash::kNone;
  };
  std::map<std::string, Cell> cells;

  [[nodiscard]] const Cell* visible(const std::string& field, UnixMillis now) const {
    const auto found = cells.find(field);
    if (found == cells.end()) return nullptr;
    const bool gone = found->second.deadline != Hash::kNone && found->second.deadline <= now.ms;
    return gone ? nullptr : &found->second;
  }
};

using Pairs = std::map<std::string, std::string>;

Pairs contents(const Hash& hash, UnixMillis now) {
  Pairs out;
  hash.for_each(now,
                [&](const Hash::Item& item) { CHECK(out.emplace(item.field, item.value).second); });
  return out;
}

Pairs contents(const Model& model, UnixMillis now) {
  Pairs out;
  for (const auto& [field, cell] : model.cells) {
    if (model.visible(field, now) != nullptr) out.emplace(field, cell.value);
  }
  return out;
}

constexpr UnixMillis kNow{1000};
constexpr HashLimits kLimits{.listpack_entries = 8, .listpack_value = 10, .seed = 7};

// Returns the shapes that the hash went through.
std::set<HashEncoding> run_against_model(std::uint64_t seed, const HashLimits& limits,
                                         unsigned field_range) {
  CAPTURE(seed);
  Rng rng(seed);
  Hash hash;
  Model model;
  std::set<HashEncoding> shapes;
  UnixMillis now{1000};
  for (int step = 0; step < 1500; ++step) {
    now = now + milliseconds{static_cast<std::int64_t>(rng.below(4))};
    const std::string field = rng.chance(0.5) ? std::to_string(rng.below(field_range))
                                              : "f" + std::to_string(rng.below(field_range));
    const std::string value = rng.chance(0.5)
                                  ? std::to_string(rng.below(1000))
                                  : std::string(rng.below(rng.chance(0.02) ? 400 : 9), 'v');
    const std::int64_t time = now.ms + static_cast<std::int64_t>(rng.below(200)) + 1;
    const auto* before = model.visible(field, now);
    switch (rng.below(8)) {
      case 0:
      case 1:
      case 2: {
        const std::int64_t choices[] = {Hash::kNone, Hash::kKeep, time};
        const std::int64_t deadline = choices[rng.below(3)];
        const auto done = hash.set(field, value, deadline, now, limits);
        CHECK((done == Hash::Set::kReplaced) == (before != nullptr));
        const std::int64_t kept = before != nullptr ? before->deadline : Hash::kNone;
        model.cells[field] = {value, deadline == Hash::kKeep ? kept : deadline};
        break;
      }
      case 3:
        CHECK(hash.erase(field, now) == (before != nullptr));
        model.cells.erase(field);
        break;
      case 4: {
        const std::int64_t deadline = rng.chance(0.3) ? Hash::kNone : time;
        CHECK(hash.set_deadline(field, deadline, now, limits) == (before != nullptr));
        if (before != nullptr) model.cells[field].deadline = deadline;
        break;
      }
      case 5:
        hash.expire_fields(now, 1 + rng.below(3), [&](std::string_view gone) {
          const auto found = model.cells.find(std::string(gone));
          REQUIRE(found != model.cells.end());
          CHECK(model.visible(found->first, now) == nullptr);
          model.cells.erase(found);
        });
        break;
      default: {
        Hash::Scratch scratch;
        const auto got = hash.get(field, now, scratch);
        REQUIRE(got.has_value() == (before != nullptr));
        if (got) CHECK(*got == before->value);
        CHECK(hash.exists(field, now) == (before != nullptr));
        const auto deadline = hash.deadline(field, now);
        CHECK(deadline.has_value() == (before != nullptr));
        if (deadline) CHECK(*deadline == before->deadline);
        const auto chosen = hash.random(rng, now, scratch);
        CHECK(chosen.has_value() == !contents(model, now).empty());
        if (chosen) {
          const auto* cell = model.visible(std::string(chosen->field), now);
          REQUIRE(cell != nullptr);
          CHECK(chosen->value == cell->value);
        }
      }
    }
    CHECK(hash.size() == model.cells.size());
    if (hash.size() > 0) shapes.insert(hash.encoding());
    std::int64_t earliest = Hash::kNone;
    for (const auto& [name, cell] : model.cells) {
      if (cell.deadline != Hash::kNone && (earliest == Hash::kNone || cell.deadline < earliest))
        earliest = cell.deadline;
    }
    if (earliest != Hash::kNone) {
      CHECK(hash.min_deadline() != Hash::kNone);
      CHECK(hash.min_deadline() <= earliest);
    }
    if (step % 50 == 0) {
      REQUIRE(contents(hash, now) == contents(model, now));
      CHECK(hash.visible_size(now) == contents(model, now).size());
      const Hash copy = hash.clone();
      CHECK(contents(copy, now) == contents(model, now));
      CHECK(copy.encoding() == hash.encoding());
      CHECK(copy.min_deadline() == hash.min_deadline());
      CHECK(hash.memory_bytes() > 0);
    }
  }
  // Everything that is due goes in the end, and the bound becomes exact.
  now = now + milliseconds{1000};
  for (int i = 0; i < 10000 && hash.may_have_expired(now); ++i)
    hash.expire_fields(now, 5, [](std::string_view) {});
  CHECK(hash.min_deadline() == Hash::kNone);
  CHECK(hash.size() == contents(model, now).size());
  return shapes;
}

}  // namespace

TEST_CASE("a hash agrees with a map under random operations, in every encoding") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const HashLimits packed{.listpack_entries = 100000, .listpack_value = 100000, .seed = seed};
    const HashLimits table{.listpack_entries = 0, .listpack_value = 64, .seed = seed};
    const HashLimits mixed{.listpack_entries = 20, .listpack_value = 12, .seed = seed};
    CHECK(run_against_model(seed, packed, 20) ==
          std::set{HashEncoding::kListpack, HashEncoding::kListpackEx});
    CHECK(run_against_model(seed, table, 300) == std::set{HashEncoding::kHashtable});
    CHECK(run_against_model(seed, mixed, 30).contains(HashEncoding::kHashtable));
  }
}

TEST_CASE("a hash leaves the listpack exactly when it passes a limit") {
  Hash hash;
  for (int i = 0; i < 8; ++i) hash.set("f" + std::to_string(i), "v", Hash::kNone, kNow, kLimits);
  CHECK(hash.encoding() == HashEncoding::kListpack);
  hash.set("f0", "w", Hash::kNone, kNow, kLimits);  // full, but not new
  CHECK(hash.encoding() == HashEncoding::kListpack);
  hash.set("f8", "v", Hash::kNone, kNow, kLimits);
  CHECK(hash.encoding() == HashEncoding::kHashtable);

  Hash values;
  values.set("f", std::string(10, 'x'), Hash::kNone, kNow, kLimits);
  CHECK(values.encoding() == HashEncoding::kListpack);
  values.set("f", std::string(11, 'x'), Hash::kNone, kNow, kLimits);
  CHECK(values.encoding() == HashEncoding::kHashtable);
  CHECK(encoding_name(values.encoding()) == "hashtable");

  Hash timed;
  timed.set("f", "v", Hash::kNone, kNow, kLimits);
  CHECK(timed.set_deadline("f", Hash::kNone, kNow, kLimits));
  CHECK(timed.encoding() == HashEncoding::kListpack);
  CHECK(timed.set_deadline("f", 2000, kNow, kLimits));
  CHECK(timed.encoding() == HashEncoding::kListpackEx);
}

TEST_CASE("an expired field is invisible, counted, and new when it is set again") {
  for (const std::uint64_t entries : {std::uint64_t{0}, std::uint64_t{100}}) {
    const HashLimits limits{.listpack_entries = entries, .listpack_value = 64, .seed = 1};
    Hash hash;
    hash.set("a", "1", 1500, kNow, limits);
    hash.set("b", "2", Hash::kNone, kNow, limits);
    CHECK(hash.exists("a", UnixMillis{1499}));
    CHECK_FALSE(hash.exists("a", UnixMillis{1500}));
    CHECK(hash.size() == 2);
    CHECK(hash.visible_size(UnixMillis{1500}) == 1);
    CHECK(hash.set("a", "3", Hash::kKeep, UnixMillis{1500}, limits) == Hash::Set::kCreated);
    CHECK(*hash.deadline("a", UnixMillis{1500}) == Hash::kNone);
    CHECK(hash.set_deadline("a", 1600, UnixMillis{1500}, limits));
    CHECK_FALSE(hash.erase("a", UnixMillis{1600}));
    CHECK(hash.size() == 1);
  }
}

TEST_CASE("a scan visits every field that stays, while the hash grows and shrinks") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    const HashLimits limits{.listpack_entries = 0, .listpack_value = 0, .seed = seed};
    Hash hash;
    for (int i = 0; i < 300; ++i)
      hash.set("stay" + std::to_string(i), "v", Hash::kNone, kNow, limits);
    std::set<std::string> seen;
    std::uint64_t cursor = 0;
    int extra = 0;
    do {
      cursor = hash.scan(cursor, kNow, [&](const Hash::Item& item) { seen.emplace(item.field); });
      const bool grow = rng.chance(seed % 2 == 0 ? 0.8 : 0.2);
      for (int i = 0; i < 40; ++i) {
        if (grow)
          hash.set("x" + std::to_string(extra++), "v", Hash::kNone, kNow, limits);
        else if (extra > 0)
          hash.erase("x" + std::to_string(--extra), kNow);
      }
    } while (cursor != 0);
    for (int i = 0; i < 300; ++i) CHECK(seen.contains("stay" + std::to_string(i)));
  }
}

TEST_CASE("expiry of a large hash is bounded per call and complete in the end") {
  const HashLimits limits{.listpack_entries = 0, .listpack_value = 0, .seed = 3};
  Hash hash;
  for (int i = 0; i < 5000; ++i) {
    hash.set("f" + std::to_string(i), "v", i % 2 == 0 ? 2000 + i : 100000, kNow, limits);
  }
  std::uint64_t gone = 0;
  CHECK(hash.expire_fields(UnixMillis{1999}, 10, [](std::string_view) {}) == 0);
  for (int call = 0; call < 2000 && hash.may_have_expired(UnixMillis{9000}); ++call) {
    const std::uint64_t now_gone =
        hash.expire_fields(UnixMillis{9000}, 10, [](std::string_view) {});
    CHECK(now_gone <= 10);
    gone += now_gone;
  }
  CHECK(gone == 2500);
  CHECK(hash.size() == 2500);
  CHECK(hash.min_deadline() == 100000);
}

TEST_CASE("a hash goes to a listpack and back, and follows the limits of the one who reads") {
  ds::Listpack pairs;
  for (const char* text : {"a", "1", "b", "two"}) pairs.append(text);
  const Hash small = Hash::from_listpack(pairs, kLimits);
  CHECK(small.encoding() == HashEncoding::kListpack);
  CHECK(small.to_listpack().bytes() == pairs.bytes());
  pairs.append("c");
  pairs.append(std::string(11, 'x'));
  const Hash large = Hash::from_listpack(pairs, kLimits);
  CHECK(large.encoding() == HashEncoding::kHashtable);
  CHECK(contents(large, kNow) == Pairs{{"a", "1"}, {"b", "two"}, {"c", std::string(11, 'x')}});
}

TEST_CASE("the hash object is one word") { CHECK(sizeof(Hash) == 8); }
