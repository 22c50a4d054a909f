#include "src/engine/sessions.h"

#include <algorithm>

#include "cluster/model/slot.h"
#include "src/base/log.h"
#include "src/command/account_control.h"
#include "src/command/debug_switches.h"
#include "src/command/transaction_control.h"
#include "src/proto/reply_parser.h"
#include "src/proto/reply_writer.h"

namespace hearth {
namespace {

constexpr std::string_view kOutcomeOpen =
    "NOREPLICAS The write was done here, but too few replicas have confirmed it in time: whether "
    "it lasts is open.";
constexpr seconds kIdleForTrim{2};
constexpr std::uint64_t kReplyBufferBytes = 16 * 1024;
// Replies that may wait for a client that has not authenticated: more than AUTH and HELLO answer,
// and little enough that such clients cannot fill the memory.
constexpr std::uint64_t kUnauthenticatedOutput = kReplyBufferBytes + 1024;

}  // namespace

Session& Sessions::open(const ClientAddress& from) {
  auto session = std::make_unique<Session>();
  Session& s = *session;
  s.id = next_id_++;
  s.address = from.address;
  s.local_address = from.local_address;
  s.fd = from.fd;
  s.unix_socket = from.unix_socket;
  s.on_this_host = from.on_this_host;
  s.ipv6 = from.ipv6;
  s.out.set_most(core_.output_most);
  s.resp = core_.settings().client_default_resp;
  core_.services.accounts->become_default(s);
  s.created_at = s.last_active = core_.mono;
  s.clients = this;
  sessions_.emplace(s.id, std::move(session));
  ++core_.stats.connections_received;
  return s;
}

void Sessions::remove(Session& session) {
  uncount_memory_of(session);
  dying_bytes_ -= session.dying_bytes;
  sessions_.erase(session.id);
}

void Sessions::for_each(const std::function<void(Session&)>& fn) {
  // fn may close sessions.
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const ConnId id = at->first;
    fn(*at->second);
    at = sessions_.upper_bound(id);
  }
}

Session* Sessions::find(ConnId id) {
  const auto at = sessions_.find(id);
  return at == sessions_.end() ? nullptr : at->second.get();
}

void Sessions::kill(Session& victim, const Session& by) {
  if (&victim == &by)
    victim.close_after_reply = true;
  else
    victim.close_now = true;
  core_.host.close_soon(victim);
}

void Sessions::wrote_to(Session& session) {
  check_output_limits(session);
  note_buffers(session);
  if (!session.output_pending) {
    session.output_pending = true;
    core_.host.flush_soon(session);
  }
}

bool Sessions::is_over_output_limit(Session& session) {
  if (session.in_script) return false;  // what a script reads goes to no client
  check_output_limits(session);
  return session.close_now;
}

void Sessions::resume(Session& session, std::size_t reply_from) {
  if (!session.rest.empty()) {
    if (session.reply_mode != ReplyMode::kOn) session.out.truncate(reply_from);
    core_.services.transactions->go_on(session);
    if (session.is_waiting()) return;
  } else {
    executor_.after_reply(session, reply_from);
  }
  go_on(session);
}

// Where it can't be told which bytes are whole replies, the connection ends: that says the same.
void Sessions::fail_held_replies(Session& session) {
  session.write_offset = 0;
  ReplyParser parser;
  parser.feed(session.out.str());
  session.out.clear();
  ReplyWriter reply(session.out, session.resp);
  bool is_known = !session.sent_in_part;
  while (is_known) {
    const auto value = parser.next();
    is_known = value.has_value();
    if (!is_known || !*value) break;
    is_known = (*value)->kind != RespKind::kPush;
    reply.error(kOutcomeOpen);
  }
  if (is_known && parser.buffered() == 0) return;
  session.close_now = true;
  core_.host.close_soon(session);
}

bool Sessions::give_up_on_replicas(Session& session) {
  if (!must_wait_for_replicas(session) ||
      core_.mono - session.held_since < core_.settings().min_replicas_to_ack_timeout)
    return false;
  fail_held_replies(session);
  return !must_wait_for_disk(session);
}

void Sessions::give_up_on_all_replicas() {
  if (replica_barrier_ == kNoBarrier) return;
  // Replies of this turn are not held back yet, but are of the same kind.
  for_each([this](Session& session) {
    if (!session.out.empty() && must_wait_for_replicas(session)) fail_held_replies(session);
  });
  replica_barrier_ = kNoBarrier;
}

void Sessions::leave_lost_shard_channels() {
  if (core_.view == nullptr || core_.pubsub.shard_channel_count() == 0) return;
  const cluster::View& view = *core_.view;
  const NodeId& shard = view.me().shard_id;
  std::vector<std::string> lost;
  core_.pubsub.for_each_channel(PubSub::Kind::kShard, [&](std::string_view name) {
    const cluster::NodeView* owner = view.owner_of(cluster::slot_of(name));
    if (owner == nullptr || owner->shard_id != shard) lost.emplace_back(name);
  });
  if (lost.empty()) return;
  for (const auto& [id, session] : sessions_) {
    for (const std::string& name : lost) {
      if (core_.pubsub.unsubscribe(PubSub::Kind::kShard, name, session->subscriptions))
        session->on_shard_channel_lost(name);
    }
  }
}

void Sessions::go_on(Session& session) {
  if (session.run_state() != RunState::kIdle) session.become(RunState::kIdle);
  wrote_to(session);
  core_.host.resume_soon(session);
}

void Sessions::finish_replies(Session& session) {
  if (!session.out.empty()) check_output_limits(session);
  note_buffers(session);
  if (session.close_after_reply || session.close_now) core_.host.close_soon(session);
  if (session.out.empty() || session.output_pending || session.close_now) return;
  session.output_pending = true;
  core_.host.flush_soon(session);
}

void Sessions::check_output_limits(Session& session) {
  // The first buffer of a reply is not counted: limits are for what piles up behind it.
  const std::uint64_t bytes =
      session.out.size() - std::min<std::uint64_t>(session.out.first_size(), kReplyBufferBytes);
  const std::size_t kind = session.replica ? 1 : session.in_subscribe_mode() ? 2 : 0;
  const config::OutputBufferLimit& limit = core_.settings().client_output_buffer_limit[kind];
  const bool is_stranger = !session.authenticated && session.out.size() > kUnauthenticatedOutput;
  if (limit.hard_bytes == 0 && limit.soft_bytes == 0 && !is_stranger && !session.out.overflowed())
    return;
  const std::uint64_t hard =
      session.replica ? config::replica_hard_limit(limit, core_.settings().repl_backlog_size)
                      : limit.hard_bytes;
  bool over = is_stranger || session.out.overflowed() || (hard != 0 && bytes >= hard);
  if (limit.soft_bytes == 0 || bytes < limit.soft_bytes) {
    session.soft_limit_since = MonoTime{};
  } else if (session.soft_limit_since.us == 0) {
    session.soft_limit_since = core_.mono;
  } else if (core_.mono - session.soft_limit_since > limit.soft_time) {
    over = true;
  }
  if (!over || session.close_now) return;
  session.close_now = true;
  ++core_.stats.output_buffer_limit_disconnections;
  log::warning(
      "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
      session.id, session.address);
  core_.host.close_soon(session);
}

void Sessions::uncount_memory_of(Session& session) {
  evictable_.erase({session.counted_bytes, session.id});
  total_bytes_ -= std::min<std::uint64_t>(total_bytes_, std::exchange(session.counted_bytes, 0));
}

void Sessions::count_memory_of(Session& session) {
  if (session.close_now) return;
  uncount_memory_of(session);
  session.counted_bytes = session.memory_bytes();
  total_bytes_ += session.counted_bytes;
  if (!session.no_evict) evictable_.emplace(session.counted_bytes, session.id);
}

void Sessions::count_all() {
  for (const auto& [id, session] : sessions_) count_memory_of(*session);
}

// Runs before a command, so that a turn's replies have a bound, and when a turn has ended and its
// replies are on their way. The largest clients go first, so that few have to.
void Sessions::evict() {
  while (total_bytes_ > core_.hot.clients_most && !evictable_.empty()) {
    Session& largest = *find(evictable_.rbegin()->second);
    log::notice("Evicting client: id={} addr={} tot-mem={}", largest.id, largest.address,
                largest.counted_bytes);
    largest.dying_bytes = largest.counted_bytes;
    uncount_memory_of(largest);
    dying_bytes_ += largest.dying_bytes;
    largest.close_now = true;
    ++core_.stats.evicted_clients;
    core_.host.close_soon(largest);
  }
}

void Sessions::fit_reply_buffer(Session& session) {
  const DebugSwitches& debug = core_.debug;
  if (debug.reply_buffers_keep_size) return;
  switch (session.out.fit_first_segment()) {
    case OutBuffer::Fit::kGrown: ++core_.stats.reply_buffer_expands; break;
    case OutBuffer::Fit::kShrunk: ++core_.stats.reply_buffer_shrinks; break;
    case OutBuffer::Fit::kSame: break;
  }
  if (!debug.reply_peak_life || core_.mono - session.reply_peak_since < *debug.reply_peak_life)
    return;
  session.out.forget_peak();
  session.reply_peak_since = core_.mono;
}

void Sessions::check_some(int tick_rate) {
  const auto hz = static_cast<std::size_t>(tick_rate);
  std::size_t slice = std::min(count(), std::max<std::size_t>(count() / hz, 5));
  const seconds timeout = core_.settings().timeout;
  while (slice-- > 0 && !sessions_.empty()) {
    auto at = sessions_.upper_bound(checked_last_);
    if (at == sessions_.end()) at = sessions_.begin();
    checked_last_ = at->first;
    Session& s = *at->second;
    check_output_limits(s);
    fit_reply_buffer(s);
    const microseconds idle = core_.mono - s.last_active;
    core_.host.trim_buffers(s, idle > kIdleForTrim);
    note_buffers(s);
    const bool may_time_out =
        !s.is_waiting() && !s.replica && !s.primary && !s.in_subscribe_mode() && !s.monitor;
    if (timeout.count() > 0 && may_time_out && idle > timeout) {
      log::verbose("Closing idle client");
      s.close_now = true;
      core_.host.close_soon(s);
    }
  }
}

}  // namespace hearth
