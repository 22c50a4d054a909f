// The rights at the target that a load needs and its user lacks.
#pragma once

#include <string>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/plan.h"
#include "tools/client/client.h"

namespace hearth::warm {

struct MissingRight {
  std::string command;    // what was denied
  std::string grant;      // the statement that allows it
  bool is_needed = true;  // else the load works without, and what is lost is told in `loss`
  std::string loss{};
};

// Tries each command in a form that changes nothing: with arguments that are refused once the user
// is allowed to run it, or on a key that does not exist. Errors: kIo, kBusy.
Result<std::vector<MissingRight>> missing_target_rights(client::Client& client,
                                                        const WarmPlan& plan);

}  // namespace hearth::warm
