// Adding items: LPUSH, RPUSH, LPUSHX, RPUSHX, LINSERT.
#include "src/commands/list/family.h"
#include "src/commands/list/list_key.h"

namespace hearth::commands {
namespace {

enum class Absent : bool { kIsMade, kStaysAbsent };

Outcome push(CommandContext& ctx, ListEnd end, Absent absent) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, write_list(ctx, key));
  if (!at && absent == Absent::kStaysAbsent) {
    ctx.reply().integer(0);
    return {};
  }
  const auto items = ctx.args().from(2);
  at = push_items(ctx, key, at, end, items);
  ctx.effects().replicate_verbatim();
  ctx.effects().count_changes(items.size() - 1);
  ctx.effects().event(Notify::kList, push_event(end), key.name);
  ctx.reply().integer(static_cast<std::int64_t>(ListView(*at).size()));
  return {};
}

Outcome lpush(CommandContext& ctx) { return push(ctx, ListEnd::kHead, Absent::kIsMade); }
Outcome rpush(CommandContext& ctx) { return push(ctx, ListEnd::kTail, Absent::kIsMade); }
Outcome lpushx(CommandContext& ctx) { return push(ctx, ListEnd::kHead, Absent::kStaysAbsent); }
Outcome rpushx(CommandContext& ctx) { return push(ctx, ListEnd::kTail, Absent::kStaysAbsent); }

Outcome linsert(CommandContext& ctx) {
  const bool behind = ctx.args().is(2, "AFTER");
  if (!behind && !ctx.args().is(2, "BEFORE")) return syntax_error();
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_list(ctx, key));
  if (!at) {
    ctx.reply().integer(0);
    return {};
  }
  const Change change = ctx.keys().change(key, at);
  ListValue list(change);
  if (!list.insert(ctx.arg(3), behind, ctx.arg(4), list_limits(ctx))) {
    ctx.reply().integer(-1);
    return {};
  }
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kList, "linsert", key.name);
  ctx.reply().integer(static_cast<std::int64_t>(list.size()));
  return {};
}

constexpr KeySpec kAddKey[] = {KeySpec::one(1, access::kRW | access::kInsert)};
constexpr ArgDoc kPushArgs[] = {args::key(), args::string("element").many()};
constexpr ArgDoc kWhere[] = {args::token("before", "BEFORE"), args::token("after", "AFTER")};
constexpr ArgDoc kInsertArgs[] = {args::key(), args::one_of("where", kWhere), args::string("pivot"),
                                  args::string("element")};
constexpr HistoryNote kManySince24[] = {{"2.4.0", "Takes several elements."}};
constexpr HistoryNote kManySince40[] = {{"4.0.0", "Takes several elements."}};

constexpr CommandSpec push_spec(std::string_view name, std::string_view summary,
                                std::string_view since, std::span<const HistoryNote> history,
                                Handler handler) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(N) with N the number of elements that are added",
      .since = since,
      .arity = Arity::at_least(3),
      .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
      .acl = Acl::kList,
      .group = Group::kList,
      .keys = kAddKey,
      .args = kPushArgs,
      .reply = Shape::kInteger,
      .handler = handler,
      .history = history,
  };
}

}  // namespace

constexpr CommandSpec kLPush =
    push_spec("LPUSH", "Adds elements at the head of a list, which is made if need be.", "1.0.0",
              kManySince24, lpush);
constexpr CommandSpec kRPush =
    push_spec("RPUSH", "Adds elements at the tail of a list, which is made if need be.", "1.0.0",
              kManySince24, rpush);
constexpr CommandSpec kLPushX = push_spec(
    "LPUSHX", "Adds elements at the head of a list that exists.", "2.2.0", kManySince40, lpushx);
constexpr CommandSpec kRPushX = push_spec(
    "RPUSHX", "Adds elements at the tail of a list that exists.", "2.2.0", kManySince40, rpushx);

constexpr CommandSpec kLInsert{
    .name = "LINSERT",
    .summary = "Puts an element before or after the first that equals another.",
    .complexity = "O(N) with N the elements that are looked at to find the other",
    .since = "2.2.0",
    .arity = Arity::exactly(5),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kAddKey,
    .args = kInsertArgs,
    .reply = Shape::kInteger,
    .handler = linsert,
};

}  // namespace hearth::commands
