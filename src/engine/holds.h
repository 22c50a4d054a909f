// Holds: what makes requests wait that could run otherwise: CLIENT PAUSE, a shutdown that waits for
// replicas, keys that are on their way to another server, and a transaction that waits in its
// middle.
//
// A held request has not run. Its session stands in a queue and comes again when a hold ends; where
// another one is in its way then, it is held again. Commands that wait by themselves (BLPOP) and
// are woken under a hold are put off by Blocking.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "src/base/name_map.h"
#include "src/command/key_extract.h"
#include "src/engine/core.h"

namespace hearth {

class Holds final : public HoldControl {
 public:
  // on_end: a hold has ended.
  Holds(EngineCore& core, std::uint64_t seed, std::function<void()> on_end)
      : core_(core), on_end_(std::move(on_end)), locked_(seed) {}

  // HoldControl
  void pause(PauseKind kind, UnixMillis until) override;
  void unpause() override;
  void lock_keys(DbIndex db, std::span<const std::string> names) override;
  void unlock_keys(DbIndex db, std::span<const std::string> names) override;

  // While a shutdown waits for replicas: what writes waits, whatever CLIENT PAUSE says.
  void hold_writes(bool on);
  // Nobody else runs until the transaction of this session is through.
  void hold_all_but(const Session& session);
  void end_hold_of(const Session& session);
  // Ends a pause whose time is over.
  void check_time();

  [[nodiscard]] bool has_locks() const { return !locked_.empty(); }
  // Must the request wait for a pause? `queues`: it is about to be queued in a MULTI.
  [[nodiscard]] bool pauses(const Session& session, const Command& command,
                            std::span<const std::string_view> argv, bool queues);
  // Does it name a locked key, or reach all keys at once?
  [[nodiscard]] bool is_locked(const Session& session, const Command& command,
                               std::span<const std::string_view> argv);
  // Puts the session into the queue.
  void hold(Session& session);
  void forget(Session& session);

 private:
  void refresh();
  void end();

  EngineCore& core_;
  std::function<void()> on_end_;
  PauseKind pause_kind_ = PauseKind::kWrite;
  UnixMillis pause_until_{};  // 0: CLIENT PAUSE asks for nothing
  bool writes_held_ = false;
  const Session* alone_ = nullptr;  // the only one that may run
  DbNameMap<int> locked_;
  std::map<std::uint64_t, Session*> queue_;  // by the turn in which they came
  std::uint64_t last_turn_ = 0;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
