// Functions of the base library that read-only tables would mislead, and loaders that take no byte
// code.
#include <climits>
#include <cstdint>
#include <cstring>
#include <utility>

#include "src/script/proxy.h"
#include "src/script/sandbox.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

// The function that this one stands for is its first upvalue; it runs in the same frame, so that
// its error messages name the function as the script does.
int original_function(lua_State* L) { return lua_tocfunction(L, lua_upvalueindex(1))(L); }

int writes_first(lua_State* L) {
  if (push_real_table(L, 1)) return refuse_change(L);
  return original_function(L);
}

int reads_first(lua_State* L) {
  if (push_real_table(L, 1)) lua_replace(L, 1);
  return original_function(L);
}

int next(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (push_real_table(L, 1)) lua_replace(L, 1);
  if (lua_next(L, 1) != 0) return 2;
  lua_pushnil(L);
  return 1;
}

int pairs(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

// Lua counts the results in an int, which overflows before it is looked at.
int bounded_unpack(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const auto first = static_cast<std::int64_t>(luaL_optint(L, 2, 1));
  const auto last = lua_isnoneornil(L, 3) != 0 ? static_cast<std::int64_t>(lua_objlen(L, 1))
                                               : static_cast<std::int64_t>(luaL_checkint(L, 3));
  if (first > last) return 0;
  if (last - first >= INT_MAX || lua_checkstack(L, static_cast<int>(last - first) + 1) == 0)
    return luaL_error(L, "too many results to unpack");
  return original_function(L);
}

// The environment of the interpreter itself, and of functions that are not the script's, stays.
int set_environment(lua_State* L) {
  const bool is_thread = lua_isnumber(L, 1) != 0 && lua_tointeger(L, 1) == 0;
  if (is_thread || lua_iscfunction(L, 1) != 0) return refuse_change(L);
  return original_function(L);
}

// An error that a command made is a table; scripts have always got its text from pcall.
int protected_call(lua_State* L) {
  luaL_checkany(L, 1);
  const bool ok = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == 0;
  if (!ok && lua_istable(L, -1)) {
    if (raw_field(L, "err") == LUA_TSTRING)
      lua_replace(L, -2);
    else
      lua_pop(L, 1);
  }
  lua_pushboolean(L, ok ? 1 : 0);
  lua_insert(L, 1);
  return lua_gettop(L);
}

// Code that is handed to the compiler in small pieces, between which a script can be ended.
struct Source {
  static constexpr std::size_t kPieceMost = 64 * 1024;
  int reader = 0;           // the function that gives texts; 0: there is only `rest`
  int held = 0;             // where the text that `rest` is part of stands on the stack
  std::string_view rest{};  // of the present text
  bool begun = false;
  bool is_byte_code = false;
};

const char* next_piece(lua_State* L, void* data, std::size_t* size) {
  auto& source = *static_cast<Source*>(data);
  *size = 0;
  if (source.rest.empty() && source.reader != 0) {
    lua_pushvalue(L, source.reader);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      return nullptr;
    }
    if (lua_isstring(L, -1) == 0) luaL_error(L, "reader function must return a string");
    source.rest = text_at(L, -1);
    lua_replace(L, source.held);
  }
  if (source.rest.empty()) return nullptr;
  if (!std::exchange(source.begun, true) && source.rest.front() == LUA_SIGNATURE[0]) {
    source.is_byte_code = true;
    return nullptr;
  }
  const std::string_view piece = source.rest.substr(0, Source::kPieceMost);
  source.rest.remove_prefix(piece.size());
  Vm::spend(L, piece.size() * 4);
  *size = piece.size();
  return piece.data();
}

int load_source(lua_State* L, Source& source, const char* name) {
  const int status = lua_load(L, next_piece, &source, name);
  if (source.is_byte_code) {
    lua_pushnil(L);
    push(L, "byte code is not loaded");
    return 2;
  }
  if (status == 0) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

int load_string(lua_State* L) {
  std::size_t length = 0;
  const char* code = luaL_checklstring(L, 1, &length);
  const char* name = luaL_optstring(L, 2, code);
  Source source;
  source.rest = {code, length};
  return load_source(L, source, name);
}

// load(function [, name]): the pieces that the function returns, until nil or "".
int load_pieces(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  const char* name = luaL_optstring(L, 2, "=(load)");
  lua_settop(L, 3);
  Source source;
  source.reader = 1;
  source.held = 3;
  return load_source(L, source, name);
}

// Puts `with` in the place of the function `name` of the table on top; its upvalue is the old one.
void wrap(lua_State* L, const char* name, lua_CFunction with) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, with, 1);
  lua_setfield(L, -2, name);
}

}  // namespace

void replace_base_functions(lua_State* L, bool with_deprecated) {
  wrap(L, "unpack", bounded_unpack);
  for (const char* name : {"setmetatable", "rawset"}) wrap(L, name, writes_first);
  wrap(L, "rawget", reads_first);
  wrap(L, "setfenv", set_environment);
  lua_pushcfunction(L, next);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "next");
  lua_pushcclosure(L, pairs, 1);
  lua_setfield(L, -2, "pairs");
  lua_pushcfunction(L, protected_call);
  lua_setfield(L, -2, "pcall");
  lua_pushcfunction(L, load_string);
  lua_setfield(L, -2, "loadstring");
  lua_pushcfunction(L, load_pieces);
  lua_setfield(L, -2, "load");
  const auto remove = [&](const char* name) {
    lua_pushnil(L);
    lua_setfield(L, -2, name);
  };
  // Files, standard output; and newproxy, whose finalizers would run outside of any script.
  for (const char* name : {"dofile", "loadfile", "print", "newproxy"}) remove(name);
  if (with_deprecated) return;
  for (const char* name : {"getfenv", "setfenv"}) remove(name);
}

}  // namespace hearth::script
