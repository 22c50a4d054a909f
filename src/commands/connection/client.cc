// CLIENT: what a connection says of itself, and lists of connections.
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/connection/client_text.h"
#include "src/commands/connection/family.h"

namespace hearth::commands {
namespace {

Outcome client_id(CommandContext& ctx) {
  ctx.reply().integer(static_cast<std::int64_t>(ctx.session().id));
  return {};
}

Outcome client_info(CommandContext& ctx) {
  ctx.reply().verbatim("txt",
                       client_line(ctx.session(), ctx.services().clients->mono_now()) + "\n");
  return {};
}

Outcome client_list(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  ClientControl& clients = *ctx.services().clients;
  const MonoTime now = clients.mono_now();
  std::string text;
  const auto add = [&](const Session& s) { text += client_line(s, now) + "\n"; };
  if (args.size() == 2) {
    clients.for_each(add);
  } else if (args.is(2, "TYPE") && args.size() == 4) {
    const auto type = client_type(args[3]);
    if (!type) return refuse(unknown_client_type(args[3]));
    clients.for_each([&](const Session& s) {
      if (type_of(s) == *type) add(s);
    });
  } else if (args.is(2, "ID") && args.size() > 3) {
    std::vector<ConnId> ids;
    for (std::size_t i = 3; i < args.size(); ++i) {
      HEARTH_TRY(const std::int64_t id, args.integer(i, "ERR Invalid client ID"));
      ids.push_back(static_cast<ConnId>(id));
    }
    for (const ConnId id : ids) {
      if (const Session* s = clients.find(id)) add(*s);
    }
  } else {
    return syntax_error();
  }
  ctx.reply().verbatim("txt", text);
  return {};
}

Outcome client_setname(CommandContext& ctx) {
  HEARTH_TRY_VOID(set_client_name(ctx.session(), ctx.arg(2)));
  ctx.reply().ok();
  return {};
}

Outcome client_getname(CommandContext& ctx) {
  if (ctx.session().name.empty())
    ctx.reply().null();
  else
    ctx.reply().bulk(ctx.session().name);
  return {};
}

Outcome client_setinfo(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  const bool is_name = args.is(2, "LIB-NAME");
  if (!is_name && !args.is(2, "LIB-VER"))
    return refuse("ERR Unrecognized option '" + std::string(args[2]) + "'");
  if (!is_plain_name(args[3])) {
    return refuse(std::string("ERR ") + (is_name ? "lib-name" : "lib-ver") +
                  " cannot contain spaces, newlines or special characters.");
  }
  (is_name ? ctx.session().lib_name : ctx.session().lib_version) = args[3];
  ctx.reply().ok();
  return {};
}

Outcome client_getredir(CommandContext& ctx) {
  ctx.reply().integer(-1);  // nobody tracks keys yet, so nobody's invalidations go elsewhere
  return {};
}

Outcome client_trackinginfo(CommandContext& ctx) {
  ReplyWriter& reply = ctx.reply();
  reply.map(3);
  reply.bulk("flags");
  reply.set(1);
  reply.bulk("off");
  reply.bulk("redirect");
  reply.integer(-1);
  reply.bulk("prefixes");
  reply.array(0);
  return {};
}

constexpr ArgDoc kTypes[] = {args::token("normal", "NORMAL"), args::token("master", "MASTER"),
                             args::token("replica", "REPLICA"), args::token("pubsub", "PUBSUB")};
constexpr ArgDoc kListArgs[] = {args::one_of("client-type", kTypes, "TYPE").opt().from("5.0.0"),
                                args::integer("client-id", "ID").many().opt().from("6.2.0")};
constexpr ArgDoc kNameArgs[] = {args::string("connection-name")};
constexpr ArgDoc kInfoParts[] = {args::string("libname", "LIB-NAME"),
                                 args::string("libver", "LIB-VER")};
constexpr ArgDoc kSetInfoArgs[] = {args::one_of("attr", kInfoParts)};
constexpr HistoryNote kListHistory[] = {{"2.8.12", "Shows a client id that is never used twice."},
                                        {"5.0.0", "TYPE filters by the kind of client."},
                                        {"6.2.0", "ID filters by client ids."},
                                        {"7.0.3", "Shows the protocol's version."},
                                        {"7.2.0", "Shows the library's name and version."}};
constexpr std::string_view kUnsteady[] = {"nondeterministic_output"};
constexpr std::string_view kOnAllNodes[] = {"request_policy:all_nodes",
                                            "response_policy:all_succeeded"};
constexpr Flag kPlain = Flag::kNoScript | Flag::kLoading | Flag::kStale;

}  // namespace

constexpr CommandSpec kClientId{
    .name = "ID",
    .summary = "Returns the id of the connection.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kInteger,
    .handler = client_id,
};

constexpr CommandSpec kClientInfo{
    .name = "INFO",
    .summary = "Describes the connection in one line of fields.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = client_info,
    .tips = kUnsteady,
};

constexpr CommandSpec kClientList{
    .name = "LIST",
    .summary = "Describes the open connections, one line of fields each.",
    .complexity = "O(N) with N the number of connections",
    .since = "2.4.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kAdmin | kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kListArgs,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = client_list,
    .tips = kUnsteady,
    .history = kListHistory,
};

constexpr CommandSpec kClientSetName{
    .name = "SETNAME",
    .summary = "Names the connection; an empty name takes the name away.",
    .complexity = "O(1)",
    .since = "2.6.9",
    .arity = Arity::exactly(3),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kNameArgs,
    .reply = Shape::kOk,
    .handler = client_setname,
    .tips = kOnAllNodes,
};

constexpr CommandSpec kClientGetName{
    .name = "GETNAME",
    .summary = "Returns the name of the connection.",
    .complexity = "O(1)",
    .since = "2.6.9",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = client_getname,
};

constexpr CommandSpec kClientSetInfo{
    .name = "SETINFO",
    .summary = "Notes the name or the version of the library that speaks on the connection.",
    .complexity = "O(1)",
    .since = "7.2.0",
    .arity = Arity::exactly(4),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kSetInfoArgs,
    .reply = Shape::kOk,
    .handler = client_setinfo,
    .tips = kOnAllNodes,
};

constexpr CommandSpec kClientGetRedir{
    .name = "GETREDIR",
    .summary =
        "Returns the id of the client that gets this one's invalidation messages, -1 if there is "
        "none.",
    .complexity = "O(1)",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kInteger,
    .handler = client_getredir,
};

constexpr CommandSpec kClientTrackingInfo{
    .name = "TRACKINGINFO",
    .summary = "Tells how the connection's reads are tracked.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kMap,
    .handler = client_trackinginfo,
};

constexpr CommandSpec kClientHelp = help_spec("5.0.0", Group::kConnection, Acl::kConnection);

constexpr const CommandSpec* kClientSubs[] = {
    &kClientId,      &kClientInfo,     &kClientList,         &kClientKill,
    &kClientSetName, &kClientGetName,  &kClientSetInfo,      &kClientPause,
    &kClientUnpause, &kClientReply,    &kClientNoEvict,      &kClientNoTouch,
    &kClientUnblock, &kClientGetRedir, &kClientTrackingInfo, &kClientHelp,
};

constexpr CommandSpec kClient{
    .name = "CLIENT",
    .summary = "The container of commands about connections.",
    .complexity = "Depends on the subcommand",
    .since = "2.4.0",
    .arity = Arity::at_least(2),
    .group = Group::kConnection,
    .subcommands = kClientSubs,
};

}  // namespace hearth::commands
