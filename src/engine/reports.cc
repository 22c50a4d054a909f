// INFO: every section, from the figures the engine holds. Field names are the ones monitoring tools
// know; what this server has no counterpart for is reported as the zero it is.
#include "src/engine/reports.h"

#include <algorithm>
#include <cstdio>

#include "src/base/bytes.h"
#include "src/command/cluster_control.h"
#include "src/engine/key_sizes.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

double ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

void bytes_field(InfoWriter& out, const std::string& name, std::uint64_t bytes) {
  out.field(name, as_signed(bytes));
  out.field(name + "_human", human_bytes(bytes));
}

void percent_field(InfoWriter& out, std::string_view name, std::uint64_t part,
                   std::uint64_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f%%", 100.0 * ratio(part, whole));
  out.field(name, std::string_view(text));
}

template <typename F>
void for_each_command(const CommandTable& table, F&& fn) {
  for (const auto& command : table.all()) {
    fn(*command);
    for (const auto& sub : command->subcommands) fn(*sub);
  }
}

}  // namespace

void InfoWriter::fixed(std::string_view name, double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  field(name, std::string_view(text));
}

Reports::Reports(const Parts& parts, std::string replication_id)
    : parts_(parts),
      replication_id_(std::move(replication_id)),
      started_mono_(parts.core.mono),
      startup_bytes_(memory::used_bytes()) {}

void Reports::change_replication_id() {
  replication_id_ = parts_.core.rng.hex(40);
  if (parts_.core.services.replication != nullptr) parts_.core.services.replication->id_changed();
}

void Reports::tick() {
  Stats& stats = parts_.core.stats;
  stats.used_memory_peak = std::max(stats.used_memory_peak, memory::used_bytes());
  const auto per_100ms = static_cast<std::uint64_t>(std::max(1, tick_rate_ / 10));
  if (++tick_count_ % per_100ms != 0) return;
  const MonoTime now = parts_.core.mono;
  ops_rate_.sample(now, stats.commands_processed);
  input_rate_.sample(now, stats.net_input_bytes);
  output_rate_.sample(now, stats.net_output_bytes);
  repl_input_rate_.sample(now, stats.net_repl_input_bytes);
  repl_output_rate_.sample(now, stats.net_repl_output_bytes);
  cycles_rate_.sample(now, stats.eventloop_cycles);
  turn_time_rate_.sample(now, stats.eventloop_duration_us);
}

std::span<const InfoControl::Section> Reports::sections() const {
  static constexpr Section kSections[] = {
      {"server", true, true},      {"clients", true, true},       {"memory", true, true},
      {"persistence", true, true}, {"stats", true, true},         {"replication", true, true},
      {"cpu", true, true},         {"modules", true, true},       {"commandstats", false, true},
      {"errorstats", true, true},  {"latencystats", false, true}, {"cluster", true, true},
      {"keyspace", true, true},    {"keysizes", false, true},     {"debug", false, false},
  };
  return kSections;
}

void Reports::write(std::string_view section, InfoWriter& out) {
  if (section == "server")
    write_server(out);
  else if (section == "clients")
    write_clients(out);
  else if (section == "memory")
    write_memory(out);
  else if (section == "persistence")
    write_persistence(out);
  else if (section == "stats")
    write_stats(out);
  else if (section == "replication")
    write_replication(out);
  else if (section == "cpu")
    write_cpu(out);
  else if (section == "modules")
    out.section("Modules");
  else if (section == "commandstats")
    write_commandstats(out);
  else if (section == "errorstats")
    write_errorstats(out);
  else if (section == "latencystats")
    write_latencystats(out);
  else if (section == "cluster")
    write_cluster(out);
  else if (section == "keyspace")
    write_keyspace(out);
  else if (section == "keysizes")
    write_key_sizes(out);
  else if (section == "debug")
    write_debug(out);
}

void Reports::write_server(InfoWriter& out) {
  const std::int64_t uptime = (parts_.core.mono - started_mono_).count() / 1'000'000;
  out.section("Server");
  out.field("redis_version", parts_.core.facts.version);
  out.field("redis_git_sha1", "00000000");
  out.field("redis_git_dirty", 0);
  out.field("redis_build_id", parts_.core.facts.build_id);
  out.field("hearth_version", parts_.core.facts.hearth_version);
  out.field("redis_mode", parts_.core.settings().cluster_enabled ? "cluster" : "standalone");
  out.field("os", parts_.core.facts.os);
  out.field("arch_bits", parts_.core.facts.arch_bits);
  out.field("monotonic_clock", "POSIX clock_gettime");
  out.field("multiplexing_api", parts_.core.facts.multiplexing_api);
  out.field("atomicvar_api", "c++20-atomic");
  out.field("gcc_version", parts_.core.facts.compiler);
  out.field("process_id", parts_.core.facts.pid);
  out.field("process_supervised", parts_.core.facts.process_supervised);
  out.field("run_id", parts_.core.facts.run_id);
  out.field("tcp_port", parts_.core.settings().port);
  out.field("server_time_usec",
            parts_.core.services.server != nullptr
                ? parts_.core.services.server->unix_micros(parts_.core.env.clock)
                : parts_.core.env.clock.ms * 1000);
  out.field("uptime_in_seconds", uptime);
  out.field("uptime_in_days", uptime / 86400);
  out.field("hz", tick_rate_);
  out.field("configured_hz", parts_.core.settings().hz);
  out.field("lru_clock", access_clock::lru(parts_.core.env.clock));
  out.field("executable", parts_.core.facts.executable);
  out.field("config_file", parts_.core.facts.config_file);
  out.field("io_threads_active", 0);
  if (parts_.core.services.server != nullptr) {
    if (const auto left = parts_.core.services.server->shutdown_left())
      out.field("shutdown_in_milliseconds", left->count());
  }
  out.field("availability_zone", parts_.core.settings().availability_zone);
}

void Reports::write_clients(InfoWriter& out) {
  std::uint64_t replicas = 0, blocked = 0, subscribed = 0, watching = 0, input_most = 0,
                output_most = 0, watched = 0;
  for (const auto& [id, s] : parts_.sessions) {
    replicas += s->replica ? 1U : 0U;
    blocked += s->is_parked() ? 1U : 0U;
    subscribed += s->in_subscribe_mode() ? 1U : 0U;
    watching += s->watched.empty() ? 0U : 1U;
    watched += s->watched.size();
    input_most = std::max<std::uint64_t>(input_most, s->query_bytes + s->query_free);
    output_most = std::max<std::uint64_t>(output_most, s->out.capacity_bytes());
  }
  out.section("Clients");
  out.field("connected_clients", as_signed(parts_.sessions.count() - replicas));
  const std::size_t bus_links =
      parts_.core.services.cluster == nullptr ? 0 : parts_.core.services.cluster->links().size();
  out.field("cluster_connections", as_signed(bus_links));
  out.field("maxclients", parts_.core.settings().maxclients);
  out.field("client_recent_max_input_buffer", as_signed(input_most));
  out.field("client_recent_max_output_buffer", as_signed(output_most));
  out.field("blocked_clients", as_signed(blocked));
  out.field("tracking_clients", as_signed(parts_.tracker.client_count()));
  out.field("pubsub_clients", as_signed(subscribed));
  out.field("watching_clients", as_signed(watching));
  out.field("clients_in_timeout_table", as_signed(parts_.blocking.clients().timed_count()));
  out.field("total_watched_keys", as_signed(watched));
  out.field("total_blocking_keys", as_signed(parts_.blocking.clients().key_count()));
  out.field("total_blocking_keys_on_nokey",
            as_signed(parts_.blocking.clients().removal_key_count()));
}

InfoControl::MemoryFigures Reports::memory_figures() {
  MemoryFigures m;
  m.total = memory::used_bytes();
  parts_.core.stats.used_memory_peak = std::max(parts_.core.stats.used_memory_peak, m.total);
  m.peak = parts_.core.stats.used_memory_peak;
  m.startup = startup_bytes_;
  for (const auto& [id, s] : parts_.sessions)
    (s->replica               ? m.clients_replica
     : s->in_subscribe_mode() ? m.clients_pubsub
                              : m.clients_normal) += s->memory_bytes();
  for (DbIndex i = 0; i < parts_.core.keyspace.db_count(); ++i)
    m.tables += parts_.core.keyspace.db(i).table_memory_bytes();
  if (parts_.core.services.scripts != nullptr) {
    const ScriptFigures f = parts_.core.services.scripts->figures();
    m.scripts = f.eval_vm_bytes + f.cache_bytes;
    m.functions = f.function_vm_bytes + f.library_bytes;
  }
  if (parts_.core.services.replication != nullptr)
    m.backlog = parts_.core.services.replication->backlog_bytes();
  if (parts_.core.services.cluster != nullptr) {
    for (const auto& link : parts_.core.services.cluster->links())
      m.cluster_links += link.send_buffer_bytes;
  }
  m.overhead = m.startup + m.clients_normal + m.clients_pubsub + m.clients_replica + m.backlog +
               m.cluster_links + m.tables + m.scripts + m.functions;
  m.dataset = m.total > m.overhead ? m.total - m.overhead : 0;
  return m;
}

void Reports::write_memory(InfoWriter& out) {
  const MemoryFigures m = memory_figures();
  const memory::AllocatorStats a = memory::allocator_stats();
  const std::uint64_t rss = memory::resident_bytes();
  const std::uint64_t net = m.total > m.startup ? m.total - m.startup : 0;
  out.section("Memory");
  bytes_field(out, "used_memory", m.total);
  bytes_field(out, "used_memory_rss", rss);
  bytes_field(out, "used_memory_peak", m.peak);
  percent_field(out, "used_memory_peak_perc", m.total, m.peak);
  out.field("used_memory_overhead", as_signed(m.overhead));
  out.field("used_memory_startup", as_signed(m.startup));
  out.field("used_memory_dataset", as_signed(m.dataset));
  percent_field(out, "used_memory_dataset_perc", m.dataset, net);
  out.field("allocator_allocated", as_signed(a.allocated));
  out.field("allocator_active", as_signed(a.active));
  out.field("allocator_resident", as_signed(a.resident));
  out.field("allocator_muzzy", as_signed(a.muzzy));
  bytes_field(out, "total_system_memory", parts_.core.facts.total_system_memory);
  const ScriptFigures f = parts_.core.services.scripts != nullptr
                              ? parts_.core.services.scripts->figures()
                              : ScriptFigures{};
  bytes_field(out, "used_memory_lua", f.eval_vm_bytes);
  out.field("used_memory_vm_eval", as_signed(f.eval_vm_bytes));
  out.field("used_memory_scripts_eval", as_signed(f.cache_bytes));
  out.field("number_of_cached_scripts", as_signed(f.cached_scripts));
  out.field("number_of_functions", as_signed(f.functions));
  out.field("number_of_libraries", as_signed(f.libraries));
  out.field("used_memory_vm_functions", as_signed(f.function_vm_bytes));
  bytes_field(out, "used_memory_vm_total", f.eval_vm_bytes + f.function_vm_bytes);
  out.field("used_memory_functions", as_signed(f.library_bytes));
  bytes_field(out, "used_memory_scripts", f.cache_bytes + f.library_bytes);
  bytes_field(out, "maxmemory", parts_.core.settings().maxmemory);
  out.field("maxmemory_policy", parts_.core.config.value_of("maxmemory-policy").value_or(""));
  out.fixed("allocator_frag_ratio", ratio(a.active, a.allocated));
  out.field("allocator_frag_bytes", as_signed(a.active) - as_signed(a.allocated));
  out.fixed("allocator_rss_ratio", ratio(a.resident, a.active));
  out.field("allocator_rss_bytes", as_signed(a.resident) - as_signed(a.active));
  out.fixed("rss_overhead_ratio", ratio(rss, a.resident));
  out.field("rss_overhead_bytes", as_signed(rss) - as_signed(a.resident));
  out.fixed("mem_fragmentation_ratio", ratio(rss, m.total));
  out.field("mem_fragmentation_bytes", as_signed(rss) - as_signed(m.total));
  out.field("mem_not_counted_for_evict", as_signed(parts_.eviction.unsent_to_replicas()));
  out.field("mem_replication_backlog", as_signed(m.backlog));
  out.field("mem_total_replication_buffers", as_signed(m.backlog + m.clients_replica));
  out.field("mem_replica_full_sync_buffer", 0);
  out.field("mem_clients_slaves", as_signed(m.clients_replica));
  out.field("mem_clients_normal", as_signed(m.clients_normal + m.clients_pubsub));
  out.field("mem_cluster_links", as_signed(m.cluster_links));
  out.field("mem_aof_buffer", 0);
  out.field("mem_allocator", a.name);
  // Linear hashing grows a table bucket by bucket: there is never a second table.
  out.field("mem_overhead_db_hashtable_rehashing", 0);
  out.field("active_defrag_running", 0);
  out.field("lazyfree_pending_objects",
            parts_.core.services.reclaimer != nullptr
                ? as_signed(parts_.core.services.reclaimer->pending_objects())
                : 0);
  out.field("lazyfreed_objects", parts_.core.services.reclaimer != nullptr
                                     ? as_signed(parts_.core.services.reclaimer->freed_objects())
                                     : 0);
}

void Reports::write_persistence(InfoWriter& out) {
  out.section("Persistence");
  if (parts_.core.services.persistence != nullptr)
    return parts_.core.services.persistence->write_info(out);
  out.field("loading", parts_.core.loading ? 1 : 0);
  out.field("rdb_changes_since_last_save", as_signed(parts_.core.effects.changes()));
}

void Reports::write_stats(InfoWriter& out) {
  const Stats& s = parts_.core.stats;
  out.section("Stats");
  out.field("total_connections_received", as_signed(s.connections_received));
  out.field("total_commands_processed", as_signed(s.commands_processed));
  out.field("instantaneous_ops_per_sec", as_signed(ops_rate_.per_second()));
  out.field("total_net_input_bytes", as_signed(s.net_input_bytes));
  out.field("total_net_output_bytes", as_signed(s.net_output_bytes));
  out.field("total_net_repl_input_bytes", as_signed(s.net_repl_input_bytes));
  out.field("total_net_repl_output_bytes", as_signed(s.net_repl_output_bytes));
  out.fixed("instantaneous_input_kbps", static_cast<double>(input_rate_.per_second()) / 1024);
  out.fixed("instantaneous_output_kbps", static_cast<double>(output_rate_.per_second()) / 1024);
  out.fixed("instantaneous_input_repl_kbps",
            static_cast<double>(repl_input_rate_.per_second()) / 1024);
  out.fixed("instantaneous_output_repl_kbps",
            static_cast<double>(repl_output_rate_.per_second()) / 1024);
  out.field("rejected_connections", as_signed(s.rejected_connections));
  if (parts_.core.services.replication != nullptr)
    parts_.core.services.replication->write_sync_info(out);
  out.field("expired_subkeys", as_signed(s.expired_subkeys));
  out.field("expired_keys", as_signed(s.expired_keys));
  out.fixed("expired_stale_perc", static_cast<double>(s.stale_percent_x100) / 100);
  out.field("expired_time_cap_reached_count", as_signed(s.expired_time_cap_reached));
  out.field("expire_cycle_cpu_milliseconds", as_signed(s.expire_cycle_us / 1000));
  out.field("evicted_keys", as_signed(s.evicted_keys));
  out.field("evicted_clients", as_signed(s.evicted_clients));
  out.field("evicted_scripts", as_signed(s.evicted_scripts));
  out.field("total_eviction_exceeded_time", as_signed(s.total_eviction_exceeded_ns / 1'000'000));
  out.field("current_eviction_exceeded_time", 0);
  out.field("keyspace_hits", as_signed(s.keyspace_hits));
  out.field("keyspace_misses", as_signed(s.keyspace_misses));
  out.field("pubsub_channels", as_signed(parts_.core.pubsub.channel_count()));
  out.field("pubsub_patterns", as_signed(parts_.core.pubsub.pattern_count()));
  out.field("pubsubshard_channels", as_signed(parts_.core.pubsub.shard_channel_count()));
  if (parts_.core.services.persistence != nullptr)
    parts_.core.services.persistence->write_fork_info(out);
  for (const auto name :
       {"slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
        "active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time",
        "current_active_defrag_time"}) {
    out.field(name, 0);
  }
  const tracking::Table& tracked = parts_.tracker.table();
  out.field("tracking_total_keys", as_signed(tracked.key_count()));
  out.field("tracking_total_items", as_signed(tracked.item_count()));
  out.field("tracking_total_prefixes", as_signed(tracked.prefix_count()));
  out.field("migrate_cached_sockets",
            parts_.core.services.migration != nullptr
                ? as_signed(parts_.core.services.migration->cached_connections())
                : 0);
  out.field("unexpected_error_replies", as_signed(s.unexpected_error_replies));
  out.field("total_error_replies", as_signed(s.total_error_replies));
  out.field("dump_payload_sanitizations", 0);
  out.field("total_reads_processed", as_signed(s.reads_processed));
  out.field("total_writes_processed", as_signed(s.writes_processed));
  out.field("io_threaded_reads_processed", 0);
  out.field("io_threaded_writes_processed", 0);
  out.field("client_query_buffer_limit_disconnections",
            as_signed(s.query_buffer_limit_disconnections));
  out.field("client_output_buffer_limit_disconnections",
            as_signed(s.output_buffer_limit_disconnections));
  out.field("reply_buffer_shrinks", as_signed(s.reply_buffer_shrinks));
  out.field("reply_buffer_expands", as_signed(s.reply_buffer_expands));
  out.field("eventloop_cycles", as_signed(s.eventloop_cycles));
  out.field("eventloop_duration_sum", as_signed(s.eventloop_duration_us));
  out.field("eventloop_duration_cmd_sum", as_signed(s.eventloop_duration_cmd_us));
  const std::uint64_t cycles = cycles_rate_.per_second();
  out.field("instantaneous_eventloop_cycles_per_sec", as_signed(cycles));
  out.field("instantaneous_eventloop_duration_usec",
            cycles == 0 ? 0 : as_signed(turn_time_rate_.per_second() / cycles));
  out.field("acl_access_denied_auth", as_signed(s.acl_denied_auth));
  out.field("acl_access_denied_cmd", as_signed(s.acl_denied_cmd));
  out.field("acl_access_denied_key", as_signed(s.acl_denied_key));
  out.field("acl_access_denied_channel", as_signed(s.acl_denied_channel));
  out.field("acl_access_denied_db", as_signed(s.acl_denied_database));
}

void Reports::write_replication(InfoWriter& out) {
  out.section("Replication");
  out.field("role", parts_.core.following ? "slave" : "master");
  if (parts_.core.following) parts_.core.services.replica->write_info(out);
  if (parts_.core.services.replication != nullptr)
    return parts_.core.services.replication->write_info(out);
  out.field("master_replid", replication_id_);
  out.field("master_repl_offset", as_signed(replication_offset()));
}

void Reports::write_cpu(InfoWriter& out) {
  const ProcessFacts::Cpu cpu =
      parts_.core.facts.cpu != nullptr ? parts_.core.facts.cpu() : ProcessFacts::Cpu{};
  out.section("CPU");
  out.fixed("used_cpu_sys", cpu.system, 6);
  out.fixed("used_cpu_user", cpu.user, 6);
  out.fixed("used_cpu_sys_children", cpu.system_children, 6);
  out.fixed("used_cpu_user_children", cpu.user_children, 6);
  out.fixed("used_cpu_sys_main_thread", cpu.system_main, 6);
  out.fixed("used_cpu_user_main_thread", cpu.user_main, 6);
}

void Reports::write_commandstats(InfoWriter& out) {
  out.section("Commandstats");
  for_each_command(parts_.core.commands, [&](const Command& command) {
    const CommandStats& c = parts_.core.stats.commands[command.id];
    if (c.calls == 0 && c.rejected == 0 && c.failed == 0) return;
    const std::uint64_t usec = c.ns / 1000;
    char text[160];
    std::snprintf(text, sizeof text,
                  "calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu",
                  static_cast<unsigned long long>(c.calls), static_cast<unsigned long long>(usec),
                  ratio(c.ns, c.calls * 1000), static_cast<unsigned long long>(c.rejected),
                  static_cast<unsigned long long>(c.failed));
    out.field("cmdstat_" + command.full_name, std::string_view(text));
  });
}

void Reports::write_errorstats(InfoWriter& out) {
  out.section("Errorstats");
  for (const auto& [code, count] : parts_.core.stats.errors)
    out.field("errorstat_" + code, "count=" + std::to_string(count));
}

void Reports::write_latencystats(InfoWriter& out) {
  out.section("Latencystats");
  for_each_command(parts_.core.commands, [&](const Command& command) {
    if (parts_.core.stats.latencies[command.id] == nullptr) return;
    const LatencyHistogram& h = *parts_.core.stats.latencies[command.id];
    std::string text;
    for (const double percent : parts_.core.settings().latency_tracking_info_percentiles) {
      char part[64];
      std::snprintf(part, sizeof part, "%sp%s=%.3f", text.empty() ? "" : ",",
                    double_text(percent).c_str(),
                    static_cast<double>(h.percentile_ns(percent)) / 1000);
      text += part;
    }
    out.field("latency_percentiles_usec_" + command.full_name, text);
  });
}

void Reports::write_cluster(InfoWriter& out) {
  out.section("Cluster");
  out.field("cluster_enabled", parts_.core.settings().cluster_enabled ? 1 : 0);
}

void Reports::write_keyspace(InfoWriter& out) {
  out.section("Keyspace");
  for (DbIndex i = 0; i < parts_.core.keyspace.db_count(); ++i) {
    const Database& db = parts_.core.keyspace.db(i);
    if (db.size() == 0) continue;
    out.field("db" + std::to_string(i), "keys=" + std::to_string(db.size()) +
                                            ",expires=" + std::to_string(db.volatile_count()) +
                                            ",avg_ttl=" + std::to_string(db.average_ttl_ms()));
  }
}

// Counted when asked for, so that no write pays for it: of a database with more keys, that many are
// looked at and the counts stand for all.
void Reports::write_key_sizes(InfoWriter& out) {
  constexpr std::uint64_t kMostKeys = 100'000;
  out.section("Keysizes");
  for (DbIndex i = 0; i < parts_.core.keyspace.db_count(); ++i) {
    const Database& db = parts_.core.keyspace.db(i);
    if (db.size() == 0) continue;
    KeySizes sizes;
    std::uint64_t cursor = 0, seen = 0;
    do {
      cursor = db.scan(cursor, [&](const Entry& e) {
        sizes.add(e);
        ++seen;
      });
    } while (cursor != 0 && seen < kMostKeys);
    if (cursor != 0) sizes.scale(db.size(), seen);
    sizes.write("db" + std::to_string(i) + "_distrib_", out);
  }
}

void Reports::write_debug(InfoWriter& out) {
  out.section("Debug");
  out.field("eventloop_duration_aof_sum", 0);
  out.field("eventloop_duration_cron_sum", as_signed(parts_.core.stats.eventloop_duration_cron_us));
  out.field("eventloop_duration_max", as_signed(parts_.core.stats.eventloop_duration_max_us));
  out.field("eventloop_cmd_per_cycle_max",
            as_signed(parts_.core.stats.eventloop_cmd_per_cycle_max));
}

}  // namespace hearth
