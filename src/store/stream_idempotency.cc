#include "src/store/stream_idempotency.h"

namespace hearth {

void StreamIdempotency::set_limits(const Limits& limits) {
  if (limits == limits_) return;
  limits_ = limits;
  producers_.clear();
}

void StreamIdempotency::expire(Producer& producer, UnixMillis now) const {
  while (!producer.order.empty()) {
    const auto oldest = producer.messages.find(producer.order.front());
    if (oldest->second.recorded_ms + limits_.duration_s * 1000 > now.ms) return;
    producer.messages.erase(oldest);
    producer.order.pop_front();
  }
}

std::optional<StreamId> StreamIdempotency::find(std::string_view producer, std::string_view message,
                                                UnixMillis now) {
  const auto at = producers_.find(producer);
  if (at == producers_.end()) return std::nullopt;
  expire(at->second, now);
  const auto found = at->second.messages.find(std::string(message));
  if (found == at->second.messages.end()) return std::nullopt;
  return found->second.entry;
}

void StreamIdempotency::record(std::string_view producer, std::string_view message, StreamId entry,
                               UnixMillis now) {
  auto at = producers_.find(producer);
  if (at == producers_.end()) {
    // Producers that went silent leave when another one comes.
    expire(now);
    at = producers_.emplace(std::string(producer), Producer{}).first;
  }
  Producer& p = at->second;
  p.messages.emplace(std::string(message), Message{entry, now.ms});
  p.order.emplace_back(message);
  ++added_;
  while (p.order.size() > static_cast<std::uint64_t>(limits_.max_size)) {
    p.messages.erase(p.order.front());
    p.order.pop_front();
  }
}

void StreamIdempotency::expire(UnixMillis now) {
  for (auto at = producers_.begin(); at != producers_.end();) {
    expire(at->second, now);
    at = at->second.order.empty() ? producers_.erase(at) : std::next(at);
  }
}

std::uint64_t StreamIdempotency::messages() const {
  std::uint64_t count = 0;
  for (const auto& [name, producer] : producers_) count += producer.order.size();
  return count;
}

std::size_t StreamIdempotency::memory_bytes() const {
  constexpr std::size_t kPerMessage = 144,
                        kPerProducer = 800;  // nodes, texts and the queue's block
  return sizeof *this + producers_.size() * kPerProducer + messages() * kPerMessage;
}

}  // namespace hearth
