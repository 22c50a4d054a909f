// The flags that a script or function declares.
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth {

// A script without a first line "#!lua" has kUnmarked
// alone: it is judged by the commands that it calls.
using ScriptFlags = std::uint8_t;
namespace script_flag {
inline constexpr ScriptFlags kNoWrites = 1, kAllowOom = 2, kAllowStale = 4, kNoCluster = 8,
                             kAllowCrossSlot = 16, kUnmarked = 32;
struct Name {
  ScriptFlags bit;
  std::string_view text;
};
inline constexpr Name kNames[] = {{kNoWrites, "no-writes"},
                                  {kAllowOom, "allow-oom"},
                                  {kAllowStale, "allow-stale"},
                                  {kNoCluster, "no-cluster"},
                                  {kAllowCrossSlot, "allow-cross-slot-keys"}};
}  // namespace script_flag

}  // namespace hearth
