// Engine: the executor. It owns the data set and every session; bytes and time go in, replies and
// effects come out. It opens no socket and no file and never asks for the time.
//
// One request: look-up -> gate (may it run here, now, for this client?) -> handler -> commit of its
// effects. A batch of pipelined requests is looked up and hashed first, so that the cache misses of
// its keys overlap, and then executed in order.
//
// One thread. Re-entered only by EXEC and by scripts, which run commands inside their own unit; and
// by the requests of other sessions while a script is past the busy threshold (script.cc).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/model/redirect.h"
#include "cluster/model/view.h"
#include "src/base/random.h"
#include "src/command/context.h"
#include "src/command/key_extract.h"
#include "src/command/script_control.h"
#include "src/command/table.h"
#include "src/config/registry.h"
#include "src/effects/effect_log.h"
#include "src/engine/access.h"
#include "src/engine/batch.h"
#include "src/engine/blocked_clients.h"
#include "src/engine/own_deadlines.h"
#include "src/engine/tracking.h"
#include "src/metrics/command_log.h"
#include "src/metrics/hot_keys.h"
#include "src/metrics/latency_monitor.h"
#include "src/metrics/stats.h"
#include "src/pubsub/pubsub.h"
#include "src/store/eviction.h"
#include "src/store/keyspace.h"
#include "src/store/value_lookup.h"

namespace hearth {

// What the network does for the engine. Calls are cheap and never re-enter the engine.
class EngineHost {
 public:
  virtual ~EngineHost() = default;
  // The session has output: write it before this loop turn ends.
  virtual void flush_soon(Session& session) = 0;
  // The session is marked close_now or close_after_reply: end it in this loop turn.
  virtual void close_soon(Session& session) = 0;
  // The session was parked and may go on with the requests it still has.
  virtual void resume_soon(Session& session) = 0;
  // About once a second for each session: its input buffer may shrink to what it needed lately, or
  // to nothing if the client was idle.
  virtual void trim_buffers(Session& session, bool idle) {
    static_cast<void>(session);
    static_cast<void>(idle);
  }
  // A script of this session runs for long: serve the other sessions for one turn and come back.
  // This one call does re-enter the engine. Until script_ended the session is neither read,
  // written nor closed.
  virtual void poll_while_busy(Session& session) { static_cast<void>(session); }
  virtual void script_ended(Session& session) { static_cast<void>(session); }
  // See ScriptHost::exchange_blocking.
  [[nodiscard]] virtual bool exchange_blocking(Session& session, std::string_view out,
                                               std::string& in) {
    static_cast<void>(session);
    static_cast<void>(out);
    static_cast<void>(in);
    return false;
  }
};

// A fast counter of nanoseconds for the durations of commands, handed in like every clock. Only
// differences count.
using NanoTicks = std::uint64_t (*)();

// What INFO says of the process; filled by the composition root.
struct ProcessFacts {
  std::string version, hearth_version, build_id, os, executable, config_file, run_id, compiler,
      process_supervised = "no", multiplexing_api = "none";
  int pid = 0;
  int arch_bits = 64;
  struct Cpu {
    double user = 0, system = 0, user_children = 0, system_children = 0, user_main = 0,
           system_main = 0;
  };
  Cpu (*cpu)() = nullptr;
  std::uint64_t total_system_memory = 0;
};

class Engine final : public ClientControl,
                     public TransactionControl,
                     public InfoControl,
                     public BlockingControl,
                     public ScriptHost {
 public:
  struct Options {
    std::uint64_t seed = 0;  // of the hash tables and of all random choices
    config::Registry* config = nullptr;
    const CommandTable* commands = nullptr;
    EngineHost* host = nullptr;
    NanoTicks ticks = nullptr;
    Reclaimer* reclaimer = nullptr;
    ServerControl* server = nullptr;
    MigrationControl* migration = nullptr;
    ClusterControl* cluster = nullptr;
    PersistenceControl* persistence = nullptr;
    ReplicationControl* replication = nullptr;
    ReplicaControl* replica = nullptr;
    UnixMillis now{};
    MonoTime mono{};
    ProcessFacts facts{};
  };
  explicit Engine(Options options);
  ~Engine() override;

  // --- sessions ---
  struct ClientAddress {
    std::string address, local_address;
    int fd = -1;
    bool unix_socket = false, on_this_host = false, ipv6 = false;
  };
  Session& open(const ClientAddress& from);
  void close(Session& session);

  // --- requests ---
  // The time all of this loop turn's commands see. Inside a script or an EXEC it stands still;
  // what was set meanwhile holds from its end on.
  void set_time(UnixMillis now, MonoTime mono) {
    if (in_transaction())
      held_now_ = now;
    else
      env_.now = env_.clock = now;
    mono_ = mono;
  }
  // Around the execution of what a log or a primary's stream says: whether a key had expired when
  // it was written, it says itself.
  void begin_replay() { env_.now = UnixMillis{0}; }
  void end_replay() { env_.now = env_.clock; }
  // This server becomes a replica, or stops being one: what has expired is only hidden then, and
  // what clients write is refused.
  void set_following(bool on);
  // Ticks a second that background work is to get: `hz`, more with many clients (dynamic-hz).
  [[nodiscard]] int tick_rate() const { return tick_rate_; }
  // CLIENT PAUSE is in force: a primary's stream waits as well.
  [[nodiscard]] bool is_paused() const { return paused_; }
  // While a shutdown waits for replicas: what writes waits, whatever CLIENT PAUSE says.
  void hold_writes(bool on);
  // Executes requests in order. Stops early when the session is parked or closing; returns how many
  // were executed. The three steps in one:
  std::size_t run(Session& session, RequestBatch& batch);
  // Fills in the derived fields of a batch that was parsed, and fetches the buckets of its keys.
  void prepare(Session& session, RequestBatch& batch);
  // Fetches into the cache what prepared batches, of many sessions, are going to look at. It only
  // saves them from waiting for it: other commands may run between this and run_prepared.
  void fetch(std::span<const SessionBatch> batches);
  std::size_t run_prepared(Session& session, RequestBatch& batch);
  // The server ends, and what was to be saved is saved: no request of a client runs any more, since
  // its effect would be lost after it was acknowledged.
  void stop() { stopped_ = true; }
  // One request; for tests and for links.
  void execute(Session& session, std::span<const std::string_view> argv);
  // The connection broke the protocol: `text` is the last thing it hears.
  void protocol_error(Session& session, std::string_view text);

  // The session's input or output buffers changed outside of run(): what clients take together is
  // limited by maxmemory-clients, and the largest ones are closed to get below.
  void note_buffers(Session& session) {
    if (hot_.clients_most != 0) [[unlikely]]
      count_memory_of(session);
  }

  // Memory of an evicted client that outlived its session is free now; it was taken over from
  // Session::dying_bytes.
  void released(std::size_t bytes) { dying_bytes_ -= bytes; }

  // --- time ---
  // Background work of one tick (`hz` times a second): expiry, pauses, limits, statistics.
  void tick();
  // When the first client that waits gives up, 0 if none does; run_due() is to be called then.
  [[nodiscard]] MonoTime next_deadline() const { return blocked_.first_deadline(); }
  void run_due();
  // A loop turn that did something has ended, after so long.
  void end_turn(microseconds duration);
  [[nodiscard]] UnixMillis now() const { return env_.now; }

  // --- the rest of the server ---
  void add_sink(EffectSink& sink) {
    sinks_.push_back(&sink);
    refresh_wants();
  }
  // Sinks that want commands (replication, AOF, tests) switch their recording on; so do those that
  // want every event.
  void want_commands(bool on) {
    sinks_want_commands_ = on;
    refresh_wants();
  }
  void want_events(bool on) {
    sinks_want_events_ = on;
    refresh_wants();
  }
  // nullptr: there is no such command.
  [[nodiscard]] const Command* find_command(std::span<const std::string_view> argv) const {
    return commands_->resolve(argv);
  }
  // While loading, commands that need data are refused, nothing expires in the background and
  // nothing is recorded.
  void set_loading(bool on);
  [[nodiscard]] bool loading() const { return loading_; }
  // Asks PersistenceControl whether writes are refused; to be called when that may have changed.
  void refresh_write_refusal();
  // Replicas that answered within min-replicas-max-lag: writes ask for min-replicas-to-write of
  // them.
  void set_good_replicas(std::size_t count);
  // A command of an EXEC or a script is being run.
  [[nodiscard]] bool in_transaction() const { return depth_ > 1 || script_busy_; }
  // The cluster's newest view; nullptr: not in cluster mode.
  void set_cluster_view(std::shared_ptr<const cluster::View> view);
  [[nodiscard]] const cluster::View* cluster_view() const { return view_.get(); }
  [[nodiscard]] Keyspace& keyspace() { return keyspace_; }
  [[nodiscard]] Stats& stats() { return stats_; }
  [[nodiscard]] PubSub& pubsub() { return pubsub_; }
  [[nodiscard]] Services& services() { return services_; }
  [[nodiscard]] const config::Settings& settings() const { return config_->settings(); }
  [[nodiscard]] EffectLog& effects() { return effects_; }
  [[nodiscard]] Access& access() { return *access_; }
  // Commits what was recorded outside of a command (a slot's keys dropped by the cluster).
  void commit() override;
  // True while MIGRATE or the like keeps keys from changing.
  void lock_keys(DbIndex db, std::span<const std::string> names) override;
  void unlock_keys(DbIndex db, std::span<const std::string> names) override;
  [[nodiscard]] KeyEnvironment& environment() override { return env_; }

  // DEBUG SET-ACTIVE-EXPIRE.
  void set_active_expire(bool on) override { active_expire_ = on; }
  // MONITOR.
  void monitor(Session& session) override;
  void unmonitor(Session& session) override;

  // The session is marked close_now or close_after_reply by somebody other than its own command.
  void end_session_soon(Session& session) { host_->close_soon(session); }

  // --- ClientControl ---
  void for_each(const std::function<void(Session&)>& fn) override;
  [[nodiscard]] Session* find(ConnId id) override;
  [[nodiscard]] std::size_t count() const override { return sessions_.size(); }
  [[nodiscard]] MonoTime mono_now() const override { return mono_; }
  void kill(Session& victim, const Session& by) override;
  void pause(PauseKind kind, UnixMillis until) override;
  void unpause() override;
  void wrote_to(Session& session) override;
  [[nodiscard]] bool is_over_output_limit(Session& session) override;
  void wait(Session& session) override;
  void resume(Session& session) override;

  // --- TransactionControl ---
  void exec(CommandContext& ctx) override;
  void discard(Session& session) override;
  void watch(Session& session, DbIndex db, std::string_view key) override;
  void unwatch(Session& session) override;
  void touch_all(DbIndex db, std::optional<DbIndex> becomes) override;

  // --- BlockingControl (blocking.cc) ---
  void wait_for_keys(CommandContext& ctx, KeyWait key_wait) override;
  void wait_for_progress(CommandContext& ctx, MonoTime deadline) override;
  void progressed() override;
  [[nodiscard]] bool unblock(ConnId id, Unblock how) override;
  void unblock_all(std::string_view error) override;

  // --- ScriptHost ---
  [[nodiscard]] Outcome begin_script(const ScriptStart& start, Session& caller) override;
  void end_script() override;
  OutBuffer& call(std::span<const std::string_view> argv) override;
  void set_script_resp(int resp) override;
  [[nodiscard]] int script_resp() const override;
  void set_script_targets(std::uint8_t targets) override { effects_.set_targets(targets); }
  [[nodiscard]] std::optional<bool> script_may_call(
      std::span<const std::string_view> argv) override;
  [[nodiscard]] bool must_stop_script() override;
  [[nodiscard]] bool has_deprecated_api() const override {
    return settings().lua_enable_deprecated_api;
  }
  [[nodiscard]] std::uint64_t script_ticks() const override { return ticks_(); }
  [[nodiscard]] std::uint64_t script_random() override { return rng_.next(); }
  [[nodiscard]] std::uint64_t name_seed() const override { return keyspace_.seed(); }
  void count_script_error(std::string_view text) override { stats_.count_error(text); }
  [[nodiscard]] bool exchange_blocking(std::string_view out, std::string& in) override;
  [[nodiscard]] Outcome kill_script(ScriptKind kind) override;
  void abandon_script() override;
  [[nodiscard]] std::optional<Running> running_script() const override;
  [[nodiscard]] std::string_view busy_script_text() const override;

  // --- InfoControl ---
  [[nodiscard]] std::span<const Section> sections() const override;
  void write(std::string_view section, InfoWriter& out) override;
  [[nodiscard]] MemoryFigures memory_figures() override;
  [[nodiscard]] std::string_view version() const override { return facts_.version; }
  [[nodiscard]] UnixMillis started() const override { return started_; }
  [[nodiscard]] std::string_view replication_id() const override { return replication_id_; }
  [[nodiscard]] std::uint64_t replication_offset() const override;
  void change_replication_id() override;
  void set_replication_id(std::string id) { replication_id_ = std::move(id); }

 private:
  struct PendingRequest;
  struct ScriptRun;
  class KeyspaceNotifier;

  // import-mode of a primary.
  [[nodiscard]] bool importing() const { return settings().import_mode && !following_; }
  // Whether expired keys are removed by who comes across them.
  void refresh_expiry() { env_.expire_removes = !following_ && !importing() && !paused_; }
  void note_lookups(const Database& db, const RequestBatch& batch);
  void execute_one(Session& session, const ParsedRequest& request,
                   std::span<const std::string_view> argv);
  void call(Session& session, const Command& command, std::span<const std::string_view> argv,
            const KeyRef& first_key);
  void run_command(Session& session, const Command& command, std::span<const std::string_view> argv,
                   const KeyRef& first_key);
  Outcome run_guarded(CommandContext& ctx, const Session& session, const Command& command);
  void reply_error(Session& session, const Command* command, std::string_view text, bool rejected);
  void append_own_pushes(Session& session);
  void finish_unit(Session& session) {
    if (depth_ == 0 && (!effects_.empty() || tracker_->is_on() || blocked_.has_ready() ||
                        held_now_.ms != 0)) [[unlikely]]
      end_unit(session);
  }
  void end_unit(Session& session);
  void write_error(Session& session, const Command* command, std::string_view text, bool rejected);
  void after_reply(Session& session, std::size_t out_before);
  void finish_replies(Session& session);
  void queue_command(Session& session, const Command& command,
                     std::span<const std::string_view> argv);

  // gate.cc: the first refusal, or nothing.
  enum class Gate : std::uint8_t { kPass, kRefused, kParked, kQueued };
  Gate gate(Session& session, const Command& command, std::span<const std::string_view> argv,
            const KeyRef& first_key);
  std::string redirect_error(Session& session, const Command& command,
                             std::span<const std::string_view> argv, const KeyRef& first_key);
  std::string unknown_command(std::span<const std::string_view> argv) const;
  std::string_view refused_now(const Session& session, const Command& command,
                               std::span<const std::string_view> argv) const;
  std::string_view refused_by_replica(const Session& session, const Command& command,
                                      std::span<const std::string_view> argv) const;
  static constexpr std::string_view kStaleReplica =
      "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  bool is_stale() const;
  std::string_view write_refusal() const;
  bool lacks_replicas() const;
  void end_pause();
  void adapt_tick_rate();
  bool must_pause(const Session& session, const Command& command,
                  std::span<const std::string_view> argv, bool queues);
  bool is_locked(Session& session, const Command& command, std::span<const std::string_view> argv);
  void feed_monitors(const Session& from, const Command& command,
                     std::span<const std::string_view> argv);
  [[nodiscard]] std::vector<std::string_view> without_secrets(
      const Command& command, std::span<const std::string_view> argv) const;
  void log_slow(Session& session, const Command& command, std::span<const std::string_view> argv,
                std::uint64_t ns);
  void announce(Session& session, const Command& command, std::span<const std::string_view> argv);
  void log_call(Session& session, const Command& command, std::span<const std::string_view> argv,
                std::uint64_t ns);
  void note_hot_keys(const Command& command, std::span<const std::string_view> argv,
                     std::uint64_t ns, std::uint64_t reply_bytes);
  void log_size(Session& session, const Command& command, std::span<const std::string_view> argv,
                CommandLogs::Kind kind, std::uint64_t bytes);
  [[nodiscard]] bool still_allowed(Session& session, const Command& command,
                                   std::span<const std::string_view> argv);
  [[nodiscard]] bool watch_expired(Session& session) const;
  void break_watches(const KeyEvent& event);
  // The command's flags, or for a request that runs a script, what the script says of itself.
  [[nodiscard]] Flag flags_of(const Command& command, std::span<const std::string_view> argv) const;

  // script.cc: the first refusal of a script's command, or nothing.
  std::string script_refusal(const Command* command, std::span<const std::string_view> argv,
                             const KeyRef& first_key);
  std::string script_slot_refusal(const Command& command, std::span<const std::string_view> argv);
  void park(Session& session);
  void resume_parked();

  // blocking.cc
  void block(CommandContext& ctx, BlockedClient client);
  void run_blocked(Session& session, BlockedClient& client);
  void release(Session& session, std::size_t out_before);
  void serve_ready();
  void serve_woken();
  void serve_key(const BlockedClients::Key& key);
  void count_unserved(Session& session, const BlockedClient& client);
  void end_wait(Session& session, BlockedClient& client);
  void refuse_wait(Session& session, const BlockedClient& client, std::string_view error);

  // upkeep.cc
  bool make_room();
  void expire_cycle();
  void note_own_deadlines(const CommittedUnit& unit);
  void expire_own_keys();
  void check_clients();
  void check_output_limits(Session& session);
  void count_memory_of(Session& session);
  void uncount_memory_of(Session& session);
  void evict_clients();
  // As maxmemory counts.
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] std::uint64_t unsent_to_replicas() const;
  void commit_evictions();
  std::uint64_t evict_one(const EvictionPool::Candidate& victim);
  void fit_reply_buffer(Session& session);
  void settle_tables();
  void refresh_settings();
  void refresh_wants();

  // info.cc
  void write_server(InfoWriter& out);
  void write_clients(InfoWriter& out);
  void write_memory(InfoWriter& out);
  void write_persistence(InfoWriter& out);
  void write_stats(InfoWriter& out);
  void write_replication(InfoWriter& out);
  void write_cpu(InfoWriter& out);
  void write_commandstats(InfoWriter& out);
  void write_errorstats(InfoWriter& out);
  void write_latencystats(InfoWriter& out);
  void write_cluster(InfoWriter& out);
  void write_keyspace(InfoWriter& out);
  void write_key_sizes(InfoWriter& out);
  void write_debug(InfoWriter& out);

  config::Registry* config_;
  const CommandTable* commands_;
  EngineHost* host_;
  NanoTicks ticks_;
  ProcessFacts facts_;
  Keyspace keyspace_;
  Rng rng_;
  EffectLog effects_;
  Stats stats_;
  CommandLogs command_logs_;
  HotKeys hot_keys_;
  LatencyMonitor latency_;
  PubSub pubsub_;
  EvictionPool eviction_pool_;
  KeyEnvironment env_;
  Services services_;
  std::shared_ptr<const cluster::View> view_;
  std::vector<EffectSink*> sinks_;
  std::unique_ptr<KeyspaceNotifier> notifier_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<Tracker> tracker_;
  Session* actor_ = nullptr;  // whose request runs
  bool sinks_want_commands_ = false;
  bool sinks_want_events_ = false;

  // Settings the hot path reads, copied when they change.
  struct Hot {
    std::uint64_t maxmemory = 0;
    EvictionPolicy policy = EvictionPolicy::kNoEviction;
    std::uint64_t slow_ns = ~0ULL;                             // slowlog-log-slower-than
    std::uint64_t large_request = ~0ULL, large_reply = ~0ULL;  // commandlog-...-larger-than
    std::uint64_t latency_ns = ~0ULL;                          // latency-monitor-threshold
    std::uint64_t clients_most = 0;  // maxmemory-clients in bytes, 0: no limit
    bool latency_tracking = true;
    bool cluster = false;
    std::uint32_t notify = 0;
  } hot_;

  UnixMillis held_now_{};  // the time that came inside a transaction, 0: none did
  MonoTime mono_{};
  MonoTime started_mono_{};
  UnixMillis started_{};
  std::map<ConnId, std::unique_ptr<Session>> sessions_;
  ConnId next_id_ = 1;
  ConnId check_cursor_ = 0;  // the session that was looked at last
  // Those that pauses and locks hold, by the turn in which they came.
  std::map<std::uint64_t, Session*> parked_;
  std::uint64_t parked_turn_ = 0;
  BlockedClients blocked_;
  bool serving_ = false;  // serve_ready is under way
  // What CLIENT PAUSE asked for: nothing where pause_until_ is 0.
  PauseKind pause_kind_ = PauseKind::kWrite;
  UnixMillis pause_until_{};
  bool writes_held_ = false;
  int tick_rate_ = 10;
  bool paused_ = false;  // by either
  bool active_expire_ = true;
  bool loading_ = false;
  // Loading, importing, a replica, writes are refused or expired keys are not removed as usual:
  // every command passes the gate.
  bool guarded_ = false;
  bool following_ = false;
  // On a replica that takes writes: the deadlines that its own clients set, which no primary ends.
  OwnDeadlines own_deadlines_;
  std::size_t good_replicas_ = 0;
  DebugSwitches debug_;
  std::string replication_id_;
  std::uint64_t startup_bytes_ = 0;
  int depth_ = 0;  // units under way: 1 inside a command, 2 inside EXEC's
  std::uint64_t last_ticks_ = 0;
  std::uint64_t turn_commands_ = 0;
  std::uint64_t command_ns_ = 0;  // spent in commands, in all
  std::map<ConnId, Session*> monitors_;
  std::unique_ptr<ScriptRun> script_;  // made for the first script, then kept
  bool script_busy_ = false;           // one runs and is past the busy threshold
  bool stopped_ = false;
  std::uint64_t dying_bytes_ = 0;    // of clients that were evicted and still hold it
  std::uint64_t clients_bytes_ = 0;  // sum of Session::counted_bytes; kept while there is a limit
  std::set<std::pair<std::size_t, ConnId>> evictable_;  // by counted_bytes, without no_evict

  DbNameMap<std::map<Session*, Watcher>> watched_;
  DbNameMap<int> locked_;
  std::vector<KeyPosition> positions_;
  std::vector<Slot> slots_;
  std::vector<const Entry*> due_;
  std::vector<ValueLookup> lookups_;  // of the batches that are fetched for
  std::uint64_t tick_count_ = 0;
  RateMeter ops_rate_, input_rate_, output_rate_, repl_input_rate_, repl_output_rate_, cycles_rate_,
      turn_time_rate_;
};

}  // namespace hearth
