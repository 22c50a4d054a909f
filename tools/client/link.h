// One connection to one node: what is on its way, and which answer belongs to which operation.
// Pure: bytes and time come in, bytes go to the Transport.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "src/proto/reply_parser.h"
#include "tools/client/operation.h"
#include "tools/client/transport.h"

namespace hearth::client {

enum class LinkState : std::uint8_t {
  kClosed,
  kConnecting,
  kGreeting,  // connected; AUTH, SELECT and PING are not all answered
  kReady,
};

// The beginning of a connection: `replies` commands, the last `optional` of which may be denied.
struct Greeting {
  std::string text;
  std::size_t replies = 0;
  std::size_t optional = 0;
};

// Things that a link learns from answers. Called from inside Link::on_bytes; the callee must not
// destroy or close the link.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // ops[first .. first+count) of the batch succeeded; `last` is the reply of a captured one, or a
  // null reply.
  virtual void on_success(Batch& batch, std::size_t first, std::size_t count, RespValue* last) = 0;
  virtual void on_error(LinkId link, Batch& batch, std::size_t index, std::string_view error) = 0;
  virtual void on_batch_end(std::unique_ptr<Batch> batch) = 0;
};

class Link {
 public:
  explicit Link(LinkId id) : id_(id) {}

  void opening(MonoTime now);
  // The socket is there: sends the greeting.
  void greet(Transport& transport, Greeting greeting, MonoTime now);
  // Appends a batch and sends what the socket takes.
  void push(Transport& transport, std::unique_ptr<Batch> batch, MonoTime now);
  void send(Transport& transport, MonoTime now);
  // Errors: the bytes are no replies, answer nothing, or refuse the greeting. The link is useless
  // then.
  Result<void> on_bytes(std::string_view bytes, LinkEvents& events, MonoTime now);
  // Back to kClosed. Returns the batches that are not fully answered, oldest first.
  std::deque<std::unique_ptr<Batch>> reset();

  [[nodiscard]] LinkId id() const { return id_; }
  [[nodiscard]] LinkState state() const { return state_; }
  [[nodiscard]] std::size_t unanswered_bytes() const { return unanswered_bytes_; }
  [[nodiscard]] bool is_waiting() const {
    return state_ == LinkState::kGreeting || !batches_.empty();
  }
  // Whether this connection has answered anything since it became ready.
  [[nodiscard]] bool has_answered() const { return has_answered_; }
  // When something last moved: opened, connected, bytes sent or received.
  [[nodiscard]] MonoTime last_progress() const { return last_progress_; }

 private:
  Result<void> on_greeting_reply(const RespValue& reply);
  Result<void> on_reply(RespValue& reply, LinkEvents& events);
  Result<void> finish_front(LinkEvents& events);

  LinkId id_;
  LinkState state_ = LinkState::kClosed;
  MonoTime last_progress_{};
  bool has_answered_ = false;
  ReplyParser parser_;
  Greeting greeting_;  // `replies`: those that are still to come
  std::size_t greeting_sent_ = 0;
  std::deque<std::unique_ptr<Batch>> batches_;
  std::size_t unsent_batch_ = 0;   // index into batches_: the first that is not fully sent
  std::size_t unsent_offset_ = 0;  // bytes of it that are sent
  std::size_t unanswered_bytes_ = 0;
};

}  // namespace hearth::client
