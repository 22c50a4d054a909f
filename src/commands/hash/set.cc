// Writing: HSET, HMSET, HSETNX, HDEL.
#include "src/command/common_specs.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"
#include "src/commands/hash/spec_parts.h"

namespace hearth::commands {
namespace {

Result<std::int64_t, ReplyError> set_fields(CommandContext& ctx, std::string_view command) {
  const auto pairs = ctx.args().from(2);
  if (pairs.size() % 2 != 0) {
    return refuse("ERR wrong number of arguments for '" + std::string(command) + "' command");
  }
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, write_hash(ctx, key));
  at = made_hash(ctx, key, at);
  const HashLimits limits = hash_limits(ctx);
  const Change change = ctx.keys().change(key, at);
  Hash& hash = *change->hash();
  std::int64_t created = 0;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (hash.set(pairs[i], pairs[i + 1], Hash::kNone, ctx.now(), limits) == Hash::Set::kCreated)
      ++created;
  }
  ctx.effects().replicate_verbatim();
  ctx.effects().count_changes(pairs.size() / 2 - 1);
  ctx.effects().event(Notify::kHash, "hset", key.name);
  return created;
}

Outcome hset(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t created, set_fields(ctx, "hset"));
  ctx.reply().integer(created);
  return {};
}

Outcome hmset(CommandContext& ctx) {
  HEARTH_TRY([[maybe_unused]] const std::int64_t created, set_fields(ctx, "hmset"));
  ctx.reply().ok();
  return {};
}

Outcome hsetnx(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(Found at, write_hash(ctx, key));
  if (at && at->hash()->exists(ctx.arg(2), ctx.now())) {
    ctx.reply().integer(0);
    return {};
  }
  at = made_hash(ctx, key, at);
  ctx.keys().change(key, at)->hash()->set(ctx.arg(2), ctx.arg(3), Hash::kNone, ctx.now(),
                                          hash_limits(ctx));
  // Without its condition: a replica may still have the field that has expired here.
  ctx.effects().replicate_as("HSET", key.name, ctx.arg(2), ctx.arg(3));
  ctx.effects().event(Notify::kHash, "hset", key.name);
  ctx.reply().integer(1);
  return {};
}

Outcome hdel(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, write_hash(ctx, key));
  std::int64_t removed = 0;
  if (at) {
    const Change change = ctx.keys().change(key, at);
    for (const std::string_view field : ctx.args().from(2)) {
      if (change->hash()->erase(field, ctx.now())) ++removed;
      if (change->hash()->size() == 0) break;
    }
  }
  if (removed > 0) {
    ctx.effects().replicate_verbatim();
    ctx.effects().count_changes(static_cast<std::uint64_t>(removed) - 1);
    ctx.effects().event(Notify::kHash, "hdel", key.name);
    remove_if_empty(ctx, key, at);
  }
  ctx.reply().integer(removed);
  return {};
}

constexpr ArgDoc kHsetArgs[] = {args::key(), args::block("data", kFieldValue).many()};
constexpr ArgDoc kSetNxArgs[] = {args::key(), args::string("field"), args::string("value")};
constexpr ArgDoc kDelArgs[] = {args::key(), args::string("field").many()};
constexpr HistoryNote kSetHistory[] = {{"4.0.0", "Accepts several pairs of field and value."}};
constexpr HistoryNote kDelHistory[] = {{"2.4.0", "Accepts several fields."}};

}  // namespace

constexpr CommandSpec kHSet{
    .name = "HSET",
    .summary = "Sets fields of a hash, making the hash if it does not exist.",
    .complexity = "O(N) with the number of pairs.",
    .since = "2.0.0",
    .arity = Arity::at_least(4),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kHsetArgs,
    .reply = Shape::kInteger,
    .handler = hset,
    .history = kSetHistory,
    .member_at = 2,
};
constexpr CommandSpec kHMSet{
    .name = "HMSET",
    .summary = "Sets several fields of a hash.",
    .complexity = "O(N) with the number of pairs.",
    .since = "2.0.0",
    .arity = Arity::at_least(4),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kUpdateKey,
    .args = kHsetArgs,
    .reply = Shape::kOk,
    .handler = hmset,
    .deprecated_since = "4.0.0",
    .replaced_by = "`HSET` with several pairs of field and value",
    .member_at = 2,
};
constexpr CommandSpec kHSetNx{
    .name = "HSETNX",
    .summary = "Sets a field of a hash if it does not exist.",
    .complexity = "O(1)",
    .since = "2.0.0",
    .arity = Arity::exactly(4),
    .flags = kWriteFlags,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kInsertKey,
    .args = kSetNxArgs,
    .reply = Shape::kInteger,
    .handler = hsetnx,
    .member_at = 2,
};
constexpr CommandSpec kHDel{
    .name = "HDEL",
    .summary = "Removes fields of a hash, and the hash with its last field.",
    .complexity = "O(N) with the number of fields to remove.",
    .since = "2.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kDeleteKey,
    .args = kDelArgs,
    .reply = Shape::kInteger,
    .handler = hdel,
    .history = kDelHistory,
    .member_at = 2,
};

}  // namespace hearth::commands
