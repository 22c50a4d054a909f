// Libraries for scripts that we wrote; each function leaves its table of functions on the stack.
#pragma once

#include "src/script/lua.h"

namespace hearth::script {

// bit: operations on 32-bit integers.
// Source: the public description of Lua BitOp's functions and their semantics.
int open_bit(lua_State* L);

// cmsgpack: pack, unpack, unpack_one, unpack_limit.
// Source: the MessagePack specification; integral numbers are packed as integers, tables whose keys
// are 1 .. n as arrays, others as maps; tables deeper than 16 as nil.
int open_msgpack(lua_State* L);

// struct: pack, unpack and size of binary records.
// Source: the public documentation of the library's format letters.
int open_struct(lua_State* L);

}  // namespace hearth::script
