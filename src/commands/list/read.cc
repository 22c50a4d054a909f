// Reading: LLEN, LINDEX, LRANGE, LPOS.
#include <algorithm>
#include <vector>

#include "src/command/common_specs.h"
#include "src/commands/list/family.h"
#include "src/commands/list/list_key.h"
#include "src/commands/list/range.h"

namespace hearth::commands {
namespace {

Outcome llen(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_list(ctx, ctx.key(1)));
  ctx.reply().integer(at ? static_cast<std::int64_t>(ListView(*at).size()) : 0);
  return {};
}

Outcome lindex(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_list(ctx, ctx.key(1)));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  HEARTH_TRY(const std::int64_t index, ctx.args().integer(2));
  if (const auto place = list_index(index, ListView(*at).size()))
    reply_item(ctx.reply(), ListView(*at).at(*place));
  else
    ctx.reply().null();
  return {};
}

Outcome lrange(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t start, ctx.args().integer(2));
  HEARTH_TRY(const std::int64_t stop, ctx.args().integer(3));
  HEARTH_TRY(const Found at, read_list(ctx, ctx.key(1)));
  const ListRange range = list_range(start, stop, at ? ListView(*at).size() : 0);
  ReplyWriter& reply = ctx.reply();
  reply.array(range.count);
  if (range.count == 0) return {};
  ListView(*at).visit(range.first, range.count,
                      [&reply](const ds::Element& item) { reply_item(reply, item); });
  return {};
}

struct PosOptions {
  std::uint64_t skip = 0;
  bool from_tail = false;
  std::optional<std::uint64_t> count;  // nothing: one, not as an array
  std::uint64_t most_looks = 0;
};

Result<PosOptions, ReplyError> parse_lpos(const ArgReader& args) {
  constexpr std::string_view kRankZero =
      "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
      "negative to start from the end of the list";
  PosOptions o;
  for (std::size_t i = 3; i < args.size(); i += 2) {
    if (args.is(i, "RANK", 1)) {
      HEARTH_TRY(const std::int64_t rank, args.integer(i + 1));
      if (rank == INT64_MIN) return refuse(std::string(kOutOfLongRange));
      if (rank == 0) return refuse(std::string(kRankZero));
      o.from_tail = rank < 0;
      o.skip = static_cast<std::uint64_t>(rank < 0 ? -rank : rank) - 1;
    } else if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count,
                 args.integer_between(i + 1, 0, INT64_MAX, "ERR COUNT can't be negative"));
      o.count = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "MAXLEN", 1)) {
      HEARTH_TRY(const std::int64_t looks,
                 args.integer_between(i + 1, 0, INT64_MAX, "ERR MAXLEN can't be negative"));
      o.most_looks = static_cast<std::uint64_t>(looks);
    } else {
      return syntax_error();
    }
  }
  return o;
}

Outcome lpos(CommandContext& ctx) {
  HEARTH_TRY(const PosOptions o, parse_lpos(ctx.args()));
  HEARTH_TRY(const Found at, read_list(ctx, ctx.key(1)));
  std::vector<std::uint64_t> places;
  const std::uint64_t most = o.count ? *o.count : 1;
  if (at) {
    ListView(*at).find(ctx.arg(2), o.from_tail, o.skip, o.most_looks, [&](std::uint64_t index) {
      places.push_back(index);
      return places.size() != most;
    });
  }
  if (o.count) {
    ctx.reply().array(places.size());
    for (const std::uint64_t p : places) ctx.reply().integer(static_cast<std::int64_t>(p));
  } else if (places.empty()) {
    ctx.reply().null();
  } else {
    ctx.reply().integer(static_cast<std::int64_t>(places.front()));
  }
  return {};
}

constexpr KeySpec kLookAtKey[] = {KeySpec::one(1, access::kReadMeta)};
constexpr ArgDoc kIndexArgs[] = {args::key(), args::integer("index")};
constexpr ArgDoc kRangeArgs[] = {args::key(), args::integer("start"), args::integer("stop")};
constexpr ArgDoc kPosArgs[] = {
    args::key(), args::string("element"), args::integer("rank", "RANK").opt(),
    args::integer("num-matches", "COUNT").opt(), args::integer("len", "MAXLEN").opt()};

}  // namespace

constexpr CommandSpec kLLen{
    .name = "LLEN",
    .summary = "Returns the length of a list.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kLookAtKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = llen,
};
constexpr CommandSpec kLIndex{
    .name = "LINDEX",
    .summary = "Returns the element of a list that stands at an index.",
    .complexity = "O(N) with N the segments between the index and the nearer end",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kReadKey,
    .args = kIndexArgs,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = lindex,
};
constexpr CommandSpec kLRange{
    .name = "LRANGE",
    .summary = "Returns the elements of a list between two indexes.",
    .complexity = "O(S+N) with S the way to the start from the nearer end and N the elements",
    .since = "1.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kReadKey,
    .args = kRangeArgs,
    .reply = Shape::kArray,
    .handler = lrange,
};
constexpr CommandSpec kLPos{
    .name = "LPOS",
    .summary = "Tells where elements of a list stand that equal another.",
    .complexity = "O(N) with N the elements that are looked at",
    .since = "6.0.6",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kReadKey,
    .args = kPosArgs,
    .reply = Shape::kInteger | Shape::kArray | Shape::kNull,
    .handler = lpos,
};

}  // namespace hearth::commands
