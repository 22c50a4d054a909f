// BlockingControl: commands that wait for keys, or for replicas and the log to have come far
// enough. Implemented by the engine.
//
// A handler that finds nothing, and whose ctx.may_block() says yes, asks to wait and returns
// without a reply. Its command is run again when one of the keys may have what it wants; it then
// answers, or asks again, which keeps its place and its deadline.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth {

class CommandContext;
enum class Type : std::uint8_t;

class BlockingControl {
 public:
  virtual ~BlockingControl() = default;
  // The reply when the deadline passes. kRunAgain: the handler gives it, with ctx.timed_out() set.
  enum class OnTimeout : std::uint8_t { kNullArray, kNull, kRunAgain };
  struct KeyWait {
    std::span<const std::string_view> keys;  // in the session's database; repeats are allowed
    Type type;                               // run again when a key changed and holds this type
    MonoTime deadline{};                     // 0: none
    OnTimeout on_timeout = OnTimeout::kNullArray;
    // Run again also when a key is gone or holds another type (XREADGROUP).
    bool wakes_without_type = false;
    // The words to run again; empty: those of the request (XREAD makes "$" an id first).
    std::vector<std::string> again;
  };
  virtual void wait_for_keys(CommandContext& ctx, KeyWait key_wait) = 0;
  // Until progressed() is called and the handler is content; at the deadline it is run once more.
  virtual void wait_for_progress(CommandContext& ctx, MonoTime deadline) = 0;
  // A replica or the log has come further: those who wait for that are run again.
  virtual void progressed() = 0;
  // CLIENT UNBLOCK: false if the client does not wait, or for something that can't be given up.
  enum class Unblock : std::uint8_t { kTimeout, kError };
  [[nodiscard]] virtual bool unblock(ConnId id, Unblock how) = 0;
  // Ends every wait with this error (the node became a replica).
  virtual void unblock_all(std::string_view error) = 0;
};

}  // namespace hearth
