// ZSCAN.
#include "src/base/glob.h"
#include "src/commands/zset/access.h"
#include "src/commands/zset/family.h"

namespace hearth::commands {
namespace {

struct Options {
  std::uint64_t cursor = 0;
  std::uint64_t count = 10;
  std::string_view pattern = "*";
  Scores scores = Scores::kInclude;
};

Result<Options, ReplyError> parse(const ArgReader& args) {
  Options o;
  const auto cursor = parse_uint64(args[2]);
  if (!cursor) return refuse("ERR invalid cursor");
  o.cursor = *cursor;
  for (std::size_t i = 3; i < args.size(); ++i) {
    if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count, args.integer(++i));
      if (count < 1) return syntax_error();
      o.count = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "MATCH", 1)) {
      o.pattern = args[++i];
    } else if (args.is(i, "NOSCORES")) {
      o.scores = Scores::kLeaveOut;
    } else {
      return syntax_error();
    }
  }
  return o;
}

Outcome zscan(CommandContext& ctx) {
  HEARTH_TRY(const Options options, parse(ctx.args()));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kZset));
  std::vector<std::string> found;
  std::uint64_t cursor = 0;
  if (at) {
    cursor = options.cursor;
    const bool all = options.pattern == "*";
    std::uint64_t visited = 0;
    const auto visit = [&](const Zset::Item& item) {
      ++visited;
      if (!all && !glob_match(options.pattern, item.member)) return;
      found.emplace_back(item.member);
      if (options.scores == Scores::kInclude) found.push_back(double_text(item.score));
    };
    // Empty buckets count too, so that a sparse table cannot hold up the server.
    const std::uint64_t steps_most =
        options.count > UINT64_MAX / 10 ? UINT64_MAX : options.count * 10;
    std::uint64_t steps = 0;
    do {
      cursor = at->zset()->scan(cursor, visit);
    } while (cursor != 0 && visited < options.count && ++steps < steps_most);
  }
  ctx.reply().array(2);
  const std::string text = std::to_string(cursor);
  ctx.reply().bulk(text);
  ctx.reply().array(found.size());
  for (const std::string& word : found) ctx.reply().bulk(word);
  return {};
}

constexpr ArgDoc kArgs[] = {
    args::key(), args::integer("cursor"), args::pattern("pattern", "MATCH").opt(),
    args::integer("count", "COUNT").opt(), args::token("noscores", "NOSCORES").opt().from("8.0.0")};
constexpr KeySpec kReadKey[] = {KeySpec::one(1, access::kRead)};
constexpr std::string_view kTips[] = {"nondeterministic_output"};

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
    .args = kArgs,
    .reply = Shape::kArray,
    .handler = zscan,
    .tips = kTips,
};

}  // namespace hearth::commands
