#include "src/script/debugger.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "src/base/quote.h"
#include "src/command/script_host.h"
#include "src/proto/reply_parser.h"
#include "src/proto/reply_writer.h"

namespace hearth::script {
namespace {

constexpr int kShownDepthMost = 6;
constexpr std::int64_t kLinesAround = 5;

void describe(lua_State* L, int index, int depth, std::string& out) {
  if (index < 0 && index > LUA_REGISTRYINDEX) index = lua_gettop(L) + index + 1;
  switch (lua_type(L, index)) {
    case LUA_TSTRING: append_quoted(out, text_at(L, index)); return;
    case LUA_TNUMBER: out += double_text(lua_tonumber(L, index)); return;
    case LUA_TBOOLEAN: out += lua_toboolean(L, index) != 0 ? "true" : "false"; return;
    case LUA_TNIL: out += "nil"; return;
    case LUA_TTABLE: break;
    default: out += '"' + std::string(luaL_typename(L, index)) + '"'; return;
  }
  if (depth == kShownDepthMost || lua_checkstack(L, 4) == 0) {
    out += "{...}";
    return;
  }
  out += '{';
  bool first = true;
  double next = 1;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (!std::exchange(first, false)) out += "; ";
    const bool in_order = lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) == next;
    if (in_order) {
      ++next;
    } else {
      out += '[';
      describe(L, -2, depth + 1, out);
      out += "]=";
    }
    describe(L, -1, depth + 1, out);
  }
  out += '}';
}

std::string value_text(lua_State* L, int index) {
  std::string text;
  describe(L, index, 0, text);
  return text;
}

std::string reply_text(const RespValue& value) {
  switch (value.kind) {
    case RespKind::kNull: return "NULL";
    case RespKind::kInteger: return std::to_string(value.integer(0));
    case RespKind::kSimple:
    case RespKind::kError: return std::string(value.text());
    case RespKind::kArray:
    case RespKind::kSet:
    case RespKind::kPush:
    case RespKind::kMap: break;
    default: return quoted(value.text());
  }
  std::string text = "[";
  for (const RespValue& item : value.items())
    text += (text.size() == 1 ? "" : ",") + reply_text(item);
  return text + "]";
}

bool is(std::string_view word, std::string_view shorter, std::string_view longer) {
  return equals_ignore_case(word, shorter) || equals_ignore_case(word, longer);
}

constexpr std::string_view kHelp[] = {
    "s, step; n, next      Run the line and stop before the one behind it.",
    "c, continue           Run on to a breakpoint or the end.",
    "l, list [line [n]]    Show the script around a line.",
    "w, whole              Show the whole script.",
    "p, print [variable]   Show a local variable, or all of them.",
    "b, break [[-]line]    List breakpoints, set one, or remove one; 0 removes all.",
    "t, trace              Show which function called which.",
    "e, eval <code>        Run Lua code in a frame of its own.",
    "r, redis <command>    Run a command; server is another word for it.",
    "m, maxlen [length]    Cut lines at that length; 0 does not.",
    "a, abort              End the script with an error.",
    "In a script: redis.debug(...) shows values, redis.breakpoint() stops."};

}  // namespace

Debugger::Debugger(ScriptHost& host, std::string_view body) : host_(host) {
  for (;;) {
    const std::size_t end = body.find('\n');
    source_.emplace_back(body.substr(0, end));
    if (end == std::string_view::npos) break;
    body.remove_prefix(end + 1);
  }
}

void Debugger::log(std::string line) {
  for (char& c : line) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  if (length_most_ != 0 && line.size() > length_most_) {
    line.resize(length_most_);
    line += " ...";
  }
  lines_.push_back(std::move(line));
}

std::string Debugger::take_lines() {
  OutBuffer out;
  ReplyWriter reply(out, 2);
  reply.array(lines_.size());
  for (const std::string& line : lines_) reply.simple(line);
  lines_.clear();
  return out.str();
}

void Debugger::end(OutBuffer& out) {
  log("<endsession>");
  out.append(take_lines());
}

void Debugger::show_line(int line) {
  if (line < 1 || line > static_cast<int>(source_.size())) return;
  char head[32];
  std::snprintf(head, sizeof head, "%s%s%-3d ", line == line_ ? "->" : "  ",
                breakpoints_.contains(line) ? "#" : " ", line);
  log(head + source_[static_cast<std::size_t>(line - 1)]);
}

bool Debugger::on_line(lua_State* L, lua_Debug* at) {
  if (lua_getinfo(L, "Sl", at) == 0 || std::strstr(at->short_src, "user_script") == nullptr)
    return true;
  line_ = at->currentline;
  const bool is_breakpoint = breakpoints_.contains(line_);
  if (!stepping_ && !is_breakpoint && !called_) return true;
  const char* reason = called_         ? "redis.breakpoint() called"
                       : is_breakpoint ? "break point"
                                       : "step over";
  called_ = stepping_ = false;
  log("* Stopped at " + std::to_string(line_) + ", stop reason = " + reason);
  show_line(line_);
  return ask(L, at) == Next::kGo;
}

// Sends what there is to say and reads commands until one lets the script go on.
Debugger::Next Debugger::ask(lua_State* L, lua_Debug* at) {
  std::vector<std::string_view> words;
  std::string out = take_lines();
  for (;;) {
    words.clear();
    std::size_t used = 0;
    const auto status = parser_.next(input_, ParserLimits{}, words, used);
    if (status == RequestParser::Status::kError) return Next::kAbort;
    if (status == RequestParser::Status::kNeedMore) {
      if (!host_.exchange_blocking(out, input_)) return Next::kAbort;
      out.clear();
      continue;
    }
    const Next next = words.empty() ? Next::kAsk : obey(L, at, words);
    input_.erase(0, used);
    if (next != Next::kAsk) return next;
    if (!words.empty()) out += take_lines();
  }
}

Debugger::Next Debugger::obey(lua_State* L, lua_Debug* at,
                              std::span<const std::string_view> words) {
  const std::string_view verb = words[0];
  const std::size_t count = words.size();
  if (count == 1 && (is(verb, "s", "step") || is(verb, "n", "next"))) {
    stepping_ = true;
    return Next::kGo;
  }
  if (count == 1 && is(verb, "c", "continue")) return Next::kGo;
  if (count == 1 && is(verb, "a", "abort")) return Next::kAbort;
  if (count == 1 && is(verb, "h", "help")) {
    for (const std::string_view line : kHelp) log(std::string(line));
  } else if (count <= 3 && is(verb, "l", "list")) {
    list(words);
  } else if (count == 1 && is(verb, "w", "whole")) {
    for (int i = 1; i <= static_cast<int>(source_.size()); ++i) show_line(i);
  } else if (count <= 2 && is(verb, "p", "print")) {
    print(L, at, count == 2 ? words[1] : std::string_view());
  } else if (is(verb, "b", "break")) {
    change_breakpoints(words.subspan(1));
  } else if (count == 1 && is(verb, "t", "trace")) {
    trace(L);
  } else if (count > 1 && is(verb, "e", "eval")) {
    std::string code(words[1]);
    for (const std::string_view word : words.subspan(2)) code += " " + std::string(word);
    evaluate(L, code);
  } else if (count > 1 && (is(verb, "r", "redis") || equals_ignore_case(verb, "server"))) {
    run_command(L, words.subspan(1));
  } else if (count <= 2 && is(verb, "m", "maxlen")) {
    if (const auto most = count == 2 ? parse_uint64(words[1]) : std::nullopt) length_most_ = *most;
    log("<value> replies are cut at " + std::to_string(length_most_) + " bytes.");
  } else {
    log("<error> Unknown Lua debugger command or wrong number of arguments.");
  }
  return Next::kAsk;
}

void Debugger::list(std::span<const std::string_view> words) {
  const auto number = [&](std::size_t i, std::int64_t otherwise) {
    return i < words.size() ? parse_int64(words[i]).value_or(otherwise) : otherwise;
  };
  const auto lines = static_cast<std::int64_t>(source_.size());
  const std::int64_t around = std::clamp<std::int64_t>(number(1, line_), 1, lines);
  const std::int64_t width = std::clamp<std::int64_t>(number(2, kLinesAround), 0, lines);
  for (std::int64_t i = around - width; i <= around + width; ++i) show_line(static_cast<int>(i));
}

void Debugger::print(lua_State* L, lua_Debug* at, std::string_view name) {
  bool found = false;
  const char* local = nullptr;
  for (int i = 1; (local = lua_getlocal(L, at, i)) != nullptr; ++i) {
    const bool is_own = local[0] != '(';
    if (name.empty() ? is_own : name == local) {
      log("<value> " + (name.empty() ? std::string(local) + " = " : std::string()) +
          value_text(L, -1));
      found = true;
    }
    lua_pop(L, 1);
  }
  // KEYS and ARGV are globals.
  for (const char* global : {"KEYS", "ARGV"}) {
    if (!name.empty() && (found || name != global)) continue;
    lua_getglobal(L, global);
    log("<value> " + (name.empty() ? std::string(global) + " = " : std::string()) +
        value_text(L, -1));
    lua_pop(L, 1);
    found = !name.empty();
  }
  if (!found && !name.empty()) log("No such variable.");
}

void Debugger::change_breakpoints(std::span<const std::string_view> words) {
  for (const std::string_view word : words) {
    const std::int64_t line = parse_int64(word).value_or(INT64_MAX);
    if (line == 0) {
      breakpoints_.clear();
    } else if (line < 0) {
      breakpoints_.erase(static_cast<int>(-line));
    } else if (line <= static_cast<std::int64_t>(source_.size())) {
      breakpoints_.insert(static_cast<int>(line));
      show_line(static_cast<int>(line));
    } else {
      log("Invalid argument:" + std::string(word));
    }
  }
  if (!words.empty()) return;
  log(std::to_string(breakpoints_.size()) + " breakpoints set:");
  for (const int line : breakpoints_) show_line(line);
}

void Debugger::trace(lua_State* L) {
  lua_Debug frame{};
  for (int level = 0; lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Snl", &frame);
    if (std::strstr(frame.short_src, "user_script") == nullptr) continue;
    log((level == 0 ? "In " : "From ") +
        std::string(frame.name != nullptr ? frame.name : "top level") + ":");
    show_line(frame.currentline);
  }
}

// Code that is an expression shows its value.
void Debugger::evaluate(lua_State* L, std::string_view code) {
  const int top = lua_gettop(L);
  const std::string expression = "return " + std::string(code);
  if (luaL_loadbuffer(L, expression.data(), expression.size(), "@ldb_eval") != 0) {
    lua_settop(L, top);
    if (luaL_loadbuffer(L, code.data(), code.size(), "@ldb_eval") != 0) {
      log("<error> " + std::string(text_at(L, -1)));
      return lua_settop(L, top);
    }
  }
  const bool ok = lua_pcall(L, 0, 1, 0) == 0;
  log((ok ? "<retval> " : "<error> ") + value_text(L, -1));
  lua_settop(L, top);
}

void Debugger::run_command(lua_State* L, std::span<const std::string_view> words) {
  static_cast<void>(L);
  log_command(words);
  log_reply(host_.call(words).str());
}

void Debugger::log_command(std::span<const std::string_view> words) {
  std::string line = "<redis>";
  for (const std::string_view word : words) line += " " + std::string(word);
  log(std::move(line));
}

void Debugger::log_reply(std::string_view reply) {
  ReplyParser parser;
  parser.feed(reply);
  const auto value = parser.next();
  if (value && value->has_value()) log("<reply> " + reply_text(**value));
}

void Debugger::log_values(lua_State* L) {
  std::string line = "<debug> line " + std::to_string(line_) + ": ";
  const int count = lua_gettop(L);
  for (int i = 1; i <= count; ++i) line += (i > 1 ? ", " : "") + value_text(L, i);
  log(std::move(line));
}

}  // namespace hearth::script
