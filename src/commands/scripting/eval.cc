// EVAL, EVALSHA and FCALL, with their read-only twins.
#include "src/command/script_control.h"
#include "src/commands/scripting/family.h"
#include "src/commands/scripting/runtime.h"

namespace hearth::commands {
namespace {

Outcome eval(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  return scripts->eval(ctx, false);
}
Outcome eval_ro(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  return scripts->eval(ctx, true);
}
Outcome evalsha(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  return scripts->eval_digest(ctx, false);
}
Outcome evalsha_ro(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  return scripts->eval_digest(ctx, true);
}
Outcome fcall(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  return scripts->call_function(ctx, false);
}
Outcome fcall_ro(CommandContext& ctx) {
  HEARTH_TRY(ScriptControl* const scripts, scripts_of(ctx));
  return scripts->call_function(ctx, true);
}

constexpr KeySpec any_use(std::uint16_t how) {
  KeySpec spec = KeySpec::counted(2, how);
  spec.notes = "What a script does with a key is known only when it runs.";
  return spec;
}
constexpr KeySpec kKeys[] = {any_use(access::kModifyRead)};
constexpr KeySpec kReadKeys[] = {KeySpec::counted(2, access::kRead)};
constexpr ArgDoc kScriptArgs[] = {args::string("script"), args::integer("numkeys"),
                                  args::key().many().opt(), args::string("arg").many().opt()};
constexpr ArgDoc kDigestArgs[] = {args::string("sha1"), args::integer("numkeys"),
                                  args::key().many().opt(), args::string("arg").many().opt()};
constexpr ArgDoc kFunctionArgs[] = {args::string("function"), args::integer("numkeys"),
                                    args::key().many().opt(), args::string("arg").many().opt()};
constexpr Flag kBoth = Flag::kNoScript | Flag::kSkipMonitor | Flag::kNoMandatoryKeys |
                       Flag::kStale | Flag::kRunsScript;
constexpr Flag kAnyUse = kBoth | Flag::kMayReplicate;
constexpr Flag kReadOnly = kBoth | Flag::kReadonly;
constexpr Shape kAnyShape = Shape::kOk | Shape::kSimple | Shape::kInteger | Shape::kBulk |
                            Shape::kNull | Shape::kArray | Shape::kMap | Shape::kSet |
                            Shape::kDouble | Shape::kBoolean | Shape::kVerbatim;
constexpr std::string_view kOfScript = "Depends on the script";
constexpr std::string_view kOfFunction = "Depends on the function";

}  // namespace

constexpr CommandSpec kEval{
    .name = "EVAL",
    .summary = "Runs a Lua script on the server.",
    .complexity = kOfScript,
    .since = "2.6.0",
    .arity = Arity::at_least(3),
    .flags = kAnyUse,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .keys = kKeys,
    .args = kScriptArgs,
    .reply = kAnyShape,
    .handler = eval,
};
constexpr CommandSpec kEvalRo{
    .name = "EVAL_RO",
    .summary = "Runs a Lua script that changes nothing.",
    .complexity = kOfScript,
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = kReadOnly,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .keys = kReadKeys,
    .args = kScriptArgs,
    .reply = kAnyShape,
    .handler = eval_ro,
};
constexpr CommandSpec kEvalSha{
    .name = "EVALSHA",
    .summary = "Runs a Lua script that the server has seen before, by its digest.",
    .complexity = kOfScript,
    .since = "2.6.0",
    .arity = Arity::at_least(3),
    .flags = kAnyUse,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .keys = kKeys,
    .args = kDigestArgs,
    .reply = kAnyShape,
    .handler = evalsha,
};
constexpr CommandSpec kEvalShaRo{
    .name = "EVALSHA_RO",
    .summary = "Runs a known Lua script that changes nothing, by its digest.",
    .complexity = kOfScript,
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = kReadOnly,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .keys = kReadKeys,
    .args = kDigestArgs,
    .reply = kAnyShape,
    .handler = evalsha_ro,
};
constexpr CommandSpec kFcall{
    .name = "FCALL",
    .summary = "Calls a function of a library.",
    .complexity = kOfFunction,
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = kAnyUse,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .keys = kKeys,
    .args = kFunctionArgs,
    .reply = kAnyShape,
    .handler = fcall,
};
constexpr CommandSpec kFcallRo{
    .name = "FCALL_RO",
    .summary = "Calls a function of a library that changes nothing.",
    .complexity = kOfFunction,
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = kReadOnly,
    .acl = Acl::kScripting,
    .group = Group::kScripting,
    .keys = kReadKeys,
    .args = kFunctionArgs,
    .reply = kAnyShape,
    .handler = fcall_ro,
};

}  // namespace hearth::commands
