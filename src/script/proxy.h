// Looking through read-only tables; for the functions that are part of the sandbox.
#pragma once

#include "src/script/lua.h"

namespace hearth::script {

// If the value is a read-only table, pushes the table behind it. That one must never reach a
// script.
[[nodiscard]] bool push_real_table(lua_State* L, int index);

// table.insert, remove and sort write past metatables: they get a check. The globals are still open
// to changes.
void protect_table_functions(lua_State* L);

}  // namespace hearth::script
