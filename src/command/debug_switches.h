// The switches of DEBUG. Owned by the engine; each is read where it matters.
#pragma once

#include <cstdint>
#include <optional>

#include "src/base/time.h"

namespace hearth {

struct DebugSwitches {
  bool pause_cron = false;               // no background work at all
  bool tables_keep_size = false;         // tables of keys neither grow nor shrink
  bool allow_denied_in_scripts = false;  // commands marked noscript run in scripts
  bool reply_buffers_keep_size = false;  // the first piece of output is as large as it was
  // How long the largest reply of a client counts for the size of its next; none: for ever.
  std::optional<milliseconds> reply_peak_life = kReplyPeakLife;
  static constexpr milliseconds kReplyPeakLife{5000};
  std::uint64_t packed_threshold = 0;  // bytes; longer list items stand alone. 0: by the node size
};

}  // namespace hearth
