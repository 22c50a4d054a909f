// Removing keys, and asking whether and as what they exist: DEL, UNLINK, EXISTS, TOUCH, TYPE.
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/write_guard.h"
#include "src/commands/key/family.h"

namespace hearth::commands {
namespace {

// DEL key VER n, and not the keys "VER" and "n" of a longer list.
bool has_version(const ArgReader& args) {
  return args.size() == 4 && args.is(2, "VER") && version_at(args, 3).has_value();
}

// Leaves a tombstone, also where there is no key. Replies with null to what is too old.
Outcome remove_version(CommandContext& ctx, bool lazy) {
  WriteGuard guard;
  HEARTH_TRY(guard.version, version_at(ctx.args(), 3));
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().peek(key);
  HEARTH_TRY(const bool admitted, admits(ctx, guard, key, at));
  if (!admitted) {
    ctx.reply().null();
    return {};
  }
  const bool was_there = static_cast<bool>(at);
  if (was_there) {
    ctx.keys().remove(key, at, lazy);
    ctx.effects().replicate_as(lazy ? "UNLINK" : "DEL", key.name);
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  }
  end_guarded(ctx, guard, key);
  ctx.reply().integer(was_there ? 1 : 0);
  return {};
}

Outcome remove_keys(CommandContext& ctx, bool lazy) {
  if (has_version(ctx.args())) [[unlikely]]
    return remove_version(ctx, lazy);
  std::int64_t removed = 0;
  ctx.for_each_key(1, ctx.args().size(), 1, [&](const KeyRef& key, std::size_t) {
    const Found at = ctx.keys().peek(key);
    if (!at) return;
    ctx.keys().remove(key, at, lazy);
    ctx.effects().event(Notify::kGeneric, "del", key.name);
    ++removed;
  });
  if (removed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(static_cast<std::uint64_t>(removed) - 1);
  }
  ctx.reply().integer(removed);
  return {};
}

Outcome del(CommandContext& ctx) { return remove_keys(ctx, ctx.keys().lazy_user_del()); }
Outcome unlink(CommandContext& ctx) { return remove_keys(ctx, true); }

Outcome exists(CommandContext& ctx) {
  // A key that is named twice counts twice.
  std::int64_t count = 0;
  ctx.for_each_key(1, ctx.args().size(), 1, [&](const KeyRef& key, std::size_t) {
    count += ctx.keys().inspect(key) ? 1 : 0;
  });
  ctx.reply().integer(count);
  return {};
}

Outcome touch(CommandContext& ctx) {
  // Noting the access is what the command is for, also for a client that asked for NO-TOUCH.
  ctx.keys().set_no_touch(false);
  std::int64_t count = 0;
  ctx.for_each_key(1, ctx.args().size(), 1,
                   [&](const KeyRef& key, std::size_t) { count += ctx.keys().read(key) ? 1 : 0; });
  ctx.reply().integer(count);
  return {};
}

Outcome type(CommandContext& ctx) {
  const Found at = ctx.keys().inspect(ctx.key(1));
  ctx.reply().simple(at ? type_name(at->type()) : "none");
  return {};
}

// One key with a version, else every word.
bool removed_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  const std::size_t end = has_version(ArgReader(argv)) ? 2 : argv.size();
  for (std::size_t i = 1; i < end; ++i)
    out.push_back({static_cast<std::uint32_t>(i), access::kRemove});
  return true;
}

constexpr ArgDoc kKeyList[] = {args::key().many()};
constexpr ArgDoc kRemoveArgs[] = {args::key().many(), args::integer("version", "VER").opt()};
constexpr KeySpec kRemoveKeys[] = {KeySpec::range(1, -1, 1, access::kRemove)};
constexpr KeySpec kLookAtKeys[] = {KeySpec::range(1, -1, 1, access::kReadMeta)};
constexpr KeySpec kDelLookAtKey[] = {KeySpec::one(1, access::kReadMeta)};
constexpr std::string_view kSumOverShards[] = {"request_policy:multi_shard",
                                               "response_policy:agg_sum"};
constexpr HistoryNote kSeveralKeys[] = {{"3.0.3", "Accepts several keys."}};

}  // namespace

constexpr CommandSpec kDel{
    .name = "DEL",
    .summary = "Removes keys, whatever they hold.",
    .complexity = "O(N) with N the number of keys; a value that is made of M parts takes O(M)",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kRemoveKeys,
    .args = kRemoveArgs,
    .reply = Shape::kInteger | Shape::kNull,
    .handler = del,
    .tips = kSumOverShards,
    .find_keys = removed_keys,
};
constexpr CommandSpec kUnlink{
    .name = "UNLINK",
    .summary = "Removes keys; large values are freed in the background.",
    .complexity = "O(1) for each key, and O(N) with N the parts of its value on another thread",
    .since = "4.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kRemoveKeys,
    .args = kRemoveArgs,
    .reply = Shape::kInteger | Shape::kNull,
    .handler = unlink,
    .tips = kSumOverShards,
    .find_keys = removed_keys,
};
constexpr CommandSpec kExists{
    .name = "EXISTS",
    .summary = "Tells how many of the given keys exist.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kLookAtKeys,
    .args = kKeyList,
    .reply = Shape::kInteger,
    .handler = exists,
    .tips = kSumOverShards,
    .history = kSeveralKeys,
};
constexpr CommandSpec kTouch{
    .name = "TOUCH",
    .summary = "Notes an access to keys and tells how many of them exist.",
    .complexity = "O(N) with N the number of keys",
    .since = "3.2.1",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kLookAtKeys,
    .args = kKeyList,
    .reply = Shape::kInteger,
    .handler = touch,
    .tips = kSumOverShards,
};
constexpr CommandSpec kType{
    .name = "TYPE",
    .summary = "Names the type of the value that a key holds.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kDelLookAtKey,
    .args = kKeyArg,
    .reply = Shape::kSimple,
    .handler = type,
};

}  // namespace hearth::commands
