#include "src/engine/script_runs.h"

#include "cluster/model/redirect.h"
#include "cluster/model/slot.h"
#include "src/base/check.h"
#include "src/base/log.h"
#include "src/command/replica_control.h"
#include "src/command/rights.h"
#include "src/command/script_flags.h"
#include "src/proto/reply_writer.h"

namespace hearth {

namespace {

constexpr std::size_t kReplyBytesKept = 16 * 1024;
constexpr std::string_view kReplyTooLarge =
    "ERR The reply of a command called from script is too large";
constexpr std::string_view kBusyEval =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view kBusyFunction =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

bool says(ScriptFlags flags, ScriptFlags one) { return (flags & one) != 0; }

}  // namespace

Outcome ScriptRuns::begin_script(const ScriptStart& start, Session& caller) {
  EngineCore& core = parts_.core;
  if (run_ == nullptr) {
    run_ = std::make_unique<Run>();
    run_->session.address = "lua";
    run_->session.in_script = true;
    run_->session.authenticated = true;
    run_->session.deny_blocking = true;
    run_->session.out.set_most(core.output_most);
  }
  Run& run = *run_;
  HEARTH_CHECK(!run.active);
  const bool marked = !says(start.flags, script_flag::kUnmarked);
  const bool writes = !says(start.flags, script_flag::kNoWrites);
  if (!marked && core.is_stale() && !caller.replaying) return refuse(std::string(kStaleReplica));
  const bool no_memory = parts_.eviction.is_over_limit() && !parts_.eviction.make_room();
  if (marked) {
    if (says(start.flags, script_flag::kNoCluster) && core.hot.cluster)
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
  run.started_ticks = core.last_ticks;
  run.active = true;
  run.wrote = run.killed = false;
  run.no_memory = no_memory;
  run.read_only = start.read_only || (marked && !writes);
  run.allow_oom = marked && says(start.flags, script_flag::kAllowOom);
  run.one_slot = core.hot.cluster && marked && !says(start.flags, script_flag::kAllowCrossSlot);
  run.slot.reset();
  // The keys that the script was called with are of its slot too.
  if (run.one_slot && caller.last_command != nullptr &&
      extract_keys(*caller.last_command, start.argv, positions_) && !positions_.empty()) {
    run.slot = cluster::slot_of(start.argv[positions_.front().index]);
  }
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

void ScriptRuns::end_script() {
  Run& run = *run_;
  run.active = false;
  EngineCore& core = parts_.core;
  core.effects.set_targets(Effect::kToAll);
  if (run.session.in_subscribe_mode()) core.pubsub.unsubscribe_all(run.session.subscriptions);
  if (!core.script_busy) return;
  core.script_busy = false;
  parts_.on_busy_end();
  core.host.script_ended(*run.caller);
}

OutBuffer& ScriptRuns::call(std::span<const std::string_view> argv) {
  EngineCore& core = parts_.core;
  Session& session = run_->session;
  // Small replies share one piece of memory.
  if (session.out.capacity_bytes() <= kReplyBytesKept)
    session.out.truncate(0);
  else
    session.out.clear();
  const Command* command = session.last_command;
  // Scripts repeat their commands in loops.
  if (command == nullptr || command->parent != nullptr || command->renamed ||
      command->is_container() || !equals_ignore_case(argv[0], command->full_name)) {
    command = core.commands.resolve(argv);
  }
  KeyRef first{};
  if (command != nullptr) first = first_key_of(core, *command, argv);
  if (const std::string refusal = refusal_of(command, argv, first); !refusal.empty()) {
    parts_.executor.reply_error(session, command, refusal, true);
    return session.out;
  }
  session.become(RunState::kRunning);
  core.last_ticks =
      core.ticks();  // what the script did itself is no part of its command's duration
  parts_.executor.call(session, *command, argv, first);
  session.become(RunState::kIdle);
  if (session.out.overflowed()) {
    session.out.clear();
    parts_.executor.reply_error(session, command, std::string(kReplyTooLarge), true);
  }
  return session.out;
}

std::string ScriptRuns::refusal_of(const Command* command, std::span<const std::string_view> argv,
                                   const KeyRef& first_key) {
  EngineCore& core = parts_.core;
  Run& run = *run_;
  if (command == nullptr || command->spec->handler == nullptr)
    return "ERR Unknown command called from script";
  if (!command->spec->arity.accepts(argv.size()))
    return "ERR Wrong number of args calling command from script";
  // A command that runs or replaces scripts would do so under the one that runs.
  if (has(command->flags, Flag::kNoScript) &&
      (!core.debug.allow_denied_in_scripts || command->spec->group == Group::kScripting ||
       command->spec->group == Group::kTransactions)) {
    return "ERR This Redis command is not allowed from script";
  }
  if (!run.session.account->unrestricted()) {
    const auto denial = find_denial(*run.session.account, *command, argv, run.session.db);
    if (denial) {
      return "ERR ACL failure in script: " +
             parts_.accounts.note(*run.caller, *denial, *command, argv, acl::Context::kScript);
    }
  }
  if (run.read_only && (command->writes() || has(command->flags, Flag::kMayReplicate)))
    return "ERR Write commands are not allowed from read-only scripts.";
  if (core.following && !run.caller->replaying) {
    if (command->writes() && core.settings().replica_read_only)
      return std::string(kReadOnlyReplica);
    if (!has(command->flags, Flag::kStale) && core.is_stale())
      return "ERR Can not execute the command on a stale replica";
  }
  // A script that has written already can't be stopped in the middle: not by what refuses other
  // clients' writes, nor by a lack of memory.
  if (core.guarded && !run.wrote && command->writes()) {
    if (const std::string_view why = parts_.write_refusal(); !why.empty()) return std::string(why);
  }
  if (run.no_memory && !run.allow_oom && !run.wrote && has(command->flags, Flag::kDenyOom))
    return std::string(kOutOfMemory);
  if (core.hot.cluster && core.view != nullptr) {
    const bool plain =
        !run.one_slot && command->first_key > 0 && command->last_key == command->first_key &&
        !has(command->flags, Flag::kMovableKeys) && core.view->serves(first_key.slot);
    if (!plain) {
      if (std::string why = slot_refusal_of(*command, argv); !why.empty()) return why;
    }
  }
  run.wrote = run.wrote || command->writes();
  return {};
}

std::string ScriptRuns::slot_refusal_of(const Command& command,
                                        std::span<const std::string_view> argv) {
  EngineCore& core = parts_.core;
  using cluster::RedirectKind;
  Run& run = *run_;
  if (!extract_keys(command, argv, positions_) || positions_.empty()) return {};
  cluster::RedirectQuery query;
  std::vector<Slot> slots;
  std::string_view first_name;
  for (const KeyPosition& p : positions_) {
    const KeyRef ref = Keys(core.env, run.session.db).make_ref(argv[p.index]);
    slots.push_back(ref.slot);
    query.one_key = slots.size() == 1 || (query.one_key && ref.name == first_name);
    if (slots.size() == 1) first_name = ref.name;
    if (!core.view->in_motion(ref.slot)) continue;
    if (reaches_other_database(command, argv)) {
      query.one_key = false;
      ++query.keys_present;
      ++query.keys_missing;
      slots.push_back(ref.slot);
      continue;
    }
    const Found at = core.keyspace.db(run.session.db).find(ref);
    ++(at && !at->expired(core.env.now) ? query.keys_present : query.keys_missing);
  }
  query.slots = slots;
  query.command_writes = command.writes();
  query.shard_pubsub = has(command.flags, Flag::kPubsub);
  query.session_asking = run.caller->asking;
  query.session_readonly = run.caller->readonly;
  switch (cluster::redirect(*core.view, query).kind) {
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

std::optional<bool> ScriptRuns::script_may_call(std::span<const std::string_view> argv) {
  const Command* command = parts_.core.commands.resolve(argv);
  if (command == nullptr || command->spec->handler == nullptr) return std::nullopt;
  const Session& session = run_->session;
  return !find_denial(*session.account, *command, argv, session.db);
}

bool ScriptRuns::must_stop_script() {
  if (run_ == nullptr || !run_->active) return false;
  EngineCore& core = parts_.core;
  Run& run = *run_;
  if (run.killed) return true;
  if (!core.script_busy) {
    const milliseconds threshold = core.settings().busy_reply_threshold;
    const std::uint64_t elapsed_ms = (core.ticks() - run.started_ticks) / kNsPerMs;
    if (threshold.count() <= 0 || elapsed_ms < static_cast<std::uint64_t>(threshold.count()))
      return false;
    log::warning(
        "Slow script detected: still in execution after {} milliseconds. You can try killing the "
        "script using the {} command. Script name is: {}.",
        elapsed_ms, run.start.kind == ScriptKind::kEval ? "SCRIPT KILL" : "FUNCTION KILL",
        run.start.name);
    core.script_busy = true;
  }
  core.host.poll_while_busy(*run.caller);
  return run.killed;
}

bool ScriptRuns::exchange_blocking(std::string_view out, std::string& in) {
  return parts_.core.host.exchange_blocking(*run_->caller, out, in);
}

Outcome ScriptRuns::kill_script(ScriptKind kind) {
  if (run_ == nullptr || !run_->active) return refuse("NOTBUSY No scripts in execution right now.");
  if (run_->wrote) {
    return refuse(
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
        "either wait the script termination or kill the server in a hard way using the SHUTDOWN "
        "NOSAVE command.");
  }
  if (run_->start.kind != kind) return refuse(std::string(busy_script_text()));
  run_->killed = true;
  return {};
}

void ScriptRuns::abandon_script() {
  if (run_ != nullptr && run_->active) run_->killed = true;
}

std::optional<ScriptHost::Running> ScriptRuns::running_script() const {
  if (run_ == nullptr || !run_->active) return std::nullopt;
  const std::uint64_t ms = (parts_.core.ticks() - run_->started_ticks) / kNsPerMs;
  return Running{run_->start.kind, run_->start.name, run_->start.argv,
                 milliseconds(static_cast<std::int64_t>(ms))};
}

std::string_view ScriptRuns::busy_script_text() const {
  if (!parts_.core.script_busy) return {};
  return run_->start.kind == ScriptKind::kEval ? kBusyEval : kBusyFunction;
}

}  // namespace hearth
