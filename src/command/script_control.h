// ScriptControl: scripts and functions, as the commands about them see the runtime that holds and
// interprets them. Implemented by src/script.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "src/command/outcome.h"
#include "src/command/script_flags.h"

namespace hearth {

class CommandContext;

struct ScriptFunction {
  std::string name;
  std::optional<std::string> description;
  ScriptFlags flags = 0;
};

// A library as FUNCTION LIST and DUMP show it.
struct ScriptLibrary {
  std::string name;
  std::string code;
  std::vector<ScriptFunction> functions;
};

struct ScriptFigures {
  std::uint64_t eval_vm_bytes = 0, function_vm_bytes = 0;  // heaps of the two interpreters
  std::uint64_t cached_scripts = 0, cache_bytes = 0;       // and what the cache takes beside them
  std::uint64_t libraries = 0, functions = 0, library_bytes = 0;
};

// kRefused: it is not run, since the client wanted it debugged in a way that this server has not.
enum class ScriptDebugging : std::uint8_t { kOff, kSync, kRefused };

class ScriptControl {
 public:
  virtual ~ScriptControl() = default;

  // --- EVAL and its like: ctx.args() is the request. They write the reply. ---
  virtual Outcome eval(CommandContext& ctx, bool read_only) = 0;
  virtual Outcome eval_digest(CommandContext& ctx, bool read_only) = 0;
  virtual Outcome call_function(CommandContext& ctx, bool read_only) = 0;
  // Flags of the script or function that a request would run; nullopt if it can't be told.
  // command: the full name, such as "evalsha_ro".
  [[nodiscard]] virtual std::optional<ScriptFlags> flags_of(
      std::string_view command, std::span<const std::string_view> argv) = 0;

  // --- scripts ---
  // Compiles and keeps a script; the digest. A script that is loaded so is never evicted.
  [[nodiscard]] virtual Result<std::string, ReplyError> load(std::string_view body) = 0;
  // nullptr: no such script. Any case.
  [[nodiscard]] virtual const std::string* body_of(std::string_view digest) = 0;
  virtual void flush_scripts() = 0;

  // SCRIPT DEBUG: what becomes of the client's next script.
  virtual void set_debugging(ConnId client, ScriptDebugging how) = 0;

  // --- libraries of functions ---
  // Runs the library's code, which registers its functions; the library's name. `limit`: the
  // longest the code may run, zero for no limit. On failure nothing has changed.
  [[nodiscard]] virtual Result<std::string, ReplyError> load_library(std::string_view code,
                                                                     bool replace,
                                                                     milliseconds limit) = 0;
  enum class Restore : std::uint8_t { kAppend, kReplace, kFlush };
  // Loads all of them or none.
  [[nodiscard]] virtual Outcome restore_libraries(std::span<const std::string> codes,
                                                  Restore how) = 0;
  [[nodiscard]] virtual bool delete_library(std::string_view name) = 0;
  virtual void flush_libraries() = 0;
  // In the order of their names.
  virtual void for_each_library(const std::function<void(const ScriptLibrary&)>& fn) const = 0;

  [[nodiscard]] virtual ScriptFigures figures() const = 0;
};

}  // namespace hearth
