// HSCAN.
#include "src/command/common_specs.h"
#include "src/command/element_scan.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"

namespace hearth::commands {
namespace {

Outcome hscan(CommandContext& ctx) {
  HEARTH_TRY(ElementScan scan, ElementScan::begin(ctx));
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  if (!at) return scan.finish(ctx);
  HEARTH_TRY_VOID(scan.read_options(ctx, "NOVALUES"));
  const auto visit = [&](const Hash::Item& item) {
    if (!scan.takes(item.field)) return;
    scan.add(std::string(item.field));
    if (!scan.bare()) scan.add(std::string(item.value));
  };
  scan.walk([&](std::uint64_t cursor) { return at->hash()->scan(cursor, ctx.now(), visit); });
  return scan.finish(ctx);
}

constexpr ArgDoc kScanArgs[] = {
    args::key(), args::integer("cursor"), args::pattern("pattern", "MATCH").opt(),
    args::integer("count", "COUNT").opt(), args::token("novalues", "NOVALUES").opt().from("7.4.0")};

}  // namespace

constexpr CommandSpec kHScan{
    .name = "HSCAN",
    .summary = "Walks through the fields of a hash in steps.",
    .complexity = "O(1) for each call, O(N) for the whole hash.",
    .since = "2.8.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kScanArgs,
    .reply = Shape::kArray,
    .handler = hscan,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
