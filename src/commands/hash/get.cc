// Reading: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN.
#include "src/command/common_specs.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"

namespace hearth::commands {
namespace {

Outcome hget(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  Hash::Scratch scratch;
  const auto value = at ? at->hash()->get(ctx.arg(2), ctx.now(), scratch) : std::nullopt;
  if (value)
    ctx.reply().bulk(*value);
  else
    ctx.reply().null();
  return {};
}

Outcome hmget(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  const auto fields = ctx.args().from(2);
  ctx.reply().array(fields.size());
  Hash::Scratch scratch;
  for (const std::string_view field : fields) {
    const auto value = at ? at->hash()->get(field, ctx.now(), scratch) : std::nullopt;
    if (value)
      ctx.reply().bulk(*value);
    else
      ctx.reply().null();
  }
  return {};
}

enum class Part : std::uint8_t { kBoth, kFields, kValues };

Outcome all_of(CommandContext& ctx, Part part) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  const std::uint64_t count = at ? at->hash()->visible_size(ctx.now()) : 0;
  if (part == Part::kBoth)
    ctx.reply().map(count);
  else
    ctx.reply().array(count);
  if (count == 0) return {};
  at->hash()->for_each(ctx.now(), [&](const Hash::Item& item) {
    if (part != Part::kValues) ctx.reply().bulk(item.field);
    if (part != Part::kFields) ctx.reply().bulk(item.value);
  });
  return {};
}

Outcome hgetall(CommandContext& ctx) { return all_of(ctx, Part::kBoth); }
Outcome hkeys(CommandContext& ctx) { return all_of(ctx, Part::kFields); }
Outcome hvals(CommandContext& ctx) { return all_of(ctx, Part::kValues); }

Outcome hlen(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  // Expired fields count until they are removed: the answer is O(1).
  ctx.reply().integer(at ? static_cast<std::int64_t>(at->hash()->size()) : 0);
  return {};
}

Outcome hexists(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  ctx.reply().integer(at && at->hash()->exists(ctx.arg(2), ctx.now()) ? 1 : 0);
  return {};
}

Outcome hstrlen(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  Hash::Scratch scratch;
  const auto value = at ? at->hash()->get(ctx.arg(2), ctx.now(), scratch) : std::nullopt;
  ctx.reply().integer(value ? static_cast<std::int64_t>(value->size()) : 0);
  return {};
}

constexpr ArgDoc kKeyField[] = {args::key(), args::string("field")};
constexpr ArgDoc kKeyFields[] = {args::key(), args::string("field").many()};
constexpr KeySpec kMetaKey[] = {KeySpec::one(1, access::kReadMeta)};

}  // namespace

constexpr CommandSpec kHGet{
    .name = "HGET",
    .summary = "Returns the value of one field of a hash.",
    .complexity = "O(1)",
    .since = "2.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kKeyField,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = hget,
    .member_at = 2,
};
constexpr CommandSpec kHMGet{
    .name = "HMGET",
    .summary = "Returns the values of several fields of a hash.",
    .complexity = "O(N) with the number of fields asked for.",
    .since = "2.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kKeyFields,
    .reply = Shape::kArray,
    .handler = hmget,
    .member_at = 2,
};
constexpr CommandSpec kHGetAll{
    .name = "HGETALL",
    .summary = "Returns all fields of a hash with their values.",
    .complexity = "O(N) with the size of the hash.",
    .since = "2.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kMap,
    .handler = hgetall,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kHKeys{
    .name = "HKEYS",
    .summary = "Returns the names of all fields of a hash.",
    .complexity = "O(N) with the size of the hash.",
    .since = "2.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kArray,
    .handler = hkeys,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kHVals{
    .name = "HVALS",
    .summary = "Returns the values of all fields of a hash.",
    .complexity = "O(N) with the size of the hash.",
    .since = "2.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kArray,
    .handler = hvals,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kHLen{
    .name = "HLEN",
    .summary = "Returns how many fields a hash has.",
    .complexity = "O(1)",
    .since = "2.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kMetaKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = hlen,
};
constexpr CommandSpec kHExists{
    .name = "HEXISTS",
    .summary = "Tells whether a hash has a field.",
    .complexity = "O(1)",
    .since = "2.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kMetaKey,
    .args = kKeyField,
    .reply = Shape::kInteger,
    .handler = hexists,
    .member_at = 2,
};
constexpr CommandSpec kHStrLen{
    .name = "HSTRLEN",
    .summary = "Returns the length in bytes of the value of a field.",
    .complexity = "O(1)",
    .since = "3.2.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kMetaKey,
    .args = kKeyField,
    .reply = Shape::kInteger,
    .handler = hstrlen,
    .member_at = 2,
};

}  // namespace hearth::commands
