// Moving whole slots between nodes: CLUSTER MIGRATESLOTS and its companions on the source, CLUSTER
// MIGRATION on the target, SYNCSLOTS between them; and FLUSHSLOT.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/command/reclaimer.h"
#include "src/command/reply_fields.h"
#include "src/command/slot_migration_control.h"
#include "src/command/transaction_control.h"
#include "src/command/warm_control.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

using cluster::SlotRange;
using cluster::SlotSet;

Result<SlotMigrationControl*, ReplyError> moves_of(const CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  if (ctx.services().slot_migrations == nullptr) return refuse(std::string(kClusterDisabled));
  return ctx.services().slot_migrations;
}

// Pairs of words from `i` on, up to `end`: first and last slot. Refuses a slot that comes twice.
Result<SlotSet, ReplyError> ranges_at(const CommandContext& ctx, std::size_t i, std::size_t end) {
  SlotSet slots;
  if (i >= end || (end - i) % 2 != 0)
    return refuse("ERR Slot ranges are pairs of a first and a last slot");
  for (; i < end; i += 2) {
    HEARTH_TRY(const Slot first, slot_at(ctx, i));
    HEARTH_TRY(const Slot last, slot_at(ctx, i + 1));
    if (first > last) {
      return refuse("ERR Start slot number " + std::to_string(first) +
                    " is greater than end slot number " + std::to_string(last));
    }
    for (int slot = first; slot <= last; ++slot) {
      if (slots.has(static_cast<Slot>(slot)))
        return refuse("ERR Slot " + std::to_string(slot) + " specified multiple times");
      slots.add(static_cast<Slot>(slot));
    }
  }
  return slots;
}

Outcome migrateslots(CommandContext& ctx) {
  HEARTH_TRY(SlotMigrationControl* const moves, moves_of(ctx));
  const ArgReader& args = ctx.args();
  std::vector<SlotMigrationControl::Order> orders;
  SlotSet all;
  std::size_t i = 2;
  while (i < args.size()) {
    if (!args.is(i, "SLOTSRANGE", 1)) return syntax_error();
    std::size_t end = i + 1;
    while (end < args.size() && !args.is(end, "NODE")) ++end;
    if (end + 1 >= args.size()) return syntax_error();
    HEARTH_TRY(SlotSet slots, ranges_at(ctx, i + 1, end));
    SlotSet both = all;
    both.intersect(slots);
    if (!both.empty()) return refuse("ERR Some slots were specified multiple times");
    slots.for_each([&](Slot slot) { all.add(slot); });
    const std::string node(args[end + 1]);
    if (!NodeId::is_valid(node)) return refuse("ERR Unknown node " + node);
    orders.push_back({std::move(slots), node});
    i = end + 2;
  }
  HEARTH_TRY_VOID(moves->migrate(std::move(orders)));
  ctx.reply().ok();
  return {};
}

std::string ranges_text(const SlotSet& slots, std::string_view between_slots) {
  std::string text;
  for (const SlotRange& range : slots.ranges()) {
    if (!text.empty()) text += ' ';
    text += std::to_string(range.first);
    text += between_slots;
    text += std::to_string(range.last);
  }
  return text;
}

// As Valkey 9 shows a move.
void write_job(ReplyWriter& reply, const SlotMove& move) {
  reply.map(11);
  write_text(reply, "name", move.name);
  write_text(reply, "operation", move.is_import ? "IMPORT" : "EXPORT");
  write_text(reply, "slot_ranges", ranges_text(move.slots, "-"));
  write_text(reply, "target_node", move.target);
  write_text(reply, "source_node", move.source);
  write_number(reply, "create_time", move.created.unix_seconds());
  write_number(reply, "last_update_time", move.updated.unix_seconds());
  write_number(reply, "last_ack_time", move.heard.unix_seconds());
  write_text(reply, "state", move.state);
  write_text(reply, "message", move.message);
  write_number(reply, "cow_size", 0);  // nothing is copied
}

Outcome getslotmigrations(CommandContext& ctx) {
  HEARTH_TRY(SlotMigrationControl* const moves, moves_of(ctx));
  std::size_t count = 0;
  moves->for_each([&](const SlotMove&) { ++count; });
  ctx.reply().array(count);
  moves->for_each([&](const SlotMove& move) { write_job(ctx.reply(), move); });
  return {};
}

Outcome cancelslotmigrations(CommandContext& ctx) {
  HEARTH_TRY(SlotMigrationControl* const moves, moves_of(ctx));
  static_cast<void>(moves->cancel(SlotMigrationControl::Which::kExports, ""));
  ctx.reply().ok();
  return {};
}

// As Redis 8.4 shows a move.
void write_task(ReplyWriter& reply, const SlotMove& move) {
  reply.map(12);
  write_text(reply, "id", move.name);
  write_text(reply, "slots", ranges_text(move.slots, "-"));
  write_text(reply, "source", move.source);
  write_text(reply, "dest", move.target);
  write_text(reply, "operation", move.is_import ? "import" : "migrate");
  write_text(reply, "state",
             move.state == "success"     ? "completed"
             : move.state == "cancelled" ? "canceled"
                                         : move.state);
  write_text(reply, "last_error", move.message);
  write_number(reply, "retries", 0);
  write_number(reply, "create_time", move.created.ms);
  write_number(reply, "start_time", move.created.ms);
  write_number(reply, "end_time", move.ended.ms);
  write_number(reply, "write_pause_ms", move.paused.count());
}

Outcome migration_status(CommandContext& ctx, SlotMigrationControl& moves, std::string_view id) {
  std::vector<const SlotMove*> told;
  moves.for_each([&](const SlotMove& move) {
    if (id.empty() || move.name == id) told.push_back(&move);
  });
  ctx.reply().array(told.size());
  for (const SlotMove* move : told) write_task(ctx.reply(), *move);
  return {};
}

Outcome migration(CommandContext& ctx) {
  HEARTH_TRY(SlotMigrationControl* const moves, moves_of(ctx));
  const ArgReader& args = ctx.args();
  if (args.is(2, "IMPORT")) {
    HEARTH_TRY(const SlotSet slots, ranges_at(ctx, 3, args.size()));
    HEARTH_TRY(const std::string id, moves->import(slots));
    ctx.reply().bulk(id);
    return {};
  }
  const bool all = args.size() == 4 && args.is(3, "ALL");
  const bool one = args.size() == 5 && args.is(3, "ID");
  const std::string_view id = one ? ctx.arg(4) : std::string_view();
  if (one && id.empty()) return syntax_error();
  if (args.is(2, "STATUS") && (all || one || args.size() == 3))
    return migration_status(ctx, *moves, id);
  if (args.is(2, "CANCEL") && (all || one)) {
    const std::size_t count = moves->cancel(SlotMigrationControl::Which::kAll, id);
    ctx.reply().integer(static_cast<std::int64_t>(count));
    return {};
  }
  return syntax_error();
}

// Words of a node to another one, not of clients: see SlotMoves.
Outcome syncslots(CommandContext& ctx) {
  HEARTH_TRY(SlotMigrationControl* const moves, moves_of(ctx));
  const ArgReader& args = ctx.args();
  const std::size_t count = args.size();
  if (!ctx.may_block()) return refuse("ERR SYNCSLOTS is not allowed here");
  if (args.is(2, "DATA") && count == 4) return moves->data(ctx.session(), ctx.arg(3));
  if (args.is(2, "COMMIT") && count == 4) {
    HEARTH_TRY(const std::int64_t epoch, args.integer_between(3, 1, INT64_MAX, "ERR bad epoch"));
    return moves->commit(ctx.session(), static_cast<std::uint64_t>(epoch));
  }
  if (count < 4 || !NodeId::is_valid(ctx.arg(3))) return syntax_error();
  const std::string_view name = ctx.arg(3);
  if (args.is(2, "QUERY")) {
    HEARTH_TRY(const SlotSet slots, ranges_at(ctx, 4, count));
    HEARTH_TRY_VOID(moves->query(name, slots));
  } else {
    const bool establishes = args.is(2, "ESTABLISH");
    if ((!establishes && !args.is(2, "REQUEST")) || count < 5 || !NodeId::is_valid(ctx.arg(4)))
      return syntax_error();
    HEARTH_TRY(const SlotSet slots, ranges_at(ctx, 5, count));
    if (establishes)
      HEARTH_TRY_VOID(moves->establish(ctx.session(), name, ctx.arg(4), slots));
    else
      HEARTH_TRY_VOID(moves->request(name, std::string(ctx.arg(4)), slots));
  }
  ctx.reply().ok();
  return {};
}

Outcome flushslot(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  HEARTH_TRY(const Slot slot, slot_at(ctx, 2));
  const ArgReader& args = ctx.args();
  const bool async = args.size() == 4 && args.is(3, "ASYNC");
  if (args.size() > 4 || (args.size() == 4 && !async && !args.is(3, "SYNC"))) return syntax_error();
  SlotSet one;
  one.add(slot);
  if (SlotMigrationControl* moves = ctx.services().slot_migrations;
      moves != nullptr && moves->is_moving(one))
    return refuse("ERR The slot is being moved");
  const bool background = args.size() == 4 ? async : ctx.settings().lazyfree_lazy_user_flush;
  std::uint64_t count = 0;
  for (DbIndex i = 0; i < ctx.keyspace().db_count(); ++i) {
    Garbage garbage = ctx.keyspace().db(i).take_slot(slot);
    if (garbage.object_count() == 0) continue;
    count += garbage.object_count();
    ctx.services().transactions->touch_all(i, std::nullopt);
    if (background && ctx.services().reclaimer != nullptr)
      ctx.services().reclaimer->reclaim(std::move(garbage));
  }
  if (ctx.services().warm != nullptr) ctx.services().warm->lose_slot(slot);
  if (count > 0) ctx.effects().replicate_verbatim();
  if (count > 1) ctx.effects().count_changes(count - 1);
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kMoveRange[] = {args::integer("start-slot"), args::integer("end-slot")};
constexpr ArgDoc kMoveRanges[] = {args::block("range", kMoveRange).many()};
constexpr ArgDoc kMoveOrder[] = {args::block("slotsrange", kMoveRanges, "SLOTSRANGE"),
                                 args::string("node-id", "NODE")};
constexpr ArgDoc kMigrateArgs[] = {args::block("migration", kMoveOrder).many()};
constexpr ArgDoc kWhich[] = {args::string("task-id", "ID"), args::token("all", "ALL")};
constexpr ArgDoc kMigrationActions[] = {args::block("import", kMoveRanges, "IMPORT"),
                                        args::one_of("cancel", kWhich, "CANCEL"),
                                        args::one_of("status", kWhich, "STATUS").opt()};
constexpr ArgDoc kMigrationArgs[] = {args::one_of("subcommand", kMigrationActions)};
constexpr ArgDoc kFlushModes[] = {args::token("async", "ASYNC"), args::token("sync", "SYNC")};
constexpr ArgDoc kFlushSlotArgs[] = {args::integer("slot"),
                                     args::one_of("flush-type", kFlushModes).opt()};
constexpr ArgDoc kSyncArgs[] = {args::string("subcommand"), args::string("argument").many()};
constexpr std::string_view kPerSlots = "O(N) with N the number of slots";

}  // namespace

constexpr CommandSpec kClusterMigrateSlots{
    .name = "MIGRATESLOTS",
    .summary = "Begins to move slots of this node, keys and ownership, to other nodes.",
    .complexity = kPerSlots,
    .since = "9.0.0",
    .arity = Arity::at_least(7),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kMigrateArgs,
    .handler = migrateslots,
};

constexpr CommandSpec kClusterGetSlotMigrations{
    .name = "GETSLOTMIGRATIONS",
    .summary = "Lists moves of slots from and to this node, those that ended lately too.",
    .complexity = "O(N) with N the number of moves",
    .since = "9.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kAdmin | Flag::kStale,
    .group = Group::kCluster,
    .reply = Shape::kArray,
    .handler = getslotmigrations,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterCancelSlotMigrations{
    .name = "CANCELSLOTMIGRATIONS",
    .summary = "Ends the moves of slots from this node that are not handed over yet.",
    .complexity = "O(N) with N the number of moves",
    .since = "9.0.0",
    .arity = Arity::exactly(2),
    .flags = kChanges,
    .group = Group::kCluster,
    .handler = cancelslotmigrations,
};

constexpr CommandSpec kClusterMigration{
    .name = "MIGRATION",
    .summary = "Moves slots of another node to this one; tells of such moves, and ends them.",
    .complexity = kPerSlots,
    .since = "8.4.0",
    .arity = Arity::at_least(3),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kMigrationArgs,
    .reply = Shape::kBulk | Shape::kInteger | Shape::kArray,
    .handler = migration,
    .tips = kNondeterministic,
};

constexpr CommandSpec kClusterSyncSlots{
    .name = "SYNCSLOTS",
    .summary = "What nodes say to each other while slots are moved. Not for clients.",
    .complexity = "Depends on the subcommand",
    .since = "8.4.0",
    .arity = Arity::at_least(4),
    .flags = kChanges | Flag::kNoScript | Flag::kNoMulti | Flag::kSkipMonitor | Flag::kSkipSlowlog,
    .group = Group::kCluster,
    .args = kSyncArgs,
    .handler = syncslots,
};

constexpr CommandSpec kClusterFlushSlot{
    .name = "FLUSHSLOT",
    .summary = "Removes all keys of a slot.",
    .complexity = "O(N) with N the number of keys in the slot; O(1) with ASYNC",
    .since = "9.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | kChanges,
    .group = Group::kCluster,
    .args = kFlushSlotArgs,
    .handler = flushslot,
};

}  // namespace hearth::commands
