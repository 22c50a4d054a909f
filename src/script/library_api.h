// register_function: what a library calls while it is loaded.
#pragma once

#include "src/script/lua.h"

namespace hearth::script {

int register_function(lua_State* L);

}  // namespace hearth::script
