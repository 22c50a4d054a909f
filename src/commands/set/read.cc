// Looking at one set: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN.
#include "src/base/glob.h"
#include "src/commands/set/access.h"
#include "src/commands/set/family.h"

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

struct ScanOptions {
  std::uint64_t cursor = 0;
  std::uint64_t count = 10;
  std::string_view pattern = "*";
};

Result<ScanOptions, ReplyError> parse_scan(const ArgReader& args) {
  ScanOptions o;
  const auto cursor = parse_uint64(args[2]);
  if (!cursor) return refuse("ERR invalid cursor");
  o.cursor = *cursor;
  for (std::size_t i = 3; i < args.size(); i += 2) {
    if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count, args.integer(i + 1));
      if (count < 1) return syntax_error();
      o.count = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "MATCH", 1)) {
      o.pattern = args[i + 1];
    } else {
      return syntax_error();
    }
  }
  return o;
}

Outcome sscan(CommandContext& ctx) {
  HEARTH_TRY(const ScanOptions options, parse_scan(ctx.args()));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  std::vector<std::string> found;
  std::uint64_t cursor = 0;
  if (at) {
    const bool all = options.pattern == "*";
    std::uint64_t visited = 0;
    const Set::Visitor visit = [&](std::string_view member) {
      ++visited;
      if (all || glob_match(options.pattern, member)) found.emplace_back(member);
    };
    // Empty buckets count too, so that a sparse table cannot hold up the server.
    const std::uint64_t steps_most =
        options.count > UINT64_MAX / 10 ? UINT64_MAX : options.count * 10;
    std::uint64_t steps = 0;
    cursor = options.cursor;
    do {
      cursor = at->set()->scan(cursor, visit);
    } while (cursor != 0 && visited < options.count && ++steps < steps_most);
  }
  ctx.reply().array(2);
  ctx.reply().bulk(std::to_string(cursor));
  ctx.reply().array(found.size());
  for (const std::string& member : found) ctx.reply().bulk(member);
  return {};
}

constexpr ArgDoc kKeyArgs[] = {args::key()};
constexpr ArgDoc kMemberArgs[] = {args::key(), args::string("member")};
constexpr ArgDoc kMembersArgs[] = {args::key(), args::string("member").many()};
constexpr ArgDoc kScanArgs[] = {args::key(), args::integer("cursor"),
                                args::pattern("pattern", "MATCH").opt(),
                                args::integer("count", "COUNT").opt()};
constexpr KeySpec kReadKey[] = {KeySpec::one(1, access::kRead)};
constexpr KeySpec kLookAtKey[] = {KeySpec::one(1, access::kReadMeta)};
constexpr std::string_view kOrderTips[] = {"nondeterministic_output_order"};
constexpr std::string_view kScanTips[] = {"nondeterministic_output"};

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
    .args = kKeyArgs,
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
    .args = kKeyArgs,
    .reply = Shape::kSet,
    .handler = smembers,
    .tips = kOrderTips,
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
    .tips = kScanTips,
};

}  // namespace hearth::commands
