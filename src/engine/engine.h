// Engine: the executor. It owns the data set and every session; bytes and time go in, replies and
// effects come out. It opens no socket and no file and never asks for the time.
//
// One request: look-up -> gate (may it run here, now, for this client?) -> handler -> commit of its
// effects. A batch of pipelined requests is looked up and hashed first, so that the cache misses of
// its keys overlap, and then executed in order.
//
// All else is in parts, each a file with its own state: sessions and their limits, holds, the gate,
// transactions, blocking, scripts, eviction, expiry, tracking, users, observers, warm epochs,
// reports. They share EngineCore (core.h) and ask the executor through the interface there.
//
// One thread. Re-entered only by EXEC and by scripts, which run commands inside their own unit; and
// by the requests of other sessions while a script is past the busy threshold.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/command/unit_control.h"
#include "src/engine/accounts.h"
#include "src/engine/batch.h"
#include "src/engine/blocking.h"
#include "src/engine/core.h"
#include "src/engine/eviction.h"
#include "src/engine/expiry.h"
#include "src/engine/gate.h"
#include "src/engine/holds.h"
#include "src/engine/hot_list.h"
#include "src/engine/observers.h"
#include "src/engine/reports.h"
#include "src/engine/script_runs.h"
#include "src/engine/sessions.h"
#include "src/engine/tracking.h"
#include "src/engine/transactions.h"
#include "src/engine/warm_epochs.h"
#include "src/engine/warm_gate.h"
#include "src/store/value_lookup.h"

namespace hearth {

class Engine final : public UnitControl, private Executor {
 public:
  using Options = EngineOptions;
  explicit Engine(Options options);
  ~Engine() override;

  // --- sessions ---
  Session& open(const ClientAddress& from) { return sessions_.open(from); }
  void close(Session& session);

  // --- requests ---
  // The time that all of this loop turn's commands see. Inside a script or an EXEC it stands still;
  // what was set meanwhile holds from its end on.
  void set_time(UnixMillis now, MonoTime mono);
  // Around the execution of what a log or a primary's stream says: whether a key had expired when
  // it was written, it says itself.
  void begin_replay() { core_.env.now = UnixMillis{0}; }
  void end_replay() { core_.env.now = core_.env.clock; }
  // The same around keys of slots that are not this node's yet, or not any more: what happens to
  // them is replicated and logged, but no event tells of it.
  void begin_import() {
    begin_replay();
    core_.effects.set_wants(core_.effects.wants_commands(), 0);
  }
  void end_import() {
    refresh_wants();
    end_replay();
  }
  // Executes requests in order. Stops early when the session is parked or closing; returns how many
  // were executed. The three steps in one:
  std::size_t run(Session& session, RequestBatch& batch);
  // Fills in the derived fields of a batch that was parsed, and fetches the buckets of its keys.
  void prepare(Session& session, RequestBatch& batch);
  // Fetches into the cache what prepared batches, of many sessions, are going to look at. It only
  // saves them from waiting for it: other commands may run between this and run_prepared.
  void fetch(std::span<const SessionBatch> batches);
  // Stops early at `until` too, a time of ticks(), but not before one request has run.
  std::size_t run_prepared(Session& session, RequestBatch& batch, std::uint64_t until = UINT64_MAX);
  // The counter that durations of commands are measured with, now and after the last command.
  [[nodiscard]] std::uint64_t ticks() const { return core_.ticks(); }
  [[nodiscard]] std::uint64_t last_ticks() const { return core_.last_ticks; }
  // One request; for tests and for links.
  void execute(Session& session, std::span<const std::string_view> argv);
  // The connection broke the protocol: `text` is the last thing it hears.
  void protocol_error(Session& session, std::string_view text);
  // The server ends, and what was to be saved is saved: no request of a client runs any more, since
  // its effect would be lost after it was acknowledged.
  void stop() { stopped_ = true; }

  // --- time ---
  [[nodiscard]] UnixMillis now() const { return core_.env.now; }
  [[nodiscard]] MonoTime mono_now() const { return core_.mono; }
  // Background work of one tick: expiry, pauses, limits, statistics.
  void tick();
  // Ticks a second that background work is to get: `hz`, more with many clients (dynamic-hz).
  [[nodiscard]] int tick_rate() const { return tick_rate_; }
  // A loop turn that did something has ended, after so long.
  void end_turn(microseconds duration);

  // --- state of the server ---
  // While loading, commands that need data are refused, nothing expires in the background and
  // nothing is recorded.
  void set_loading(bool on);
  // This server becomes a replica, or stops being one: what has expired is only hidden then, and
  // what clients write is refused.
  void set_following(bool on);
  // The cluster's newest view; nullptr: not in cluster mode.
  void set_cluster_view(std::shared_ptr<const cluster::View> view);
  // Null outside of cluster mode.
  [[nodiscard]] const std::shared_ptr<const cluster::View>& cluster_view() const {
    return core_.view;
  }

  // --- effects ---
  void add_sink(EffectSink& sink);
  // Sinks that want commands (replication, AOF, tests) switch their recording on; so do those that
  // want every event.
  void want_commands(bool on);
  void want_events(bool on);
  // A command of an EXEC or a script is being run.
  [[nodiscard]] bool in_transaction() const { return core_.depth > 1 || core_.script_busy; }
  // UnitControl: what was recorded outside of a command (a slot's keys dropped by the cluster).
  void commit() override;
  [[nodiscard]] KeyEnvironment& environment() override { return core_.env; }

  // --- parts ---
  [[nodiscard]] Sessions& sessions() { return sessions_; }
  [[nodiscard]] Accounts& accounts() { return accounts_; }
  [[nodiscard]] Holds& holds() { return holds_; }
  [[nodiscard]] Transactions& transactions() { return transactions_; }
  [[nodiscard]] Blocking& blocking() { return blocking_; }
  [[nodiscard]] Expiry& expiry() { return expiry_; }
  [[nodiscard]] Gate& gate() { return gate_; }
  [[nodiscard]] ScriptRuns& script_runs() { return script_runs_; }
  [[nodiscard]] Reports& reports() { return reports_; }
  [[nodiscard]] WarmGate& warm_gate() { return warm_gate_; }
  [[nodiscard]] HotList& hot_list() { return hot_list_; }
  [[nodiscard]] Keyspace& keyspace() { return core_.keyspace; }
  [[nodiscard]] Stats& stats() { return core_.stats; }
  [[nodiscard]] PubSub& pubsub() { return core_.pubsub; }
  [[nodiscard]] EffectLog& effects() { return core_.effects; }
  [[nodiscard]] Services& services() { return core_.services; }
  [[nodiscard]] const config::Settings& settings() const { return core_.settings(); }

 private:
  // Turns committed key events into pub/sub messages.
  class Notifier final : public EffectSink {
   public:
    explicit Notifier(EngineCore& core) : core_(core) {}
    void on_commit(const CommittedUnit& unit) override;

   private:
    EngineCore& core_;
  };

  // Executor
  [[nodiscard]] Verdict admit(Session& session, const Command& command, Words argv,
                              const KeyRef& first_key) override {
    return gate_.admit(session, command, argv, first_key);
  }
  void call(Session& session, const Command& command, Words argv, const KeyRef& first_key) override;
  void run_again(Session& session, Attempt attempt, const Command& command, Words argv,
                 const KeyRef& first_key) override;
  void run_unit(Session& session, const std::function<void()>& work) override;
  void reply_error(Session& session, const Command* command, std::string_view text,
                   bool rejected) override;
  void after_reply(Session& session, std::size_t out_before) override;
  void refresh_wants() override;
  void serve_ready() override;
  void note_database_change(DbIndex db, std::optional<DbIndex> becomes) override;

  void note_lookups(const Database& db, const RequestBatch& batch);
  void execute_one(Session& session, const ParsedRequest& request, Words argv);
  void refuse_unknown(Session& session, Words argv);
  Outcome run_handler(CommandContext& ctx, Session& session, const Command& command);
  [[gnu::noinline, gnu::cold]] Outcome run_in_epoch(CommandContext& ctx, Session& session,
                                                    const Command& command, Words argv);
  Outcome run_guarded(CommandContext& ctx, const Session& client, const Command& command);
  void append_own_pushes(Session& session);
  [[gnu::always_inline]] void finish_unit(Session& session) {
    if (core_.depth == 0 && (!core_.effects.empty() || tracker_.is_on() || blocking_.has_ready() ||
                             held_now_.ms != 0)) [[unlikely]]
      end_unit(session);
  }
  void end_unit(Session& session);
  void write_error(Session& session, const Command* command, std::string_view text, bool rejected);
  void adapt_tick_rate();
  void settle_tables();
  void age_tombstones();
  void refresh_settings();
  void forget_lost_slots();

  EngineCore core_;
  Notifier notifier_;
  Sessions sessions_;
  Accounts accounts_;
  Holds holds_;
  Observers observers_;
  Transactions transactions_;
  Blocking blocking_;
  Tracker tracker_;
  Eviction eviction_;
  Expiry expiry_;
  Gate gate_;
  ScriptRuns script_runs_;
  WarmEpochs warm_;
  WarmGate warm_gate_;
  HotList hot_list_;
  Reports reports_;

  std::vector<EffectSink*> sinks_;
  bool sinks_want_commands_ = false;
  bool sinks_want_events_ = false;
  UnixMillis held_now_{};  // the time that came inside a transaction, 0: none did
  int tick_rate_ = 10;
  bool stopped_ = false;
  std::uint64_t turn_commands_ = 0;
  std::vector<ValueLookup> lookups_;  // of the batches that are fetched for
};

}  // namespace hearth
