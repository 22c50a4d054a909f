// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kMembersArgs[] = {args::key(), args::string("member").many()};

}  // namespace hearth::commands
