// INFO server, clients, cpu, modules and cluster. Names of fields are the ones that monitoring
// tools know; a field that this server has no counterpart for is the zero that it is.
#include <algorithm>

#include "src/command/cluster_control.h"
#include "src/command/server_control.h"
#include "src/engine/reports.h"

namespace hearth {
namespace {

namespace fig = figure;

struct ServerFigures {
  const EngineCore& core;
  std::int64_t uptime_seconds;
  int tick_rate;
  ServerControl* server;  // may be null
};

constexpr FigureRow<ServerFigures> kServerRows[] = {
    {fig::constant("redis_version", "Version of Redis whose commands this server has."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.version); }},
    {fig::constant("redis_git_sha1", "Always 0: hearth_version names the build."),
     [](const ServerFigures&) { return "00000000"; }},
    {fig::constant("redis_git_dirty", "Always 0."), [](const ServerFigures&) { return 0; }},
    {fig::constant("redis_build_id", "Name of the build."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.build_id); }},
    {fig::constant("hearth_version", "Version of hearth."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.hearth_version); }},
    {fig::constant("redis_mode", "cluster or standalone."),
     [](const ServerFigures& f) {
       return f.core.settings().cluster_enabled ? "cluster" : "standalone";
     }},
    {fig::constant("os", "Operating system."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.os); }},
    {fig::constant("arch_bits", "Width of a word of the processor."),
     [](const ServerFigures& f) { return f.core.facts.arch_bits; }},
    {fig::constant("monotonic_clock", "Clock that durations are taken from."),
     [](const ServerFigures&) { return "POSIX clock_gettime"; }},
    {fig::constant("multiplexing_api", "How sockets are waited for."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.multiplexing_api); }},
    {fig::constant("atomicvar_api", "Atomics that the build uses."),
     [](const ServerFigures&) { return "c++20-atomic"; }},
    {fig::constant("gcc_version", "Compiler of the build."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.compiler); }},
    {fig::constant("process_id", "Id of the process."),
     [](const ServerFigures& f) { return f.core.facts.pid; }},
    {fig::constant("process_supervised", "Service manager: upstart, systemd, unknown or no."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.process_supervised); }},
    {fig::constant("run_id", "Random name of this run of the server."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.run_id); }},
    {fig::setting("tcp_port", "Port that clients connect to."),
     [](const ServerFigures& f) { return f.core.settings().port; }},
    {fig::counter("server_time_usec", "Microseconds since 1970."),
     [](const ServerFigures& f) {
       const UnixMillis clock = f.core.env.clock;
       return f.server != nullptr ? f.server->unix_micros(clock) : clock.ms * 1000;
     }},
    {fig::counter("uptime_in_seconds", "Seconds since the start."),
     [](const ServerFigures& f) { return f.uptime_seconds; }},
    {fig::counter("uptime_in_days", "The same in days."),
     [](const ServerFigures& f) { return f.uptime_seconds / 86400; }},
    {fig::gauge("hz", "Background ticks a second: more with many clients, see dynamic-hz."),
     [](const ServerFigures& f) { return f.tick_rate; }},
    {fig::setting("configured_hz", "The parameter hz."),
     [](const ServerFigures& f) { return f.core.settings().hz; }},
    {fig::gauge("lru_clock", "Clock of LRU eviction: seconds, 24 bits."),
     [](const ServerFigures& f) { return access_clock::lru(f.core.env.clock); }},
    {fig::constant("executable", "Path of the server's binary."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.executable); }},
    {fig::constant("config_file", "Path of the configuration file, empty if there is none."),
     [](const ServerFigures& f) { return std::string_view(f.core.facts.config_file); }},
    {fig::constant("io_threads_active", "Always 0: one thread does all I/O."),
     [](const ServerFigures&) { return 0; }},
    {fig::gauge("shutdown_in_milliseconds", "Time left for replicas to catch up in a shutdown."),
     [](const ServerFigures& f) {
       const auto left = f.server != nullptr ? f.server->shutdown_left() : std::nullopt;
       return left ? FigureValue(left->count()) : FigureValue();
     }},
    {fig::setting("availability_zone", "The parameter availability-zone."),
     [](const ServerFigures& f) { return std::string_view(f.core.settings().availability_zone); }},
};

struct ClientFigures {
  const EngineCore& core;
  const BlockedClients& blocked_clients;
  std::size_t connected = 0, tracking = 0, bus_links = 0;
  std::uint64_t blocked = 0, subscribed = 0, watching = 0, watched_keys = 0;
  std::uint64_t input_most = 0, output_most = 0;  // buffers, in bytes
};

constexpr FigureRow<ClientFigures> kClientRows[] = {
    {fig::gauge("connected_clients", "Connections of clients, without replicas."),
     [](const ClientFigures& f) { return f.connected; }},
    {fig::gauge("cluster_connections", "Links of the cluster bus."),
     [](const ClientFigures& f) { return f.bus_links; }},
    {fig::setting("maxclients", "The parameter maxclients."),
     [](const ClientFigures& f) { return f.core.settings().maxclients; }},
    {fig::gauge("client_recent_max_input_buffer", "Largest input buffer of a client, in bytes."),
     [](const ClientFigures& f) { return f.input_most; }},
    {fig::gauge("client_recent_max_output_buffer", "Largest output buffer of a client, in bytes."),
     [](const ClientFigures& f) { return f.output_most; }},
    {fig::gauge("blocked_clients", "Clients whose command waits."),
     [](const ClientFigures& f) { return f.blocked; }},
    {fig::gauge("tracking_clients", "Clients that use client-side caching."),
     [](const ClientFigures& f) { return f.tracking; }},
    {fig::gauge("pubsub_clients", "Clients with subscriptions."),
     [](const ClientFigures& f) { return f.subscribed; }},
    {fig::gauge("watching_clients", "Clients that watch keys."),
     [](const ClientFigures& f) { return f.watching; }},
    {fig::gauge("clients_in_timeout_table", "Blocked clients with a time-out."),
     [](const ClientFigures& f) { return f.blocked_clients.timed_count(); }},
    {fig::gauge("total_watched_keys", "Watched keys, each as often as it is watched."),
     [](const ClientFigures& f) { return f.watched_keys; }},
    {fig::gauge("total_blocking_keys", "Keys that clients wait for."),
     [](const ClientFigures& f) { return f.blocked_clients.key_count(); }},
    {fig::gauge("total_blocking_keys_on_nokey", "Keys whose removal clients wait for."),
     [](const ClientFigures& f) { return f.blocked_clients.removal_key_count(); }},
};

constexpr FigureRow<ProcessFacts::Cpu> kCpuRows[] = {
    {fig::counter("used_cpu_sys", "Seconds in the kernel."),
     [](const ProcessFacts::Cpu& c) { return FigureValue::decimal(c.system, 6); }},
    {fig::counter("used_cpu_user", "Seconds of the server's own code."),
     [](const ProcessFacts::Cpu& c) { return FigureValue::decimal(c.user, 6); }},
    {fig::counter("used_cpu_sys_children", "Seconds of children in the kernel."),
     [](const ProcessFacts::Cpu& c) { return FigureValue::decimal(c.system_children, 6); }},
    {fig::counter("used_cpu_user_children", "Seconds of children in their own code."),
     [](const ProcessFacts::Cpu& c) { return FigureValue::decimal(c.user_children, 6); }},
    {fig::counter("used_cpu_sys_main_thread", "Seconds of the main thread in the kernel."),
     [](const ProcessFacts::Cpu& c) { return FigureValue::decimal(c.system_main, 6); }},
    {fig::counter("used_cpu_user_main_thread", "Seconds of the main thread's own code."),
     [](const ProcessFacts::Cpu& c) { return FigureValue::decimal(c.user_main, 6); }},
};

constexpr FigureRow<config::Settings> kClusterRows[] = {
    {fig::setting("cluster_enabled", "Whether this server is a node of a cluster."),
     [](const config::Settings& s) { return s.cluster_enabled; }},
};

}  // namespace

void Reports::write_server(FigureView& view) {
  const EngineCore& core = parts_.core;
  const ServerFigures figures{core, (core.mono - started_mono_).count() / 1'000'000, tick_rate_,
                              core.services.server};
  show_rows<ServerFigures>(kServerRows, &figures, view);
}

void Reports::write_clients(FigureView& view) {
  const EngineCore& core = parts_.core;
  ClientFigures f{core, parts_.blocking.clients()};
  std::size_t replicas = 0;
  for (const auto& [id, s] : parts_.sessions) {
    replicas += s->replica ? 1U : 0U;
    f.blocked += s->is_parked() ? 1U : 0U;
    f.subscribed += s->in_subscribe_mode() ? 1U : 0U;
    f.watching += s->watched.empty() ? 0U : 1U;
    f.watched_keys += s->watched.size();
    f.input_most = std::max<std::uint64_t>(f.input_most, s->query_bytes + s->query_free);
    f.output_most = std::max<std::uint64_t>(f.output_most, s->out.capacity_bytes());
  }
  f.connected = parts_.sessions.count() - replicas;
  f.tracking = parts_.tracker.client_count();
  f.bus_links = core.services.cluster == nullptr ? 0 : core.services.cluster->links().size();
  show_rows<ClientFigures>(kClientRows, &f, view);
}

void Reports::write_cpu(FigureView& view) {
  const ProcessFacts::Cpu cpu =
      parts_.core.facts.cpu != nullptr ? parts_.core.facts.cpu() : ProcessFacts::Cpu{};
  show_rows<ProcessFacts::Cpu>(kCpuRows, &cpu, view);
}

// A title alone: there are no modules.
void Reports::write_modules(FigureView&) {}

void Reports::write_cluster(FigureView& view) {
  show_rows<config::Settings>(kClusterRows, &parts_.core.settings(), view);
}

}  // namespace hearth
