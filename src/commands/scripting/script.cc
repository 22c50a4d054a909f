// SCRIPT: the cache of scripts, and the script that runs.
#include "src/command/docs.h"
#include "src/command/script_control.h"
#include "src/command/script_host.h"
#include "src/commands/scripting/family.h"
#include "src/commands/scripting/runtime.h"
#include "src/commands/scripting/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome script_load(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  HEARTH_TRY(const std::string digest, scripts->load(ctx.arg(2)));
  ctx.reply().bulk(digest);
  return {};
}

Outcome script_exists(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const auto digests = ctx.args().from(2);
  ctx.reply().array(digests.size());
  for (const std::string_view digest : digests)
    ctx.reply().integer(scripts->body_of(digest) != nullptr ? 1 : 0);
  return {};
}

Outcome script_show(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const std::string* body = scripts->body_of(ctx.arg(2));
  if (body == nullptr) return refuse("NOSCRIPT No matching script. Please use EVAL.");
  ctx.reply().bulk(*body);
  return {};
}

Outcome script_flush(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ArgReader& args = ctx.args();
  if (args.size() > 3 || (args.size() == 3 && !args.is(2, "ASYNC") && !args.is(2, "SYNC")))
    return refuse("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  scripts->flush_scripts();
  ctx.reply().ok();
  return {};
}

Outcome script_kill(CommandContext& ctx) {
  HEARTH_TRY_VOID(ctx.services().script_host->kill_script(ScriptKind::kEval));
  ctx.reply().ok();
  return {};
}

Outcome script_debug(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ArgReader& args = ctx.args();
  // A process of its own for each debugged script would need a copy of the server. redis-cli goes
  // on all the same: what it sends next must not run on the data.
  if (args.is(2, "YES")) {
    scripts->set_debugging(ctx.session().id, ScriptDebugging::kRefused);
    return refuse(
        "ERR this server debugs scripts in SYNC mode only (redis-cli --ldb-sync-mode): what they "
        "change stays changed");
  }
  if (!args.is(2, "SYNC") && !args.is(2, "NO")) return refuse("ERR Use SCRIPT DEBUG YES/SYNC/NO");
  scripts->set_debugging(ctx.session().id,
                         args.is(2, "SYNC") ? ScriptDebugging::kSync : ScriptDebugging::kOff);
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kScriptLoadArgs[] = {args::string("script")};
constexpr ArgDoc kExistsArgs[] = {args::string("sha1").many()};
constexpr ArgDoc kShowArgs[] = {args::string("sha1")};
constexpr ArgDoc kScriptFlushArgs[] = {args::one_of("flush-type", kFlushModes).opt().from("6.2.0")};
constexpr ArgDoc kDebugModes[] = {args::token("yes", "YES"), args::token("sync", "SYNC"),
                                  args::token("no", "NO")};
constexpr ArgDoc kDebugArgs[] = {args::one_of("mode", kDebugModes)};
constexpr std::string_view kAllNodes[] = {"request_policy:all_nodes",
                                          "response_policy:all_succeeded"};
constexpr std::string_view kExistsTips[] = {"request_policy:all_shards",
                                            "response_policy:agg_logical_and"};
constexpr HistoryNote kFlushHistory[] = {{"6.2.0", "ASYNC and SYNC."}};

constexpr CommandSpec kScriptLoad{
    .name = "LOAD",
    .summary = "Keeps a script for EVALSHA and returns its digest.",
    .complexity = "O(N) with the length of the script",
    .since = "2.6.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kNoScript | Flag::kStale,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kScriptLoadArgs,
    .reply = Shape::kBulk,
    .handler = script_load,
    .tips = kAllNodes,
};
constexpr CommandSpec kExists{
    .name = "EXISTS",
    .summary = "Tells which of the digests are of scripts that are kept.",
    .complexity = "O(N) with N the number of digests",
    .since = "2.6.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kExistsArgs,
    .reply = Shape::kArray,
    .handler = script_exists,
    .tips = kExistsTips,
};
constexpr CommandSpec kShow{
    .name = "SHOW",
    .summary = "Returns the text of a script that is kept.",
    .complexity = "O(N) with the length of the script",
    .since = "8.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kShowArgs,
    .reply = Shape::kBulk,
    .handler = script_show,
};
constexpr CommandSpec kScriptFlush{
    .name = "FLUSH",
    .summary = "Forgets all scripts.",
    .complexity = "O(N) with N the number of scripts",
    .since = "2.6.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kScriptFlushArgs,
    .reply = Shape::kOk,
    .handler = script_flush,
    .tips = kAllNodes,
    .history = kFlushHistory,
};
constexpr CommandSpec kScriptKill{
    .name = "KILL",
    .summary = "Ends the script that runs, unless it has written.",
    .complexity = "O(1)",
    .since = "2.6.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kNoScript | Flag::kAllowBusy,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .reply = Shape::kOk,
    .handler = script_kill,
    .tips = kKillTips,
};
constexpr CommandSpec kDebug{
    .name = "DEBUG",
    .summary = "Sets whether the client's scripts run in a debugger.",
    .complexity = "O(1)",
    .since = "3.2.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kDebugArgs,
    .reply = Shape::kOk,
    .handler = script_debug,
};
constexpr CommandSpec kScriptHelp = help_spec("5.0.0", Group::kScripting, Acl::kScripting);
constexpr const CommandSpec* kScriptSubs[] = {&kScriptLoad, &kExists, &kShow,      &kScriptFlush,
                                              &kScriptKill, &kDebug,  &kScriptHelp};

}  // namespace

constexpr CommandSpec kScript{
    .name = "SCRIPT",
    .summary = "The container of commands about scripts.",
    .complexity = "Depends on the subcommand",
    .since = "2.6.0",
    .arity = Arity::at_least(2),
    .group = Group::kScripting,
    .subcommands = kScriptSubs,
};

}  // namespace hearth::commands
