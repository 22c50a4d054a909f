// CONFIG: parameters at run time.
#include "src/base/log.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/command/persistence_control.h"
#include "src/command/reclaimer.h"
#include "src/command/server_control.h"
#include "src/commands/server/family.h"
#include "src/metrics/stats.h"

namespace hearth::commands {
namespace {

Outcome config_get(CommandContext& ctx) {
  const auto found = ctx.services().config->get(ctx.args().from(2));
  ctx.reply().map(found.size());
  for (const auto& [name, value] : found) {
    ctx.reply().bulk(name);
    ctx.reply().bulk(value);
  }
  return {};
}

bool may_change_protected(const CommandContext& ctx, const Session& session) {
  switch (ctx.settings().enable_protected_configs) {
    case config::Permission::kYes: return true;
    case config::Permission::kLocal: return session.on_this_host;
    case config::Permission::kNo: break;
  }
  return false;
}

// The words behind the name of a sensitive parameter, in requests of any form.
void config_set_secrets(const Services& services, std::span<const std::string_view> argv,
                        std::vector<std::uint32_t>& words) {
  for (std::uint32_t i = 2; i + 1 < argv.size(); ++i) {
    const config::Parameter* parameter = services.config->find(argv[i]);
    if (parameter != nullptr && config::has(parameter->flags, config::Flag::kSensitive))
      words.push_back(i + 1);
  }
}

Outcome config_set(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() % 2 != 0) return syntax_error();
  config::Registry& registry = *ctx.services().config;
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (std::size_t i = 2; i < args.size(); i += 2) {
    pairs.emplace_back(args[i], args[i + 1]);
  }
  const PersistenceControl* persistence = ctx.services().persistence;
  const config::ChangeContext by{.protected_allowed = may_change_protected(ctx, ctx.session()),
                                 .loading = persistence != nullptr && persistence->is_loading()};
  if (auto done = registry.set(pairs, by); !done) return refuse(std::move(done).error());
  ctx.reply().ok();
  return {};
}

Outcome config_rewrite(CommandContext& ctx) {
  ServerControl* server = ctx.services().server;
  if (server == nullptr) return refuse("ERR The server is running without a config file");
  if (const auto done = server->rewrite_config(ServerControl::RewriteExtent::kChanged); !done) {
    if (done.error().code == ErrorCode::kInvalid) return refuse("ERR " + done.error().context);
    log::warning("CONFIG REWRITE failed: {}", done.error().context);
    return refuse("ERR Rewriting config file: " + done.error().context);
  }
  log::notice("CONFIG REWRITE executed with success.");
  ctx.reply().ok();
  return {};
}

Outcome config_resetstat(CommandContext& ctx) {
  ctx.services().stats->reset();
  if (ctx.services().reclaimer != nullptr) ctx.services().reclaimer->reset_freed();
  ctx.reply().ok();
  return {};
}

constexpr Flag kConfigPlain = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale;
constexpr ArgDoc kConfigGetArgs[] = {args::pattern("parameter").many()};
constexpr ArgDoc kPair[] = {args::string("parameter"), args::string("value")};
constexpr ArgDoc kSetArgs[] = {args::block("data", kPair).many()};
constexpr HistoryNote kConfigGetHistory[] = {{"7.0.0", "Takes several patterns."}};
constexpr HistoryNote kSetHistory[] = {{"7.0.0", "Sets several parameters, all or none."}};
constexpr std::string_view kOnAllNodes[] = {"request_policy:all_nodes",
                                            "response_policy:all_succeeded"};

constexpr CommandSpec kConfigGet{
    .name = "GET",
    .summary = "Returns the values of the parameters whose names match.",
    .complexity = "O(N*M) with N the number of parameters and M the number of patterns",
    .since = "2.0.0",
    .arity = Arity::at_least(3),
    .flags = kConfigPlain,
    .group = Group::kServer,
    .args = kConfigGetArgs,
    .reply = Shape::kMap,
    .handler = config_get,
    .history = kConfigGetHistory,
};
constexpr CommandSpec kSet{
    .name = "SET",
    .summary = "Changes parameters of the running server.",
    .complexity = "O(N) with N the number of parameters given",
    .since = "2.0.0",
    .arity = Arity::at_least(4),
    .flags = kConfigPlain,
    .group = Group::kServer,
    .args = kSetArgs,
    .reply = Shape::kOk,
    .handler = config_set,
    .tips = kOnAllNodes,
    .history = kSetHistory,
    .secrets = config_set_secrets,
};
constexpr CommandSpec kRewrite{
    .name = "REWRITE",
    .summary = "Writes the present values to the configuration file.",
    .complexity = "O(1)",
    .since = "2.8.0",
    .arity = Arity::exactly(2),
    .flags = kConfigPlain,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = config_rewrite,
    .tips = kOnAllNodes,
};
constexpr CommandSpec kResetStat{
    .name = "RESETSTAT",
    .summary = "Sets the counters of INFO to zero.",
    .complexity = "O(N) with N the number of commands",
    .since = "2.0.0",
    .arity = Arity::exactly(2),
    .flags = kConfigPlain,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = config_resetstat,
    .tips = kOnAllNodes,
};
constexpr CommandSpec kConfigHelp = help_spec("5.0.0", Group::kServer);
constexpr const CommandSpec* kConfigSubs[] = {&kConfigGet, &kSet, &kRewrite, &kResetStat,
                                              &kConfigHelp};

}  // namespace

constexpr CommandSpec kConfig{
    .name = "CONFIG",
    .summary = "The container of commands about parameters.",
    .complexity = "Depends on the subcommand",
    .since = "2.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kServer,
    .subcommands = kConfigSubs,
};

}  // namespace hearth::commands
