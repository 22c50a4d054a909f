// Lua 5.1, with what every file of this module needs of it.
//
// Lua leaves a function in the middle when it raises an error (longjmp), so destructors of the
// frames in between don't run. Functions that Lua calls therefore own nothing while they call what
// may raise: they keep texts in Lua values or in the Vm.
#pragma once

#include <lua.hpp>
#include <string_view>

namespace hearth::script {

inline void push(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}

// The value must be a string or a number; a number is turned into a string in place.
[[nodiscard]] inline std::string_view text_at(lua_State* L, int index) {
  std::size_t length = 0;
  const char* data = lua_tolstring(L, index, &length);
  return {data, length};
}

// Pushes table[name] without asking metatables; the table is on top.
inline int raw_field(lua_State* L, std::string_view name) {
  push(L, name);
  lua_rawget(L, -2);
  return lua_type(L, -1);
}

}  // namespace hearth::script
