#include "src/store/stream_group.h"

#include <algorithm>
#include <utility>

#include "src/store/memory.h"

namespace hearth {

StreamGroup StreamGroup::clone() const {
  StreamGroup copy(last_id, entries_read);
  copy.earliest_ms_ = earliest_ms_;
  for (const auto& [name, consumer] : consumers_) {
    StreamConsumer& made = copy.add_consumer(name, UnixMillis{consumer->seen_ms});
    made.active_ms = consumer->active_ms;
    made.pending = consumer->pending;
  }
  for (auto p = pending_.begin(); p != pending_.end(); p = pending_.next(p)) {
    PendingEntry entry = pending_.at(p);
    if (entry.consumer != nullptr) entry.consumer = copy.consumer(entry.consumer->name);
    copy.pending_.append(entry);
  }
  return copy;
}

StreamConsumer* StreamGroup::consumer(std::string_view name) const {
  const auto at = consumers_.find(name);
  return at == consumers_.end() ? nullptr : at->second.get();
}

StreamConsumer& StreamGroup::add_consumer(std::string_view name, UnixMillis now) {
  auto consumer = std::make_unique<StreamConsumer>();
  consumer->name = name;
  consumer->seen_ms = now.ms;
  return *consumers_.emplace(std::string(name), std::move(consumer)).first->second;
}

void StreamGroup::remove_consumer(StreamConsumer& consumer) {
  const StreamIdSet& ids = consumer.pending;
  for (auto p = ids.begin(); p != ids.end(); p = ids.next(p)) pending_.erase_key(ids.at(p));
  consumers_.erase(consumers_.find(consumer.name));
}

PendingEntry& StreamGroup::assign(StreamId id, StreamConsumer* consumer,
                                  std::int64_t delivered_ms) {
  earliest_ms_ = pending_.empty() ? delivered_ms : std::min(earliest_ms_, delivered_ms);
  PendingEntry* entry = pending_.find(id);
  if (entry == nullptr) {
    entry = &pending_.insert({id, delivered_ms, 0, consumer});
    if (consumer != nullptr) consumer->pending.insert(id);
    return *entry;
  }
  entry->delivered_ms = delivered_ms;
  if (entry->consumer != consumer) {
    if (entry->consumer != nullptr) entry->consumer->pending.erase_key(id);
    if (consumer != nullptr) consumer->pending.insert(id);
    entry->consumer = consumer;
  }
  return *entry;
}

bool StreamGroup::acknowledge(StreamId id) {
  const auto p = pending_.lower_bound(id);
  if (p == pending_.end() || pending_.at(p).id != id) return false;
  if (StreamConsumer* consumer = pending_.at(p).consumer) consumer->pending.erase_key(id);
  pending_.erase(p);
  return true;
}

std::vector<StreamId> StreamGroup::delivered_until(std::int64_t ms, std::size_t most) {
  std::vector<StreamId> ids;
  if (earliest_delivery() > ms || most == 0) return ids;
  std::vector<std::pair<std::int64_t, StreamId>> found;
  std::int64_t earliest = kNothing;
  for (auto p = pending_.begin(); p != pending_.end(); p = pending_.next(p)) {
    const PendingEntry& entry = pending_.at(p);
    earliest = std::min(earliest, entry.delivered_ms);
    if (entry.delivered_ms <= ms) found.emplace_back(entry.delivered_ms, entry.id);
  }
  earliest_ms_ = earliest;
  const std::size_t count = std::min(most, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end());
  ids.reserve(count);
  for (std::size_t i = 0; i < count; ++i) ids.push_back(found[i].second);
  return ids;
}

std::size_t StreamGroup::memory_bytes() const {
  // A node of a map holds three pointers and a colour besides its value.
  constexpr std::size_t kMapNode = 32;
  std::size_t bytes = pending_.memory_bytes();
  for (const auto& [name, consumer] : consumers_) {
    bytes += memory::rounded(kMapNode + sizeof(std::string) + sizeof consumer) +
             memory::rounded(sizeof(StreamConsumer)) + consumer->pending.memory_bytes();
    if (name.size() > 15) bytes += 2 * memory::rounded(name.size() + 1);
  }
  return bytes;
}

}  // namespace hearth
