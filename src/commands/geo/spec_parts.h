// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kUnits[] = {args::token("m", "m"), args::token("km", "km"),
                                    args::token("ft", "ft"), args::token("mi", "mi")};

}  // namespace hearth::commands
