// AUTH and HELLO.
#include "src/acl/users.h"
#include "src/command/account_control.h"
#include "src/command/client_text.h"
#include "src/command/context.h"
#include "src/command/info_control.h"
#include "src/commands/connection/family.h"

namespace hearth::commands {
namespace {

Outcome authenticate(CommandContext& ctx, std::string_view user, std::string_view password) {
  if (ctx.services().accounts->authenticate(ctx.session(), user, password, ctx.arg(0))) return {};
  return refuse("WRONGPASS invalid username-password pair or user is disabled.");
}

Outcome auth(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 3) return syntax_error();
  if (args.size() == 2 && ctx.services().accounts->users().default_user().needs_no_password()) {
    return refuse(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your "
        "configuration is correct?");
  }
  HEARTH_TRY_VOID(args.size() == 2 ? authenticate(ctx, acl::kDefaultUser, args[1])
                                   : authenticate(ctx, args[1], args[2]));
  ctx.reply().ok();
  return {};
}

// All words: a user's name in the wrong place may be a password.
void auth_secrets(const Services&, std::span<const std::string_view> argv,
                  std::vector<std::uint32_t>& words) {
  for (std::uint32_t i = 1; i < argv.size(); ++i) words.push_back(i);
}

// Everything behind the first AUTH, wherever that stands: a request that is refused for its form
// may have its password anywhere behind it.
void hello_secrets(const Services&, std::span<const std::string_view> argv,
                   std::vector<std::uint32_t>& words) {
  std::uint32_t i = 1;
  while (i < argv.size() && !equals_ignore_case(argv[i], "AUTH")) ++i;
  for (++i; i < argv.size(); ++i) words.push_back(i);
}

struct HelloOptions {
  int resp = 0;  // 0: as it is
  std::string_view user, password, name;
  bool has_auth = false, has_name = false;
};

Result<HelloOptions, ReplyError> parse_hello(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  HelloOptions o;
  if (args.size() == 1) return o;
  HEARTH_TRY(const std::int64_t resp,
             args.integer(1, "ERR Protocol version is not an integer or out of range"));
  if (resp != 2 && resp != 3) return refuse("NOPROTO unsupported protocol version");
  o.resp = static_cast<int>(resp);
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "AUTH", 2)) {
      o.has_auth = true;
      o.user = args[i + 1];
      o.password = args[i + 2];
      i += 2;
    } else if (args.is(i, "SETNAME", 1)) {
      o.has_name = true;
      o.name = args[++i];
      if (!is_plain_name(o.name))
        return refuse("ERR Client names cannot contain spaces, newlines or special characters.");
    } else {
      return refuse("ERR Syntax error in HELLO option '" + std::string(args[i]) + "'");
    }
  }
  return o;
}

Outcome hello(CommandContext& ctx) {
  HEARTH_TRY(const HelloOptions options, parse_hello(ctx));
  Session& s = ctx.session();
  if (options.has_auth) HEARTH_TRY_VOID(authenticate(ctx, options.user, options.password));
  if (!s.authenticated) {
    return refuse(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> "
        "<pass> option can be used to authenticate the client and select the RESP protocol version "
        "at the same time");
  }
  if (options.has_name) HEARTH_TRY_VOID(set_client_name(s, options.name));
  if (options.resp != 0) s.resp = options.resp;

  ReplyWriter reply(s.out, s.resp);  // the answer speaks the new version already
  const std::string_view zone = ctx.settings().availability_zone;
  reply.map(zone.empty() ? 7 : 8);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(ctx.services().info->version());
  reply.bulk("proto");
  reply.integer(s.resp);
  reply.bulk("id");
  reply.integer(static_cast<std::int64_t>(s.id));
  reply.bulk("mode");
  reply.bulk(ctx.settings().cluster_enabled ? "cluster" : "standalone");
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("modules");
  reply.array(0);
  if (!zone.empty()) {
    reply.bulk("availability_zone");
    reply.bulk(zone);
  }
  return {};
}

constexpr ArgDoc kAuthArgs[] = {args::string("username").opt().from("6.0.0"),
                                args::string("password")};
constexpr ArgDoc kHelloAuth[] = {args::string("username"), args::string("password")};
constexpr ArgDoc kHelloParts[] = {args::integer("protover"),
                                  args::block("auth", kHelloAuth, "AUTH").opt(),
                                  args::string("clientname", "SETNAME").opt()};
constexpr ArgDoc kHelloArgs[] = {args::block("arguments", kHelloParts).opt()};
constexpr HistoryNote kAuthHistory[] = {{"6.0.0", "Takes a user name in front of the password."}};
constexpr HistoryNote kHelloHistory[] = {
    {"6.2.0", "The version may be left out: then nothing changes."}};
constexpr Flag kAnyTime = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast |
                          Flag::kNoAuth | Flag::kAllowBusy;

}  // namespace

constexpr CommandSpec kAuth{
    .name = "AUTH",
    .summary = "Authenticates the connection.",
    .complexity = "O(N) with N the number of passwords of the user",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = kAnyTime,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kAuthArgs,
    .reply = Shape::kOk,
    .handler = auth,
    .history = kAuthHistory,
    .secrets = auth_secrets,
};

constexpr CommandSpec kHello{
    .name = "HELLO",
    .summary =
        "Chooses the protocol's version, authenticates and names the connection, and tells what "
        "the server is.",
    .complexity = "O(1)",
    .since = "6.0.0",
    .arity = Arity::at_least(1),
    .flags = kAnyTime,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kHelloArgs,
    .reply = Shape::kMap,
    .handler = hello,
    .history = kHelloHistory,
    .secrets = hello_secrets,
};

}  // namespace hearth::commands
