// CLUSTER SLOT-STATS.
#include <algorithm>
#include <iterator>

#include "src/command/common_specs.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/metrics/stats.h"

namespace hearth::commands {
namespace {

struct SlotRow {
  Slot slot = 0;
  std::uint64_t keys = 0;
  SlotFigures figures;
  std::uint64_t memory = 0;  // estimated
};

struct Metric {
  std::string_view name;
  std::uint64_t (*value)(const SlotRow&);
  bool needs_counting = true;  // told only with cluster-slot-stats-enabled
};
constexpr Metric kMetrics[] = {
    {"key-count", [](const SlotRow& row) { return row.keys; }, false},
    {"cpu-usec", [](const SlotRow& row) { return row.figures.cpu_us; }},
    {"network-bytes-in", [](const SlotRow& row) { return row.figures.bytes_in; }},
    {"network-bytes-out", [](const SlotRow& row) { return row.figures.bytes_out; }},
    {"memory-bytes", [](const SlotRow& row) { return row.memory; }},
};

// Keys that one command looks at, at most, to estimate memory; and of one slot.
constexpr std::size_t kSamplesMost = 32 * 1024;
constexpr std::size_t kSamplesPerSlot = 64;

// The mean of some keys of each slot, times their number: exact where all keys of a slot are looked
// at, and cheap however many there are. Every slot gets the same number of looks.
void estimate_memory(CommandContext& ctx, std::vector<SlotRow>& rows) {
  const auto filled = static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const SlotRow& row) { return row.keys > 0; }));
  if (filled == 0) return;
  const std::size_t samples = std::clamp<std::size_t>(kSamplesMost / filled, 1, kSamplesPerSlot);
  for (SlotRow& row : rows) {
    for (DbIndex i = 0; i < ctx.keyspace().db_count(); ++i) {
      const Database& db = ctx.keyspace().db(i);
      const std::uint64_t keys = db.count_in_slot(row.slot);
      if (keys == 0) continue;
      std::uint64_t bytes = 0, seen = 0;
      db.for_each_in_slot(row.slot, samples, [&](const Entry& entry) {
        bytes += entry.memory_bytes();
        ++seen;
      });
      if (seen > 0) row.memory += bytes * keys / seen;
    }
  }
}

// Of the slots from first to last those of this node's shard.
std::vector<SlotRow> rows_of(CommandContext& ctx, const cluster::View& view, int first, int last) {
  const cluster::NodeView& me = view.me();
  const cluster::NodeIndex owner = me.is_replica() ? view.find(me.replica_of) : view.myself;
  std::vector<SlotRow> rows;
  for (int i = first; i <= last; ++i) {
    const auto slot = static_cast<Slot>(i);
    if (owner == cluster::kNoNode || view.owner[slot] != owner) continue;
    rows.push_back({slot, keys_in_slot(ctx, slot), ctx.services().stats->slots.of(slot), 0});
  }
  if (ctx.settings().cluster_slot_stats_enabled) estimate_memory(ctx, rows);
  return rows;
}

void write_rows(CommandContext& ctx, const std::vector<SlotRow>& rows) {
  const bool counts = ctx.settings().cluster_slot_stats_enabled;
  const auto told = static_cast<std::size_t>(
      std::count_if(std::begin(kMetrics), std::end(kMetrics),
                    [&](const Metric& m) { return counts || !m.needs_counting; }));
  ReplyWriter& reply = ctx.reply();
  reply.array(rows.size());
  for (const SlotRow& row : rows) {
    reply.array(2);
    reply.integer(row.slot);
    reply.map(told);
    for (const Metric& metric : kMetrics) {
      if (metric.needs_counting && !counts) continue;
      reply.bulk(metric.name);
      reply.integer(static_cast<std::int64_t>(metric.value(row)));
    }
  }
}

Outcome by_range(CommandContext& ctx, const cluster::View& view) {
  if (ctx.args().size() != 5) return syntax_error();
  HEARTH_TRY(const Slot first, slot_at(ctx, 3));
  HEARTH_TRY(const Slot last, slot_at(ctx, 4));
  if (first > last) {
    return refuse("ERR Start slot number " + std::to_string(first) +
                  " is greater than end slot number " + std::to_string(last));
  }
  write_rows(ctx, rows_of(ctx, view, first, last));
  return {};
}

Outcome by_metric(CommandContext& ctx, const cluster::View& view) {
  const ArgReader& args = ctx.args();
  const auto* metric = std::find_if(std::begin(kMetrics), std::end(kMetrics),
                                    [&](const Metric& m) { return args.is(3, m.name); });
  const bool counts = ctx.settings().cluster_slot_stats_enabled;
  if (metric == std::end(kMetrics) || (metric->needs_counting && !counts))
    return refuse("ERR Unrecognized sort metric for ORDERBY.");
  std::int64_t limit = kSlotCount;
  bool ascending = false, has_limit = false, has_order = false;
  for (std::size_t i = 4; i < args.size(); ++i) {
    if (!has_limit && args.is(i, "LIMIT", 1)) {
      HEARTH_TRY(limit, args.integer_between(++i, 1, kSlotCount,
                                             "ERR Limit has to lie in between 1 and 16384 (maximum "
                                             "number of slots)."));
      has_limit = true;
    } else if (!has_order && (args.is(i, "ASC") || args.is(i, "DESC"))) {
      ascending = args.is(i, "ASC");
      has_order = true;
    } else {
      return syntax_error();
    }
  }
  std::vector<SlotRow> rows = rows_of(ctx, view, 0, kSlotCount - 1);
  std::stable_sort(rows.begin(), rows.end(), [&](const SlotRow& a, const SlotRow& b) {
    return ascending ? metric->value(a) < metric->value(b) : metric->value(a) > metric->value(b);
  });
  rows.resize(std::min(rows.size(), static_cast<std::size_t>(limit)));
  write_rows(ctx, rows);
  return {};
}

Outcome slot_stats(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const cluster::ViewPtr view = cluster->view();
  if (ctx.args().is(2, "SLOTSRANGE")) return by_range(ctx, *view);
  if (ctx.args().is(2, "ORDERBY")) return by_metric(ctx, *view);
  return syntax_error();
}

constexpr ArgDoc kRange[] = {args::integer("start-slot"), args::integer("end-slot")};
constexpr ArgDoc kOrders[] = {args::token("asc", "ASC"), args::token("desc", "DESC")};
constexpr ArgDoc kOrder[] = {args::string("metric"), args::integer("limit", "LIMIT").opt(),
                             args::one_of("order", kOrders).opt()};
constexpr ArgDoc kFilters[] = {args::block("slotsrange", kRange, "SLOTSRANGE"),
                               args::block("orderby", kOrder, "ORDERBY")};
constexpr ArgDoc kSlotStatsArgs[] = {args::one_of("filter", kFilters)};
constexpr std::string_view kTips[] = {"nondeterministic_output", "request_policy:all_shards"};

}  // namespace

constexpr CommandSpec kClusterSlotStats{
    .name = "SLOT-STATS",
    .summary = "Tells keys, cost and memory of slots of this node's shard.",
    .complexity = "O(N*log(N)) with N the number of slots",
    .since = "8.2.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .args = kSlotStatsArgs,
    .reply = Shape::kArray,
    .handler = slot_stats,
    .tips = kTips,
};

}  // namespace hearth::commands
