// FUNCTION: the libraries of functions, and the function that runs.
#include "persistence/rdb/format.h"
#include "src/base/glob.h"
#include "src/command/common_specs.h"
#include "src/command/docs.h"
#include "src/command/script_control.h"
#include "src/command/script_flags.h"
#include "src/command/script_host.h"
#include "src/commands/scripting/family.h"
#include "src/commands/scripting/payload.h"
#include "src/commands/scripting/runtime.h"
#include "src/commands/scripting/spec_parts.h"

namespace hearth::commands {
namespace {

// The longest that the code of a library may run: it only registers functions.
constexpr milliseconds kLoadLimit{500};

tl::unexpected<ReplyError> wrong_arguments(const CommandContext& ctx) {
  return refuse("ERR unknown subcommand or wrong number of arguments for '" +
                std::string(ctx.arg(1)) + "'. Try FUNCTION HELP.");
}

Outcome function_load(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ArgReader& args = ctx.args();
  bool replace = false;
  for (std::size_t i = 2; i + 1 < args.size(); ++i) {
    if (!args.is(i, "REPLACE")) return refuse("ERR Unknown option given: " + std::string(args[i]));
    replace = true;
  }
  HEARTH_TRY(const std::string name,
             scripts->load_library(args[args.size() - 1], replace, kLoadLimit));
  ctx.effects().replicate_verbatim();
  ctx.reply().bulk(name);
  return {};
}

Outcome function_delete(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  if (!scripts->delete_library(ctx.arg(2))) return refuse("ERR Library not found");
  ctx.effects().replicate_verbatim();
  ctx.reply().ok();
  return {};
}

Outcome function_flush(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ArgReader& args = ctx.args();
  if (args.size() > 3) return wrong_arguments(ctx);
  if (args.size() == 3 && !args.is(2, "ASYNC") && !args.is(2, "SYNC"))
    return refuse("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  scripts->flush_libraries();
  ctx.effects().replicate_verbatim();
  ctx.reply().ok();
  return {};
}

void write_function(ReplyWriter& reply, const ScriptFunction& function) {
  reply.map(3);
  reply.bulk("name");
  reply.bulk(function.name);
  reply.bulk("description");
  function.description ? reply.bulk(*function.description) : reply.null();
  reply.bulk("flags");
  std::size_t flags = 0;
  for (const script_flag::Name& name : script_flag::kNames)
    flags += (function.flags & name.bit) != 0 ? 1U : 0U;
  reply.set(flags);
  for (const script_flag::Name& name : script_flag::kNames) {
    if ((function.flags & name.bit) != 0) reply.simple(name.text);
  }
}

Outcome function_list(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ArgReader& args = ctx.args();
  std::optional<std::string_view> pattern;
  bool with_code = false;
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (!with_code && args.is(i, "WITHCODE")) {
      with_code = true;
    } else if (!pattern && args.is(i, "LIBRARYNAME")) {
      if (++i == args.size()) return refuse("ERR library name argument was not given");
      pattern = args[i];
    } else {
      return refuse("ERR Unknown argument " + std::string(args[i]));
    }
  }
  const auto is_asked_for = [&](const ScriptLibrary& library) {
    return !pattern || glob_match(*pattern, library.name, GlobCase::kIgnore);
  };
  std::size_t count = 0;
  scripts->for_each_library([&](const ScriptLibrary& l) { count += is_asked_for(l) ? 1U : 0U; });
  ReplyWriter& reply = ctx.reply();
  reply.array(count);
  scripts->for_each_library([&](const ScriptLibrary& library) {
    if (!is_asked_for(library)) return;
    reply.map(with_code ? 4 : 3);
    reply.bulk("library_name");
    reply.bulk(library.name);
    reply.bulk("engine");
    reply.bulk("LUA");
    reply.bulk("functions");
    reply.array(library.functions.size());
    for (const ScriptFunction& function : library.functions) write_function(reply, function);
    if (!with_code) return;
    reply.bulk("library_code");
    reply.bulk(library.code);
  });
  return {};
}

Outcome function_dump(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const config::Settings& s = ctx.settings();
  LibraryPayload options;
  options.version =
      s.rdb_compat == config::RdbCompat::kRedis70 ? rdb::kVersionRedis70 : rdb::kVersionPortable;
  options.compression = s.rdbcompression ? rdb::Compression::kOn : rdb::Compression::kOff;
  std::vector<std::string> codes;
  scripts->for_each_library([&](const ScriptLibrary& library) { codes.push_back(library.code); });
  ctx.reply().bulk(write_libraries(codes, options));
  return {};
}

Outcome function_restore(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ArgReader& args = ctx.args();
  if (args.size() > 4) return wrong_arguments(ctx);
  auto how = ScriptControl::Restore::kAppend;
  if (args.is(3, "REPLACE")) {
    how = ScriptControl::Restore::kReplace;
  } else if (args.is(3, "FLUSH")) {
    how = ScriptControl::Restore::kFlush;
  } else if (args.size() == 4 && !args.is(3, "APPEND")) {
    return refuse(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  const auto codes = read_libraries(args[2], ctx.string_bytes_most());
  if (!codes && codes.error().code == ErrorCode::kUnsupported)
    return refuse("ERR DUMP payload version or checksum are wrong");
  if (!codes) return refuse("ERR " + codes.error().context);
  HEARTH_TRY_VOID(scripts->restore_libraries(*codes, how));
  ctx.effects().replicate_verbatim();
  ctx.reply().ok();
  return {};
}

Outcome function_stats(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  const ScriptHost& host = *ctx.services().script_host;
  const auto running = host.running_script();
  if (running && running->kind == ScriptKind::kEval)
    return refuse(std::string(host.busy_script_text()));
  ReplyWriter& reply = ctx.reply();
  reply.map(2);
  reply.bulk("running_script");
  if (running) {
    reply.map(3);
    reply.bulk("name");
    reply.bulk(running->name);
    reply.bulk("command");
    reply.array(running->argv.size());
    for (const std::string_view word : running->argv) reply.bulk(word);
    reply.bulk("duration_ms");
    reply.integer(running->duration.count());
  } else {
    reply.null();
  }
  const ScriptFigures figures = scripts->figures();
  reply.bulk("engines");
  reply.map(1);
  reply.bulk("LUA");
  reply.map(2);
  reply.bulk("libraries_count");
  reply.integer(static_cast<std::int64_t>(figures.libraries));
  reply.bulk("functions_count");
  reply.integer(static_cast<std::int64_t>(figures.functions));
  return {};
}

Outcome function_kill(CommandContext& ctx) {
  HEARTH_TRY_VOID(ctx.services().script_host->kill_script(ScriptKind::kFunction));
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kFunctionLoadArgs[] = {args::token("replace", "REPLACE").opt(),
                                        args::string("function-code")};
constexpr ArgDoc kDeleteArgs[] = {args::string("library-name")};
constexpr ArgDoc kFunctionFlushArgs[] = {args::one_of("flush-type", kFlushModes).opt()};
constexpr ArgDoc kListArgs[] = {args::string("library-name-pattern", "LIBRARYNAME").opt(),
                                args::token("withcode", "WITHCODE").opt()};
constexpr ArgDoc kPolicies[] = {args::token("flush", "FLUSH"), args::token("append", "APPEND"),
                                args::token("replace", "REPLACE")};
constexpr ArgDoc kRestoreArgs[] = {args::string("serialized-value"),
                                   args::one_of("policy", kPolicies).opt()};
constexpr std::string_view kAllShards[] = {"request_policy:all_shards",
                                           "response_policy:all_succeeded"};
constexpr std::string_view kStatsTips[] = {"nondeterministic_output", "request_policy:all_shards",
                                           "response_policy:special"};
constexpr std::string_view kPerFunction = "O(N) with N the number of functions";

constexpr CommandSpec kFunctionLoad{
    .name = "LOAD",
    .summary = "Makes a library of functions from its code.",
    .complexity = "O(N) with the length of the code",
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kNoScript | Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kFunctionLoadArgs,
    .reply = Shape::kBulk,
    .handler = function_load,
    .tips = kAllShards,
};
constexpr CommandSpec kDelete{
    .name = "DELETE",
    .summary = "Removes a library with its functions.",
    .complexity = kPerFunction,
    .since = "7.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kNoScript | Flag::kWrite,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kDeleteArgs,
    .reply = Shape::kOk,
    .handler = function_delete,
    .tips = kAllShards,
};
constexpr CommandSpec kFunctionFlush{
    .name = "FLUSH",
    .summary = "Removes all libraries.",
    .complexity = kPerFunction,
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kNoScript | Flag::kWrite,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kFunctionFlushArgs,
    .reply = Shape::kOk,
    .handler = function_flush,
    .tips = kAllShards,
};
constexpr CommandSpec kList{
    .name = "LIST",
    .summary = "Lists the libraries and their functions.",
    .complexity = kPerFunction,
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kListArgs,
    .reply = Shape::kArray,
    .handler = function_list,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kDump{
    .name = "DUMP",
    .summary = "Returns all libraries as bytes that FUNCTION RESTORE takes.",
    .complexity = kPerFunction,
    .since = "7.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kNoScript,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .reply = Shape::kBulk,
    .handler = function_dump,
};
constexpr CommandSpec kRestore{
    .name = "RESTORE",
    .summary = "Makes libraries of the bytes that FUNCTION DUMP returned.",
    .complexity = kPerFunction,
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kNoScript | Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .args = kRestoreArgs,
    .reply = Shape::kOk,
    .handler = function_restore,
    .tips = kAllShards,
};
constexpr CommandSpec kStats{
    .name = "STATS",
    .summary = "Tells which function runs, and how many there are.",
    .complexity = "O(1)",
    .since = "7.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kNoScript | Flag::kAllowBusy,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .reply = Shape::kMap,
    .handler = function_stats,
    .tips = kStatsTips,
};
constexpr CommandSpec kFunctionKill{
    .name = "KILL",
    .summary = "Ends the function that runs, unless it has written.",
    .complexity = "O(1)",
    .since = "7.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kNoScript | Flag::kAllowBusy,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .reply = Shape::kOk,
    .handler = function_kill,
    .tips = kKillTips,
};
constexpr CommandSpec kFunctionHelp = help_spec("7.0.0", Group::kScripting, Acl::kScripting);
constexpr const CommandSpec* kFunctionSubs[] = {&kFunctionLoad, &kDelete,       &kFunctionFlush,
                                                &kList,         &kDump,         &kRestore,
                                                &kStats,        &kFunctionKill, &kFunctionHelp};

}  // namespace

constexpr CommandSpec kFunction{
    .name = "FUNCTION",
    .summary = "The container of commands about libraries of functions.",
    .complexity = "Depends on the subcommand",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kScripting,
    .subcommands = kFunctionSubs,
};

}  // namespace hearth::commands
