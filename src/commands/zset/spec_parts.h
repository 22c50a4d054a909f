// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kWithScores = args::token("withscores", "WITHSCORES").opt();
inline constexpr ArgDoc kZsetEnds[] = {args::token("min", "MIN"), args::token("max", "MAX")};

}  // namespace hearth::commands
