// OwnDeadlines: on a writable replica, when the keys that its own clients gave a time to live are
// due. Other keys expire when the primary says so.
//
// Holds one deadline per key. Keys that went another way leave at the latest when there are more of
// them than live ones, so that the size is bounded by the number of keys.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "src/base/ids.h"
#include "src/base/time.h"
#include "src/store/entry.h"

namespace hearth {

class OwnDeadlines {
 public:
  struct Due {
    DbIndex db = 0;
    std::string key;
    std::int64_t deadline = 0;
  };

  // The key has this deadline now, or none (kNoDeadline): then it is forgotten.
  void note(DbIndex db, std::string_view key, std::int64_t deadline) {
    const auto at = of_key_.find(Name{db, std::string(key)});
    if (at != of_key_.end()) {
      by_time_.erase({at->second, &at->first});
      if (deadline == kNoDeadline) {
        of_key_.erase(at);
        return;
      }
      at->second = deadline;
      by_time_.emplace(deadline, &at->first);
    } else if (deadline != kNoDeadline) {
      const auto made = of_key_.emplace(Name{db, std::string(key)}, deadline).first;
      by_time_.emplace(deadline, &made->first);
    }
  }

  // Takes one that is due out.
  [[nodiscard]] std::optional<Due> take_due(UnixMillis now) {
    if (by_time_.empty() || by_time_.begin()->first > now.ms) return std::nullopt;
    const auto at = of_key_.find(*by_time_.begin()->second);
    Due due{at->first.first, at->first.second, at->second};
    by_time_.erase(by_time_.begin());
    of_key_.erase(at);
    return due;
  }

  // Forgets keys for which holds(db, key, deadline) is false, if there are more than twice as many
  // as when it did so last.
  template <typename Holds>
  void prune(Holds&& holds) {
    constexpr std::size_t kLeast = 1024;
    if (of_key_.size() < kLeast || of_key_.size() < 2 * left_by_pruning_) return;
    for (auto at = of_key_.begin(); at != of_key_.end();) {
      const bool keep = holds(at->first.first, std::string_view(at->first.second), at->second);
      if (!keep) by_time_.erase({at->second, &at->first});
      at = keep ? std::next(at) : of_key_.erase(at);
    }
    left_by_pruning_ = of_key_.size();
  }

  [[nodiscard]] std::size_t size() const { return of_key_.size(); }
  void clear() {
    by_time_.clear();
    of_key_.clear();
    left_by_pruning_ = 0;
  }

 private:
  using Name = std::pair<DbIndex, std::string>;
  std::map<Name, std::int64_t> of_key_;
  std::set<std::pair<std::int64_t, const Name*>> by_time_;
  std::size_t left_by_pruning_ = 0;
};

}  // namespace hearth
