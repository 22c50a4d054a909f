// SHUTDOWN.
#include "src/command/context.h"
#include "src/command/script_control.h"
#include "src/command/script_host.h"
#include "src/command/server_control.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

Outcome shutdown(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  ShutdownRequest request;
  bool abort = false;
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args.is(i, "SAVE"))
      request.save = true;
    else if (args.is(i, "NOSAVE"))
      request.nosave = true;
    else if (args.is(i, "NOW"))
      request.now = true;
    else if (args.is(i, "FORCE"))
      request.force = true;
    else if (args.is(i, "FAILOVER"))
      request.failover = true;
    else if (args.is(i, "ABORT"))
      abort = true;
    else
      return syntax_error();
  }
  if ((request.save && request.nosave) || (abort && args.size() > 2) ||
      (request.failover && request.now))
    return syntax_error();
  if (abort) {
    if (ctx.services().server == nullptr || !ctx.services().server->abort_shutdown())
      return refuse("ERR No shutdown in progress.");
    ctx.reply().ok();
    return {};
  }
  if (const std::string_view busy = ctx.services().script_host->busy_script_text();
      !busy.empty() && !request.nosave) {
    return refuse(std::string(busy));
  }
  ServerControl* server = ctx.services().server;
  if (server == nullptr) return refuse(std::string(kShutdownRefused));
  return server->shutdown(request, ctx.session());
}

constexpr ArgDoc kSaves[] = {args::token("nosave", "NOSAVE"), args::token("save", "SAVE")};
constexpr ArgDoc kShutdownArgs[] = {args::one_of("save-selector", kSaves).opt(),
                                    args::token("now", "NOW").opt().from("7.0.0"),
                                    args::token("force", "FORCE").opt().from("7.0.0"),
                                    args::token("abort", "ABORT").opt().from("7.0.0"),
                                    args::token("failover", "FAILOVER").opt().from("9.0.0")};
constexpr HistoryNote kShutdownHistory[] = {{"7.0.0", "NOW, FORCE and ABORT."},
                                            {"9.0.0", "FAILOVER."}};

}  // namespace

constexpr CommandSpec kShutdown{
    .name = "SHUTDOWN",
    .summary = "Ends the server.",
    .complexity = "O(N) with N the number of keys if they are saved, else O(1)",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kNoMulti |
             Flag::kAllowBusy,
    .group = Group::kServer,
    .args = kShutdownArgs,
    .reply = Shape::kOk | Shape::kNone,
    .handler = shutdown,
    .history = kShutdownHistory,
};

}  // namespace hearth::commands
