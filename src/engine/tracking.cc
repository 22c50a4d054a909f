#include "src/engine/tracking.h"

#include <algorithm>
#include <utility>

#include "src/command/client_control.h"
#include "src/proto/reply_writer.h"

namespace hearth {
namespace {

constexpr std::string_view kChannel = "__redis__:invalidate";
// Keys that one call forgets when the table has grown too large.
constexpr int kForgottenAtOnce = 1000;

// The server's own doing, whoever's command it came to light in.
bool is_by_server(const KeyEvent& e) {
  return e.kind == Notify::kExpired || e.kind == Notify::kEvicted;
}

}  // namespace

void Tracker::start(Session& session, tracking::Client how) {
  if (session.tracking != nullptr)
    how.prefixes.insert(how.prefixes.end(), session.tracking->prefixes.begin(),
                        session.tracking->prefixes.end());
  std::sort(how.prefixes.begin(), how.prefixes.end());
  for (const std::string& prefix : how.prefixes) table_.add_prefix(prefix, session.id);
  const bool is_new = session.tracking == nullptr;
  session.tracking = std::make_unique<tracking::Client>(std::move(how));
  if (is_new && client_count_++ == 0) parts_.on_first_and_last();
}

void Tracker::stop(Session& session) {
  if (session.tracking == nullptr) return;
  for (const std::string& prefix : session.tracking->prefixes)
    table_.remove_prefix(prefix, session.id);
  session.tracking.reset();
  if (--client_count_ == 0) parts_.on_first_and_last();
}

void Tracker::on_commit(const CommittedUnit& unit) {
  const std::size_t done = std::exchange(taken_, 0);
  if (!is_on()) return;
  take(unit.events.subspan(std::min(done, unit.events.size())));
  send_broadcasts();
}

void Tracker::take(std::span<const KeyEvent> events) {
  for (const KeyEvent& e : events) {
    if (!e.is_change()) continue;
    const bool by_actor = !is_by_server(e);
    if (table_.key_count() > 0) forget(e.key, table_.take(e.key), by_actor);
    table_.for_each_prefix_of(e.key, [&](const std::string& prefix, const auto&) {
      const auto [at, fresh] = broadcasts_[prefix].emplace(e.key, by_actor);
      if (!fresh) at->second = at->second && by_actor;
    });
  }
}

void Tracker::forget(std::string_view key, const std::vector<ConnId>& readers, bool by_actor) {
  for (const ConnId id : readers) {
    Session* s = parts_.clients.find(id);
    // Sessions that left or switched tracking off since are forgotten with the key.
    if (s == nullptr || s->tracking == nullptr || s->tracking->mode == tracking::Mode::kBroadcast)
      continue;
    if (by_actor && s == parts_.actor && s->tracking->no_loop) continue;
    send(*s, {&key, 1});
  }
}

void Tracker::send_broadcasts() {
  if (broadcasts_.empty()) return;
  for (const auto& [prefix, keys] : broadcasts_) {
    for (const ConnId id : table_.clients_of(prefix)) {
      Session* s = parts_.clients.find(id);
      if (s == nullptr || s->tracking == nullptr) continue;
      std::vector<std::string_view> names;
      for (const auto& [key, by_actor] : keys) {
        if (!(by_actor && s == parts_.actor && s->tracking->no_loop)) names.emplace_back(key);
      }
      if (!names.empty()) send(*s, names);
    }
  }
  broadcasts_.clear();
}

void Tracker::note_read(Session& session, const Command& command,
                        std::span<const std::string_view> argv) {
  using tracking::Mode;
  if (session.tracking == nullptr || session.tracking->mode == Mode::kBroadcast) return;
  const tracking::Client& how = *session.tracking;
  if ((how.mode == Mode::kOptIn && !how.caching) || (how.mode == Mode::kOptOut && how.caching))
    return;
  // A script's own commands do the reading; shard channels are keys in name only.
  if (!has(command.flags, Flag::kReadonly) || has(command.acl, Acl::kScripting) ||
      has(command.flags, Flag::kPubsub) || !extract_keys(command, argv, positions_)) {
    return;
  }
  const std::span<const KeyEvent> events = parts_.effects.unit().events;
  if (taken_ < events.size()) take(events.subspan(std::exchange(taken_, events.size())));
  for (const KeyPosition& p : positions_) {
    if ((p.access & access::kNotKey) == 0) table_.remember(argv[p.index], session.id);
  }
}

void Tracker::finish_unit() {
  if (!std::exchange(flushed_, false)) return;
  table_.clear();
  parts_.clients.for_each([&](Session& s) {
    if (s.tracking != nullptr) send_all(s);
  });
}

void Tracker::limit_table() {
  const std::uint64_t most = parts_.config.settings().tracking_table_max_keys;
  if (most == 0) return;
  for (int n = 0; n < kForgottenAtOnce && table_.key_count() > most; ++n) {
    const auto victim = table_.take_any(parts_.rng);
    if (!victim) return;
    forget(victim->first, victim->second, false);
  }
}

Session* Tracker::receiver_of(Session& owner) {
  Session* receiver = &owner;
  if (owner.tracking->redirect != 0) {
    receiver = parts_.clients.find(owner.tracking->redirect);
    if (receiver == nullptr || receiver->close_now) {
      owner.tracking->redirect_is_gone = true;
      if (owner.resp == 2) return nullptr;
      ReplyWriter reply(message_output(owner), owner.resp);
      reply.push(2);
      reply.bulk("tracking-redir-broken");
      reply.integer(static_cast<std::int64_t>(owner.tracking->redirect));
      if (!owner.is_running()) parts_.clients.wrote_to(owner);
      return nullptr;
    }
  }
  // RESP2 has no messages but those of subscriptions.
  const bool can_hear = receiver->resp > 2 || (receiver != &owner && receiver->in_subscribe_mode());
  return can_hear && !receiver->close_now ? receiver : nullptr;
}

namespace {

void begin_message(ReplyWriter& reply, int resp) {
  if (resp > 2) {
    reply.push(2);
    reply.bulk("invalidate");
  } else {
    reply.array(3);
    reply.bulk("message");
    reply.bulk(kChannel);
  }
}

}  // namespace

void Tracker::send(Session& owner, std::span<const std::string_view> keys) {
  Session* receiver = receiver_of(owner);
  if (receiver == nullptr) return;
  ReplyWriter reply(message_output(*receiver), receiver->resp);
  begin_message(reply, receiver->resp);
  reply.array(keys.size());
  for (const std::string_view key : keys) reply.bulk(key);
  if (!receiver->is_running()) parts_.clients.wrote_to(*receiver);
}

void Tracker::send_all(Session& owner) {
  Session* receiver = receiver_of(owner);
  if (receiver == nullptr) return;
  ReplyWriter reply(message_output(*receiver), receiver->resp);
  begin_message(reply, receiver->resp);
  reply.null();
  if (!receiver->is_running()) parts_.clients.wrote_to(*receiver);
}

}  // namespace hearth
