#include "src/engine/gate.h"

#include <utility>

#include "cluster/model/redirect.h"
#include "cluster/model/slot.h"
#include "src/base/parse_number.h"
#include "src/command/persistence_control.h"
#include "src/command/replica_control.h"
#include "src/command/script_host.h"

namespace hearth {
namespace {

// The request for an error text: at most 128 bytes of name and arguments.
constexpr std::size_t kEchoBytes = 128;

bool permits(config::Permission permission, const Session& session) {
  return permission == config::Permission::kYes ||
         (permission == config::Permission::kLocal && session.on_this_host);
}

}  // namespace

// The order is the protocol: of several reasons the client hears the first.
constexpr Gate::Row Gate::kChecks[] = {
    {kMalformed, &Gate::check_form},        {kUnauthenticated, &Gate::check_authenticated},
    {kProtected, &Gate::check_protected},   {kInMulti, &Gate::check_multi},
    {kReplaying, &Gate::check_replay},      {kRestricted, &Gate::check_rights},
    {kSubscriber, &Gate::check_subscriber}, {kSlots, &Gate::check_slots},
    {kClientLimit, &Gate::check_clients},   {kOverMemory, &Gate::check_memory},
    {kGuarded, &Gate::check_guards},        {kBusy, &Gate::check_busy},
    {kHolding, &Gate::check_pause},         {kInMulti, &Gate::check_queue},
    {kHolding, &Gate::check_locks},
};

Verdict Gate::check(Session& session, const Command& command, Words argv,
                    std::uint32_t conditions) {
  Request request{session, command, argv};
  for (const Row& row : kChecks) {
    if ((row.conditions & conditions) == 0) continue;
    const std::optional<Verdict> verdict = (this->*row.check)(request);
    if (!verdict) continue;
    return *verdict == Verdict::kRefused && !request.refusal.empty() ? refuse(request) : *verdict;
  }
  return Verdict::kPass;
}

std::optional<Verdict> Gate::refuse_with(Request& r, std::string_view text) {
  r.refusal = text;
  return Verdict::kRefused;
}

Verdict Gate::refuse(Request& r) {
  Session& session = r.session;
  std::string text = std::move(r.refusal);
  if (has(r.command.flags, Flag::kRunsQueue)) {
    // Nothing of the transaction ran, and nothing of it will. A client that sends a whole
    // transaction in one piece hears so too when its MULTI was refused already.
    parts_.transactions.discard(session);
    const std::string why = text.starts_with("ERR ") ? text.substr(4) : text;
    if (!r.redirects) text = "EXECABORT Transaction discarded because of: " + why;
  } else if (session.in_multi) {
    session.multi_aborted = true;
  }
  parts_.executor.reply_error(session, &r.command, text, true);
  return Verdict::kRefused;
}

std::optional<Verdict> Gate::check_form(Request& r) {
  if (r.command.spec->handler == nullptr && r.argv.size() > 1) {
    return refuse_with(r, "ERR unknown subcommand '" +
                              std::string(r.argv[1].substr(0, kEchoBytes)) + "'. Try " +
                              std::string(r.command.spec->name) + " HELP.");
  }
  return refuse_with(r, "ERR wrong number of arguments for '" + r.command.full_name + "' command");
}

std::optional<Verdict> Gate::check_authenticated(Request& r) {
  if (has(r.command.flags, Flag::kNoAuth)) return std::nullopt;
  return refuse_with(r, "NOAUTH Authentication required.");
}

std::optional<Verdict> Gate::check_protected(Request& r) {
  const config::Settings& s = parts_.core.settings();
  const bool module = r.command.spec->protection == Protection::kModule;
  if (permits(module ? s.enable_module_command : s.enable_debug_command, r.session))
    return std::nullopt;
  const std::string which = module ? "MODULE" : "DEBUG";
  const std::string option = module ? "enable-module-command" : "enable-debug-command";
  return refuse_with(r, "ERR " + which + " command not allowed. If the " + option +
                            " option is set to \"local\", you can run it from a local connection, "
                            "otherwise you need to set this option in the configuration file, and "
                            "then restart the server.");
}

std::optional<Verdict> Gate::check_multi(Request& r) {
  if (!has(r.command.flags, Flag::kNoMulti)) return std::nullopt;
  return refuse_with(r, "ERR Command not allowed inside a transaction");
}

// Commands of a log or a primary are not judged again.
std::optional<Verdict> Gate::check_replay(Request& r) {
  if (!is_queued(r)) return Verdict::kPass;
  return check_queue(r);
}

std::optional<Verdict> Gate::check_rights(Request& r) {
  r.session.last_command = &r.command;
  const auto context = r.session.in_multi ? acl::Context::kMulti : acl::Context::kTopLevel;
  const auto denied = parts_.accounts.denied(r.session, r.command, r.argv, context);
  return denied ? refuse_with(r, *denied) : std::nullopt;
}

std::optional<Verdict> Gate::check_subscriber(Request& r) {
  if (r.session.resp != 2 || has(r.command.flags, Flag::kInSubscriberMode)) return std::nullopt;
  return refuse_with(r, "ERR Can't execute '" + r.command.full_name +
                            "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                            "allowed in this context");
}

std::optional<Verdict> Gate::check_slots(Request& r) {
  EngineCore& core = parts_.core;
  if (core.view == nullptr) return std::nullopt;
  const cluster::View& view = *core.view;
  std::vector<Slot> slots;
  cluster::RedirectQuery query;
  query.command_writes = has(r.command.flags, Flag::kMayReplicate);
  query.one_key = query.shard_pubsub = true;
  std::optional<std::string_view> first_moving;
  DbIndex db = r.session.db;
  for_each_action(r.session, r.command, r.argv, [&](const Command& c, const Words words) {
    query.command_writes = query.command_writes || c.writes();
    query.moves_slots = query.moves_slots || has(c.flags, Flag::kMovesSlots);
    // A transaction may select another database on its way; the handler refuses a wrong one.
    if (c.spec->databases == DatabaseUse::kFirstArgument) {
      const auto index = parse_int64(words[1]);
      if (index && *index >= 0 && *index < core.keyspace.db_count())
        db = static_cast<DbIndex>(*index);
    }
    if (!extract_keys(c, words, positions_) || positions_.empty()) return;
    // A transaction of shard messages alone is as good as one of them.
    query.shard_pubsub = query.shard_pubsub && has(c.flags, Flag::kPubsub);
    for (const KeyPosition& p : positions_) {
      const std::string_view name = words[p.index];
      const Slot slot = cluster::slot_of(name);
      slots.push_back(slot);
      if (!view.in_motion(slot)) continue;
      query.one_key = query.one_key && name == first_moving.value_or(name);
      first_moving = name;
      // The key of that name in the other database is a second key, and may be at the other node.
      if (reaches_other_database(c, words)) {
        slots.push_back(slot);
        query.one_key = false;
        ++query.keys_present;
        ++query.keys_missing;
        continue;
      }
      const Found at = core.keyspace.db(db).find(Keys(core.env, db).make_ref(name));
      ++(at && !at->expired(core.env.now) ? query.keys_present : query.keys_missing);
    }
  });
  if (slots.empty()) return std::nullopt;
  query.slots = slots;
  query.session_asking = r.session.asking || has(r.command.flags, Flag::kAsking);
  query.session_readonly = r.session.readonly;
  query.session_ipv6 = r.session.ipv6;
  const cluster::Redirect decision = cluster::redirect(view, query);
  if (decision.serves()) return std::nullopt;
  r.redirects = true;
  return refuse_with(r, cluster::redirect_text(view, query, decision));
}

std::optional<Verdict> Gate::check_clients(Request& r) {
  parts_.sessions.note_buffers(r.session);  // earlier requests of this batch made replies
  parts_.sessions.evict_over_limit();
  // It may have been closed for its own memory: there is nobody to hear why.
  return r.session.close_now ? std::optional(Verdict::kRefused) : std::nullopt;
}

std::optional<Verdict> Gate::check_memory(Request& r) {
  const bool has_room = parts_.eviction.make_room();
  if (r.session.close_now) return Verdict::kRefused;
  if (has_room || !does(r, Flag::kDenyOom)) return std::nullopt;
  return refuse_with(r, kOutOfMemory);
}

// The data is being loaded, is somebody else's, or changes of it could not be kept.
std::optional<Verdict> Gate::check_guards(Request& r) {
  EngineCore& core = parts_.core;
  const bool writes = does(r, Flag::kWrite);
  if (core.following) {
    if (writes && core.settings().replica_read_only) return refuse_with(r, kReadOnlyReplica);
    bool stale = has(flags_in_effect(core.services, r.command, r.argv), Flag::kStale);
    for_each_action(r.session, r.command, r.argv, [&](const Command& c, const Words words) {
      stale = stale && has(flags_in_effect(core.services, c, words), Flag::kStale);
    });
    if (!stale && core.is_stale()) return refuse_with(r, kStaleReplica);
  }
  // A node that is being warmed refuses what uses its rows. A PING does not, nor does
  // administration: replicas copy such a node.
  constexpr Flag kUsesRows = Flag::kWrite | Flag::kReadonly | Flag::kRunsScript;
  const bool waits_for_rows = core.warming && !r.session.loads && has(r.command.flags, kUsesRows) &&
                              !has(r.command.flags, Flag::kAdmin);
  if ((core.loading || waits_for_rows) && !has(r.command.flags, Flag::kLoading))
    return refuse_with(r, "LOADING Redis is loading the dataset in memory");
  std::string_view why;
  if (writes)
    why = write_refusal();
  else if (has(r.command.flags, Flag::kReportsDisk) && core.services.persistence != nullptr)
    why = core.services.persistence->write_refusal();
  return why.empty() ? std::nullopt : refuse_with(r, why);
}

std::optional<Verdict> Gate::check_busy(Request& r) {
  if (has(r.command.flags, Flag::kAllowBusy)) return std::nullopt;
  return refuse_with(r, parts_.core.services.script_host->busy_script_text());
}

std::optional<Verdict> Gate::check_pause(Request& r) {
  if (!parts_.holds.pauses(r.session, r.command, r.argv, is_queued(r))) return std::nullopt;
  parts_.holds.hold(r.session);
  return Verdict::kParked;
}

std::optional<Verdict> Gate::check_queue(Request& r) {
  if (!is_queued(r)) return std::nullopt;
  parts_.transactions.queue(r.session, r.command, r.argv);
  return Verdict::kQueued;
}

std::optional<Verdict> Gate::check_locks(Request& r) {
  if (!parts_.holds.is_locked(r.session, r.command, r.argv)) return std::nullopt;
  parts_.holds.hold(r.session);
  return Verdict::kParked;
}

bool Gate::does(const Request& r, Flag flag) const {
  bool any = false;
  for_each_action(r.session, r.command, r.argv, [&](const Command& c, const Words words) {
    any = any || has(flags_in_effect(parts_.core.services, c, words), flag);
  });
  return any;
}

std::string_view Gate::write_refusal() const {
  if (const PersistenceControl* persistence = parts_.core.services.persistence) {
    if (const std::string_view why = persistence->write_refusal(); !why.empty()) return why;
  }
  if (parts_.core.following || !lacks_replicas()) return {};  // a replica needs none of its own
  return "NOREPLICAS Not enough good replicas to write.";
}

bool Gate::lacks_replicas() const {
  const config::Settings& s = parts_.core.settings();
  return s.min_replicas_to_write > 0 && s.min_replicas_max_lag.count() > 0 &&
         good_replicas_ < static_cast<std::size_t>(s.min_replicas_to_write);
}

void Gate::refresh() {
  EngineCore& core = parts_.core;
  core.guarded = core.loading || core.warming || core.following || core.importing() ||
                 lacks_replicas() || !core.settings().lazyexpire_nested_arbitrary_keys ||
                 !write_refusal().empty();
}

void Gate::set_good_replicas(std::size_t count) {
  if (std::exchange(good_replicas_, count) != count) refresh();
}

std::string unknown_command(std::span<const std::string_view> argv) {
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

}  // namespace hearth
