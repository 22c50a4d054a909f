// PING, ECHO, SELECT, QUIT and RESET.
#include "src/command/account_control.h"
#include "src/command/context.h"
#include "src/command/monitor_control.h"
#include "src/command/tracking_control.h"
#include "src/command/transaction_control.h"
#include "src/command/write_guard.h"
#include "src/commands/connection/family.h"
#include "src/pubsub/pubsub.h"

namespace hearth::commands {
namespace {

Outcome ping(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 2) return refuse("ERR wrong number of arguments for 'ping' command");
  const std::string_view message = args.size() == 2 ? args[1] : "";
  // A RESP2 subscriber tells replies from messages by their being arrays like them.
  if (ctx.session().in_subscribe_mode() && ctx.session().resp == 2) {
    ctx.reply().array(2);
    ctx.reply().bulk("pong");
    ctx.reply().bulk(message);
  } else if (args.size() == 2) {
    ctx.reply().bulk(message);
  } else {
    ctx.reply().simple("PONG");
  }
  return {};
}

Outcome echo(CommandContext& ctx) {
  if (ctx.session().replaying) replay_guard(ctx, ctx.arg(1));
  ctx.reply().bulk(ctx.arg(1));
  return {};
}

Outcome select(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t index, ctx.args().int32(1));
  if (index != 0 && ctx.settings().cluster_enabled && ctx.keyspace().db_count() == 1)
    return refuse("ERR SELECT is not allowed in cluster mode");
  if (index < 0 || index >= ctx.keyspace().db_count())
    return refuse("ERR DB index is out of range");
  ctx.session().db = static_cast<DbIndex>(index);
  ctx.reply().ok();
  return {};
}

Outcome quit(CommandContext& ctx) {
  ctx.session().close_after_reply = true;
  ctx.reply().ok();
  return {};
}

Outcome reset(CommandContext& ctx) {
  Session& s = ctx.session();
  const Services& services = ctx.services();
  services.transactions->discard(s);
  services.pubsub->unsubscribe_all(s.subscriptions);
  services.monitors->stop(s);
  s.db = 0;
  s.loads = false;
  s.resp = ctx.settings().client_default_resp;
  services.tracking->stop(s);
  services.accounts->become_default(s);
  s.name.clear();
  s.field_sets.clear();
  s.readonly = s.asking = s.no_evict = s.no_touch = false;
  s.reply_mode = ReplyMode::kOn;
  ctx.reply().simple("RESET");
  return {};
}

constexpr ArgDoc kPingArgs[] = {args::string("message").opt()};
constexpr ArgDoc kEchoArgs[] = {args::string("message")};
constexpr ArgDoc kSelectArgs[] = {args::integer("index")};
constexpr std::string_view kPingTips[] = {"request_policy:all_shards",
                                          "response_policy:all_succeeded"};

}  // namespace

constexpr CommandSpec kPing{
    .name = "PING",
    .summary = "Answers, with the given text if there is one: the connection works.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kFast | Flag::kInSubscriberMode | Flag::kReportsDisk,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kPingArgs,
    .reply = Shape::kSimple | Shape::kBulk | Shape::kArray,
    .handler = ping,
    .tips = kPingTips,
};

constexpr CommandSpec kEcho{
    .name = "ECHO",
    .summary = "Returns the given text.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kEchoArgs,
    .reply = Shape::kBulk,
    .handler = echo,
};

constexpr CommandSpec kSelect{
    .name = "SELECT",
    .summary = "Chooses the database that the connection's commands work on.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kSelectArgs,
    .reply = Shape::kOk,
    .handler = select,
    .databases = DatabaseUse::kFirstArgument,
};

constexpr CommandSpec kQuit{
    .name = "QUIT",
    .summary = "Closes the connection after the replies that are still due.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kNoAuth |
             Flag::kAllowBusy | Flag::kUnqueued | Flag::kInSubscriberMode,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kOk,
    .handler = quit,
    .deprecated_since = "7.2.0",
    .replaced_by = "just closing the connection",
};

constexpr CommandSpec kReset{
    .name = "RESET",
    .summary = "Puts the connection back into the state of a new one.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kNoAuth |
             Flag::kAllowBusy | Flag::kUnqueued | Flag::kInSubscriberMode,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kSimple,
    .handler = reset,
};

}  // namespace hearth::commands
