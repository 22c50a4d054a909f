// The command line of hearth_sim_tests.
#pragma once

#include <cstdint>
#include <vector>

namespace hearth::sim {

// The seeds a random scenario runs with: the one of --seed=N, or `count` fixed ones.
[[nodiscard]] std::vector<std::uint64_t> seeds(int count);

}  // namespace hearth::sim
