// The peers that the log has named of late, since their bytes were refused.
#pragma once

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "src/base/time.h"

namespace hearth::cluster {

// Each peer is named once a period, and only so many of them: strangers who come again and again,
// from however many addresses, fill neither the log nor the memory. One call is O(log kPeersMax).
class Complaints {
 public:
  static constexpr std::size_t kPeersMax = 64;
  static constexpr std::chrono::minutes kPeriod{1};

  // True if the log should name `peer` at `now`, which it then counts as done.
  bool is_due(std::string_view peer, MonoTime now) {
    if (now - began_ >= kPeriod) {
      named_.clear();
      began_ = now;
    }
    return named_.size() < kPeersMax && named_.emplace(peer).second;
  }
  [[nodiscard]] std::size_t held() const { return named_.size(); }

 private:
  std::set<std::string> named_;
  MonoTime began_;
};

}  // namespace hearth::cluster
