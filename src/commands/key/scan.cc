// Finding keys: KEYS, SCAN, RANDOMKEY.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "src/base/glob.h"
#include "src/command/context.h"
#include "src/command/element_scan.h"
#include "src/commands/key/family.h"
#include "src/commands/key/pattern_slot.h"

namespace hearth::commands {
namespace {

// A pattern, with the two cases told apart that need no matching at all.
class Matcher {
 public:
  Matcher() = default;
  explicit Matcher(std::string_view pattern) : pattern_(pattern), all_(pattern == "*") {}
  [[nodiscard]] bool matches(std::string_view key) const {
    return all_ || glob_match(pattern_, key);
  }
  [[nodiscard]] std::optional<Slot> slot(const CommandContext& ctx) const {
    return ctx.settings().cluster_enabled && !all_ ? fixed_slot(pattern_) : std::nullopt;
  }

 private:
  std::string_view pattern_;
  bool all_ = true;
};

Outcome keys(CommandContext& ctx) {
  const Matcher pattern(ctx.arg(1));
  const UnixMillis now = ctx.now();
  const Database& db = ctx.keys().database();
  // Names stay where they are: nothing is removed meanwhile, keys past their deadline are left out.
  std::vector<std::string_view> names;
  const auto visit = [&](const Entry& e) {
    if (pattern.matches(e.key()) && !e.expired(now)) names.push_back(e.key());
  };
  if (const auto slot = pattern.slot(ctx))
    db.for_each_in_slot(*slot, db.count_in_slot(*slot), visit);
  else
    db.for_each(visit);
  ctx.reply().array(names.size());
  // A reply that has outgrown what the client may have waiting is never sent: the rest is spared.
  constexpr std::size_t kBetweenLooks = 1024;
  std::size_t written = 0;
  for (const auto name : names) {
    ctx.reply().bulk(name);
    if (++written % kBetweenLooks == 0 &&
        ctx.services().clients->is_over_output_limit(ctx.session()))
      break;
  }
  return {};
}

Outcome randomkey(CommandContext& ctx) {
  // Where expired keys may not be removed (on a replica) all that is left may be expired.
  constexpr int kTriesMost = 100;
  const Database& db = ctx.keys().database();
  std::uint64_t size = db.size();
  for (int kept = 0;;) {
    const Entry* e = db.random(ctx.rng());
    if (e == nullptr) {
      ctx.reply().null();
      return {};
    }
    if (!e->expired(ctx.now()) || kept == kTriesMost) {
      ctx.reply().bulk(e->key());
      return {};
    }
    const std::string name(e->key());  // dies with its entry
    (void)ctx.keys().peek(ctx.keys().make_ref(name));
    if (db.size() == size) ++kept;
    size = db.size();
  }
}

struct ScanOptions {
  std::uint64_t cursor = 0;
  std::uint64_t count = 10;
  Matcher pattern;
  std::optional<Type> type;
};

Result<Type, ReplyError> parse_type(std::string_view word) {
  for (int i = 0; i < kTypeCount; ++i) {
    const auto type = static_cast<Type>(i);
    if (equals_ignore_case(word, type_name(type))) return type;
  }
  return refuse("ERR unknown type name '" + std::string(word) + "'");
}

Result<ScanOptions, ReplyError> parse_scan(const ArgReader& args) {
  ScanOptions o;
  HEARTH_TRY(o.cursor, parse_cursor(args[1]));
  for (std::size_t i = 2; i < args.size(); i += 2) {
    if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count, args.integer(i + 1));
      if (count < 1) return syntax_error();
      o.count = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "MATCH", 1)) {
      o.pattern = Matcher(args[i + 1]);
    } else if (args.is(i, "TYPE", 1)) {
      HEARTH_TRY(o.type, parse_type(args[i + 1]));
    } else {
      return syntax_error();
    }
  }
  return o;
}

// In cluster mode a cursor is the slot and the place in the slot's table, which the database
// composes; a walk that stays in one slot uses the same form, so that cursors mean one thing.
constexpr unsigned kSlotShift = 48;

std::uint64_t scan_one_slot(const Database& db, Slot slot, std::uint64_t cursor,
                            const std::function<void(const Entry&)>& visit) {
  const std::uint64_t at = cursor >> kSlotShift;
  if (at > slot) return 0;
  const std::uint64_t inner = at == slot ? cursor & ((1ULL << kSlotShift) - 1) : 0;
  const std::uint64_t next = db.scan_slot(slot, inner, visit);
  return next == 0 ? 0 : (static_cast<std::uint64_t>(slot) << kSlotShift) | next;
}

Outcome scan(CommandContext& ctx) {
  HEARTH_TRY(const ScanOptions options, parse_scan(ctx.args()));
  const UnixMillis now = ctx.now();
  const Database& db = ctx.keys().database();
  std::vector<std::string_view> found;
  std::vector<std::string> expired;
  std::uint64_t seen = 0;
  const std::function<void(const Entry&)> visit = [&](const Entry& e) {
    ++seen;
    if (options.type && e.type() != *options.type) return;
    if (!options.pattern.matches(e.key())) return;
    if (e.expired(now))
      expired.emplace_back(e.key());
    else
      found.push_back(e.key());
  };
  const std::optional<Slot> slot = options.pattern.slot(ctx);
  // Work is bounded by keys looked at, and where buckets are empty by buckets: ten for each key
  // asked for.
  std::uint64_t steps = options.count > UINT64_MAX / 10 ? UINT64_MAX : options.count * 10;
  std::uint64_t cursor = options.cursor;
  do {
    cursor = slot ? scan_one_slot(db, *slot, cursor, visit) : db.scan(cursor, visit);
  } while (cursor != 0 && seen < options.count && --steps > 0);
  // Removing moves no entry, so the names found stay where they are.
  for (const std::string& name : expired) (void)ctx.keys().peek(ctx.keys().make_ref(name));

  ctx.reply().array(2);
  char text[kInt64TextMax];
  ctx.reply().bulk({text, format_uint64(cursor, text)});
  ctx.reply().array(found.size());
  for (const auto name : found) ctx.reply().bulk(name);
  return {};
}

constexpr ArgDoc kKeysArgs[] = {args::pattern("pattern")};
constexpr ArgDoc kScanArgs[] = {args::integer("cursor"), args::pattern("pattern", "MATCH").opt(),
                                args::integer("count", "COUNT").opt(),
                                args::string("type", "TYPE").opt().from("6.0.0")};
constexpr std::string_view kKeysTips[] = {"request_policy:all_shards",
                                          "nondeterministic_output_order"};
constexpr std::string_view kScanTips[] = {"nondeterministic_output", "request_policy:special",
                                          "response_policy:special"};
constexpr std::string_view kRandomTips[] = {"request_policy:all_shards", "response_policy:special",
                                            "nondeterministic_output"};
constexpr HistoryNote kScanHistory[] = {{"6.0.0", "Takes the filter `TYPE`."}};

}  // namespace

constexpr CommandSpec kKeys{
    .name = "KEYS",
    .summary = "Returns all keys that match a pattern.",
    .complexity =
        "O(N) with N the number of keys; in cluster mode of one slot if the pattern's hash tag "
        "fixes it",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kTouchesArbitraryKeys,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kGeneric,
    .args = kKeysArgs,
    .reply = Shape::kArray,
    .handler = keys,
    .tips = kKeysTips,
};
constexpr CommandSpec kScan{
    .name = "SCAN",
    .summary = "Walks over the keys of the database, a few at a time.",
    .complexity = "O(1) for each call, O(N) for all keys",
    .since = "2.8.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly | Flag::kTouchesArbitraryKeys,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .args = kScanArgs,
    .reply = Shape::kArray,
    .handler = scan,
    .tips = kScanTips,
    .history = kScanHistory,
};
constexpr CommandSpec kRandomKey{
    .name = "RANDOMKEY",
    .summary = "Returns one key, chosen at random.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kReadonly | Flag::kTouchesArbitraryKeys,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = randomkey,
    .tips = kRandomTips,
};

}  // namespace hearth::commands
