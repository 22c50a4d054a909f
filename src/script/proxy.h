// Looking through read-only tables; for the functions that are part of the sandbox.
#pragma once

#include "src/script/lua.h"

namespace hearth::script {

// If the value is a read-only table, pushes the table behind it. That one must never reach a
// script.
[[nodiscard]] bool push_real_table(lua_State* L, int index);

}  // namespace hearth::script
