#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "tests/sim/options.h"

namespace hearth::sim {
namespace {
std::optional<std::uint64_t>& chosen_seed() {
  static std::optional<std::uint64_t> seed;
  return seed;
}
}  // namespace

std::vector<std::uint64_t> seeds(int count) {
  if (chosen_seed()) return {*chosen_seed()};
  std::vector<std::uint64_t> out;
  for (int i = 0; i < count; ++i) out.push_back(static_cast<std::uint64_t>(i) * 7919 + 1);
  return out;
}
}  // namespace hearth::sim

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      hearth::sim::chosen_seed() = std::strtoull(argv[i] + 7, nullptr, 10);
    }
  }
  doctest::Context context(argc, argv);
  return context.run();
}
