// A write: the change that a row makes to the cache.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/base/ids.h"
#include "tools/warm_mapping/mapping.h"

namespace hearth::warm {

// One command on one key; it gives the same result when it is repeated.
struct Write {
  std::string_view bytes;  // RESP
  std::string_view key;    // a part of bytes
  Slot slot = 0;
  bool is_delete = false;
  bool only_if_absent = false;  // the reply may be null, or -BUSYKEY: what was there stayed
  ValueKind kind = ValueKind::kString;
  std::uint64_t fingerprint = 0;  // of the value, see fingerprint.h; 0 unless asked for
};

}  // namespace hearth::warm
