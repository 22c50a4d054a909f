// MEMORY: what memory is used for.
#include <cstdio>

#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/command/info_control.h"
#include "src/commands/server/family.h"
#include "src/store/memory.h"

namespace hearth::commands {
namespace {

// A key's share of its table: a 64-byte bucket holds 21/4 entries on average.
constexpr std::size_t kTableBytesPerKey = 12;
constexpr std::uint64_t kSmall = 5ULL * 1024 * 1024;

double ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

Outcome memory_usage(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  // Sizes are kept, not estimated from samples: the option is read and changes nothing.
  for (std::size_t i = 3; i < args.size(); i += 2) {
    if (!args.is(i, "SAMPLES", 1)) return syntax_error();
    HEARTH_TRY(const std::int64_t samples, args.integer(i + 1));
    if (samples < 0) return syntax_error();
  }
  const Found at = ctx.keys().peek(ctx.key(2));
  if (at)
    ctx.reply().integer(static_cast<std::int64_t>(at->memory_bytes() + kTableBytesPerKey));
  else
    ctx.reply().null();
  return {};
}

// Collects a map whose size is known only at its end.
class Figures {
 public:
  void add(std::string_view name, std::uint64_t value) {
    items_.push_back({name, static_cast<std::int64_t>(value), 0, false});
  }
  void add_signed(std::string_view name, std::int64_t value) {
    items_.push_back({name, value, 0, false});
  }
  void add_real(std::string_view name, double value) { items_.push_back({name, 0, value, true}); }
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  void write(ReplyWriter& reply) const {
    for (const Item& item : items_) {
      reply.bulk(item.name);
      if (item.is_real)
        reply.real(item.real);
      else
        reply.integer(item.integer);
    }
  }

 private:
  struct Item {
    std::string_view name;
    std::int64_t integer;
    double real;
    bool is_real;
  };
  std::vector<Item> items_;
};

Outcome memory_stats(CommandContext& ctx) {
  const InfoControl::MemoryFigures m = ctx.services().info->memory_figures();
  const memory::AllocatorStats a = memory::allocator_stats();
  const std::uint64_t rss = memory::resident_bytes();
  Keyspace& keyspace = ctx.keyspace();
  const std::uint64_t net = m.total > m.startup ? m.total - m.startup : 0;
  const std::uint64_t keys = keyspace.total_keys();

  Figures before;
  before.add("peak.allocated", m.peak);
  before.add("total.allocated", m.total);
  before.add("startup.allocated", m.startup);
  before.add("replication.backlog", m.backlog);
  before.add("clients.slaves", m.clients_replica);
  before.add("clients.normal", m.clients_normal + m.clients_pubsub);
  before.add("cluster.links", m.cluster_links);
  before.add("aof.buffer", 0);
  before.add("lua.caches", m.scripts);
  before.add("functions.caches", m.functions);
  Figures after;
  after.add("overhead.db.hashtable.lut", m.tables);
  after.add("overhead.db.hashtable.rehashing", 0);
  after.add("db.dict.rehashing.count", 0);
  after.add("overhead.total", m.overhead);
  after.add("keys.count", keys);
  after.add("keys.bytes-per-key", keys == 0 ? 0 : net / keys);
  after.add("dataset.bytes", m.dataset);
  after.add_real("dataset.percentage", 100 * ratio(m.dataset, net));
  after.add_real("peak.percentage", 100 * ratio(m.total, m.peak));
  after.add("allocator.allocated", a.allocated);
  after.add("allocator.active", a.active);
  after.add("allocator.resident", a.resident);
  after.add("allocator.muzzy", a.muzzy);
  after.add_real("allocator-fragmentation.ratio", ratio(a.active, a.allocated));
  after.add_signed("allocator-fragmentation.bytes",
                   static_cast<std::int64_t>(a.active) - static_cast<std::int64_t>(a.allocated));
  after.add_real("allocator-rss.ratio", ratio(a.resident, a.active));
  after.add_signed("allocator-rss.bytes",
                   static_cast<std::int64_t>(a.resident) - static_cast<std::int64_t>(a.active));
  after.add_real("rss-overhead.ratio", ratio(rss, a.resident));
  after.add_signed("rss-overhead.bytes",
                   static_cast<std::int64_t>(rss) - static_cast<std::int64_t>(a.resident));
  after.add_real("fragmentation", ratio(rss, m.total));
  after.add_signed("fragmentation.bytes",
                   static_cast<std::int64_t>(rss) - static_cast<std::int64_t>(m.total));

  std::vector<DbIndex> used;
  for (DbIndex i = 0; i < keyspace.db_count(); ++i) {
    // A database that was emptied key by key still has its table.
    if (keyspace.db(i).table_memory_bytes() > 0) used.push_back(i);
  }
  ReplyWriter& reply = ctx.reply();
  reply.map(before.size() + used.size() + after.size());
  before.write(reply);
  for (const DbIndex i : used) {
    reply.bulk("db." + std::to_string(i));
    reply.map(2);
    reply.bulk("overhead.hashtable.main");
    reply.integer(static_cast<std::int64_t>(keyspace.db(i).table_memory_bytes()));
    reply.bulk("overhead.hashtable.expires");
    reply.integer(0);  // deadlines stand in the entries
  }
  after.write(reply);
  return {};
}

Outcome memory_doctor(CommandContext& ctx) {
  const InfoControl::MemoryFigures m = ctx.services().info->memory_figures();
  const std::uint64_t rss = memory::resident_bytes();
  std::string text;
  if (m.total < kSmall) {
    text = "There is too little data to judge: come back when it is more than 5 MB.\n";
  } else {
    if (m.peak > m.total + m.total / 2) {
      text += "* The peak was " + human_bytes(m.peak) + ", now " + human_bytes(m.total) +
              " are in use. Pages that the peak left behind may still count as resident: MEMORY "
              "PURGE gives them back.\n";
    }
    if (ratio(rss, m.total) > 1.4 && rss - m.total > 2 * kSmall) {
      text += "* The process holds " + human_bytes(rss) + " for " + human_bytes(m.total) +
              " of data: memory is fragmented, or was given back but not yet to the system.\n";
    }
    if (rss != 0 && rss < m.total - m.total / 10) {
      text += "* Less is resident (" + human_bytes(rss) + ") than in use (" + human_bytes(m.total) +
              "): the system is swapping.\n";
    }
    if (m.clients_normal > m.total / 4) {
      text += "* Buffers of clients take " + human_bytes(m.clients_normal) +
              ": some send faster than they are served, or don't read. See CLIENT LIST, fields "
              "omem and qbuf.\n";
    }
    if (text.empty()) text = "Nothing stands out.\n";
  }
  ctx.reply().verbatim("txt", text);
  return {};
}

Outcome memory_malloc_stats(CommandContext& ctx) {
  const memory::AllocatorStats a = memory::allocator_stats();
  std::string text = "Allocator: " + a.name + "\n";
  const auto line = [&](std::string_view name, std::uint64_t bytes) {
    char row[96];
    std::snprintf(row, sizeof row, "%-12.*s %20llu\n", static_cast<int>(name.size()), name.data(),
                  static_cast<unsigned long long>(bytes));
    text += row;
  };
  line("allocated", a.allocated);
  line("active", a.active);
  line("resident", a.resident);
  line("retained", a.retained);
  line("muzzy", a.muzzy);
  ctx.reply().verbatim("txt", text);
  return {};
}

Outcome memory_purge(CommandContext& ctx) {
  memory::purge();
  ctx.reply().ok();
  return {};
}

constexpr KeySpec kUsageKeys[] = {KeySpec::one(2, access::kReadMeta)};
constexpr ArgDoc kUsageArgs[] = {args::key(), args::integer("count", "SAMPLES").opt()};
constexpr std::string_view kMemoryTips[] = {"nondeterministic_output", "request_policy:all_shards",
                                            "response_policy:special"};
constexpr std::string_view kPurgeTips[] = {"request_policy:all_shards",
                                           "response_policy:all_succeeded"};

constexpr CommandSpec kUsage{
    .name = "USAGE",
    .summary = "Returns how many bytes a key and its value take.",
    .complexity = "O(1)",
    .since = "4.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .group = Group::kServer,
    .keys = kUsageKeys,
    .args = kUsageArgs,
    .reply = Shape::kInteger | Shape::kNull,
    .handler = memory_usage,
};
constexpr CommandSpec kStats{
    .name = "STATS",
    .summary = "Returns what the server's memory is used for.",
    .complexity = "O(N) with N the number of connections and databases",
    .since = "4.0.0",
    .arity = Arity::exactly(2),
    .group = Group::kServer,
    .reply = Shape::kMap,
    .handler = memory_stats,
    .tips = kMemoryTips,
};
constexpr CommandSpec kMemoryDoctor{
    .name = "DOCTOR",
    .summary = "Says whether something about the use of memory stands out.",
    .complexity = "O(N) with N the number of connections",
    .since = "4.0.0",
    .arity = Arity::exactly(2),
    .group = Group::kServer,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = memory_doctor,
    .tips = kMemoryTips,
};
constexpr CommandSpec kMallocStats{
    .name = "MALLOC-STATS",
    .summary = "Returns the allocator's own figures.",
    .complexity = "O(1)",
    .since = "4.0.0",
    .arity = Arity::exactly(2),
    .group = Group::kServer,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = memory_malloc_stats,
    .tips = kMemoryTips,
};
constexpr CommandSpec kPurge{
    .name = "PURGE",
    .summary = "Gives memory that is free back to the system.",
    .complexity = "Depends on how much is free",
    .since = "4.0.0",
    .arity = Arity::exactly(2),
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = memory_purge,
    .tips = kPurgeTips,
};
constexpr CommandSpec kMemoryHelp = help_spec("4.0.0", Group::kServer);
constexpr const CommandSpec* kMemorySubs[] = {&kUsage,       &kStats, &kMemoryDoctor,
                                              &kMallocStats, &kPurge, &kMemoryHelp};

}  // namespace

constexpr CommandSpec kMemory{
    .name = "MEMORY",
    .summary = "The container of commands about memory.",
    .complexity = "Depends on the subcommand",
    .since = "4.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kMemorySubs,
};

}  // namespace hearth::commands
