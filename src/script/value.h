// Replies of commands as Lua values, and Lua values as replies.
//
//   RESP                    Lua                                   back
//   integer                 number                                truncated to an integer
//   bulk                    string                                bulk
//   null (RESP2)            false                                 null
//   null (RESP3)            nil                                   null
//   array                   table 1 .. n                          up to its first nil
//   status, error           {ok = text}, {err = text}             status, error
//   map, set                {map = {k = v}}, {set = {k = true}}   map, set
//   double, big number      {double = n}, {big_number = text}     double, big number
//   verbatim string         {verbatim_string = {format, string}}  verbatim string
//   boolean                 boolean                               1 and null, or boolean (RESP3)
#pragma once

#include <string_view>

#include "src/command/script_control.h"
#include "src/proto/reply_writer.h"
#include "src/script/lua.h"

namespace hearth::script {

// Pushes a reply that the server made. Its bytes are known to be well-formed.
void push_reply(lua_State* L, std::string_view reply);

// Pushes the table that stands for an error. The text starts with its code.
void push_error(lua_State* L, std::string_view text);
// The same for an error that a command made, which the statistics know already.
void push_counted_error(lua_State* L, std::string_view text);

// Writes the value on top of the stack and takes it from there. script_resp: the version that the
// script speaks; it decides what booleans are.
void write_value(lua_State* L, ReplyWriter& reply, int script_resp, ScriptHost& host);

}  // namespace hearth::script
