#include "src/engine/holds.h"

#include <algorithm>
#include <utility>

#include "cluster/model/slot.h"

namespace hearth {

void Holds::refresh() {
  core_.paused = pause_until_.ms != 0 || write_holders_ != 0 || alone_ != nullptr;
  core_.holding = core_.paused || has_locks();
  core_.refresh_expiry();
}

void Holds::pause(PauseKind kind, UnixMillis until) {
  // A second pause never weakens the first: the wider kind and the later end hold.
  if (pause_until_.ms == 0 || kind == PauseKind::kAll) pause_kind_ = kind;
  pause_until_ = std::max({pause_until_, until, UnixMillis{1}});
  refresh();
}

void Holds::unpause() {
  pause_until_ = UnixMillis{};
  pause_kind_ = PauseKind::kWrite;
  end();
}

void Holds::hold_writes(WriteHolder holder, bool on) {
  write_holders_ = on ? write_holders_ | bit(holder) : write_holders_ & ~bit(holder);
  if (on)
    refresh();
  else
    end();
}

void Holds::hold_all_but(const Session& session) {
  alone_ = &session;
  refresh();
}

void Holds::end_hold_of(const Session& session) {
  if (alone_ != &session) return;
  alone_ = nullptr;
  end();
}

void Holds::check_time() {
  if (pause_until_.ms != 0 && core_.env.now >= pause_until_) unpause();
}

void Holds::lock_keys(DbIndex db, std::span<const std::string> names) {
  for (const auto& name : names) ++locked_[DbName{db, name}];
  refresh();
}

void Holds::unlock_keys(DbIndex db, std::span<const std::string> names) {
  for (const auto& name : names) {
    const auto at = locked_.find(DbNameView(db, name));
    if (at != locked_.end() && --at->second == 0) locked_.erase(at);
  }
  end();
}

void Holds::hold_slots(const cluster::SlotSet& written, const cluster::SlotSet& used) {
  written_slots_ = written;
  used_slots_ = used;
  holds_slots_ = !written.empty() || !used.empty();
  end();  // of those that waited for others than these
}

// A session that something else holds too is stopped again at the gate.
void Holds::end() {
  refresh();
  for (const auto& [turn, session] : std::exchange(queue_, {})) {
    session->become(RunState::kIdle);
    session->held_turn = 0;
    core_.host.resume_soon(*session);
  }
  on_end_();
}

void Holds::hold(Session& session) {
  session.become(RunState::kHeld);
  session.held_turn = ++last_turn_;
  queue_.emplace(session.held_turn, &session);
}

void Holds::forget(Session& session) {
  if (session.held_turn != 0) queue_.erase(session.held_turn);
  end_hold_of(session);
}

// Of a transaction that only writes, its EXEC waits.
bool Holds::pauses(const Session& session, const Command& command,
                   std::span<const std::string_view> argv, bool queues) {
  if (!core_.paused || session.replica) return false;
  check_time();
  if (!core_.paused) return false;
  if (alone_ != nullptr) return &session != alone_;
  // Else a pause of all could never be ended early.
  if (has(command.flags, Flag::kEndsPause)) return false;
  if (pause_until_.ms != 0 && pause_kind_ == PauseKind::kAll) return true;
  if (queues) return false;
  bool writes = false;
  for_each_action(session, command, argv, [&](const Command& c, const auto words) {
    const Flag flags = flags_in_effect(core_.services, c, words);
    writes = writes || has(flags, Flag::kWrite) || has(flags, Flag::kMayReplicate);
  });
  return writes;
}

// To be called with the command's keys in positions_.
bool Holds::uses_held_slot(const Command& command, std::span<const std::string_view> words) const {
  if (!holds_slots_) return false;
  const Flag flags = flags_in_effect(core_.services, command, words);
  const bool writes = has(flags, Flag::kWrite) || has(flags, Flag::kMayReplicate);
  return std::any_of(positions_.begin(), positions_.end(), [&](const KeyPosition& p) {
    const Slot slot = cluster::slot_of(words[p.index]);
    return used_slots_.has(slot) || (writes && written_slots_.has(slot));
  });
}

bool Holds::is_locked(const Session& session, const Command& command,
                      std::span<const std::string_view> argv) {
  if (!has_locks() || session.replica) return false;
  bool locked = false;
  for_each_action(session, command, argv, [&](const Command& c, const auto words) {
    if (!extract_keys(c, words, positions_)) return;
    for (const KeyPosition& p : positions_)
      locked = locked || locked_.contains(DbNameView(session.db, words[p.index]));
    locked = locked || (c.spec->keys.empty() && c.writes()) || uses_held_slot(c, words);
  });
  return locked;
}

}  // namespace hearth
