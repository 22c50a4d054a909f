// WARM: epochs of loaders (src/command/warm_control.h), how far they are and whether the node waits
// for them (src/command/warm_gate_control.h), and the keys that they load first.
#include "src/command/warm_control.h"

#include "src/base/format_number.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/command/hot_list_control.h"
#include "src/command/reply_fields.h"
#include "src/command/warm_gate_control.h"
#include "src/command/write_guard.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

Outcome begin(CommandContext& ctx) {
  constexpr std::int64_t kLifeMost = 7 * 86'400;
  const std::string_view id = ctx.arg(2);
  if (id.empty() || id.size() > WarmControl::kIdBytesMost)
    return refuse("ERR the id of a warm epoch has 1 to 64 bytes");
  seconds life = WarmControl::kLife;
  if (ctx.args().size() > 3) {
    if (ctx.args().size() != 5 || !ctx.args().is(3, "EX")) return syntax_error();
    HEARTH_TRY(const std::int64_t given,
               ctx.args().integer_between(4, 1, kLifeMost, "ERR seconds must be 1 to 604800"));
    life = seconds{given};
  }
  switch (ctx.services().warm->begin(id, life)) {
    case WarmControl::Begun::kExists: return refuse("ERR a warm epoch of this id is open");
    case WarmControl::Begun::kTooMany: return refuse("ERR too many warm epochs are open");
    case WarmControl::Begun::kYes: break;
  }
  relay_epoch(ctx, "BEGIN", id, life);
  ctx.reply().ok();
  return {};
}

Outcome end(CommandContext& ctx) {
  if (!ctx.services().warm->end(ctx.arg(2)))
    return refuse("NOWARM this node has no such warm epoch");
  relay_epoch(ctx, "END", ctx.arg(2), seconds{0});
  ctx.reply().ok();
  return {};
}

void show_epoch(ReplyWriter& reply, const WarmStatus& one) {
  reply.map(8);
  write_text(reply, "id", one.id);
  write_number(reply, "age", one.age.count());
  write_number(reply, "life", one.life.count());
  write_number(reply, "stored", static_cast<std::int64_t>(one.stored));
  write_number(reply, "refused", static_cast<std::int64_t>(one.refused));
  write_number(reply, "touched", static_cast<std::int64_t>(one.touched));
  write_number(reply, "slots-lost", static_cast<std::int64_t>(one.slots_lost));
  write_number(reply, "void", one.is_void ? 1 : 0);
}

void show_mapping(ReplyWriter& reply, const WarmMapping& one) {
  reply.map(4);
  write_text(reply, "name", one.name);
  write_text(reply, "state", warm_state_name(one.state));
  write_number(reply, "done", static_cast<std::int64_t>(one.done));
  write_number(reply, "total", one.total ? static_cast<std::int64_t>(*one.total) : -1);
}

Outcome status(CommandContext& ctx) {
  const WarmGateStatus gate = ctx.services().warm_gate->status();
  const std::vector<WarmStatus> epochs = ctx.services().warm->status();
  ReplyWriter& reply = ctx.reply();
  reply.map(7);
  write_text(reply, "state", warm_state_name(gate.state));
  write_text(reply, "gate", gate.gate);
  write_text(reply, "opened-by", gate.opened_by);
  write_text(reply, "fraction", double_text(gate.fraction));
  write_number(reply, "seconds-left", gate.left.value_or(seconds{0}).count());
  reply.bulk("mappings");
  reply.array(gate.mappings.size());
  for (const WarmMapping& one : gate.mappings) show_mapping(reply, one);
  reply.bulk("epochs");
  reply.array(epochs.size());
  for (const WarmStatus& one : epochs) show_epoch(reply, one);
  return {};
}

Outcome loader(CommandContext& ctx) {
  ctx.session().loads = true;
  ctx.reply().ok();
  return {};
}

// INFO and logs show the name.
Result<std::string_view, ReplyError> mapping_name(const CommandContext& ctx, std::size_t i) {
  const std::string_view name = ctx.arg(i);
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (name.empty() || name.size() > WarmGateControl::kNameBytesMost || !is_plain)
    return refuse("ERR the name of a mapping has 1 to 128 bytes and no control characters");
  return name;
}

Outcome too_many_mappings() { return refuse("ERR too many mappings"); }

Outcome progress(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  HEARTH_TRY(const std::string_view name, mapping_name(ctx, 2));
  HEARTH_TRY(const std::int64_t done,
             args.integer_between(3, 0, INT64_MAX, "ERR rows must be a number, 0 or more"));
  std::optional<std::uint64_t> total;
  if (args[4] != "-") {
    HEARTH_TRY(const std::int64_t given,
               args.integer_between(4, 0, INT64_MAX, "ERR rows must be a number, 0 or more, or -"));
    total = static_cast<std::uint64_t>(given);
  }
  if (!ctx.services().warm_gate->report(name, static_cast<std::uint64_t>(done), total))
    return too_many_mappings();
  ctx.reply().ok();
  return {};
}

Outcome ready(CommandContext& ctx) {
  if (ctx.args().size() > 3) return syntax_error();
  if (ctx.args().size() == 2) {
    ctx.services().warm_gate->finish_all();
  } else {
    HEARTH_TRY(const std::string_view name, mapping_name(ctx, 2));
    if (!ctx.services().warm_gate->finish(name)) return too_many_mappings();
  }
  ctx.reply().ok();
  return {};
}

Outcome open_gate(CommandContext& ctx) {
  ctx.reply().integer(ctx.services().warm_gate->open_by_hand() ? 1 : 0);
  return {};
}

Outcome hot(CommandContext& ctx) {
  std::size_t most = ctx.settings().warm_hot_keys;
  if (ctx.args().size() > 3) return syntax_error();
  if (ctx.args().size() == 3) {
    HEARTH_TRY(const std::int64_t count,
               ctx.args().integer_between(2, 1, INT64_MAX, "ERR count must be a positive number"));
    most = std::min(most, static_cast<std::size_t>(count));
  }
  const std::vector<std::string> keys = ctx.services().hot_list->hottest(ctx.session().db, most);
  ctx.reply().array(keys.size());
  for (const std::string& key : keys) ctx.reply().bulk(key);
  return {};
}

constexpr ArgDoc kLifeParts[] = {args::integer("seconds", "EX")};
constexpr ArgDoc kBeginArgs[] = {args::string("id"), args::block("life", kLifeParts).opt()};
constexpr ArgDoc kEndArgs[] = {args::string("id")};
constexpr ArgDoc kTotals[] = {args::integer("rows"), args::token("unknown", "-")};
constexpr ArgDoc kProgressArgs[] = {args::string("mapping"), args::integer("done"),
                                    args::one_of("total", kTotals)};
constexpr ArgDoc kReadyArgs[] = {args::string("mapping").opt()};
constexpr ArgDoc kHotArgs[] = {args::integer("count").opt()};

constexpr CommandSpec warm_spec(std::string_view name, std::string_view summary) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(N) with N the number of warm epochs.",
      .since = "7.4.0",
      .arity = Arity::exactly(3),
      .flags = Flag::kWrite | Flag::kFast,
      .acl = Acl::kKeyspace,
      .group = Group::kServer,
      .reply = Shape::kOk,
  };
}
constexpr CommandSpec kBegin = [] {
  CommandSpec spec = warm_spec("BEGIN", "Begins a warm epoch of a loader.");
  spec.arity = Arity::at_least(3);
  spec.args = kBeginArgs;
  spec.handler = begin;
  return spec;
}();
constexpr CommandSpec kEnd = [] {
  CommandSpec spec = warm_spec("END", "Ends a warm epoch of a loader.");
  spec.args = kEndArgs;
  spec.handler = end;
  return spec;
}();
// Of the gate: a loader reports before the node serves, and on replicas too.
constexpr CommandSpec gate_spec(std::string_view name, std::string_view summary,
                                std::string_view complexity) {
  CommandSpec spec = warm_spec(name, summary);
  spec.complexity = complexity;
  spec.arity = Arity::exactly(2);
  spec.flags = Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kNoScript;
  spec.acl = Acl::kDangerous;
  return spec;
}
constexpr CommandSpec kStatus = [] {
  CommandSpec spec = gate_spec("STATUS", "Tells how warm the node is, and which epochs are open.",
                               "O(N) with N the number of mappings and epochs.");
  spec.acl = Acl::kNone;
  spec.reply = Shape::kMap;
  spec.handler = status;
  return spec;
}();
constexpr CommandSpec kLoader = [] {
  CommandSpec spec = gate_spec(
      "LOADER", "Says that the connection is a loader's: the warm gate is open to it.", "O(1)");
  spec.handler = loader;
  return spec;
}();
constexpr CommandSpec kProgress = [] {
  CommandSpec spec = gate_spec("PROGRESS", "Tells how many rows of a mapping are loaded.",
                               "O(N) with N the number of mappings.");
  spec.arity = Arity::exactly(5);
  spec.args = kProgressArgs;
  spec.handler = progress;
  return spec;
}();
constexpr CommandSpec kReady = [] {
  CommandSpec spec =
      gate_spec("READY", "Says that all rows of a mapping are loaded, or those of all.",
                "O(N) with N the number of mappings.");
  spec.arity = Arity::at_least(2);
  spec.args = kReadyArgs;
  spec.handler = ready;
  return spec;
}();
constexpr CommandSpec kOpen = [] {
  CommandSpec spec = gate_spec("OPEN", "Opens the warm gate with what is loaded.", "O(1)");
  spec.reply = Shape::kInteger;
  spec.handler = open_gate;
  return spec;
}();
constexpr CommandSpec kHot = [] {
  CommandSpec spec = gate_spec("HOT", "Returns the most used keys, also of before a restart.",
                               "O(N) with N the number of keys that are remembered.");
  spec.arity = Arity::at_least(2);
  spec.flags = Flag::kLoading | Flag::kStale | Flag::kNoScript;
  spec.acl = Acl::kKeyspace | Acl::kDangerous;
  spec.args = kHotArgs;
  spec.reply = Shape::kArray;
  spec.handler = hot;
  return spec;
}();
constexpr CommandSpec kHelp = help_spec("7.4.0", Group::kServer);
constexpr const CommandSpec* kSubcommands[] = {&kBegin, &kEnd,      &kHelp,  &kHot,   &kLoader,
                                               &kOpen,  &kProgress, &kReady, &kStatus};

}  // namespace

constexpr CommandSpec kWarm{
    .name = "WARM",
    .summary = "Holds the commands of loaders, and those that tell how warm the node is.",
    .complexity = "Depends on the subcommand.",
    .since = "7.4.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .reply = Shape::kNone,
    .subcommands = kSubcommands,
};

}  // namespace hearth::commands
