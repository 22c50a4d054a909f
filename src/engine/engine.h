// Engine: the executor. It owns the data set and every session; bytes and time go in, replies and
// effects come out. It opens no socket and no file and never asks for the time.
//
// One request: look-up -> gate (may it run here, now, for this client?) -> handler -> commit of its
// effects. A batch of pipelined requests is looked up and hashed first, so that the cache misses of
// its keys overlap, and then executed in order.
//
// All else is in parts, each a file with its own state: sessions and their limits, holds, the gate,
// transactions, blocking, scripts, eviction, expiry, tracking, users, observers, reports. They
// share EngineCore (core.h) and ask the executor through the interface there.
//
// One thread. Re-entered only by EXEC and by scripts, which run commands inside their own unit; and
// by the requests of other sessions while a script is past the busy threshold.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/engine/access.h"
#include "src/engine/batch.h"
#include "src/engine/blocking.h"
#include "src/engine/core.h"
#include "src/engine/eviction.h"
#include "src/engine/expiry.h"
#include "src/engine/gate.h"
#include "src/engine/holds.h"
#include "src/engine/observers.h"
#include "src/engine/reports.h"
#include "src/engine/script_runs.h"
#include "src/engine/sessions.h"
#include "src/engine/tracking.h"
#include "src/engine/transactions.h"
#include "src/store/value_lookup.h"

namespace hearth {

class Engine final : public UnitControl, private Executor {
 public:
  using Options = EngineOptions;
  using ClientAddress = hearth::ClientAddress;
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
  // Executes requests in order. Stops early when the session is parked or closing; returns how many
  // were executed. The three steps in one:
  std::size_t run(Session& session, RequestBatch& batch);
  // Fills in the derived fields of a batch that was parsed, and fetches the buckets of its keys.
  void prepare(Session& session, RequestBatch& batch);
  // Fetches into the cache what prepared batches, of many sessions, are going to look at. It only
  // saves them from waiting for it: other commands may run between this and run_prepared.
  void fetch(std::span<const SessionBatch> batches);
  std::size_t run_prepared(Session& session, RequestBatch& batch);
  // One request; for tests and for links.
  void execute(Session& session, std::span<const std::string_view> argv);
  // The connection broke the protocol: `text` is the last thing it hears.
  void protocol_error(Session& session, std::string_view text);
  // The server ends, and what was to be saved is saved: no request of a client runs any more, since
  // its effect would be lost after it was acknowledged.
  void stop() { stopped_ = true; }

  // --- time ---
  // Background work of one tick: expiry, pauses, limits, statistics.
  void tick();
  // Ticks a second that background work is to get: `hz`, more with many clients (dynamic-hz).
  [[nodiscard]] int tick_rate() const { return tick_rate_; }
  // When the first client that waits gives up, 0 if none does; run_due() is to be called then.
  [[nodiscard]] MonoTime next_deadline() const { return blocking_.clients().first_deadline(); }
  void run_due() { blocking_.run_due(); }
  // A loop turn that did something has ended, after so long.
  void end_turn(microseconds duration);

  // --- state of the server ---
  // While loading, commands that need data are refused, nothing expires in the background and
  // nothing is recorded.
  void set_loading(bool on);
  // This server becomes a replica, or stops being one: what has expired is only hidden then, and
  // what clients write is refused.
  void set_following(bool on);
  // Asks PersistenceControl whether writes are refused; to be called when that may have changed.
  void refresh_write_refusal() { gate_.refresh(); }
  void set_good_replicas(std::size_t count) { gate_.set_good_replicas(count); }
  // The cluster's newest view; nullptr: not in cluster mode.
  void set_cluster_view(std::shared_ptr<const cluster::View> view);

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
  [[nodiscard]] Holds& holds() { return holds_; }
  [[nodiscard]] Expiry& expiry() { return expiry_; }
  [[nodiscard]] Access& access() { return access_; }
  [[nodiscard]] Keyspace& keyspace() { return core_.keyspace; }
  [[nodiscard]] Stats& stats() { return core_.stats; }
  [[nodiscard]] PubSub& pubsub() { return core_.pubsub; }
  [[nodiscard]] EffectLog& effects() { return core_.effects; }
  [[nodiscard]] Services& services() { return core_.services; }
  [[nodiscard]] const config::Settings& settings() const { return core_.settings(); }
  [[nodiscard]] UnixMillis now() const { return core_.env.now; }

  // --- what the composition root asks of parts ---
  [[nodiscard]] Session* find(ConnId id) { return sessions_.find(id); }
  void for_each(const std::function<void(Session&)>& fn) { sessions_.for_each(fn); }
  [[nodiscard]] MonoTime mono_now() const { return core_.mono; }
  void wrote_to(Session& session) { sessions_.wrote_to(session); }
  void wait(Session& session) { sessions_.wait(session); }
  void resume(Session& session, std::size_t reply_from) { sessions_.resume(session, reply_from); }
  void note_buffers(Session& session) { sessions_.note_buffers(session); }
  void released(std::size_t bytes) { sessions_.released(bytes); }
  // The session is marked close_now or close_after_reply by somebody other than its own command.
  void end_session_soon(Session& session) { core_.host.close_soon(session); }
  [[nodiscard]] bool is_paused() const { return core_.paused; }
  void pause(PauseKind kind, UnixMillis until) { holds_.pause(kind, until); }
  void unpause() { holds_.unpause(); }
  void hold_writes(bool on) { holds_.hold_writes(on); }
  void discard(Session& session) { transactions_.discard(session); }
  void touch_all(DbIndex db, std::optional<DbIndex> becomes) {
    transactions_.touch_all(db, becomes);
  }
  void unblock_all(std::string_view error) { blocking_.unblock_all(error); }
  void abandon_script() { scripts_.abandon_script(); }
  [[nodiscard]] std::optional<ScriptHost::Running> running_script() const {
    return scripts_.running_script();
  }
  [[nodiscard]] ScriptHost& script_host() { return scripts_; }
  [[nodiscard]] std::string_view replication_id() const { return reports_.replication_id(); }
  [[nodiscard]] std::uint64_t replication_offset() const { return core_.replication_offset(); }
  void change_replication_id() { reports_.change_replication_id(); }
  void set_replication_id(std::string id) { reports_.set_replication_id(std::move(id)); }
  // nullptr: there is no such command.
  [[nodiscard]] const Command* find_command(std::span<const std::string_view> argv) const {
    return core_.commands.resolve(argv);
  }
  // The stream's offset up to which the log has what it must have before a reply may leave;
  // kNoBarrier: no reply waits.
  static constexpr std::uint64_t kNoBarrier = UINT64_MAX;
  void set_reply_barrier(std::uint64_t offset) { reply_barrier_ = offset; }
  // The host holds the session's output back. An offset above that of today is of another stream.
  [[nodiscard]] bool must_wait_for_disk(const Session& session) const {
    return session.write_offset > reply_barrier_ && session.write_offset <= replication_offset();
  }

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
  Outcome run_guarded(CommandContext& ctx, const Session& client, const Command& command);
  void append_own_pushes(Session& session);
  void finish_unit(Session& session) {
    if (core_.depth == 0 && (!core_.effects.empty() || tracker_.is_on() || blocking_.has_ready() ||
                             held_now_.ms != 0)) [[unlikely]]
      end_unit(session);
  }
  void end_unit(Session& session);
  void write_error(Session& session, const Command* command, std::string_view text, bool rejected);
  void adapt_tick_rate();
  void settle_tables();
  void refresh_settings();

  EngineCore core_;
  Notifier notifier_;
  Sessions sessions_;
  Access access_;
  Holds holds_;
  Observers observers_;
  Transactions transactions_;
  Blocking blocking_;
  Tracker tracker_;
  Eviction eviction_;
  Expiry expiry_;
  Gate gate_;
  ScriptRuns scripts_;
  Reports reports_;

  std::vector<EffectSink*> sinks_;
  bool sinks_want_commands_ = false;
  bool sinks_want_events_ = false;
  UnixMillis held_now_{};  // the time that came inside a transaction, 0: none did
  std::uint64_t reply_barrier_ = kNoBarrier;
  int tick_rate_ = 10;
  bool stopped_ = false;
  std::uint64_t turn_commands_ = 0;
  std::vector<ValueLookup> lookups_;  // of the batches that are fetched for
};

}  // namespace hearth
