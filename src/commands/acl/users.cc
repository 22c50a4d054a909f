// ACL: users, one by one and as lists.
#include "src/acl/users.h"
#include "src/command/account_control.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/acl/family.h"
#include "src/commands/acl/spec_parts.h"

namespace hearth::commands {
namespace {

// Names and rules: a rule may be a password.
void acl_user_secrets(const Services&, std::span<const std::string_view> argv,
                      std::vector<std::uint32_t>& words) {
  for (std::uint32_t i = 2; i < argv.size(); ++i) words.push_back(i);
}

Outcome acl_setuser(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (!acl::is_user_name(args[2]))
    return refuse("ERR Usernames can't contain spaces or null characters");
  const auto done = ctx.services().accounts->set_user(args[2], args.from(3), ctx.session());
  if (!done) return refuse("ERR " + done.error());
  ctx.reply().ok();
  return {};
}

Outcome acl_deluser(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  for (const std::string_view name : args.from(2)) {
    if (name == acl::kDefaultUser) return refuse("ERR The 'default' user cannot be removed");
  }
  std::int64_t deleted = 0;
  for (const std::string_view name : args.from(2)) {
    if (ctx.services().accounts->delete_user(name, ctx.session())) ++deleted;
  }
  ctx.reply().integer(deleted);
  return {};
}

void pair(ReplyWriter& reply, std::string_view name, std::string_view value) {
  reply.bulk(name);
  reply.bulk(value);
}

// Databases are told where they are restricted: clients compare whole replies.
std::size_t selector_fields(const acl::Selector& selector) {
  return selector.all_databases() ? 3 : 4;
}
void write_selector(ReplyWriter& reply, const acl::Selector& selector) {
  pair(reply, "commands", selector.commands_text());
  pair(reply, "keys", selector.keys_text());
  pair(reply, "channels", selector.channels_text());
  if (!selector.all_databases()) pair(reply, "databases", selector.databases_text());
}

Outcome acl_getuser(CommandContext& ctx) {
  ReplyWriter& reply = ctx.reply();
  const acl::User* user = ctx.services().accounts->users().find(ctx.arg(2));
  if (user == nullptr) {
    reply.null();
    return {};
  }
  reply.map(3 + selector_fields(user->root()));
  reply.bulk("flags");
  const auto flags = user->flags();
  reply.set(flags.size());
  for (const auto flag : flags) reply.bulk(flag);
  reply.bulk("passwords");
  reply.array(user->password_hashes().size());
  for (const auto& hash : user->password_hashes()) reply.bulk(hash);
  write_selector(reply, user->root());
  reply.bulk("selectors");
  const auto others = user->selectors().subspan(1);
  reply.array(others.size());
  for (const acl::Selector& selector : others) {
    reply.map(selector_fields(selector));
    write_selector(reply, selector);
  }
  return {};
}

Outcome acl_list(CommandContext& ctx) {
  const auto& users = ctx.services().accounts->users().all();
  ctx.reply().array(users.size());
  for (const auto& [name, user] : users) ctx.reply().bulk("user " + name + " " + user.text());
  return {};
}

Outcome acl_users(CommandContext& ctx) {
  const auto& users = ctx.services().accounts->users().all();
  ctx.reply().array(users.size());
  for (const auto& [name, user] : users) ctx.reply().bulk(name);
  return {};
}

Outcome acl_whoami(CommandContext& ctx) {
  ctx.reply().bulk(ctx.session().user_name());
  return {};
}

constexpr ArgDoc kSetUserArgs[] = {args::string("username"), args::string("rule").opt().many()};
constexpr ArgDoc kDelUserArgs[] = {args::string("username").many()};
constexpr ArgDoc kGetUserArgs[] = {args::string("username")};
constexpr std::string_view kOnAllNodes[] = {"request_policy:all_nodes",
                                            "response_policy:all_succeeded"};
constexpr HistoryNote kSetUserHistory[] = {
    {"6.2.0", "Knows rules for channels."},
    {"7.0.0", "Knows selectors and what may be done with a key."}};
constexpr HistoryNote kGetUserHistory[] = {
    {"6.2.0", "Tells the channels."},
    {"7.0.0", "Tells the selectors; keys and channels are one text each."}};

constexpr CommandSpec kSetUser{
    .name = "SETUSER",
    .summary = "Makes a user, or changes what one may do, rule by rule.",
    .complexity = "O(N) with N the number of rules",
    .since = "6.0.0",
    .arity = Arity::at_least(3),
    .flags = kSecret,
    .group = Group::kServer,
    .args = kSetUserArgs,
    .reply = Shape::kOk,
    .handler = acl_setuser,
    .tips = kOnAllNodes,
    .history = kSetUserHistory,
    .secrets = acl_user_secrets,
};
constexpr CommandSpec kDelUser{
    .name = "DELUSER",
    .summary = "Removes users and closes their connections.",
    .complexity = "O(1) for each user, and O(N) with N the number of connections",
    .since = "6.0.0",
    .arity = Arity::at_least(3),
    .flags = kSecret,
    .group = Group::kServer,
    .args = kDelUserArgs,
    .reply = Shape::kInteger,
    .handler = acl_deluser,
    .tips = kOnAllNodes,
    .secrets = acl_user_secrets,
};
constexpr CommandSpec kGetUser{
    .name = "GETUSER",
    .summary = "Tells all rules of a user.",
    .complexity = "O(N) with N the number of passwords and rules",
    .since = "6.0.0",
    .arity = Arity::exactly(3),
    .flags = kSecret,
    .group = Group::kServer,
    .args = kGetUserArgs,
    .reply = Shape::kMap | Shape::kNull,
    .handler = acl_getuser,
    .history = kGetUserHistory,
    .secrets = acl_user_secrets,
};
constexpr CommandSpec kList{
    .name = "LIST",
    .summary = "Tells all users with their rules, in the form of the configuration file.",
    .complexity = "O(N) with N the number of users",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kSecret,
    .group = Group::kServer,
    .reply = Shape::kArray,
    .handler = acl_list,
};
constexpr CommandSpec kUsers{
    .name = "USERS",
    .summary = "Lists the names of all users.",
    .complexity = "O(N) with N the number of users",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kSecret,
    .group = Group::kServer,
    .reply = Shape::kArray,
    .handler = acl_users,
};
constexpr CommandSpec kWhoAmI{
    .name = "WHOAMI",
    .summary = "Returns the name of the user the connection is authenticated as.",
    .complexity = "O(1)",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kOpen,
    .group = Group::kServer,
    .reply = Shape::kBulk,
    .handler = acl_whoami,
};
constexpr CommandSpec kHelp = help_spec("6.0.0", Group::kServer);
constexpr const CommandSpec* kSubs[] = {
    &kAclCat,  &kDelUser, &kAclDryRun, &kAclGenPass, &kGetUser, &kHelp,   &kList,
    &kAclLoad, &kAclLog,  &kAclSave,   &kSetUser,    &kUsers,   &kWhoAmI,
};

}  // namespace

constexpr CommandSpec kAcl{
    .name = "ACL",
    .summary = "The container of commands about users and what they may do.",
    .complexity = "Depends on the subcommand",
    .since = "6.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kSubs,
};

}  // namespace hearth::commands
