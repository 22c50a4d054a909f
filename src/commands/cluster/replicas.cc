// CLUSTER REPLICATE, FAILOVER and RECOVER: whose replica this node is, and when replicas take over.
#include "src/command/common_specs.h"
#include "src/commands/cluster/administer.h"
#include "src/commands/cluster/family.h"
#include "src/commands/cluster/spec_parts.h"

namespace hearth::commands {
namespace {

using cluster::admin::Failover;

Outcome replicate(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  if (ctx.args().size() == 4) {
    if (!ctx.args().is(2, "NO") || !ctx.args().is(3, "ONE")) return syntax_error();
    return administer(ctx, cluster::admin::ReplicateNoOne{});
  }
  if (ctx.args().size() > 4) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  const bool has_keys = ctx.keyspace().total_keys() > 0;
  return administer(ctx, cluster::admin::Replicate{std::string(ctx.arg(2)), has_keys});
}

Outcome failover(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  Failover::Mode mode = Failover::Mode::kAgreed;
  if (ctx.args().is(2, "FORCE")) mode = Failover::Mode::kForce;
  if (ctx.args().is(2, "TAKEOVER")) mode = Failover::Mode::kTakeover;
  if (ctx.args().size() > 3 || (ctx.args().size() == 3 && mode == Failover::Mode::kAgreed))
    return syntax_error();
  return administer(ctx, Failover{mode});
}

// LOST count, or NODES id ...: the loss as the administrator knows it.
Outcome recover(CommandContext& ctx) {
  HEARTH_TRY_VOID(cluster_of(ctx));
  const ArgReader& args = ctx.args();
  cluster::admin::Recover request;
  if (args.is(2, "LOST") && args.size() == 4) {
    HEARTH_TRY(request.count, args.integer(3));
    if (request.count < 1) return refuse("ERR the number of lost primaries is at least 1");
    return administer(ctx, std::move(request));
  }
  if (!args.is(2, "NODES")) return syntax_error();
  for (std::size_t i = 3; i < args.size(); ++i) {
    const std::string id(args[i]);
    if (!NodeId::is_valid(id)) return refuse("ERR Unknown node " + id);
    request.nodes.push_back(id);
  }
  return administer(ctx, std::move(request));
}

constexpr ArgDoc kNoOneWords[] = {args::token("no", "NO"), args::token("one", "ONE")};
constexpr ArgDoc kPrimaries[] = {args::string("node-id"), args::block("no-one", kNoOneWords)};
constexpr ArgDoc kReplicateArgs[] = {args::one_of("args", kPrimaries)};
constexpr ArgDoc kModes[] = {args::token("force", "FORCE"), args::token("takeover", "TAKEOVER")};
constexpr ArgDoc kFailoverArgs[] = {args::one_of("options", kModes).opt()};
constexpr ArgDoc kLosses[] = {args::integer("count", "LOST"),
                              args::string("node-id", "NODES").many()};
constexpr ArgDoc kRecoverArgs[] = {args::one_of("loss", kLosses)};

}  // namespace

constexpr CommandSpec kClusterReplicate{
    .name = "REPLICATE",
    .summary = "Makes this node a replica of a primary, or an empty primary.",
    .complexity = "O(1), and O(N) for NO ONE, with N the number of keys that are dropped",
    .since = "3.0.0",
    .arity = Arity::at_least(3),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kReplicateArgs,
    .handler = replicate,
};

constexpr CommandSpec kClusterFailover{
    .name = "FAILOVER",
    .summary = "Lets this replica take its primary's place.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::at_least(2),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kFailoverArgs,
    .handler = failover,
};

constexpr CommandSpec kClusterRecover{
    .name = "RECOVER",
    .summary =
        "Gives up primaries that are lost for good with the majority: replicas that are "
        "left take their places.",
    .complexity = "O(N) with N the number of nodes",
    .since = "1.0.0",
    .arity = Arity::at_least(4),
    .flags = kChanges,
    .group = Group::kCluster,
    .args = kRecoverArgs,
    .reply = Shape::kSimple,
    .handler = recover,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
