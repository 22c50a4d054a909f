// COMMAND: the command table, as clients ask for it.
#include <algorithm>

#include "src/base/glob.h"
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/command/key_extract.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

const CommandTable& table_of(const CommandContext& ctx) { return *ctx.services().commands; }

Outcome reply_all_infos(CommandContext& ctx) {
  ctx.reply().array(table_of(ctx).all().size());
  for (const auto& command : table_of(ctx).all()) write_command_info(ctx.reply(), *command);
  return {};
}

Outcome command(CommandContext& ctx) {
  if (ctx.args().size() > 1) return refuse(unknown_subcommand("COMMAND", ctx.arg(1)));
  return reply_all_infos(ctx);
}

Outcome command_count(CommandContext& ctx) {
  ctx.reply().integer(static_cast<std::int64_t>(table_of(ctx).all().size()));
  return {};
}

Outcome command_info(CommandContext& ctx) {
  if (ctx.args().size() == 2) return reply_all_infos(ctx);
  const auto names = ctx.args().from(2);
  ctx.reply().array(names.size());
  for (const std::string_view name : names) {
    if (const Command* c = table_of(ctx).find_full(name))
      write_command_info(ctx.reply(), *c);
    else
      ctx.reply().null();
  }
  return {};
}

Outcome command_docs(CommandContext& ctx) {
  std::vector<const Command*> wanted;
  if (ctx.args().size() == 2) {
    for (const auto& c : table_of(ctx).all()) wanted.push_back(c.get());
  }
  for (const std::string_view name : ctx.args().from(2)) {
    if (const Command* c = table_of(ctx).find_full(name)) wanted.push_back(c);
  }
  ctx.reply().map(wanted.size());
  for (const Command* c : wanted) {
    ctx.reply().bulk(c->full_name);
    write_command_docs(ctx.reply(), *c);
  }
  return {};
}

Outcome command_list(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() != 2 && !(args.size() == 5 && args.is(2, "FILTERBY"))) return syntax_error();
  const std::string_view value = args.size() == 5 ? args[4] : "";
  enum class By : std::uint8_t { kNothing, kModule, kCategory, kPattern };
  By by = By::kNothing;
  if (args.size() == 5) {
    if (args.is(3, "MODULE"))
      by = By::kModule;
    else if (args.is(3, "ACLCAT"))
      by = By::kCategory;
    else if (args.is(3, "PATTERN"))
      by = By::kPattern;
    else
      return syntax_error();
  }
  const std::optional<Acl> category = acl_category(value);
  std::vector<std::string_view> names;
  const auto consider = [&](const Command& c) {
    const bool fits = by == By::kNothing ||
                      (by == By::kCategory && category && has(c.acl, *category)) ||
                      (by == By::kPattern && glob_match(value, c.full_name, GlobCase::kIgnore));
    if (fits) names.emplace_back(c.full_name);  // no command comes from a module
  };
  for (const auto& c : table_of(ctx).all()) {
    consider(*c);
    for (const auto& sub : c->subcommands) consider(*sub);
  }
  ctx.reply().array(names.size());
  for (const auto name : names) ctx.reply().bulk(name);
  return {};
}

struct FoundKeys {
  std::span<const std::string_view> words;
  std::vector<KeyPosition> positions;
};

Result<FoundKeys, ReplyError> keys_of_request(const CommandContext& ctx) {
  FoundKeys found{ctx.args().from(2), {}};
  const Command* c = table_of(ctx).resolve(found.words);
  if (c == nullptr) return refuse("ERR Invalid command specified");
  const bool has_keys = std::ranges::any_of(
      c->spec->keys, [](const KeySpec& k) { return (k.access & access::kNotKey) == 0; });
  if (!has_keys) return refuse("ERR The command has no key arguments");
  if (!c->spec->arity.accepts(found.words.size()))
    return refuse("ERR Invalid number of arguments specified for command");
  const bool fits = extract_keys(*c, found.words, found.positions);
  std::erase_if(found.positions,
                [](const KeyPosition& p) { return (p.access & access::kNotKey) != 0; });
  if ((!fits || found.positions.empty()) && !has(c->flags, Flag::kNoMandatoryKeys)) {
    return refuse("ERR Invalid arguments specified for command");
  }
  return found;
}

Outcome command_getkeys(CommandContext& ctx) {
  HEARTH_TRY(const FoundKeys found, keys_of_request(ctx));
  ctx.reply().array(found.positions.size());
  for (const KeyPosition& p : found.positions) ctx.reply().bulk(found.words[p.index]);
  return {};
}

Outcome command_getkeysandflags(CommandContext& ctx) {
  HEARTH_TRY(const FoundKeys found, keys_of_request(ctx));
  ReplyWriter& reply = ctx.reply();
  reply.array(found.positions.size());
  for (const KeyPosition& p : found.positions) {
    reply.array(2);
    reply.bulk(found.words[p.index]);
    // The request in hand has settled all that the spec leaves open.
    const auto names =
        key_access_names(p.access & static_cast<std::uint16_t>(~access::kIncomplete));
    reply.set(names.size());
    for (const auto name : names) reply.simple(name);
  }
  return {};
}

constexpr Flag kCommandPlain = Flag::kLoading | Flag::kStale;
constexpr ArgDoc kNames[] = {args::string("command-name").many().opt()};
constexpr ArgDoc kRequest[] = {args::string("command"), args::string("arg").many().opt()};
constexpr ArgDoc kFilters[] = {args::string("module-name", "MODULE"),
                               args::string("category", "ACLCAT"),
                               args::pattern("pattern", "PATTERN")};
constexpr ArgDoc kListArgs[] = {args::one_of("filterby", kFilters, "FILTERBY").opt()};
constexpr HistoryNote kCommandInfoHistory[] = {
    {"7.0.0", "Names may be left out, and may be of subcommands."}};

constexpr CommandSpec kCount{
    .name = "COUNT",
    .summary = "Counts the commands of the server.",
    .complexity = "O(1)",
    .since = "2.8.13",
    .arity = Arity::exactly(2),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .reply = Shape::kInteger,
    .handler = command_count,
};
constexpr CommandSpec kCommandInfo{
    .name = "INFO",
    .summary = "Tells arity, flags and key positions of commands.",
    .complexity = "O(N) with N the number of commands asked for",
    .since = "2.8.13",
    .arity = Arity::at_least(2),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .args = kNames,
    .reply = Shape::kArray,
    .handler = command_info,
    .tips = kNondeterministicOrder,
    .history = kCommandInfoHistory,
};
constexpr CommandSpec kDocs{
    .name = "DOCS",
    .summary = "Tells the summary, the arguments and the history of commands.",
    .complexity = "O(N) with N the number of commands asked for",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .args = kNames,
    .reply = Shape::kMap,
    .handler = command_docs,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kCommandList{
    .name = "LIST",
    .summary = "Lists the names of commands and subcommands.",
    .complexity = "O(N) with N the number of commands",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .args = kListArgs,
    .reply = Shape::kArray,
    .handler = command_list,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kGetKeys{
    .name = "GETKEYS",
    .summary = "Finds the keys in a whole command.",
    .complexity = "O(N) with N the number of words",
    .since = "2.8.13",
    .arity = Arity::at_least(3),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .args = kRequest,
    .reply = Shape::kArray,
    .handler = command_getkeys,
};
constexpr CommandSpec kGetKeysAndFlags{
    .name = "GETKEYSANDFLAGS",
    .summary = "Finds the keys in a whole command, and what it does with each.",
    .complexity = "O(N) with N the number of words",
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .args = kRequest,
    .reply = Shape::kArray,
    .handler = command_getkeysandflags,
};
constexpr CommandSpec kCommandHelp = help_spec("5.0.0", Group::kServer, Acl::kConnection);
constexpr const CommandSpec* kCommandSubs[] = {
    &kCount, &kCommandInfo, &kDocs, &kCommandList, &kGetKeys, &kGetKeysAndFlags, &kCommandHelp};

}  // namespace

constexpr CommandSpec kCommand{
    .name = "COMMAND",
    .summary = "Tells arity, flags and key positions of all commands.",
    .complexity = "O(N) with N the number of commands",
    .since = "2.8.13",
    .arity = Arity::at_least(1),
    .flags = kCommandPlain,
    .acl = Acl::kConnection,
    .group = Group::kServer,
    .reply = Shape::kArray,
    .handler = command,
    .subcommands = kCommandSubs,
    .tips = kNondeterministicOrder,
};

}  // namespace hearth::commands
