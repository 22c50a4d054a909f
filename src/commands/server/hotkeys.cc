// HOTKEYS: sessions that find out which keys cost most time or traffic.
#include <algorithm>

#include "cluster/model/slot.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/server/family.h"
#include "src/metrics/hot_keys.h"

namespace hearth::commands {
namespace {

constexpr std::int64_t kKeysMost = 64;
constexpr std::int64_t kSecondsMost = 1'000'000;

Outcome parse_metrics(const ArgReader& args, std::size_t& i, HotKeys::Options& o) {
  HEARTH_TRY(const std::int64_t count,
             args.integer_between(++i, 1, 2, "ERR METRICS count must be 1 or 2"));
  for (std::int64_t n = 0; n < count; ++n) {
    ++i;
    bool* metric = args.is(i, "CPU") ? &o.by_cpu : args.is(i, "NET") ? &o.by_net : nullptr;
    if (metric == nullptr || *metric)
      return refuse("ERR METRICS count does not match the metrics that follow it");
    *metric = true;
  }
  return {};
}

Outcome parse_slots(const CommandContext& ctx, std::size_t& i, HotKeys::Options& o) {
  const ArgReader& args = ctx.args();
  if (!ctx.settings().cluster_enabled)
    return refuse("ERR SLOTS parameter cannot be used in non-cluster mode");
  HEARTH_TRY(const std::int64_t count, args.integer_between(++i, 1, kSlotCount));
  if (i + static_cast<std::size_t>(count) >= args.size()) return syntax_error();
  for (std::int64_t n = 0; n < count; ++n) {
    HEARTH_TRY(const std::int64_t slot,
               args.integer_between(++i, 0, kSlotCount - 1, "ERR Invalid or out of range slot"));
    o.slots.push_back(static_cast<Slot>(slot));
  }
  std::sort(o.slots.begin(), o.slots.end());
  if (std::adjacent_find(o.slots.begin(), o.slots.end()) != o.slots.end())
    return refuse("ERR duplicate slot number");
  return {};
}

Result<HotKeys::Options, ReplyError> parse_start(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  HotKeys::Options o;
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "METRICS", 1) && !o.by_cpu && !o.by_net) {
      HEARTH_TRY_VOID(parse_metrics(args, i, o));
    } else if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count,
                 args.integer_between(++i, 1, kKeysMost, "ERR COUNT must be between 1 and 64"));
      o.count = static_cast<std::size_t>(count);
    } else if (args.is(i, "DURATION", 1)) {
      HEARTH_TRY(
          const std::int64_t s,
          args.integer_between(++i, 0, kSecondsMost, "ERR DURATION must be between 0 and 1000000"));
      o.duration = seconds(s);
    } else if (args.is(i, "SAMPLE", 1)) {
      HEARTH_TRY(const std::int64_t ratio,
                 args.integer_between(++i, 1, INT32_MAX, "ERR SAMPLE ratio must be positive"));
      o.sample_ratio = static_cast<std::uint64_t>(ratio);
    } else if (args.is(i, "SLOTS", 1)) {
      HEARTH_TRY_VOID(parse_slots(ctx, i, o));
    } else {
      return syntax_error();
    }
  }
  if (!o.by_cpu && !o.by_net) return refuse("ERR METRICS parameter is required");
  return o;
}

Outcome hotkeys_start(CommandContext& ctx) {
  HEARTH_TRY(HotKeys::Options options, parse_start(ctx));
  HotKeys& hot_keys = *ctx.services().hot_keys;
  if (hot_keys.is_active()) return refuse("ERR hotkeys tracking session already in progress");
  hot_keys.start(std::move(options), ctx.clock());
  ctx.reply().ok();
  return {};
}

Outcome hotkeys_stop(CommandContext& ctx) {
  HotKeys& hot_keys = *ctx.services().hot_keys;
  if (!hot_keys.is_active()) {
    ctx.reply().null();
    return {};
  }
  hot_keys.stop(ctx.clock());
  ctx.reply().ok();
  return {};
}

Outcome hotkeys_reset(CommandContext& ctx) {
  HotKeys& hot_keys = *ctx.services().hot_keys;
  if (hot_keys.is_active())
    return refuse("ERR hotkeys tracking session in progress, stop tracking first");
  hot_keys.reset();
  ctx.reply().ok();
  return {};
}

void write_ranges(ReplyWriter& reply, const std::vector<Slot>& slots) {
  std::vector<std::pair<Slot, Slot>> ranges;
  if (slots.empty()) ranges.emplace_back(Slot{0}, static_cast<Slot>(kSlotCount - 1));
  for (const Slot slot : slots) {
    if (!ranges.empty() && ranges.back().second + 1 == slot)
      ranges.back().second = slot;
    else
      ranges.emplace_back(slot, slot);
  }
  reply.array(ranges.size());
  for (const auto& [first, last] : ranges) {
    reply.array(2);
    reply.integer(first);
    reply.integer(last);
  }
}

void write_costs(ReplyWriter& reply, std::string_view name,
                 const std::vector<std::pair<std::string, std::uint64_t>>& costs) {
  reply.bulk(name);
  reply.array(costs.size() * 2);
  for (const auto& [key, cost] : costs) {
    reply.bulk(key);
    reply.integer(static_cast<std::int64_t>(cost));
  }
}

Outcome hotkeys_get(CommandContext& ctx) {
  const HotKeys& hot_keys = *ctx.services().hot_keys;
  ReplyWriter& reply = ctx.reply();
  if (!hot_keys.has_findings()) {
    reply.null();
    return {};
  }
  const HotKeys::Findings f = hot_keys.findings(ctx.clock());
  const bool samples = f.options.sample_ratio > 1, selects = !f.options.slots.empty();
  struct Number {
    bool shown;
    std::string_view name;
    std::uint64_t value;
  };
  const auto unsigned_of = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  const Number numbers[] = {
      {samples && selects, "sampled-commands-selected-slots-us", f.sampled_us},
      {selects, "all-commands-selected-slots-us", f.selected_us},
      {true, "all-commands-all-slots-us", f.all_us},
      {samples && selects, "net-bytes-sampled-commands-selected-slots", f.sampled_bytes},
      {selects, "net-bytes-all-commands-selected-slots", f.selected_bytes},
      {true, "net-bytes-all-commands-all-slots", f.all_bytes},
      {true, "collection-start-time-unix-ms", unsigned_of(f.started.ms)},
      {true, "collection-duration-ms", unsigned_of((f.stopped - f.started).count())},
      {f.options.by_cpu, "total-cpu-time-user-ms", unsigned_of(f.cpu.user)},
      {f.options.by_cpu, "total-cpu-time-sys-ms", unsigned_of(f.cpu.system)},
      {f.options.by_net, "total-net-bytes", f.all_bytes},
  };
  const auto shown = std::count_if(std::begin(numbers), std::end(numbers),
                                   [](const Number& n) { return n.shown; });
  // One map for each node that was asked: here it is one.
  reply.array(1);
  reply.map(3 + static_cast<std::size_t>(shown) + (f.options.by_cpu ? 1 : 0) +
            (f.options.by_net ? 1 : 0));
  reply.bulk("tracking-active");
  reply.integer(f.active ? 1 : 0);
  reply.bulk("sample-ratio");
  reply.integer(static_cast<std::int64_t>(f.options.sample_ratio));
  reply.bulk("selected-slots");
  write_ranges(reply, f.options.slots);
  for (const Number& n : numbers) {
    if (!n.shown) continue;
    reply.bulk(n.name);
    reply.integer(static_cast<std::int64_t>(n.value));
  }
  if (f.options.by_cpu) write_costs(reply, "by-cpu-time-us", f.by_cpu_us);
  if (f.options.by_net) write_costs(reply, "by-net-bytes", f.by_net_bytes);
  return {};
}

constexpr Flag kHotkeysPlain = Flag::kAdmin | Flag::kNoScript;
constexpr ArgDoc kMetric[] = {args::token("cpu", "CPU"), args::token("net", "NET")};
constexpr ArgDoc kMetrics[] = {args::integer("count"), args::one_of("metric", kMetric).many()};
constexpr ArgDoc kSlots[] = {args::integer("count"), args::integer("slot").many()};
constexpr ArgDoc kStartArgs[] = {
    args::block("metrics", kMetrics, "METRICS"), args::integer("k", "COUNT").opt(),
    args::integer("seconds", "DURATION").opt(),  args::integer("ratio", "SAMPLE").opt(),
    args::block("slots", kSlots, "SLOTS").opt(),
};
constexpr std::string_view kOneNode[] = {"request_policy:special", "response_policy:special"};

constexpr CommandSpec kStart{
    .name = "START",
    .summary = "Starts to find out which keys cost most time, traffic, or both.",
    .complexity = "O(1)",
    .since = "8.6.0",
    .arity = Arity::at_least(5),
    .flags = kHotkeysPlain,
    .group = Group::kServer,
    .args = kStartArgs,
    .reply = Shape::kOk,
    .handler = hotkeys_start,
    .tips = kOneNode,
};
constexpr CommandSpec kStop{
    .name = "STOP",
    .summary = "Ends a session and keeps what it has found.",
    .complexity = "O(1)",
    .since = "8.6.0",
    .arity = Arity::exactly(2),
    .flags = kHotkeysPlain,
    .group = Group::kServer,
    .reply = Shape::kOk | Shape::kNull,
    .handler = hotkeys_stop,
    .tips = kOneNode,
};
constexpr CommandSpec kHotkeysGet{
    .name = "GET",
    .summary = "Tells what the present or last session has found.",
    .complexity = "O(K) with K the number of keys told",
    .since = "8.6.0",
    .arity = Arity::exactly(2),
    .flags = kHotkeysPlain,
    .group = Group::kServer,
    .reply = Shape::kArray | Shape::kNull,
    .handler = hotkeys_get,
    .tips = kOneNode,
};
constexpr CommandSpec kHotkeysReset{
    .name = "RESET",
    .summary = "Forgets what the last session has found.",
    .complexity = "O(1)",
    .since = "8.6.0",
    .arity = Arity::exactly(2),
    .flags = kHotkeysPlain,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = hotkeys_reset,
    .tips = kOneNode,
};
constexpr CommandSpec kHotkeysHelp = help_spec("8.6.1", Group::kServer);
constexpr const CommandSpec* kHotkeysSubs[] = {&kHotkeysGet, &kHotkeysReset, &kStart, &kStop,
                                               &kHotkeysHelp};

}  // namespace

constexpr CommandSpec kHotKeys{
    .name = "HOTKEYS",
    .summary = "The container of commands about the keys that cost most.",
    .complexity = "Depends on the subcommand",
    .since = "8.6.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kHotkeysSubs,
};

}  // namespace hearth::commands
