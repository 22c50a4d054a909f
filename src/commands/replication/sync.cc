// SYNC, PSYNC and REPLCONF: a replica introduces itself, asks for the data and then acknowledges
// the stream of effects. None of them has an ordinary reply once the stream flows.
#include "src/command/context.h"
#include "src/commands/replication/family.h"

namespace hearth::commands {
namespace {

Outcome sync(CommandContext& ctx) {
  if (ctx.services().replication == nullptr) return refuse("ERR this server has no replicas");
  return ctx.services().replication->sync(ctx);
}

Outcome replconf(CommandContext& ctx) {
  if (ctx.args().size() % 2 == 0) return syntax_error();
  if (ctx.services().replication == nullptr) return refuse("ERR this server has no replicas");
  return ctx.services().replication->configure(ctx);
}

constexpr ArgDoc kPsyncArgs[] = {args::string("replicationid"), args::integer("offset")};

}  // namespace

constexpr CommandSpec kSync{
    .name = "SYNC",
    .summary = "Asks for all data and then every change of it; the oldest form.",
    .complexity = "O(N) with N the number of keys, in a child process",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoMulti | Flag::kNoAsyncLoading,
    .group = Group::kServer,
    .reply = Shape::kNone,
    .handler = sync,
};

constexpr CommandSpec kPsync{
    .name = "PSYNC",
    .summary = "Asks for every change from an offset on, or for all data if that is too old.",
    .complexity = "O(N) with N the number of keys, in a child process",
    .since = "2.8.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoMulti | Flag::kNoAsyncLoading,
    .group = Group::kServer,
    .args = kPsyncArgs,
    .reply = Shape::kNone,
    .handler = sync,
};

constexpr CommandSpec kReplConf{
    .name = "REPLCONF",
    .summary = "Tells what a replica is and how far it has come.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kAllowBusy,
    .group = Group::kServer,
    .reply = Shape::kOk | Shape::kNone,
    .handler = replconf,
};

}  // namespace hearth::commands
