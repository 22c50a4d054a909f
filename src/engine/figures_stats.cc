// INFO stats, persistence, replication and debug. The figures of replication and persistence come
// from their ports; without them the engine has a few of its own.
#include "src/command/migration_control.h"
#include "src/command/persistence_control.h"
#include "src/command/replica_control.h"
#include "src/command/replication_control.h"
#include "src/engine/reports.h"

namespace hearth {
namespace {

namespace fig = figure;

struct Served {
  const EngineCore& core;
  const Stats& stats;
  const Reports::Rates& rates;
  const tracking::Table& tracked;
  microseconds exceeded_for;
};

FigureValue kib_per_second(const RateMeter& rate) {
  return FigureValue::decimal(static_cast<double>(rate.per_second()) / 1024);
}

constexpr FigureRow<Served> kTrafficRows[] = {
    {fig::counter("total_connections_received", "Connections that were accepted."),
     [](const Served& f) { return f.stats.connections_received; }},
    {fig::counter("total_commands_processed", "Commands that ran."),
     [](const Served& f) { return f.stats.commands_processed; }},
    {fig::gauge("instantaneous_ops_per_sec", "Commands a second."),
     [](const Served& f) { return f.rates.ops.per_second(); }},
    {fig::counter("total_net_input_bytes", "Bytes received."),
     [](const Served& f) { return f.stats.net_input_bytes; }},
    {fig::counter("total_net_output_bytes", "Bytes sent."),
     [](const Served& f) { return f.stats.net_output_bytes; }},
    {fig::counter("total_net_repl_input_bytes", "Bytes received from the primary."),
     [](const Served& f) { return f.stats.net_repl_input_bytes; }},
    {fig::counter("total_net_repl_output_bytes", "Bytes sent to replicas."),
     [](const Served& f) { return f.stats.net_repl_output_bytes; }},
    {fig::gauge("instantaneous_input_kbps", "KiB received a second."),
     [](const Served& f) { return kib_per_second(f.rates.input); }},
    {fig::gauge("instantaneous_output_kbps", "KiB sent a second."),
     [](const Served& f) { return kib_per_second(f.rates.output); }},
    {fig::gauge("instantaneous_input_repl_kbps", "KiB received from the primary a second."),
     [](const Served& f) { return kib_per_second(f.rates.repl_input); }},
    {fig::gauge("instantaneous_output_repl_kbps", "KiB sent to replicas a second."),
     [](const Served& f) { return kib_per_second(f.rates.repl_output); }},
    {fig::counter("rejected_connections", "Connections refused for maxclients or protected-mode."),
     [](const Served& f) { return f.stats.rejected_connections; }},
};

constexpr FigureRow<Served> kKeyRows[] = {
    {fig::counter("expired_subkeys", "Hash fields removed at their deadline."),
     [](const Served& f) { return f.stats.expired_subkeys; }},
    {fig::counter("expired_keys", "Keys removed at their deadline."),
     [](const Served& f) { return f.stats.expired_keys; }},
    {fig::gauge("expired_stale_perc", "Estimated share of keys past their deadline, in percent."),
     [](const Served& f) {
       return FigureValue::decimal(static_cast<double>(f.stats.stale_percent_x100) / 100);
     }},
    {fig::counter("expired_time_cap_reached_count", "Expiry cycles that ended for lack of time."),
     [](const Served& f) { return f.stats.expired_time_cap_reached; }},
    {fig::counter("expire_cycle_cpu_milliseconds", "Time spent in expiry cycles."),
     [](const Served& f) { return f.stats.expire_cycle_us / 1000; }},
    {fig::counter("evicted_keys", "Keys removed for maxmemory."),
     [](const Served& f) { return f.stats.evicted_keys; }},
    {fig::counter("evicted_clients", "Clients closed for maxmemory-clients."),
     [](const Served& f) { return f.stats.evicted_clients; }},
    {fig::counter("evicted_scripts", "Scripts dropped from the cache of EVAL."),
     [](const Served& f) { return f.stats.evicted_scripts; }},
    {fig::counter("total_eviction_exceeded_time", "Milliseconds above maxmemory."),
     [](const Served& f) {
       return (static_cast<std::int64_t>(f.stats.eviction_exceeded_us) + f.exceeded_for.count()) /
              1000;
     }},
    {fig::gauge("current_eviction_exceeded_time", "Milliseconds since memory last rose above it."),
     [](const Served& f) { return f.exceeded_for.count() / 1000; }},
    {fig::counter("keyspace_hits", "Look-ups that found their key."),
     [](const Served& f) { return f.stats.keyspace_hits; }},
    {fig::counter("keyspace_misses", "Look-ups that did not."),
     [](const Served& f) { return f.stats.keyspace_misses; }},
    {fig::gauge("pubsub_channels", "Channels with subscribers."),
     [](const Served& f) { return f.core.pubsub.channel_count(); }},
    {fig::gauge("pubsub_patterns", "Patterns with subscribers."),
     [](const Served& f) { return f.core.pubsub.pattern_count(); }},
    {fig::gauge("pubsubshard_channels", "Shard channels with subscribers."),
     [](const Served& f) { return f.core.pubsub.shard_channel_count(); }},
};

constexpr FigureRow<Served> kServingRows[] = {
    {fig::constant("slave_expires_tracked_keys", "Always 0: a replica's own deadlines are few."),
     [](const Served&) { return 0; }},
    {fig::constant("active_defrag_hits", "Always 0: there is no active defragmentation."),
     [](const Served&) { return 0; }},
    {fig::constant("active_defrag_misses", "Always 0."), [](const Served&) { return 0; }},
    {fig::constant("active_defrag_key_hits", "Always 0."), [](const Served&) { return 0; }},
    {fig::constant("active_defrag_key_misses", "Always 0."), [](const Served&) { return 0; }},
    {fig::constant("total_active_defrag_time", "Always 0."), [](const Served&) { return 0; }},
    {fig::constant("current_active_defrag_time", "Always 0."), [](const Served&) { return 0; }},
    {fig::gauge("tracking_total_keys", "Keys that clients have cached."),
     [](const Served& f) { return f.tracked.key_count(); }},
    {fig::gauge("tracking_total_items", "Those, once for each client that has one."),
     [](const Served& f) { return f.tracked.item_count(); }},
    {fig::gauge("tracking_total_prefixes", "Prefixes that clients in broadcasting mode track."),
     [](const Served& f) { return f.tracked.prefix_count(); }},
    {fig::gauge("migrate_cached_sockets", "Connections kept open for the next MIGRATE."),
     [](const Served& f) {
       const MigrationControl* migration = f.core.services.migration;
       return migration != nullptr ? migration->cached_connections() : std::uint64_t{0};
     }},
    {fig::counter("unexpected_error_replies", "Errors in answer to a log or to the primary."),
     [](const Served& f) { return f.stats.unexpected_error_replies; }},
    {fig::counter("total_error_replies", "Errors that clients heard."),
     [](const Served& f) { return f.stats.total_error_replies; }},
    {fig::constant("dump_payload_sanitizations", "Always 0: every payload is checked in full."),
     [](const Served&) { return 0; }},
    {fig::counter("total_reads_processed", "Reads of sockets."),
     [](const Served& f) { return f.stats.reads_processed; }},
    {fig::counter("total_writes_processed", "Writes of sockets."),
     [](const Served& f) { return f.stats.writes_processed; }},
    {fig::constant("io_threaded_reads_processed", "Always 0: one thread does all I/O."),
     [](const Served&) { return 0; }},
    {fig::constant("io_threaded_writes_processed", "Always 0."), [](const Served&) { return 0; }},
    {fig::counter("client_query_buffer_limit_disconnections",
                  "Clients closed for client-query-buffer-limit."),
     [](const Served& f) { return f.stats.query_buffer_limit_disconnections; }},
    {fig::counter("client_output_buffer_limit_disconnections",
                  "Clients closed for client-output-buffer-limit."),
     [](const Served& f) { return f.stats.output_buffer_limit_disconnections; }},
    {fig::counter("reply_buffer_shrinks", "First pieces of output that were made smaller."),
     [](const Served& f) { return f.stats.reply_buffer_shrinks; }},
    {fig::counter("reply_buffer_expands", "First pieces of output that were made larger."),
     [](const Served& f) { return f.stats.reply_buffer_expands; }},
    {fig::counter("eventloop_cycles", "Turns of the loop that did something."),
     [](const Served& f) { return f.stats.eventloop_cycles; }},
    {fig::counter("eventloop_duration_sum", "Microseconds in them."),
     [](const Served& f) { return f.stats.eventloop_duration_us; }},
    {fig::counter("eventloop_duration_cmd_sum", "Microseconds of them in commands."),
     [](const Served& f) { return f.stats.eventloop_duration_cmd_us; }},
    {fig::gauge("instantaneous_eventloop_cycles_per_sec", "Turns of the loop a second."),
     [](const Served& f) { return f.rates.cycles.per_second(); }},
    {fig::gauge("instantaneous_eventloop_duration_usec", "Microseconds of a turn of the loop."),
     [](const Served& f) {
       const std::uint64_t cycles = f.rates.cycles.per_second();
       return cycles == 0 ? 0 : f.rates.turn_time.per_second() / cycles;
     }},
    {fig::counter("acl_access_denied_auth", "Log-ins that failed."),
     [](const Served& f) { return f.stats.acl_denied_auth; }},
    {fig::counter("acl_access_denied_cmd", "Requests denied for their command."),
     [](const Served& f) { return f.stats.acl_denied_cmd; }},
    {fig::counter("acl_access_denied_key", "Requests denied for a key."),
     [](const Served& f) { return f.stats.acl_denied_key; }},
    {fig::counter("acl_access_denied_channel", "Requests denied for a channel."),
     [](const Served& f) { return f.stats.acl_denied_channel; }},
    {fig::counter("acl_access_denied_db", "Requests denied for a database."),
     [](const Served& f) { return f.stats.acl_denied_database; }},
};

constexpr FigureRow<EngineCore> kDataRows[] = {
    {fig::gauge("loading", "1 while the data set is being loaded."),
     [](const EngineCore& core) { return core.loading; }},
    {fig::gauge("rdb_changes_since_last_save", "Changes of the data since the last snapshot."),
     [](const EngineCore& core) { return core.effects.changes(); }},
};

constexpr FigureRow<EngineCore> kRoleRows[] = {
    {fig::text("role", "master or slave."),
     [](const EngineCore& core) { return core.following ? "slave" : "master"; }},
};

constexpr FigureRow<Reports> kStreamRows[] = {
    {fig::text("master_replid", "Id of the stream of effects."),
     [](const Reports& reports) { return reports.replication_id(); }},
    {fig::counter("master_repl_offset", "Bytes of the stream so far."),
     [](const Reports& reports) { return reports.replication_offset(); }},
};

constexpr FigureRow<Stats> kDebugRows[] = {
    {fig::constant("eventloop_duration_aof_sum", "Always 0: a thread of its own writes the log."),
     [](const Stats&) { return 0; }},
    {fig::counter("eventloop_duration_cron_sum", "Microseconds in background work."),
     [](const Stats& s) { return s.eventloop_duration_cron_us; }},
    {fig::gauge("eventloop_duration_max", "Microseconds of the longest turn of the loop."),
     [](const Stats& s) { return s.eventloop_duration_max_us; }},
    {fig::gauge("eventloop_cmd_per_cycle_max", "Most commands in one turn of the loop."),
     [](const Stats& s) { return s.eventloop_cmd_per_cycle_max; }},
};

}  // namespace

void Reports::write_stats(FigureView& view) {
  const Services& services = parts_.core.services;
  const Served figures{parts_.core, parts_.core.stats, rates_, parts_.tracker.table(),
                       parts_.eviction.exceeded_for()};
  show_rows<Served>(kTrafficRows, &figures, view);
  if (services.replication != nullptr) services.replication->write_sync_figures(view);
  show_rows<Served>(kKeyRows, &figures, view);
  if (services.persistence != nullptr) services.persistence->write_fork_figures(view);
  show_rows<Served>(kServingRows, &figures, view);
}

void Reports::write_persistence(FigureView& view) {
  if (parts_.core.services.persistence != nullptr)
    return parts_.core.services.persistence->write_figures(view);
  show_rows<EngineCore>(kDataRows, &parts_.core, view);
}

void Reports::write_replication(FigureView& view) {
  const Services& services = parts_.core.services;
  show_rows<EngineCore>(kRoleRows, &parts_.core, view);
  if (parts_.core.following) services.replica->write_figures(view);
  if (services.replication != nullptr) return services.replication->write_figures(view);
  show_rows<Reports>(kStreamRows, this, view);
}

void Reports::write_debug(FigureView& view) {
  show_rows<Stats>(kDebugRows, &parts_.core.stats, view);
}

}  // namespace hearth
