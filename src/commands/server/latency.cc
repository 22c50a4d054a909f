// LATENCY: spikes by event, and the distribution of each command's duration.
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/server/family.h"
#include "src/commands/server/latency_text.h"
#include "src/metrics/latency_monitor.h"
#include "src/metrics/stats.h"

namespace hearth::commands {
namespace {

Outcome latency_latest(CommandContext& ctx) {
  const auto& all = ctx.services().latency->series();
  ctx.reply().array(all.size());
  for (const auto& [event, series] : all) {
    ctx.reply().array(4);
    ctx.reply().bulk(event);
    ctx.reply().integer(series.samples.back().unix_seconds);
    ctx.reply().integer(series.samples.back().ms);
    ctx.reply().integer(series.worst_ms);
  }
  return {};
}

Outcome latency_history(CommandContext& ctx) {
  const auto& all = ctx.services().latency->series();
  const auto at = all.find(ctx.arg(2));
  if (at == all.end()) {
    ctx.reply().array(0);
    return {};
  }
  ctx.reply().array(at->second.samples.size());
  for (const auto& sample : at->second.samples) {
    ctx.reply().array(2);
    ctx.reply().integer(sample.unix_seconds);
    ctx.reply().integer(sample.ms);
  }
  return {};
}

Outcome latency_reset(CommandContext& ctx) {
  std::size_t dropped = 0;
  if (ctx.args().size() == 2) dropped = ctx.services().latency->reset({});
  for (const auto event : ctx.args().from(2)) {
    if (!event.empty()) dropped += ctx.services().latency->reset(event);
  }
  ctx.reply().integer(static_cast<std::int64_t>(dropped));
  return {};
}

Outcome latency_graph_of(CommandContext& ctx) {
  const auto& all = ctx.services().latency->series();
  const auto at = all.find(ctx.arg(2));
  if (at == all.end())
    return refuse("ERR No samples available for event '" + std::string(ctx.arg(2)) + "'");
  ctx.reply().verbatim("txt", latency_graph(at->first, at->second, ctx.clock()));
  return {};
}

Outcome latency_doctor(CommandContext& ctx) {
  ctx.reply().verbatim(
      "txt", latency_report(*ctx.services().latency, ctx.settings().latency_monitor_threshold));
  return {};
}

Outcome latency_histogram(CommandContext& ctx) {
  const Stats& stats = *ctx.services().stats;
  const CommandTable& table = *ctx.services().commands;
  std::vector<const Command*> shown;
  const auto consider = [&](const Command& c) {
    if (stats.latencies[c.id] != nullptr) shown.push_back(&c);
    for (const auto& sub : c.subcommands) {
      if (stats.latencies[sub->id] != nullptr) shown.push_back(sub.get());
    }
  };
  if (ctx.args().size() == 2) {
    for (const auto& c : table.all()) consider(*c);
  }
  for (const auto name : ctx.args().from(2)) {
    if (const Command* c = table.find_full(name)) consider(*c);
  }
  ReplyWriter& reply = ctx.reply();
  reply.map(shown.size());
  for (const Command* c : shown) {
    const LatencyHistogram& h = *stats.latencies[c->id];
    reply.bulk(c->full_name);
    reply.map(2);
    reply.bulk("calls");
    reply.integer(static_cast<std::int64_t>(h.count()));
    reply.bulk("histogram_usec");
    const auto steps = h.cumulative_by_power_us();
    reply.map(steps.size());
    for (const auto& [us, count] : steps) {
      reply.integer(static_cast<std::int64_t>(us));
      reply.integer(static_cast<std::int64_t>(count));
    }
  }
  return {};
}

constexpr Flag kLatencyPlain = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale;
constexpr ArgDoc kEvent[] = {args::string("event")};
constexpr ArgDoc kEvents[] = {args::string("event").many().opt()};
constexpr ArgDoc kCommands[] = {args::string("command").many().opt()};
constexpr std::string_view kLatencyTips[] = {"nondeterministic_output", "request_policy:all_nodes",
                                             "response_policy:special"};
constexpr std::string_view kLatencyResetTips[] = {"request_policy:all_nodes",
                                                  "response_policy:agg_sum"};

constexpr CommandSpec latency_spec(std::string_view name, std::string_view summary,
                                   std::string_view complexity, Arity arity,
                                   std::span<const ArgDoc> arguments, Shape shape,
                                   Handler handler) {
  return {
      .name = name,
      .summary = summary,
      .complexity = complexity,
      .since = "2.8.13",
      .arity = arity,
      .flags = kLatencyPlain,
      .group = Group::kServer,
      .args = arguments,
      .reply = shape,
      .handler = handler,
      .tips = kLatencyTips,
  };
}

constexpr CommandSpec kLatest = latency_spec("LATEST", "Returns the newest spike of each event.",
                                             "O(N) with N the number of events", Arity::exactly(2),
                                             {}, Shape::kArray, latency_latest);
constexpr CommandSpec kLatencyHistory =
    latency_spec("HISTORY", "Returns the spikes of an event, at most 160.", "O(1)",
                 Arity::exactly(3), kEvent, Shape::kArray, latency_history);
constexpr CommandSpec kGraph =
    latency_spec("GRAPH", "Draws the spikes of an event.", "O(1)", Arity::exactly(3), kEvent,
                 Shape::kVerbatim | Shape::kBulk, latency_graph_of);
constexpr CommandSpec kLatencyDoctor = latency_spec(
    "DOCTOR", "Explains the spikes and says what helps.", "O(N) with N the number of events",
    Arity::exactly(2), {}, Shape::kVerbatim | Shape::kBulk, latency_doctor);
constexpr CommandSpec kHistogram{
    .name = "HISTOGRAM",
    .summary = "Tells how many calls of commands took up to 1, 2, 4 ... microseconds.",
    .complexity = "O(N) with N the number of commands",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = kLatencyPlain,
    .group = Group::kServer,
    .args = kCommands,
    .reply = Shape::kMap,
    .handler = latency_histogram,
    .tips = kLatencyTips,
};
constexpr CommandSpec kLatencyReset{
    .name = "RESET",
    .summary = "Forgets the spikes of some events, or of all.",
    .complexity = "O(N) with N the number of events",
    .since = "2.8.13",
    .arity = Arity::at_least(2),
    .flags = kLatencyPlain,
    .group = Group::kServer,
    .args = kEvents,
    .reply = Shape::kInteger,
    .handler = latency_reset,
    .tips = kLatencyResetTips,
};
constexpr CommandSpec kLatencyHelp = help_spec("2.8.13", Group::kServer);
constexpr const CommandSpec* kLatencySubs[] = {&kLatest,        &kLatencyHistory, &kGraph,
                                               &kLatencyDoctor, &kHistogram,      &kLatencyReset,
                                               &kLatencyHelp};

}  // namespace

constexpr CommandSpec kLatency{
    .name = "LATENCY",
    .summary = "The container of commands about what took long.",
    .complexity = "Depends on the subcommand",
    .since = "2.8.13",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kLatencySubs,
};

}  // namespace hearth::commands
