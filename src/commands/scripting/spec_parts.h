// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kFlushModes[] = {args::token("async", "ASYNC"),
                                         args::token("sync", "SYNC")};
inline constexpr std::string_view kKillTips[] = {"request_policy:all_shards",
                                                 "response_policy:one_succeeded"};

}  // namespace hearth::commands
