// Helpers of the family: reaching the cluster, and reading slots.
#pragma once

#include <string>
#include <utility>

#include "src/command/client_control.h"
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

// In all databases.
[[nodiscard]] inline std::uint64_t keys_in_slot(CommandContext& ctx, Slot slot) {
  std::uint64_t count = 0;
  for (DbIndex i = 0; i < ctx.keyspace().db_count(); ++i)
    count += ctx.keyspace().db(i).count_in_slot(slot);
  return count;
}

inline void write_answer(ReplyWriter& out, const cluster::AdminReply& reply) {
  switch (reply.kind) {
    case cluster::AdminReply::Kind::kOk: out.ok(); break;
    case cluster::AdminReply::Kind::kStatus: out.simple(reply.text); break;
    case cluster::AdminReply::Kind::kInteger: out.integer(reply.integer); break;
    case cluster::AdminReply::Kind::kError: out.error(reply.text); break;
  }
}

// Hands the request to the cluster and answers with what it says: when it is on the disk, where the
// client can wait.
inline Outcome administer(CommandContext& ctx, cluster::AdminRequest request) {
  HEARTH_TRY(ClusterControl* const cluster, cluster_of(ctx));
  ClusterControl::Later later;
  if (ctx.may_block()) {
    later = [clients = ctx.services().clients,
             id = ctx.session().id](const cluster::AdminReply& reply) {
      Session* session = clients->find(id);
      if (session == nullptr || !session->is_waiting()) return;
      const std::size_t reply_from = session->out.size();
      ReplyWriter out(session->out, session->resp);
      write_answer(out, reply);
      clients->resume(*session, reply_from);
    };
  }
  std::optional<cluster::AdminReply> reply =
      cluster->administer(std::move(request), std::move(later));
  if (!reply) {
    ctx.services().clients->wait(ctx.session());
    return {};
  }
  if (reply->is_error()) return refuse(std::move(reply->text));
  write_answer(ctx.reply(), *reply);
  return {};
}

}  // namespace hearth::commands
