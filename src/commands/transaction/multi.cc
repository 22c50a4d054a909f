// MULTI, EXEC, DISCARD, WATCH and UNWATCH. The queue and the watches are the engine's.
#include "src/command/context.h"
#include "src/command/transaction_control.h"
#include "src/commands/transaction/family.h"

namespace hearth::commands {
namespace {

Outcome multi(CommandContext& ctx) {
  Session& s = ctx.session();
  if (s.in_multi) return refuse("ERR MULTI calls can not be nested");
  s.in_multi = true;
  s.queue_traffic = {};  // of one that was discarded
  ctx.reply().ok();
  return {};
}

Outcome exec(CommandContext& ctx) {
  Session& s = ctx.session();
  if (!s.in_multi) return refuse("ERR EXEC without MULTI");
  if (s.multi_aborted) {
    ctx.services().transactions->discard(s);
    return refuse("EXECABORT Transaction discarded because of previous errors.");
  }
  ctx.services().transactions->exec(ctx);
  return {};
}

Outcome discard(CommandContext& ctx) {
  if (!ctx.session().in_multi) return refuse("ERR DISCARD without MULTI");
  ctx.services().transactions->discard(ctx.session());
  ctx.reply().ok();
  return {};
}

Outcome watch(CommandContext& ctx) {
  Session& s = ctx.session();
  if (s.in_multi) return refuse("ERR WATCH inside MULTI is not allowed");
  for (const std::string_view key : ctx.args().from(1))
    ctx.services().transactions->watch(s, s.db, key);
  ctx.reply().ok();
  return {};
}

Outcome unwatch(CommandContext& ctx) {
  ctx.services().transactions->unwatch(ctx.session());
  ctx.reply().ok();
  return {};
}

constexpr KeySpec kWatchKeys[] = {KeySpec::range(1, -1, 1, access::kReadMeta)};
constexpr ArgDoc kWatchArgs[] = {args::key().many()};
constexpr Flag kPlain =
    Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kAllowBusy;

}  // namespace

constexpr CommandSpec kMulti{
    .name = "MULTI",
    .summary = "Starts a transaction: the commands that follow wait for EXEC.",
    .complexity = "O(1)",
    .since = "1.2.0",
    .arity = Arity::exactly(1),
    .flags = kPlain | Flag::kUnqueued,
    .acl = Acl::kTransaction,
    .group = Group::kTransactions,
    .reply = Shape::kOk,
    .handler = multi,
};

constexpr CommandSpec kExec{
    .name = "EXEC",
    .summary = "Runs the commands of the transaction, unless a watched key has changed.",
    .complexity = "Depends on the commands of the transaction",
    .since = "1.2.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSkipSlowlog |
             Flag::kUnqueued | Flag::kRunsQueue,
    .acl = Acl::kTransaction,
    .group = Group::kTransactions,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = exec,
};

constexpr CommandSpec kDiscard{
    .name = "DISCARD",
    .summary = "Gives up the transaction and its watched keys.",
    .complexity = "O(N) with N the number of queued commands",
    .since = "2.0.0",
    .arity = Arity::exactly(1),
    .flags = kPlain | Flag::kUnqueued,
    .acl = Acl::kTransaction,
    .group = Group::kTransactions,
    .reply = Shape::kOk,
    .handler = discard,
};

constexpr CommandSpec kWatch{
    .name = "WATCH",
    .summary = "Makes the next transaction depend on these keys staying as they are.",
    .complexity = "O(1) for each key",
    .since = "2.2.0",
    .arity = Arity::at_least(2),
    .flags = kPlain | Flag::kUnqueued,
    .acl = Acl::kTransaction,
    .group = Group::kTransactions,
    .keys = kWatchKeys,
    .args = kWatchArgs,
    .reply = Shape::kOk,
    .handler = watch,
};

constexpr CommandSpec kUnwatch{
    .name = "UNWATCH",
    .summary = "Forgets the watched keys.",
    .complexity = "O(N) with N the number of watched keys",
    .since = "2.2.0",
    .arity = Arity::exactly(1),
    .flags = kPlain,
    .acl = Acl::kTransaction,
    .group = Group::kTransactions,
    .reply = Shape::kOk,
    .handler = unwatch,
};

}  // namespace hearth::commands
