// INFO memory.
#include "src/command/reclaimer.h"
#include "src/command/script_control.h"
#include "src/engine/reports.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

namespace fig = figure;

struct MemoryUse {
  const EngineCore& core;
  InfoControl::MemoryFigures m;
  memory::AllocatorStats a;
  ScriptFigures scripts;
  std::uint64_t rss;
  std::uint64_t unsent_to_replicas;
  const Reclaimer* reclaimer;  // may be null
};

// Differences may be negative.
constexpr std::int64_t difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a) - static_cast<std::int64_t>(b);
}
constexpr FigureValue ratio_of(std::uint64_t a, std::uint64_t b) {
  return FigureValue::decimal(FigureValue::ratio(a, b));
}

constexpr FigureRow<MemoryUse> kMemoryRows[] = {
    {fig::memory("used_memory", "Bytes that the allocator gave out."),
     [](const MemoryUse& f) { return f.m.total; }},
    {fig::memory("used_memory_rss", "Bytes of the process that are resident."),
     [](const MemoryUse& f) { return f.rss; }},
    {fig::memory("used_memory_peak", "The most that used_memory has been."),
     [](const MemoryUse& f) { return f.m.peak; }},
    {fig::gauge("used_memory_peak_perc", "used_memory as a share of its peak."),
     [](const MemoryUse& f) { return FigureValue::percent(f.m.total, f.m.peak); }},
    {fig::gauge("used_memory_overhead", "Bytes for all but the data: buffers, tables, scripts."),
     [](const MemoryUse& f) { return f.m.overhead; }},
    {fig::constant("used_memory_startup", "Bytes that were in use after the start."),
     [](const MemoryUse& f) { return f.m.startup; }},
    {fig::gauge("used_memory_dataset", "Bytes of the data: used_memory without the overhead."),
     [](const MemoryUse& f) { return f.m.dataset; }},
    {fig::gauge("used_memory_dataset_perc", "The data's share of what came after the start."),
     [](const MemoryUse& f) {
       const std::uint64_t net = f.m.total > f.m.startup ? f.m.total - f.m.startup : 0;
       return FigureValue::percent(f.m.dataset, net);
     }},
    {fig::gauge("allocator_allocated", "Bytes that the allocator counts as given out."),
     [](const MemoryUse& f) { return f.a.allocated; }},
    {fig::gauge("allocator_active", "Bytes of the allocator's pages in use."),
     [](const MemoryUse& f) { return f.a.active; }},
    {fig::gauge("allocator_resident", "Bytes of the allocator's pages that are resident."),
     [](const MemoryUse& f) { return f.a.resident; }},
    {fig::constant("allocator_muzzy",
                   "Bytes of pages that the kernel may take back: 0, as jemalloc keeps none."),
     [](const MemoryUse& f) { return f.a.muzzy; }},
    {{.name = "total_system_memory",
      .kind = FigureKind::kConstant,
      .help = "Bytes of memory of the machine.",
      .is_memory = true},
     [](const MemoryUse& f) { return f.core.facts.total_system_memory; }},
    {fig::memory("used_memory_lua", "Bytes of the interpreter of EVAL."),
     [](const MemoryUse& f) { return f.scripts.eval_vm_bytes; }},
    {fig::gauge("used_memory_vm_eval", "The same."),
     [](const MemoryUse& f) { return f.scripts.eval_vm_bytes; }},
    {fig::gauge("used_memory_scripts_eval", "Bytes of cached scripts."),
     [](const MemoryUse& f) { return f.scripts.cache_bytes; }},
    {fig::gauge("number_of_cached_scripts", "Scripts in the cache of EVALSHA."),
     [](const MemoryUse& f) { return f.scripts.cached_scripts; }},
    {fig::gauge("number_of_functions", "Functions of all libraries."),
     [](const MemoryUse& f) { return f.scripts.functions; }},
    {fig::gauge("number_of_libraries", "Libraries of functions."),
     [](const MemoryUse& f) { return f.scripts.libraries; }},
    {fig::gauge("used_memory_vm_functions", "Bytes of the interpreter of functions."),
     [](const MemoryUse& f) { return f.scripts.function_vm_bytes; }},
    {fig::memory("used_memory_vm_total", "Bytes of both interpreters."),
     [](const MemoryUse& f) { return f.scripts.eval_vm_bytes + f.scripts.function_vm_bytes; }},
    {fig::gauge("used_memory_functions", "Bytes of libraries of functions."),
     [](const MemoryUse& f) { return f.scripts.library_bytes; }},
    {fig::memory("used_memory_scripts", "Bytes of cached scripts and libraries."),
     [](const MemoryUse& f) { return f.scripts.cache_bytes + f.scripts.library_bytes; }},
    {{.name = "maxmemory",
      .kind = FigureKind::kSetting,
      .help = "The parameter maxmemory.",
      .is_memory = true},
     [](const MemoryUse& f) { return f.core.settings().maxmemory; }},
    {fig::setting("maxmemory_policy", "The parameter maxmemory-policy."),
     [](const MemoryUse& f) { return f.core.config.value_of("maxmemory-policy").value_or(""); }},
    {fig::gauge("allocator_frag_ratio", "allocator_active / allocator_allocated."),
     [](const MemoryUse& f) { return ratio_of(f.a.active, f.a.allocated); }},
    {fig::gauge("allocator_frag_bytes", "Their difference."),
     [](const MemoryUse& f) { return difference(f.a.active, f.a.allocated); }},
    {fig::gauge("allocator_rss_ratio", "allocator_resident / allocator_active."),
     [](const MemoryUse& f) { return ratio_of(f.a.resident, f.a.active); }},
    {fig::gauge("allocator_rss_bytes", "Their difference."),
     [](const MemoryUse& f) { return difference(f.a.resident, f.a.active); }},
    {fig::gauge("rss_overhead_ratio", "used_memory_rss / allocator_resident."),
     [](const MemoryUse& f) { return ratio_of(f.rss, f.a.resident); }},
    {fig::gauge("rss_overhead_bytes", "Their difference."),
     [](const MemoryUse& f) { return difference(f.rss, f.a.resident); }},
    {fig::gauge("mem_fragmentation_ratio", "used_memory_rss / used_memory."),
     [](const MemoryUse& f) { return ratio_of(f.rss, f.m.total); }},
    {fig::gauge("mem_fragmentation_bytes", "Their difference."),
     [](const MemoryUse& f) { return difference(f.rss, f.m.total); }},
    {fig::gauge("mem_not_counted_for_evict", "Bytes for replicas, which cause no eviction."),
     [](const MemoryUse& f) { return f.unsent_to_replicas; }},
    {fig::gauge("mem_replication_backlog", "Bytes of the backlog."),
     [](const MemoryUse& f) { return f.m.backlog; }},
    {fig::gauge("mem_total_replication_buffers", "Bytes of the backlog and of replicas' output."),
     [](const MemoryUse& f) { return f.m.backlog + f.m.clients_replica; }},
    {fig::constant("mem_replica_full_sync_buffer", "Always 0: the stream goes to the data."),
     [](const MemoryUse&) { return 0; }},
    {fig::gauge("mem_clients_slaves", "Bytes of the connections of replicas."),
     [](const MemoryUse& f) { return f.m.clients_replica; }},
    {fig::gauge("mem_clients_normal", "Bytes of the connections of all other clients."),
     [](const MemoryUse& f) { return f.m.clients_normal + f.m.clients_pubsub; }},
    {fig::gauge("mem_cluster_links", "Bytes that wait in links of the cluster bus."),
     [](const MemoryUse& f) { return f.m.cluster_links; }},
    {fig::constant("mem_aof_buffer", "Always 0: see aof_buffer_length."),
     [](const MemoryUse&) { return 0; }},
    {fig::constant("mem_allocator", "Name of the allocator."),
     [](const MemoryUse& f) { return std::string_view(f.a.name); }},
    {fig::constant("mem_overhead_db_hashtable_rehashing",
                   "Always 0: tables grow bucket by bucket, and there is never a second one."),
     [](const MemoryUse&) { return 0; }},
    {fig::constant("active_defrag_running", "Always 0: there is no active defragmentation."),
     [](const MemoryUse&) { return 0; }},
    {fig::gauge("lazyfree_pending_objects", "Values that wait for the background thread."),
     [](const MemoryUse& f) {
       return f.reclaimer != nullptr ? f.reclaimer->pending_objects() : std::uint64_t{0};
     }},
    {fig::counter("lazyfreed_objects", "Values that the background thread has freed."),
     [](const MemoryUse& f) {
       return f.reclaimer != nullptr ? f.reclaimer->freed_objects() : std::uint64_t{0};
     }},
};

}  // namespace

void Reports::write_memory(FigureView& view) {
  const EngineCore& core = parts_.core;
  const MemoryUse figures{
      core,
      memory_figures(),
      memory::allocator_stats(),
      core.services.scripts != nullptr ? core.services.scripts->figures() : ScriptFigures{},
      memory::resident_bytes(),
      parts_.eviction.unsent_to_replicas(),
      core.services.reclaimer};
  show_rows<MemoryUse>(kMemoryRows, &figures, view);
}

}  // namespace hearth
