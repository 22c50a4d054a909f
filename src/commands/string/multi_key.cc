// Several strings at once: MGET, MSET, MSETNX.
#include "src/command/context.h"
#include "src/commands/string/family.h"

namespace hearth::commands {
namespace {

Outcome mget(CommandContext& ctx) {
  const std::size_t count = ctx.args().size() - 1;
  ctx.reply().array(count);
  char scratch[kInt64TextMax];
  for (std::size_t i = 1; i <= count; ++i) {
    const Found at = ctx.keys().read(ctx.key(i));
    // A value of another type reads as absent: one wrong key does not spoil the rest.
    if (at && at->type() == Type::kString)
      ctx.reply().bulk(at->string_value(scratch));
    else
      ctx.reply().null();
  }
  return {};
}

void set_pairs(CommandContext& ctx) {
  for (std::size_t i = 1; i + 1 < ctx.args().size(); i += 2) {
    const KeyRef key = ctx.key(i);
    ctx.keys().put_string(key, ctx.keys().write(key), ctx.arg(i + 1), kNoDeadline);
    ctx.effects().event(Notify::kString, "set", key.name);
  }
  ctx.effects().replicate_verbatim();
  ctx.effects().count_changes((ctx.args().size() - 1) / 2 - 1);
}

Result<void, ReplyError> check_pairs(const CommandContext& ctx) {
  if (ctx.args().size() % 2 == 0) {
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  }
  return {};
}

Outcome mset(CommandContext& ctx) {
  HEARTH_TRY_VOID(check_pairs(ctx));
  set_pairs(ctx);
  ctx.reply().ok();
  return {};
}

Outcome msetnx(CommandContext& ctx) {
  HEARTH_TRY_VOID(check_pairs(ctx));
  for (std::size_t i = 1; i < ctx.args().size(); i += 2) {
    if (ctx.keys().exists(ctx.key(i))) {
      ctx.reply().integer(0);
      return {};
    }
  }
  set_pairs(ctx);
  ctx.reply().integer(1);
  return {};
}

constexpr ArgDoc kKeys[] = {args::key().many()};
constexpr ArgDoc kPair[] = {args::key(), args::string("value")};
constexpr ArgDoc kPairs[] = {args::block("data", kPair).many()};
constexpr KeySpec kReadKeys[] = {KeySpec::range(1, -1, 1, access::kRead)};
constexpr KeySpec kWriteKeys[] = {KeySpec::range(1, -1, 2, access::kOverwrite)};
constexpr KeySpec kInsertKeys[] = {KeySpec::range(1, -1, 2, access::kOW | access::kInsert)};
constexpr std::string_view kPerShard[] = {"request_policy:multi_shard"};
constexpr std::string_view kPerShardAll[] = {"request_policy:multi_shard",
                                             "response_policy:all_succeeded"};

}  // namespace

constexpr CommandSpec kMGet{
    .name = "MGET",
    .summary = "Returns the strings stored under several keys.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kReadKeys,
    .args = kKeys,
    .reply = Shape::kArray,
    .handler = mget,
    .tips = kPerShard,
};
constexpr CommandSpec kMSet{
    .name = "MSET",
    .summary = "Stores strings under several keys, all in one step.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.1",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kWriteKeys,
    .args = kPairs,
    .reply = Shape::kOk,
    .handler = mset,
    .tips = kPerShardAll,
};
constexpr CommandSpec kMSetNx{
    .name = "MSETNX",
    .summary = "Stores strings under several keys if none of the keys exists.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.1",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kInsertKeys,
    .args = kPairs,
    .reply = Shape::kInteger,
    .handler = msetnx,
};

}  // namespace hearth::commands
