// Reading by id: XRANGE, XREVRANGE, XLEN.
#include "src/command/common_specs.h"
#include "src/commands/stream/entry_reply.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/ids.h"

namespace hearth::commands {
namespace {

Outcome range(CommandContext& ctx, std::size_t start_at, std::size_t end_at,
              StreamReader::Order order) {
  const ArgReader& args = ctx.args();
  HEARTH_TRY(const StreamId from, interval_start(args[start_at]));
  HEARTH_TRY(const StreamId to, interval_end(args[end_at]));
  std::uint64_t count = UINT64_MAX;
  for (std::size_t i = 4; i < args.size(); ++i) {
    if (!args.is(i, "COUNT", 1)) return syntax_error();
    HEARTH_TRY(const std::int64_t given, args.integer(++i));
    count = given < 0 ? 0 : static_cast<std::uint64_t>(given);
  }
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kStream));
  if (!at)
    ctx.reply().array(0);
  else if (count == 0)
    ctx.reply().null_array();
  else
    reply_range(ctx.reply(), *at->stream(), from, to, order, count);
  return {};
}

Outcome xrange(CommandContext& ctx) { return range(ctx, 2, 3, StreamReader::Order::kAscending); }
Outcome xrevrange(CommandContext& ctx) {
  return range(ctx, 3, 2, StreamReader::Order::kDescending);
}

Outcome xlen(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kStream));
  ctx.reply().integer(at ? static_cast<std::int64_t>(at->stream()->length()) : 0);
  return {};
}

constexpr ArgDoc kRangeArgs[] = {args::key(), args::string("start"), args::string("end"),
                                 args::integer("count", "COUNT").opt()};
constexpr ArgDoc kRevRangeArgs[] = {args::key(), args::string("end"), args::string("start"),
                                    args::integer("count", "COUNT").opt()};
constexpr KeySpec kReadMetaKey[] = {KeySpec::one(1, access::kReadMeta)};
constexpr std::string_view kRangeComplexity =
    "O(N) with the number of entries that are returned, and O(log M) with the stream's length.";
constexpr HistoryNote kRangeHistory[] = {{"6.2.0", "Accepts intervals that leave their ends out."}};

}  // namespace

constexpr CommandSpec kXRange{
    .name = "XRANGE",
    .summary = "Returns the entries of a stream within a range of ids.",
    .complexity = kRangeComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kReadKey,
    .args = kRangeArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = xrange,
    .history = kRangeHistory,
};
constexpr CommandSpec kXRevRange{
    .name = "XREVRANGE",
    .summary = "Returns the entries of a stream within a range of ids, the newest first.",
    .complexity = kRangeComplexity,
    .since = "5.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kReadKey,
    .args = kRevRangeArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = xrevrange,
    .history = kRangeHistory,
};
constexpr CommandSpec kXLen{
    .name = "XLEN",
    .summary = "Returns the number of entries in a stream.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly | Flag::kFast,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kReadMetaKey,
    .args = kKeyArg,
    .reply = Shape::kInteger,
    .handler = xlen,
};

}  // namespace hearth::commands
