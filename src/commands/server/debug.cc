// DEBUG: for tests of the server and of clients. Off unless enable-debug-command allows it.
#include "src/commands/server/debug.h"

#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

Outcome debug_help(CommandContext& ctx) {
  std::vector<std::string> lines{"DEBUG <subcommand> [<argument> ...]. Subcommands:"};
  for (const auto verbs : {debug_data_verbs(), debug_switch_verbs(), debug_cluster_verbs()}) {
    for (const DebugVerb& verb : verbs) {
      lines.push_back(std::string(verb.name) +
                      (verb.syntax.empty() ? "" : " " + std::string(verb.syntax)));
      lines.push_back("    " + std::string(verb.summary));
    }
  }
  lines.emplace_back("HELP");
  lines.emplace_back("    Lists the subcommands with their arguments.");
  ctx.reply().array(lines.size());
  for (const auto& line : lines) ctx.reply().simple(line);
  return {};
}

Outcome debug(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.is(1, "HELP") && args.size() == 2) return debug_help(ctx);
  for (const auto verbs : {debug_data_verbs(), debug_switch_verbs(), debug_cluster_verbs()}) {
    for (const DebugVerb& verb : verbs) {
      if (!args.is(1, verb.name)) continue;
      if (args.size() < verb.words_least || args.size() > verb.words_most)
        return unknown_debug_verb(args[1]);
      return verb.handler(ctx);
    }
  }
  return unknown_debug_verb(args[1]);
}

constexpr ArgDoc kDebugArgs[] = {args::string("subcommand"), args::string("argument").many().opt()};

}  // namespace

constexpr CommandSpec kDebug{
    .name = "DEBUG",
    .summary = "Looks into the server and changes how it runs, for tests.",
    .complexity = "Depends on the subcommand",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kProtected |
             Flag::kTouchesArbitraryKeys,
    .group = Group::kServer,
    .args = kDebugArgs,
    .reply = Shape::kOk | Shape::kSimple | Shape::kInteger | Shape::kBulk | Shape::kVerbatim |
             Shape::kArray | Shape::kMap | Shape::kSet | Shape::kDouble | Shape::kBoolean |
             Shape::kNull | Shape::kPush | Shape::kNone,
    .handler = debug,
};

}  // namespace hearth::commands
