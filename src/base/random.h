// Seeded pseudo-random numbers (xoshiro256**). The only source of randomness in logic; its seed
// comes from the composition root or from a test.
// Source: Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators".
#pragma once

#include <cstdint>
#include <string>

namespace hearth {

class Rng {
  __extension__ using Wide = unsigned __int128;

 public:
  using result_type = std::uint64_t;

  explicit Rng(std::uint64_t seed) {
    // SplitMix64 spreads a small seed over the whole state; it never yields four zeros.
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  // 0 .. bound-1; bound > 0. Lemire's multiply-shift; the bias is below 2^-32 for 32-bit bounds.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }
  // [0, 1)
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double p) { return unit() < p; }

  // `length` lower-case hex digits: node ids, replication ids.
  std::string hex(std::size_t length) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(length, '0');
    for (auto& c : text) c = kDigits[next() & 15];
    return text;
  }

  // As a standard UniformRandomBitGenerator.
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~0ULL; }
  std::uint64_t operator()() { return next(); }

 private:
  static constexpr std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t state_[4];
};

}  // namespace hearth
