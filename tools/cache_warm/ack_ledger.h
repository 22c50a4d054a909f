// The operations that the cache has acknowledged, and so how far a stream may be confirmed.
//
// Operations get tags in the order in which they are sent; acknowledgements come in any order. A
// mark says that everything up to a position of the database's log was turned into operations. It
// is reached when every operation before it is acknowledged, and not earlier.
//
//   issue issue mark(P1) issue mark(P2)        done(1) done(2)        done(0)
//                                              nothing is reached     P2 is reached
//
// Memory: four bytes for each operation since the oldest that is not acknowledged, and a mark for
// each of their commits.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "src/base/time.h"
#include "tools/warm_source/change_stream.h"

namespace hearth::warm {

class AckLedger {
 public:
  struct Mark {
    LogPosition position{};
    UnixMillis committed{};
  };
  // Below 2^31; for the caller, until the operation is done.
  using Note = std::uint32_t;

  // The tag of the next operation. O(1).
  std::uint64_t issue(Note note) {
    entries_.push_back(note << 1);
    return first_ + entries_.size() - 1;
  }

  // An operation was acknowledged, or refused for good. Amortised O(1). Each tag once.
  Note done(std::uint64_t tag) {
    Entry& entry = entries_[static_cast<std::size_t>(tag - first_)];
    const Note note = entry >> 1;
    entry |= 1;
    while (!entries_.empty() && (entries_.front() & 1) != 0) {
      entries_.pop_front();
      ++first_;
    }
    while (!marks_.empty() && marks_.front().behind <= first_) {
      reached_ = marks_.front().mark;
      marks_.pop_front();
    }
    return note;
  }

  // Everything before `position` stands in the operations that were issued so far. Positions do not
  // go back.
  void mark(LogPosition position, UnixMillis committed) {
    const std::uint64_t behind = first_ + entries_.size();
    if (entries_.empty()) {
      reached_ = Mark{position, committed};
    } else if (!marks_.empty() && marks_.back().behind == behind) {
      marks_.back().mark = {position, committed};
    } else {
      marks_.push_back({behind, {position, committed}});
    }
  }

  // The last mark that was reached since the last call.
  std::optional<Mark> take_reached() {
    const auto reached = reached_;
    reached_.reset();
    return reached;
  }

  // Operations that are not acknowledged, and acknowledged ones behind them.
  [[nodiscard]] std::size_t open() const { return entries_.size(); }
  // The oldest commit that waits for an acknowledgement.
  [[nodiscard]] std::optional<UnixMillis> oldest_commit() const {
    if (marks_.empty()) return std::nullopt;
    return marks_.front().mark.committed;
  }

 private:
  using Entry = std::uint32_t;  // the note, and in the lowest bit whether it is done
  struct Waiting {
    std::uint64_t behind = 0;  // reached when all tags below are done
    Mark mark;
  };
  std::deque<Entry> entries_;
  std::uint64_t first_ = 0;  // the tag of entries_[0]
  std::deque<Waiting> marks_;
  std::optional<Mark> reached_;
};

}  // namespace hearth::warm
