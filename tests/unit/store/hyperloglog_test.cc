#include "src/store/hyperloglog.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "src/base/random.h"

using namespace hearth;
using ds::Hll;

namespace {

constexpr std::uint64_t kSparseMax = 3000;

void check_registers(const std::string& value, const Hll& model) {
  Hll found;
  hll::merge(value, found);
  CHECK(found.registers() == model.registers());
}

std::string element(std::uint64_t i) { return "element:" + std::to_string(i); }

}  // namespace

TEST_CASE("MurmurHash64A has its known values") {
  CHECK(ds::murmur64a("", 0) == 0);
  CHECK(ds::murmur64a("", 0xadc83b19) == 0xd8dfea6585bc9732ULL);
  CHECK(ds::murmur64a("hello", 0xadc83b19) == 0x0f656f01eecfe400ULL);
  CHECK(ds::murmur64a("12345678", 0xadc83b19) == 0x95ebb86389132953ULL);
  CHECK(ds::murmur64a("a longer text", 0xadc83b19) == 0x3116e6232ba3b9d9ULL);
}

TEST_CASE("sparse values raise registers as an array does, and stay valid") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    std::string value = hll::make_empty();
    Hll model;
    for (int i = 0; i < 1500; ++i) {
      // Close together, so that runs meet, and now and then beyond what runs can tell.
      const auto index = static_cast<std::uint32_t>(rng.chance(0.7) ? 100 + rng.below(200)
                                                                    : rng.below(Hll::kRegisters));
      const auto run =
          static_cast<std::uint8_t>(1 + rng.below(seed > 5 && rng.chance(0.001) ? 51 : 3));
      const bool higher = model.registers()[index] < run;
      CHECK(hll::raise(value, index, run, kSparseMax) == higher);
      model.raise(index, run);
      CHECK(hll::get_register(value, index) == model.registers()[index]);
      REQUIRE(hll::validate(value).has_value());
    }
    check_registers(value, model);
    CHECK(hll::count(value) == model.count());
    std::string dense = value;
    hll::make_dense(dense);
    CHECK(dense.size() == hll::kDenseBytes);
    check_registers(dense, model);
    CHECK(hll::count(dense) == model.count());
    const std::string made = hll::make(model.registers(), hll::Encoding::kSparse, kSparseMax);
    check_registers(made, model);
    CHECK(hll::make(model.registers(), hll::Encoding::kDense, kSparseMax).size() ==
          hll::kDenseBytes);
  }
}

TEST_CASE("a value becomes dense when it would be too long, and not before") {
  std::string value = hll::make_empty();
  CHECK(value.size() == 18);
  std::uint64_t i = 0;
  while (hll::inspect(value) == hll::Encoding::kSparse) {
    CHECK(value.size() <= kSparseMax);
    const Hll::Place p = Hll::place_of(element(i++));
    hll::raise(value, p.index, p.run, kSparseMax);
  }
  CHECK(i > 1000);
  CHECK(hll::validate(value) == hll::Encoding::kDense);
}

TEST_CASE("the estimate is close to the truth") {
  Hll counter;
  std::uint64_t next = 10;
  for (std::uint64_t n = 1; n <= 1'000'000; ++n) {
    counter.add(element(n));
    if (n != next) continue;
    next *= 10;
    const double error = std::abs(static_cast<double>(counter.count()) - static_cast<double>(n));
    CHECK(error <= 0.04 * static_cast<double>(n) + 1);
  }
  CHECK(Hll().count() == 0);
}

TEST_CASE("the cached count is kept beside its mark") {
  std::string value = hll::make_empty();
  CHECK(hll::cached_count(value) == 0);
  hll::invalidate_count(value.data());
  CHECK_FALSE(hll::cached_count(value).has_value());
  hll::set_cached_count(value.data(), 12345);
  CHECK(hll::cached_count(value) == 12345);
}

TEST_CASE("what is no counter is told from what is damaged") {
  const std::string good = hll::make_empty();
  CHECK(hll::validate(good) == hll::Encoding::kSparse);
  CHECK(hll::runs_text(good) == "Z:16384");
  const auto flaw = [](const std::string& value) { return hll::validate(value).error(); };
  CHECK(flaw("") == hll::Flaw::kNotHll);
  CHECK(flaw(good.substr(0, 15)) == hll::Flaw::kNotHll);
  CHECK(flaw("X" + good.substr(1)) == hll::Flaw::kNotHll);
  std::string encoding = good;
  encoding[4] = 2;
  CHECK(flaw(encoding) == hll::Flaw::kNotHll);
  std::string dense = good;
  hll::make_dense(dense);
  CHECK(flaw(dense + "x") == hll::Flaw::kNotHll);
  CHECK(flaw(good + "x") == hll::Flaw::kCorrupt);
  CHECK(flaw(good.substr(0, 17)) == hll::Flaw::kCorrupt);
  CHECK(flaw(good.substr(0, 16)) == hll::Flaw::kCorrupt);
  // Any bytes are either refused or safe to work on.
  Rng rng(9);
  for (int round = 0; round < 2000; ++round) {
    std::string value = good.substr(0, 16);
    for (std::uint64_t i = rng.below(300); i > 0; --i) value += static_cast<char>(rng.below(256));
    if (!hll::validate(value)) continue;
    const auto index = static_cast<std::uint32_t>(rng.below(Hll::kRegisters));
    hll::raise(value, index, 20, kSparseMax);
    CHECK(hll::validate(value).has_value());
    static_cast<void>(hll::count(value));
  }
}
