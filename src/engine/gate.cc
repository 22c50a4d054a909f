// The gate: ordered admission checks of one command. The first refusal answers.
//
//   arity -> authentication -> protected commands -> the user's rights -> subscriber mode ->
//   cluster redirect -> memory -> busy script -> MULTI queue -> pause and locked keys
#include <algorithm>

#include "cluster/model/slot.h"
#include "src/base/format_number.h"
#include "src/engine/engine.h"

namespace hearth {
namespace {

// What the client sent, for the error text: at most 128 bytes of name and arguments.
constexpr std::size_t kEchoBytes = 128;

bool permits(config::Permission permission, const Session& session) {
  return permission == config::Permission::kYes ||
         (permission == config::Permission::kLocal && session.on_this_host);
}

}  // namespace

std::string Engine::unknown_command(std::span<const std::string_view> argv) const {
  std::string text = "ERR unknown command '" + std::string(argv[0].substr(0, kEchoBytes)) +
                     "', with args beginning with: ";
  std::size_t echoed = 0;
  for (std::size_t i = 1; i < argv.size() && echoed < kEchoBytes; ++i) {
    const std::string_view word = argv[i].substr(0, kEchoBytes - echoed);
    text += "'" + std::string(word) + "' ";
    echoed += word.size() + 3;
  }
  return text;
}

Flag Engine::flags_of(const Command& command, std::span<const std::string_view> argv) const {
  if (!has(command.flags, Flag::kRunsScript) || services_.scripts == nullptr) return command.flags;
  const std::optional<ScriptFlags> said = services_.scripts->flags_of(command.full_name, argv);
  if (!said || (*said & script_flag::kUnmarked) != 0) return command.flags;
  constexpr Flag kReplaced = Flag::kStale | Flag::kDenyOom | Flag::kWrite | Flag::kMayReplicate;
  auto flags = static_cast<Flag>(static_cast<std::uint32_t>(command.flags) &
                                 ~static_cast<std::uint32_t>(kReplaced));
  const bool writes = (*said & script_flag::kNoWrites) == 0;
  if (writes) flags = flags | Flag::kWrite;
  if (writes && (*said & script_flag::kAllowOom) == 0) flags = flags | Flag::kDenyOom;
  if ((*said & script_flag::kAllowStale) != 0) flags = flags | Flag::kStale;
  return flags;
}

Engine::Gate Engine::gate(Session& session, const Command& command,
                          std::span<const std::string_view> argv, const KeyRef& first_key) {
  const std::string_view name = command.full_name;
  const auto refuse_with = [&](std::string_view text) {
    if (has(command.flags, Flag::kRunsQueue)) {
      // Nothing of the transaction ran, and nothing of it will. A client without one that sends a
      // whole transaction in one piece hears the same, whatever happened to its MULTI.
      discard(session);
      const std::string_view why = text.starts_with("ERR ") ? text.substr(4) : text;
      reply_error(session, &command,
                  "EXECABORT Transaction discarded because of: " + std::string(why), true);
      return Gate::kRefused;
    }
    if (session.in_multi) session.multi_aborted = true;
    reply_error(session, &command, text, true);
    return Gate::kRefused;
  };

  if (command.spec->handler == nullptr && argv.size() > 1) {
    return refuse_with("ERR unknown subcommand '" + std::string(argv[1].substr(0, kEchoBytes)) +
                       "'. Try " + std::string(command.spec->name) + " HELP.");
  }
  if (command.spec->handler == nullptr || !command.spec->arity.accepts(argv.size())) {
    return refuse_with("ERR wrong number of arguments for '" + command.full_name + "' command");
  }
  if (!session.authenticated && !has(command.flags, Flag::kNoAuth)) {
    return refuse_with("NOAUTH Authentication required.");
  }
  if (has(command.flags, Flag::kProtected)) {
    const bool debug = name.starts_with("debug");
    if (!permits(debug ? settings().enable_debug_command : settings().enable_module_command,
                 session)) {
      const std::string which = debug ? "DEBUG" : "MODULE";
      const std::string option = debug ? "enable-debug-command" : "enable-module-command";
      return refuse_with("ERR " + which + " command not allowed. If the " + option +
                         " option is set to \"local\", you can run it from a local connection, "
                         "otherwise you need to "
                         "set this option in the configuration file, and then restart the server.");
    }
  }
  if (has(command.flags, Flag::kNoMulti) && session.in_multi) {
    return refuse_with("ERR Command not allowed inside a transaction");
  }
  if (session.replaying) {
    if (!session.in_multi || has(command.flags, Flag::kUnqueued)) return Gate::kPass;
    queue_command(session, command, argv);
    return Gate::kQueued;
  }
  if (!session.account->unrestricted()) {
    session.last_command = &command;
    const auto context = session.in_multi ? acl::Context::kMulti : acl::Context::kTopLevel;
    if (const auto denied = access_->denied(session, command, argv, context))
      return refuse_with(*denied);
  }
  if (session.in_subscribe_mode() && session.resp == 2 &&
      !has(command.flags, Flag::kInSubscriberMode)) {
    return refuse_with("ERR Can't execute '" + command.full_name +
                       "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                       "allowed in this context");
  }
  if (hot_.cluster) {
    std::string redirect = redirect_error(session, command, argv, first_key);
    if (!redirect.empty()) {
      return refuse_with(redirect);
    }
  }
  if (hot_.clients_most != 0) {
    note_buffers(session);  // earlier requests of this batch made replies
    if (clients_bytes_ > hot_.clients_most) evict_clients();
  }
  const bool has_room = hot_.maxmemory == 0 || make_room();
  if (session.close_now) return Gate::kRefused;  // it was evicted for its own memory
  if (!has_room) {
    bool denied = has(flags_of(command, argv), Flag::kDenyOom);
    if (has(command.flags, Flag::kRunsQueue)) {
      for (const QueuedCommand& q : session.queue)
        denied = denied || has(q.command->flags, Flag::kDenyOom);
    }
    if (denied) return refuse_with("OOM command not allowed when used memory > 'maxmemory'.");
  }
  if (guarded_) {
    if (const std::string_view why = refused_now(session, command, argv); !why.empty())
      return refuse_with(why);
  }
  if (script_busy_ && !has(command.flags, Flag::kAllowBusy)) return refuse_with(busy_script_text());
  const bool queues = session.in_multi && !has(command.flags, Flag::kUnqueued);
  if (must_pause(session, command, argv, queues)) {
    park(session);
    return Gate::kParked;
  }
  if (queues) {
    queue_command(session, command, argv);
    return Gate::kQueued;
  }
  if (!locked_.empty() && is_locked(session, command, argv)) {
    park(session);
    return Gate::kParked;
  }
  return Gate::kPass;
}

// What a replica refuses its clients.
std::string_view Engine::refused_by_replica(const Session& session, const Command& command,
                                            std::span<const std::string_view> argv) const {
  bool writes = false, stale = true;
  const auto add = [&](Flag flags) {
    writes = writes || has(flags, Flag::kWrite);
    stale = stale && has(flags, Flag::kStale);
  };
  add(flags_of(command, argv));
  if (has(command.flags, Flag::kRunsQueue)) {
    for (const QueuedCommand& q : session.queue) {
      const std::vector<std::string_view> words(q.argv.begin(), q.argv.end());
      add(flags_of(*q.command, words));
    }
  }
  if (writes && settings().replica_read_only) return kReadOnlyReplica;
  return !stale && is_stale() ? kStaleReplica : std::string_view();
}

// A replica that is out of touch with its primary and must not answer from what it has.
bool Engine::is_stale() const {
  return following_ && !settings().replica_serve_stale_data && !services_.replica->link_is_up();
}

// The data is being loaded, is somebody else's, or changes of it could not be kept.
std::string_view Engine::refused_now(const Session& session, const Command& command,
                                     std::span<const std::string_view> argv) const {
  if (following_) {
    if (const std::string_view why = refused_by_replica(session, command, argv); !why.empty())
      return why;
  }
  if (loading_ && !has(command.flags, Flag::kLoading))
    return "LOADING Redis is loading the dataset in memory";
  bool writes = has(flags_of(command, argv), Flag::kWrite);
  if (has(command.flags, Flag::kRunsQueue)) {
    for (const QueuedCommand& q : session.queue) writes = writes || q.command->writes();
  }
  if (writes) return write_refusal();
  // PING also answers MISCONF while saving fails.
  return has(command.flags, Flag::kReportsDisk) && services_.persistence != nullptr
             ? services_.persistence->write_refusal()
             : std::string_view();
}

// Why no change may be made now, if so.
std::string_view Engine::write_refusal() const {
  if (services_.persistence != nullptr) {
    if (const std::string_view why = services_.persistence->write_refusal(); !why.empty())
      return why;
  }
  if (following_ || !lacks_replicas()) return {};  // a replica needs none of its own
  return "NOREPLICAS Not enough good replicas to write.";
}

bool Engine::lacks_replicas() const {
  const config::Settings& s = settings();
  return s.min_replicas_to_write > 0 && s.min_replicas_max_lag.count() > 0 &&
         good_replicas_ < static_cast<std::size_t>(s.min_replicas_to_write);
}

// CLIENT PAUSE: everything waits, or what writes; of a transaction that only writes, its EXEC.
bool Engine::must_pause(const Session& session, const Command& command,
                        std::span<const std::string_view> argv, bool queues) {
  if (!paused_ || session.replica) return false;
  if (pause_until_.ms != 0 && env_.now >= pause_until_) {
    unpause();
    if (!paused_) return false;
  }
  // Else a pause of all could never be ended early.
  if (has(command.flags, Flag::kEndsPause)) return false;
  if (pause_kind_ == PauseKind::kAll) return true;
  const auto writes = [](Flag flags) {
    return has(flags, Flag::kWrite) || has(flags, Flag::kMayReplicate);
  };
  if (has(command.flags, Flag::kRunsQueue)) {
    return std::any_of(session.queue.begin(), session.queue.end(), [&](const QueuedCommand& q) {
      const std::vector<std::string_view> words(q.argv.begin(), q.argv.end());
      return writes(flags_of(*q.command, words));
    });
  }
  return !queues && writes(flags_of(command, argv));
}

std::string Engine::redirect_error(Session& session, const Command& command,
                                   std::span<const std::string_view> argv, const KeyRef&) {
  if (view_ == nullptr) return {};
  slots_.clear();
  bool writes = command.writes() || has(command.flags, Flag::kMayReplicate);
  std::vector<KeyRef> refs;
  const auto collect = [&](const Command& c, std::span<const std::string_view> words) {
    if (!extract_keys(c, words, positions_)) return;
    for (const KeyPosition& p : positions_) {
      const Slot slot = cluster::slot_of(words[p.index]);
      slots_.push_back(slot);
      if (view_->in_motion(slot))
        refs.push_back({words[p.index], hash_bytes(words[p.index], keyspace_.seed()), slot});
    }
  };
  std::vector<std::vector<std::string_view>> queued;
  if (has(command.flags, Flag::kRunsQueue)) {
    for (const QueuedCommand& q : session.queue) {
      const auto& words = queued.emplace_back(q.argv.begin(), q.argv.end());
      collect(*q.command, words);
      writes = writes || q.command->writes();
    }
  } else {
    collect(command, argv);
  }
  if (slots_.empty()) return {};
  cluster::RedirectQuery query;
  query.slots = slots_;
  query.command_writes = writes;
  query.shard_pubsub = has(command.flags, Flag::kPubsub);
  query.moves_slots = has(command.flags, Flag::kMovesSlots);
  query.session_asking = session.asking || has(command.flags, Flag::kAsking);
  query.session_readonly = session.readonly;
  query.session_ipv6 = session.ipv6;
  for (const KeyRef& ref : refs) {
    const Found at = keyspace_.db(0).find(ref);
    ++(at && !at->expired(env_.now) ? query.keys_present : query.keys_missing);
  }
  const cluster::Redirect decision = cluster::redirect(*view_, query);
  return decision.serves() ? std::string() : cluster::redirect_text(*view_, query, decision);
}

bool Engine::is_locked(Session& session, const Command& command,
                       std::span<const std::string_view> argv) {
  const auto touches = [&](const Command& c, std::span<const std::string_view> words) {
    if (!extract_keys(c, words, positions_)) return false;
    for (const KeyPosition& p : positions_) {
      if (locked_.contains(DbNameView(session.db, words[p.index]))) return true;
    }
    // Commands that reach all keys at once wait too.
    return c.spec->keys.empty() && c.writes();
  };
  if (!has(command.flags, Flag::kRunsQueue)) return touches(command, argv);
  for (const QueuedCommand& q : session.queue) {
    const std::vector<std::string_view> words(q.argv.begin(), q.argv.end());
    if (touches(*q.command, words)) return true;
  }
  return false;
}

void Engine::lock_keys(DbIndex db, std::span<const std::string> names) {
  for (const auto& name : names) ++locked_[DbName{db, name}];
}

void Engine::unlock_keys(DbIndex db, std::span<const std::string> names) {
  for (const auto& name : names) {
    const auto at = locked_.find(DbNameView(db, name));
    if (at != locked_.end() && --at->second == 0) locked_.erase(at);
  }
  // Other keys may be locked still: who wants one of those parks again.
  resume_parked();
  blocked_.wake_put_off();
  if (depth_ == 0) serve_ready();
}

}  // namespace hearth
