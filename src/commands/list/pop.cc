// Taking items: LPOP, RPOP, LMPOP, and BLPOP, BRPOP, BLMPOP, which wait for some.
#include <algorithm>

#include "src/command/blocking_control.h"
#include "src/command/client_control.h"
#include "src/command/deadline.h"
#include "src/command/multi_pop.h"
#include "src/commands/list/family.h"
#include "src/commands/list/list_key.h"
#include "src/commands/list/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome pop(CommandContext& ctx, ListEnd end) {
  if (ctx.args().size() > 3) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  const bool counted = ctx.args().size() == 3;
  std::int64_t most = 1;
  if (counted) {
    HEARTH_TRY(most, ctx.args().integer_between(2, 0, INT64_MAX,
                                                "ERR value is out of range, must be positive"));
  }
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_list(ctx, key));
  if (!at) {
    if (counted)
      ctx.reply().null_array();
    else
      ctx.reply().null();
    return {};
  }
  const std::uint64_t count =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(most), ListView(*at).size());
  if (counted) ctx.reply().array(count);
  if (count == 0) return {};
  ctx.effects().replicate_verbatim();
  ctx.effects().count_changes(count - 1);
  pop_items(ctx, key, at, end, count);
  return {};
}

Outcome lpop(CommandContext& ctx) { return pop(ctx, ListEnd::kHead); }
Outcome rpop(CommandContext& ctx) { return pop(ctx, ListEnd::kTail); }

// BLPOP, BRPOP: keys from word 1 to the last but one, the timeout behind them.
Outcome blocking_pop(CommandContext& ctx, ListEnd end) {
  const std::size_t last = ctx.args().size() - 1;
  HEARTH_TRY(const MonoTime deadline, wait_deadline(ctx.args(), last, TimeUnit::kSeconds,
                                                    ctx.services().clients->mono_now()));
  for (std::size_t i = 1; i < last; ++i) {
    const KeyRef key = ctx.key(i);
    HEARTH_TRY(const Found at, write_list(ctx, key));
    if (!at) continue;
    ctx.reply().array(2);
    ctx.reply().bulk(key.name);
    ctx.effects().replicate_as(pop_command(end), key.name);
    pop_items(ctx, key, at, end, 1);
    return {};
  }
  if (!ctx.may_block()) {
    ctx.reply().null_array();
    return {};
  }
  BlockingControl::KeyWait wait{.keys = ctx.args().words().subspan(1, last - 1),
                                .type = Type::kList,
                                .deadline = deadline,
                                .again = {}};
  ctx.services().blocking->wait_for_keys(ctx, std::move(wait));
  return {};
}

Outcome blpop(CommandContext& ctx) { return blocking_pop(ctx, ListEnd::kHead); }
Outcome brpop(CommandContext& ctx) { return blocking_pop(ctx, ListEnd::kTail); }

// True if one of the keys had something.
Result<bool, ReplyError> pop_from_first(CommandContext& ctx, const MultiPop& m) {
  const ListEnd end = m.at_second_end ? ListEnd::kTail : ListEnd::kHead;
  for (std::size_t i = m.first_key; i < m.first_key + m.key_count; ++i) {
    const KeyRef key = ctx.key(i);
    HEARTH_TRY(const Found at, write_list(ctx, key));
    if (!at) continue;
    const std::uint64_t count = std::min(m.count, ListView(*at).size());
    ctx.reply().array(2);
    ctx.reply().bulk(key.name);
    ctx.reply().array(count);
    ctx.effects().replicate_as(pop_command(end), key.name, static_cast<std::int64_t>(count));
    ctx.effects().count_changes(count - 1);
    pop_items(ctx, key, at, end, count);
    return true;
  }
  return false;
}

Outcome lmpop(CommandContext& ctx) {
  HEARTH_TRY(const MultiPop m, parse_multi_pop(ctx.args(), 1, "LEFT", "RIGHT"));
  HEARTH_TRY(const bool found, pop_from_first(ctx, m));
  if (!found) ctx.reply().null_array();
  return {};
}

Outcome blmpop(CommandContext& ctx) {
  HEARTH_TRY(const MultiPop m, parse_multi_pop(ctx.args(), 2, "LEFT", "RIGHT"));
  HEARTH_TRY(const MonoTime deadline,
             wait_deadline(ctx.args(), 1, TimeUnit::kSeconds, ctx.services().clients->mono_now()));
  HEARTH_TRY(const bool found, pop_from_first(ctx, m));
  if (found) return {};
  if (!ctx.may_block()) {
    ctx.reply().null_array();
    return {};
  }
  BlockingControl::KeyWait wait{.keys = ctx.args().words().subspan(m.first_key, m.key_count),
                                .type = Type::kList,
                                .deadline = deadline,
                                .again = {}};
  ctx.services().blocking->wait_for_keys(ctx, std::move(wait));
  return {};
}

constexpr std::uint16_t kTaken = access::kRW | access::kAccess | access::kDelete;
constexpr KeySpec kTakeKey[] = {KeySpec::one(1, kTaken)};
constexpr KeySpec kTakeAny[] = {KeySpec::range(1, -2, 1, kTaken)};
constexpr KeySpec kTakeCounted[] = {KeySpec::counted(1, kTaken)};
constexpr KeySpec kTakeCountedSecond[] = {KeySpec::counted(2, kTaken)};
constexpr ArgDoc kPopArgs[] = {args::key(), args::integer("count").opt().from("6.2.0")};
constexpr ArgDoc kBlockingArgs[] = {args::key().many(), args::real("timeout")};
constexpr ArgDoc kMultiArgs[] = {args::integer("numkeys"), args::key().many(),
                                 args::one_of("where", kListEnds),
                                 args::integer("count", "COUNT").opt()};
constexpr ArgDoc kBlockingMultiArgs[] = {args::real("timeout"), args::integer("numkeys"),
                                         args::key().many(), args::one_of("where", kListEnds),
                                         args::integer("count", "COUNT").opt()};
constexpr HistoryNote kPopHistory[] = {{"6.2.0", "Takes a count."}};

constexpr CommandSpec pop_spec(std::string_view name, std::string_view summary, Handler handler) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(N) with N the number of elements that are taken",
      .since = "1.0.0",
      .arity = Arity::at_least(2),
      .flags = Flag::kWrite | Flag::kFast,
      .acl = Acl::kList,
      .group = Group::kList,
      .keys = kTakeKey,
      .args = kPopArgs,
      .reply = Shape::kBulk | Shape::kArray | Shape::kNull | Shape::kNullArray,
      .handler = handler,
      .history = kPopHistory,
  };
}

constexpr CommandSpec blocking_spec(std::string_view name, std::string_view summary,
                                    Handler handler) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(N) with N the number of keys",
      .since = "2.0.0",
      .arity = Arity::at_least(3),
      .flags = Flag::kWrite | Flag::kBlocking,
      .acl = Acl::kList,
      .group = Group::kList,
      .keys = kTakeAny,
      .args = kBlockingArgs,
      .reply = Shape::kArray | Shape::kNullArray,
      .handler = handler,
      .history = kBlockingHistory,
  };
}

}  // namespace

constexpr CommandSpec kLPop =
    pop_spec("LPOP", "Takes elements off the head of a list and returns them.", lpop);
constexpr CommandSpec kRPop =
    pop_spec("RPOP", "Takes elements off the tail of a list and returns them.", rpop);
constexpr CommandSpec kBLPop = blocking_spec(
    "BLPOP", "Takes the head of the first list that has one, waiting for it if need be.", blpop);
constexpr CommandSpec kBRPop = blocking_spec(
    "BRPOP", "Takes the tail of the first list that has one, waiting for it if need be.", brpop);

constexpr CommandSpec kLMPop{
    .name = "LMPOP",
    .summary = "Takes elements off one end of the first list that has any.",
    .complexity = "O(N+M) with N the number of keys and M the elements that are taken",
    .since = "7.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kTakeCounted,
    .args = kMultiArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = lmpop,
};

constexpr CommandSpec kBLMPop{
    .name = "BLMPOP",
    .summary = "Takes elements off one end of the first list that has any, waiting if need be.",
    .complexity = "O(N+M) with N the number of keys and M the elements that are taken",
    .since = "7.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kBlocking,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kTakeCountedSecond,
    .args = kBlockingMultiArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = blmpop,
};

}  // namespace hearth::commands
