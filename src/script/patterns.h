// The functions of `string` that take patterns.
#pragma once

#include "src/script/lua.h"

namespace hearth::script {

// Sets find, match, gmatch and gsub in the table on top.
void replace_pattern_functions(lua_State* L);

}  // namespace hearth::script
