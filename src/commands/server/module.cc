// MODULE: the server has no module interface. What asks for modules is answered as by a server
// that has none; what loads one is refused.
#include "src/base/log.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

Outcome module_list(CommandContext& ctx) {
  ctx.reply().array(0);
  return {};
}

Outcome module_load(CommandContext& ctx) {
  log::warning("Module {} was not loaded: this server has no module interface", ctx.arg(2));
  return refuse("ERR Error loading the extension. Please check the server logs.");
}

Outcome module_unload(CommandContext&) {
  return refuse("ERR Error unloading module: no such module with that name");
}

constexpr Flag kModulePlain = Flag::kAdmin | Flag::kNoScript;
constexpr Flag kChanging = kModulePlain | Flag::kNoAsyncLoading | Flag::kProtected;
constexpr ArgDoc kLoadArgs[] = {args::string("path"), args::string("arg").opt().many()};
constexpr ArgDoc kSetting[] = {args::string("name"), args::string("value")};
constexpr ArgDoc kLoadExArgs[] = {args::string("path"),
                                  args::block("configs", kSetting, "CONFIG").opt().repeats_token(),
                                  args::string("args", "ARGS").opt().many()};
constexpr ArgDoc kUnloadArgs[] = {args::string("name")};

constexpr CommandSpec kModuleList{
    .name = "LIST",
    .summary = "Lists the modules, of which there are none.",
    .complexity = "O(1)",
    .since = "4.0.0",
    .arity = Arity::exactly(2),
    .flags = kModulePlain,
    .group = Group::kServer,
    .reply = Shape::kArray,
    .handler = module_list,
};
constexpr CommandSpec kLoad{
    .name = "LOAD",
    .summary = "Refuses: modules can't be loaded.",
    .complexity = "O(1)",
    .since = "4.0.0",
    .arity = Arity::at_least(3),
    .flags = kChanging,
    .group = Group::kServer,
    .args = kLoadArgs,
    .reply = Shape::kOk,
    .handler = module_load,
    .protection = Protection::kModule,
};
constexpr CommandSpec kLoadEx{
    .name = "LOADEX",
    .summary = "Refuses: modules can't be loaded, with settings or without.",
    .complexity = "O(1)",
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = kChanging,
    .group = Group::kServer,
    .args = kLoadExArgs,
    .reply = Shape::kOk,
    .handler = module_load,
    .protection = Protection::kModule,
};
constexpr CommandSpec kUnload{
    .name = "UNLOAD",
    .summary = "Refuses: there is no module to unload.",
    .complexity = "O(1)",
    .since = "4.0.0",
    .arity = Arity::exactly(3),
    .flags = kChanging,
    .group = Group::kServer,
    .args = kUnloadArgs,
    .reply = Shape::kOk,
    .handler = module_unload,
    .protection = Protection::kModule,
};
constexpr CommandSpec kModuleHelp = help_spec("5.0.0", Group::kServer);
constexpr const CommandSpec* kModuleSubs[] = {&kModuleList, &kLoad, &kLoadEx, &kUnload,
                                              &kModuleHelp};

}  // namespace

constexpr CommandSpec kModule{
    .name = "MODULE",
    .summary = "The container of commands about modules.",
    .complexity = "Depends on the subcommand",
    .since = "4.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kModuleSubs,
};

}  // namespace hearth::commands
