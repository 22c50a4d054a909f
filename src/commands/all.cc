#include "src/commands/all.h"

#include "src/commands/acl/family.h"
#include "src/commands/bitmap/family.h"
#include "src/commands/cluster/family.h"
#include "src/commands/connection/family.h"
#include "src/commands/geo/family.h"
#include "src/commands/hash/family.h"
#include "src/commands/hyperloglog/family.h"
#include "src/commands/key/family.h"
#include "src/commands/list/family.h"
#include "src/commands/persistence/family.h"
#include "src/commands/pubsub/family.h"
#include "src/commands/replication/family.h"
#include "src/commands/scripting/family.h"
#include "src/commands/server/family.h"
#include "src/commands/set/family.h"
#include "src/commands/stream/family.h"
#include "src/commands/string/family.h"
#include "src/commands/transaction/family.h"
#include "src/commands/zset/family.h"

namespace hearth {

std::vector<const CommandSpec*> all_commands() {
  std::vector<const CommandSpec*> all;
  const auto add = [&](std::span<const CommandSpec* const> family) {
    all.insert(all.end(), family.begin(), family.end());
  };
  add(commands::kStringFamily);
  add(commands::kHashFamily);
  add(commands::kListFamily);
  add(commands::kSetFamily);
  add(commands::kZsetFamily);
  add(commands::kStreamFamily);
  add(commands::kBitmapFamily);
  add(commands::kHyperLogLogFamily);
  add(commands::kGeoFamily);
  add(commands::kScriptingFamily);
  add(commands::kAclFamily);
  add(commands::kKeyFamily);
  add(commands::kConnectionFamily);
  add(commands::kPubSubFamily);
  add(commands::kTransactionFamily);
  add(commands::kServerFamily);
  add(commands::kClusterFamily);
  add(commands::kPersistenceFamily);
  add(commands::kReplicationFamily);
  return all;
}

}  // namespace hearth
