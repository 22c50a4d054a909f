// Finding keys: KEYS, SCAN, RANDOMKEY.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "src/command/client_control.h"
#include "src/command/context.h"
#include "src/command/element_scan.h"
#include "src/commands/key/family.h"
#include "src/commands/key/key_scan.h"

namespace hearth::commands {

Result<Type, ReplyError> parse_type(std::string_view word) {
  for (int i = 0; i < kTypeCount; ++i) {
    const auto type = static_cast<Type>(i);
    if (equals_ignore_case(word, type_name(type))) return type;
  }
  return refuse("ERR unknown type name '" + std::string(word) + "'");
}

Result<bool, ReplyError> take_filter(const ArgReader& args, std::size_t i, KeyFilter& filter) {
  if (args.is(i, "COUNT", 1)) {
    HEARTH_TRY(const std::int64_t count, args.integer(i + 1));
    if (count < 1) return syntax_error();
    filter.count = static_cast<std::uint64_t>(count);
  } else if (args.is(i, "MATCH", 1)) {
    filter.pattern = Matcher(args[i + 1]);
  } else if (args.is(i, "TYPE", 1)) {
    HEARTH_TRY(filter.type, parse_type(args[i + 1]));
  } else {
    return false;
  }
  return true;
}

void KeyHarvest::look_at(const Entry& entry) {
  ++seen_;
  if (filter_.type && entry.type() != *filter_.type) return;
  if (!filter_.pattern.matches(entry.key())) return;
  if (entry.expired(ctx_.now()))
    expired_.emplace_back(entry.key());
  else
    found_.push_back(entry.key());
}

std::uint64_t KeyHarvest::walk(std::uint64_t cursor,
                               const std::function<std::uint64_t(std::uint64_t)>& step) {
  std::uint64_t steps = filter_.count > UINT64_MAX / 10 ? UINT64_MAX : filter_.count * 10;
  do {
    cursor = step(cursor);
  } while (cursor != 0 && seen_ < filter_.count && --steps > 0);
  return cursor;
}

void KeyHarvest::write(std::string_view cursor) {
  // Removing moves no entry, so the names found stay where they are.
  for (const std::string& name : expired_) (void)ctx_.keys().peek(ctx_.keys().make_ref(name));
  ctx_.reply().array(2);
  ctx_.reply().bulk(cursor);
  ctx_.reply().array(found_.size());
  for (const auto name : found_) ctx_.reply().bulk(name);
}

namespace {

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

// In cluster mode a cursor is the slot and the place in the slot's table, which the database
// composes; a walk that stays in one slot uses the same form, so that cursors mean one thing.
constexpr unsigned kSlotShift = 48;

std::uint64_t scan_one_slot(const Database& db, Slot slot, std::uint64_t cursor,
                            const std::function<void(const Entry&)>& visit) {
  const std::uint64_t at = cursor >> kSlotShift;
  if (at > slot) return 0;
  const std::uint64_t inner = at == slot ? cursor & ((1ULL << kSlotShift) - 1) : 0;
  const std::uint64_t next = db.is_hidden(slot) ? 0 : db.scan_slot(slot, inner, visit);
  return next == 0 ? 0 : (static_cast<std::uint64_t>(slot) << kSlotShift) | next;
}

Outcome scan(CommandContext& ctx) {
  HEARTH_TRY(const std::uint64_t from, parse_cursor(ctx.arg(1)));
  KeyFilter filter;
  for (std::size_t i = 2; i < ctx.args().size(); i += 2) {
    HEARTH_TRY(const bool taken, take_filter(ctx.args(), i, filter));
    if (!taken) return syntax_error();
  }
  const Database& db = ctx.keys().database();
  KeyHarvest harvest(ctx, filter);
  const std::function<void(const Entry&)> visit = [&](const Entry& e) { harvest.look_at(e); };
  const std::optional<Slot> slot = filter.pattern.slot(ctx);
  const std::uint64_t cursor = harvest.walk(from, [&](std::uint64_t at) {
    return slot ? scan_one_slot(db, *slot, at, visit) : db.scan(at, visit);
  });
  char text[kInt64TextMax];
  harvest.write({text, format_uint64(cursor, text)});
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
