// FAILOVER: a primary hands its place to one of its replicas.
#include <algorithm>

#include "src/command/context.h"
#include "src/command/handover_control.h"
#include "src/commands/replication/family.h"

namespace hearth::commands {
namespace {

Outcome failover(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  HandoverControl::Order order;
  bool abort = false, has_timeout = false;
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args.is(i, "TO") && order.host.empty() && i + 2 < args.size()) {
      order.host = std::string(args[i + 1]);
      HEARTH_TRY(const std::int64_t port, args.integer(i + 2));
      constexpr std::int64_t kPortMost = 65535;
      if (port < 0 || port > kPortMost) return refuse("ERR value is out of range");
      order.port = static_cast<std::uint16_t>(port);
      i += 2;
    } else if (args.is(i, "TIMEOUT") && !has_timeout && i + 1 < args.size()) {
      HEARTH_TRY(const std::int64_t timeout, args.integer(++i));
      if (timeout <= 0) return refuse("ERR FAILOVER timeout must be greater than 0");
      constexpr std::int64_t kTimeoutMost = INT64_MAX / 1'000'000;
      order.timeout = milliseconds{std::min(timeout, kTimeoutMost)};
      has_timeout = true;
    } else if (args.is(i, "FORCE") && !order.force) {
      order.force = true;
    } else if (args.is(i, "ABORT") && args.size() == 2) {
      abort = true;
    } else {
      return syntax_error();
    }
  }
  HandoverControl* handover = ctx.services().handover;
  if (abort) {
    if (handover == nullptr || !handover->abort()) return refuse("ERR No failover in progress.");
  } else {
    if (handover == nullptr) return refuse("ERR FAILOVER requires connected replicas.");
    HEARTH_TRY_VOID(handover->begin(order));
  }
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kTargetArgs[] = {args::string("host"), args::integer("port"),
                                  args::token("force", "FORCE").opt()};
constexpr ArgDoc kFailoverArgs[] = {args::block("target", kTargetArgs, "TO").opt(),
                                    args::token("abort", "ABORT").opt(),
                                    args::integer("milliseconds", "TIMEOUT").opt()};

}  // namespace

constexpr CommandSpec kFailover{
    .name = "FAILOVER",
    .summary = "Hands the primary's place to one of its replicas.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kStale,
    .group = Group::kServer,
    .args = kFailoverArgs,
    .reply = Shape::kOk,
    .handler = failover,
};

}  // namespace hearth::commands
