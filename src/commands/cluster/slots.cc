// CLUSTER subcommands about slots: assigning, moving, and what is in them.
#include <algorithm>

#include "cluster/model/slot.h"
#include "src/command/blocking_control.h"
#include "src/command/common_specs.h"
#include "src/command/deadline.h"
#include "src/command/progress_source.h"
#include "src/command/warm_gate_control.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

namespace admin = cluster::admin;
constexpr std::string_view kNoSetSlot =
    "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP";
using SlotList = std::vector<Slot>;

Result<SlotList, ReplyError> listed_slots(const CommandContext& ctx) {
  SlotList slots;
  for (std::size_t i = 2; i < ctx.args().size(); ++i) {
    HEARTH_TRY(const Slot slot, slot_at(ctx, i));
    slots.push_back(slot);
  }
  return slots;
}

Result<SlotList, ReplyError> slots_of_ranges(const CommandContext& ctx) {
  if (ctx.args().size() % 2 != 0) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  SlotList slots;
  for (std::size_t i = 2; i < ctx.args().size(); i += 2) {
    HEARTH_TRY(const Slot first, slot_at(ctx, i));
    HEARTH_TRY(const Slot last, slot_at(ctx, i + 1));
    if (first > last) {
      return refuse("ERR start slot number " + std::to_string(first) +
                    " is greater than end slot number " + std::to_string(last));
    }
    // More than all of them repeats some, and that is an error already.
    if (slots.size() > kSlotCount) break;
    for (int slot = first; slot <= last; ++slot) slots.push_back(static_cast<Slot>(slot));
  }
  return slots;
}

Outcome addslots(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(SlotList slots, listed_slots(ctx));
  return administer(ctx, admin::AddSlots{std::move(slots)});
}
Outcome addslotsrange(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(SlotList slots, slots_of_ranges(ctx));
  return administer(ctx, admin::AddSlots{std::move(slots)});
}
Outcome delslots(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(SlotList slots, listed_slots(ctx));
  return administer(ctx, admin::DelSlots{std::move(slots)});
}
Outcome delslotsrange(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(SlotList slots, slots_of_ranges(ctx));
  return administer(ctx, admin::DelSlots{std::move(slots)});
}

Outcome flushslots(CommandContext& ctx) {
  return administer(ctx, admin::FlushSlots{ctx.keyspace().total_keys() > 0});
}

using admin::SlotOrder;

Result<cluster::AdminRequest, ReplyError> slot_request(CommandContext& ctx, SlotOrder order) {
  HEARTH_TRY(const Slot slot, slot_at(ctx, 2));
  const ArgReader& words = ctx.args();
  if (words.is(3, "STABLE")) return admin::SetSlotStable{slot, order};
  if (words.size() > 4) {
    const std::string node(ctx.arg(4));
    if (words.is(3, "MIGRATING")) return admin::SetSlotMigrating{slot, node, order};
    if (words.is(3, "IMPORTING")) return admin::SetSlotImporting{slot, node, order};
    if (words.is(3, "NODE"))
      return admin::SetSlotNode{slot, node, keys_in_slot(ctx, slot) > 0, order};
  }
  return refuse(std::string(kNoSetSlot));
}

// The deadline for the replicas: TIMEOUT at the end, or the usual one.
Result<MonoTime, ReplyError> slot_deadline(CommandContext& ctx) {
  constexpr microseconds kUsual{2'000'000};
  const ArgReader& words = ctx.args();
  const std::size_t at = words.is(3, "STABLE") ? 4 : 5;
  const MonoTime now = ctx.services().clients->mono_now();
  if (words.size() <= at) return now + kUsual;
  if (!words.is(at, "TIMEOUT") || words.size() > at + 2) return refuse(std::string(kNoSetSlot));
  if (words.size() == at + 1) return refuse("ERR Missing timeout value");
  return wait_deadline(words, at + 1, TimeUnit::kMilliseconds, now);
}

// Replicas hear of it first and confirm: one of them may have to go on in the place of this node.
// True: the client waits for them.
bool tells_replicas(CommandContext& ctx, MonoTime deadline) {
  ProgressSource* const progress = ctx.services().progress;
  if (progress == nullptr || progress->is_replica() || progress->online_replicas() == 0 ||
      !progress->replicas_take_open_slots() || !ctx.effects().wants_commands())
    return false;
  if (ctx.session().attempt == Attempt::kFirst) {
    ctx.effects().relay_to_replicas();
    if (!ctx.may_block()) return false;
    progress->ask_replicas();
  } else if (progress->replicas_at(ctx.session().write_offset, false) >=
             progress->online_replicas()) {
    return false;
  }
  ctx.services().blocking->wait_for_progress(ctx, deadline);
  return true;
}

Outcome setslot(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  HEARTH_TRY(const MonoTime deadline, slot_deadline(ctx));
  if (ctx.session().primary) {
    HEARTH_TRY(auto order, slot_request(ctx, SlotOrder::kFollow));
    // The stream does not wait for the disk.
    static_cast<void>(cluster->administer(std::move(order), nullptr));
    ctx.reply().ok();
    return {};
  }
  if (ctx.timed_out()) return refuse("NOREPLICAS Not enough good replicas to write.");
  if (ctx.args().is(3, "IMPORTING") && ctx.services().warm_gate != nullptr &&
      ctx.services().warm_gate->is_closed())
    return refuse("ERR " + std::string(kNodeNotWarm));
  HEARTH_TRY(auto question, slot_request(ctx, SlotOrder::kAsk));
  const auto answer = cluster->administer(std::move(question), nullptr);
  if (answer && answer->is_error()) return refuse(answer->text);
  if (tells_replicas(ctx, deadline)) return {};
  HEARTH_TRY(auto request, slot_request(ctx, SlotOrder::kDo));
  return administer(ctx, std::move(request));
}

Outcome keyslot(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  ctx.reply().integer(cluster::slot_of(ctx.arg(2)));
  return {};
}

Outcome countkeysinslot(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(const Slot slot, slot_at(ctx, 2, "ERR Invalid slot"));
  ctx.reply().integer(static_cast<std::int64_t>(ctx.keys().database().count_in_slot(slot)));
  return {};
}

Outcome getkeysinslot(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  constexpr std::string_view kError = "ERR Invalid slot or number of keys";
  HEARTH_TRY(const std::int64_t slot_number, ctx.args().integer(2));
  HEARTH_TRY(const std::int64_t most, ctx.args().integer(3));
  if (slot_number < 0 || slot_number >= kSlotCount || most < 0) return refuse(std::string(kError));
  const auto slot = static_cast<Slot>(slot_number);
  const Database& db = ctx.keys().database();
  const std::uint64_t count = std::min(static_cast<std::uint64_t>(most), db.count_in_slot(slot));
  ctx.reply().array(count);
  db.for_each_in_slot(slot, count, [&ctx](const Entry& entry) { ctx.reply().bulk(entry.key()); });
  return {};
}

constexpr ArgDoc kSlotListArgs[] = {args::integer("slot").many()};
constexpr ArgDoc kRangeParts[] = {args::integer("start-slot"), args::integer("end-slot")};
constexpr ArgDoc kRangeArgs[] = {args::block("range", kRangeParts).many()};
constexpr ArgDoc kSetSlotActions[] = {
    args::string("importing", "IMPORTING"),
    args::string("migrating", "MIGRATING"),
    args::string("node", "NODE"),
    args::token("stable", "STABLE"),
};
constexpr ArgDoc kSetSlotArgs[] = {args::integer("slot"),
                                   args::one_of("subcommand", kSetSlotActions),
                                   args::integer("timeout", "TIMEOUT").opt().from("8.0.0")};
constexpr ArgDoc kKeyArgs[] = {args::string("key")};
constexpr ArgDoc kSlotArgs[] = {args::integer("slot")};
constexpr ArgDoc kGetKeysArgs[] = {args::integer("slot"), args::integer("count")};

}  // namespace

constexpr CommandSpec kClusterAddSlots{
    .name = "ADDSLOTS",
    .summary = "Assigns unowned slots to this node.",
    .complexity = "O(N) with N the number of slots",
    .since = "3.0.0",
    .arity = Arity::at_least(3),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kSlotListArgs,
    .handler = addslots,
};

constexpr CommandSpec kClusterAddSlotsRange{
    .name = "ADDSLOTSRANGE",
    .summary = "Assigns ranges of unowned slots to this node.",
    .complexity = "O(N) with N the number of slots",
    .since = "7.0.0",
    .arity = Arity::at_least(4),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kRangeArgs,
    .handler = addslotsrange,
};

constexpr CommandSpec kClusterDelSlots{
    .name = "DELSLOTS",
    .summary = "Makes this node hold slots for unowned.",
    .complexity = "O(N) with N the number of slots",
    .since = "3.0.0",
    .arity = Arity::at_least(3),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kSlotListArgs,
    .handler = delslots,
};

constexpr CommandSpec kClusterDelSlotsRange{
    .name = "DELSLOTSRANGE",
    .summary = "Makes this node hold ranges of slots for unowned.",
    .complexity = "O(N) with N the number of slots",
    .since = "7.0.0",
    .arity = Arity::at_least(4),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kRangeArgs,
    .handler = delslotsrange,
};

constexpr CommandSpec kClusterFlushSlots{
    .name = "FLUSHSLOTS",
    .summary = "Gives up all slots of this node, which must hold no keys.",
    .complexity = "O(N) with N the number of slots",
    .since = "3.0.0",
    .arity = Arity::exactly(2),
    .flags = kChanges,
    .group = Group::kCluster,
    .handler = flushslots,
};

constexpr CommandSpec kClusterSetSlot{
    .name = "SETSLOT",
    .summary = "Begins, ends or cancels the move of a slot between nodes.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::at_least(4),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kSetSlotArgs,
    .handler = setslot,
};

constexpr CommandSpec kClusterKeySlot{
    .name = "KEYSLOT",
    .summary = "Tells the slot of a key.",
    .complexity = "O(N) with N the length of the key",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kStale | Flag::kLoading,
    .group = Group::kCluster,
    .args = kKeyArgs,
    .reply = Shape::kInteger,
    .handler = keyslot,
};

constexpr CommandSpec kClusterCountKeysInSlot{
    .name = "COUNTKEYSINSLOT",
    .summary = "Counts the keys of a slot in this node.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kStale,
    .group = Group::kCluster,
    .args = kSlotArgs,
    .reply = Shape::kInteger,
    .handler = countkeysinslot,
};

constexpr CommandSpec kClusterGetKeysInSlot{
    .name = "GETKEYSINSLOT",
    .summary = "Lists keys of a slot in this node.",
    .complexity = "O(N) with N the number of keys asked for",
    .since = "3.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kStale,
    .group = Group::kCluster,
    .args = kGetKeysArgs,
    .reply = Shape::kArray,
    .handler = getkeysinslot,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
