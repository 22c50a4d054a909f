// Holds: what makes requests wait that could run otherwise: CLIENT PAUSE, a shutdown that waits for
// replicas, keys that are on their way to another server, and a transaction that waits in its
// middle.
//
// A held request has not run. Its session stands in a queue and comes again when a hold ends; where
// another one is in its way then, it is held again. Commands that wait by themselves (BLPOP) and
// are woken under a hold are put off by Blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cluster/model/slot_set.h"
#include "src/base/name_map.h"
#include "src/command/hold_control.h"
#include "src/command/key_extract.h"
#include "src/engine/core.h"

namespace hearth {

// The reasons for which all writes wait: a shutdown for its replicas, a failover by hand for its
// replica.
enum class WriteHolder : std::uint8_t { kShutdown, kFailover };

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

  // Commands that write wait, whatever CLIENT PAUSE says, as long as anybody holds them.
  void hold_writes(WriteHolder holder, bool on);
  // Nothing is written, by a transaction that is under way neither.
  [[nodiscard]] bool holds_writes(WriteHolder holder) const {
    return (write_holders_ & bit(holder)) != 0 && is_idle();
  }
  // Commands that write keys of `written` wait, and those that read or write keys of `used`; in the
  // place of what was held before. What is already under way goes on: see is_idle().
  void hold_slots(const cluster::SlotSet& written, const cluster::SlotSet& used);
  // No transaction and no script is under way.
  [[nodiscard]] bool is_idle() const {
    return alone_ == nullptr && core_.depth <= 1 && !core_.script_busy;
  }
  // Nobody else runs until the transaction of this session is through.
  void hold_all_but(const Session& session);
  void end_hold_of(const Session& session);
  // Ends a pause whose time is over.
  void check_time();

  [[nodiscard]] bool is_paused() const { return core_.paused; }
  [[nodiscard]] bool has_locks() const { return !locked_.empty() || holds_slots_; }
  // Must the request wait for a pause? `queues`: it is about to be queued in a MULTI.
  [[nodiscard]] bool pauses(const Session& session, const Command& command,
                            std::span<const std::string_view> argv, bool queues);
  // Does it name a locked key, use one of a held slot, or change all keys at once?
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
  static unsigned bit(WriteHolder holder) { return 1U << static_cast<unsigned>(holder); }
  unsigned write_holders_ = 0;
  const Session* alone_ = nullptr;  // the only one that may run
  [[nodiscard]] bool uses_held_slot(const Command& command,
                                    std::span<const std::string_view> words) const;

  DbNameMap<int> locked_;
  cluster::SlotSet written_slots_, used_slots_;  // see hold_slots
  bool holds_slots_ = false;
  std::map<std::uint64_t, Session*> queue_;  // by the turn in which they came
  std::uint64_t last_turn_ = 0;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
