// Scripts: their commands run here, in a session of their own, inside the unit of the command that
// started the script.
//
// A script that runs past busy-reply-threshold does not stop the server: every now and then it asks
// `must_stop_script`, which lets the host serve the other sessions for a turn. Those hear BUSY,
// except for the few commands that may end the script. Time stands still meanwhile, nothing expires
// and nothing is evicted, so the script sees no change that it did not make.
#include "src/base/check.h"
#include "src/base/log.h"
#include "src/engine/engine.h"
#include "src/engine/script_run.h"
#include "src/proto/reply_writer.h"
#include "src/store/memory.h"

namespace hearth {

namespace {

constexpr std::size_t kReplyBytesKept = 16 * 1024;
constexpr std::string_view kOom = "OOM command not allowed when used memory > 'maxmemory'.";
constexpr std::string_view kBusyEval =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view kBusyFunction =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

bool says(ScriptFlags flags, ScriptFlags one) { return (flags & one) != 0; }

}  // namespace

Outcome Engine::begin_script(const ScriptStart& start, Session& caller) {
  if (script_ == nullptr) {
    script_ = std::make_unique<ScriptRun>();
    script_->session.address = "lua";
    script_->session.in_script = true;
    script_->session.authenticated = true;
    script_->session.deny_blocking = true;
  }
  ScriptRun& run = *script_;
  HEARTH_CHECK(!run.active);
  const bool marked = !says(start.flags, script_flag::kUnmarked);
  const bool writes = !says(start.flags, script_flag::kNoWrites);
  if (!marked && is_stale() && !caller.replaying) return refuse(std::string(kStaleReplica));
  const bool no_memory =
      hot_.maxmemory != 0 && memory::used_bytes() > hot_.maxmemory && !make_room();
  if (marked) {
    if (says(start.flags, script_flag::kNoCluster) && hot_.cluster)
      return refuse("ERR Can not run script on cluster, 'no-cluster' flag is set.");
    if (writes && start.read_only)
      return refuse("ERR Can not execute a script with write flag using *_ro command.");
    if (no_memory && writes && !says(start.flags, script_flag::kAllowOom)) {
      return refuse(
          "OOM allow-oom flag is not set on the script, can not run it when used memory > "
          "'maxmemory'");
    }
  }
  run.caller = &caller;
  run.start = start;
  run.started_ticks = last_ticks_;
  run.active = true;
  run.wrote = run.killed = false;
  run.no_memory = no_memory;
  run.read_only = start.read_only || (marked && !writes);
  run.allow_oom = marked && says(start.flags, script_flag::kAllowOom);
  run.one_slot = hot_.cluster && marked && !says(start.flags, script_flag::kAllowCrossSlot);
  run.slot.reset();
  Session& s = run.session;
  s.db = caller.db;
  s.resp = 2;
  s.account = caller.account;
  s.readonly = caller.readonly;
  s.write_offset = caller.write_offset;
  s.asking = false;
  s.no_touch = caller.no_touch;
  s.on_this_host = caller.on_this_host;
  s.frozen_micros = 0;
  return {};
}

void Engine::end_script() {
  ScriptRun& run = *script_;
  run.active = false;
  effects_.set_targets(Effect::kToAll);
  if (run.session.in_subscribe_mode()) pubsub_.unsubscribe_all(run.session.subscriptions);
  if (!script_busy_) return;
  script_busy_ = false;
  blocked_.wake_put_off();
  host_->script_ended(*run.caller);
}

void Engine::set_script_resp(int resp) { script_->session.resp = resp; }
int Engine::script_resp() const { return script_->session.resp; }

OutBuffer& Engine::call(std::span<const std::string_view> argv) {
  Session& session = script_->session;
  // Small replies share one piece of memory.
  if (session.out.capacity_bytes() <= kReplyBytesKept)
    session.out.truncate(0);
  else
    session.out.clear();
  const Command* command = session.last_command;
  // Scripts repeat their commands in loops.
  if (command == nullptr || command->parent != nullptr || command->renamed ||
      command->is_container() || !equals_ignore_case(argv[0], command->full_name)) {
    command = commands_->resolve(argv);
  }
  KeyRef first{};
  if (command != nullptr && command->first_key > 0 &&
      static_cast<std::size_t>(command->first_key) < argv.size()) {
    first = Keys(env_, session.db).make_ref(argv[static_cast<std::size_t>(command->first_key)]);
  }
  if (const std::string refusal = script_refusal(command, argv, first); !refusal.empty()) {
    reply_error(session, command, refusal, true);
    return session.out;
  }
  session.executing = true;
  last_ticks_ = ticks_();  // what the script did by itself is no part of its command's duration
  call(session, *command, argv, first);
  session.executing = false;
  HEARTH_DCHECK(!session.waiting);
  return session.out;
}

std::string Engine::script_refusal(const Command* command, std::span<const std::string_view> argv,
                                   const KeyRef& first_key) {
  ScriptRun& run = *script_;
  if (command == nullptr || command->spec->handler == nullptr)
    return "ERR Unknown command called from script";
  if (!command->spec->arity.accepts(argv.size()))
    return "ERR Wrong number of args calling command from script";
  // What runs or replaces scripts would do so under the one that runs.
  if (has(command->flags, Flag::kNoScript) &&
      (!debug_.allow_denied_in_scripts || command->spec->group == Group::kScripting ||
       command->spec->group == Group::kTransactions)) {
    return "ERR This Redis command is not allowed from script";
  }
  if (!run.session.account->unrestricted()) {
    const auto denial = find_denial(*run.session.account, *command, argv, run.session.db);
    if (denial) {
      return "ERR ACL failure in script: " +
             access_->note(*run.caller, *denial, *command, argv, acl::Context::kScript);
    }
  }
  if (run.read_only && (command->writes() || has(command->flags, Flag::kMayReplicate)))
    return "ERR Write commands are not allowed from read-only scripts.";
  if (following_ && !run.caller->replaying) {
    if (command->writes() && settings().replica_read_only) return std::string(kReadOnlyReplica);
    if (!has(command->flags, Flag::kStale) && is_stale())
      return "ERR Can not execute the command on a stale replica";
  }
  // A script that has written already can't be stopped in the middle: not by what refuses other
  // clients' writes, nor by a lack of memory.
  if (guarded_ && !run.wrote && command->writes()) {
    if (const std::string_view why = write_refusal(); !why.empty()) return std::string(why);
  }
  if (run.no_memory && !run.allow_oom && !run.wrote && has(command->flags, Flag::kDenyOom))
    return std::string(kOom);
  if (hot_.cluster && view_ != nullptr) {
    const bool plain = !run.one_slot && command->first_key > 0 &&
                       command->last_key == command->first_key &&
                       !has(command->flags, Flag::kMovableKeys) && view_->serves(first_key.slot);
    if (!plain) {
      if (std::string why = script_slot_refusal(*command, argv); !why.empty()) return why;
    }
  }
  run.wrote = run.wrote || command->writes();
  return {};
}

std::string Engine::script_slot_refusal(const Command& command,
                                        std::span<const std::string_view> argv) {
  using cluster::RedirectKind;
  ScriptRun& run = *script_;
  if (!extract_keys(command, argv, positions_) || positions_.empty()) return {};
  cluster::RedirectQuery query;
  std::vector<Slot> slots;
  for (const KeyPosition& p : positions_) {
    const KeyRef ref = Keys(env_, run.session.db).make_ref(argv[p.index]);
    slots.push_back(ref.slot);
    if (!view_->in_motion(ref.slot)) continue;
    const Found at = keyspace_.db(0).find(ref);
    ++(at && !at->expired(env_.now) ? query.keys_present : query.keys_missing);
  }
  query.slots = slots;
  query.command_writes = command.writes();
  query.shard_pubsub = has(command.flags, Flag::kPubsub);
  query.session_asking = run.caller->asking;
  query.session_readonly = run.caller->readonly;
  switch (cluster::redirect(*view_, query).kind) {
    case RedirectKind::kServe: break;
    case RedirectKind::kDownReadsOnly:
      return "ERR Script attempted to execute a write command while the cluster is down and "
             "readonly";
    case RedirectKind::kDown:
      return "ERR Script attempted to execute a command while the cluster is down";
    case RedirectKind::kCrossSlot:
      return "ERR Command '" + command.full_name +
             "' in script attempted to access keys that don't hash to the same slot";
    case RedirectKind::kTryAgain:
      return "ERR Unable to execute command '" + command.full_name +
             "' in script because undeclared keys were accessed during rehashing of the slot";
    case RedirectKind::kSlotUnserved: return "ERR Script attempted to access a slot not served";
    case RedirectKind::kMoved:
    case RedirectKind::kAsk:
      return "ERR Script attempted to access a non local key in a cluster node";
  }
  if (!run.one_slot) return {};
  if (!run.slot) run.slot = slots.front();
  return *run.slot == slots.front()
             ? std::string()
             : "ERR Script attempted to access keys that do not hash to the same slot";
}

std::optional<bool> Engine::script_may_call(std::span<const std::string_view> argv) {
  const Command* command = commands_->resolve(argv);
  if (command == nullptr || command->spec->handler == nullptr) return std::nullopt;
  const Session& session = script_->session;
  return !find_denial(*session.account, *command, argv, session.db);
}

bool Engine::must_stop_script() {
  if (script_ == nullptr || !script_->active) return false;
  ScriptRun& run = *script_;
  if (run.killed) return true;
  if (!script_busy_) {
    const milliseconds threshold = settings().busy_reply_threshold;
    const std::uint64_t elapsed_ms = (ticks_() - run.started_ticks) / kNsPerMs;
    if (threshold.count() <= 0 || elapsed_ms < static_cast<std::uint64_t>(threshold.count()))
      return false;
    log::warning(
        "Slow script detected: still in execution after {} milliseconds. You can try killing the "
        "script using the {} command. Script name is: {}.",
        elapsed_ms, run.start.kind == ScriptKind::kEval ? "SCRIPT KILL" : "FUNCTION KILL",
        run.start.name);
    script_busy_ = true;
  }
  host_->poll_while_busy(*run.caller);
  return run.killed;
}

bool Engine::exchange_blocking(std::string_view out, std::string& in) {
  return host_->exchange_blocking(*script_->caller, out, in);
}

Outcome Engine::kill_script(ScriptKind kind) {
  if (script_ == nullptr || !script_->active)
    return refuse("NOTBUSY No scripts in execution right now.");
  if (script_->wrote) {
    return refuse(
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
        "either wait the script termination or kill the server in a hard way using the SHUTDOWN "
        "NOSAVE command.");
  }
  if (script_->start.kind != kind) return refuse(std::string(busy_script_text()));
  script_->killed = true;
  return {};
}

void Engine::abandon_script() {
  if (script_ != nullptr && script_->active) script_->killed = true;
}

std::optional<ScriptHost::Running> Engine::running_script() const {
  if (script_ == nullptr || !script_->active) return std::nullopt;
  const std::uint64_t ms = (ticks_() - script_->started_ticks) / kNsPerMs;
  return Running{script_->start.kind, script_->start.name, script_->start.argv,
                 milliseconds(static_cast<std::int64_t>(ms))};
}

std::string_view Engine::busy_script_text() const {
  if (!script_busy_) return {};
  return script_->start.kind == ScriptKind::kEval ? kBusyEval : kBusyFunction;
}

}  // namespace hearth
