#include "src/engine/blocking.h"

#include <algorithm>

#include "cluster/model/redirect.h"
#include "cluster/model/slot.h"
#include "src/command/context.h"
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

void Blocking::block(CommandContext& ctx, BlockedClient client) {
  Session& session = ctx.session();
  session.become(RunState::kBlocked);
  if (clients_.find(session.id) != nullptr) {
    // Run again and still not served: everything stays as it is, unless its time had come. Then the
    // command asks for more time, with new words and a new deadline.
    if (session.attempt != Attempt::kLast) return;
    clients_.remove(session.id);
  }
  client.command = &ctx.command();
  client.db = session.db;
  if (client.argv.empty()) {
    const auto words = ctx.args().words();
    client.argv.assign(words.begin(), words.end());
  }
  clients_.add(session.id, std::move(client));
  parts_.executor.refresh_wants();
}

void Blocking::wait_for_keys(CommandContext& ctx, KeyWait key_wait) {
  BlockedClient client;
  client.argv = std::move(key_wait.again);
  client.keys = distinct(key_wait.keys);
  client.type = key_wait.type;
  client.wakes_without_type = key_wait.wakes_without_type;
  client.on_timeout = key_wait.on_timeout;
  client.deadline = key_wait.deadline;
  block(ctx, std::move(client));
}

void Blocking::wait_for_progress(CommandContext& ctx, MonoTime deadline) {
  BlockedClient client;
  client.on_timeout = OnTimeout::kRunAgain;
  client.deadline = deadline;
  block(ctx, std::move(client));
}

void Blocking::progressed() {
  for (const ConnId id : clients_.ids_without_keys()) {
    Session* session = parts_.sessions.find(id);
    BlockedClient* client = clients_.find(id);
    if (session != nullptr && client != nullptr) run_again(*session, *client);
  }
}

// Runs the command again. The session goes on if it was served.
void Blocking::run_again(Session& session, BlockedClient& client) {
  if (session.close_now) return;  // its end is near: it takes nothing away from others
  const std::vector<std::string_view> argv(client.argv.begin(), client.argv.end());
  if (parts_.core.script_busy || parts_.holds.pauses(session, *client.command, argv, false) ||
      parts_.holds.is_locked(session, *client.command, argv)) {
    return clients_.put_off(client, session.id);
  }
  const KeyRef first = first_key_of(parts_.core, *client.command, argv);
  const std::size_t out_before = session.out.size();
  // The reasons to refuse a new request (memory, a slot that moved away) refuse this one.
  if (parts_.executor.admit(session, *client.command, argv, first) != Verdict::kPass)
    return release(session, out_before);
  parts_.executor.run_again(session, Attempt::kAgain, *client.command, argv, first);
  if (!session.is_blocked()) release(session, out_before);
}

// The session has its answer.
void Blocking::release(Session& session, std::size_t out_before) {
  clients_.remove(session.id);
  // Its command has given the rest to somebody else, who resumes it.
  if (session.run_state() == RunState::kWaiting) return parts_.executor.refresh_wants();
  parts_.executor.after_reply(session, out_before);
  parts_.executor.refresh_wants();
  parts_.sessions.go_on(session);
}

// The pause or lock that held them has ended, or a part of it: sessions that are still held are put
// off again.
void Blocking::serve_woken() {
  for (const ConnId id : clients_.take_woken()) {
    Session* session = parts_.sessions.find(id);
    BlockedClient* client = clients_.find(id);
    if (session != nullptr && client != nullptr) run_again(*session, *client);
  }
}

// Wakes the next of those that wait for one key, as long as there is something for them.
void Blocking::serve_key(const BlockedClients::Key& key) {
  const std::uint64_t last = clients_.last_turn();
  std::uint64_t turn = 0;
  while (const auto waiter = clients_.next_waiter(key, turn)) {
    if (waiter->turn > last) return;
    turn = waiter->turn;
    const Keys keys(parts_.core.env, key.db);
    const Found at = parts_.core.keyspace.db(key.db).find(keys.make_ref(key.name));
    const bool there = at && !at->expired(parts_.core.env.now);
    if (!there && !clients_.wakes_without_type(key)) return;
    Session* session = parts_.sessions.find(waiter->id);
    BlockedClient* client = clients_.find(waiter->id);
    if (session == nullptr || client == nullptr) continue;
    if (client->wakes_without_type || (there && at->type() == client->type))
      run_again(*session, *client);
  }
}

void Blocking::serve_ready() {
  if (serving_) return;
  serving_ = true;
  while (clients_.has_ready()) {
    serve_woken();
    if (const auto key = clients_.take_ready()) serve_key(*key);
  }
  serving_ = false;
}

// Ends the wait without running the command, with what its caller has written.
void Blocking::count_unserved(Session& session, const BlockedClient& client,
                              std::uint64_t reply_bytes) {
  EngineCore& core = parts_.core;
  CommandStats& c = core.stats.commands[client.command->id];
  ++c.calls;
  c.ns += client.ns;
  ++core.stats.commands_processed;
  ++session.commands;
  if (core.hot.latency_tracking) core.stats.add_latency(client.command->id, client.ns);
  const bool is_slow = client.ns >= core.hot.slow_ns;
  if (!is_slow && !core.hot.slot_stats) return;
  const std::vector<std::string_view> argv(client.argv.begin(), client.argv.end());
  if (is_slow) parts_.observers.log_slow(session, *client.command, argv, client.ns);
  if (core.hot.slot_stats)
    parts_.observers.note_unserved(session, *client.command, argv, client.ns, reply_bytes);
}

void Blocking::end_wait(Session& session, BlockedClient& client) {
  const std::size_t out_before = session.out.size();
  if (client.on_timeout == OnTimeout::kRunAgain) {
    const std::vector<std::string> words = std::move(client.argv);
    const std::vector<std::string_view> argv(words.begin(), words.end());
    parts_.executor.run_again(session, Attempt::kLast, *client.command, argv, {});
    if (session.is_blocked()) return;
    return release(session, out_before);
  }
  ReplyWriter reply(session.out, session.resp);
  if (client.on_timeout == OnTimeout::kNull)
    reply.null();
  else
    reply.null_array();
  count_unserved(session, client, session.out.size() - out_before);
  release(session, out_before);
}

void Blocking::refuse_wait(Session& session, const BlockedClient& client, std::string_view error) {
  const std::size_t out_before = session.out.size();
  parts_.executor.reply_error(session, client.command, error, false);
  count_unserved(session, client, session.out.size() - out_before);
  release(session, out_before);
}

void Blocking::run_due() {
  if (parts_.core.script_busy) return;  // the deadlines are still past when the script has ended
  for (const ConnId id : clients_.due(parts_.core.mono)) {
    Session* session = parts_.sessions.find(id);
    BlockedClient* client = clients_.find(id);
    if (session != nullptr && client != nullptr && !session->close_now) end_wait(*session, *client);
  }
}

bool Blocking::unblock(ConnId id, Unblock how) {
  Session* session = parts_.sessions.find(id);
  BlockedClient* client = clients_.find(id);
  if (session == nullptr || client == nullptr) return false;
  if (how == Unblock::kTimeout) {
    end_wait(*session, *client);
    client = clients_.find(id);
    if (client == nullptr) return true;
    // It asked for more time, which it does not get.
    client->on_timeout = OnTimeout::kNullArray;
    end_wait(*session, *client);
  } else {
    refuse_wait(*session, *client, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
  }
  return true;
}

void Blocking::unblock_all(std::string_view error) {
  for (const ConnId id : clients_.ids()) {
    Session* session = parts_.sessions.find(id);
    const BlockedClient* client = clients_.find(id);
    if (session != nullptr && client != nullptr) refuse_wait(*session, *client, error);
  }
}

void Blocking::follow_view() {
  const cluster::View* view = parts_.core.view.get();
  if (view == nullptr || !clients_.waits_for_keys()) return;
  std::vector<Slot> slots;
  for (const ConnId id : clients_.ids()) {
    Session* session = parts_.sessions.find(id);
    const BlockedClient* client = clients_.find(id);
    if (session == nullptr || client == nullptr || client->keys.empty()) continue;
    slots.clear();
    for (const std::string& key : client->keys) slots.push_back(cluster::slot_of(key));
    cluster::RedirectQuery query;
    query.slots = slots;
    query.command_writes = client->command->writes();
    query.session_asking = true;  // it was let in: a slot that is being imported will do
    query.session_readonly = session->readonly;
    query.session_ipv6 = session->ipv6;
    const cluster::Redirect decision = cluster::redirect(*view, query);
    if (!decision.serves())
      refuse_wait(*session, *client, cluster::redirect_text(*view, query, decision));
  }
}

void Blocking::on_commit(const CommittedUnit& unit) {
  if (!clients_.waits_for_keys()) return;
  for (const KeyEvent& e : unit.events) {
    if (e.kind != Notify::kMiss) clients_.note_change(e.db, e.key);
  }
}

void Blocking::forget(Session& session) {
  if (!session.is_blocked()) return;
  clients_.remove(session.id);
  parts_.executor.refresh_wants();
}

}  // namespace hearth
