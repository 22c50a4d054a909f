// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kOnOff[] = {args::token("on", "ON"), args::token("off", "OFF")};
inline constexpr Flag kPlain =
    Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kKeepsCaching;

}  // namespace hearth::commands
