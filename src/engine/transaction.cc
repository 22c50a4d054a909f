// MULTI, EXEC and WATCH: a queue per session, executed as one unit.
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
  auto& watchers = watched_[{db, std::string(key)}];
  for (const Session* s : watchers) {
    if (s == &session) return;
  }
  watchers.push_back(&session);
  const Found at = keyspace_.db(db).find(Keys(env_, db).make_ref(key));
  session.watched.push_back({db, std::string(key), at && at->expired(env_.now)});
  refresh_wants();
}

// A watched key that has passed its deadline since is changed, even if nobody has removed it yet.
bool Engine::watch_expired(const Session& session) const {
  for (const WatchedKey& w : session.watched) {
    if (w.expired) continue;
    const Database& db = keyspace_.db(w.db);
    const std::uint64_t hash = hash_bytes(w.key, keyspace_.seed());
    const Found at = db.find({w.key, hash, env_.per_slot ? cluster::slot_of(w.key) : Slot{0}});
    if (at && at->expired(env_.now)) return true;
  }
  return false;
}

void Engine::unwatch(Session& session) {
  for (const WatchedKey& w : session.watched) {
    const auto at = watched_.find({w.db, w.key});
    if (at == watched_.end()) continue;
    std::erase(at->second, &session);
    if (at->second.empty()) watched_.erase(at);
  }
  const bool had = !session.watched.empty();
  session.watched.clear();
  session.watch_broken = false;
  if (had) refresh_wants();
}

void Engine::touch_all(DbIndex db, std::optional<DbIndex> becomes) {
  blocked_.note_all(db);
  if (!becomes) tracker_->note_flush();
  for (auto& [key, watchers] : watched_) {
    if (key.first != db) continue;
    const KeyRef ref = Keys(env_, db).make_ref(key.second);
    const bool is_here = static_cast<bool>(keyspace_.db(db).find(ref));
    const Found next = becomes ? keyspace_.db(*becomes).find(ref) : Found();
    const bool next_is_stale = next && next->expired(env_.now);
    for (Session* s : watchers) {
      for (WatchedKey& w : s->watched) {
        if (w.db != db || w.key != key.second) continue;
        if ((is_here && !w.expired) || (next && !next_is_stale)) s->watch_broken = true;
        w.expired = next_is_stale;
      }
    }
  }
}

}  // namespace hearth
