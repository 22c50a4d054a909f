// Consumer groups of a stream: which consumer was given which entry and has not acknowledged it.
//
// A group holds its pending entries ordered by id, 40 bytes each; a consumer holds the ids of its
// own, 16 bytes each. An entry may be pending after it left the stream. Entries that were handed
// back (XNACK) are pending without a consumer and count as delivered at time 0, before all others.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/time.h"
#include "src/ds/ordered_chunks.h"
#include "src/store/stream_id.h"

namespace hearth {

struct StreamIdKey {
  static const StreamId& key(const StreamId& id) { return id; }
};
using StreamIdSet = ds::OrderedChunks<StreamId, StreamIdKey>;

struct StreamConsumer {
  static constexpr std::int64_t kNever = -1;

  std::string name;
  std::int64_t seen_ms = kNever;    // it asked last
  std::int64_t active_ms = kNever;  // it was given something last
  StreamIdSet pending;
};

struct PendingEntry {
  StreamId id;
  std::int64_t delivered_ms = 0;
  std::uint64_t deliveries = 0;
  StreamConsumer* consumer = nullptr;  // nullptr: handed back, nobody's
};

struct PendingKey {
  static const StreamId& key(const PendingEntry& entry) { return entry.id; }
};
using PendingList = ds::OrderedChunks<PendingEntry, PendingKey>;

class StreamGroup {
 public:
  static constexpr std::int64_t kUnknown = -1;  // in entries_read
  using Consumers = std::map<std::string, std::unique_ptr<StreamConsumer>, std::less<>>;

  explicit StreamGroup(StreamId last, std::int64_t entries_read_so_far)
      : last_id(last), entries_read(entries_read_so_far) {}
  [[nodiscard]] StreamGroup clone() const;

  StreamId last_id;           // the last entry that was given to anybody
  std::int64_t entries_read;  // how many entries ever added stand up to it, or kUnknown

  // --- consumers, in the order of their names ---
  [[nodiscard]] const Consumers& consumers() const { return consumers_; }
  // nullptr if there is none of this name.
  [[nodiscard]] StreamConsumer* consumer(std::string_view name) const;
  // The name is not taken.
  StreamConsumer& add_consumer(std::string_view name, UnixMillis now);
  // Its pending entries go with it.
  void remove_consumer(StreamConsumer& consumer);

  // --- pending entries, in the order of their ids ---
  [[nodiscard]] const PendingList& pending() const { return pending_; }
  [[nodiscard]] PendingEntry* find(StreamId id) { return pending_.find(id); }
  [[nodiscard]] const PendingEntry* find(StreamId id) const { return pending_.find(id); }
  // Makes the entry pending for this consumer (or for nobody), whether it was pending before or
  // not, and returns it; deliveries of a new one are 0.
  PendingEntry& assign(StreamId id, StreamConsumer* consumer, std::int64_t delivered_ms);
  // False if it was not pending.
  bool acknowledge(StreamId id);

  // Pending entries that were delivered at or before this time, at most `most`, the oldest first;
  // those of the same time by id. O(1) when there is none, O(pending) else.
  [[nodiscard]] std::vector<StreamId> delivered_until(std::int64_t ms, std::size_t most);
  // No pending entry was delivered before. May be too early, never too late; kNothing if none is
  // pending.
  static constexpr std::int64_t kNothing = INT64_MAX;
  [[nodiscard]] std::int64_t earliest_delivery() const {
    return pending_.empty() ? kNothing : earliest_ms_;
  }

  // Bytes of all allocations, about.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  PendingList pending_;
  Consumers consumers_;
  std::int64_t earliest_ms_ = kNothing;
};

using StreamGroups = std::map<std::string, StreamGroup, std::less<>>;

}  // namespace hearth
