// SORT and SORT_RO: parsing, what BY and GET patterns stand for, and where the result goes.
#include <algorithm>
#include <memory>

#include "src/base/check.h"
#include "src/command/context.h"
#include "src/command/debug_switches.h"
#include "src/command/options.h"
#include "src/command/rights.h"
#include "src/commands/key/family.h"
#include "src/commands/key/pattern_slot.h"
#include "src/commands/key/sort_order.h"
#include "src/commands/key/sort_types.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/zset.h"

namespace hearth::commands {
namespace {

void collect_set(const Entry& value, std::vector<std::string>& out) {
  out.reserve(out.size() + value.set()->size());
  value.set()->for_each([&](std::string_view member) { out.emplace_back(member); });
}
void collect_zset(const Entry& value, std::vector<std::string>& out) {
  out.reserve(out.size() + value.zset()->size());
  Zset::Walk all = value.zset()->walk();
  for (Zset::Item item; all.next(item);) out.emplace_back(item.member);
}

void collect_list(const Entry& value, std::vector<std::string>& out) {
  const ListView list(value);
  out.reserve(out.size() + list.size());
  char scratch[kInt64TextMax];
  list.visit(0, list.size(),
             [&](const ds::Element& item) { out.emplace_back(item.text(scratch)); });
}

void store_list(CommandContext& ctx, const KeyRef& key, Found at,
                std::span<const std::string> values) {
  const ListLimits limits{ctx.settings().list_max_listpack_size,
                          ctx.services().debug->packed_threshold};
  const std::vector<std::string_view> items(values.begin(), values.end());
  ctx.keys().put(key, at,
                 make_list(key.name, ListEnd::kTail, items, limits, ctx.keys().new_access()));
}

constexpr SortTypes kSortTypes = [] {
  SortTypes types;
  types.collect[static_cast<unsigned>(Type::kList)] = collect_list;
  types.collect[static_cast<unsigned>(Type::kSet)] = collect_set;
  types.store_list = store_list;
  types.collect[static_cast<unsigned>(Type::kZset)] = collect_zset;
  return types;
}();

enum class MayStore : bool { kNo, kYes };

// In cluster mode a pattern may only name keys of the slot that the command was sent to; and since
// it can name any key, only who may read all of them may give one.
Outcome check_pattern(CommandContext& ctx, std::string_view pattern, std::string_view option) {
  if (!may_read_every_key(*ctx.session().account, ctx.command(), ctx.args().words(),
                          ctx.session().db)) {
    return refuse("ERR " + std::string(option) +
                  " option of SORT denied due to insufficient ACL permissions.");
  }
  // "#" is the element itself and reads no other key.
  if (!ctx.settings().cluster_enabled || pattern == "#" || fixed_slot(pattern) == ctx.key(1).slot)
    return {};
  return refuse("ERR " + std::string(option) +
                " option of SORT denied in Cluster mode when keys formed by the pattern may be in "
                "different slots.");
}

enum class SortWord : std::uint8_t { kAsc, kDesc, kAlpha, kLimit, kBy, kGet, kStore };
constexpr OptionWord<SortWord> kSortWords[] = {
    {SortWord::kAsc, "ASC"},        {SortWord::kDesc, "DESC"}, {SortWord::kAlpha, "ALPHA"},
    {SortWord::kLimit, "LIMIT", 2}, {SortWord::kBy, "BY", 1},  {SortWord::kGet, "GET", 1},
    {SortWord::kStore, "STORE", 1}};

Outcome parse_sort_word(CommandContext& ctx, SortWord word, std::size_t i, SortOptions& o) {
  const ArgReader& args = ctx.args();
  switch (word) {
    case SortWord::kAsc: o.descending = false; break;
    case SortWord::kDesc: o.descending = true; break;
    case SortWord::kAlpha: o.alpha = true; break;
    case SortWord::kLimit: {
      HEARTH_TRY(o.offset, args.integer(i + 1));
      HEARTH_TRY(o.count, args.integer(i + 2));
      break;
    }
    case SortWord::kBy:
      o.by = args[i + 1];
      o.unsorted = o.by->find('*') == std::string_view::npos;
      if (!o.unsorted) HEARTH_TRY_VOID(check_pattern(ctx, *o.by, "BY"));
      break;
    case SortWord::kGet:
      o.get.push_back(args[i + 1]);
      HEARTH_TRY_VOID(check_pattern(ctx, o.get.back(), "GET"));
      break;
    case SortWord::kStore: o.store = args[i + 1]; break;
  }
  return {};
}

Result<SortOptions, ReplyError> parse_sort(CommandContext& ctx, MayStore may_store) {
  SortOptions o;
  HEARTH_TRY_VOID(
      walk_options(ctx.args(), 2, kSortWords, [&](SortWord word, std::size_t i) -> Outcome {
        if (word == SortWord::kStore && may_store == MayStore::kNo) return syntax_error();
        return parse_sort_word(ctx, word, i, o);
      }));
  if (o.unsorted) o.by.reset();
  return o;
}

// The last STORE counts. What the patterns of BY and GET form stands nowhere among the words:
// check_pattern refuses them to a user who may not read every key.
bool sort_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  std::size_t store = 0;
  static_cast<void>(
      walk_options(ArgReader(argv), 2, kSortWords, [&](SortWord word, std::size_t i) -> Outcome {
        if (word == SortWord::kStore) store = i + 1;
        return {};
      }));
  out.push_back({1, access::kRead});
  if (store != 0) out.push_back({static_cast<std::uint32_t>(store), access::kOverwrite});
  return true;
}
bool sort_ro_keys(std::span<const std::string_view>, std::vector<KeyPosition>& out) {
  out.push_back({1, access::kRead});
  return true;
}

// Keys that patterns form stand nowhere in the command, so they are read through a door of their
// own.
std::optional<std::string> look_up(Keys& keys, std::string_view pattern, std::string_view element) {
  const auto target = sort_target(pattern, element);
  if (!target) return std::nullopt;
  const Found at = keys.read(keys.make_ref(target->key));
  if (!at) return std::nullopt;
  if (target->field) {
    if (at->type() != Type::kHash) return std::nullopt;
    Hash::Scratch scratch;
    const auto value = at->hash()->get(*target->field, keys.now(), scratch);
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }
  if (at->type() != Type::kString) return std::nullopt;
  char scratch[kInt64TextMax];
  return std::string(at->string_value(scratch));
}

void store_result(CommandContext& ctx, const KeyRef& key,
                  const std::vector<std::optional<std::string>>& values) {
  const Found at = ctx.keys().peek(key);
  if (values.empty()) {
    if (at) {
      ctx.keys().remove(key, at);
      ctx.effects().replicate_as("DEL", key.name);
      ctx.effects().event(Notify::kGeneric, "del", key.name);
    }
    return;
  }
  HEARTH_CHECK(kSortTypes.store_list != nullptr);  // elements came from a type, so lists exist
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const auto& v : values) texts.push_back(v.value_or(std::string()));  // a list has no nulls
  kSortTypes.store_list(ctx, key, at, texts);
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kList, "sortstore", key.name);
}

Outcome sort_into(CommandContext& ctx, MayStore may_store) {
  HEARTH_TRY(SortOptions options, parse_sort(ctx, may_store));
  std::optional<Collation> collation;
  if (options.alpha && !options.store)
    options.collation = &collation.emplace(ctx.settings().locale_collate);
  const Found at = ctx.keys().read(ctx.key(1));
  std::vector<std::string> elements;
  if (at) {
    const auto collect = kSortTypes.collect[static_cast<unsigned>(at->type())];
    if (collect == nullptr) return refuse(std::string(kWrongType));
    // A set has no order of its own: a result that is stored, or that a script may store, must not
    // depend on where it stood.
    if (at->type() == Type::kSet && options.unsorted &&
        (options.store || ctx.session().in_script)) {
      options.unsorted = false;
      options.alpha = true;
    }
    collect(*at, elements);
    // Left as it is, what has an order still runs in the direction that was asked for.
    if (at->type() != Type::kSet && options.unsorted && options.descending) {
      std::reverse(elements.begin(), elements.end());
    }
  }
  Keys anywhere = ctx.keys_in(ctx.keys().index());
  const SortLookup lookup = [&](std::string_view pattern, std::string_view element) {
    return look_up(anywhere, pattern, element);
  };
  HEARTH_TRY(const auto values, sort_elements(std::move(elements), options, lookup));
  if (options.store) {
    store_result(ctx, ctx.keys().ref(*options.store), values);
    ctx.reply().integer(static_cast<std::int64_t>(values.size()));
    return {};
  }
  ctx.reply().array(values.size());
  for (const auto& v : values) {
    if (v)
      ctx.reply().bulk(*v);
    else
      ctx.reply().null();
  }
  return {};
}

Outcome sort(CommandContext& ctx) { return sort_into(ctx, MayStore::kYes); }
Outcome sort_ro(CommandContext& ctx) { return sort_into(ctx, MayStore::kNo); }

constexpr ArgDoc kLimit[] = {args::integer("offset"), args::integer("count")};
constexpr ArgDoc kOrder[] = {args::token("asc", "ASC"), args::token("desc", "DESC")};
constexpr ArgDoc kSortRoArgs[] = {args::key(),
                                  args::pattern("by-pattern", "BY").opt(),
                                  args::block("limit", kLimit, "LIMIT").opt(),
                                  args::pattern("get-pattern", "GET").opt().repeats_token(),
                                  args::one_of("order", kOrder).opt(),
                                  args::token("sorting", "ALPHA").opt()};
constexpr ArgDoc kSortArgs[] = {args::key(),
                                args::pattern("by-pattern", "BY").opt(),
                                args::block("limit", kLimit, "LIMIT").opt(),
                                args::pattern("get-pattern", "GET").opt().repeats_token(),
                                args::one_of("order", kOrder).opt(),
                                args::token("sorting", "ALPHA").opt(),
                                [] {
                                  ArgDoc a = args::key("destination", 2).opt();
                                  a.token = "STORE";
                                  return a;
                                }()};
constexpr KeySpec kSortKey = KeySpec::one(1, access::kRead);
constexpr KeySpec kPatternKeys = KeySpec::unknown(
    access::kRead, "Keys of BY and GET are formed from the elements that are sorted.");
// The last STORE counts, so the search runs from the end.
constexpr KeySpec kStoreKey =
    KeySpec::after_keyword("STORE", -2, 0, access::kOverwrite | access::kIncomplete);
constexpr KeySpec kSortKeys[] = {kSortKey, kPatternKeys, kStoreKey};
constexpr KeySpec kSortRoKeys[] = {kSortKey, kPatternKeys};
constexpr Acl kSortAcl = Acl::kSet | Acl::kSortedSet | Acl::kList | Acl::kDangerous;
constexpr std::string_view kSortComplexity =
    "O(N+M*log(M)) with N the elements of the value and M the elements returned; O(N) when nothing "
    "is sorted";

}  // namespace

constexpr CommandSpec kSort{
    .name = "SORT",
    .summary =
        "Sorts the elements of a list, set or sorted set, and stores the result if asked to.",
    .complexity = kSortComplexity,
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = kSortAcl,
    .group = Group::kGeneric,
    .keys = kSortKeys,
    .args = kSortArgs,
    .reply = Shape::kArray | Shape::kInteger,
    .handler = sort,
    .find_keys = sort_keys,
};
constexpr CommandSpec kSortRo{
    .name = "SORT_RO",
    .summary = "Sorts the elements of a list, set or sorted set.",
    .complexity = kSortComplexity,
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = kSortAcl,
    .group = Group::kGeneric,
    .keys = kSortRoKeys,
    .args = kSortRoArgs,
    .reply = Shape::kArray,
    .handler = sort_ro,
    .find_keys = sort_ro_keys,
};

}  // namespace hearth::commands
