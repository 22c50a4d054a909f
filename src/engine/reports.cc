#include "src/engine/reports.h"

#include <algorithm>
#include <array>

#include "src/command/cluster_control.h"
#include "src/command/script_control.h"
#include "src/store/memory.h"

namespace hearth {

constexpr Reports::SectionRow Reports::kSectionRows[] = {
    {{"server"}, "Server", &Reports::write_server},
    {{"clients"}, "Clients", &Reports::write_clients},
    {{"memory"}, "Memory", &Reports::write_memory},
    {{"persistence"}, "Persistence", &Reports::write_persistence},
    {{"stats"}, "Stats", &Reports::write_stats},
    {{"replication"}, "Replication", &Reports::write_replication},
    {{"cpu"}, "CPU", &Reports::write_cpu},
    {{"modules"}, "Modules", &Reports::write_modules},
    {{"commandstats", false}, "Commandstats", &Reports::write_commandstats},
    {{"errorstats"}, "Errorstats", &Reports::write_errorstats},
    {{"latencystats", false}, "Latencystats", &Reports::write_latencystats},
    {{"cluster"}, "Cluster", &Reports::write_cluster},
    {{"warm"}, "Warm", &Reports::write_warm},
    {{"keyspace"}, "Keyspace", &Reports::write_keyspace},
    {{"keysizes", false}, "Keysizes", &Reports::write_key_sizes},
    {{"debug", false, false}, "Debug", &Reports::write_debug},
};

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
  rates_.ops.sample(now, stats.commands_processed);
  rates_.input.sample(now, stats.net_input_bytes);
  rates_.output.sample(now, stats.net_output_bytes);
  rates_.repl_input.sample(now, stats.net_repl_input_bytes);
  rates_.repl_output.sample(now, stats.net_repl_output_bytes);
  rates_.cycles.sample(now, stats.eventloop_cycles);
  rates_.turn_time.sample(now, stats.eventloop_duration_us);
}

std::span<const InfoControl::Section> Reports::sections() const {
  static constexpr auto kSections = [] {
    std::array<Section, std::size(kSectionRows)> sections;
    for (std::size_t i = 0; i < sections.size(); ++i) sections[i] = kSectionRows[i].section;
    return sections;
  }();
  return kSections;
}

void Reports::write(const Section& section, FigureView& view) {
  for (const SectionRow& row : kSectionRows) {
    if (row.section.name != section.name) continue;
    view.begin_section(row.title);
    (this->*row.write)(view);
  }
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

}  // namespace hearth
