// The server's table, as scripts know it under the names `redis` and `server`.
#include <span>
#include <string>
#include <utility>

#include "src/base/log.h"
#include "src/base/sha1.h"
#include "src/command/script_host.h"
#include "src/script/debugger.h"
#include "src/script/library_api.h"
#include "src/script/sandbox.h"
#include "src/script/value.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

constexpr std::size_t kStepsPerCommand = 100;

int raise(lua_State* L, std::string_view text) {
  push_error(L, text);
  return lua_error(L);
}

// Runs the command that the arguments say and leaves its reply alone on the stack. True: it is an
// error. Owns nothing when it returns, so that the caller may raise.
bool run_command(lua_State* L) {
  Vm& vm = Vm::of(L);
  if (!vm.running()) {
    lua_settop(L, 0);
    push_error(L, "ERR commands can only be called while a script runs");
    return true;
  }
  if (lua_gettop(L) == 0) {
    push_error(L, "ERR Please specify at least one argument for this call");
    return true;
  }
  Vm::spend(L, 0);
  const auto words = vm.words(L);
  if (!words) {
    lua_settop(L, 0);
    push_error(L, "ERR Command arguments must be strings or integers");
    return true;
  }
  if (vm.debugger() != nullptr) vm.debugger()->log_command(*words);
  const std::string_view reply = vm.whole(vm.host().call(*words));
  // Some nanoseconds for each byte, and what any command costs. Told before the next one, since
  // this one has changed data and its reply stands in the Vm.
  vm.owe(kStepsPerCommand + reply.size());
  if (vm.debugger() != nullptr) vm.debugger()->log_reply(reply);
  lua_settop(L, 0);
  push_reply(L, reply);
  return reply.starts_with('-');
}

int call(lua_State* L) { return run_command(L) ? lua_error(L) : 1; }
int pcall(lua_State* L) {
  static_cast<void>(run_command(L));
  return 1;
}

int sha1hex(lua_State* L) {
  if (lua_gettop(L) != 1) return raise(L, "ERR wrong number of arguments");
  const std::string_view text = lua_isstring(L, 1) != 0 ? text_at(L, 1) : std::string_view();
  Vm::spend(L, text.size());
  static constexpr char kDigits[] = "0123456789abcdef";
  char digest[40];
  char* out = digest;
  for (const std::uint8_t byte : sha1(text)) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  push(L, {digest, sizeof digest});
  return 1;
}

bool has_one_text(lua_State* L) {
  if (lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING) return true;
  push_error(L, "ERR wrong number or type of arguments");
  return false;
}

// A text of one word has no code: it gets one.
int error_reply(lua_State* L) {
  if (!has_one_text(L)) return 1;
  std::string_view text = text_at(L, 1);
  if (text.starts_with('-')) text.remove_prefix(1);
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.find(' ') != std::string_view::npos) {
    push_error(L, text);
    return 1;
  }
  push(L, "ERR ");
  push(L, text);
  lua_concat(L, 2);
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "err");
  return 1;
}

int status_reply(lua_State* L) {
  if (!has_one_text(L)) return 1;
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "ok");
  return 1;
}

int set_repl(lua_State* L) {
  if (lua_gettop(L) != 1) return raise(L, "ERR server.set_repl() requires one argument.");
  const lua_Integer targets = lua_tointeger(L, 1);
  if ((targets & ~static_cast<lua_Integer>(script_target::kAll)) != 0) {
    return raise(L,
                 "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or "
                 "REPL_NONE.");
  }
  Vm& vm = Vm::of(L);
  if (vm.running()) vm.host().set_script_targets(static_cast<std::uint8_t>(targets));
  return 0;
}

// Scripts have been replicated by their effects for long.
int replicate_commands(lua_State* L) {
  lua_pushboolean(L, 1);
  return 1;
}

int setresp(lua_State* L) {
  if (lua_gettop(L) != 1) return raise(L, "ERR server.setresp() requires one argument.");
  const lua_Integer version = lua_tointeger(L, 1);
  if (version != 2 && version != 3) return raise(L, "ERR RESP version must be 2 or 3.");
  Vm& vm = Vm::of(L);
  if (vm.running()) vm.host().set_script_resp(static_cast<int>(version));
  return 0;
}

int acl_check_cmd(lua_State* L) {
  Vm& vm = Vm::of(L);
  if (lua_gettop(L) == 0) return raise(L, "ERR Please specify at least one argument for this call");
  const auto words = vm.words(L);
  if (!words) return raise(L, "ERR Command arguments must be strings or integers");
  if (!vm.running()) return raise(L, "ERR commands can only be checked while a script runs");
  const std::optional<bool> allowed = vm.host().script_may_call(*words);
  if (!allowed) return raise(L, "ERR Invalid command passed to server.acl_check_cmd()");
  lua_pushboolean(L, *allowed ? 1 : 0);
  return 1;
}

int write_log(lua_State* L) {
  const int count = lua_gettop(L);
  if (count < 2) return raise(L, "ERR server.log() requires two arguments or more.");
  if (lua_isnumber(L, 1) == 0) return raise(L, "ERR First argument must be a number (log level).");
  const lua_Integer level = lua_tointeger(L, 1);
  if (level < static_cast<lua_Integer>(log::Level::kDebug) ||
      level > static_cast<lua_Integer>(log::Level::kWarning)) {
    return raise(L, "ERR Invalid log level.");
  }
  if (static_cast<log::Level>(level) < log::level()) return 0;
  push(L, "");
  for (int i = 2; i <= count; ++i) {
    if (lua_isstring(L, i) == 0) continue;
    if (i > 2) push(L, " ");
    lua_pushvalue(L, i);
    lua_concat(L, i > 2 ? 3 : 2);
  }
  log::write(static_cast<log::Level>(level), text_at(L, -1));
  return 0;
}

// Stops here if the script runs in the debugger; says whether it does.
int breakpoint(lua_State* L) {
  Debugger* debugger = Vm::of(L).debugger();
  if (debugger != nullptr) debugger->stop_at_next_line();
  lua_pushboolean(L, debugger != nullptr ? 1 : 0);
  return 1;
}

int debug(lua_State* L) {
  if (Debugger* debugger = Vm::of(L).debugger()) debugger->log_values(L);
  return 0;
}

struct Constant {
  const char* name;
  int value;
};

void set_constants(lua_State* L, std::span<const Constant> constants) {
  for (const Constant& c : constants) {
    lua_pushinteger(L, c.value);
    lua_setfield(L, -2, c.name);
  }
}

// "7.4.0" -> 0x070400.
int version_number(std::string_view version) {
  int number = 0, part = 0;
  for (const char c : version) {
    if (c == '.') {
      number = (number | part) << 8;
      part = 0;
    } else {
      part = part * 10 + (c - '0');
    }
  }
  return number | part;
}

void set_facts(lua_State* L, const Vm& vm) {
  static constexpr Constant kLevels[] = {
      {"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2}, {"LOG_WARNING", 3}};
  set_constants(L, kLevels);
  lua_pushcfunction(L, write_log);
  lua_setfield(L, -2, "log");
  const Identity& id = vm.identity();
  const Constant versions[] = {{"REDIS_VERSION_NUM", version_number(id.redis_version)},
                               {"SERVER_VERSION_NUM", version_number(id.server_version)}};
  set_constants(L, versions);
  const std::pair<const char*, const std::string*> texts[] = {
      {"REDIS_VERSION", &id.redis_version},
      {"SERVER_VERSION", &id.server_version},
      {"SERVER_NAME", &id.server_name}};
  for (const auto& [name, text] : texts) {
    push(L, *text);
    lua_setfield(L, -2, name);
  }
}

}  // namespace

void push_server_api(lua_State* L, const Vm& vm) {
  static const luaL_Reg kFunctions[] = {{"call", call},
                                        {"pcall", pcall},
                                        {"sha1hex", sha1hex},
                                        {"error_reply", error_reply},
                                        {"status_reply", status_reply},
                                        {"set_repl", set_repl},
                                        {"setresp", setresp},
                                        {"acl_check_cmd", acl_check_cmd},
                                        {nullptr, nullptr}};
  static const luaL_Reg kOfScripts[] = {{"replicate_commands", replicate_commands},
                                        {"breakpoint", breakpoint},
                                        {"debug", debug},
                                        {nullptr, nullptr}};
  static constexpr Constant kTargets[] = {{"REPL_NONE", 0},
                                          {"REPL_AOF", script_target::kLog},
                                          {"REPL_SLAVE", script_target::kReplicas},
                                          {"REPL_REPLICA", script_target::kReplicas},
                                          {"REPL_ALL", script_target::kAll}};
  lua_newtable(L);
  luaL_register(L, nullptr, kFunctions);
  if (vm.kind() == ScriptKind::kEval) luaL_register(L, nullptr, kOfScripts);
  set_constants(L, kTargets);
  set_facts(L, vm);
}

void push_load_api(lua_State* L, const Vm& vm) {
  lua_newtable(L);
  lua_pushcfunction(L, register_function);
  lua_setfield(L, -2, "register_function");
  set_facts(L, vm);
}

}  // namespace hearth::script
