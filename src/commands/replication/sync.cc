// SYNC, PSYNC and REPLCONF: a replica introduces itself, asks for the data and then acknowledges
// the stream of effects. None of them has an ordinary reply once the stream flows.
#include "src/base/parse_number.h"
#include "src/command/context.h"
#include "src/command/replica_control.h"
#include "src/command/replication_control.h"
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

Outcome replicaof(CommandContext& ctx) {
  ReplicaControl* replica = ctx.services().replica;
  if (replica == nullptr) return refuse("ERR this server can't be a replica");
  // The stream would end itself in the middle of its own command.
  if (ctx.session().primary) return refuse("ERR REPLICAOF is not taken from a primary");
  if (ctx.args().is(1, "NO") && ctx.args().is(2, "ONE")) return replica->follow_nobody(ctx);
  constexpr std::int64_t kPortMost = 65535;
  const auto port = parse_int64(ctx.arg(2));
  if (!port || *port < 0 || *port > kPortMost) return refuse("ERR Invalid master port");
  return replica->follow(ctx.arg(1), static_cast<std::uint16_t>(*port), ctx);
}

constexpr ArgDoc kPsyncArgs[] = {args::string("replicationid"), args::integer("offset")};

constexpr ArgDoc kAddress[] = {args::string("host"), args::integer("port")};
constexpr ArgDoc kAddressArgs[] = {args::block("host-port", kAddress)};
constexpr ArgDoc kNoOne[] = {args::token("no", "NO"), args::token("one", "ONE")};
constexpr ArgDoc kFollowed[] = {kAddressArgs[0], args::block("no-one", kNoOne)};
constexpr ArgDoc kFollowArgs[] = {args::one_of("args", kFollowed)};

constexpr CommandSpec follow_spec(std::string_view name, std::string_view since) {
  return {
      .name = name,
      .summary = "Makes the server a replica of another, or a primary.",
      .complexity = "O(1)",
      .since = since,
      .arity = Arity::exactly(3),
      .flags = Flag::kAdmin | Flag::kNoScript | Flag::kStale | Flag::kNoAsyncLoading,
      .group = Group::kServer,
      .args = kFollowArgs,
      .reply = Shape::kOk,
      .handler = replicaof,
  };
}

}  // namespace

constexpr CommandSpec kReplicaOf = follow_spec("REPLICAOF", "5.0.0");
constexpr CommandSpec kSlaveOf = follow_spec("SLAVEOF", "1.0.0");

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
