// CLUSTER subcommands about slots: assigning, moving, and what is in them.
#include <algorithm>

#include "cluster/model/slot.h"
#include "src/command/common_specs.h"
#include "src/command/warm_gate_control.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

namespace admin = cluster::admin;
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

Outcome setslot(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(const Slot slot, slot_at(ctx, 2));
  const ArgReader& words = ctx.args();
  if (words.is(3, "STABLE") && words.size() == 4)
    return administer(ctx, admin::SetSlotStable{slot});
  if (words.size() == 5) {
    const std::string node(ctx.arg(4));
    if (words.is(3, "MIGRATING")) return administer(ctx, admin::SetSlotMigrating{slot, node});
    if (words.is(3, "IMPORTING") && ctx.services().warm_gate != nullptr &&
        ctx.services().warm_gate->is_closed())
      return refuse("ERR " + std::string(kNodeNotWarm));
    if (words.is(3, "IMPORTING")) return administer(ctx, admin::SetSlotImporting{slot, node});
    if (words.is(3, "NODE"))
      return administer(ctx, admin::SetSlotNode{slot, node, keys_in_slot(ctx, slot) > 0});
  }
  return refuse("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP");
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
                                   args::one_of("subcommand", kSetSlotActions)};
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
