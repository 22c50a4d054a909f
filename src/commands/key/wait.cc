// Waiting for others to have what this client wrote: WAIT, WAITAOF.
#include <cstdint>

#include "src/command/blocking_control.h"
#include "src/command/client_control.h"
#include "src/command/context.h"
#include "src/command/deadline.h"
#include "src/command/progress_source.h"
#include "src/commands/key/family.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kNotPositive = "ERR value is out of range, must be positive";

bool is_replica(const CommandContext& ctx) {
  const ProgressSource* progress = ctx.services().progress;
  return progress != nullptr && progress->is_replica();
}

std::int64_t replicas(const CommandContext& ctx, std::uint64_t offset, bool on_disk) {
  const ProgressSource* progress = ctx.services().progress;
  return progress == nullptr ? 0
                             : static_cast<std::int64_t>(progress->replicas_at(offset, on_disk));
}

// Parks the client until `enough` may hold, if it may and is ready to wait.
bool waits(CommandContext& ctx, MonoTime deadline, bool enough) {
  if (enough || !ctx.may_block()) return false;
  // Once: the answer to a question that stands behind the writes counts them, and what reaches a
  // disk later is told without being asked for.
  if (ctx.services().progress != nullptr && ctx.session().attempt == Attempt::kFirst)
    ctx.services().progress->ask_replicas();
  ctx.services().blocking->wait_for_progress(ctx, deadline);
  return true;
}

Outcome wait(CommandContext& ctx) {
  if (is_replica(ctx)) {
    return refuse(
        "ERR WAIT cannot be used with replica instances. Please also note that writes to replicas "
        "are just local and are not propagated.");
  }
  HEARTH_TRY(const std::int64_t wanted, ctx.args().integer(1));
  HEARTH_TRY(const MonoTime deadline, wait_deadline(ctx.args(), 2, TimeUnit::kMilliseconds,
                                                    ctx.services().clients->mono_now()));
  const std::int64_t have = replicas(ctx, ctx.session().write_offset, false);
  if (!waits(ctx, deadline, have >= wanted)) ctx.reply().integer(have);
  return {};
}

Outcome waitaof(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t local,
             ctx.args().integer_between(1, 0, 1,
                                        "ERR value is out of range, value must between 0 "
                                        "and 1"));
  HEARTH_TRY(const std::int64_t wanted, ctx.args().integer_between(2, 0, INT64_MAX, kNotPositive));
  HEARTH_TRY(const MonoTime deadline, wait_deadline(ctx.args(), 3, TimeUnit::kMilliseconds,
                                                    ctx.services().clients->mono_now()));
  if (is_replica(ctx)) {
    return refuse(
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes to "
        "replicas are just local and are not propagated.");
  }
  const ProgressSource* progress = ctx.services().progress;
  if (local > 0 && (progress == nullptr || !progress->has_log())) {
    return refuse("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  const std::uint64_t offset = ctx.session().write_offset;
  const std::int64_t here = progress != nullptr && progress->is_on_disk_here(offset) ? 1 : 0;
  const std::int64_t there = replicas(ctx, offset, true);
  if (waits(ctx, deadline, here >= local && there >= wanted)) return {};
  ctx.reply().array(2);
  ctx.reply().integer(here);
  ctx.reply().integer(there);
  return {};
}

constexpr ArgDoc kWaitArgs[] = {args::integer("numreplicas"), args::integer("timeout")};
constexpr ArgDoc kWaitAofArgs[] = {args::integer("numlocal"), args::integer("numreplicas"),
                                   args::integer("timeout")};
constexpr std::string_view kWaitTips[] = {"request_policy:all_shards", "response_policy:agg_min"};

}  // namespace

constexpr CommandSpec kWait{
    .name = "WAIT",
    .summary = "Waits until this many replicas have confirmed what the connection wrote.",
    .complexity = "O(1)",
    .since = "3.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kBlocking,
    .acl = Acl::kConnection,
    .group = Group::kGeneric,
    .args = kWaitArgs,
    .reply = Shape::kInteger,
    .handler = wait,
    .tips = kWaitTips,
};

constexpr CommandSpec kWaitAof{
    .name = "WAITAOF",
    .summary = "Waits until what the connection wrote is on disk, here and at this many replicas.",
    .complexity = "O(1)",
    .since = "7.2.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kBlocking,
    .acl = Acl::kConnection,
    .group = Group::kGeneric,
    .args = kWaitAofArgs,
    .reply = Shape::kArray,
    .handler = waitaof,
    .tips = kWaitTips,
};

}  // namespace hearth::commands
