#include "src/commands/all.h"

#include "src/commands/cluster/family.h"
#include "src/commands/connection/family.h"
#include "src/commands/hash/family.h"
#include "src/commands/key/family.h"
#include "src/commands/pubsub/family.h"
#include "src/commands/server/family.h"
#include "src/commands/string/family.h"
#include "src/commands/transaction/family.h"

namespace hearth {

std::vector<const CommandSpec*> all_commands() {
  std::vector<const CommandSpec*> all;
  const auto add = [&](std::span<const CommandSpec* const> family) {
    all.insert(all.end(), family.begin(), family.end());
  };
  add(commands::kStringFamily);
  add(commands::kHashFamily);
  add(commands::kKeyFamily);
  add(commands::kConnectionFamily);
  add(commands::kPubSubFamily);
  add(commands::kTransactionFamily);
  add(commands::kServerFamily);
  add(commands::kClusterFamily);
  return all;
}

}  // namespace hearth
