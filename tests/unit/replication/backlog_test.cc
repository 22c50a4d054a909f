#include "src/replication/backlog.h"

#include <doctest/doctest.h>

#include <string>

#include "src/base/random.h"

using hearth::Rng;
using hearth::replication::Backlog;

TEST_CASE("a backlog holds the newest bytes, whatever pieces they came in") {
  constexpr std::uint64_t kSeed = 7;
  INFO("seed ", kSeed);
  Rng rng(kSeed);
  for (const std::uint64_t first_capacity : {1U, 7U, 64U, 1000U}) {
    std::uint64_t capacity = first_capacity;
    Backlog backlog(capacity, 100);
    std::string all;
    for (int step = 0; step < 3000; ++step) {
      std::string piece(rng.below(40), 'x');
      for (char& c : piece) c = static_cast<char>('a' + rng.below(26));
      backlog.append(piece);
      all += piece;
      if (rng.below(50) == 0) {
        capacity = 1 + rng.below(200);
        backlog.set_capacity(capacity);
      }
      REQUIRE(backlog.last() == 100 + all.size());
      REQUIRE(backlog.held() <= capacity);
      REQUIRE(backlog.from(backlog.first()) == all.substr(all.size() - backlog.held()));
      const std::uint64_t skipped = rng.below(backlog.held() + 1);
      REQUIRE(backlog.from(backlog.first() + skipped) ==
              all.substr(all.size() - backlog.held() + skipped));
    }
  }
}

TEST_CASE("a backlog can be continued from its first byte to the one behind its last") {
  Backlog backlog(4);
  CHECK(backlog.can_continue_at(1));
  CHECK_FALSE(backlog.can_continue_at(0));
  CHECK_FALSE(backlog.can_continue_at(2));
  backlog.append("abcdef");
  CHECK(backlog.first() == 3);
  CHECK_FALSE(backlog.can_continue_at(2));
  CHECK(backlog.from(3) == "cdef");
  CHECK(backlog.from(6) == "f");
  CHECK(backlog.from(7).empty());
  CHECK_FALSE(backlog.can_continue_at(8));
}
