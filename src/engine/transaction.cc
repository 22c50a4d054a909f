// MULTI, EXEC and WATCH: a queue per session, executed as one unit.
#include <utility>

#include "cluster/model/slot.h"
#include "src/base/hash.h"
#include "src/engine/engine.h"
#include "src/proto/reply_writer.h"

namespace hearth {

void Engine::queue_command(Session& session, const Command& command,
                           std::span<const std::string_view> argv) {
  QueuedCommand& queued = session.queue.emplace_back();
  queued.command = &command;
  queued.argv.assign(argv.begin(), argv.end());
  session.queue_bytes += sizeof(QueuedCommand);
  for (const auto word : argv) session.queue_bytes += sizeof(std::string) + word.size();
  ReplyWriter(session.out, session.resp).simple("QUEUED");
}

void Engine::exec(CommandContext& ctx) {
  Session& session = ctx.session();
  const bool broken = session.watch_broken || watch_expired(session);
  std::vector<QueuedCommand> queue;
  queue.swap(session.queue);
  discard(session);
  if (broken) return ctx.reply().null_array();
  ctx.reply().array(queue.size());
  session.deny_blocking = true;
  const Command* const exec = session.last_command;  // what the client asked for last stays this
  for (const QueuedCommand& q : queue) {
    const std::vector<std::string_view> argv(q.argv.begin(), q.argv.end());
    session.last_command = exec;
    if (!session.account->unrestricted() && !still_allowed(session, *q.command, argv)) continue;
    KeyRef first{};
    if (q.command->first_key > 0 && static_cast<std::size_t>(q.command->first_key) < argv.size()) {
      first = ctx.keys().make_ref(argv[static_cast<std::size_t>(q.command->first_key)]);
    }
    call(session, *q.command, argv, first);
  }
  session.deny_blocking = false;
  session.last_command = exec;
}

// Rights may have been taken away since the command was queued.
bool Engine::still_allowed(Session& session, const Command& command,
                           std::span<const std::string_view> argv) {
  const auto denial = find_denial(*session.account, command, argv, session.db);
  if (!denial) return true;
  access_->note(session, *denial, command, argv, acl::Context::kMulti);
  std::string_view why = "no permission to execute the command or subcommand";
  if (denial->reason == acl::Reason::kKey) why = "no permission to touch the specified keys";
  if (denial->reason == acl::Reason::kDatabase) why = "no permission to access the database";
  if (denial->reason == acl::Reason::kChannel)
    why = "no permission to access one of the channels used as arguments";
  reply_error(session, &command,
              "NOPERM ACLs rules changed between the moment the transaction was accumulated and "
              "the EXEC call. This command is no longer allowed for the following reason: " +
                  std::string(why),
              true);
  return false;
}

void Engine::discard(Session& session) {
  session.in_multi = session.multi_aborted = false;
  session.queue.clear();
  session.queue_bytes = 0;
  unwatch(session);
}

void Engine::watch(Session& session, DbIndex db, std::string_view key) {
  auto at = watched_.find(DbNameView(db, key));
  if (at == watched_.end()) at = watched_.try_emplace(DbName{db, std::string(key)}).first;
  const auto [mine, fresh] = at->second.try_emplace(&session);
  if (!fresh) return;
  const Found found = keyspace_.db(db).find(Keys(env_, db).make_ref(key));
  mine->second.stale = found && found->expired(env_.now);
  session.watched.push_back(&*at);
  refresh_wants();
}

// A watched key that has passed its deadline since is changed, even if nobody has removed it yet.
bool Engine::watch_expired(Session& session) const {
  for (const WatchedKey* w : session.watched) {
    if (w->second.at(&session).stale) continue;
    const auto& [db, name] = w->first;
    const std::uint64_t hash = hash_bytes(name, keyspace_.seed());
    const Found at =
        keyspace_.db(db).find({name, hash, env_.per_slot ? cluster::slot_of(name) : Slot{0}});
    if (at && at->expired(env_.now)) return true;
  }
  return false;
}

void Engine::unwatch(Session& session) {
  for (WatchedKey* w : session.watched) {
    w->second.erase(&session);
    if (w->second.empty()) watched_.erase(watched_.find(w->first));
  }
  const bool had = !session.watched.empty();
  session.watched.clear();
  session.watch_broken = false;
  if (had) refresh_wants();
}

void Engine::break_watches(const KeyEvent& e) {
  if (!e.is_change()) return;
  const auto at = watched_.find(DbNameView(e.db, e.key));
  if (at == watched_.end()) return;
  for (auto& [session, watcher] : at->second) {
    // The key had expired before it was watched: that it goes now is no news, its next change is.
    const bool no_news = e.kind == Notify::kExpired && std::exchange(watcher.stale, false);
    if (!no_news) session->watch_broken = true;
  }
}

void Engine::touch_all(DbIndex db, std::optional<DbIndex> becomes) {
  blocked_.note_all(db);
  if (!becomes) tracker_->note_flush();
  for (auto& [key, watchers] : watched_) {
    if (key.db != db) continue;
    const KeyRef ref = Keys(env_, db).make_ref(key.name);
    const bool is_here = static_cast<bool>(keyspace_.db(db).find(ref));
    const Found next = becomes ? keyspace_.db(*becomes).find(ref) : Found();
    const bool next_is_stale = next && next->expired(env_.now);
    for (auto& [session, watcher] : watchers) {
      if ((is_here && !watcher.stale) || (next && !next_is_stale)) session->watch_broken = true;
      watcher.stale = next_is_stale;
    }
  }
}

}  // namespace hearth
