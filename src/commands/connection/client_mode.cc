// CLIENT subcommands that change how a connection, or all of them, are served.
#include "src/command/blocking_control.h"
#include "src/command/context.h"
#include "src/command/hold_control.h"
#include "src/commands/connection/family.h"
#include "src/commands/connection/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome client_pause(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  HEARTH_TRY(const std::int64_t timeout,
             args.integer(2, "ERR timeout is not an integer or out of range"));
  if (timeout < 0) return refuse("ERR timeout is negative");
  PauseKind kind = PauseKind::kAll;
  if (args.is(3, "WRITE"))
    kind = PauseKind::kWrite;
  else if (args.size() > 3 && !args.is(3, "ALL"))
    return refuse("ERR CLIENT PAUSE mode must be WRITE or ALL");
  std::int64_t until = 0;
  if (__builtin_add_overflow(ctx.clock().ms, timeout, &until))
    return refuse("ERR timeout is out of range");
  ctx.services().holds->pause(kind, UnixMillis{until});
  ctx.reply().ok();
  return {};
}

Outcome client_unpause(CommandContext& ctx) {
  ctx.services().holds->unpause();
  ctx.reply().ok();
  return {};
}

Outcome client_reply(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  ReplyMode& mode = ctx.session().reply_mode;
  if (args.is(2, "ON")) {
    mode = ReplyMode::kOn;
    ctx.reply().ok();
  } else if (args.is(2, "OFF")) {
    mode = ReplyMode::kOff;
  } else if (args.is(2, "SKIP")) {
    if (mode != ReplyMode::kOff) mode = ReplyMode::kSkipNext;
  } else {
    return syntax_error();
  }
  return {};
}

Outcome switch_mode(CommandContext& ctx, bool& mode) {
  if (ctx.args().is(2, "ON"))
    mode = true;
  else if (ctx.args().is(2, "OFF"))
    mode = false;
  else
    return syntax_error();
  ctx.reply().ok();
  return {};
}

Outcome client_no_evict(CommandContext& ctx) { return switch_mode(ctx, ctx.session().no_evict); }
Outcome client_no_touch(CommandContext& ctx) { return switch_mode(ctx, ctx.session().no_touch); }

Outcome client_unblock(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 3 && !args.is(3, "TIMEOUT") && !args.is(3, "ERROR")) {
    return refuse("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  HEARTH_TRY(const std::int64_t id, args.integer(2));
  const auto how =
      args.is(3, "ERROR") ? BlockingControl::Unblock::kError : BlockingControl::Unblock::kTimeout;
  const bool done = id > 0 && ctx.services().blocking->unblock(static_cast<ConnId>(id), how);
  ctx.reply().integer(done ? 1 : 0);
  return {};
}

constexpr ArgDoc kModes[] = {args::token("write", "WRITE"), args::token("all", "ALL")};
constexpr ArgDoc kPauseArgs[] = {args::integer("timeout"),
                                 args::one_of("mode", kModes).opt().from("6.2.0")};
constexpr ArgDoc kReplyModes[] = {args::token("on", "ON"), args::token("off", "OFF"),
                                  args::token("skip", "SKIP")};
constexpr ArgDoc kReplyArgs[] = {args::one_of("action", kReplyModes)};
constexpr ArgDoc kSwitchArgs[] = {args::one_of("enabled", kOnOff)};
constexpr ArgDoc kReasons[] = {args::token("timeout", "TIMEOUT"), args::token("error", "ERROR")};
constexpr ArgDoc kUnblockArgs[] = {args::integer("client-id"),
                                   args::one_of("unblock-type", kReasons).opt()};
constexpr HistoryNote kPauseHistory[] = {
    {"3.2.10", "Also stops keys from expiring and from being evicted."},
    {"6.2.0", "WRITE stops commands that write and lets others pass."}};

}  // namespace

constexpr CommandSpec kClientPause{
    .name = "PAUSE",
    .summary =
        "Makes commands of clients wait for some milliseconds, all of them or those that write.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kAdmin | kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kPauseArgs,
    .reply = Shape::kOk,
    .handler = client_pause,
    .history = kPauseHistory,
};

constexpr CommandSpec kClientUnpause{
    .name = "UNPAUSE",
    .summary = "Lets the commands go on that CLIENT PAUSE made wait.",
    .complexity = "O(N) with N the number of clients that wait",
    .since = "6.2.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kAdmin | kPlain | Flag::kEndsPause,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kOk,
    .handler = client_unpause,
};

constexpr CommandSpec kClientReply{
    .name = "REPLY",
    .summary = "Says whether the connection wants replies: all, none, or none to its next command.",
    .complexity = "O(1)",
    .since = "3.2.0",
    .arity = Arity::exactly(3),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kReplyArgs,
    .reply = Shape::kOk | Shape::kNone,
    .handler = client_reply,
};

constexpr CommandSpec kClientNoEvict{
    .name = "NO-EVICT",
    .summary = "Says whether the connection may be closed when clients take too much memory.",
    .complexity = "O(1)",
    .since = "7.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kAdmin | kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kSwitchArgs,
    .reply = Shape::kOk,
    .handler = client_no_evict,
};

constexpr CommandSpec kClientNoTouch{
    .name = "NO-TOUCH",
    .summary = "Says whether the connection's commands leave the access times of keys alone.",
    .complexity = "O(1)",
    .since = "7.2.0",
    .arity = Arity::exactly(3),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kSwitchArgs,
    .reply = Shape::kOk,
    .handler = client_no_touch,
};

constexpr CommandSpec kClientUnblock{
    .name = "UNBLOCK",
    .summary =
        "Ends the waiting of a client that is blocked by a command, as by its timeout or with an "
        "error.",
    .complexity = "O(log N) with N the number of connections",
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kAdmin | kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kUnblockArgs,
    .reply = Shape::kInteger,
    .handler = client_unblock,
};

}  // namespace hearth::commands
