#include "src/engine/engine.h"

#include <algorithm>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/base/log.h"
#include "src/proto/reply_writer.h"
#include "src/store/memory.h"

namespace hearth {

void Engine::Notifier::on_commit(const CommittedUnit& unit) {
  const std::uint32_t flags = core_.hot.notify;
  if (flags == 0) return;
  for (const KeyEvent& e : unit.events) {
    if ((flags & static_cast<std::uint32_t>(e.kind)) == 0) continue;
    const std::string at = "@" + std::to_string(e.db) + "__:";
    if ((flags & static_cast<std::uint32_t>(Notify::kKeyspace)) != 0) {
      core_.pubsub.publish("__keyspace" + at + e.key, e.name);
    }
    if ((flags & static_cast<std::uint32_t>(Notify::kKeyevent)) != 0) {
      core_.pubsub.publish("__keyevent" + at + std::string(e.name), e.key);
    }
  }
}

Engine::Engine(Options options)
    : core_(std::move(options)),
      notifier_(core_),
      sessions_(core_, *this),
      accounts_(Accounts::Parts{core_.config, core_.commands, sessions_, core_.stats,
                                core_.services, core_.env}),
      holds_(core_, core_.keyspace.seed(),
             [this] {
               blocking_.wake_put_off();
               serve_ready();
             }),
      observers_(core_, sessions_),
      transactions_({core_, *this, accounts_, holds_}, core_.keyspace.seed()),
      blocking_({core_, *this, sessions_, holds_, observers_}, core_.keyspace.seed()),
      tracker_({sessions_, core_.config, core_.effects, core_.rng, core_.actor,
                [this] { refresh_wants(); }},
               core_.keyspace.seed()),
      eviction_(core_, *this, sessions_),
      expiry_(core_, *this),
      gate_({core_, *this, sessions_, holds_, transactions_, eviction_, accounts_}),
      script_runs_({core_, *this, accounts_, eviction_, [this] { return gate_.write_refusal(); },
                    [this] { blocking_.wake_put_off(); }}),
      warm_(core_),
      warm_gate_(core_, [this] { gate_.refresh(); }),
      hot_list_(core_),
      reports_({core_, sessions_, blocking_, tracker_, eviction_, core_.env.clock},
               core_.rng.hex(40)) {
  Services& services = core_.services;
  services.clients = &sessions_;
  services.holds = &holds_;
  services.monitors = &observers_;
  services.expiry = &expiry_;
  services.units = this;
  services.transactions = &transactions_;
  services.info = &reports_;
  services.blocking = &blocking_;
  services.script_host = &script_runs_;
  services.accounts = &accounts_;
  services.tracking = &tracker_;
  services.warm = &warm_;
  services.warm_gate = &warm_gate_;
  services.hot_list = &hot_list_;
  sinks_ = {&expiry_, &notifier_, &transactions_, &blocking_, &tracker_};
  refresh_settings();
  core_.config.on_any_change([this](const config::Settings&) -> Result<void, std::string> {
    refresh_settings();
    return {};
  });
}

Engine::~Engine() {
  for (const auto& [id, session] : sessions_) core_.pubsub.unsubscribe_all(session->subscriptions);
}

void Engine::close(Session& session) {
  if (core_.services.replication != nullptr) core_.services.replication->closed(session);
  core_.pubsub.unsubscribe_all(session.subscriptions);
  transactions_.forget(session);
  observers_.stop(session);
  blocking_.forget(session);
  tracker_.stop(session);
  holds_.forget(session);
  sessions_.remove(session);
}

void Engine::set_time(UnixMillis now, MonoTime mono) {
  if (in_transaction())
    held_now_ = now;
  else
    core_.env.now = core_.env.clock = now;
  core_.mono = mono;
}

// --- requests ---

// The look-ups in large values that the requests of a batch will make.
void Engine::note_lookups(const Database& db, const RequestBatch& batch) {
  std::uint64_t last_hash = 0;
  Found at;
  for (const ParsedRequest& r : batch.requests) {
    if (r.key.name.empty() || !r.command->opens_value) continue;
    const bool again = at && last_hash == r.key.hash;  // another key costs a fetch in vain
    if (!again) at = db.find(r.key);
    last_hash = r.key.hash;
    const std::size_t member = r.command->spec->member_at;
    const bool has_member = member > 0 && member < r.count;
    if (at && has_member)
      lookups_.emplace_back(*at, batch.argv(r)[member]);
    else if (at && !again)
      lookups_.emplace_back(*at, std::string_view());
  }
}

void Engine::prepare(Session& session, RequestBatch& batch) {
  const Command* last = session.last_command;
  if (last != nullptr && last->renamed) last = nullptr;  // its spec name no longer resolves to it
  std::string_view last_name =
      last != nullptr && last->parent == nullptr ? std::string_view(last->full_name) : "";
  const Database& db = core_.keyspace.db(session.db);
  std::uint64_t last_hash = 0;  // what the same key needs is on its way
  for (ParsedRequest& r : batch.requests) {
    const auto argv = batch.argv(r);
    if (r.command == nullptr && !argv.empty()) {
      if (last != nullptr && !last->is_container() &&
          (same_bytes(argv[0], last_name) || equals_ignore_case(argv[0], last_name))) {
        r.command = last;
        last_name = argv[0];  // as this client writes it: the next one is equal at once
      } else {
        r.command = core_.commands.resolve(argv);
        if (r.command != nullptr && r.command->parent == nullptr) {
          last = r.command;
          last_name = argv[0];
        }
      }
    }
    if (r.command == nullptr) continue;
    const KeyRef key = first_key_of(core_, *r.command, argv);
    if (key.name.data() == nullptr) continue;
    r.key = key;
    if (r.key.hash != last_hash) db.prefetch_bucket(r.key);
    last_hash = r.key.hash;
  }
}

void Engine::fetch(std::span<const SessionBatch> batches) {
  // A request that is alone has nothing to overlap with.
  if (batches.size() == 1 && batches[0].batch->requests.size() == 1) return;
  bool opens_values = false;
  for (const SessionBatch& b : batches) {
    const Database& db = core_.keyspace.db(b.session->db);
    std::uint64_t last_hash = 0;
    for (const ParsedRequest& r : b.batch->requests) {
      if (r.key.name.empty()) continue;
      if (r.key.hash != last_hash) db.prefetch_entry(r.key);
      last_hash = r.key.hash;
      opens_values = opens_values || r.command->opens_value;
    }
  }
  if (!opens_values) return;
  // Step by step for all of them.
  lookups_.clear();
  for (const SessionBatch& b : batches) note_lookups(core_.keyspace.db(b.session->db), *b.batch);
  for (ValueLookup& lookup : lookups_) lookup.fetch_bucket();
  for (const ValueLookup& lookup : lookups_) lookup.fetch_node();
}

std::size_t Engine::run(Session& session, RequestBatch& batch) {
  prepare(session, batch);
  const SessionBatch alone{&session, &batch};
  fetch({&alone, 1});
  return run_prepared(session, batch);
}

std::size_t Engine::run_prepared(Session& session, RequestBatch& batch, std::uint64_t until) {
  if (tracker_.is_on()) [[unlikely]]
    tracker_.limit_table();
  core_.last_ticks = core_.ticks();
  std::size_t done = 0;
  std::size_t begin = batch.begin;
  for (const ParsedRequest& r : batch.requests) {
    if (stopped_ || session.is_parked() || session.close_now || session.close_after_reply) break;
    if (core_.last_ticks >= until && done > 0) [[unlikely]]
      break;
    if (core_.hot.slot_stats) [[unlikely]]
      session.request_bytes = r.end - begin;
    if (r.count > 0) execute_one(session, r, batch.argv(r));
    if (session.is_held()) break;  // it did not run: it comes again
    if (r.end - begin > core_.hot.large_request && r.command != nullptr) [[unlikely]] {
      // The size on the wire is an upper bound of that of the words.
      std::uint64_t bytes = 0;
      for (const std::string_view word : batch.argv(r)) bytes += word.size();
      if (bytes > core_.hot.large_request) {
        observers_.log_size(session, *r.command, batch.argv(r), CommandLogs::Kind::kLargeRequest,
                            bytes);
      }
    }
    begin = r.end;
    ++done;
  }
  session.last_active = core_.mono;
  sessions_.finish_replies(session);
  return done;
}

void Engine::execute(Session& session, std::span<const std::string_view> argv) {
  RequestBatch batch;
  batch.words.assign(argv.begin(), argv.end());
  batch.requests.push_back({0, static_cast<std::uint32_t>(argv.size()), 0, nullptr, {}});
  run(session, batch);
}

void Engine::end_turn(microseconds duration) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
  Stats& stats = core_.stats;
  ++stats.eventloop_cycles;
  stats.eventloop_duration_us += us;
  stats.eventloop_duration_max_us = std::max(stats.eventloop_duration_max_us, us);
  stats.eventloop_cmd_per_cycle_max =
      std::max(stats.eventloop_cmd_per_cycle_max, std::exchange(turn_commands_, 0));
  stats.eventloop_duration_cmd_us += std::exchange(core_.command_ns, 0) / 1000;
  sessions_.evict_over_limit();
}

void Engine::protocol_error(Session& session, std::string_view text) {
  reply_error(session, nullptr, text, true);
  session.close_after_reply = true;
  sessions_.finish_replies(session);
}

void Engine::reply_error(Session& session, const Command* command, std::string_view text,
                         bool rejected) {
  // Scripts may make up any number of codes; the server's own are few, and always have room.
  const bool made_up = command != nullptr && has(command->acl, Acl::kScripting) &&
                       core_.stats.errors.size() >= Stats::kErrorKindsMost &&
                       !core_.stats.errors.contains(text.substr(0, text.find(' ')));
  core_.stats.count_error(made_up ? std::string_view("ERRORSTATS_OVERFLOW") : text);
  if (session.replaying) ++core_.stats.unexpected_error_replies;
  write_error(session, command, text, rejected);
}

void Engine::write_error(Session& session, const Command* command, std::string_view text,
                         bool rejected) {
  ReplyWriter(session.out, session.resp).error(text);
  if (command == nullptr) return;
  CommandStats& c = core_.stats.commands[command->id];
  ++(rejected ? c.rejected : c.failed);
}

void Engine::after_reply(Session& session, std::size_t out_before) {
  const bool is_push = std::exchange(session.reply_is_push, false);
  if (session.reply_mode == ReplyMode::kOn) return;
  if (!is_push) session.out.truncate(out_before);
  // kSkipNext was set by this very command: the next one is silent.
  if (session.reply_mode == ReplyMode::kSkipNext)
    session.reply_mode = ReplyMode::kSkip;
  else if (session.reply_mode == ReplyMode::kSkip)
    session.reply_mode = ReplyMode::kOn;
}

void Engine::refuse_unknown(Session& session, Words argv) {
  // A browser can be made to send this to any port: the lines behind would be run as commands.
  if (equals_ignore_case(argv[0], "post") || equals_ignore_case(argv[0], "host:")) {
    log::warning(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
        "commands to this server. Connection from {} aborted.",
        session.address);
    session.close_now = true;
    return core_.host.close_soon(session);
  }
  const std::size_t out_before = session.out.size();
  if (session.in_multi) session.multi_aborted = true;
  reply_error(session, nullptr, unknown_command(argv), true);
  after_reply(session, out_before);
}

void Engine::execute_one(Session& session, const ParsedRequest& request, Words argv) {
  const std::size_t out_before = session.out.size();
  ++turn_commands_;
  const Command* command = request.command;
  if (command == nullptr) [[unlikely]]
    return refuse_unknown(session, argv);
  switch (gate_.admit(session, *command, argv, request.key)) {
    case Verdict::kPass: break;
    case Verdict::kParked: return;
    case Verdict::kQueued:
      if (core_.hot.slot_stats) [[unlikely]]
        observers_.note_queued(session, argv, session.out.size() - out_before);
      return after_reply(session, out_before);
    case Verdict::kRefused: return after_reply(session, out_before);
  }
  session.become(RunState::kRunning);
  core_.actor = &session;
  call(session, *command, argv, request.key);
  core_.actor = nullptr;
  if (session.is_running()) session.become(RunState::kIdle);
  if (const std::size_t reply_bytes = session.out.size() - out_before;
      reply_bytes > core_.hot.large_reply) [[unlikely]] {
    observers_.log_size(session, *command, argv, CommandLogs::Kind::kLargeReply, reply_bytes);
  }
  // CLIENT CACHING holds for the command behind it, or for all of a transaction.
  if (session.tracking != nullptr && session.tracking->caching && !session.in_multi &&
      !has(command->flags, Flag::kKeepsCaching)) {
    session.tracking->caching = false;
  }
  if (!session.is_waiting())
    after_reply(session, out_before);
  else if (session.reply_mode != ReplyMode::kOn)
    session.out.truncate(out_before);  // of an EXEC one of whose commands waits
  if (!session.own_pushes.empty()) [[unlikely]]
    append_own_pushes(session);
}

void Engine::append_own_pushes(Session& session) {
  session.out.append(session.own_pushes.str());
  session.own_pushes.clear();
}

void Engine::run_again(Session& session, Attempt attempt, const Command& command, Words argv,
                       const KeyRef& first_key) {
  core_.last_ticks = core_.ticks();
  session.attempt = attempt;
  session.become(RunState::kRunning);
  // It may run inside the unit of the client that served it.
  Session* outer = std::exchange(core_.actor, &session);
  call(session, command, argv, first_key);
  core_.actor = outer;
  if (session.is_running()) session.become(RunState::kIdle);
  session.attempt = Attempt::kFirst;
  if (!session.own_pushes.empty()) append_own_pushes(session);
}

void Engine::run_unit(Session& session, const std::function<void()>& work) {
  core_.last_ticks = core_.ticks();
  session.become(RunState::kRunning);
  Session* outer = std::exchange(core_.actor, &session);
  ++core_.depth;
  work();
  --core_.depth;
  observers_.after_unit();
  finish_unit(session);
  core_.actor = outer;
  if (session.is_running()) session.become(RunState::kIdle);
  if (!session.own_pushes.empty()) append_own_pushes(session);
}

// The treatment of expired keys that a command comes across. Where they are hidden and not removed,
// a client's write removes those that it meets: they must not be in the way of what it stores. An
// import source meets none.
Outcome Engine::run_guarded(CommandContext& ctx, const Session& client, const Command& command) {
  if (client.replaying) return command.spec->handler(ctx);
  KeyEnvironment& env = core_.env;
  const UnixMillis outer_now = env.now;
  env.now = core_.importing() && client.import_source ? UnixMillis{0} : env.clock;
  env.expire_removes =
      !core_.paused && (command.writes() || (!core_.following && !core_.importing()));
  if (core_.depth > 1 && has(command.flags, Flag::kTouchesArbitraryKeys) &&
      !settings().lazyexpire_nested_arbitrary_keys) {
    env.expire_removes = false;
  }
  Outcome outcome = command.spec->handler(ctx);
  env.now = outer_now;
  core_.refresh_expiry();  // which the command may have changed
  return outcome;
}

Outcome Engine::run_handler(CommandContext& ctx, Session& session, const Command& command) {
  if (core_.guarded) return run_guarded(ctx, script_runs_.client_of(session), command);
  return command.spec->handler(ctx);
}

// Somebody wants to hear which keys commands name for writing.
Outcome Engine::run_in_epoch(CommandContext& ctx, Session& session, const Command& command,
                             Words argv) {
  warm_.before_command(session);
  Outcome outcome = run_handler(ctx, session, command);
  warm_.after_command(command, argv);
  return outcome;
}

void Engine::call(Session& session, const Command& command, Words argv, const KeyRef& first_key) {
  const std::uint64_t start = core_.last_ticks;  // the commands of an EXEC or a script move it on
  session.last_command = &command;
  const std::size_t out_before = session.out.size();
  ++core_.depth;
  if (has(command.flags, Flag::kRunsScript)) [[unlikely]]
    observers_.before_script(session, command, argv);
  CommandContext ctx({command, session, core_.env, core_.services, argv, session.out});
  ctx.keys().set_first(first_key);
  if (session.no_touch) ctx.keys().set_no_touch(true);
#ifdef HEARTH_CHECKED
  std::vector<KeyPosition> positions;
  std::vector<std::string_view> declared;
  const bool known = extract_keys(command, argv, positions);
  declared.reserve(positions.size());
  for (const KeyPosition& p : positions) declared.push_back(argv[p.index]);
  std::sort(declared.begin(), declared.end());
  if (!known) declared.clear();  // words that don't fit the specs reach no key at all
  const bool any = has(command.flags, Flag::kTouchesArbitraryKeys) || command.spec->keys.empty();
  ctx.keys().set_declared(
      declared, any,
      !has(command.flags, Flag::kReadonly) || has(command.flags, Flag::kMayReplicate));
#endif
  const Outcome outcome = warm_.is_on() ? run_in_epoch(ctx, session, command, argv)
                                        : run_handler(ctx, session, command);
  if (!outcome) [[unlikely]] {
    if (outcome.error().counted)
      write_error(session, &command, outcome.error().text, false);
    else
      reply_error(session, &command, outcome.error().text, false);
  }
  // ASKING holds for one command: the one behind it.
  if (session.asking && !has(command.flags, Flag::kKeepsAsking)) session.asking = false;
  --core_.depth;
  if (core_.depth == 0 && has(command.flags, Flag::kTouchesArbitraryKeys) && !core_.effects.empty())
      [[unlikely]]
    core_.effects.keep_apart();

  const std::uint64_t ticks = core_.ticks();
  std::uint64_t ns = ticks - start;
  core_.last_ticks = ticks;
  bool announced = false;
  if (session.is_blocked() || session.attempt != Attempt::kFirst) [[unlikely]] {
    if (BlockedClient* client = blocking_.find(session)) {
      client->ns += ns;
      core_.command_ns += ns;
      announced = client->announced;
      // It has not run yet, as far as anybody can tell; it counts once, when it has its answer.
      if (session.is_blocked()) {
        if (observers_.has_monitors() && !announced) observers_.announce(session, command, argv);
        client->announced = true;
        return finish_unit(session);
      }
      ns = client->ns;
    }
  }
  CommandStats& c = core_.stats.commands[command.id];
  ++c.calls;
  c.ns += ns;
  if (core_.depth == 0) core_.command_ns += ns;
  ++core_.stats.commands_processed;
  Session& client = script_runs_.client_of(session);
  ++client.commands;
  if (core_.hot.latency_tracking) core_.stats.add_latency(command.id, ns);
  observers_.after_call(session, client, command, argv, ns, session.out.size() - out_before,
                        announced);
  if (tracker_.is_on()) [[unlikely]]
    tracker_.note_read(client, command, argv);
  finish_unit(session);
}

void Engine::end_unit(Session& session) {
  if (held_now_.ms != 0) [[unlikely]]
    core_.env.now = core_.env.clock = std::exchange(held_now_, UnixMillis{});
  if (tracker_.is_on()) [[unlikely]]
    tracker_.finish_unit();
  if (!core_.effects.empty()) {
    commit();
    session.write_offset = core_.replication_offset();
  } else {
    serve_ready();
  }
}

void Engine::commit() {
  // In the middle of a unit, what others record (a slot's keys are dropped while a script lets the
  // server run on) becomes part of it.
  if (core_.depth > 0) return;
  const CommittedUnit unit = core_.effects.unit();
  if (core_.hot.slot_stats) [[unlikely]]
    observers_.note_stream(unit);
  for (EffectSink* sink : sinks_) sink->on_commit(unit);
  core_.effects.clear();
  serve_ready();
}

void Engine::serve_ready() {
  if (core_.depth == 0 && blocking_.has_ready()) [[unlikely]]
    blocking_.serve_ready();
}

void Engine::note_database_change(DbIndex db, std::optional<DbIndex> becomes) {
  blocking_.note_all(db);
  warm_.note_database_change();
  if (!becomes) tracker_.note_flush();
}

// --- state of the server ---

void Engine::set_loading(bool on) {
  core_.loading = on;
  if (on) warm_.clear();
  refresh_wants();
  gate_.refresh();
}

void Engine::set_following(bool on) {
  if (on) sessions_.give_up_on_all_replicas();
  core_.following = on;
  expiry_.forget_own();
  refresh_settings();
}

// A slot that comes back begins anew.
void Engine::forget_lost_slots() {
  const cluster::View& view = *core_.view;
  const cluster::NodeView& me = view.me();
  const cluster::NodeIndex owner = me.is_replica() ? view.find(me.replica_of) : view.myself;
  for (int slot = 0; slot < kSlotCount; ++slot) {
    if (view.owner[static_cast<std::size_t>(slot)] != owner)
      core_.stats.slots.forget(static_cast<Slot>(slot));
  }
}

void Engine::set_cluster_view(std::shared_ptr<const cluster::View> view) {
  core_.view = std::move(view);
  if (!core_.stats.slots.empty()) forget_lost_slots();
  blocking_.follow_view();
  warm_.follow_view();
  sessions_.leave_lost_shard_channels();
}

void Engine::add_sink(EffectSink& sink) {
  sinks_.push_back(&sink);
  refresh_wants();
}

void Engine::want_commands(bool on) {
  sinks_want_commands_ = on;
  refresh_wants();
}

void Engine::want_events(bool on) {
  sinks_want_events_ = on;
  refresh_wants();
}

}  // namespace hearth
