// Vm: one Lua interpreter with the sandbox that scripts run in.
//
// A script can reach the base functions without files and byte code, string, table, math,
// coroutine, os.clock, bit, cjson, cmsgpack, struct, and the server's own table, under the names
// `redis` and `server`. All of that is read-only: it is reached through empty tables that forward
// reads and refuse writes (sandbox.cc). A global that does not exist is an error.
//
// There are two interpreters, one for EVAL and one for functions. Engine thread only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/format_number.h"
#include "src/command/script_control.h"
#include "src/command/script_host.h"
#include "src/script/lua.h"

namespace hearth::script {

// Facts that scripts are told about the server.
struct Identity {
  std::string redis_version = "0.0.0";  // whose behaviour it has
  std::string server_name = "hearth";
  std::string server_version = "0.0.0";
};

class Debugger;
class LibraryLoad;

class Vm {
 public:
  Vm(ScriptKind kind, ScriptHost& host, const Identity& identity);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  // The Vm that a C function runs in.
  [[nodiscard]] static Vm& of(lua_State* L);

  // A function of Lua that is kept until `forget`.
  using Ref = int;
  // Compiles a chunk. On failure the text is the compiler's.
  [[nodiscard]] Result<Ref, std::string> compile(std::string_view code, const char* chunk_name);
  void forget(Ref ref);

  // Runs an admitted script and writes its reply: KEYS and ARGV are globals of a script and
  // arguments of a function.
  struct Call {
    Ref function;
    std::string_view name;  // for error texts
    std::span<const std::string_view> keys, args;
    OutBuffer* out;  // where the reply goes
    int client_resp;
  };
  [[nodiscard]] Outcome run(const Call& call);

  // Runs the code of a library, which registers its functions with `load`. The text of a failure
  // starts with its code.
  [[nodiscard]] Outcome run_library(std::string_view code, LibraryLoad& load);
  // The load under way, or nullptr.
  [[nodiscard]] LibraryLoad* loading() const { return loading_; }

  // The debugger that the next run stands under; nullptr: none.
  void set_debugger(Debugger* debugger) { debugger_ = debugger; }
  [[nodiscard]] Debugger* debugger() { return debugger_; }

  [[nodiscard]] ScriptHost& host() { return host_; }
  [[nodiscard]] const Identity& identity() const { return identity_; }
  [[nodiscard]] ScriptKind kind() const { return kind_; }
  [[nodiscard]] bool running() const { return running_; }
  [[nodiscard]] std::uint64_t heap_bytes() const { return heap_bytes_; }
  // C functions tell here what they did or are about to do for a script, in steps of a few
  // nanoseconds, since they run no instructions. Now and then it looks whether the script must end,
  // and raises the error that ends it: the caller owns nothing.
  static void spend(lua_State* L, std::size_t steps);
  // The same, for the next that spends.
  void owe(std::size_t steps) { spent_ += steps; }
  // The coroutine, or the main thread, whose instructions run now.
  void enter(lua_State* thread) { current_ = thread; }

  // Seed and state of math.random.
  [[nodiscard]] std::uint64_t& random_state() { return random_state_; }

  // The words on the stack of L as a command line: views into Lua's strings and into texts that the
  // Vm keeps until the next call. nullopt: one is neither a string nor a number.
  [[nodiscard]] std::optional<std::span<const std::string_view>> words(lua_State* L);
  // The bytes of a reply in one piece.
  [[nodiscard]] std::string_view whole(const OutBuffer& reply);

 private:
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t size);
  static void on_event(lua_State* L, lua_Debug* event);
  // Raises an error if the run must end.
  void look(lua_State* L);
  void arm_hook();
  void set_globals(bool for_loading);
  [[nodiscard]] Outcome failure(std::string_view name);
  [[nodiscard]] Outcome give_result(const Call& call);

  ScriptKind kind_;
  ScriptHost& host_;
  Identity identity_;
  lua_State* lua_ = nullptr;
  lua_State* current_ = nullptr;
  std::uint64_t heap_bytes_ = 0;
  std::size_t spent_ = 0;      // steps since the last look
  std::size_t allocated_ = 0;  // bytes since then
  std::uint64_t random_state_ = 0;
  bool running_ = false;
  LibraryLoad* loading_ = nullptr;
  Debugger* debugger_ = nullptr;
  int runs_ = 0;
  std::vector<std::string_view> words_;
  std::vector<std::array<char, kDoubleTextMax>> number_texts_;
  std::string whole_;
};

// The functions that a library has registered while its code runs.
class LibraryLoad {
 public:
  struct Function {
    ScriptFunction about;
    Vm::Ref ref = LUA_NOREF;
  };
  // Zero ticks: no limit.
  LibraryLoad(Vm& vm, std::uint64_t deadline_ticks) : vm_(vm), deadline_ticks_(deadline_ticks) {}
  ~LibraryLoad();
  LibraryLoad(const LibraryLoad&) = delete;
  LibraryLoad& operator=(const LibraryLoad&) = delete;

  // Takes over the function; an error text if the name won't do. The ref is the load's either way.
  [[nodiscard]] std::string_view add(Function function);
  [[nodiscard]] bool is_late();
  [[nodiscard]] std::vector<Function>& functions() { return functions_; }
  // The functions belong to somebody else now.
  std::vector<Function> release() { return std::move(functions_); }

 private:
  Vm& vm_;
  std::uint64_t deadline_ticks_;
  std::vector<Function> functions_;
};

inline constexpr std::string_view kBadName =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one "
    "character long";
[[nodiscard]] bool is_good_name(std::string_view name);

}  // namespace hearth::script
