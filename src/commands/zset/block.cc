// Pops that wait: BZPOPMIN, BZPOPMAX, BZMPOP.
#include "src/command/blocking_control.h"
#include "src/command/client_control.h"
#include "src/command/deadline.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/pop.h"
#include "src/commands/zset/spec_parts.h"

namespace hearth::commands {
namespace {

// Nothing to pop: the command waits for one of its keys, or answers that its time is over.
void wait_or_give_up(CommandContext& ctx, std::span<const std::string_view> keys,
                     MonoTime deadline) {
  if (!ctx.may_block()) {
    ctx.reply().null_array();
    return;
  }
  BlockingControl::KeyWait wait;
  wait.keys = keys;
  wait.type = Type::kZset;
  wait.deadline = deadline;
  ctx.services().blocking->wait_for_keys(ctx, std::move(wait));
}

Outcome pop_or_wait(CommandContext& ctx, ZsetEnd end) {
  const std::size_t last = ctx.args().size() - 1;
  HEARTH_TRY(const MonoTime deadline, wait_deadline(ctx.args(), last, TimeUnit::kSeconds,
                                                    ctx.services().clients->mono_now()));
  for (std::size_t i = 1; i < last; ++i) {
    const KeyRef key = ctx.key(i);
    HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kZset));
    if (!at) continue;
    ctx.reply().array(3);
    ctx.reply().bulk(key.name);
    pop_members(ctx, key, at, end, 1, PopForm::kInTurn);
    ctx.effects().replicate_as(zset_pop_command(end), key.name);
    return {};
  }
  wait_or_give_up(ctx, ctx.args().words().subspan(1, last - 1), deadline);
  return {};
}

Outcome bzpopmin(CommandContext& ctx) { return pop_or_wait(ctx, ZsetEnd::kMin); }
Outcome bzpopmax(CommandContext& ctx) { return pop_or_wait(ctx, ZsetEnd::kMax); }

Outcome bzmpop(CommandContext& ctx) {
  HEARTH_TRY(const MultiPop pop, parse_multi_pop(ctx.args(), 2, "MIN", "MAX"));
  HEARTH_TRY(const MonoTime deadline,
             wait_deadline(ctx.args(), 1, TimeUnit::kSeconds, ctx.services().clients->mono_now()));
  HEARTH_TRY(const bool popped, pop_from_first(ctx, pop));
  if (!popped)
    wait_or_give_up(ctx, ctx.args().words().subspan(pop.first_key, pop.key_count), deadline);
  return {};
}

constexpr ArgDoc kBlockPopArgs[] = {args::key().many(), args::real("timeout")};
constexpr ArgDoc kBlockMultiArgs[] = {args::real("timeout"), args::integer("numkeys"),
                                      args::key().many(), args::one_of("where", kZsetEnds),
                                      args::integer("count", "COUNT").opt()};
constexpr std::uint16_t kPopAccess = access::kRW | access::kAccess | access::kDelete;
constexpr KeySpec kPopKeys[] = {KeySpec::range(1, -2, 1, kPopAccess)};
constexpr KeySpec kBlockMultiKeys[] = {KeySpec::counted(2, kPopAccess)};
constexpr Flag kBlockFlags = Flag::kWrite | Flag::kFast | Flag::kBlocking;
constexpr HistoryNote kHistory[] = {{"6.0.0", "The timeout may have a fraction."}};

}  // namespace

constexpr CommandSpec kBZPopMin{
    .name = "BZPOPMIN",
    .summary = "Removes and returns the member with the lowest score, waiting for one if needed.",
    .complexity = "O(log(N)) with N the members of the set.",
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = kBlockFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kPopKeys,
    .args = kBlockPopArgs,
    .reply = Shape::kArray | Shape::kNullArray | Shape::kNone,
    .handler = bzpopmin,
    .history = kHistory,
};
constexpr CommandSpec kBZPopMax{
    .name = "BZPOPMAX",
    .summary = "Removes and returns the member with the highest score, waiting for one if needed.",
    .complexity = "O(log(N)) with N the members of the set.",
    .since = "5.0.0",
    .arity = Arity::at_least(3),
    .flags = kBlockFlags,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kPopKeys,
    .args = kBlockPopArgs,
    .reply = Shape::kArray | Shape::kNullArray | Shape::kNone,
    .handler = bzpopmax,
    .history = kHistory,
};
constexpr CommandSpec kBZMPop{
    .name = "BZMPOP",
    .summary = "Removes and returns members of the first sorted set that has any, waiting if none.",
    .complexity = "O(K)+O(M*log(N)) with K the keys, N the members of the set and M those popped.",
    .since = "7.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kBlocking,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kBlockMultiKeys,
    .args = kBlockMultiArgs,
    .reply = Shape::kArray | Shape::kNullArray | Shape::kNone,
    .handler = bzmpop,
};

}  // namespace hearth::commands
