// ACL: what rules may name and how they come out, passwords, and the file of users.
#include "src/acl/users.h"
#include "src/base/log.h"
#include "src/command/account_control.h"
#include "src/command/context.h"
#include "src/command/rights.h"
#include "src/command/server_control.h"
#include "src/commands/acl/family.h"
#include "src/commands/acl/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome acl_cat(CommandContext& ctx) {
  const acl::Catalog& catalog = ctx.services().accounts->users().catalog();
  const ArgReader& args = ctx.args();
  if (args.size() > 3) {
    return refuse("ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.");
  }
  if (args.size() == 2) {
    ctx.reply().array(catalog.categories().size());
    for (const acl::Category& category : catalog.categories()) ctx.reply().bulk(category.name);
    return {};
  }
  const auto bits = catalog.category(args[2]);
  if (!bits) return refuse("ERR Unknown category '" + std::string(args[2].substr(0, 128)) + "'");
  std::vector<std::string_view> names;
  for (const acl::CatalogCommand& command : catalog.commands()) {
    if ((command.categories & *bits) != 0) names.push_back(command.name);
  }
  ctx.reply().array(names.size());
  for (const auto name : names) ctx.reply().bulk(name);
  return {};
}

Outcome acl_dryrun(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  const acl::User* user = ctx.services().accounts->users().find(args[2]);
  if (user == nullptr) return refuse("ERR User '" + std::string(args[2]) + "' not found");
  const auto words = args.from(3);
  const Command* command = ctx.services().commands->resolve(words);
  if (command == nullptr || command->spec->handler == nullptr)
    return refuse("ERR Command '" + std::string(words[0]) + "' not found");
  if (!command->spec->arity.accepts(words.size()))
    return refuse("ERR wrong number of arguments for '" + command->full_name + "' command");
  const DbIndex db = ctx.session().db;
  const auto denial = find_denial(*user, *command, words, db);
  if (!denial) {
    ctx.reply().ok();
  } else {
    ctx.reply().bulk(denial_text(*denial, *user, *command,
                                 denied_object(*denial, *command, words, db), DenialText::kNamed));
  }
  return {};
}

constexpr std::int64_t kPasswordBits = 256, kPasswordBitsMost = 4096;

Outcome acl_genpass(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 3) return syntax_error();
  std::int64_t bits = kPasswordBits;
  if (args.size() == 3) {
    HEARTH_TRY(bits, args.integer(2));
  }
  if (bits <= 0 || bits > kPasswordBitsMost) {
    return refuse(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
        "number up to " +
        std::to_string(kPasswordBitsMost));
  }
  const auto digits = static_cast<std::size_t>((bits + 3) / 4);
  // Without a process around it the server has no source that cannot be guessed; only tests run so.
  ServerControl* server = ctx.services().server;
  ctx.reply().bulk(server != nullptr ? server->secret_hex(digits) : ctx.rng().hex(digits));
  return {};
}

Outcome check_has_file(const CommandContext& ctx) {
  if (!ctx.settings().aclfile.empty()) return {};
  return refuse(
      "ERR This instance is not configured to use an ACL file. You may want to specify users via "
      "the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration "
      "file set) in order to store users in the configuration.");
}

Outcome acl_load(CommandContext& ctx) {
  HEARTH_TRY_VOID(check_has_file(ctx));
  const auto loaded = ctx.services().accounts->load_file(&ctx.session());
  if (!loaded) return refuse("ERR " + loaded.error());
  ctx.reply().ok();
  return {};
}

Outcome acl_save(CommandContext& ctx) {
  HEARTH_TRY_VOID(check_has_file(ctx));
  if (const auto saved = ctx.services().accounts->save_file(); !saved) {
    log::warning("ACL SAVE: {}", saved.error().context);
    return refuse(
        "ERR There was an error trying to save the ACLs. Please check the server logs for more "
        "information");
  }
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kCatArgs[] = {args::string("category").opt()};
constexpr ArgDoc kDryRunArgs[] = {args::string("username"), args::string("command"),
                                  args::string("arg").opt().many()};
constexpr ArgDoc kGenPassArgs[] = {args::integer("bits").opt()};

}  // namespace

constexpr CommandSpec kAclCat{
    .name = "CAT",
    .summary = "Lists the categories, or the commands of one.",
    .complexity = "O(1), the number of categories and commands being fixed",
    .since = "6.0.0",
    .arity = Arity::at_least(2),
    .flags = kOpen,
    .group = Group::kServer,
    .args = kCatArgs,
    .reply = Shape::kArray,
    .handler = acl_cat,
};
constexpr CommandSpec kAclDryRun{
    .name = "DRYRUN",
    .summary = "Tells whether a user may run a command, without running it.",
    .complexity = "O(1)",
    .since = "7.0.0",
    .arity = Arity::at_least(4),
    .flags = kSecret,
    .group = Group::kServer,
    .args = kDryRunArgs,
    .reply = Shape::kOk | Shape::kBulk,
    .handler = acl_dryrun,
};
constexpr CommandSpec kAclGenPass{
    .name = "GENPASS",
    .summary = "Makes up a password that nobody can guess.",
    .complexity = "O(1)",
    .since = "6.0.0",
    .arity = Arity::at_least(2),
    .flags = kOpen,
    .group = Group::kServer,
    .args = kGenPassArgs,
    .reply = Shape::kBulk,
    .handler = acl_genpass,
};
constexpr CommandSpec kAclLoad{
    .name = "LOAD",
    .summary = "Replaces all users by those of the file of users.",
    .complexity = "O(N) with N the number of users",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kSecret,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = acl_load,
};
constexpr CommandSpec kAclSave{
    .name = "SAVE",
    .summary = "Writes all users to the file of users.",
    .complexity = "O(N) with N the number of users",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kSecret,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = acl_save,
};

}  // namespace hearth::commands
