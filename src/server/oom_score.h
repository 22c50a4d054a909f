// Tells the kernel when to kill this process rather than others: /proc/self/oom_score_adj.
#pragma once

#include <optional>
#include <string>

#include "src/base/result.h"
#include "src/config/settings.h"

namespace hearth {

class OomScore {
 public:
  enum class Role : unsigned char { kPrimary, kReplica, kBackgroundChild };

  // Makes the score what oom-score-adj and its values say for the role. With "no" the score that
  // was found before the first change returns; without a change nothing is touched.
  //   error  a sentence for the client; the reason was logged
  [[nodiscard]] Result<void, std::string> apply(const config::Settings& settings, Role role);

 private:
  std::optional<int> found_;  // before the first change
};

}  // namespace hearth
