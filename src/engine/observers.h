// Observers: what is told of each command once it has run: MONITOR, the slow log and the logs of
// large requests and replies, HOTKEYS, the figures of slots, latency events. They see a command's
// words without its secrets.
#pragma once

#include <map>
#include <vector>

#include "src/command/key_extract.h"
#include "src/command/monitor_control.h"
#include "src/engine/core.h"
#include "src/engine/sessions.h"
#include "src/engine/slot_costs.h"

namespace hearth {

class Observers final : public MonitorControl {
 public:
  using Words = std::span<const std::string_view>;
  Observers(EngineCore& core, Sessions& sessions)
      : core_(core), sessions_(sessions), slot_costs_(core) {}

  // MonitorControl
  void start(Session& session) override;
  void stop(Session& session) override;

  [[nodiscard]] bool has_monitors() const { return !monitors_.empty(); }
  // `client`: who sent it; a script's commands are the script's for monitors, its caller's for
  // logs. A script is shown before it runs, so that its commands follow it.
  void before_script(const Session& session, const Command& command, Words argv) {
    if (!monitors_.empty()) [[unlikely]]
      feed(session, command, argv);
  }
  // A command ran. `announced`: monitors were shown it before.
  void after_call(Session& session, const Session& client, const Command& command, Words argv,
                  std::uint64_t ns, std::uint64_t reply_bytes, bool announced) {
    if (ns >= core_.hot.slow_ns || ns >= core_.hot.latency_ns || !monitors_.empty() ||
        core_.hot_keys.is_active() || core_.hot.slot_stats) [[unlikely]]
      note_call(session, client, command, argv, ns, reply_bytes, announced);
  }
  // To be called with cluster-slot-stats-enabled alone.
  void note_unserved(Session& session, const Command& command, Words argv, std::uint64_t ns,
                     std::uint64_t reply_bytes) {
    slot_costs_.note_unserved(session, command, argv, ns, reply_bytes);
  }
  void note_queued(Session& session, Words argv, std::uint64_t reply_bytes) {
    slot_costs_.note_queued(session, argv, reply_bytes);
  }
  void note_stream(const CommittedUnit& unit) { slot_costs_.note_stream(unit); }
  // A unit that was no call ended.
  void after_unit() { slot_costs_.forget_nested(); }
  // Shows a command that waits.
  void announce(const Session& session, const Command& command, Words argv);
  void log_slow(const Session& client, const Command& command, Words argv, std::uint64_t ns);
  void log_size(const Session& client, const Command& command, Words argv, CommandLogs::Kind kind,
                std::uint64_t bytes);

 private:
  void note_call(Session& session, const Session& client, const Command& command, Words argv,
                 std::uint64_t ns, std::uint64_t reply_bytes, bool announced);
  [[nodiscard]] std::vector<std::string_view> without_secrets(const Command& command,
                                                              Words argv) const;
  void feed(const Session& from, const Command& command, Words argv);
  void note_hot_keys(const Command& command, Words argv, std::uint64_t ns,
                     std::uint64_t reply_bytes);

  EngineCore& core_;
  Sessions& sessions_;
  SlotCosts slot_costs_;
  std::map<ConnId, Session*> monitors_;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
