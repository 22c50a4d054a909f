// How what an operation costs grows: for tests that refuse work which grows faster than its input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::test {

// CPU time of run(4n) over that of run(n), the least of three each, so that what else the machine
// does counts little. Linear work gives about 4, n log n less than 5, quadratic work 16.
inline double cost_ratio(std::size_t n, const std::function<void(std::size_t)>& run) {
  const auto cost = [&](std::size_t count) {
    std::clock_t least = 0;
    for (int i = 0; i < 3; ++i) {
      const std::clock_t start = std::clock();
      run(count);
      const std::clock_t spent = std::clock() - start;
      least = i == 0 ? spent : std::min(least, spent);
    }
    return static_cast<double>(std::max<std::clock_t>(least, 1));
  };
  const double small = cost(n);
  return cost(4 * n) / small;
}
inline constexpr double kQuadraticCost = 9;

// Different names of 16 bytes with one value of std::hash (MurmurHash64A with a known seed, as
// libstdc++ has it), as a client would prepare them against a server that uses it.
inline std::vector<std::string> colliding_names(std::size_t count) {
  constexpr std::uint64_t kMul = 0xc6a4a7935bd1e995ULL, kSeed = 0xc70f6907ULL;
  std::uint64_t inverse = 1;  // of kMul, by Newton's iteration
  for (int i = 0; i < 6; ++i) inverse *= 2 - kMul * inverse;
  const auto mix = [](std::uint64_t v) { return v ^ (v >> 47); };
  std::vector<std::string> names;
  for (std::uint64_t first = 1; names.size() < count; ++first) {
    const std::uint64_t state = ((kSeed ^ (16 * kMul)) ^ (mix(first * kMul) * kMul)) * kMul;
    const std::uint64_t second = mix(state * inverse) * inverse;  // makes the state 0
    std::string name(16, '\0');
    std::memcpy(name.data(), &first, sizeof first);
    std::memcpy(name.data() + 8, &second, sizeof second);
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace hearth::test
