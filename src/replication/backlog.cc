#include "src/replication/backlog.h"

#include <algorithm>

#include "src/base/check.h"

namespace hearth::replication {

void Backlog::append(std::string_view bytes) {
  last_ += bytes.size();
  if (bytes.size() >= capacity_) {
    ring_.assign(bytes.substr(bytes.size() - capacity_));
    next_ = 0;
    held_ = capacity_;
    return;
  }
  while (!bytes.empty()) {
    if (next_ == capacity_) next_ = 0;
    const std::size_t room = std::min<std::size_t>(bytes.size(), capacity_ - next_);
    if (next_ == ring_.size()) {
      ring_.append(bytes.substr(0, room));
    } else {
      const std::size_t over = std::min(room, ring_.size() - next_);
      ring_.replace(next_, over, bytes.substr(0, over));
      ring_.append(bytes.substr(over, room - over));
    }
    next_ += room;
    held_ = std::min<std::uint64_t>(held_ + room, capacity_);
    bytes.remove_prefix(room);
  }
}

void Backlog::set_capacity(std::uint64_t capacity) {
  if (capacity == capacity_) return;
  const std::uint64_t kept = std::min(held_, capacity);
  ring_ = from(last_ - kept + 1);
  capacity_ = capacity;
  held_ = kept;
  next_ = ring_.size();
}

std::string Backlog::from(std::uint64_t offset) const {
  HEARTH_CHECK(can_continue_at(offset));
  const std::size_t wanted = last_ + 1 - offset;
  std::string out;
  out.reserve(wanted);
  // The newest byte stands before next_; the older ones at the ring's end.
  const std::size_t in_front = std::min(wanted, next_);
  if (wanted > in_front) out.append(ring_, ring_.size() - (wanted - in_front), std::string::npos);
  out.append(ring_, next_ - in_front, in_front);
  return out;
}

}  // namespace hearth::replication
