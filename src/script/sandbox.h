// The world of a script; see vm.h for what is in it.
#pragma once

#include "src/script/lua.h"

namespace hearth::script {

class Vm;

// Places at the bottom of the main stack that stay as long as the interpreter.
enum Slot : int {
  kErrorHandler = 1,  // the message handler of every call
  kGlobals = 2,       // the table behind the globals: here KEYS and ARGV are set
  kEnvironment = 3,   // the read-only globals that scripts see
  kEnvironmentMeta = 4,
  kLoadGlobals = 5,  // the table behind the globals while a library is loaded
};

// Fills a new state. Must run in a protected call.
int build_world(lua_State* L);

// The table on top is replaced by one through which it can only be read.
void make_readonly(lua_State* L);

// Raises "Attempt to modify a readonly table".
int refuse_change(lua_State* L);
// An __index that refuses names that don't exist.
int refuse_unknown(lua_State* L);

// Pushes a table of functions and facts that is `redis` and `server` to scripts, or while a library
// is loaded.
void push_server_api(lua_State* L, const Vm& vm);
void push_load_api(lua_State* L, const Vm& vm);

// Puts functions that bound what C code does for a script in the place of the libraries' own: their
// names are globals of the state.
void protect_text_functions(lua_State* L);
// Also: table.insert, remove and sort would write past metatables.
void protect_table_functions(lua_State* L);
void protect_coroutines(lua_State* L);
void protect_json_functions(lua_State* L);

// Puts the functions of the base library that see through read-only tables, and those that would
// reach outside, in the place of Lua's own. `globals` is on top. with_deprecated: getfenv and
// setfenv stay.
void replace_base_functions(lua_State* L, bool with_deprecated);

}  // namespace hearth::script
