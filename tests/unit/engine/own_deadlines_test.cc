#include "src/engine/own_deadlines.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "src/base/random.h"

using hearth::DbIndex;
using hearth::kNoDeadline;
using hearth::OwnDeadlines;
using hearth::Rng;
using hearth::UnixMillis;

TEST_CASE("one deadline is kept for each key, the last") {
  OwnDeadlines own;
  for (int i = 0; i < 1000; ++i) own.note(0, "k", 100 + i);
  CHECK(own.size() == 1);
  CHECK_FALSE(own.take_due(UnixMillis{1000}).has_value());
  const auto due = own.take_due(UnixMillis{1099});
  REQUIRE(due.has_value());
  CHECK(due->key == "k");
  CHECK(due->deadline == 1099);
  CHECK(own.size() == 0);
  own.note(0, "k", 5);
  own.note(1, "k", 6);
  own.note(0, "k", kNoDeadline);
  CHECK(own.size() == 1);
  CHECK(own.take_due(UnixMillis{10})->db == 1);
}

TEST_CASE("random notes agree with a map, and what is due comes in the order of time") {
  Rng rng(3);
  OwnDeadlines own;
  std::map<std::pair<DbIndex, std::string>, std::int64_t> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto db = static_cast<DbIndex>(rng.below(2));
    const std::string key = "k" + std::to_string(rng.below(50));
    if (rng.below(4) == 0) {
      own.note(db, key, kNoDeadline);
      model.erase({db, key});
    } else {
      const auto deadline = static_cast<std::int64_t>(1 + rng.below(1000));
      own.note(db, key, deadline);
      model[{db, key}] = deadline;
    }
    REQUIRE(own.size() == model.size());
    if (rng.below(100) != 0) continue;
    std::int64_t last = 0;
    while (const auto due = own.take_due(UnixMillis{300})) {
      REQUIRE(due->deadline >= last);
      last = due->deadline;
      REQUIRE(model.at({due->db, due->key}) == due->deadline);
      model.erase({due->db, due->key});
    }
    for (const auto& [name, deadline] : model) REQUIRE(deadline > 300);
  }
}

TEST_CASE("keys that went another way are forgotten before there are many") {
  OwnDeadlines own;
  for (int i = 0; i < 100'000; ++i) {
    own.note(0, "gone" + std::to_string(i), 1'000'000);
    own.prune([](DbIndex, std::string_view, std::int64_t) { return false; });
  }
  CHECK(own.size() <= 2048);
  // As long as they are there, they stay.
  OwnDeadlines kept;
  for (int i = 0; i < 5000; ++i) {
    kept.note(0, "here" + std::to_string(i), 1'000'000);
    kept.prune([](DbIndex, std::string_view, std::int64_t) { return true; });
  }
  CHECK(kept.size() == 5000);
}
