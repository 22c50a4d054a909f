// Scripts and functions: the two ports between the commands about them, the runtime that holds and
// interprets them (ScriptControl, implemented by src/script) and the engine that runs the commands
// they call (ScriptHost, implemented by src/engine).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/out_buffer.h"
#include "src/base/time.h"
#include "src/command/spec.h"

namespace hearth {

class CommandContext;
struct Session;

// What a script or function says of itself. A script without a first line "#!lua" has kUnmarked
// alone: it is judged by the commands that it calls.
using ScriptFlags = std::uint8_t;
namespace script_flag {
inline constexpr ScriptFlags kNoWrites = 1, kAllowOom = 2, kAllowStale = 4, kNoCluster = 8,
                             kAllowCrossSlot = 16, kUnmarked = 32;
struct Name {
  ScriptFlags bit;
  std::string_view text;
};
inline constexpr Name kNames[] = {{kNoWrites, "no-writes"},
                                  {kAllowOom, "allow-oom"},
                                  {kAllowStale, "allow-stale"},
                                  {kNoCluster, "no-cluster"},
                                  {kAllowCrossSlot, "allow-cross-slot-keys"}};
}  // namespace script_flag

// Who repeats a script's changes, in the numbers that scripts use: those of Effect::targets.
namespace script_target {
inline constexpr std::uint8_t kLog = 1, kReplicas = 2, kAll = 3;
}

enum class ScriptKind : std::uint8_t { kEval, kFunction };

// A script that is about to run. The views last until ScriptHost::end.
struct ScriptStart {
  ScriptKind kind = ScriptKind::kEval;
  std::string_view name;  // digest of the script, or name of the function
  ScriptFlags flags = script_flag::kUnmarked;
  bool read_only = false;  // called by one of the *_RO commands
  std::span<const std::string_view> argv;
};

// The server as a running script sees it. At most one script runs at a time.
class ScriptHost {
 public:
  virtual ~ScriptHost() = default;

  // Admits a run on behalf of `caller`, or says why not. An admitted run is ended by `end`.
  [[nodiscard]] virtual Outcome begin_script(const ScriptStart& start, Session& caller) = 0;
  virtual void end_script() = 0;
  // Runs a command inside the run's unit. Its reply, or the error that refused it, stands in the
  // buffer that is returned until the next call. The words must outlive the call only.
  virtual OutBuffer& call(std::span<const std::string_view> argv) = 0;
  // Version of the protocol that replies to the script are written in: 2 at the start of a run.
  virtual void set_script_resp(int resp) = 0;
  [[nodiscard]] virtual int script_resp() const = 0;
  // Who is told of the changes that follow: bits of script_target.
  virtual void set_script_targets(std::uint8_t targets) = 0;
  // Whether the caller may run such a command; nullopt: there is none. argv is not empty.
  [[nodiscard]] virtual std::optional<bool> script_may_call(
      std::span<const std::string_view> argv) = 0;
  // To be asked now and then by a script that runs for long: serves other clients if the script is
  // past the busy threshold. True: the script is to end at once.
  [[nodiscard]] virtual bool must_stop_script() = 0;
  // lua-enable-deprecated-api; asked when an interpreter is made.
  [[nodiscard]] virtual bool has_deprecated_api() const = 0;
  // Nanoseconds of a steady counter.
  [[nodiscard]] virtual std::uint64_t script_ticks() const = 0;
  [[nodiscard]] virtual std::uint64_t script_random() = 0;
  // The seed of the process for tables of names.
  [[nodiscard]] virtual std::uint64_t name_seed() const = 0;
  // An error that a script made and that no command has counted yet.
  virtual void count_script_error(std::string_view text) = 0;

  // SCRIPT DEBUG: sends bytes to the client that runs the script and waits for bytes of it, which
  // are added to `in`. Nothing else is served meanwhile. False: the client is gone, or the process
  // is to end.
  [[nodiscard]] virtual bool exchange_blocking(std::string_view out, std::string& in) = 0;

  // --- for the commands about scripts ---
  // SCRIPT KILL and FUNCTION KILL.
  [[nodiscard]] virtual Outcome kill_script(ScriptKind kind) = 0;
  // Ends the script whatever it has done, because the process is about to end.
  virtual void abandon_script() = 0;
  // The script that runs while other clients are served.
  struct Running {
    ScriptKind kind = ScriptKind::kEval;
    std::string_view name;
    std::span<const std::string_view> argv;
    milliseconds duration{0};
  };
  [[nodiscard]] virtual std::optional<Running> running_script() const = 0;
  // What clients hear while a script is past the busy threshold; empty if none is.
  [[nodiscard]] virtual std::string_view busy_script_text() const = 0;
};

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
