// EngineCore: what the parts of the engine share, and what they ask of the executor.
//
// Each part owns its own state; here stands only what several of them read. A member that one part
// alone may change says so.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "cluster/model/view.h"
#include "src/base/random.h"
#include "src/command/context.h"
#include "src/command/debug_switches.h"
#include "src/command/replica_control.h"
#include "src/command/replication_control.h"
#include "src/command/table.h"
#include "src/config/registry.h"
#include "src/effects/effect_log.h"
#include "src/engine/host.h"
#include "src/metrics/command_log.h"
#include "src/metrics/hot_keys.h"
#include "src/metrics/latency_monitor.h"
#include "src/metrics/stats.h"
#include "src/pubsub/pubsub.h"
#include "src/store/eviction.h"
#include "src/store/keyspace.h"

namespace hearth {

// Settings that every command reads, copied when they change.
struct HotSettings {
  std::uint64_t maxmemory = 0;
  EvictionPolicy policy = EvictionPolicy::kNoEviction;
  std::uint64_t slow_ns = ~0ULL;                             // slowlog-log-slower-than
  std::uint64_t large_request = ~0ULL, large_reply = ~0ULL;  // commandlog-...-larger-than
  std::uint64_t latency_ns = ~0ULL;                          // latency-monitor-threshold
  std::uint64_t clients_most = 0;  // maxmemory-clients in bytes, 0: no limit
  bool latency_tracking = true;
  bool slot_stats = false;  // cluster-slot-stats-enabled, in cluster mode
  bool cluster = false;
  std::uint32_t notify = 0;
};

struct EngineCore {
  explicit EngineCore(EngineOptions options);

  config::Registry& config;
  const CommandTable& commands;
  EngineHost& host;
  NanoTicks ticks;
  ProcessFacts facts;
  Keyspace keyspace;
  Rng rng;
  EffectLog effects;
  Stats stats;
  CommandLogs command_logs;
  HotKeys hot_keys;
  LatencyMonitor latency;
  PubSub pubsub;
  KeyEnvironment env;
  Services services;
  DebugSwitches debug;
  HotSettings hot;
  std::shared_ptr<const cluster::View> view;  // null: not in cluster mode

  const std::size_t output_most;  // bytes that may wait for one client
  MonoTime mono{};                // the time of this loop turn

  // The executor's: units under way (1 inside a command, 2 inside EXEC's), whose request runs, and
  // the last reading of the counter of nanoseconds.
  int depth = 0;
  Session* actor = nullptr;
  std::uint64_t last_ticks = 0;
  std::uint64_t command_ns = 0;  // spent in commands since the end of the last turn

  bool loading = false;      // the executor's: the data set is being loaded
  bool following = false;    // the executor's: this server is a replica
  bool guarded = false;      // the gate's: writes may be refused, or expired keys are not removed
  bool paused = false;       // Holds': CLIENT PAUSE, or a shutdown that waits for replicas
  bool holding = false;      // Holds': the same, or keys or slots are locked
  bool script_busy = false;  // ScriptRuns': a script runs and is past the busy threshold
  bool warming = false;      // the warm gate's: it is closed to clients that bring no rows

  [[nodiscard]] const config::Settings& settings() const { return config.settings(); }
  // import-mode of a primary.
  [[nodiscard]] bool importing() const { return settings().import_mode && !following; }
  // Whether expired keys are removed by whoever comes across them.
  void refresh_expiry() { env.expire_removes = !following && !importing() && !paused; }
  [[nodiscard]] std::uint64_t replication_offset() const {
    return services.replication == nullptr ? 0 : services.replication->offset();
  }
  // A replica that is out of touch with its primary and must not answer from what it has.
  [[nodiscard]] bool is_stale() const {
    return following && !settings().replica_serve_stale_data && !services.replica->link_is_up();
  }
};

inline constexpr std::string_view kStaleReplica =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
inline constexpr std::string_view kOutOfMemory =
    "OOM command not allowed when used memory > 'maxmemory'.";

// The answer of the gate to a request.
enum class Verdict : std::uint8_t { kPass, kRefused, kParked, kQueued };

// Calls that the parts make to the executor.
class Executor {
 public:
  virtual ~Executor() = default;
  using Words = std::span<const std::string_view>;
  // Admission, as for a new request. Unless it passes, what the client hears was written.
  [[nodiscard]] virtual Verdict admit(Session& session, const Command& command, Words argv,
                                      const KeyRef& first_key) = 0;
  // Runs a command that was admitted, inside the unit under way.
  virtual void call(Session& session, const Command& command, Words argv,
                    const KeyRef& first_key) = 0;
  // Runs a command of a session that waited: as a unit of its own if none is under way.
  virtual void run_again(Session& session, Attempt attempt, const Command& command, Words argv,
                         const KeyRef& first_key) = 0;
  // Runs `work` on behalf of the session as one unit.
  virtual void run_unit(Session& session, const std::function<void()>& work) = 0;
  // Every key of the database is about to change at once: see TransactionControl::touch_all.
  virtual void note_database_change(DbIndex db, std::optional<DbIndex> becomes) = 0;
  // Writes an error and counts it. `rejected`: the command did not run.
  virtual void reply_error(Session& session, const Command* command, std::string_view text,
                           bool rejected) = 0;
  // A reply is complete: takes it back where CLIENT REPLY says so.
  virtual void after_reply(Session& session, std::size_t out_before) = 0;
  // Hands what was recorded to the sinks, unless a unit is under way that it belongs to.
  virtual void commit() = 0;
  // To be called when somebody begins or ends to care for events.
  virtual void refresh_wants() = 0;
  // The data that was waited for may be there: serves the waiters now, or at the end of the unit
  // under way.
  virtual void serve_ready() = 0;
};

// The command's flags, or for a request that runs a script, what the script says of itself.
[[nodiscard]] Flag flags_in_effect(const Services& services, const Command& command,
                                   std::span<const std::string_view> argv);

// Calls fn(command, words) for what the request does: for the commands of the transaction if it is
// EXEC, else for itself.
template <typename F>
void for_each_action(const Session& session, const Command& command,
                     std::span<const std::string_view> argv, F&& fn) {
  if (!has(command.flags, Flag::kRunsQueue)) return fn(command, argv);
  std::vector<std::string_view> words;
  for (const QueuedCommand& q : session.queue) {
    words.assign(q.argv.begin(), q.argv.end());
    fn(*q.command, std::span<const std::string_view>(words));
  }
}

// The key of the request's first key argument; empty if it has none at a fixed place.
[[nodiscard]] KeyRef first_key_of(const EngineCore& core, const Command& command,
                                  std::span<const std::string_view> argv);

}  // namespace hearth
