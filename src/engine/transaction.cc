// MULTI, EXEC and WATCH: a queue per session, executed as one unit.
#include "src/engine/engine.h"
#include "src/proto/reply_writer.h"

namespace hearth {

void Engine::queue_command(Session& session, const Command& command, std::span<const std::string_view> argv) {
  QueuedCommand& queued = session.queue.emplace_back();
  queued.command = &command;
  queued.argv.assign(argv.begin(), argv.end());
  session.queue_bytes += sizeof(QueuedCommand);
  for (const auto word : argv) session.queue_bytes += sizeof(std::string) + word.size();
  ReplyWriter(session.out, session.resp).simple("QUEUED");
}

void Engine::exec(CommandContext& ctx) {
  Session& session = ctx.session();
  const bool broken = session.watch_broken;
  std::vector<QueuedCommand> queue;
  queue.swap(session.queue);
  discard(session);
  if (broken) return ctx.reply().null_array();
  ctx.reply().array(queue.size());
  for (const QueuedCommand& q : queue) {
    const std::vector<std::string_view> argv(q.argv.begin(), q.argv.end());
    KeyRef first{};
    if (q.command->first_key > 0 && static_cast<std::size_t>(q.command->first_key) < argv.size()) {
      first = ctx.keys().make_ref(argv[static_cast<std::size_t>(q.command->first_key)]);
    }
    call(session, *q.command, argv, first);
  }
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
  session.watched.push_back({db, std::string(key)});
  refresh_wants();
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

void Engine::touch_all(DbIndex db) {
  for (auto& [key, watchers] : watched_) {
    if (key.first != db) continue;
    for (Session* s : watchers) s->watch_broken = true;
  }
}

}  // namespace hearth
