// Changing what is there: LSET, LTRIM, LREM.
#include "src/command/common_specs.h"
#include "src/commands/list/family.h"
#include "src/commands/list/list_key.h"
#include "src/commands/list/range.h"

namespace hearth::commands {
namespace {

Outcome lset(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_list(ctx, key));
  if (!at) return refuse(std::string(kNoSuchKey));
  HEARTH_TRY(const std::int64_t index, ctx.args().integer(2));
  const auto place = list_index(index, ListView(*at).size());
  if (!place) return refuse("ERR index out of range");
  ListValue(ctx.keys().change(key, at)).set(*place, ctx.arg(3), list_limits(ctx));
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kList, "lset", key.name);
  ctx.reply().ok();
  return {};
}

Outcome ltrim(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t start, ctx.args().integer(2));
  HEARTH_TRY(const std::int64_t stop, ctx.args().integer(3));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_list(ctx, key));
  if (!at) {
    ctx.reply().ok();
    return {};
  }
  const std::uint64_t size = ListView(*at).size();
  const ListRange kept = list_range(start, stop, size);
  if (kept.count < size) {
    const Change change = ctx.keys().change(key, at);
    ListValue list(change);
    list.drop(ListEnd::kTail, kept.count == 0 ? size : size - kept.first - kept.count);
    if (kept.count > 0) list.drop(ListEnd::kHead, kept.first);
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(size - kept.count - 1);
  }
  // Clients are told of a trim that left everything too.
  ctx.effects().event(Notify::kList, "ltrim", key.name);
  settle_after_removal(ctx, key, at);
  ctx.reply().ok();
  return {};
}

Outcome lrem(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t count, ctx.args().integer(2));
  if (count == INT64_MIN) return refuse(std::string(kOutOfLongRange));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_list(ctx, key));
  if (!at) {
    ctx.reply().integer(0);
    return {};
  }
  // Beyond any length: all.
  std::uint64_t most = UINT64_MAX;
  if (count > 0) most = static_cast<std::uint64_t>(count);
  if (count < 0) most = std::uint64_t{0} - static_cast<std::uint64_t>(count);
  const std::uint64_t removed =
      ListValue(ctx.keys().change(key, at)).remove(ctx.arg(3), count < 0, most);
  if (removed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(removed - 1);
    ctx.effects().event(Notify::kList, "lrem", key.name);
    settle_after_removal(ctx, key, at);
  }
  ctx.reply().integer(static_cast<std::int64_t>(removed));
  return {};
}

constexpr ArgDoc kSetArgs[] = {args::key(), args::integer("index"), args::string("element")};
constexpr ArgDoc kTrimArgs[] = {args::key(), args::integer("start"), args::integer("stop")};
constexpr ArgDoc kRemArgs[] = {args::key(), args::integer("count"), args::string("element")};

}  // namespace

constexpr CommandSpec kLSet{
    .name = "LSET",
    .summary = "Replaces the element of a list that stands at an index.",
    .complexity = "O(N) with N the segments between the index and the nearer end",
    .since = "1.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kUpdateKey,
    .args = kSetArgs,
    .reply = Shape::kOk,
    .handler = lset,
};
constexpr CommandSpec kLTrim{
    .name = "LTRIM",
    .summary = "Removes the elements of a list that stand outside of a range.",
    .complexity = "O(N) with N the elements that are removed",
    .since = "1.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kDeleteKey,
    .args = kTrimArgs,
    .reply = Shape::kOk,
    .handler = ltrim,
};
constexpr CommandSpec kLRem{
    .name = "LREM",
    .summary = "Removes elements of a list that equal another, from either end on.",
    .complexity = "O(N) with N the length of the list",
    .since = "1.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kDeleteKey,
    .args = kRemArgs,
    .reply = Shape::kInteger,
    .handler = lrem,
};

}  // namespace hearth::commands
