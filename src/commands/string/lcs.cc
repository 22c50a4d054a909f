// LCS: the longest common subsequence of two strings, by the table of Wagner and Fischer.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "src/command/context.h"
#include "src/commands/string/family.h"

namespace hearth::commands {
namespace {

struct LcsOptions {
  bool length_only = false, indexes = false, with_match_length = false;
  std::int64_t min_match_length = 0;
};

// A run of equal bytes: [a_first, a_last] of the first string and the same of the second.
struct Match {
  std::int64_t a_first, a_last, b_first, b_last;
  [[nodiscard]] std::int64_t length() const { return a_last - a_first + 1; }
};

struct Subsequence {
  std::string text;
  std::vector<Match> matches;  // from the end of the strings to their start
};

// Row-major table of prefix lengths, (|a|+1) x (|b|+1) counters of 32 bits.
using Table = std::vector<std::uint32_t>;

Table fill_table(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  Table table((a.size() + 1) * width);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      table[i * width + j] = a[i - 1] == b[j - 1]
                                 ? table[(i - 1) * width + j - 1] + 1
                                 : std::max(table[(i - 1) * width + j], table[i * width + j - 1]);
    }
  }
  return table;
}

Subsequence walk_back(const Table& table, std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  Subsequence out;
  std::size_t i = a.size(), j = b.size();
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      out.text += a[i - 1];
      const auto x = static_cast<std::int64_t>(i - 1), y = static_cast<std::int64_t>(j - 1);
      Match* run = out.matches.empty() ? nullptr : &out.matches.back();
      if (run != nullptr && run->a_first == x + 1 && run->b_first == y + 1) {
        run->a_first = x;
        run->b_first = y;
      } else {
        out.matches.push_back({x, x, y, y});
      }
      --i;
      --j;
    } else if (table[(i - 1) * width + j] > table[i * width + j - 1]) {
      --i;
    } else {
      --j;
    }
  }
  std::reverse(out.text.begin(), out.text.end());
  return out;
}

Result<LcsOptions, ReplyError> parse_lcs_options(const ArgReader& args) {
  LcsOptions o;
  for (std::size_t i = 3; i < args.size(); ++i) {
    if (args.is(i, "IDX")) {
      o.indexes = true;
    } else if (args.is(i, "LEN")) {
      o.length_only = true;
    } else if (args.is(i, "WITHMATCHLEN")) {
      o.with_match_length = true;
    } else if (args.is(i, "MINMATCHLEN", 1)) {
      HEARTH_TRY(o.min_match_length, args.integer(++i));
      o.min_match_length = std::max<std::int64_t>(0, o.min_match_length);
    } else {
      return syntax_error();
    }
  }
  if (o.length_only && o.indexes)
    return refuse("ERR If you want both the length and indexes, please just use IDX.");
  return o;
}

void reply_matches(CommandContext& ctx, const Subsequence& lcs, const LcsOptions& options) {
  std::vector<Match> shown;
  for (const Match& m : lcs.matches) {
    if (m.length() >= options.min_match_length) shown.push_back(m);
  }
  ReplyWriter& reply = ctx.reply();
  reply.map(2);
  reply.bulk("matches");
  reply.array(shown.size());
  for (const Match& m : shown) {
    reply.array(options.with_match_length ? 3 : 2);
    reply.array(2);
    reply.integer(m.a_first);
    reply.integer(m.a_last);
    reply.array(2);
    reply.integer(m.b_first);
    reply.integer(m.b_last);
    if (options.with_match_length) reply.integer(m.length());
  }
  reply.bulk("len");
  reply.integer(static_cast<std::int64_t>(lcs.text.size()));
}

Outcome lcs(CommandContext& ctx) {
  constexpr std::string_view kBothStrings = "ERR The specified keys must contain string values";
  ctx.let_expired_go(1, 3);
  const Found a_at = ctx.keys().read(ctx.key(1));
  const Found b_at = ctx.keys().read(ctx.key(2));
  if ((a_at && a_at->type() != Type::kString) || (b_at && b_at->type() != Type::kString)) {
    return refuse(std::string(kBothStrings));
  }
  HEARTH_TRY(const LcsOptions options, parse_lcs_options(ctx.args()));
  char a_scratch[kInt64TextMax], b_scratch[kInt64TextMax];
  const std::string_view a = a_at ? a_at->string_value(a_scratch) : "";
  const std::string_view b = b_at ? b_at->string_value(b_scratch) : "";
  // The table takes 4 bytes for each pair of positions: it must fit the size of a value.
  if (a.size() >= UINT32_MAX - 1 || b.size() >= UINT32_MAX - 1)
    return refuse("ERR String too long for LCS");
  if ((a.size() + 1) * (b.size() + 1) * sizeof(std::uint32_t) > ctx.settings().proto_max_bulk_len) {
    return refuse("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  const Table table = fill_table(a, b);
  if (options.length_only) {
    ctx.reply().integer(table.back());
    return {};
  }
  const Subsequence found = walk_back(table, a, b);
  if (options.indexes)
    reply_matches(ctx, found, options);
  else
    ctx.reply().bulk(found.text);
  return {};
}

constexpr ArgDoc kLcsArgs[] = {args::key("key1"),
                               args::key("key2"),
                               args::token("len", "LEN").opt(),
                               args::token("idx", "IDX").opt(),
                               args::integer("min-match-len", "MINMATCHLEN").opt(),
                               args::token("withmatchlen", "WITHMATCHLEN").opt()};
constexpr KeySpec kLcsKeys[] = {KeySpec::range(1, 1, 1, access::kRead)};

}  // namespace

constexpr CommandSpec kLcs{
    .name = "LCS",
    .summary = "Finds the longest common subsequence of two strings.",
    .complexity = "O(N*M) with N and M the lengths of the strings",
    .since = "7.0.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kReadonly,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kLcsKeys,
    .args = kLcsArgs,
    .reply = Shape::kBulk | Shape::kInteger | Shape::kMap,
    .handler = lcs,
};

}  // namespace hearth::commands
