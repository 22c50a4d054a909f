// SORT and SORT_RO: parsing, what BY and GET patterns stand for, and where the result goes.
#include <algorithm>
#include <memory>

#include "src/base/check.h"
#include "src/command/access.h"
#include "src/command/context.h"
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
  if (!ctx.settings().cluster_enabled || fixed_slot(pattern) == ctx.key(1).slot) return {};
  return refuse("ERR " + std::string(option) +
                " option of SORT denied in Cluster mode when keys formed by the pattern may be in "
                "different slots.");
}

Result<SortOptions, ReplyError> parse_sort(CommandContext& ctx, MayStore may_store) {
  const ArgReader& args = ctx.args();
  SortOptions o;
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "ASC")) {
      o.descending = false;
    } else if (args.is(i, "DESC")) {
      o.descending = true;
    } else if (args.is(i, "ALPHA")) {
      o.alpha = true;
    } else if (args.is(i, "LIMIT", 2)) {
      HEARTH_TRY(o.offset, args.integer(i + 1));
      HEARTH_TRY(o.count, args.integer(i + 2));
      i += 2;
    } else if (args.is(i, "STORE", 1) && may_store == MayStore::kYes) {
      o.store = args[++i];
    } else if (args.is(i, "BY", 1)) {
      o.by = args[++i];
      o.unsorted = o.by->find('*') == std::string_view::npos;
      if (!o.unsorted) HEARTH_TRY_VOID(check_pattern(ctx, *o.by, "BY"));
    } else if (args.is(i, "GET", 1)) {
      o.get.push_back(args[++i]);
      if (o.get.back() != "#") HEARTH_TRY_VOID(check_pattern(ctx, o.get.back(), "GET"));
    } else {
      return syntax_error();
    }
  }
  if (o.unsorted) o.by.reset();
  return o;
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
};

}  // namespace hearth::commands
