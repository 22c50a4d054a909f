// CLUSTERSCAN: a walk over the keys of the whole cluster, one slot after the other.
//
// A cursor is `<fingerprint>-{<tag>}-<place>`. The tag stands in the slot that is walked, so
// clients and the redirects of the gate find its owner as they do for a key. The place means
// something to tables with the same hash seed only, whose fingerprint it carries: after a restart,
// a failover or a move of the slot, the slot is walked again from its beginning. Fingerprint 0: the
// beginning.
#include <fmt/format.h>

#include <optional>
#include <string>

#include "src/base/hash.h"
#include "src/base/parse_number.h"
#include "src/command/context.h"
#include "src/commands/key/family.h"
#include "src/commands/key/key_scan.h"
#include "src/commands/key/slot_tag.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kScanStart = "0";
constexpr std::size_t kCursorMost = 128;  // bytes
constexpr std::string_view kPlaceFormat = "hearth cluster cursor 1";

struct ClusterCursor {
  std::string_view fingerprint;
  Slot slot = 0;
  std::uint64_t place = 0;
};

std::optional<ClusterCursor> parse_cluster_cursor(std::string_view word) {
  const std::size_t open = word.find("-{");
  const std::size_t close = word.find("}-", open == std::string_view::npos ? 0 : open);
  if (word.size() > kCursorMost || open == std::string_view::npos || open == 0) return std::nullopt;
  if (close == std::string_view::npos || close == open + 2) return std::nullopt;
  const std::string_view tag = word.substr(open + 2, close - open - 2);
  const std::string_view digits = word.substr(close + 2);
  const auto place = parse_uint64(digits);
  if (!place || tag.find_first_of("{}") != std::string_view::npos) return std::nullopt;
  const std::string_view fingerprint = word.substr(0, open);
  if (fingerprint.find('{') != std::string_view::npos) return std::nullopt;
  return ClusterCursor{fingerprint, cluster::slot_of(tag), *place};
}

// The cursor is routed like a key. The first one belongs to no node.
bool cursor_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  if (!parse_cluster_cursor(argv[1])) return false;
  out.push_back({1, access::kNotKey});
  return true;
}

std::string cursor_text(std::string_view fingerprint, Slot slot, std::uint64_t place) {
  return fmt::format("{}-{{{}}}-{}", fingerprint, tag_of_slot(slot), place);
}

// Eight hexadecimal digits that do not tell the seed.
std::string table_fingerprint(std::uint64_t seed) {
  const std::uint64_t hash = hash_bytes(kPlaceFormat, seed);
  return fmt::format("{:08x}", (hash ^ (hash >> 32)) & 0xffffffffU);
}

struct ClusterScan {
  KeyFilter filter;
  std::optional<Slot> only;
};

Result<ClusterScan, ReplyError> parse_cluster_scan(const ArgReader& args) {
  ClusterScan scan;
  for (std::size_t i = 2; i < args.size(); i += 2) {
    HEARTH_TRY(const bool taken, take_filter(args, i, scan.filter));
    if (taken) continue;
    if (!args.is(i, "SLOT", 1) || scan.only) return syntax_error();
    HEARTH_TRY(const std::int64_t slot,
               args.integer_between(i + 1, 0, kSlotCount - 1, "ERR Invalid or out of range slot"));
    scan.only = static_cast<Slot>(slot);
  }
  return scan;
}

Outcome cluster_scan(CommandContext& ctx) {
  if (!ctx.settings().cluster_enabled)
    return refuse("ERR This instance has cluster support disabled");
  HEARTH_TRY(const ClusterScan scan, parse_cluster_scan(ctx.args()));
  KeyHarvest harvest(ctx, scan.filter);
  if (ctx.arg(1) == kScanStart) {
    harvest.write(cursor_text(kScanStart, scan.only.value_or(0), 0));
    return {};
  }
  const auto cursor = parse_cluster_cursor(ctx.arg(1));
  if (!cursor) return refuse("ERR invalid cursor");
  if (scan.only && *scan.only != cursor->slot)
    return refuse("ERR the cursor is of another slot than SLOT names");
  const Database& db = ctx.keys().database();
  const std::string fingerprint = table_fingerprint(ctx.keyspace().seed());
  const std::function<void(const Entry&)> visit = [&](const Entry& e) { harvest.look_at(e); };
  std::uint64_t place = cursor->fingerprint == fingerprint ? cursor->place : 0;
  place = db.is_hidden(cursor->slot) ? 0 : harvest.walk(place, [&](std::uint64_t at) {
    return db.scan_slot(cursor->slot, at, visit);
  });
  const bool is_last = scan.only || cursor->slot == kSlotCount - 1;
  if (place != 0)
    harvest.write(cursor_text(fingerprint, cursor->slot, place));
  else if (is_last)
    harvest.write(kScanStart);
  else
    harvest.write(cursor_text(kScanStart, static_cast<Slot>(cursor->slot + 1), 0));
  return {};
}

constexpr KeySpec kCursorKey[] = {KeySpec::one(1, access::kNotKey)};
constexpr ArgDoc kClusterScanArgs[] = {
    args::string("cursor"), args::pattern("pattern", "MATCH").opt(),
    args::integer("count", "COUNT").opt(), args::string("type", "TYPE").opt(),
    args::integer("slot", "SLOT").opt()};
constexpr std::string_view kClusterScanTips[] = {
    "nondeterministic_output", "request_policy:special", "response_policy:special"};

}  // namespace

constexpr CommandSpec kClusterScan{
    .name = "CLUSTERSCAN",
    .summary = "Walks over the keys of the whole cluster, a few at a time.",
    .complexity = "O(1) for each call, O(N) for all keys",
    .since = "9.1.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kTouchesArbitraryKeys,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kCursorKey,
    .args = kClusterScanArgs,
    .reply = Shape::kArray,
    .handler = cluster_scan,
    .tips = kClusterScanTips,
    .find_keys = cursor_keys,
};

}  // namespace hearth::commands
