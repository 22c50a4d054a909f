#include "src/script/library_api.h"

#include "src/base/parse_number.h"
#include "src/command/script_flags.h"
#include "src/script/value.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

// Reads the table of flags on top. False: one is unknown.
bool read_flags(lua_State* L, ScriptFlags& flags) {
  for (int i = 1;; ++i) {
    lua_rawgeti(L, -1, i);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      return true;
    }
    if (lua_type(L, -1) != LUA_TSTRING) return false;
    ScriptFlags found = 0;
    for (const script_flag::Name& name : script_flag::kNames) {
      if (equals_ignore_case(text_at(L, -1), name.text)) found = name.bit;
    }
    lua_pop(L, 1);
    if (found == 0) return false;
    flags |= found;
  }
}

// One key and value of the named form, on top; they stay there, but the callback is taken. An error
// text, or nothing.
std::string_view read_named(lua_State* L, LibraryLoad::Function& function, bool& has_name) {
  if (lua_type(L, -2) != LUA_TSTRING)
    return "named argument key given to server.register_function is not a string";
  const std::string_view key = text_at(L, -2);
  if (equals_ignore_case(key, "function_name")) {
    if (lua_isstring(L, -1) == 0)
      return "function_name argument given to server.register_function must be a string";
    function.about.name = text_at(L, -1);
    has_name = true;
  } else if (equals_ignore_case(key, "description")) {
    if (lua_isstring(L, -1) == 0)
      return "description argument given to server.register_function must be a string";
    function.about.description = std::string(text_at(L, -1));
  } else if (equals_ignore_case(key, "callback")) {
    if (!lua_isfunction(L, -1))
      return "callback argument given to server.register_function must be a function";
    lua_pushvalue(L, -1);
    luaL_unref(L, LUA_REGISTRYINDEX, function.ref);
    function.ref = luaL_ref(L, LUA_REGISTRYINDEX);
  } else if (equals_ignore_case(key, "flags")) {
    if (!lua_istable(L, -1)) {
      return "flags argument to server.register_function must be a table representing function "
             "flags";
    }
    if (!read_flags(L, function.about.flags)) return "unknown flag given";
  } else {
    return "unknown argument given to server.register_function";
  }
  return {};
}

std::string_view read_table(lua_State* L, LibraryLoad::Function& function) {
  if (!lua_istable(L, 1)) {
    return "calling server.register_function with a single argument is only applicable to Lua "
           "table (representing named arguments).";
  }
  bool has_name = false;
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_settop(L, 2)) {
    if (const std::string_view error = read_named(L, function, has_name); !error.empty())
      return error;
  }
  if (!has_name) return "server.register_function must get a function name argument";
  if (function.ref == LUA_NOREF) return "server.register_function must get a callback argument";
  return {};
}

std::string_view read_pair(lua_State* L, LibraryLoad::Function& function) {
  if (lua_isstring(L, 1) == 0) return "first argument to server.register_function must be a string";
  if (!lua_isfunction(L, 2))
    return "second argument to server.register_function must be a function";
  function.about.name = text_at(L, 1);
  lua_settop(L, 2);
  function.ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return {};
}

// Owns the function it reads; what it returns is a constant, so that the caller may raise.
std::string_view add_function(lua_State* L, LibraryLoad& load) {
  const int count = lua_gettop(L);
  if (count < 1 || count > 2) return "wrong number of arguments to server.register_function";
  LibraryLoad::Function function;
  std::string_view error = count == 1 ? read_table(L, function) : read_pair(L, function);
  if (error.empty()) return load.add(std::move(function));
  luaL_unref(L, LUA_REGISTRYINDEX, function.ref);
  return error;
}

}  // namespace

int register_function(lua_State* L) {
  LibraryLoad* load = Vm::of(L).loading();
  const std::string_view error =
      load == nullptr ? "server.register_function can only be called on FUNCTION LOAD command"
                      : add_function(L, *load);
  if (error.empty()) return 0;
  lua_settop(L, 0);
  push(L, "ERR ");
  push(L, error);
  lua_concat(L, 2);
  push_error(L, text_at(L, -1));
  return lua_error(L);
}

}  // namespace hearth::script
