// FUNCTION: this server loads no libraries, so there are none to list and none to remove. Clients
// and test harnesses empty a server with FLUSHALL and FUNCTION FLUSH.
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

Outcome function_flush(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 3 || (args.size() == 3 && !args.is(2, "ASYNC") && !args.is(2, "SYNC"))) {
    return refuse("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  ctx.reply().ok();
  return {};
}

Outcome function_list(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "LIBRARYNAME", 1))
      ++i;
    else if (!args.is(i, "WITHCODE"))
      return refuse("ERR Unknown argument " + std::string(args[i]));
  }
  ctx.reply().array(0);
  return {};
}

constexpr ArgDoc kModes[] = {args::token("async", "ASYNC"), args::token("sync", "SYNC")};
constexpr ArgDoc kFlushArgs[] = {args::one_of("flush-type", kModes).opt()};
constexpr ArgDoc kListArgs[] = {args::pattern("library-name-pattern", "LIBRARYNAME").opt(),
                                args::token("withcode", "WITHCODE").opt()};
constexpr std::string_view kFlushTips[] = {"request_policy:all_shards",
                                           "response_policy:all_succeeded"};

constexpr CommandSpec kFlush{
    .name = "FLUSH",
    .summary = "Removes all libraries.",
    .complexity = "O(N) with N the number of functions",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kFlushArgs,
    .reply = Shape::kOk,
    .handler = function_flush,
    .tips = kFlushTips,
};
constexpr CommandSpec kList{
    .name = "LIST",
    .summary = "Lists the libraries and their functions.",
    .complexity = "O(N) with N the number of functions",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kListArgs,
    .reply = Shape::kArray,
    .handler = function_list,
};
constexpr CommandSpec kHelp = help_spec("7.0.0", Group::kScripting, Acl::kScripting);
constexpr const CommandSpec* kSubs[] = {&kFlush, &kList, &kHelp};

}  // namespace

constexpr CommandSpec kFunction{
    .name = "FUNCTION",
    .summary = "The container of commands about libraries of functions.",
    .complexity = "Depends on the subcommand",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kScripting,
    .subcommands = kSubs,
};

}  // namespace hearth::commands
