#include "src/ds/hll.h"

#include <bit>
#include <cmath>
#include <limits>

#include "src/base/bytes.h"

namespace hearth::ds {
namespace {

constexpr std::uint64_t kSeed = 0xadc83b19;
constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)

// The correction for registers that are still zero: x + sum of 2^k x^(2^k), up to the precision of
// a double.
double sigma(double x) {
  if (x == 1.0) return std::numeric_limits<double>::infinity();
  double sum = x;
  double factor = 1;
  for (double before = -1; before != sum; factor += factor) {
    x *= x;
    before = sum;
    sum += x * factor;
  }
  return sum;
}

// The correction for registers that can rise no further.
double tau(double x) {
  if (x == 0.0 || x == 1.0) return 0.0;
  double factor = 1.0;
  double sum = 1 - x;
  for (double before = 2; before != sum;) {
    x = std::sqrt(x);
    before = sum;
    factor *= 0.5;
    sum -= (1 - x) * (1 - x) * factor;
  }
  return sum / 3;
}

}  // namespace

std::uint64_t murmur64a(std::string_view bytes, std::uint64_t seed) {
  constexpr std::uint64_t kMultiplier = 0xc6a4a7935bd1e995ULL;
  constexpr unsigned kShift = 47;
  std::uint64_t h = seed ^ (bytes.size() * kMultiplier);
  while (bytes.size() >= 8) {
    std::uint64_t k = load_le<std::uint64_t>(bytes.data());
    k *= kMultiplier;
    k ^= k >> kShift;
    k *= kMultiplier;
    h ^= k;
    h *= kMultiplier;
    bytes.remove_prefix(8);
  }
  if (!bytes.empty()) {
    std::uint64_t tail = 0;
    bytes.copy(reinterpret_cast<char*>(&tail), bytes.size());
    h ^= tail;
    h *= kMultiplier;
  }
  h ^= h >> kShift;
  h *= kMultiplier;
  h ^= h >> kShift;
  return h;
}

Hll::Place Hll::place_of(std::string_view element) {
  const std::uint64_t hash = murmur64a(element, kSeed);
  // A bit behind the last one ends every run.
  const std::uint64_t rest = (hash >> kIndexBits) | (1ULL << kHashBits);
  return {static_cast<std::uint32_t>(hash & (kRegisters - 1)),
          static_cast<std::uint8_t>(std::countr_zero(rest) + 1)};
}

std::uint64_t Hll::estimate(const Histogram& histogram) {
  constexpr double kCount = kRegisters;
  double z = kCount * tau((kCount - histogram[kLargest]) / kCount);
  for (unsigned value = kHashBits; value >= 1; --value) {
    z += histogram[value];
    z *= 0.5;
  }
  z += kCount * sigma(histogram[0] / kCount);
  return static_cast<std::uint64_t>(std::llround(kAlphaInfinity * kCount * kCount / z));
}

std::uint64_t Hll::count() const {
  Histogram histogram{};
  for (const std::uint8_t value : registers_) ++histogram[value];
  return estimate(histogram);
}

}  // namespace hearth::ds
