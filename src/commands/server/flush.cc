// FLUSHDB, FLUSHALL and SWAPDB: whole databases at once.
#include "src/command/context.h"
#include "src/command/persistence_control.h"
#include "src/command/reclaimer.h"
#include "src/command/transaction_control.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

enum class Freeing : std::uint8_t { kNow, kInBackground };

Result<Freeing, ReplyError> freeing_of(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() == 1)
    return ctx.settings().lazyfree_lazy_user_flush ? Freeing::kInBackground : Freeing::kNow;
  if (args.size() == 2 && args.is(1, "ASYNC")) return Freeing::kInBackground;
  if (args.size() == 2 && args.is(1, "SYNC")) return Freeing::kNow;
  return syntax_error();
}

// Returns how many keys went.
std::uint64_t flush(CommandContext& ctx, DbIndex index, Freeing freeing) {
  Database& db = ctx.keyspace().db(index);
  ctx.services().transactions->touch_all(index, std::nullopt);
  const std::uint64_t count = db.size();
  Garbage garbage = db.take_all();
  if (freeing == Freeing::kInBackground && ctx.services().reclaimer != nullptr) {
    ctx.services().reclaimer->reclaim(std::move(garbage));
  }
  return count;
}

Outcome flushdb(CommandContext& ctx) {
  HEARTH_TRY(const Freeing freeing, freeing_of(ctx));
  const std::uint64_t count = flush(ctx, ctx.session().db, freeing);
  ctx.effects().replicate_verbatim();
  if (count > 1) ctx.effects().count_changes(count - 1);
  ctx.reply().ok();
  return {};
}

Outcome flushall(CommandContext& ctx) {
  HEARTH_TRY(const Freeing freeing, freeing_of(ctx));
  std::uint64_t count = 0;
  for (DbIndex i = 0; i < ctx.keyspace().db_count(); ++i) count += flush(ctx, i, freeing);
  ctx.effects().replicate_verbatim();
  if (count > 1) ctx.effects().count_changes(count - 1);
  // With the changes counted, so that a snapshot of nothing is up to date.
  if (ctx.services().persistence != nullptr) ctx.services().persistence->flushed_all();
  ctx.reply().ok();
  return {};
}

Outcome swapdb(CommandContext& ctx) {
  if (ctx.settings().cluster_enabled) return refuse("ERR SWAPDB is not allowed in cluster mode");
  HEARTH_TRY(const std::int64_t first,
             ctx.args().integer_between(1, INT32_MIN, INT32_MAX, "ERR invalid first DB index"));
  HEARTH_TRY(const std::int64_t second,
             ctx.args().integer_between(2, INT32_MIN, INT32_MAX, "ERR invalid second DB index"));
  const std::int64_t count = ctx.keyspace().db_count();
  if (first < 0 || first >= count || second < 0 || second >= count)
    return refuse("ERR DB index is out of range");
  if (first != second) {
    const auto a = static_cast<DbIndex>(first), b = static_cast<DbIndex>(second);
    ctx.services().transactions->touch_all(a, b);
    ctx.services().transactions->touch_all(b, a);
    ctx.keyspace().swap(a, b);
    ctx.effects().replicate_verbatim();
  }
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kModes[] = {args::token("async", "ASYNC").from("4.0.0"),
                             args::token("sync", "SYNC").from("6.2.0")};
constexpr ArgDoc kFlushArgs[] = {args::one_of("flush-type", kModes).opt()};
constexpr ArgDoc kSwapArgs[] = {args::integer("index1"), args::integer("index2")};
constexpr HistoryNote kFlushHistory[] = {{"4.0.0", "ASYNC frees in the background."},
                                         {"6.2.0", "SYNC frees at once."}};
constexpr std::string_view kFlushTips[] = {"request_policy:all_shards",
                                           "response_policy:all_succeeded"};

}  // namespace

constexpr CommandSpec kFlushDb{
    .name = "FLUSHDB",
    .summary = "Removes all keys of the database.",
    .complexity = "O(N) with N the number of keys; O(1) with ASYNC",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kWrite,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kServer,
    .args = kFlushArgs,
    .reply = Shape::kOk,
    .handler = flushdb,
    .tips = kFlushTips,
    .history = kFlushHistory,
};

constexpr CommandSpec kFlushAll{
    .name = "FLUSHALL",
    .summary = "Removes all keys of all databases.",
    .complexity = "O(N) with N the number of keys; O(1) with ASYNC",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kWrite,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kServer,
    .args = kFlushArgs,
    .reply = Shape::kOk,
    .handler = flushall,
    .tips = kFlushTips,
    .history = kFlushHistory,
    .databases = DatabaseUse::kAll,
};

constexpr CommandSpec kSwapDb{
    .name = "SWAPDB",
    .summary = "Exchanges two databases; clients of each see the other's keys at once.",
    .complexity = "O(N) with N the number of watched keys",
    .since = "4.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kServer,
    .args = kSwapArgs,
    .reply = Shape::kOk,
    .handler = swapdb,
    .databases = DatabaseUse::kFirstTwo,
};

}  // namespace hearth::commands
