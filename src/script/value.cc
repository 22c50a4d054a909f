#include "src/script/value.h"

#include <charconv>
#include <cmath>
#include <string>

#include "src/base/parse_number.h"
#include "src/command/script_host.h"

namespace hearth::script {
namespace {

// Stack that one level of a value needs at most.
constexpr int kLevel = 6;
// Levels of tables in a reply; a table may hold itself.
constexpr int kReplyDepthMost = 1000;

class ReplyPusher {
 public:
  ReplyPusher(lua_State* L, std::string_view bytes)
      : L_(L), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  void value() {
    if (lua_checkstack(L_, kLevel) == 0) {
      luaL_error(L_, "reached lua stack limit");
      return;
    }
    const char kind = *at_++;
    switch (kind) {
      case '$': return bulk();
      case ':': return lua_pushnumber(L_, static_cast<double>(number()));
      case '+': return field("ok", line());
      case '-': return error();
      case '*':
      case '>': return array();
      case '%': return map();
      case '~': return set();
      case '_': line(); return lua_pushnil(L_);
      case '#': return lua_pushboolean(L_, line() == "t" ? 1 : 0);
      case ',': return real();
      case '(': return field("big_number", line());
      case '=': return verbatim();
      case '|': return attribute();
      default: return lua_pushnil(L_);
    }
  }

 private:
  std::string_view line() {
    const char* start = at_;
    while (at_ < end_ && *at_ != '\r') ++at_;
    const std::string_view text(start, static_cast<std::size_t>(at_ - start));
    at_ += 2;
    return text;
  }
  std::int64_t number() {
    std::int64_t value = 0;
    at_ = std::from_chars(at_, end_, value).ptr + 2;
    return value;
  }
  std::string_view bytes(std::int64_t length) {
    const std::string_view text(at_, static_cast<std::size_t>(length));
    at_ += length + 2;
    return text;
  }

  void field(std::string_view name, std::string_view text) {
    lua_createtable(L_, 0, 1);
    push(L_, name);
    push(L_, text);
    lua_rawset(L_, -3);
  }
  void bulk() {
    const std::int64_t length = number();
    if (length < 0) return lua_pushboolean(L_, 0);
    push(L_, bytes(length));
  }
  void error() { push_counted_error(L_, line()); }
  void array() {
    const std::int64_t count = number();
    if (count < 0) return lua_pushboolean(L_, 0);
    lua_createtable(L_, static_cast<int>(count), 0);
    for (std::int64_t i = 1; i <= count; ++i) {
      value();
      lua_rawseti(L_, -2, static_cast<int>(i));
    }
  }
  void map() {
    const std::int64_t pairs = number();
    lua_createtable(L_, 0, 1);
    push(L_, "map");
    lua_createtable(L_, 0, static_cast<int>(pairs));
    for (std::int64_t i = 0; i < pairs; ++i) {
      value();
      value();
      put();
    }
    lua_rawset(L_, -3);
  }
  void set() {
    const std::int64_t count = number();
    lua_createtable(L_, 0, 1);
    push(L_, "set");
    lua_createtable(L_, 0, static_cast<int>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      value();
      lua_pushboolean(L_, 1);
      put();
    }
    lua_rawset(L_, -3);
  }
  // table[key] = value, where nil is no key.
  void put() {
    if (lua_isnil(L_, -2))
      lua_pop(L_, 2);
    else
      lua_rawset(L_, -3);
  }
  void real() {
    const std::string_view text = line();
    lua_createtable(L_, 0, 1);
    push(L_, "double");
    lua_pushnumber(L_, text == "nan" ? std::nan("") : parse_double(text).value_or(0));
    lua_rawset(L_, -3);
  }
  void verbatim() {
    const std::string_view text = bytes(number());
    lua_createtable(L_, 0, 1);
    push(L_, "verbatim_string");
    lua_createtable(L_, 0, 2);
    push(L_, "format");
    push(L_, text.substr(0, 3));
    lua_rawset(L_, -3);
    push(L_, "string");
    push(L_, text.substr(4));
    lua_rawset(L_, -3);
    lua_rawset(L_, -3);
  }
  // Scripts are not told of attributes, only of what follows them.
  void attribute() {
    for (std::int64_t left = 2 * number(); left > 0; --left) {
      value();
      lua_pop(L_, 1);
    }
    value();
  }

  lua_State* L_;
  const char* at_;
  const char* end_;
};

// A line of a reply can't hold CR and LF.
std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return line;
}

class ValueWriter {
 public:
  ValueWriter(lua_State* L, ReplyWriter& reply, int script_resp, ScriptHost& host)
      : L_(L), reply_(reply), script_resp_(script_resp), host_(host) {}

  // Consumes the value on top.
  void value() {
    if (depth_ == kReplyDepthMost || lua_checkstack(L_, kLevel) == 0) {
      reply_.error("ERR reached lua stack limit");
      return lua_pop(L_, 1);
    }
    ++depth_;
    switch (lua_type(L_, -1)) {
      case LUA_TSTRING: reply_.bulk(text_at(L_, -1)); break;
      case LUA_TNUMBER: reply_.integer(truncated(lua_tonumber(L_, -1))); break;
      case LUA_TBOOLEAN: boolean(lua_toboolean(L_, -1) != 0); break;
      case LUA_TTABLE: table(); break;
      default: reply_.null(); break;
    }
    --depth_;
    lua_pop(L_, 1);
  }

 private:
  static std::int64_t truncated(double value) {
    constexpr double kMost = 9223372036854775807.0;
    if (std::isnan(value)) return INT64_MIN;
    if (value >= kMost) return INT64_MAX;
    return value <= -kMost ? INT64_MIN : static_cast<std::int64_t>(value);
  }

  void boolean(bool value) {
    if (script_resp_ >= 3) return reply_.boolean(value);
    value ? reply_.integer(1) : reply_.null();
  }

  // The table is on top and stays there.
  void table() {
    if (raw_field(L_, "err") == LUA_TSTRING) {
      error(text_at(L_, -1));
    } else if (lua_pop(L_, 1); raw_field(L_, "ok") == LUA_TSTRING) {
      reply_.simple(one_line(text_at(L_, -1)));
    } else if (lua_pop(L_, 1); raw_field(L_, "double") == LUA_TNUMBER) {
      reply_.real(lua_tonumber(L_, -1));
    } else if (lua_pop(L_, 1); raw_field(L_, "big_number") == LUA_TSTRING) {
      reply_.big_number(one_line(text_at(L_, -1)));
    } else if (lua_pop(L_, 1); raw_field(L_, "verbatim_string") == LUA_TTABLE && verbatim()) {
    } else if (lua_pop(L_, 1); raw_field(L_, "map") == LUA_TTABLE) {
      reply_.map(size());
      for (lua_pushnil(L_); lua_next(L_, -2) != 0;) {
        lua_pushvalue(L_, -2);
        value();
        value();
      }
    } else if (lua_pop(L_, 1); raw_field(L_, "set") == LUA_TTABLE) {
      reply_.set(size());
      for (lua_pushnil(L_); lua_next(L_, -2) != 0;) {
        lua_pop(L_, 1);
        lua_pushvalue(L_, -1);
        value();
      }
    } else {
      lua_pop(L_, 1);
      return array();
    }
    lua_pop(L_, 1);
  }

  void error(std::string_view text) {
    lua_pushvalue(L_, -2);
    const bool counted = raw_field(L_, "ignore_error_stats_update") == LUA_TBOOLEAN;
    lua_pop(L_, 2);
    if (!counted) host_.count_script_error(text);
    reply_.error(text);
  }

  // The table with format and string is on top and stays there.
  bool verbatim() {
    const bool complete = raw_field(L_, "format") == LUA_TSTRING;
    lua_pushvalue(L_, -2);
    const bool has_text = raw_field(L_, "string") == LUA_TSTRING;
    if (complete && has_text) {
      std::string format(text_at(L_, -3).substr(0, 3));
      format.resize(3, ' ');
      reply_.verbatim(format, text_at(L_, -1));
    }
    lua_pop(L_, 3);
    return complete && has_text;
  }

  std::size_t size() {
    std::size_t count = 0;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) ++count;
    return count;
  }

  void array() {
    std::size_t count = 0;
    for (;; ++count) {
      lua_rawgeti(L_, -1, static_cast<int>(count + 1));
      const bool is_end = lua_isnil(L_, -1);
      lua_pop(L_, 1);
      if (is_end) break;
    }
    reply_.array(count);
    for (std::size_t i = 1; i <= count; ++i) {
      lua_rawgeti(L_, -1, static_cast<int>(i));
      value();
    }
  }

  lua_State* L_;
  ReplyWriter& reply_;
  int script_resp_;
  ScriptHost& host_;
  int depth_ = 0;
};

// The greatest size of a reply. A table that many others hold is written once for each, so that a
// small script could make one that never ends.
constexpr std::int64_t kReplyBytesMost = std::int64_t{512} << 20;
constexpr std::int64_t kValueBytes = 16;

// Takes what the value on top needs at least off `left`. False once that is less than nothing.
bool measure_reply(lua_State* L, int depth, std::int64_t& left) {
  left -= kValueBytes;
  if (lua_type(L, -1) == LUA_TSTRING) left -= static_cast<std::int64_t>(lua_objlen(L, -1));
  if (left < 0 || lua_type(L, -1) != LUA_TTABLE) return left >= 0;
  if (depth == kReplyDepthMost || lua_checkstack(L, 3) == 0) return true;  // ends there
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (!measure_reply(L, depth + 1, left)) return false;
  }
  return true;
}

}  // namespace

void push_reply(lua_State* L, std::string_view reply) { ReplyPusher(L, reply).value(); }

void push_error(lua_State* L, std::string_view text) {
  lua_createtable(L, 0, 3);
  push(L, "err");
  push(L, text);
  lua_rawset(L, -3);
}

void push_counted_error(lua_State* L, std::string_view text) {
  push_error(L, text);
  push(L, "ignore_error_stats_update");
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
}

void write_value(lua_State* L, ReplyWriter& reply, int script_resp, ScriptHost& host) {
  std::int64_t left = kReplyBytesMost;
  const int top = lua_gettop(L);
  if (lua_istable(L, -1) && !measure_reply(L, 0, left)) {
    lua_settop(L, top - 1);
    return reply.error("ERR the reply of the script would be too long");
  }
  ValueWriter(L, reply, script_resp, host).value();
}

}  // namespace hearth::script
