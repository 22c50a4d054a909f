// Transactions: MULTI, EXEC and WATCH. A queue per session, executed as one unit.
//
// A watch is broken by the events of the effect log, and by commands that change a whole database.
// Where a command of an EXEC waits for another server (MIGRATE), what came before it is committed
// and everybody else is held, so that nobody sees the transaction in its middle; the rest runs when
// the answer has come, or at once if the client leaves.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "src/base/name_map.h"
#include "src/command/transaction_control.h"
#include "src/engine/accounts.h"
#include "src/engine/core.h"
#include "src/engine/holds.h"

namespace hearth {

class Transactions final : public TransactionControl, public EffectSink {
 public:
  struct Parts {
    EngineCore& core;
    Executor& executor;
    Accounts& accounts;
    Holds& holds;
  };
  Transactions(const Parts& parts, std::uint64_t seed) : parts_(parts), watched_(seed) {}

  void queue(Session& session, const Command& command, std::span<const std::string_view> argv);
  [[nodiscard]] bool has_watches() const { return !watched_.empty(); }
  void forget(Session& session);

  // TransactionControl
  void exec(CommandContext& ctx) override;
  void go_on(Session& session) override;
  void discard(Session& session) override;
  void watch(Session& session, DbIndex db, std::string_view key) override;
  void unwatch(Session& session) override;
  void touch_all(DbIndex db, std::optional<DbIndex> becomes) override;

  // EffectSink
  void on_commit(const CommittedUnit& unit) override;

 private:
  void run(Session& session, std::vector<QueuedCommand> queue);
  [[nodiscard]] bool still_allowed(Session& session, const Command& command,
                                   std::span<const std::string_view> argv);
  [[nodiscard]] bool has_expired_watch(Session& session) const;

  Parts parts_;
  DbNameMap<std::map<Session*, Watcher>> watched_;
};

}  // namespace hearth
