// Removing by what a key holds: DELEX, DELIFEQ; and DIGEST, which tells it in short.
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/commands/string/condition.h"
#include "src/commands/string/family.h"

namespace hearth::commands {
namespace {

Outcome digest(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  char scratch[kInt64TextMax];
  ctx.reply().bulk(digest_text(at->string_value(scratch)));
  return {};
}

Outcome remove_if(CommandContext& ctx, const std::optional<Condition>& condition) {
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().write(key);
  bool removes = static_cast<bool>(at);
  if (at && condition) {
    HEARTH_TRY(removes, condition->holds(&*at));
  }
  if (removes) {
    const bool lazy = ctx.keys().lazy_user_del();
    ctx.keys().remove(key, at, lazy);
    // Whether the condition held was decided here.
    ctx.effects().replicate_as(lazy ? "UNLINK" : "DEL", key.name);
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  }
  ctx.reply().integer(removes ? 1 : 0);
  return {};
}

Outcome delex(CommandContext& ctx) {
  std::optional<Condition> condition;
  if (ctx.args().size() > 2) {
    HEARTH_TRY(condition, condition_at(ctx.args(), 2));
    if (!condition || ctx.args().size() != 4) return syntax_error();
  }
  return remove_if(ctx, condition);
}

Outcome delifeq(CommandContext& ctx) {
  return remove_if(ctx, Condition{Condition::Kind::kEqual, ctx.arg(2)});
}

constexpr ArgDoc kDelExArgs[] = {args::key(), args::one_of("condition", kValueConditions).opt()};
constexpr ArgDoc kDelIfEqArgs[] = {args::key(), args::string("value")};
constexpr KeySpec kCompareKey[] = {
    KeySpec::one(1, access::kRW | access::kAccess | access::kDelete)};

}  // namespace

constexpr CommandSpec kDigest{
    .name = "DIGEST",
    .summary = "Returns a digest of a string, for conditions on large values.",
    .complexity = "O(N) with the length of the string.",
    .since = "8.4.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = digest,
};
constexpr CommandSpec kDelEx{
    .name = "DELEX",
    .summary = "Removes a key if its value, or the digest of it, is or is not the given one.",
    .complexity = "O(N) with the length of the string for digests, else O(1).",
    .since = "8.4.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kDeleteKey,
    .args = kDelExArgs,
    .reply = Shape::kInteger,
    .handler = delex,
};
constexpr CommandSpec kDelIfEq{
    .name = "DELIFEQ",
    .summary = "Removes a key if its value is the given one.",
    .complexity = "O(1)",
    .since = "9.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kCompareKey,
    .args = kDelIfEqArgs,
    .reply = Shape::kInteger,
    .handler = delifeq,
};

}  // namespace hearth::commands
