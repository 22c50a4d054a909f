#include "tools/client/link.h"

#include <fmt/core.h>

namespace hearth::client {

void Link::opening(MonoTime now) {
  state_ = LinkState::kConnecting;
  last_progress_ = now;
}

void Link::greet(Transport& transport, Greeting greeting, MonoTime now) {
  state_ = LinkState::kGreeting;
  last_progress_ = now;
  greeting_ = std::move(greeting);
  greeting_sent_ = 0;
  send(transport, now);
}

void Link::push(Transport& transport, std::unique_ptr<Batch> batch, MonoTime now) {
  if (batches_.empty()) last_progress_ = now;
  unanswered_bytes_ += batch->bytes.size();
  batches_.push_back(std::move(batch));
  send(transport, now);
}

void Link::send(Transport& transport, MonoTime now) {
  while (greeting_sent_ < greeting_.text.size()) {
    const std::size_t sent =
        transport.send(id_, std::string_view(greeting_.text).substr(greeting_sent_));
    greeting_sent_ += sent;
    if (sent == 0) return;
  }
  if (state_ != LinkState::kReady) return;
  while (unsent_batch_ < batches_.size()) {
    const std::string_view rest =
        std::string_view(batches_[unsent_batch_]->bytes).substr(unsent_offset_);
    const std::size_t sent = transport.send(id_, rest);
    // One value may take longer to send than an answer may take to come.
    if (sent > 0) last_progress_ = now;
    unsent_offset_ += sent;
    if (sent < rest.size()) return;
    ++unsent_batch_;
    unsent_offset_ = 0;
  }
}

Result<void> Link::on_bytes(std::string_view bytes, LinkEvents& events, MonoTime now) {
  last_progress_ = now;
  parser_.feed(bytes);
  for (;;) {
    while (!batches_.empty() && batches_.front()->plain) {
      Batch& front = *batches_.front();
      const std::size_t done = parser_.take_plain_ok(front.ops.size() - front.answered);
      if (done == 0) break;
      front.answered += done;
      has_answered_ = true;
      events.on_success(front, front.answered - done, done, nullptr);
      if (front.answered == front.ops.size()) HEARTH_TRY_VOID(finish_front(events));
    }
    HEARTH_TRY(auto reply, parser_.next());
    if (!reply) return {};
    if (reply->kind == RespKind::kPush) continue;
    if (state_ == LinkState::kGreeting) {
      HEARTH_TRY_VOID(on_greeting_reply(*reply));
    } else {
      HEARTH_TRY_VOID(on_reply(*reply, events));
    }
  }
}

Result<void> Link::on_greeting_reply(const RespValue& reply) {
  const std::string_view text = reply.text();
  const bool is_optional = greeting_.replies <= greeting_.optional;
  // A server that does not know CLIENT SETNAME is served all the same.
  const bool is_no_loss =
      text.starts_with("ERR unknown") || (is_optional && text.starts_with("NOPERM"));
  if (reply.is_error() && !is_no_loss) {
    const bool denied = text.starts_with("WRONGPASS") || text.starts_with("NOAUTH") ||
                        text.starts_with("NOPERM") || text.starts_with("DENIED") ||
                        text.starts_with("ERR DB index") || text.starts_with("ERR SELECT") ||
                        text.starts_with("ERR AUTH") || text.starts_with("ERR Client sent AUTH");
    return fail(denied ? ErrorCode::kInvalid : ErrorCode::kBusy, std::string(text));
  }
  if (--greeting_.replies == 0) state_ = LinkState::kReady;
  return {};
}

Result<void> Link::on_reply(RespValue& reply, LinkEvents& events) {
  if (batches_.empty()) return fail(ErrorCode::kCorrupt, "a reply that no command asked for");
  Batch& front = *batches_.front();
  const std::size_t index = front.answered;
  if (reply.is_error() && front.error.empty()) {
    front.error = reply.text().empty() ? "error without text" : std::string(reply.text());
  }
  if (++front.replies_seen < front.ops[index].replies) return {};
  const std::string error = std::move(front.error);
  front.error.clear();
  front.replies_seen = 0;
  ++front.answered;
  has_answered_ = true;
  if (error.empty()) {
    const bool is_told = front.ops[index].capture || reply.is_null();
    events.on_success(front, index, 1, is_told ? &reply : nullptr);
  } else {
    events.on_error(id_, front, index, error);
  }
  if (front.answered == front.ops.size()) return finish_front(events);
  return {};
}

Result<void> Link::finish_front(LinkEvents& events) {
  if (unsent_batch_ == 0)
    return fail(ErrorCode::kCorrupt, "a reply to a command that was not sent");
  auto batch = std::move(batches_.front());
  batches_.pop_front();
  unanswered_bytes_ -= batch->bytes.size();
  --unsent_batch_;
  events.on_batch_end(std::move(batch));
  return {};
}

std::deque<std::unique_ptr<Batch>> Link::reset() {
  auto left = std::move(batches_);
  batches_.clear();
  state_ = LinkState::kClosed;
  has_answered_ = false;
  parser_ = ReplyParser();
  greeting_ = Greeting{};
  greeting_sent_ = 0;
  unsent_batch_ = unsent_offset_ = unanswered_bytes_ = 0;
  return left;
}

}  // namespace hearth::client
