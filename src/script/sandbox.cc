// A read-only table is an empty one whose metatable forwards reads to the real table. The metatable
// holds the real table under a key that no script can make, and shows itself to scripts as yet
// another read-only table. Functions of the base library that would see the emptiness, or write
// past the metatable, are replaced in base_functions.cc.
#include "src/script/sandbox.h"

extern "C" {
#include <lua-cjson.h>
}

#include <cmath>
#include <cstring>

#include "src/script/modules.h"
#include "src/script/proxy.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

// Its address is the key in the metatable.
constexpr char kRealTable = 0;

void open(lua_State* L, const char* name, lua_CFunction library) {
  lua_pushcfunction(L, library);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

void open_ours(lua_State* L, const char* name, lua_CFunction library) {
  lua_pushcfunction(L, library);
  lua_call(L, 0, 1);
  lua_setglobal(L, name);
}

// math.random with a generator of our own, so that a seed gives the same numbers everywhere: the
// linear congruential generator of 48 bits that POSIX describes for lrand48.
constexpr std::uint64_t kLcgFactor = 0x5deece66dULL, kLcgAddend = 0xb, kLcgMask = (1ULL << 48) - 1;

double next_unit(Vm& vm) {
  std::uint64_t& state = vm.random_state();
  state = (state * kLcgFactor + kLcgAddend) & kLcgMask;
  return static_cast<double>(state) / static_cast<double>(kLcgMask + 1);
}

int random(lua_State* L) {
  Vm& vm = Vm::of(L);
  const int count = lua_gettop(L);
  if (count > 2) return luaL_error(L, "wrong number of arguments");
  if (count == 0) {
    lua_pushnumber(L, next_unit(vm));
    return 1;
  }
  const double low = count == 2 ? std::floor(luaL_checknumber(L, 1)) : 1;
  const double high = std::floor(luaL_checknumber(L, count));
  luaL_argcheck(L, low <= high, count, "interval is empty");
  lua_pushnumber(L, low + std::floor(next_unit(vm) * (high - low + 1)));
  return 1;
}

int randomseed(lua_State* L) {
  constexpr std::uint64_t kLow = 0x330e;  // what srand48 puts below the seed
  const auto seed = static_cast<std::uint32_t>(luaL_checkinteger(L, 1));
  Vm::of(L).random_state() = (static_cast<std::uint64_t>(seed) << 16) | kLow;
  return 0;
}

// The message handler: every error becomes a table with the text and where it was raised. An error
// inside a C function is told as its caller's.
int handle_error(lua_State* L) {
  lua_settop(L, 1);
  if (!lua_istable(L, 1)) {
    const char* text = lua_tostring(L, 1);
    lua_pushfstring(L, "ERR %s", text != nullptr ? text : luaL_typename(L, 1));
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "err");
    lua_replace(L, 1);
  }
  lua_Debug at{};
  bool known = lua_getstack(L, 1, &at) != 0 && lua_getinfo(L, "Sl", &at) != 0;
  if (known && std::strcmp(at.what, "C") == 0)
    known = lua_getstack(L, 2, &at) != 0 && lua_getinfo(L, "Sl", &at) != 0;
  if (known) {
    push(L, "source");
    lua_pushstring(L, at.source);
    lua_rawset(L, 1);
    push(L, "line");
    lua_pushinteger(L, at.currentline);
    lua_rawset(L, 1);
  }
  return 1;
}

void protect_global(lua_State* L, const char* name) {
  lua_getfield(L, LUA_GLOBALSINDEX, name);
  make_readonly(L);
  lua_setfield(L, LUA_GLOBALSINDEX, name);
}

// Texts have a metatable of their own, whose functions scripts must not replace either.
void protect_texts(lua_State* L) {
  push(L, "");
  lua_getmetatable(L, -1);
  lua_newtable(L);
  make_readonly(L);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

void open_libraries(lua_State* L) {
  open(L, "", luaopen_base);
  open(L, LUA_TABLIBNAME, luaopen_table);
  open(L, LUA_STRLIBNAME, luaopen_string);
  open(L, LUA_MATHLIBNAME, luaopen_math);
  open(L, LUA_OSLIBNAME, luaopen_os);
  // Of os, only the clock.
  lua_getglobal(L, "os");
  lua_getfield(L, -1, "clock");
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "clock");
  lua_setglobal(L, "os");
  lua_pop(L, 1);
  lua_getglobal(L, "math");
  lua_pushcfunction(L, random);
  lua_setfield(L, -2, "random");
  lua_pushcfunction(L, randomseed);
  lua_setfield(L, -2, "randomseed");
  lua_pop(L, 1);
  lua_pushcfunction(L, luaopen_cjson);
  lua_call(L, 0, 1);
  lua_setglobal(L, "cjson");
  protect_json_functions(L);
  protect_text_functions(L);
  protect_table_functions(L);
  protect_coroutines(L);
  open_ours(L, "bit", open_bit);
  open_ours(L, "cmsgpack", open_msgpack);
  open_ours(L, "struct", open_struct);
}

// A table that can't be reached by name has an error in the place of nil.
void refuse_unknown_names(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, refuse_unknown);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

}  // namespace

int refuse_change(lua_State* L) { return luaL_error(L, "Attempt to modify a readonly table"); }

int refuse_unknown(lua_State* L) {
  const char* name = lua_tostring(L, 2);
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'",
                    name != nullptr ? name : luaL_typename(L, 2));
}

void make_readonly(lua_State* L) {
  lua_newtable(L);                                           // real, proxy
  lua_newtable(L);                                           // real, proxy, metatable
  lua_pushlightuserdata(L, const_cast<char*>(&kRealTable));  // NOLINT: only its address counts
  lua_pushvalue(L, -4);
  lua_rawset(L, -3);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, refuse_change);
  lua_setfield(L, -2, "__newindex");
  // The answer of getmetatable: a table that can't be changed and says nothing.
  lua_newtable(L);
  lua_newtable(L);
  lua_pushcfunction(L, refuse_change);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

bool push_real_table(lua_State* L, int index) {
  if (!lua_istable(L, index) || lua_getmetatable(L, index) == 0) return false;
  lua_pushlightuserdata(L, const_cast<char*>(&kRealTable));  // NOLINT
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_istable(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

int build_world(lua_State* L) {
  Vm& vm = Vm::of(L);
  lua_settop(L, 0);
  open_libraries(L);
  protect_texts(L);
  for (const char* name :
       {"string", "table", "math", "os", "coroutine", "cjson", "bit", "cmsgpack", "struct"}) {
    protect_global(L, name);
  }
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  replace_base_functions(L, vm.host().has_deprecated_api());
  push_server_api(L, vm);
  make_readonly(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "redis");
  lua_setfield(L, -2, "server");
  lua_pop(L, 1);

  lua_pushcfunction(L, handle_error);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  refuse_unknown_names(L);
  lua_pushvalue(L, -1);
  make_readonly(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, kGlobals, "_G");
  lua_getmetatable(L, -1);
  lua_newtable(L);
  push_load_api(L, vm);
  refuse_unknown_names(L);
  make_readonly(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "redis");
  lua_setfield(L, -2, "server");
  refuse_unknown_names(L);
  lua_pushvalue(L, kEnvironment);
  lua_replace(L, LUA_GLOBALSINDEX);
  return kLoadGlobals;
}

}  // namespace hearth::script
