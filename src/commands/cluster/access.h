// What the handlers of the family share: reaching the cluster, and reading slots.
#pragma once

#include <string>
#include <utility>

#include "src/command/cluster_control.h"
#include "src/command/context.h"

namespace hearth::commands {

inline constexpr std::string_view kClusterDisabled =
    "ERR This instance has cluster support disabled";

// The port, or the refusal where cluster mode is off.
[[nodiscard]] inline Result<ClusterControl*, ReplyError> cluster_of(const CommandContext& ctx) {
  if (ctx.services().cluster == nullptr) return refuse(std::string(kClusterDisabled));
  return ctx.services().cluster;
}

// Word i as a slot number.
[[nodiscard]] inline Result<Slot, ReplyError> slot_at(
    const CommandContext& ctx, std::size_t i,
    std::string_view error = "ERR Invalid or out of range slot") {
  HEARTH_TRY(const std::int64_t slot, ctx.args().integer_between(i, 0, kSlotCount - 1, error));
  return static_cast<Slot>(slot);
}

// Hands the request to the cluster and answers with what it says.
inline Outcome administer(CommandContext& ctx, cluster::AdminRequest request) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  cluster::AdminReply reply = cluster->administer(std::move(request));
  switch (reply.kind) {
    case cluster::AdminReply::Kind::kOk: ctx.reply().ok(); break;
    case cluster::AdminReply::Kind::kStatus: ctx.reply().simple(reply.text); break;
    case cluster::AdminReply::Kind::kInteger: ctx.reply().integer(reply.integer); break;
    case cluster::AdminReply::Kind::kError: return refuse(std::move(reply.text));
  }
  return {};
}

}  // namespace hearth::commands
