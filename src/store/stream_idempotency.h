// StreamIdempotency: which entry each recent message of a producer became, so that a message that
// is sent again is not added again.
//
// A producer is known by its id, a message by an id of the producer's choice. A message is
// remembered for a duration, and of each producer no more than the newest max_size.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.h"
#include "src/store/stream_id.h"

namespace hearth {

class StreamIdempotency {
 public:
  struct Limits {
    std::int64_t duration_s = 100;
    std::int64_t max_size = 100;
    bool operator==(const Limits&) const = default;
  };
  static constexpr std::int64_t kDurationMost = 86'400;
  static constexpr std::int64_t kMaxSizeMost = 10'000;

  [[nodiscard]] const Limits& limits() const { return limits_; }
  // Other limits than those that hold forget all messages.
  void set_limits(const Limits& limits);

  // The entry this message became, if that is remembered.
  [[nodiscard]] std::optional<StreamId> find(std::string_view producer, std::string_view message,
                                             UnixMillis now);
  // The message is not remembered.
  void record(std::string_view producer, std::string_view message, StreamId entry, UnixMillis now);
  void count_duplicate() { ++duplicates_; }

  // Forgets what is due.
  void expire(UnixMillis now);
  [[nodiscard]] std::size_t producers() const { return producers_.size(); }
  [[nodiscard]] std::uint64_t messages() const;
  // Over the life of the stream.
  [[nodiscard]] std::uint64_t added() const { return added_; }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Message {
    StreamId entry;
    std::int64_t recorded_ms = 0;
  };
  struct Producer {
    std::map<std::string, Message, std::less<>> messages;
    std::deque<std::string> order;  // the oldest first
  };
  void expire(Producer& producer, UnixMillis now) const;

  Limits limits_;
  std::map<std::string, Producer, std::less<>> producers_;
  std::uint64_t added_ = 0;
  std::uint64_t duplicates_ = 0;
};

}  // namespace hearth
