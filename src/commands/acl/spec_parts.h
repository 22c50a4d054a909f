// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr Flag kSecret = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale;
inline constexpr Flag kOpen = Flag::kNoScript | Flag::kLoading | Flag::kStale;

}  // namespace hearth::commands
