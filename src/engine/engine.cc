#include "src/engine/engine.h"

#include <algorithm>
#include <utility>

#include "cluster/model/slot.h"
#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/base/log.h"
#include "src/engine/script_run.h"
#include "src/proto/reply_writer.h"
#include "src/store/memory.h"

namespace hearth {

// Turns committed key events into pub/sub messages.
class Engine::KeyspaceNotifier final : public EffectSink {
 public:
  explicit KeyspaceNotifier(Engine& engine) : engine_(engine) {}

  void on_commit(const CommittedUnit& unit) override {
    const std::uint32_t flags = engine_.hot_.notify;
    for (const KeyEvent& e : unit.events) {
      if (!engine_.watched_.empty()) break_watches(e);
      if (e.kind != Notify::kMiss) engine_.blocked_.note_change(e.db, e.key);
      if ((flags & static_cast<std::uint32_t>(e.kind)) == 0) continue;
      const std::string at = "@" + std::to_string(e.db) + "__:";
      if ((flags & static_cast<std::uint32_t>(Notify::kKeyspace)) != 0) {
        engine_.pubsub_.publish("__keyspace" + at + e.key, e.name);
      }
      if ((flags & static_cast<std::uint32_t>(Notify::kKeyevent)) != 0) {
        engine_.pubsub_.publish("__keyevent" + at + std::string(e.name), e.key);
      }
    }
  }

 private:
  void break_watches(const KeyEvent& e) {
    if (!e.is_change()) return;
    const auto at = engine_.watched_.find({e.db, e.key});
    if (at == engine_.watched_.end()) return;
    for (Session* s : at->second) {
      if (e.kind != Notify::kExpired || !was_stale(*s, e)) s->watch_broken = true;
    }
  }
  // The key had expired before it was watched: that it goes now is no news, its next change is.
  static bool was_stale(Session& s, const KeyEvent& e) {
    for (WatchedKey& w : s.watched) {
      if (w.db == e.db && w.key == e.key) return std::exchange(w.expired, false);
    }
    return false;
  }
  Engine& engine_;
};

Engine::Engine(Options options)
    : config_(options.config),
      commands_(options.commands),
      host_(options.host),
      ticks_(options.ticks),
      facts_(std::move(options.facts)),
      keyspace_(
          options.seed,
          options.config->settings().cluster_enabled ? 1 : options.config->settings().databases,
          options.config->settings().cluster_enabled),
      rng_(options.seed ^ 0x5bd1e995),
      mono_(options.mono),
      started_mono_(options.mono),
      started_(options.now) {
  env_.keyspace = &keyspace_;
  env_.effects = &effects_;
  env_.stats = &stats_;
  env_.rng = &rng_;
  env_.reclaimer = options.reclaimer;
  env_.now = env_.clock = options.now;
  env_.per_slot = settings().cluster_enabled;
  services_.clients = this;
  services_.transactions = this;
  services_.commands = commands_;
  services_.config = config_;
  services_.pubsub = &pubsub_;
  services_.stats = &stats_;
  services_.command_logs = &command_logs_;
  services_.hot_keys = &hot_keys_;
  if (facts_.cpu != nullptr) {
    hot_keys_.set_cpu_source([this]() -> HotKeys::CpuMillis {
      const ProcessFacts::Cpu cpu = facts_.cpu();
      return {static_cast<std::int64_t>(cpu.user * 1000),
              static_cast<std::int64_t>(cpu.system * 1000)};
    });
  }
  services_.latency = &latency_;
  services_.reclaimer = options.reclaimer;
  services_.server = options.server;
  services_.info = this;
  services_.migration = options.migration;
  services_.cluster = options.cluster;
  services_.debug = &debug_;
  services_.blocking = this;
  services_.script_host = this;
  services_.persistence = options.persistence;
  services_.replication = options.replication;
  services_.replica = options.replica;
  stats_.commands.resize(commands_->id_count());
  stats_.latencies.resize(commands_->id_count());
  replication_id_ = rng_.hex(40);
  startup_bytes_ = memory::used_bytes();
  notifier_ = std::make_unique<KeyspaceNotifier>(*this);
  sinks_.push_back(notifier_.get());
  access_ =
      std::make_unique<Access>(Access::Parts{*config_, *commands_, *this, stats_, services_, env_});
  tracker_ = std::make_unique<Tracker>(
      Tracker::Parts{*this, *config_, effects_, rng_, actor_, [this] { refresh_wants(); }});
  sinks_.push_back(tracker_.get());
  services_.access = access_.get();
  services_.tracking = tracker_.get();
  refresh_settings();
  config_->on_any_change([this](const config::Settings&) -> Result<void, std::string> {
    refresh_settings();
    return {};
  });
}

Engine::~Engine() {
  for (auto& [id, session] : sessions_) pubsub_.unsubscribe_all(session->subscriptions);
}

Session& Engine::open(const ClientAddress& from) {
  auto session = std::make_unique<Session>();
  Session& s = *session;
  s.id = next_id_++;
  s.address = from.address;
  s.local_address = from.local_address;
  s.fd = from.fd;
  s.unix_socket = from.unix_socket;
  s.on_this_host = from.on_this_host;
  s.ipv6 = from.ipv6;
  s.resp = settings().client_default_resp;
  access_->become_default(s);
  s.created_at = s.last_active = mono_;
  s.clients = this;
  sessions_.emplace(s.id, std::move(session));
  order_.push_back(s.id);
  ++stats_.connections_received;
  return s;
}

void Engine::close(Session& session) {
  if (services_.replication != nullptr) services_.replication->closed(session);
  pubsub_.unsubscribe_all(session.subscriptions);
  unwatch(session);
  unmonitor(session);
  if (session.blocked) {
    blocked_.remove(session.id);
    refresh_wants();
  }
  tracker_->stop(session);
  clients_bytes_ -= std::min<std::uint64_t>(clients_bytes_, session.counted_bytes);
  dying_bytes_ -= session.dying_bytes;
  std::erase(parked_, session.id);
  const auto at = std::lower_bound(order_.begin(), order_.end(), session.id);
  if (at != order_.end() && *at == session.id) order_.erase(at);
  sessions_.erase(session.id);
}

void Engine::for_each(const std::function<void(Session&)>& fn) {
  const std::vector<ConnId> ids = order_;  // fn may close sessions
  for (const ConnId id : ids) {
    if (Session* s = find(id)) fn(*s);
  }
}

Session* Engine::find(ConnId id) {
  const auto at = sessions_.find(id);
  return at == sessions_.end() ? nullptr : at->second.get();
}

void Engine::kill(Session& victim, const Session& by) {
  if (&victim == &by)
    victim.close_after_reply = true;
  else
    victim.close_now = true;
  host_->close_soon(victim);
}

void Engine::wrote_to(Session& session) {
  check_output_limits(session);
  note_buffers(session);
  if (!session.output_pending) {
    session.output_pending = true;
    host_->flush_soon(session);
  }
}

bool Engine::is_over_output_limit(Session& session) {
  if (session.in_script) return false;  // what a script reads goes to no client
  check_output_limits(session);
  return session.close_now;
}

void Engine::wait(Session& session) { session.parked = session.waiting = true; }

void Engine::resume(Session& session) {
  session.parked = session.waiting = false;
  wrote_to(session);
  host_->resume_soon(session);
}

void Engine::park(Session& session) {
  session.parked = true;
  parked_.push_back(session.id);
}

void Engine::resume_parked() {
  std::vector<ConnId> ids;
  ids.swap(parked_);
  for (const ConnId id : ids) {
    Session* s = find(id);
    if (s == nullptr || !s->parked || s->waiting) continue;
    s->parked = false;
    host_->resume_soon(*s);
  }
}

void Engine::pause(PauseKind kind, UnixMillis until) {
  // A second pause never weakens the first: the wider kind and the later end hold.
  if (pause_until_.ms == 0 || kind == PauseKind::kAll) pause_kind_ = kind;
  pause_until_ = std::max(pause_until_, until);
  paused_ = true;
  refresh_expiry();
}

void Engine::unpause() {
  pause_until_ = UnixMillis{};
  pause_kind_ = PauseKind::kWrite;
  if (!writes_held_) end_pause();
}

void Engine::hold_writes(bool on) {
  writes_held_ = on;
  if (on) {
    paused_ = true;
    refresh_expiry();
  } else if (pause_until_.ms == 0) {
    end_pause();
  }
}

void Engine::end_pause() {
  paused_ = false;
  refresh_expiry();
  resume_parked();
  blocked_.note_everything();
  if (depth_ == 0) serve_ready();
}

// --- requests ---

// What the requests of a batch will look for in large values.
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
  if (last != nullptr && last->renamed) last = nullptr;  // its own name is no way to it
  std::string_view last_name =
      last != nullptr && last->parent == nullptr ? std::string_view(last->full_name) : "";
  const Database& db = keyspace_.db(session.db);
  std::uint64_t last_hash = 0;  // what the same key needs is on its way
  for (ParsedRequest& r : batch.requests) {
    const auto argv = batch.argv(r);
    if (r.command == nullptr && !argv.empty()) {
      if (last != nullptr && !last->is_container() &&
          (same_bytes(argv[0], last_name) || equals_ignore_case(argv[0], last_name))) {
        r.command = last;
        last_name = argv[0];  // as this client writes it: the next one is equal at once
      } else {
        r.command = commands_->resolve(argv);
        if (r.command != nullptr && r.command->parent == nullptr) {
          last = r.command;
          last_name = argv[0];
        }
      }
    }
    const int first = r.command != nullptr ? r.command->first_key : 0;
    if (first <= 0 || static_cast<std::size_t>(first) >= argv.size()) continue;
    const std::string_view name = argv[static_cast<std::size_t>(first)];
    r.key = {name, hash_bytes(name, keyspace_.seed()),
             env_.per_slot ? cluster::slot_of(name) : Slot{0}};
    if (r.key.hash != last_hash) db.prefetch_bucket(r.key);
    last_hash = r.key.hash;
  }
}

void Engine::fetch(std::span<const SessionBatch> batches) {
  // A request that is alone has nothing to overlap with.
  if (batches.size() == 1 && batches[0].batch->requests.size() == 1) return;
  bool opens_values = false;
  for (const SessionBatch& b : batches) {
    const Database& db = keyspace_.db(b.session->db);
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
  for (const SessionBatch& b : batches) note_lookups(keyspace_.db(b.session->db), *b.batch);
  for (ValueLookup& lookup : lookups_) lookup.fetch_bucket();
  for (const ValueLookup& lookup : lookups_) lookup.fetch_node();
}

std::size_t Engine::run(Session& session, RequestBatch& batch) {
  prepare(session, batch);
  const SessionBatch alone{&session, &batch};
  fetch({&alone, 1});
  return run_prepared(session, batch);
}

std::size_t Engine::run_prepared(Session& session, RequestBatch& batch) {
  if (tracker_->is_on()) [[unlikely]]
    tracker_->limit_table();
  last_ticks_ = ticks_();
  std::size_t done = 0;
  std::size_t begin = 0;
  for (const ParsedRequest& r : batch.requests) {
    if (stopped_ || session.parked || session.close_now || session.close_after_reply) break;
    if (r.count > 0) execute_one(session, r, batch.argv(r));
    if (session.parked && !session.waiting) break;  // it did not run: it comes again
    if (r.end - begin > hot_.large_request && r.command != nullptr) [[unlikely]] {
      // Offsets bound the size from above: what stood before the batch counts with its first.
      std::uint64_t bytes = 0;
      for (const std::string_view word : batch.argv(r)) bytes += word.size();
      if (bytes > hot_.large_request) {
        log_size(session, *r.command, batch.argv(r), CommandLogs::Kind::kLargeRequest, bytes);
      }
    }
    begin = r.end;
    ++done;
  }
  session.last_active = mono_;
  finish_replies(session);
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
  ++stats_.eventloop_cycles;
  stats_.eventloop_duration_us += us;
  stats_.eventloop_duration_max_us = std::max(stats_.eventloop_duration_max_us, us);
  stats_.eventloop_cmd_per_cycle_max =
      std::max(stats_.eventloop_cmd_per_cycle_max, std::exchange(turn_commands_, 0));
  stats_.eventloop_duration_cmd_us += std::exchange(command_ns_, 0) / 1000;
  if (hot_.clients_most != 0 && clients_bytes_ > hot_.clients_most) evict_clients();
}

void Engine::finish_replies(Session& session) {
  if (!session.out.empty()) check_output_limits(session);
  note_buffers(session);
  if (session.close_after_reply || session.close_now) host_->close_soon(session);
  if (session.out.empty() || session.output_pending || session.close_now) return;
  session.output_pending = true;
  host_->flush_soon(session);
}

void Engine::protocol_error(Session& session, std::string_view text) {
  reply_error(session, nullptr, text, true);
  session.close_after_reply = true;
  finish_replies(session);
}

void Engine::reply_error(Session& session, const Command* command, std::string_view text,
                         bool rejected) {
  // Scripts may make up any number of codes; the server's own are few, and always have room.
  const bool made_up = command != nullptr && has(command->acl, Acl::kScripting) &&
                       stats_.errors.size() >= Stats::kErrorKindsMost &&
                       !stats_.errors.contains(text.substr(0, text.find(' ')));
  stats_.count_error(made_up ? std::string_view("ERRORSTATS_OVERFLOW") : text);
  write_error(session, command, text, rejected);
}

void Engine::write_error(Session& session, const Command* command, std::string_view text,
                         bool rejected) {
  ReplyWriter(session.out, session.resp).error(text);
  if (command == nullptr) return;
  CommandStats& c = stats_.commands[command->id];
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

void Engine::execute_one(Session& session, const ParsedRequest& request,
                         std::span<const std::string_view> argv) {
  const std::size_t out_before = session.out.size();
  ++turn_commands_;
  const Command* command = request.command;
  if (command == nullptr) [[unlikely]] {
    // What a browser can be made to send to any port: the lines behind would be run as commands.
    if (equals_ignore_case(argv[0], "post") || equals_ignore_case(argv[0], "host:")) {
      log::warning(
          "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
          "commands to this server. Connection from {} aborted.",
          session.address);
      session.close_now = true;
      return host_->close_soon(session);
    }
    if (session.in_multi) session.multi_aborted = true;
    reply_error(session, nullptr, unknown_command(argv), true);
    return after_reply(session, out_before);
  }
  // A client that may be told apart by one branch from the plain case skips the whole gate.
  const bool arity_ok =
      command->spec->arity.accepts(argv.size()) && command->spec->handler != nullptr;
  const bool plain =
      arity_ok && session.authenticated && session.account->unrestricted() && !session.in_multi &&
      !paused_ && !script_busy_ && !guarded_ && locked_.empty() &&
      (hot_.maxmemory == 0 || memory::used_bytes() <= hot_.maxmemory) && hot_.clients_most == 0 &&
      monitors_ == 0 && !session.in_subscribe_mode() && !has(command->flags, Flag::kProtected) &&
      (!hot_.cluster ||
       (view_ != nullptr && command->first_key > 0 && command->last_key == command->first_key &&
        !has(command->flags, Flag::kMovableKeys) && view_->serves(request.key.slot)));
  if (!plain) {
    switch (gate(session, *command, argv, request.key)) {
      case Gate::kPass: break;
      case Gate::kParked: return;
      case Gate::kRefused:
      case Gate::kQueued: return after_reply(session, out_before);
    }
  }
  session.executing = true;
  actor_ = &session;
  call(session, *command, argv, request.key);
  actor_ = nullptr;
  session.executing = false;
  if (const std::size_t reply_bytes = session.out.size() - out_before;
      reply_bytes > hot_.large_reply) [[unlikely]] {
    log_size(session, *command, argv, CommandLogs::Kind::kLargeReply, reply_bytes);
  }
  // CLIENT CACHING holds for the command behind it, or for all of a transaction.
  if (session.tracking != nullptr && session.tracking->caching && !session.in_multi &&
      !command->full_name.starts_with("client|")) {
    session.tracking->caching = false;
  }
  if (!session.waiting) after_reply(session, out_before);
  if (!session.own_pushes.empty()) [[unlikely]]
    append_own_pushes(session);
}

void Engine::append_own_pushes(Session& session) {
  session.out.append(session.own_pushes.str());
  session.own_pushes.clear();
}

void Engine::run_command(Session& session, const Command& command,
                         std::span<const std::string_view> argv, const KeyRef& first_key) {
  last_ticks_ = ticks_();
  session.executing = true;
  // It may run inside the unit of the client that served it.
  Session* outer = std::exchange(actor_, &session);
  call(session, command, argv, first_key);
  actor_ = outer;
  session.executing = false;
  if (!session.own_pushes.empty()) append_own_pushes(session);
}

// What becomes of expired keys that the command comes across. Where they are hidden and not
// removed, a client's write removes those that it meets: they must not be in the way of what it
// stores. An import source meets none.
Outcome Engine::run_guarded(CommandContext& ctx, const Session& session, const Command& command) {
  const Session& client = session.in_script ? *script_->caller : session;
  if (client.replaying) return command.spec->handler(ctx);
  const UnixMillis outer_now = env_.now;
  env_.now = importing() && client.import_source ? UnixMillis{0} : env_.clock;
  env_.expire_removes = !paused_ && (command.writes() || (!following_ && !importing()));
  if (depth_ > 1 && has(command.flags, Flag::kTouchesArbitraryKeys) &&
      !settings().lazyexpire_nested_arbitrary_keys) {
    env_.expire_removes = false;
  }
  Outcome outcome = command.spec->handler(ctx);
  env_.now = outer_now;
  refresh_expiry();  // which the command may have changed
  return outcome;
}

void Engine::call(Session& session, const Command& command, std::span<const std::string_view> argv,
                  const KeyRef& first_key) {
  const DbIndex db = session.db;
  const std::uint64_t start = last_ticks_;  // the commands of an EXEC or a script move it on
  session.last_command = &command;
  session.redacted.clear();
  const std::size_t out_before = session.out.size();
  ++depth_;
  CommandContext ctx({command, session, env_, services_, argv, session.out});
  ctx.keys().set_first(first_key);
  if (session.no_touch) ctx.keys().set_no_touch(true);
#ifdef HEARTH_CHECKED
  std::vector<KeyPosition> positions;
  std::vector<std::string_view> declared;
  const bool known = extract_keys(command, argv, positions);
  for (const KeyPosition& p : positions) declared.push_back(argv[p.index]);
  std::sort(declared.begin(), declared.end());
  if (!known) declared.clear();  // words that don't fit the specs reach no key at all
  const bool any = has(command.flags, Flag::kTouchesArbitraryKeys) || command.spec->keys.empty();
  ctx.keys().set_declared(
      declared, any,
      !has(command.flags, Flag::kReadonly) || has(command.flags, Flag::kMayReplicate));
#endif
  const Outcome outcome =
      guarded_ ? run_guarded(ctx, session, command) : command.spec->handler(ctx);
  if (!outcome) [[unlikely]] {
    if (outcome.error().counted)
      write_error(session, &command, outcome.error().text, false);
    else
      reply_error(session, &command, outcome.error().text, false);
  }
  // ASKING holds for one command: the one behind it.
  if (session.asking && command.full_name != "asking") session.asking = false;
  --depth_;
  if (depth_ == 0 && has(command.flags, Flag::kTouchesArbitraryKeys) && !effects_.empty())
      [[unlikely]]
    effects_.keep_apart();

  const std::uint64_t ticks = ticks_();
  std::uint64_t ns = ticks - start;
  last_ticks_ = ticks;
  if (session.waiting) [[unlikely]] {
    if (BlockedClient* client = blocked_.find(session.id)) {
      client->ns += ns;
      command_ns_ += ns;
      // It has not run yet, as far as anybody can tell; it counts once, when it has its answer.
      if (session.blocked) {
        if (monitors_ > 0 && !client->announced) announce(session, command, db, argv);
        client->announced = true;
        return finish_unit(session);
      }
      ns = client->ns;
    }
  }
  CommandStats& c = stats_.commands[command.id];
  ++c.calls;
  c.ns += ns;
  if (depth_ == 0) command_ns_ += ns;
  ++stats_.commands_processed;
  ++(session.in_script ? *script_->caller : session).commands;
  if (hot_.latency_tracking) stats_.latencies[command.id].add(ns);
  if (ns >= hot_.slow_ns || monitors_ > 0) [[unlikely]]
    log_call(session, command, db, argv, ns);
  if (ns >= hot_.latency_ns) [[unlikely]] {
    latency_.add(has(command.flags, Flag::kFast) ? "fast-command" : "command", env_.clock,
                 static_cast<std::uint32_t>((ns + 500'000) / 1'000'000));
  }
  if (hot_keys_.is_active()) [[unlikely]]
    note_hot_keys(command, argv, ns, session.out.size() - out_before);
  if (tracker_->is_on()) [[unlikely]]
    tracker_->note_read(session.in_script ? *script_->caller : session, command, argv);
  finish_unit(session);
}

void Engine::end_unit(Session& session) {
  if (held_now_.ms != 0) [[unlikely]]
    env_.now = env_.clock = std::exchange(held_now_, UnixMillis{});
  if (tracker_->is_on()) [[unlikely]]
    tracker_->finish_unit();
  if (!effects_.empty()) {
    commit();
    session.write_offset = replication_offset();
  } else if (blocked_.has_ready()) [[unlikely]] {
    serve_ready();
  }
}

std::uint64_t Engine::replication_offset() const {
  return services_.replication == nullptr ? 0 : services_.replication->offset();
}

void Engine::change_replication_id() {
  replication_id_ = rng_.hex(40);
  if (services_.replication != nullptr) services_.replication->id_changed();
}

void Engine::set_loading(bool on) {
  loading_ = on;
  refresh_wants();
  refresh_write_refusal();
}

void Engine::set_following(bool on) {
  following_ = on;
  own_deadlines_.clear();
  refresh_settings();
}

void Engine::refresh_write_refusal() {
  guarded_ = loading_ || following_ || importing() || lacks_replicas() ||
             !settings().lazyexpire_nested_arbitrary_keys || !write_refusal().empty();
}

void Engine::set_good_replicas(std::size_t count) {
  if (std::exchange(good_replicas_, count) != count) refresh_write_refusal();
}

void Engine::commit() {
  // In the middle of a unit, what others record (a slot's keys are dropped while a script lets the
  // server run on) becomes part of it.
  if (depth_ > 0) return;
  const CommittedUnit unit = effects_.unit();
  if (following_ && actor_ != nullptr && !actor_->replaying) [[unlikely]]
    note_own_deadlines(unit);
  for (EffectSink* sink : sinks_) sink->on_commit(unit);
  effects_.clear();
  if (blocked_.has_ready() && depth_ == 0) [[unlikely]]
    serve_ready();
}

}  // namespace hearth
