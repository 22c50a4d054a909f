// An operation for the client, and how it is kept until a server has answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/check.h"
#include "src/base/ids.h"
#include "src/base/time.h"
#include "src/proto/reply_parser.h"
#include "tools/client/command_text.h"
#include "tools/client/endpoint.h"

namespace hearth::client {

// One or more commands on one key that succeed or are tried again together. They may reach a
// server more than once (a lost connection leaves open whether it ran them), so they must give
// the same result when repeated.
struct Operation {
  std::string_view bytes;  // RESP, as append_command writes it
  std::string_view key;    // borrowed from bytes; empty for a command without key
  std::uint64_t tag = 0;   // the caller's name for it
  Slot slot = 0;
  std::uint16_t commands = 1;  // in bytes
  bool capture = false;        // hand the last reply to CompletionSink::on_reply
};

// An operation inside a batch.
struct BatchedOp {
  std::uint64_t tag = 0;
  std::uint64_t sequence = 0;   // in the order of submission
  std::size_t begin = 0;        // its bytes in Batch::bytes; they end where the next begins
  std::uint32_t key_begin = 0;  // relative to begin
  std::uint32_t key_size = 0;
  MonoTime failing_since{};    // zero while it never failed
  std::uint32_t attempts = 0;  // failed ones
  Slot slot = 0;
  std::uint16_t replies = 1;  // commands, ASKING included
  bool capture = false;
};

// Operations that travel together: appended, sent and answered in order.
struct Batch {
  std::string bytes;
  std::vector<BatchedOp> ops;
  std::size_t answered = 0;        // ops that need nothing more
  std::uint32_t replies_seen = 0;  // of ops[answered]
  std::string error;               // the first error among them
  std::uint16_t node = 0;          // where it goes, for the owner's books
  bool asking = false;             // each command has an ASKING in front
  bool plain = true;               // one reply for each op, none captured

  [[nodiscard]] std::string_view bytes_of(std::size_t index) const {
    const std::size_t end = index + 1 < ops.size() ? ops[index + 1].begin : bytes.size();
    return std::string_view(bytes).substr(ops[index].begin, end - ops[index].begin);
  }
  [[nodiscard]] std::string_view key_of(std::size_t index) const {
    return bytes_of(index).substr(ops[index].key_begin, ops[index].key_size);
  }
  void clear() {
    bytes.clear();
    ops.clear();
    answered = 0;
    replies_seen = 0;
    error.clear();
    asking = false;
    plain = true;
  }
};

// An operation outside of any batch, waiting to be tried again. `op.begin` has no meaning.
struct HeldOp {
  std::string bytes;  // without ASKING
  BatchedOp op;
  MonoTime due{};
  std::optional<Endpoint> ask;  // the node that an ASK named
};

// Takes a copy of an operation out of its batch; key_begin and replies are those without ASKING.
[[nodiscard]] inline HeldOp hold(const Batch& batch, std::size_t index) {
  HeldOp held{std::string(batch.bytes_of(index)), batch.ops[index], {}, std::nullopt};
  if (batch.asking) {
    // The key stands in the first command, behind one ASKING.
    const std::size_t prefix = command_length(held.bytes);
    held.bytes = without_asking(held.bytes);
    held.op.key_begin -= static_cast<std::uint32_t>(prefix);
    held.op.replies = static_cast<std::uint16_t>(held.op.replies / 2);
  }
  return held;
}

// Where the fate of operations is told. An operation gets exactly one of the calls, unless the
// client fails as a whole. The callee must not call back into the client.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void on_done(std::uint64_t tag) = 0;
  // Instead of on_done, for a null reply: the operation found what it did not want to change.
  virtual void on_kept(std::uint64_t tag) { on_done(tag); }
  // Instead of on_done, for an operation that asked to capture its reply.
  virtual void on_reply(std::uint64_t tag, RespValue reply) = 0;
  // The server refused it. `key` and `error` are borrowed for the call.
  virtual void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) = 0;
};

}  // namespace hearth::client
