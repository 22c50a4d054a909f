// Settings that are copied where they are needed, and the background work of a tick.
#include <algorithm>
#include <utility>

#include "src/engine/engine.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

EvictionPolicy policy_of(config::MaxmemoryPolicy p) {
  switch (p) {
    case config::MaxmemoryPolicy::kVolatileLru: return EvictionPolicy::kVolatileLru;
    case config::MaxmemoryPolicy::kVolatileLfu: return EvictionPolicy::kVolatileLfu;
    case config::MaxmemoryPolicy::kVolatileRandom: return EvictionPolicy::kVolatileRandom;
    case config::MaxmemoryPolicy::kVolatileTtl: return EvictionPolicy::kVolatileTtl;
    case config::MaxmemoryPolicy::kAllkeysLru: return EvictionPolicy::kAllKeysLru;
    case config::MaxmemoryPolicy::kAllkeysLfu: return EvictionPolicy::kAllKeysLfu;
    case config::MaxmemoryPolicy::kAllkeysRandom: return EvictionPolicy::kAllKeysRandom;
    case config::MaxmemoryPolicy::kNoEviction: break;
  }
  return EvictionPolicy::kNoEviction;
}

<<<<<<< HEAD
constexpr seconds kIdleForTrim{2};
constexpr std::uint64_t kReplyBufferBytes = 16 * 1024;
// Replies that may wait for a client that has not authenticated: more than AUTH and HELLO answer,
// and little enough that such clients cannot fill the memory.
constexpr std::uint64_t kUnauthenticatedOutput = kReplyBufferBytes + 1024;
// Expired fields that are removed from one hash in a step of the expiry cycle.
constexpr std::uint64_t kFieldsPerStep = 1024;

=======
>>>>>>> ca87021 (The engine in parts)
}  // namespace

void Engine::refresh_settings() {
  const config::Settings& s = settings();
  adapt_tick_rate();
  core_.hot.maxmemory = core_.importing() || (core_.following && s.replica_ignore_maxmemory) ? 0 : s.maxmemory;
  eviction_.set_policy(policy_of(s.maxmemory_policy));
  core_.hot.slow_ns = s.slowlog_log_slower_than < 0 || s.slowlog_max_len == 0
                     ? ~0ULL
                     : static_cast<std::uint64_t>(s.slowlog_log_slower_than) * 1000;
  const auto larger_than = [](std::int64_t bytes, std::uint64_t max_len) {
    return bytes < 0 || max_len == 0 ? ~0ULL : static_cast<std::uint64_t>(bytes);
  };
  core_.hot.large_request =
      larger_than(s.commandlog_request_larger_than, s.commandlog_large_request_max_len);
  core_.hot.large_reply = larger_than(s.commandlog_reply_larger_than, s.commandlog_large_reply_max_len);
  core_.hot.latency_ns =
      s.latency_monitor_threshold.count() <= 0
          ? ~0ULL
          : static_cast<std::uint64_t>(s.latency_monitor_threshold.count()) * kNsPerMs;
  core_.hot.latency_tracking = s.latency_tracking;
  const std::uint64_t clients_most = s.maxmemory_clients.percent != 0
                                         ? s.maxmemory * s.maxmemory_clients.percent / 100
                                         : s.maxmemory_clients.bytes;
  const bool was_limited = std::exchange(core_.hot.clients_most, clients_most) != 0;
  if (clients_most != 0 && !was_limited) sessions_.count_all();
  core_.hot.cluster = s.cluster_enabled;
  core_.hot.notify = notify_flags(s.notify_keyspace_events);
  core_.env.lfu = uses_lfu(core_.hot.policy);
  core_.env.lfu_params = {static_cast<std::uint32_t>(s.lfu_log_factor),
                     static_cast<std::uint32_t>(s.lfu_decay_time)};
  core_.env.lazy_expire = s.lazyfree_lazy_expire;
  core_.env.lazy_server_del = s.lazyfree_lazy_server_del;
  core_.env.lazy_user_del = s.lazyfree_lazy_user_del;
  core_.env.lazy_eviction = s.lazyfree_lazy_eviction;
  core_.command_logs.of(CommandLogs::Kind::kSlow).trim(s.slowlog_max_len);
  core_.command_logs.of(CommandLogs::Kind::kLargeRequest).trim(s.commandlog_large_request_max_len);
  core_.command_logs.of(CommandLogs::Kind::kLargeReply).trim(s.commandlog_large_reply_max_len);
  core_.refresh_expiry();
  refresh_wants();
  gate_.refresh();
}

void Engine::refresh_wants() {
  if (core_.loading) return core_.effects.set_wants(false, 0);
  // WATCH and blocked clients read the same events as subscribers do: while a key is watched or
  // waited for, every kind is recorded.
  constexpr std::uint32_t kChanges = ~static_cast<std::uint32_t>(0);
  const bool published = (core_.hot.notify & (static_cast<std::uint32_t>(Notify::kKeyspace) |
                                         static_cast<std::uint32_t>(Notify::kKeyevent))) != 0;
<<<<<<< HEAD
  const bool all = !watched_.empty() || blocked_.waits_for_keys() || sinks_want_events_ ||
                   (following_ && !settings().replica_read_only) ||
                   (tracker_ != nullptr && tracker_->is_on());
  effects_.set_wants(sinks_want_commands_, all ? kChanges : published ? hot_.notify : 0);
}

std::uint64_t Engine::unsent_to_replicas() const {
  return services_.replication != nullptr ? services_.replication->unsent_bytes() : 0;
}

// What clients hold that are about to be closed needs no room made for it.
std::uint64_t Engine::used_bytes() const {
  const std::uint64_t used = memory::used_bytes();
  return used - std::min(used, dying_bytes_ + unsent_to_replicas());
}

// Returns what it freed, or will when the background thread gets to it.
std::uint64_t Engine::evict_one(const EvictionPool::Candidate& victim) {
  Keys keys(env_, victim.db);
  const KeyRef ref = keys.make_ref(victim.key);
  const Found at = keys.database().find(ref);
  if (!at || (volatile_only(hot_.policy) && !at->has_deadline())) return 0;
  const std::uint64_t bytes = at->memory_bytes();
  keys.remove(ref, at, env_.lazy_eviction);
  ++stats_.evicted_keys;
  effects_.replicate_as({victim.db, ref.slot}, env_.lazy_eviction ? "UNLINK" : "DEL", ref.name);
  effects_.event(Notify::kEvicted, "evicted", victim.db, ref.name);
  return bytes;
}

// What the removed keys took is counted, not how the use of memory falls: telling replicas and
// clients of each eviction takes memory too, for a while, and must not make for more evictions.
bool Engine::make_room() {
  if (clients_bytes_ > hot_.clients_most && hot_.clients_most != 0) evict_clients();
  const std::uint64_t used = used_bytes();
  if (used <= hot_.maxmemory) return true;
  if (hot_.policy == EvictionPolicy::kNoEviction || paused_ || script_busy_) return false;
  // maxmemory-eviction-tenacity 0..10 is up to 500 us a command, growing by 15 % a step to 99;
  // 100 has no limit.
  const int tenacity = settings().maxmemory_eviction_tenacity;
  std::uint64_t limit_ns =
      tenacity <= 10 ? 50'000ULL * static_cast<std::uint64_t>(tenacity) : 500'000;
  for (int i = 10; i < tenacity && i < 100; ++i) limit_ns += limit_ns * 15 / 100;
  const std::uint64_t start = ticks_();
  const std::uint64_t wanted = used - hot_.maxmemory;
  std::uint64_t freed = 0;
  EvictionPool::Candidate victim;
  bool freed_enough = false;
  for (unsigned n = 1; !freed_enough; ++n) {
    if (!eviction_pool_.pick(keyspace_, hot_.policy,
                             static_cast<std::size_t>(settings().maxmemory_samples), env_.now,
                             env_.lfu_params, rng_, victim)) {
      break;
    }
    freed += evict_one(victim);
    freed_enough = freed >= wanted;
    if (n % 16 != 0) continue;
    if (used_bytes() <= hot_.maxmemory) freed_enough = true;
    // Out of time for this command, not out of keys: the next command goes on.
    if (tenacity < 100 && ticks_() - start > limit_ns) freed_enough = true;
    commit_evictions();
  }
  commit_evictions();
  const std::uint64_t spent = ticks_() - start;
  if (spent >= hot_.latency_ns)
    latency_.add("eviction-cycle", env_.now, static_cast<std::uint32_t>(spent / kNsPerMs));
  // The last key may have gone for what others hold.
  return freed_enough || used_bytes() <= hot_.maxmemory;
}

void Engine::commit_evictions() {
  if (depth_ != 0 || effects_.empty()) return;
  effects_.keep_apart();
  commit();
}

void Engine::note_own_deadlines(const CommittedUnit& unit) {
  for (const KeyEvent& event : unit.events) {
    const Found at = keyspace_.db(event.db).find(Keys(env_, event.db).make_ref(event.key));
    own_deadlines_.note(event.db, event.key, at ? at->deadline() : kNoDeadline);
  }
  own_deadlines_.prune([this](DbIndex db, std::string_view key, std::int64_t deadline) {
    const Found at = keyspace_.db(db).find(Keys(env_, db).make_ref(key));
    return at && at->deadline() == deadline;
  });
}

// What the primary did to the key since then counts: a deadline that is another now is its.
void Engine::expire_own_keys() {
  while (const auto due = own_deadlines_.take_due(env_.now)) {
    Keys keys(env_, due->db);
    const KeyRef ref = keys.make_ref(due->key);
    const Found at = keys.database().find(ref);
    if (at && at->deadline() == due->deadline) keys.expire(ref, at);
  }
  if (effects_.empty()) return;
  effects_.keep_apart();
  commit();
}

void Engine::expire_cycle() {
  if (following_ && !paused_) expire_own_keys();
  if (!env_.expire_removes || !active_expire_ || loading_) return;
  // Effort 1 .. 10: more time per tick, and a smaller share of stale keys before it stops.
  const auto effort = static_cast<std::uint64_t>(std::max(0, settings().active_expire_effort - 1));
  const std::uint64_t tick_ns = 1'000'000'000ULL / static_cast<std::uint64_t>(tick_rate_);
  const std::uint64_t limit_ns = tick_ns * (25 + 2 * effort) / 100;
  const std::uint64_t stale_percent = 10 - effort;
  const std::uint64_t start = ticks_();
  std::uint64_t sampled = 0, expired = 0;
  bool out_of_time = false;
  for (DbIndex i = 0; i < keyspace_.db_count() && !out_of_time; ++i) {
    Database& db = keyspace_.db(i);
    if (db.timed_count() == 0) continue;
    std::uint64_t window_sampled = 0, window_expired = 0;
    for (;;) {
      due_.clear();
      const Database::ExpireStep step = db.expire_step(env_.now, 256, due_);
      Keys keys(env_, i);
      for (const Entry* e : due_) {
        // The name is copied: it dies with its entry.
        const std::string name(e->key());
        const KeyRef ref = keys.make_ref(name);
        const Found at = keys.database().find(ref);
        if (at && at->expired(env_.now))
          keys.expire(ref, at);
        else if (at)
          keys.expire_fields(ref, at, kFieldsPerStep);
      }
      if (!effects_.empty()) {
        effects_.keep_apart();
        commit();
      }
      window_sampled += step.sampled;
      window_expired += step.expired;
      sampled += step.sampled;
      expired += step.expired;
      if (step.finished_round) break;
      if (window_sampled >= 200) {
        if (window_expired * 100 <= window_sampled * stale_percent) break;
        window_sampled = window_expired = 0;
      }
      if (ticks_() - start > limit_ns) {
        ++stats_.expired_time_cap_reached;
        out_of_time = true;
        break;
      }
    }
  }
  const std::uint64_t share = sampled == 0 ? 0 : expired * 10000 / sampled;
  stats_.stale_percent_x100 = (stats_.stale_percent_x100 * 95 + share * 5) / 100;
  const std::uint64_t spent = ticks_() - start;
  stats_.expire_cycle_us += spent / 1000;
  if (spent >= hot_.latency_ns)
    latency_.add("expire-cycle", env_.now, static_cast<std::uint32_t>(spent / kNsPerMs));
}

void Engine::check_output_limits(Session& session) {
  // The first buffer of a reply is not counted: limits are for what piles up behind it.
  const std::uint64_t bytes =
      session.out.size() - std::min<std::uint64_t>(session.out.first_size(), kReplyBufferBytes);
  const std::size_t kind =
      session.replica                                                                          ? 1
      : session.subscriptions.normal_count() + session.subscriptions.shard_channels.size() > 0 ? 2
                                                                                               : 0;
  const config::OutputBufferLimit& limit = settings().client_output_buffer_limit[kind];
  const bool is_stranger = !session.authenticated && session.out.size() > kUnauthenticatedOutput;
  if (limit.hard_bytes == 0 && limit.soft_bytes == 0 && !is_stranger) return;
  const std::uint64_t hard = session.replica
                                 ? config::replica_hard_limit(limit, settings().repl_backlog_size)
                                 : limit.hard_bytes;
  bool over = is_stranger || (hard != 0 && bytes >= hard);
  if (limit.soft_bytes == 0 || bytes < limit.soft_bytes) {
    session.soft_limit_since = MonoTime{};
  } else if (session.soft_limit_since.us == 0) {
    session.soft_limit_since = mono_;
  } else if (mono_ - session.soft_limit_since > limit.soft_time) {
    over = true;
  }
  if (!over || session.close_now) return;
  session.close_now = true;
  ++stats_.output_buffer_limit_disconnections;
  log::warning(
      "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
      session.id, session.address);
  host_->close_soon(session);
}

void Engine::uncount_memory_of(Session& session) {
  evictable_.erase({session.counted_bytes, session.id});
  clients_bytes_ -=
      std::min<std::uint64_t>(clients_bytes_, std::exchange(session.counted_bytes, 0));
}

void Engine::count_memory_of(Session& session) {
  if (session.close_now) return;
  uncount_memory_of(session);
  session.counted_bytes = session.memory_bytes();
  clients_bytes_ += session.counted_bytes;
  if (!session.no_evict) evictable_.emplace(session.counted_bytes, session.id);
}

// Runs before a command, so that a turn's replies have a bound, and when a turn has ended and its
// replies are on their way. The largest clients go first, so that few have to.
void Engine::evict_clients() {
  while (clients_bytes_ > hot_.clients_most && !evictable_.empty()) {
    Session& largest = *find(evictable_.rbegin()->second);
    log::notice("Evicting client: id={} addr={} tot-mem={}", largest.id, largest.address,
                largest.counted_bytes);
    largest.dying_bytes = largest.counted_bytes;
    uncount_memory_of(largest);
    dying_bytes_ += largest.dying_bytes;
    largest.close_now = true;
    ++stats_.evicted_clients;
    host_->close_soon(largest);
  }
}

void Engine::fit_reply_buffer(Session& session) {
  if (debug_.reply_buffers_keep_size) return;
  switch (session.out.fit_first_segment()) {
    case OutBuffer::Fit::kGrown: ++stats_.reply_buffer_expands; break;
    case OutBuffer::Fit::kShrunk: ++stats_.reply_buffer_shrinks; break;
    case OutBuffer::Fit::kSame: break;
  }
  if (!debug_.reply_peak_life || mono_ - session.reply_peak_since < *debug_.reply_peak_life) return;
  session.out.forget_peak();
  session.reply_peak_since = mono_;
=======
  const bool all = transactions_.has_watches() || blocking_.clients().waits_for_keys() || sinks_want_events_ ||
                   (core_.following && !settings().replica_read_only) ||
                   tracker_.is_on();
  core_.effects.set_wants(sinks_want_commands_, all ? kChanges : published ? core_.hot.notify : 0);
>>>>>>> ca87021 (The engine in parts)
}

void Engine::settle_tables() {
  constexpr std::size_t kTables = 1024;
  constexpr std::uint64_t kBuckets = 4096;
  for (DbIndex i = 0; i < core_.keyspace.db_count(); ++i)
    core_.keyspace.db(i).settle_tables(kTables, kBuckets);
}

void Engine::adapt_tick_rate() {
  constexpr int kRateMost = 500;
  constexpr std::size_t kClientsPerTick = 200;
  tick_rate_ = std::clamp(settings().hz, 1, kRateMost);
  if (!settings().dynamic_hz) return;
  while (tick_rate_ < kRateMost &&
         sessions_.count() / static_cast<std::size_t>(tick_rate_) > kClientsPerTick)
    tick_rate_ = std::min(tick_rate_ * 2, kRateMost);
}

void Engine::tick() {
  adapt_tick_rate();
  // Nothing changes behind the back of a script.
  if (core_.debug.pause_cron || core_.script_busy) return;
  const std::uint64_t start = core_.ticks();
  holds_.check_time();
  blocking_.run_due();
  expiry_.run_cycle(tick_rate_);
  if (!core_.loading) settle_tables();
  if (tracker_.is_on()) tracker_.limit_table();
  core_.hot_keys.tick(core_.env.now);
  sessions_.check_some(tick_rate_);
  // A limit that was lowered takes effect without waiting for a command.
  if (core_.hot.maxmemory != 0 && !core_.loading) eviction_.make_room();
  reports_.tick(tick_rate_);
  core_.stats.eventloop_duration_cron_us += (core_.ticks() - start) / 1000;
}

}  // namespace hearth
