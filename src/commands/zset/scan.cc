// ZSCAN.
#include "src/command/common_specs.h"
#include "src/command/element_scan.h"
#include "src/commands/zset/family.h"
#include "src/commands/zset/members.h"

namespace hearth::commands {
namespace {

Outcome zscan(CommandContext& ctx) {
  HEARTH_TRY(ElementScan scan, ElementScan::begin(ctx));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  if (!at) return scan.finish(ctx);
  HEARTH_TRY_VOID(scan.read_options(ctx, "NOSCORES"));
  const auto visit = [&](const Zset::Item& item) {
    if (!scan.takes(item.member)) return;
    scan.add(std::string(item.member));
    if (!scan.bare()) scan.add(reply_double_text(item.score));
  };
  scan.walk([&](std::uint64_t cursor) { return at->zset()->scan(cursor, visit); });
  return scan.finish(ctx);
}

constexpr ArgDoc kScanArgs[] = {
    args::key(), args::integer("cursor"), args::pattern("pattern", "MATCH").opt(),
    args::integer("count", "COUNT").opt(), args::token("noscores", "NOSCORES").opt().from("8.0.0")};

}  // namespace

constexpr CommandSpec kZScan{
    .name = "ZSCAN",
    .summary = "Walks through the members of a sorted set in steps.",
    .complexity = "O(1) for each call, O(N) for the whole set.",
    .since = "2.8.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kSortedSet,
    .group = Group::kSortedSet,
    .keys = kReadKey,
    .args = kScanArgs,
    .reply = Shape::kArray,
    .handler = zscan,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
