// Changing members by name: SADD, SREM, SMOVE.
#include "src/command/common_specs.h"
#include "src/commands/set/family.h"
#include "src/commands/set/set_key.h"
#include "src/commands/set/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome sadd(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const auto members = ctx.args().from(2);
  HEARTH_TRY(Found at, ctx.keys().write(key, Type::kSet));
  const SetLimits limits = set_limits(ctx);
  const bool existed = static_cast<bool>(at);
  at = made_set(ctx, key, at, members.front(), members.size());
  const Change change = ctx.keys().change(key, at);
  Set& set = *change->set();
  if (existed) set.expect(members.size(), limits);
  std::uint64_t added = 0;
  for (const std::string_view member : members) {
    if (set.add(member, limits)) ++added;
  }
  if (added > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(added - 1);
    ctx.effects().event(Notify::kSet, "sadd", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(added));
  return {};
}

Outcome srem(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kSet));
  std::uint64_t removed = 0;
  if (at) {
    const Change change = ctx.keys().change(key, at);
    for (const std::string_view member : ctx.args().from(2)) {
      if (!change->set()->erase(member)) continue;
      ++removed;
      if (change->set()->empty()) break;
    }
  }
  if (removed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(removed - 1);
    ctx.effects().event(Notify::kSet, "srem", key.name);
    remove_empty_set(ctx, key, at);
  }
  ctx.reply().integer(static_cast<std::int64_t>(removed));
  return {};
}

Outcome smove(CommandContext& ctx) {
  const KeyRef from = ctx.key(1);
  const KeyRef to = ctx.key(2);
  const std::string_view member = ctx.arg(3);
  ctx.let_expired_go(1, 3);
  const Found source = ctx.keys().write(from);
  if (!source) {
    ctx.reply().integer(0);
    return {};
  }
  Found destination;
  HEARTH_TRY(destination, ctx.keys().write(to, Type::kSet));
  if (source->type() != Type::kSet) return refuse(std::string(kWrongType));
  if (from.name == to.name) {
    ctx.reply().integer(source->set()->contains(member) ? 1 : 0);
    return {};
  }
  if (!ctx.keys().change(from, source)->set()->erase(member)) {
    ctx.reply().integer(0);
    return {};
  }
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kSet, "srem", from.name);
  remove_empty_set(ctx, from, source);
  destination = made_set(ctx, to, ctx.keys().peek(to), member, 1);
  if (ctx.keys().change(to, destination)->set()->add(member, set_limits(ctx))) {
    ctx.effects().count_changes(1);
    ctx.effects().event(Notify::kSet, "sadd", to.name);
  }
  ctx.reply().integer(1);
  return {};
}

constexpr ArgDoc kMoveArgs[] = {args::key("source", 0), args::key("destination", 1),
                                args::string("member")};
constexpr KeySpec kMoveKeys[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kDelete),
                                 KeySpec::one(2, access::kAdd)};
constexpr HistoryNote kHistory[] = {{"2.4.0", "Accepts several members."}};

}  // namespace

constexpr CommandSpec kSAdd{
    .name = "SADD",
    .summary = "Adds members to a set, making the set if it does not exist.",
    .complexity = "O(N) with the number of members to add.",
    .since = "1.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kInsertKey,
    .args = kMembersArgs,
    .reply = Shape::kInteger,
    .handler = sadd,
    .history = kHistory,
    .member_at = 2,
};
constexpr CommandSpec kSRem{
    .name = "SREM",
    .summary = "Removes members of a set, and the set with its last member.",
    .complexity = "O(N) with the number of members to remove.",
    .since = "1.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kDeleteKey,
    .args = kMembersArgs,
    .reply = Shape::kInteger,
    .handler = srem,
    .history = kHistory,
    .member_at = 2,
};
constexpr CommandSpec kSMove{
    .name = "SMOVE",
    .summary = "Moves a member from one set to another.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kMoveKeys,
    .args = kMoveArgs,
    .reply = Shape::kInteger,
    .handler = smove,
};

}  // namespace hearth::commands
