// The reaction of a cluster client to an error reply.
#pragma once

#include <string_view>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "tools/client/endpoint.h"

namespace hearth::client {

enum class ReplyClass : unsigned char {
  kRefused,    // the command itself is wrong or forbidden: trying again does not help
  kMoved,      // the slot belongs to another node for good
  kAsk,        // this one command goes to another node, after ASKING
  kTryLater,   // a state of the node or the slot that may pass: LOADING, TRYAGAIN, CLUSTERDOWN,
               // BUSY, MASTERDOWN, OOM, NOREPLICAS, MISCONF
  kWrongRole,  // READONLY: this node became a replica; the slot map is old
};

// By the error's first word. O(1).
[[nodiscard]] ReplyClass classify_error(std::string_view error) noexcept;

struct Redirection {
  Slot slot = 0;
  Endpoint to;
};
// "MOVED 3999 127.0.0.1:6381" and "ASK ...". `from` is the node that answered. Errors: kCorrupt.
Result<Redirection> parse_redirection(std::string_view error, const Endpoint& from);

}  // namespace hearth::client
