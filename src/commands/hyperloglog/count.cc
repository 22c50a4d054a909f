// PFADD, PFCOUNT, PFMERGE.
#include <algorithm>

#include "src/command/repeats.h"
#include "src/commands/hyperloglog/family.h"
#include "src/commands/hyperloglog/hll_key.h"

namespace hearth::commands {
namespace {

using ds::Hll;

void log_change(CommandContext& ctx, const KeyRef& key) {
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kString, "pfadd", key.name);
}

// A dense value is changed where it stands.
bool add_dense(Entry& entry, std::span<const std::string_view> elements) {
  char* bytes = hll_bytes(entry);
  bool changed = false;
  for (const std::string_view element : elements) {
    const Hll::Place place = Hll::place_of(element);
    changed = hll::raise_dense(bytes, place.index, place.run) || changed;
  }
  if (changed) hll::invalidate_count(bytes);
  return changed;
}

Outcome pfadd(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const auto elements = ctx.args().from(2);
  const Found at = ctx.keys().write(key);
  bool changed = !at;
  auto encoding = hll::Encoding::kSparse;
  if (at) {
    HEARTH_TRY(encoding, checked_hll(*at));
  }
  if (encoding == hll::Encoding::kDense) {
    changed = add_dense(*ctx.keys().change(key, at), elements);
  } else {
    char scratch[kInt64TextMax];
    std::string value = at ? std::string(at->string_value(scratch)) : hll::make_empty();
    for (const std::string_view element : elements) {
      const Hll::Place place = Hll::place_of(element);
      changed =
          hll::raise(value, place.index, place.run, ctx.settings().hll_sparse_max_bytes) || changed;
    }
    if (changed) {
      hll::invalidate_count(value.data());
      put_hll(ctx, key, at, value);
    }
  }
  if (changed) log_change(ctx, key);
  ctx.reply().integer(changed ? 1 : 0);
  return {};
}

// Reads and merges words [first, ...); absent keys count as empty. Tells whether one is dense.
Result<bool, ReplyError> merge_all(CommandContext& ctx, std::size_t first, Hll& into) {
  bool dense = false;
  ctx.let_expired_go(first, ctx.args().size());
  std::vector<const Entry*> entries;
  for (std::size_t i = first; i < ctx.args().size(); ++i) {
    if (const Found at = ctx.keys().read(ctx.key(i))) entries.push_back(&*at);
  }
  drop_repeats(entries);
  for (const Entry* entry : entries) {
    HEARTH_TRY(const hll::Encoding encoding, checked_hll(*entry));
    dense = dense || encoding == hll::Encoding::kDense;
    char scratch[kInt64TextMax];
    hll::merge(entry->string_value(scratch), into);
  }
  return dense;
}

Outcome pfcount(CommandContext& ctx) {
  if (ctx.args().size() > 2) {
    Hll all;
    HEARTH_TRY([[maybe_unused]] const bool dense, merge_all(ctx, 1, all));
    ctx.reply().integer(static_cast<std::int64_t>(all.count()));
    return {};
  }
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().read(key);
  if (!at) {
    ctx.reply().integer(0);
    return {};
  }
  HEARTH_TRY([[maybe_unused]] const hll::Encoding encoding, checked_hll(*at));
  char scratch[kInt64TextMax];
  const std::string_view value = at->string_value(scratch);
  auto count = hll::cached_count(value);
  if (!count) {
    count = hll::count(value);
    // The cached count is a part of the value: whoever repeats the log must come to the same bytes.
    hll::set_cached_count(hll_bytes(*ctx.keys().change(key, at)), *count);
    ctx.effects().replicate_verbatim();
  }
  ctx.reply().integer(static_cast<std::int64_t>(*count));
  return {};
}

Outcome pfmerge(CommandContext& ctx) {
  Hll all;
  HEARTH_TRY(const bool dense, merge_all(ctx, 1, all));
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().write(key);
  const std::string value =
      hll::make(all.registers(), dense ? hll::Encoding::kDense : hll::Encoding::kSparse,
                ctx.settings().hll_sparse_max_bytes);
  put_hll(ctx, key, at, value);
  log_change(ctx, key);
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kAddArgs[] = {args::key(), args::string("element").opt().many()};
constexpr ArgDoc kCountArgs[] = {args::key().many()};
constexpr ArgDoc kMergeArgs[] = {args::key("destkey", 0), args::key("sourcekey", 1).opt().many()};
constexpr KeySpec kAddKey[] = {KeySpec::one(1, access::kRW | access::kInsert)};
constexpr KeySpec kCountKeys[] = {KeySpec::range(1, -1, 1, access::kRW | access::kAccess)};
constexpr KeySpec kMergeKeys[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kInsert),
                                  KeySpec::range(2, -1, 1, access::kRead)};

}  // namespace

constexpr CommandSpec kPfAdd{
    .name = "PFADD",
    .summary = "Counts elements in a HyperLogLog, making it if it does not exist.",
    .complexity = "O(1) for each element.",
    .since = "2.8.9",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kHyperLogLog,
    .group = Group::kHyperLogLog,
    .keys = kAddKey,
    .args = kAddArgs,
    .reply = Shape::kInteger,
    .handler = pfadd,
};
constexpr CommandSpec kPfCount{
    .name = "PFCOUNT",
    .summary = "Estimates how many different elements HyperLogLogs have counted together.",
    .complexity = "O(1) for one key, O(N) with the number of keys otherwise.",
    .since = "2.8.9",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kMayReplicate,
    .acl = Acl::kHyperLogLog,
    .group = Group::kHyperLogLog,
    .keys = kCountKeys,
    .args = kCountArgs,
    .reply = Shape::kInteger,
    .handler = pfcount,
};
constexpr CommandSpec kPfMerge{
    .name = "PFMERGE",
    .summary = "Merges HyperLogLogs into one.",
    .complexity = "O(N) with the number of keys.",
    .since = "2.8.9",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kHyperLogLog,
    .group = Group::kHyperLogLog,
    .keys = kMergeKeys,
    .args = kMergeArgs,
    .reply = Shape::kOk,
    .handler = pfmerge,
};

}  // namespace hearth::commands
