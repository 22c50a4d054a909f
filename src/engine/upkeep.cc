// Settings that are copied where they are needed, and the background work of a tick.
#include <algorithm>
#include <utility>

#include "src/engine/engine.h"
#include "src/store/memory.h"

namespace hearth {

void Engine::refresh_settings() {
  const config::Settings& s = settings();
  adapt_tick_rate();
  core_.hot.maxmemory =
      core_.importing() || (core_.following && s.replica_ignore_maxmemory) ? 0 : s.maxmemory;
  eviction_.set_policy(s.maxmemory_policy);
  if (core_.hot.maxmemory == 0) eviction_.end_exceeding();
  core_.hot.slot_stats = s.cluster_slot_stats_enabled && s.cluster_enabled;
  core_.hot.slow_ns = s.slowlog_log_slower_than < 0 || s.slowlog_max_len == 0
                          ? ~0ULL
                          : static_cast<std::uint64_t>(s.slowlog_log_slower_than) * 1000;
  const auto larger_than = [](std::int64_t bytes, std::uint64_t max_len) {
    return bytes < 0 || max_len == 0 ? ~0ULL : static_cast<std::uint64_t>(bytes);
  };
  core_.hot.large_request =
      larger_than(s.commandlog_request_larger_than, s.commandlog_large_request_max_len);
  core_.hot.large_reply =
      larger_than(s.commandlog_reply_larger_than, s.commandlog_large_reply_max_len);
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
  hot_list_.follow_settings();
  refresh_wants();
  warm_gate_.follow_settings();
  gate_.refresh();
}

void Engine::refresh_wants() {
  if (core_.loading) return core_.effects.set_wants(false, 0);
  // WATCH and blocked clients read the same events as subscribers do: while a key is watched or
  // waited for, every kind is recorded.
  constexpr std::uint32_t kChanges = ~static_cast<std::uint32_t>(0);
  const bool published = (core_.hot.notify & (static_cast<std::uint32_t>(Notify::kKeyspace) |
                                              static_cast<std::uint32_t>(Notify::kKeyevent))) != 0;
  const bool all = transactions_.has_watches() || blocking_.clients().waits_for_keys() ||
                   sinks_want_events_ || (core_.following && !settings().replica_read_only) ||
                   tracker_.is_on();
  core_.effects.set_wants(sinks_want_commands_, all ? kChanges : published ? core_.hot.notify : 0);
}

void Engine::settle_tables() {
  constexpr std::size_t kTables = 1024;
  constexpr std::uint64_t kBuckets = 4096;
  for (DbIndex i = 0; i < core_.keyspace.db_count(); ++i)
    core_.keyspace.db(i).settle_tables(kTables, kBuckets);
}

// While a warm epoch is open, none goes: its loader may bring rows that are as old.
void Engine::age_tombstones() {
  warm_.end_idle();
  if (warm_.is_on()) return;
  const milliseconds life = settings().version_tombstone_seconds;
  for (DbIndex i = 0; i < core_.keyspace.db_count(); ++i)
    core_.keyspace.db(i).tombstones().age(core_.env.clock, life);
}

void Engine::adapt_tick_rate() {
  constexpr int kRateMost = 500;
  constexpr std::size_t kClientsPerTick = 200;
  tick_rate_ = std::clamp(settings().hz, 1, kRateMost);
  if (!settings().dynamic_hz) return;
  while (tick_rate_ < kRateMost &&
         sessions_.count() / static_cast<std::size_t>(tick_rate_) > kClientsPerTick)
    tick_rate_ = std::min(tick_rate_ * 2, kRateMost);
  reports_.set_tick_rate(tick_rate_);
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
  age_tombstones();
  if (tracker_.is_on()) tracker_.limit_table();
  core_.hot_keys.tick(core_.env.now);
  if (!core_.loading) hot_list_.tick();
  warm_gate_.tick();
  sessions_.check_some(tick_rate_);
  // A limit that was lowered takes effect without waiting for a command.
  if (core_.hot.maxmemory != 0 && !core_.loading) eviction_.make_room();
  reports_.tick();
  core_.stats.eventloop_duration_cron_us += (core_.ticks() - start) / 1000;
}

}  // namespace hearth
