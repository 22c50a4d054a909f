// Looking at one set: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN.
#include "src/command/common_specs.h"
#include "src/command/element_scan.h"
#include "src/commands/set/family.h"
#include "src/commands/set/set_key.h"
#include "src/commands/set/spec_parts.h"

namespace hearth::commands {
namespace {

Outcome scard(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  ctx.reply().integer(at ? static_cast<std::int64_t>(at->set()->size()) : 0);
  return {};
}

Outcome sismember(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  ctx.reply().integer(at && at->set()->contains(ctx.arg(2)) ? 1 : 0);
  return {};
}

Outcome smismember(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  const auto members = ctx.args().from(2);
  ctx.reply().array(members.size());
  for (const std::string_view member : members)
    ctx.reply().integer(at && at->set()->contains(member) ? 1 : 0);
  return {};
}

Outcome smembers(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  ctx.reply().set(at ? at->set()->size() : 0);
  if (at) at->set()->for_each([&](std::string_view member) { ctx.reply().bulk(member); });
  return {};
}

Outcome sscan(CommandContext& ctx) {
  HEARTH_TRY(ElementScan scan, ElementScan::begin(ctx));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  if (!at) return scan.finish(ctx);
  HEARTH_TRY_VOID(scan.read_options(ctx));
  const Set::Visitor visit = [&](std::string_view member) {
    if (scan.takes(member)) scan.add(std::string(member));
  };
  scan.walk([&](std::uint64_t cursor) { return at->set()->scan(cursor, visit); });
  return scan.finish(ctx);
}

constexpr ArgDoc kMemberArgs[] = {args::key(), args::string("member")};
constexpr ArgDoc kScanArgs[] = {args::key(), args::integer("cursor"),
                                args::pattern("pattern", "MATCH").opt(),
                                args::integer("count", "COUNT").opt()};
constexpr KeySpec kLookAtKey[] = {KeySpec::one(1, access::kReadMeta)};

}  // namespace

constexpr CommandSpec kSCard{
    .name = "SCARD",
    .summary = "Returns the number of members of a set.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kLookAtKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = scard,
};
constexpr CommandSpec kSIsMember{
    .name = "SISMEMBER",
    .summary = "Tells whether something is a member of a set.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kLookAtKey,
    .args = kMemberArgs,
    .reply = Shape::kInteger,
    .handler = sismember,
    .member_at = 2,
};
constexpr CommandSpec kSMIsMember{
    .name = "SMISMEMBER",
    .summary = "Tells of each argument whether it is a member of a set.",
    .complexity = "O(N) with the number of members asked for.",
    .since = "6.2.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kReadKey,
    .args = kMembersArgs,
    .reply = Shape::kArray,
    .handler = smismember,
    .member_at = 2,
};
constexpr CommandSpec kSMembers{
    .name = "SMEMBERS",
    .summary = "Returns all members of a set.",
    .complexity = "O(N) with the size of the set.",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kSet,
    .handler = smembers,
    .tips = kNondeterministicOrder,
};
constexpr CommandSpec kSScan{
    .name = "SSCAN",
    .summary = "Walks through the members of a set in steps.",
    .complexity = "O(1) for each call, O(N) for the whole set.",
    .since = "2.8.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kReadKey,
    .args = kScanArgs,
    .reply = Shape::kArray,
    .handler = sscan,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
