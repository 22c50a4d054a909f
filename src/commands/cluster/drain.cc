// CLUSTER DRAIN: this node gives its slots to the other primaries, and takes none.
#include "src/command/common_specs.h"
#include "src/command/slot_migration_control.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome drain_status(CommandContext& ctx) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  const cluster::ViewPtr view = cluster->view();
  const SlotMigrationControl* moves = ctx.services().slot_migrations;
  ReplyWriter& reply = ctx.reply();
  reply.map(3);
  reply.bulk("draining");
  reply.bulk(view->draining ? "yes" : "no");
  reply.bulk("slots");
  reply.integer(view->me().slot_count);
  reply.bulk("state");
  reply.bulk(moves == nullptr ? std::string("off") : moves->balance_state());
  return {};
}

Outcome drain(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  if (ctx.args().size() == 2 || (ctx.args().size() == 3 && ctx.args().is(2, "STATUS")))
    return drain_status(ctx);
  const bool on = ctx.args().is(2, "ON");
  if (ctx.args().size() != 3 || (!on && !ctx.args().is(2, "OFF"))) return syntax_error();
  return administer(ctx, cluster::admin::Drain{on});
}

constexpr ArgDoc kDrainWords[] = {args::token("on", "ON"), args::token("off", "OFF"),
                                  args::token("status", "STATUS")};
constexpr ArgDoc kDrainArgs[] = {args::one_of("action", kDrainWords).opt()};

}  // namespace

constexpr CommandSpec kClusterDrain{
    .name = "DRAIN",
    .summary = "Lets this node give all its slots away and take none, and tells how far that is.",
    .complexity = "O(N) with N the number of nodes",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kDrainArgs,
    .reply = Shape::kOk | Shape::kMap,
    .handler = drain,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
