// The list family.
#pragma once

#include <span>

#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr std::span<const CommandSpec* const> kListFamily;

}  // namespace hearth::commands
