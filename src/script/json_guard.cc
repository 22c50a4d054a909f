// lua-cjson counts the bytes of a text in an int and reserves six for each byte of a string, so
// that large values write past its buffer or let it grow for ever. What it is asked to write is
// measured first, by the same bound, and refused where it could pass kTextMost.
#include <climits>
#include <cstdint>

#include "src/script/sandbox.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

constexpr std::int64_t kTextMost = 1 << 30;
constexpr std::int64_t kScalarBytes = 40;      // the longest number, with what stands around it
constexpr std::int64_t kJsonDepthMost = 1000;  // cjson's own limit; a script may only lower it
constexpr std::int64_t kSparseRatioMost = 64, kSparseSafeMost = 65536;

// Takes what the value at `index` needs at most off `left`. False once that is less than nothing.
bool measure(lua_State* L, int index, std::int64_t depth, std::int64_t& left) {
  left -= kScalarBytes;
  Vm::spend(L, kScalarBytes / 2);
  if (lua_type(L, index) == LUA_TSTRING)
    left -= 6 * static_cast<std::int64_t>(lua_objlen(L, index));
  if (lua_type(L, index) != LUA_TTABLE || left < 0) return left >= 0;
  if (depth > kJsonDepthMost || lua_checkstack(L, 3) == 0) return true;  // cjson refuses it
  std::int64_t count = 0, highest = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    ++count;
    if (lua_type(L, -2) == LUA_TNUMBER) {
      const double key = lua_tonumber(L, -2);
      if (key > static_cast<double>(highest) && key < static_cast<double>(kTextMost))
        highest = static_cast<std::int64_t>(key);
    }
    const int top = lua_gettop(L);
    if (!measure(L, top - 1, kJsonDepthMost + 1, left) || !measure(L, top, depth + 1, left))
      return false;
    lua_pop(L, 1);
  }
  // An array with holes has a null in each, if there are not too many.
  const std::int64_t holes = highest - count;
  if (holes > 0 && holes <= count * kSparseRatioMost + kSparseSafeMost)
    left -= holes * kScalarBytes;
  return left >= 0;
}

// The original runs in the frame of its guard, for the sake of its error messages: it finds its
// settings in the first upvalue, and the guard finds the original in the second.
int original_codec(lua_State* L) { return lua_tocfunction(L, lua_upvalueindex(2))(L); }

int encode(lua_State* L) {
  std::int64_t left = kTextMost;
  if (lua_gettop(L) == 1 && !measure(L, 1, 0, left))
    return luaL_error(L, "Cannot serialise: the text would be too long");
  return original_codec(L);
}

int decode(lua_State* L) {
  if (lua_type(L, 1) == LUA_TSTRING && static_cast<std::int64_t>(lua_objlen(L, 1)) >= kTextMost)
    return luaL_error(L, "Cannot parse: the text is too long");
  if (lua_type(L, 1) == LUA_TSTRING) Vm::spend(L, lua_objlen(L, 1) * 4);
  return original_codec(L);
}

int bounded(lua_State* L, int index, std::int64_t least, std::int64_t most) {
  if (lua_isnoneornil(L, index) != 0) return 0;
  const lua_Number value = luaL_checknumber(L, index);
  luaL_argcheck(L, value >= static_cast<double>(least) && value <= static_cast<double>(most), index,
                "out of bounds");
  return 0;
}

int encode_max_depth(lua_State* L) {
  bounded(L, 1, 1, kJsonDepthMost);
  return original_codec(L);
}

int encode_sparse_array(lua_State* L) {
  bounded(L, 2, 1, kSparseRatioMost);
  bounded(L, 3, 0, kSparseSafeMost);
  return original_codec(L);
}

void guard_functions(lua_State* L);

int make_new(lua_State* L) {
  const int results = original_codec(L);
  guard_functions(L);
  return results;
}

// Of the table on top.
void guard_functions(lua_State* L) {
  struct Guard {
    const char* name;
    lua_CFunction function;
  };
  constexpr Guard kGuards[] = {{"encode", encode},
                               {"decode", decode},
                               {"encode_max_depth", encode_max_depth},
                               {"encode_sparse_array", encode_sparse_array},
                               {"new", make_new}};
  for (const Guard& guard : kGuards) {
    lua_getfield(L, -1, guard.name);
    if (lua_iscfunction(L, -1) == 0) {
      lua_pop(L, 1);
      continue;
    }
    if (lua_getupvalue(L, -1, 1) == nullptr) lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushcclosure(L, guard.function, 2);
    lua_setfield(L, -2, guard.name);
  }
}

}  // namespace

void protect_json_functions(lua_State* L) {
  lua_getglobal(L, "cjson");
  guard_functions(L);
  lua_pop(L, 1);
}

}  // namespace hearth::script
