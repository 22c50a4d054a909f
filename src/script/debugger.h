// Debugger: SCRIPT DEBUG SYNC. The script stops before a line, and its client says what next.
//
// The client sends commands as any client does, arrays of words; each is answered by an array of
// lines. The server does nothing else meanwhile: this is for a server under development.
// Source: the public documentation of the debugger that `redis-cli --ldb-sync-mode` drives.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/out_buffer.h"
#include "src/command/script_control.h"
#include "src/proto/request_parser.h"
#include "src/script/lua.h"

namespace hearth::script {

class Debugger {
 public:
  Debugger(ScriptHost& host, std::string_view body);

  // The script is about to run a line. False: it is to be aborted. Raises nothing.
  [[nodiscard]] bool on_line(lua_State* L, lua_Debug* at);
  // The script has ended: its last lines go to `out`, in front of its reply.
  void end(OutBuffer& out);

  void stop_at_next_line() { called_ = true; }
  void log_command(std::span<const std::string_view> words);
  void log_reply(std::string_view reply);
  // All values on the stack.
  void log_values(lua_State* L);

 private:
  enum class Next : std::uint8_t { kAsk, kGo, kAbort };
  void log(std::string line);
  [[nodiscard]] std::string take_lines();
  Next ask(lua_State* L, lua_Debug* at);
  Next obey(lua_State* L, lua_Debug* at, std::span<const std::string_view> words);
  void show_line(int line);
  void list(std::span<const std::string_view> words);
  void print(lua_State* L, lua_Debug* at, std::string_view name);
  void change_breakpoints(std::span<const std::string_view> words);
  void trace(lua_State* L);
  void evaluate(lua_State* L, std::string_view code);
  void run_command(lua_State* L, std::span<const std::string_view> words);

  ScriptHost& host_;
  std::vector<std::string> source_;
  std::set<int> breakpoints_;
  std::vector<std::string> lines_;  // not sent yet
  std::string input_;
  RequestParser parser_;
  bool stepping_ = true;
  bool called_ = false;  // redis.breakpoint()
  int line_ = 0;
  std::size_t length_most_ = 256;  // of a line; 0: any
};

}  // namespace hearth::script
