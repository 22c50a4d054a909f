// ScriptHost: the server as a running script sees it. Implemented by the engine; the runtime of
// scripts (src/script) calls it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/base/out_buffer.h"
#include "src/base/time.h"
#include "src/command/outcome.h"
#include "src/command/script_flags.h"

namespace hearth {

struct Session;

// The readers that repeat a script's changes, in the numbers that scripts use: those of
// Effect::targets.
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

// At most one script runs at a time.
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
  // The readers of the changes that follow: bits of script_target.
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
  // The error for clients while a script is past the busy threshold; empty if none is.
  [[nodiscard]] virtual std::string_view busy_script_text() const = 0;
};

}  // namespace hearth
