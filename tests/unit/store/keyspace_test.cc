#include "src/store/keyspace.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/model/slot.h"
#include "src/base/format_number.h"

using hearth::Database;
using hearth::Entry;
using hearth::Found;
using hearth::Garbage;
using hearth::KeyRef;
using hearth::kNoDeadline;
using hearth::Rng;
using hearth::Slot;
using hearth::UnixMillis;

namespace {

constexpr std::uint64_t kSeed = 77;

// A database and what it should hold.
class Fixture {
 public:
  Fixture(bool per_slot, std::uint64_t seed)
      : per_slot_(per_slot), rng(seed), db(kSeed, per_slot) {}

  [[nodiscard]] KeyRef ref(const std::string& name) const {
    return {name, hearth::hash_bytes(name, kSeed),
            per_slot_ ? hearth::cluster::slot_of(name) : Slot{0}};
  }
  void put(const std::string& name, const std::string& value, std::int64_t deadline) {
    const KeyRef key = ref(name);
    Entry* entry = Entry::make_string(name, value, deadline, 0);
    if (const Found at = db.find(key))
      db.replace(key, at, entry);
    else
      db.insert(key, entry);
    model[name] = {value, deadline};
  }
  void erase(const std::string& name) {
    const KeyRef key = ref(name);
    const Found at = db.find(key);
    REQUIRE(static_cast<bool>(at) == (model.erase(name) == 1));
    if (at) db.erase(key, at);
  }
  void set_deadline(const std::string& name, std::int64_t deadline) {
    const KeyRef key = ref(name);
    const Found at = db.find(key);
    REQUIRE(static_cast<bool>(at) == model.contains(name));
    if (!at) return;
    db.set_deadline(key, at, deadline);
    model[name].second = deadline;
  }

  void check_counts() const {
    std::uint64_t timed = 0;
    for (const auto& [name, v] : model) timed += v.second != kNoDeadline ? 1 : 0;
    REQUIRE(db.size() == model.size());
    REQUIRE(db.volatile_count() == timed);
  }
  void check_contents() const {
    check_counts();
    char scratch[hearth::kInt64TextMax];
    for (const auto& [name, v] : model) {
      const Found at = db.find(ref(name));
      REQUIRE(at);
      REQUIRE(at->string_value(scratch) == v.first);
      REQUIRE(at->deadline() == v.second);
    }
    std::set<std::string> walked;
    db.for_each([&](const Entry& e) { walked.insert(std::string(e.key())); });
    REQUIRE(walked.size() == model.size());
  }

 private:
  bool per_slot_;

 public:
  Rng rng;
  Database db;
  std::map<std::string, std::pair<std::string, std::int64_t>> model;
};

template <typename F>
void with_both(F&& test) {
  for (const bool per_slot : {false, true}) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      INFO("per_slot=", per_slot, " seed=", seed);
      test(per_slot, seed);
    }
  }
}

void random_step(Fixture& f, std::uint64_t names) {
  const std::string name = "key:" + std::to_string(f.rng.below(names));
  const auto deadline =
      f.rng.chance(0.5) ? kNoDeadline : static_cast<std::int64_t>(1 + f.rng.below(1000));
  switch (f.rng.below(5)) {
    case 0:
    case 1: return f.put(name, std::string(f.rng.below(30), 'v'), deadline);
    case 2: return f.erase(name);
    default: return f.set_deadline(name, deadline);
  }
}

}  // namespace

TEST_CASE("a database agrees with a map over any sequence of changes") {
  with_both([](bool per_slot, std::uint64_t seed) {
    Fixture f(per_slot, seed);
    for (int i = 0; i < 4000; ++i) {
      random_step(f, 600);
      if (i % 50 == 0) f.check_counts();
    }
    f.check_contents();
    CHECK_FALSE(f.db.find(f.ref("key:none")));
  });
}

TEST_CASE("a key that is asked for again and again is found where it stands now") {
  for (const bool per_slot : {false, true}) {
    CAPTURE(per_slot);
    Fixture f(per_slot, 23);
    const std::string name = "{1}watched";
    const auto check = [&] {
      const Found at = f.db.find(f.ref(name));
      REQUIRE(static_cast<bool>(at) == f.model.contains(name));
      if (at) REQUIRE(at->key() == name);
    };
    const auto other = [&] { return "{1}" + std::to_string(f.rng.below(2000)); };
    for (int i = 0; i < 30'000; ++i) {
      switch (f.rng.below(i / 5'000 % 2 == 0 ? 3 : 6)) {  // it grows, then it shrinks
        case 0:
        case 1:
        case 2: f.put(other(), "value", kNoDeadline); break;
        case 3:
        case 4: f.erase(other()); break;
        default: f.set_deadline(name, static_cast<std::int64_t>(f.rng.below(1000)));
      }
      check();
      if (f.rng.chance(0.05)) f.rng.chance(0.5) ? f.erase(name) : f.put(name, "v", kNoDeadline);
      check();
      if (f.rng.chance(0.02)) f.db.settle_tables(per_slot ? 16384 : 1, 64);
      check();
    }
    f.put(name, "v", kNoDeadline);
    check();
    const Garbage all = per_slot ? f.db.take_slot(f.ref(name).slot) : f.db.take_all();
    f.model.clear();
    check();
    f.put(name, "v", kNoDeadline);
    check();
    Database empty(kSeed, per_slot);
    std::swap(empty, f.db);
    CHECK_FALSE(f.db.find(f.ref(name)));
    CHECK(empty.find(f.ref(name)));
  }
}

TEST_CASE("expiry steps find every due key, soon, and no other") {
  with_both([](bool per_slot, std::uint64_t seed) {
    Fixture f(per_slot, seed);
    for (std::int64_t now = 100; now <= 1000; now += 100) {
      for (int i = 0; i < 1500; ++i) random_step(f, 2000);
      std::set<std::string> expected;
      for (const auto& [name, v] : f.model) {
        if (v.second != kNoDeadline && v.second <= now) expected.insert(name);
      }
      std::set<std::string> found;
      int steps = 0;
      for (bool finished = false; !finished; ++steps) {
        REQUIRE(steps < 2000);
        std::vector<const Entry*> due;
        finished = f.db.expire_step(UnixMillis{now}, 64, due).finished_round;
        std::vector<std::string> names;
        for (const Entry* e : due) names.emplace_back(e->key());
        for (const std::string& name : names) {
          CHECK(expected.contains(name));
          found.insert(name);
          f.erase(name);
        }
      }
      CHECK(found == expected);
      // With nothing due the next round is over at once.
      std::vector<const Entry*> due;
      CHECK(f.db.expire_step(UnixMillis{now}, 64, due).finished_round);
      CHECK(due.empty());
    }
  });
}

TEST_CASE("an expiry step looks at no more buckets than it may") {
  Fixture f(false, 1);
  for (int i = 0; i < 5000; ++i) f.put("key:" + std::to_string(i), "v", 1000);
  std::vector<const Entry*> due;
  const auto step = f.db.expire_step(UnixMillis{1000}, 4, due);
  CHECK_FALSE(step.finished_round);
  CHECK(due.size() <= 64 + 21);
  CHECK(due.size() == step.expired);
}

TEST_CASE("the average life is that of the keys seen") {
  Fixture f(false, 1);
  for (int i = 0; i < 100; ++i) f.put("key:" + std::to_string(i), "v", 2000);
  f.put("due", "v", 500);  // makes the step look at all
  std::vector<const Entry*> due;
  f.db.expire_step(UnixMillis{1000}, 1000, due);
  CHECK(f.db.average_ttl_ms() == 1000);
}

TEST_CASE("a scan returns every key that stays, while the database grows and shrinks") {
  with_both([](bool per_slot, std::uint64_t seed) {
    Fixture f(per_slot, seed);
    for (int i = 0; i < 200; ++i) f.put("stay:" + std::to_string(i), "v", kNoDeadline);
    for (int i = 0; i < 2000; ++i) f.put("extra:" + std::to_string(i), "v", kNoDeadline);
    std::set<std::string> seen;
    std::uint64_t cursor = 0;
    int next = 2000, steps = 0;
    do {
      cursor = f.db.scan(cursor, [&](const Entry& e) { seen.insert(std::string(e.key())); });
      const bool shrink = (steps++ / 40) % 2 == 0;
      for (int i = 0; i < 20; ++i) {
        if (shrink)
          f.erase("extra:" + std::to_string(f.rng.below(static_cast<std::uint64_t>(next))));
        else
          f.put("extra:" + std::to_string(next++), "v", kNoDeadline);
      }
      REQUIRE(steps < 20000);
    } while (cursor != 0);
    for (int i = 0; i < 200; ++i) CHECK(seen.contains("stay:" + std::to_string(i)));
  });
}

TEST_CASE("slots can be counted, walked, scanned and taken one by one") {
  Fixture f(true, 1);
  for (int i = 0; i < 300; ++i) f.put("{a}" + std::to_string(i), "v", i % 2 == 0 ? 5 : kNoDeadline);
  for (int i = 0; i < 300; ++i) f.put("other" + std::to_string(i), "v", kNoDeadline);
  const Slot slot = hearth::cluster::slot_of("{a}");
  CHECK(f.db.count_in_slot(slot) == 300);
  int walked = 0;
  f.db.for_each_in_slot(slot, 7, [&](const Entry& e) {
    CHECK(e.key().starts_with("{a}"));
    ++walked;
  });
  CHECK(walked == 7);
  std::set<std::string> scanned;
  std::uint64_t cursor = 0;
  do {
    cursor =
        f.db.scan_slot(slot, cursor, [&](const Entry& e) { scanned.insert(std::string(e.key())); });
  } while (cursor != 0);
  CHECK(scanned.size() == 300);
  const Garbage garbage = f.db.take_slot(slot);
  CHECK(garbage.object_count() == 300);
  CHECK(f.db.count_in_slot(slot) == 0);
  CHECK(f.db.size() == 300);
  CHECK(f.db.volatile_count() == 0);
  CHECK(f.db.take_slot(slot).object_count() == 0);
}

TEST_CASE("taking everything leaves an empty database that works") {
  with_both([](bool per_slot, std::uint64_t seed) {
    Fixture f(per_slot, seed);
    for (int i = 0; i < 100; ++i) f.put("key:" + std::to_string(i), "v", 5);
    const Garbage garbage = f.db.take_all();
    CHECK(garbage.object_count() == 100);
    f.model.clear();
    f.check_contents();
    CHECK(f.db.random(f.rng) == nullptr);
    f.put("again", "v", 7);
    f.check_contents();
    CHECK(f.db.random(f.rng)->key() == "again");
  });
}

TEST_CASE("every key is chosen at random now and then, wherever it stands") {
  for (const bool per_slot : {false, true}) {
    Fixture f(per_slot, 5);
    for (int i = 0; i < 50; ++i) f.put("key:" + std::to_string(i), "v", kNoDeadline);
    std::map<std::string, int> chosen;
    for (int i = 0; i < 20'000; ++i) ++chosen[std::string(f.db.random(f.rng)->key())];
    CHECK(chosen.size() == 50);
    for (const auto& [name, times] : chosen) {
      // 400 expected; the bounds are ten standard deviations away.
      CHECK(times > 200);
      CHECK(times < 600);
    }
  }
}

TEST_CASE("samples hold what was asked for, and find a rare deadline") {
  for (const bool per_slot : {false, true}) {
    Fixture f(per_slot, 9);
    std::vector<const Entry*> drawn;
    f.db.sample(f.rng, 5, false, drawn);
    CHECK(drawn.empty());
    for (int i = 0; i < 30'000; ++i) f.put("key:" + std::to_string(i), "v", kNoDeadline);
    f.db.sample(f.rng, 5, false, drawn);
    CHECK(drawn.size() == 5);
    drawn.clear();
    f.db.sample(f.rng, 5, true, drawn);
    CHECK(drawn.empty());
    f.put("rare:1", "v", 10);
    f.put("rare:2", "v", 10);
    std::set<std::string> found;
    for (int i = 0; i < 20; ++i) {
      drawn.clear();
      f.db.sample(f.rng, 5, true, drawn);
      REQUIRE(!drawn.empty());
      for (const Entry* e : drawn) found.insert(std::string(e->key()));
    }
    CHECK(found == std::set<std::string>{"rare:1", "rare:2"});
  }
}

TEST_CASE("replacing hands the old entry over when it is asked for") {
  Fixture f(false, 1);
  f.put("k", "old", 10);
  const std::string name = "k";  // a KeyRef borrows it
  const KeyRef key = f.ref(name);
  Entry* old = nullptr;
  f.db.replace(key, f.db.find(key), Entry::make_int("k", 5, kNoDeadline, 0), &old);
  REQUIRE(old != nullptr);
  CHECK(old->inline_value() == "old");
  Entry::free(old);
  CHECK(f.db.volatile_count() == 0);
  CHECK(f.db.find(key)->int_value() == 5);
}

TEST_CASE("databases can be swapped") {
  hearth::Keyspace keyspace(kSeed, 3, false);
  const KeyRef key{"k", hearth::hash_bytes("k", kSeed), 0};
  keyspace.db(0).insert(key, Entry::make_string("k", "v", kNoDeadline, 0));
  keyspace.swap(0, 2);
  CHECK_FALSE(keyspace.db(0).find(key));
  CHECK(keyspace.db(2).find(key));
  CHECK(keyspace.total_keys() == 1);
  CHECK(keyspace.db_count() == 3);
}

TEST_CASE("expiry leaves a table that may not shrink and is nearly empty for later") {
  Fixture f(false, 1);
  for (int i = 0; i < 1000; ++i) f.put("key:" + std::to_string(i), "v", 10);
  f.db.pause_resize(true);
  for (int i = 1; i < 1000; ++i) f.erase("key:" + std::to_string(i));
  std::vector<const Entry*> due;
  CHECK(f.db.expire_step(UnixMillis{10}, 1'000'000, due).finished_round);
  CHECK(due.empty());
  f.db.pause_resize(false);
  f.db.expire_step(UnixMillis{10}, 1'000'000, due);
  CHECK(due.size() == 1);
}

TEST_CASE("a database emptied while its tables may not change size works on afterwards") {
  Fixture f(false, 1);
  f.db.pause_resize(true);
  static_cast<void>(f.db.take_all());
  f.db.pause_resize(false);
  for (int i = 0; i < 1000; ++i) f.put("key:" + std::to_string(i), "v", kNoDeadline);
  CHECK(f.db.bucket_count() > 100);
}

TEST_CASE("expiry finds what joins of buckets have carried behind it") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Fixture f(false, seed);
    for (int i = 0; i < 200; ++i)
      f.put("timed:" + std::to_string(seed * 1000 + static_cast<std::uint64_t>(i)), "v", 1000);
    f.put("early", "v", 10);
    for (int i = 0; i < 3000; ++i) f.put("ever:" + std::to_string(i), "v", kNoDeadline);
    // A round is under way, half of the buckets are behind it, when most of the table goes.
    std::vector<const Entry*> due;
    const std::uint64_t buckets = f.db.bucket_count();
    CHECK_FALSE(f.db.expire_step(UnixMillis{20}, buckets / 2, due).finished_round);
    const bool early_is_due = !due.empty();
    for (int i = 0; i < 3000; ++i) f.erase("ever:" + std::to_string(i));
    REQUIRE(f.db.bucket_count() < buckets / 2);
    if (early_is_due) f.erase("early");
    std::set<std::string> found;
    for (const std::int64_t now : {20, 2000}) {
      // Removals join buckets, behind the walk too: a whole round finds nothing at the end.
      bool round_found = false;
      for (int steps = 0; steps < 500; ++steps) {
        due.clear();
        const bool finished = f.db.expire_step(UnixMillis{now + steps}, 64, due).finished_round;
        round_found = round_found || !due.empty();
        std::vector<std::string> names;
        for (const Entry* e : due) names.emplace_back(e->key());
        for (const std::string& name : names) {
          found.insert(name);
          f.erase(name);
        }
        if (finished && !std::exchange(round_found, false)) break;
      }
    }
    CHECK(found.size() == (early_is_due ? 200 : 201));
    CHECK(f.db.size() == 0);
  }
}

#ifdef HEARTH_CHECKED
namespace {

// Whether fn ends the process. It runs in a child.
template <typename F>
bool dies(F&& fn) {
  const pid_t child = fork();
  if (child == 0) {
    std::fclose(stderr);
    fn();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

}  // namespace

TEST_CASE("in checked builds a place that is used after its end stops the process") {
  Fixture f(false, 1);
  for (int i = 0; i < 20; ++i) f.put("k" + std::to_string(i), "v", kNoDeadline);
  const auto stale_after = [&](auto&& change) {
    return dies([&] {
      const std::string name = "k1";
      const KeyRef key = f.ref(name);
      const Found at = f.db.find(key);
      change();
      static_cast<void>(at->type());
    });
  };
  CHECK_FALSE(stale_after([] {}));
  CHECK_FALSE(stale_after([&] { static_cast<void>(f.db.find(f.ref("k2"))); }));
  CHECK_FALSE(stale_after([&] { f.set_deadline("k2", 5); }));
  CHECK(stale_after([&] { f.put("another", "v", kNoDeadline); }));
  CHECK(stale_after([&] { f.erase("k2"); }));
  CHECK(stale_after([&] { f.db.settle_tables(1, 1); }));
  CHECK(stale_after([&] { static_cast<void>(f.db.take_all()); }));

  // Nor may a table change while one of its values is being changed.
  CHECK(dies([&] {
    const KeyRef key = f.ref("k1");
    const hearth::Change change(f.db, key, f.db.find(key));
    f.put("another", "v", kNoDeadline);
  }));
}
#endif

TEST_CASE("keys of a hidden slot are found by name, and by nothing else") {
  Fixture f(true, 5);
  for (int i = 0; i < 300; ++i)
    f.put("{a}" + std::to_string(i), "v", i % 2 == 0 ? 1000 + i : kNoDeadline);
  for (int i = 0; i < 20; ++i) f.put("{b}" + std::to_string(i), "v", 1000);
  const Slot hidden = hearth::cluster::slot_of("a");
  f.db.set_hidden(hidden, true);
  f.db.set_hidden(hidden, true);
  const auto check = [&](std::uint64_t stored) {
    CHECK(f.db.size() == 20);
    CHECK(f.db.stored_size() == stored);
    CHECK(f.db.volatile_count() == 20);
    CHECK(f.db.timed_count() == 20);
    CHECK(f.db.count_in_slot(hidden) == 0);
    CHECK(f.db.stored_in_slot(hidden) == stored - 20);
  };
  check(320);
  CHECK(static_cast<bool>(f.db.find(f.ref("{a}7"))));
  f.put("{a}new", "v", 77);
  f.put("{a}7", "w", 78);
  f.set_deadline("{a}9", 79);
  f.erase("{a}11");
  check(320);
  std::uint64_t seen = 0, stored = 0, cursor = 0;
  f.db.for_each([&](const Entry&) { ++seen; });
  f.db.for_each_stored([&](const Entry&) { ++stored; });
  CHECK(seen == 20);
  CHECK(stored == 320);
  seen = 0;
  do {
    cursor =
        f.db.scan(cursor, [&](const Entry& e) { seen += e.key().starts_with("{b}") ? 1 : 99; });
  } while (cursor != 0);
  CHECK(seen == 20);
  std::vector<const Entry*> drawn;
  for (int i = 0; i < 50; ++i) {
    CHECK(f.db.random(f.rng)->key().starts_with("{b}"));
    f.db.sample(f.rng, 5, i % 2 == 0, drawn);
  }
  for (const Entry* e : drawn) CHECK(e->key().starts_with("{b}"));
  std::vector<const Entry*> due;
  while (!f.db.expire_step(UnixMillis{500}, 1000, due).finished_round) {
  }
  CHECK(due.empty());
  f.db.set_hidden(hidden, false);
  f.check_contents();
  while (!f.db.expire_step(UnixMillis{500}, 1000, due).finished_round && due.size() < 3) {
  }
  CHECK(due.size() == 3);
  f.db.set_hidden(hidden, true);
  CHECK(f.db.take_slot(hidden).object_count() == 300);
  check(20);
  f.put("{a}1", "v", kNoDeadline);
  static_cast<void>(f.db.take_all());
  CHECK(f.db.stored_size() == 0);
  CHECK(f.db.is_hidden(hidden));
}
