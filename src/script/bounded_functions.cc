// Functions of `string`, `table` and `coroutine` that could do more work for one instruction than
// anybody waits for.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "src/script/patterns.h"
#include "src/script/proxy.h"
#include "src/script/sandbox.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

constexpr std::int64_t kTextBytesMost = std::int64_t{512} << 20;
// Comparisons of a sort without a function of the script between two tellings.
constexpr int kComparisonsAtOnce = 1024;

int original(lua_State* L) { return lua_tocfunction(L, lua_upvalueindex(1))(L); }

int repeat(lua_State* L) {
  std::size_t length = 0;
  const char* text = luaL_checklstring(L, 1, &length);
  const auto times = static_cast<std::int64_t>(luaL_checkint(L, 2));
  if (times <= 0 || length == 0) {
    push(L, "");
    return 1;
  }
  if (static_cast<std::int64_t>(length) > kTextBytesMost / times)
    return luaL_error(L, "resulting string too large");
  const std::size_t whole = length * static_cast<std::size_t>(times);
  auto* bytes = static_cast<char*>(lua_newuserdata(L, whole));
  std::memcpy(bytes, text, length);
  for (std::size_t done = length; done < whole;) {
    const std::size_t more = std::min(done, whole - done);
    std::memcpy(bytes + done, bytes, more);
    done += more;
  }
  lua_pushlstring(L, bytes, whole);
  return 1;
}

// insert and remove move what stands behind.
int walks_table(lua_State* L) {
  if (push_real_table(L, 1)) return refuse_change(L);
  if (lua_istable(L, 1)) Vm::spend(L, lua_objlen(L, 1) / 4);
  return original(L);
}
// At the end nothing moves.
int at_end(lua_State* L) {
  if (push_real_table(L, 1)) return refuse_change(L);
  return original(L);
}
int inserts(lua_State* L) { return lua_gettop(L) < 3 ? at_end(L) : walks_table(L); }
int removes(lua_State* L) { return lua_gettop(L) < 2 ? at_end(L) : walks_table(L); }

// --- sort ---
//
// A merge sort: n log n comparisons whatever the function says, equal ones stay in their order. The
// quick sort of Lua takes n * n for inputs made for it, and without a function of the script it
// runs no instruction on the way.

enum SortSlot : int { kTable = 1, kLess = 2, kFrom = 3, kTo = 4 };

bool is_less(lua_State* L, bool by_function, int& untold) {
  if (by_function) {
    lua_pushvalue(L, kLess);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    const bool less = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return less;
  }
  if (++untold == kComparisonsAtOnce) {
    untold = 0;
    Vm::spend(L, kComparisonsAtOnce * 8);
  }
  return lua_lessthan(L, -2, -1) != 0;
}

// Merges the runs [low, middle) and [middle, high) of kFrom into kTo.
void merge(lua_State* L, int low, int middle, int high, bool by_function, int& untold) {
  int a = low, b = middle;
  for (int out = low; out < high; ++out) {
    bool take_second = a == middle;
    if (a < middle && b < high) {
      lua_rawgeti(L, kFrom, b);
      lua_rawgeti(L, kFrom, a);
      take_second = is_less(L, by_function, untold);
      lua_pop(L, 2);
    }
    lua_rawgeti(L, kFrom, take_second ? b++ : a++);
    lua_rawseti(L, kTo, out);
  }
}

int sort(lua_State* L) {
  if (push_real_table(L, 1)) return refuse_change(L);
  luaL_checktype(L, kTable, LUA_TTABLE);
  const int n = luaL_getn(L, kTable);
  const bool by_function = !lua_isnoneornil(L, 2);
  if (by_function) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  luaL_checkstack(L, 8, "");
  if (n < 2) return 0;
  lua_createtable(L, n, 0);
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; ++i) {
    lua_rawgeti(L, kTable, i);
    lua_rawseti(L, kFrom, i);
  }
  int untold = 0;
  for (std::int64_t run = 1; run < n; run *= 2) {
    for (std::int64_t low = 1; low <= n; low += 2 * run) {
      const auto middle = static_cast<int>(std::min<std::int64_t>(low + run, n + 1));
      const auto high = static_cast<int>(std::min<std::int64_t>(low + 2 * run, n + 1));
      merge(L, static_cast<int>(low), middle, high, by_function, untold);
    }
    lua_pushvalue(L, kFrom);  // the two change places
    lua_pushvalue(L, kTo);
    lua_replace(L, kFrom);
    lua_replace(L, kTo);
  }
  for (int i = 1; i <= n; ++i) {
    lua_rawgeti(L, kFrom, i);
    lua_rawseti(L, kTable, i);
  }
  return 0;
}

// --- coroutines: the Vm is told which one runs ---

int resume(lua_State* L) {
  lua_State* co = lua_tothread(L, 1);
  if (co == nullptr) return original(L);
  if (lua_checkstack(co, lua_gettop(L)) == 0) return luaL_error(L, "too many arguments to resume");
  Vm& vm = Vm::of(L);
  vm.enter(co);
  const int results = original(L);
  vm.enter(L);
  return results;
}

// Upvalues: resume, the coroutine.
int resume_wrapped(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 2);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  if (lua_toboolean(L, 1) != 0) return lua_gettop(L) - 1;
  lua_settop(L, 2);
  if (lua_isstring(L, 2) != 0) {  // told with where the coroutine was called
    luaL_where(L, 1);
    lua_insert(L, 2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

// Upvalues: create, resume.
int wrap_coroutine(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_pushcclosure(L, resume_wrapped, 2);
  return 1;
}

void replace(lua_State* L, const char* name, lua_CFunction with) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, with, 1);
  lua_setfield(L, -2, name);
}

}  // namespace

void protect_text_functions(lua_State* L) {
  lua_getglobal(L, "string");
  replace_pattern_functions(L);
  lua_pushcfunction(L, repeat);
  lua_setfield(L, -2, "rep");
  lua_pop(L, 1);
}

void protect_table_functions(lua_State* L) {
  lua_getglobal(L, "table");
  replace(L, "insert", inserts);
  replace(L, "remove", removes);
  lua_pushcfunction(L, sort);
  lua_setfield(L, -2, "sort");
  lua_pop(L, 1);
}

void protect_coroutines(lua_State* L) {
  lua_getglobal(L, "coroutine");
  replace(L, "resume", resume);
  lua_getfield(L, -1, "create");
  lua_getfield(L, -2, "resume");
  lua_pushcclosure(L, wrap_coroutine, 2);
  lua_setfield(L, -2, "wrap");
  lua_pop(L, 1);
}

}  // namespace hearth::script
