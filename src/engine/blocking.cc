// Commands that wait.
//
// A handler that finds nothing asks to wait for keys; the engine keeps a copy of the request and
// parks the session. Which keys changed is read off the effect log: when a unit has been committed,
// each changed key that somebody waits for is looked at, in the order of the changes, and the
// commands of those who wait for it are run again, first come first served, each as a unit of its
// own. One that is served is answered and may go on; one that is not keeps its place. A command
// that is served may change keys in its turn (BLMOVE): the list is worked off until it is empty,
// which it is after at most as many rounds as clients waited, since only a served client changes
// anything.
#include <algorithm>

#include "cluster/model/slot.h"
#include "src/command/context.h"
#include "src/engine/engine.h"
#include "src/proto/reply_writer.h"

namespace hearth {
namespace {

// Sorted: in which queues a client stands has no order.
std::vector<std::string> distinct(std::span<const std::string_view> names) {
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return {sorted.begin(), sorted.end()};
}

}  // namespace

void Engine::block(CommandContext& ctx, BlockedClient client) {
  Session& session = ctx.session();
  session.blocked = true;
  if (blocked_.find(session.id) != nullptr) {
    // Run again and still not served: everything stays as it is, unless its time had come. Then the
    // command asks for more time, with new words and a new deadline.
    if (!session.timed_out) return;
    blocked_.remove(session.id);
  }
  client.command = &ctx.command();
  client.db = session.db;
  if (client.argv.empty()) {
    const auto words = ctx.args().words();
    client.argv.assign(words.begin(), words.end());
  }
  blocked_.add(session.id, std::move(client));
  wait(session);
  refresh_wants();
}

void Engine::wait_for_keys(CommandContext& ctx, KeyWait key_wait) {
  BlockedClient client;
  client.argv = std::move(key_wait.again);
  client.keys = distinct(key_wait.keys);
  client.type = key_wait.type;
  client.wakes_without_type = key_wait.wakes_without_type;
  client.on_timeout = key_wait.on_timeout;
  client.deadline = key_wait.deadline;
  block(ctx, std::move(client));
}

void Engine::wait_for_progress(CommandContext& ctx, MonoTime deadline) {
  BlockedClient client;
  client.on_timeout = OnTimeout::kRunAgain;
  client.deadline = deadline;
  block(ctx, std::move(client));
}

void Engine::progressed() {
  for (const ConnId id : blocked_.ids_without_keys()) {
    Session* session = find(id);
    BlockedClient* client = blocked_.find(id);
    if (session != nullptr && client != nullptr) run_blocked(*session, *client);
  }
}

// Runs the command again. The session goes on if it was served.
void Engine::run_blocked(Session& session, BlockedClient& client) {
  if (session.close_now) return;  // its end is near: it takes nothing away from others
  const std::vector<std::string_view> argv(client.argv.begin(), client.argv.end());
  if (script_busy_ || must_pause(session, *client.command, argv, false) ||
      (!locked_.empty() && is_locked(session, *client.command, argv))) {
    return blocked_.put_off(client, session.id);
  }
  KeyRef first{};
  const int position = client.command->first_key;
  if (position > 0 && static_cast<std::size_t>(position) < argv.size())
    first = Keys(env_, session.db).make_ref(argv[static_cast<std::size_t>(position)]);
  const std::size_t out_before = session.out.size();
  session.blocked = false;
  // What refuses a new request (memory, a slot that moved away) refuses this one.
  if (gate(session, *client.command, argv, first) == Gate::kPass)
    run_command(session, *client.command, argv, first);
  if (!session.blocked) release(session, out_before);
}

// The session has its answer.
void Engine::release(Session& session, std::size_t out_before) {
  blocked_.remove(session.id);
  session.blocked = false;
  after_reply(session, out_before);
  refresh_wants();
  resume(session);
}

// What held them has ended, or some of it: who is still held is put off again.
void Engine::serve_woken() {
  for (const ConnId id : blocked_.take_woken()) {
    Session* session = find(id);
    BlockedClient* client = blocked_.find(id);
    if (session != nullptr && client != nullptr) run_blocked(*session, *client);
  }
}

// Wakes the next of those that wait for one key, as long as there is something for them.
void Engine::serve_key(const BlockedClients::Key& key) {
  const std::uint64_t last = blocked_.last_turn();
  std::uint64_t turn = 0;
  while (const auto waiter = blocked_.next_waiter(key, turn)) {
    if (waiter->turn > last) return;
    turn = waiter->turn;
    const Found at = keyspace_.db(key.db).find(Keys(env_, key.db).make_ref(key.name));
    const bool there = at && !at->expired(env_.now);
    if (!there && !blocked_.wakes_without_type(key)) return;
    Session* session = find(waiter->id);
    BlockedClient* client = blocked_.find(waiter->id);
    if (session == nullptr || client == nullptr) continue;
    if (client->wakes_without_type || (there && at->type() == client->type))
      run_blocked(*session, *client);
  }
}

void Engine::serve_ready() {
  if (serving_) return;
  serving_ = true;
  while (blocked_.has_ready()) {
    serve_woken();
    if (const auto key = blocked_.take_ready()) serve_key(*key);
  }
  serving_ = false;
}

// Ends the wait without running the command, with what its caller has written.
void Engine::count_unserved(Session& session, const BlockedClient& client) {
  CommandStats& c = stats_.commands[client.command->id];
  ++c.calls;
  c.ns += client.ns;
  ++stats_.commands_processed;
  ++session.commands;
  if (hot_.latency_tracking) stats_.add_latency(client.command->id, client.ns);
  if (client.ns >= hot_.slow_ns) {
    const std::vector<std::string_view> argv(client.argv.begin(), client.argv.end());
    log_slow(session, *client.command, argv, client.ns);
  }
}

void Engine::end_wait(Session& session, BlockedClient& client) {
  const std::size_t out_before = session.out.size();
  if (client.on_timeout == OnTimeout::kRunAgain) {
    const std::vector<std::string> words = std::move(client.argv);
    const std::vector<std::string_view> argv(words.begin(), words.end());
    session.blocked = false;
    session.timed_out = true;
    run_command(session, *client.command, argv, {});
    session.timed_out = false;
    if (session.blocked) return;
    return release(session, out_before);
  }
  ReplyWriter reply(session.out, session.resp);
  if (client.on_timeout == OnTimeout::kNull)
    reply.null();
  else
    reply.null_array();
  count_unserved(session, client);
  release(session, out_before);
}

void Engine::refuse_wait(Session& session, const BlockedClient& client, std::string_view error) {
  const std::size_t out_before = session.out.size();
  reply_error(session, client.command, error, false);
  count_unserved(session, client);
  release(session, out_before);
}

void Engine::run_due() {
  if (script_busy_) return;  // the deadlines are still past when the script has ended
  for (const ConnId id : blocked_.due(mono_)) {
    Session* session = find(id);
    BlockedClient* client = blocked_.find(id);
    if (session != nullptr && client != nullptr && !session->close_now) end_wait(*session, *client);
  }
}

bool Engine::unblock(ConnId id, Unblock how) {
  Session* session = find(id);
  BlockedClient* client = blocked_.find(id);
  if (session == nullptr || client == nullptr) return false;
  if (how == Unblock::kTimeout) {
    end_wait(*session, *client);
    client = blocked_.find(id);
    if (client == nullptr) return true;
    // It asked for more time, which it does not get.
    client->on_timeout = OnTimeout::kNullArray;
    end_wait(*session, *client);
  } else {
    refuse_wait(*session, *client, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
  }
  return true;
}

void Engine::unblock_all(std::string_view error) {
  for (const ConnId id : blocked_.ids()) {
    Session* session = find(id);
    const BlockedClient* client = blocked_.find(id);
    if (session != nullptr && client != nullptr) refuse_wait(*session, *client, error);
  }
}

// A slot that is no longer served here takes those along who wait for keys of it.
void Engine::set_cluster_view(std::shared_ptr<const cluster::View> view) {
  view_ = std::move(view);
  if (view_ == nullptr || !blocked_.waits_for_keys()) return;
  for (const ConnId id : blocked_.ids()) {
    Session* session = find(id);
    const BlockedClient* client = blocked_.find(id);
    if (session == nullptr || client == nullptr || client->keys.empty()) continue;
    slots_.clear();
    for (const std::string& key : client->keys) slots_.push_back(cluster::slot_of(key));
    cluster::RedirectQuery query;
    query.slots = slots_;
    query.command_writes = client->command->writes();
    query.session_asking = true;  // it was let in: a slot that is being imported will do
    query.session_readonly = session->readonly;
    query.session_ipv6 = session->ipv6;
    const cluster::Redirect decision = cluster::redirect(*view_, query);
    if (!decision.serves())
      refuse_wait(*session, *client, cluster::redirect_text(*view_, query, decision));
  }
}

}  // namespace hearth
