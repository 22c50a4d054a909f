// Texts and checks of `follow` for the command line.
#pragma once

#include <string>
#include <vector>

#include "tools/cache_warm/app/metrics.h"
#include "tools/cache_warm/follower.h"

namespace hearth::warm {

// Prints what the mappings lack to be followed, and the statements that give it; clears `is_well`
// then, also for a mapping or a database that cannot be followed. Returns an exit code, 0: it could
// be asked.
int check_follow(const WarmPlan& plan, const std::string& name, const SourceOptions& source,
                 const Clock& clock, bool& is_well);

// Removes what `follow` leaves in the database and in the cache. Errors: kIo, kInvalid, kBusy.
Result<void> drop_follow(const WarmPlan& plan, const std::string& name, const SourceOptions& source,
                         const Clock& clock);

[[nodiscard]] std::vector<Gauge> follow_gauges(const FollowStatus& status);
// A few lines, each with its end.
[[nodiscard]] std::string follow_text(const FollowStatus& status);
// One JSON object and a line end.
[[nodiscard]] std::string follow_json(const LoadReport& report, const FollowStatus& status);

}  // namespace hearth::warm
