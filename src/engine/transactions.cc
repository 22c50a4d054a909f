#include "src/engine/transactions.h"

#include <iterator>
#include <utility>

#include "src/command/rights.h"
#include "src/proto/reply_writer.h"

namespace hearth {

void Transactions::queue(Session& session, const Command& command,
                         std::span<const std::string_view> argv) {
  QueuedCommand& queued = session.queue.emplace_back();
  queued.command = &command;
  queued.argv.assign(argv.begin(), argv.end());
  session.queue_bytes += sizeof(QueuedCommand);
  for (const auto word : argv) session.queue_bytes += sizeof(std::string) + word.size();
  ReplyWriter(session.out, session.resp).simple("QUEUED");
}

void Transactions::exec(CommandContext& ctx) {
  Session& session = ctx.session();
  const bool broken = session.watch_broken || has_expired_watch(session);
  std::vector<QueuedCommand> queue;
  queue.swap(session.queue);
  discard(session);
  if (broken) return ctx.reply().null_array();
  ctx.reply().array(queue.size());
  run(session, std::move(queue));
}

void Transactions::run(Session& session, std::vector<QueuedCommand> queue) {
  session.deny_blocking = true;
  const Command* const exec = session.last_command;  // what the client asked for last stays this
  std::vector<std::string_view> argv;
  for (auto q = queue.begin(); q != queue.end(); ++q) {
    argv.assign(q->argv.begin(), q->argv.end());
    session.last_command = exec;
    if (!session.account->unrestricted() && !still_allowed(session, *q->command, argv)) continue;
    parts_.executor.call(session, *q->command, argv, first_key_of(parts_.core, *q->command, argv));
    if (!session.is_waiting()) continue;
    session.rest.assign(std::make_move_iterator(std::next(q)),
                        std::make_move_iterator(queue.end()));
    if (!session.rest.empty()) parts_.holds.hold_all_but(session);
    break;
  }
  session.deny_blocking = false;
  session.last_command = exec;
}

void Transactions::go_on(Session& session) {
  const std::size_t out_before = session.out.size();
  parts_.executor.run_unit(session, [&] { run(session, std::exchange(session.rest, {})); });
  if (session.is_waiting()) {
    if (session.reply_mode != ReplyMode::kOn) session.out.truncate(out_before);
    if (!session.rest.empty()) return;
  } else {
    parts_.executor.after_reply(session, out_before);
  }
  parts_.holds.end_hold_of(session);
}

// A client that leaves while its EXEC waits: the rest is run all the same.
void Transactions::forget(Session& session) {
  while (!session.rest.empty()) go_on(session);
  unwatch(session);
}

// Rights may have been taken away since the command was queued.
bool Transactions::still_allowed(Session& session, const Command& command,
                                 std::span<const std::string_view> argv) {
  const auto denial = find_denial(*session.account, command, argv, session.db);
  if (!denial) return true;
  parts_.accounts.note(session, *denial, command, argv, acl::Context::kMulti);
  std::string_view why = "no permission to execute the command or subcommand";
  if (denial->reason == acl::Reason::kKey) why = "no permission to touch the specified keys";
  if (denial->reason == acl::Reason::kDatabase) why = "no permission to access the database";
  if (denial->reason == acl::Reason::kChannel)
    why = "no permission to access one of the channels used as arguments";
  parts_.executor.reply_error(
      session, &command,
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and "
      "the EXEC call. This command is no longer allowed for the following reason: " +
          std::string(why),
      true);
  return false;
}

void Transactions::discard(Session& session) {
  session.in_multi = session.multi_aborted = false;
  session.queue.clear();
  session.queue_bytes = 0;
  unwatch(session);
}

void Transactions::watch(Session& session, DbIndex db, std::string_view key) {
  auto at = watched_.find(DbNameView(db, key));
  if (at == watched_.end()) at = watched_.try_emplace(DbName{db, std::string(key)}).first;
  const auto [mine, fresh] = at->second.try_emplace(&session);
  if (!fresh) return;
  EngineCore& core = parts_.core;
  const Found found = core.keyspace.db(db).find(Keys(core.env, db).make_ref(key));
  mine->second.stale = found && found->expired(core.env.now);
  session.watched.push_back(&*at);
  parts_.executor.refresh_wants();
}

// A watched key that has passed its deadline since is changed, even if nobody has removed it yet.
bool Transactions::has_expired_watch(Session& session) const {
  EngineCore& core = parts_.core;
  for (const WatchedKey* w : session.watched) {
    if (w->second.at(&session).stale) continue;
    const auto& [db, name] = w->first;
    const Found at = core.keyspace.db(db).find(Keys(core.env, db).make_ref(name));
    if (at && at->expired(core.env.now)) return true;
  }
  return false;
}

void Transactions::unwatch(Session& session) {
  for (WatchedKey* w : session.watched) {
    w->second.erase(&session);
    if (w->second.empty()) watched_.erase(watched_.find(w->first));
  }
  const bool had = !session.watched.empty();
  session.watched.clear();
  session.watch_broken = false;
  if (had) parts_.executor.refresh_wants();
}

void Transactions::on_commit(const CommittedUnit& unit) {
  if (watched_.empty()) return;
  for (const KeyEvent& e : unit.events) {
    if (!e.is_change()) continue;
    const auto at = watched_.find(DbNameView(e.db, e.key));
    if (at == watched_.end()) continue;
    for (auto& [session, watcher] : at->second) {
      // The key had expired before it was watched: that it goes now is no news, its next change is.
      const bool no_news = e.kind == Notify::kExpired && std::exchange(watcher.stale, false);
      if (!no_news) session->watch_broken = true;
    }
  }
}

void Transactions::touch_all(DbIndex db, std::optional<DbIndex> becomes) {
  EngineCore& core = parts_.core;
  for (auto& [key, watchers] : watched_) {
    if (key.db != db) continue;
    const KeyRef ref = Keys(core.env, db).make_ref(key.name);
    const bool is_here = static_cast<bool>(core.keyspace.db(db).find(ref));
    const Found next = becomes ? core.keyspace.db(*becomes).find(ref) : Found();
    const bool next_is_stale = next && next->expired(core.env.now);
    for (auto& [session, watcher] : watchers) {
      if ((is_here && !watcher.stale) || (next && !next_is_stale)) session->watch_broken = true;
      watcher.stale = next_is_stale;
    }
  }
  parts_.executor.note_database_change(db, becomes);
}

}  // namespace hearth
