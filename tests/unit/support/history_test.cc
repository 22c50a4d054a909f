#include "tests/support/history.h"

#include <doctest/doctest.h>

#include <optional>

#include "src/base/random.h"

using namespace hearth;
using namespace hearth::test;

namespace {

RegisterAccess write(long long value, std::int64_t begun, std::int64_t ended) {
  return {true, value, begun, ended, false};
}
RegisterAccess open_write(long long value, std::int64_t begun) {
  return {true, value, begun, begun, true};
}
RegisterAccess read(long long value, std::int64_t begun, std::int64_t ended) {
  return {false, value, begun, ended, false};
}

// Tries every order that keeps to the times.
bool has_order(std::vector<RegisterAccess> left, long long held) {
  bool is_done = true;
  for (const auto& access : left) is_done = is_done && access.is_open;
  if (is_done) return true;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const RegisterAccess one = left[i];
    bool may_be_next = one.is_write || one.value == held;
    for (const auto& other : left) {
      if (!other.is_open && other.ended < one.begun) may_be_next = false;
    }
    if (!may_be_next) continue;
    std::vector<RegisterAccess> rest = left;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    if (has_order(std::move(rest), one.is_write ? one.value : held)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a history of a register is contradicted by lost, old and invented values") {
  CHECK(contradiction_in({}).empty());
  CHECK(contradiction_in({read(0, 1, 2), write(1, 3, 4), read(1, 5, 6)}).empty());
  CHECK_FALSE(contradiction_in({read(7, 1, 2)}).empty());
  CHECK_FALSE(contradiction_in({read(1, 1, 2), write(1, 3, 4)}).empty());
  // Lost.
  CHECK_FALSE(contradiction_in({write(1, 1, 2), read(0, 3, 4)}).empty());
  CHECK_FALSE(contradiction_in({write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)}).empty());
  // Old, after something newer was seen.
  CHECK_FALSE(
      contradiction_in({write(1, 1, 2), write(2, 3, 9), read(2, 4, 5), read(1, 6, 7)}).empty());
  // While both are under way either may be found.
  CHECK(contradiction_in({write(1, 1, 2), write(2, 3, 9), read(1, 4, 5), read(2, 6, 7)}).empty());
  // Open writes may have happened, late too, or not.
  CHECK(contradiction_in({write(1, 1, 2), open_write(2, 3), read(1, 8, 9)}).empty());
  CHECK(contradiction_in({write(1, 1, 2), open_write(2, 3), read(1, 4, 5), read(2, 8, 9)}).empty());
  CHECK_FALSE(
      contradiction_in({write(1, 1, 2), open_write(2, 3), read(2, 4, 5), read(1, 8, 9)}).empty());
}

TEST_CASE("histories are contradicted exactly when no order of their accesses explains them") {
  Rng rng(20261201);
  int contradicted = 0;
  for (int round = 0; round < 4'000; ++round) {
    std::vector<RegisterAccess> accesses;
    const auto writes = 1 + static_cast<int>(rng.below(3));
    for (int i = 0; i < 6; ++i) {
      const auto begun = static_cast<std::int64_t>(rng.below(12));
      const auto ended = begun + 1 + static_cast<std::int64_t>(rng.below(5));
      if (i < writes)
        accesses.push_back(rng.chance(0.2) ? open_write(i + 1, begun) : write(i + 1, begun, ended));
      else
        accesses.push_back(
            read(static_cast<long long>(rng.below(static_cast<std::uint64_t>(writes) + 1)), begun,
                 ended));
    }
    const bool is_contradicted = !contradiction_in(accesses).empty();
    contradicted += is_contradicted ? 1 : 0;
    CAPTURE(round);
    REQUIRE(is_contradicted == !has_order(accesses, 0));
  }
  CHECK(contradicted > 400);
  CHECK(contradicted < 3'600);
}
