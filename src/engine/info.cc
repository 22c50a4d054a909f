// INFO: every section, from the figures the engine holds. Field names are the ones monitoring tools
// know; what this server has no counterpart for is reported as the zero it is.
#include <algorithm>
#include <cstdio>

#include "src/base/bytes.h"
#include "src/command/cluster_control.h"
#include "src/engine/engine.h"
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

std::span<const InfoControl::Section> Engine::sections() const {
  static constexpr Section kSections[] = {
      {"server", true, true},      {"clients", true, true},       {"memory", true, true},
      {"persistence", true, true}, {"stats", true, true},         {"replication", true, true},
      {"cpu", true, true},         {"modules", true, true},       {"commandstats", false, true},
      {"errorstats", true, true},  {"latencystats", false, true}, {"cluster", true, true},
      {"keyspace", true, true},    {"keysizes", false, true},     {"debug", false, false},
  };
  return kSections;
}

void Engine::write(std::string_view section, InfoWriter& out) {
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

void Engine::write_server(InfoWriter& out) {
  const std::int64_t uptime = (mono_ - started_mono_).count() / 1'000'000;
  out.section("Server");
  out.field("redis_version", facts_.version);
  out.field("redis_git_sha1", "00000000");
  out.field("redis_git_dirty", 0);
  out.field("redis_build_id", facts_.build_id);
  out.field("hearth_version", facts_.hearth_version);
  out.field("redis_mode", settings().cluster_enabled ? "cluster" : "standalone");
  out.field("os", facts_.os);
  out.field("arch_bits", facts_.arch_bits);
  out.field("monotonic_clock", "POSIX clock_gettime");
  out.field("multiplexing_api", facts_.multiplexing_api);
  out.field("atomicvar_api", "c++20-atomic");
  out.field("gcc_version", facts_.compiler);
  out.field("process_id", facts_.pid);
  out.field("process_supervised", facts_.process_supervised);
  out.field("run_id", facts_.run_id);
  out.field("tcp_port", settings().port);
  out.field("server_time_usec", services_.server != nullptr
                                    ? services_.server->unix_micros(env_.clock)
                                    : env_.clock.ms * 1000);
  out.field("uptime_in_seconds", uptime);
  out.field("uptime_in_days", uptime / 86400);
  out.field("hz", tick_rate_);
  out.field("configured_hz", settings().hz);
  out.field("lru_clock", access_clock::lru(env_.clock));
  out.field("executable", facts_.executable);
  out.field("config_file", facts_.config_file);
  out.field("io_threads_active", 0);
  if (services_.server != nullptr) {
    if (const auto left = services_.server->shutdown_left())
      out.field("shutdown_in_milliseconds", left->count());
  }
  out.field("availability_zone", settings().availability_zone);
}

void Engine::write_clients(InfoWriter& out) {
  std::uint64_t replicas = 0, blocked = 0, subscribed = 0, watching = 0, input_most = 0,
                output_most = 0, watched = 0;
  for (const auto& [id, s] : sessions_) {
    replicas += s->replica ? 1U : 0U;
    blocked += s->parked ? 1U : 0U;
    subscribed += s->in_subscribe_mode() ? 1U : 0U;
    watching += s->watched.empty() ? 0U : 1U;
    watched += s->watched.size();
    input_most = std::max<std::uint64_t>(input_most, s->query_bytes + s->query_free);
    output_most = std::max<std::uint64_t>(output_most, s->out.capacity_bytes());
  }
  out.section("Clients");
  out.field("connected_clients", as_signed(sessions_.size() - replicas));
  const std::size_t bus_links =
      services_.cluster == nullptr ? 0 : services_.cluster->links().size();
  out.field("cluster_connections", as_signed(bus_links));
  out.field("maxclients", settings().maxclients);
  out.field("client_recent_max_input_buffer", as_signed(input_most));
  out.field("client_recent_max_output_buffer", as_signed(output_most));
  out.field("blocked_clients", as_signed(blocked));
  out.field("tracking_clients", as_signed(tracker_->client_count()));
  out.field("pubsub_clients", as_signed(subscribed));
  out.field("watching_clients", as_signed(watching));
  out.field("clients_in_timeout_table", as_signed(blocked_.timed_count()));
  out.field("total_watched_keys", as_signed(watched));
  out.field("total_blocking_keys", as_signed(blocked_.key_count()));
  out.field("total_blocking_keys_on_nokey", as_signed(blocked_.removal_key_count()));
}

InfoControl::MemoryFigures Engine::memory_figures() {
  MemoryFigures m;
  m.total = memory::used_bytes();
  stats_.used_memory_peak = std::max(stats_.used_memory_peak, m.total);
  m.peak = stats_.used_memory_peak;
  m.startup = startup_bytes_;
  for (const auto& [id, s] : sessions_)
    (s->replica               ? m.clients_replica
     : s->in_subscribe_mode() ? m.clients_pubsub
                              : m.clients_normal) += s->memory_bytes();
  for (DbIndex i = 0; i < keyspace_.db_count(); ++i)
    m.tables += keyspace_.db(i).table_memory_bytes();
  if (services_.scripts != nullptr) {
    const ScriptFigures f = services_.scripts->figures();
    m.scripts = f.eval_vm_bytes + f.cache_bytes;
    m.functions = f.function_vm_bytes + f.library_bytes;
  }
  if (services_.replication != nullptr) m.backlog = services_.replication->backlog_bytes();
  if (services_.cluster != nullptr) {
    for (const auto& link : services_.cluster->links()) m.cluster_links += link.send_buffer_bytes;
  }
  m.overhead = m.startup + m.clients_normal + m.clients_pubsub + m.clients_replica + m.backlog +
               m.cluster_links + m.tables + m.scripts + m.functions;
  m.dataset = m.total > m.overhead ? m.total - m.overhead : 0;
  return m;
}

void Engine::write_memory(InfoWriter& out) {
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
  bytes_field(out, "total_system_memory", facts_.total_system_memory);
  const ScriptFigures f =
      services_.scripts != nullptr ? services_.scripts->figures() : ScriptFigures{};
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
  bytes_field(out, "maxmemory", settings().maxmemory);
  out.field("maxmemory_policy", config_->value_of("maxmemory-policy").value_or(""));
  out.fixed("allocator_frag_ratio", ratio(a.active, a.allocated));
  out.field("allocator_frag_bytes", as_signed(a.active) - as_signed(a.allocated));
  out.fixed("allocator_rss_ratio", ratio(a.resident, a.active));
  out.field("allocator_rss_bytes", as_signed(a.resident) - as_signed(a.active));
  out.fixed("rss_overhead_ratio", ratio(rss, a.resident));
  out.field("rss_overhead_bytes", as_signed(rss) - as_signed(a.resident));
  out.fixed("mem_fragmentation_ratio", ratio(rss, m.total));
  out.field("mem_fragmentation_bytes", as_signed(rss) - as_signed(m.total));
  out.field("mem_not_counted_for_evict", as_signed(unsent_to_replicas()));
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
            services_.reclaimer != nullptr ? as_signed(services_.reclaimer->pending_objects()) : 0);
  out.field("lazyfreed_objects",
            services_.reclaimer != nullptr ? as_signed(services_.reclaimer->freed_objects()) : 0);
}

void Engine::write_persistence(InfoWriter& out) {
  out.section("Persistence");
  if (services_.persistence != nullptr) return services_.persistence->write_info(out);
  out.field("loading", loading_ ? 1 : 0);
  out.field("rdb_changes_since_last_save", as_signed(effects_.changes()));
}

void Engine::write_stats(InfoWriter& out) {
  const Stats& s = stats_;
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
  if (services_.replication != nullptr) services_.replication->write_sync_info(out);
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
  out.field("pubsub_channels", as_signed(pubsub_.channel_count()));
  out.field("pubsub_patterns", as_signed(pubsub_.pattern_count()));
  out.field("pubsubshard_channels", as_signed(pubsub_.shard_channel_count()));
  if (services_.persistence != nullptr) services_.persistence->write_fork_info(out);
  for (const auto name :
       {"slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
        "active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time",
        "current_active_defrag_time"}) {
    out.field(name, 0);
  }
  const tracking::Table& tracked = tracker_->table();
  out.field("tracking_total_keys", as_signed(tracked.key_count()));
  out.field("tracking_total_items", as_signed(tracked.item_count()));
  out.field("tracking_total_prefixes", as_signed(tracked.prefix_count()));
  out.field("migrate_cached_sockets", services_.migration != nullptr
                                          ? as_signed(services_.migration->cached_connections())
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

void Engine::write_replication(InfoWriter& out) {
  out.section("Replication");
  out.field("role", following_ ? "slave" : "master");
  if (following_) services_.replica->write_info(out);
  if (services_.replication != nullptr) return services_.replication->write_info(out);
  out.field("master_replid", replication_id_);
  out.field("master_repl_offset", as_signed(replication_offset()));
}

void Engine::write_cpu(InfoWriter& out) {
  const ProcessFacts::Cpu cpu = facts_.cpu != nullptr ? facts_.cpu() : ProcessFacts::Cpu{};
  out.section("CPU");
  out.fixed("used_cpu_sys", cpu.system, 6);
  out.fixed("used_cpu_user", cpu.user, 6);
  out.fixed("used_cpu_sys_children", cpu.system_children, 6);
  out.fixed("used_cpu_user_children", cpu.user_children, 6);
  out.fixed("used_cpu_sys_main_thread", cpu.system_main, 6);
  out.fixed("used_cpu_user_main_thread", cpu.user_main, 6);
}

void Engine::write_commandstats(InfoWriter& out) {
  out.section("Commandstats");
  for_each_command(*commands_, [&](const Command& command) {
    const CommandStats& c = stats_.commands[command.id];
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

void Engine::write_errorstats(InfoWriter& out) {
  out.section("Errorstats");
  for (const auto& [code, count] : stats_.errors)
    out.field("errorstat_" + code, "count=" + std::to_string(count));
}

void Engine::write_latencystats(InfoWriter& out) {
  out.section("Latencystats");
  for_each_command(*commands_, [&](const Command& command) {
    if (stats_.latencies[command.id] == nullptr) return;
    const LatencyHistogram& h = *stats_.latencies[command.id];
    std::string text;
    for (const double percent : settings().latency_tracking_info_percentiles) {
      char part[64];
      std::snprintf(part, sizeof part, "%sp%s=%.3f", text.empty() ? "" : ",",
                    double_text(percent).c_str(),
                    static_cast<double>(h.percentile_ns(percent)) / 1000);
      text += part;
    }
    out.field("latency_percentiles_usec_" + command.full_name, text);
  });
}

void Engine::write_cluster(InfoWriter& out) {
  out.section("Cluster");
  out.field("cluster_enabled", settings().cluster_enabled ? 1 : 0);
}

void Engine::write_keyspace(InfoWriter& out) {
  out.section("Keyspace");
  for (DbIndex i = 0; i < keyspace_.db_count(); ++i) {
    const Database& db = keyspace_.db(i);
    if (db.size() == 0) continue;
    out.field("db" + std::to_string(i), "keys=" + std::to_string(db.size()) +
                                            ",expires=" + std::to_string(db.volatile_count()) +
                                            ",avg_ttl=" + std::to_string(db.average_ttl_ms()));
  }
}

// Counted when asked for, so that no write pays for it: of a database with more keys, that many are
// looked at and the counts stand for all.
void Engine::write_key_sizes(InfoWriter& out) {
  constexpr std::uint64_t kMostKeys = 100'000;
  out.section("Keysizes");
  for (DbIndex i = 0; i < keyspace_.db_count(); ++i) {
    const Database& db = keyspace_.db(i);
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

void Engine::write_debug(InfoWriter& out) {
  out.section("Debug");
  out.field("eventloop_duration_aof_sum", 0);
  out.field("eventloop_duration_cron_sum", as_signed(stats_.eventloop_duration_cron_us));
  out.field("eventloop_duration_max", as_signed(stats_.eventloop_duration_max_us));
  out.field("eventloop_cmd_per_cycle_max", as_signed(stats_.eventloop_cmd_per_cycle_max));
}

}  // namespace hearth
