// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kListEnds[] = {args::token("left", "LEFT"), args::token("right", "RIGHT")};
inline constexpr HistoryNote kBlockingHistory[] = {{"6.0.0", "The timeout may have a fraction."}};

}  // namespace hearth::commands
