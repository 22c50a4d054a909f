// CLIENT: what a connection says of itself, and lists of connections.
#include "src/command/client_control.h"
#include "src/command/client_text.h"
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/connection/family.h"
#include "src/commands/connection/spec_parts.h"

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

// Capabilities that the server does not know are no mistake: newer clients may talk to it.
Outcome client_capa(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "REDIRECT")) ctx.session().understands_redirects = true;
  }
  ctx.reply().ok();
  return {};
}

Outcome client_import_source(CommandContext& ctx) {
  if (!ctx.settings().import_mode) return refuse("ERR Server is not in import mode");
  if (ctx.args().is(2, "ON"))
    ctx.session().import_source = true;
  else if (ctx.args().is(2, "OFF"))
    ctx.session().import_source = false;
  else
    return syntax_error();
  ctx.reply().ok();
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

constexpr ArgDoc kNameArgs[] = {args::string("connection-name")};
constexpr ArgDoc kCapaArgs[] = {args::string("capability").many()};
constexpr ArgDoc kImportArgs[] = {args::one_of("enabled", kOnOff)};
constexpr ArgDoc kInfoParts[] = {args::string("libname", "LIB-NAME"),
                                 args::string("libver", "LIB-VER")};
constexpr ArgDoc kSetInfoArgs[] = {args::one_of("attr", kInfoParts)};
constexpr std::string_view kOnAllNodes[] = {"request_policy:all_nodes",
                                            "response_policy:all_succeeded"};

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
    .tips = kNondeterministic,
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

constexpr CommandSpec kClientCapa{
    .name = "CAPA",
    .summary = "Says what the client understands beyond the protocol.",
    .complexity = "O(1)",
    .since = "8.0.0",
    .arity = Arity::at_least(3),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kCapaArgs,
    .reply = Shape::kOk,
    .handler = client_capa,
};

constexpr CommandSpec kClientImportSource{
    .name = "IMPORT-SOURCE",
    .summary = "Marks the connection as one that brings data in from another server.",
    .complexity = "O(1)",
    .since = "8.1.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kAdmin | kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kImportArgs,
    .reply = Shape::kOk,
    .handler = client_import_source,
};

constexpr CommandSpec kClientHelp = help_spec("5.0.0", Group::kConnection, Acl::kConnection);

constexpr const CommandSpec* kClientSubs[] = {
    &kClientId,       &kClientInfo,    &kClientList,    &kClientKill,         &kClientSetName,
    &kClientGetName,  &kClientSetInfo, &kClientPause,   &kClientUnpause,      &kClientReply,
    &kClientNoEvict,  &kClientNoTouch, &kClientUnblock, &kClientGetRedir,     &kClientTrackingInfo,
    &kClientTracking, &kClientCaching, &kClientCapa,    &kClientImportSource, &kClientHelp,
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
