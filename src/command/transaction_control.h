// TransactionControl: MULTI and WATCH. Implemented by the engine.
#pragma once

#include <optional>
#include <string_view>

#include "src/base/ids.h"

namespace hearth {

class CommandContext;
struct Session;

class TransactionControl {
 public:
  virtual ~TransactionControl() = default;
  // Runs the queue of the session as one unit and writes EXEC's reply.
  virtual void exec(CommandContext& ctx) = 0;
  // The command of an EXEC that the session waited for has answered: runs those behind it.
  virtual void go_on(Session& session) = 0;
  virtual void discard(Session& session) = 0;
  virtual void watch(Session& session, DbIndex db, std::string_view key) = 0;
  virtual void unwatch(Session& session) = 0;
  // Every key of the database is about to change at once: it becomes empty (FLUSHDB), or what
  // `becomes` holds (SWAPDB). Watchers of keys that are in neither, or only as expired ones, don't
  // mind.
  virtual void touch_all(DbIndex db, std::optional<DbIndex> becomes) = 0;
};

}  // namespace hearth
