// Every command of the server.
#pragma once

#include <vector>

#include "src/command/spec.h"

namespace hearth {

// The specs of all families, in the order of the families.
[[nodiscard]] std::vector<const CommandSpec*> all_commands();

}  // namespace hearth
