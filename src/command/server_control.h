// ServerControl: the process around the engine. Implemented by the composition root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "src/base/time.h"
#include "src/command/outcome.h"

namespace hearth {

struct Session;

// The wishes of a SHUTDOWN about the data.
struct ShutdownRequest {
  bool save = false;      // even without save points
  bool nosave = false;    // in spite of save points
  bool now = false;       // without waiting for replicas that lag
  bool force = false;     // even if saving fails
  bool failover = false;  // a primary first hands its place to a replica
};

inline constexpr std::string_view kShutdownRefused = "ERR Errors trying to SHUTDOWN. Check logs.";

class ServerControl {
 public:
  virtual ~ServerControl() = default;
  // Stops the process in an orderly way after this loop turn, or says why it goes on. Where
  // replicas lag, `asker` waits for them, and hears an error if the server goes on after all.
  [[nodiscard]] virtual Outcome shutdown(const ShutdownRequest& request, Session& asker) = 0;
  // SHUTDOWN ABORT: takes back a shutdown that has not begun yet. False if there is none.
  [[nodiscard]] virtual bool abort_shutdown() { return false; }
  // How long a shutdown under way waits for replicas yet; nothing while none does.
  [[nodiscard]] virtual std::optional<milliseconds> shutdown_left() const { return std::nullopt; }
  // Blocks the engine thread: DEBUG SLEEP only.
  virtual void stand_still(microseconds duration) = 0;
  // Ends the process at once, for DEBUG SEGFAULT, PANIC and ASSERT.
  [[noreturn]] virtual void crash(std::string_view how) = 0;
  // Microseconds since 1970 at this moment, not of this loop turn: TIME. A server that has no finer
  // clock answers with the turn's.
  [[nodiscard]] virtual std::int64_t unix_micros(UnixMillis turn) { return turn.ms * 1000; }
  // The text of a file of users, and its atomic replacement.
  [[nodiscard]] virtual Result<std::string> read_text(const std::string& path) = 0;
  [[nodiscard]] virtual Result<void> replace_text(const std::string& path,
                                                  std::string_view text) = 0;
  // Hex digits that nobody can guess: passwords.
  [[nodiscard]] virtual std::string secret_hex(std::size_t length) = 0;
  // CONFIG REWRITE: the file the server was started with, replaced atomically.
  enum class RewriteExtent : std::uint8_t { kChanged, kEverything };  // kEverything: defaults too
  [[nodiscard]] virtual Result<void> rewrite_config(RewriteExtent extent) = 0;
};

}  // namespace hearth
