// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr std::uint16_t kTaken = access::kRW | access::kAccess | access::kDelete;

}  // namespace hearth::commands
