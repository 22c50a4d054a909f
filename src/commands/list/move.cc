// Moving items from list to list: LMOVE, RPOPLPUSH, LMOVEM, and BLMOVE, BRPOPLPUSH, BLMOVEM, which
// wait for some.
#include <algorithm>
#include <string>
#include <vector>

#include "src/command/blocking_control.h"
#include "src/command/client_control.h"
#include "src/command/deadline.h"
#include "src/commands/list/family.h"
#include "src/commands/list/list_key.h"
#include "src/commands/list/spec_parts.h"

namespace hearth::commands {
namespace {

struct Move {
  ListEnd from = ListEnd::kHead;
  ListEnd to = ListEnd::kHead;
  // LMOVEM
  std::uint64_t count = 1;
  bool exactly = false;  // that many or none
  bool bulk = false;     // as a block in its own order, not one by one
};

// Both lists: the source, which may be absent, and the destination, whose type is looked at only if
// there is a source.
struct Lists {
  Found source;
  Found destination;
};

Result<Lists, ReplyError> find_lists(CommandContext& ctx) {
  ctx.let_expired_go(1, 3);
  Lists lists;
  HEARTH_TRY(lists.source, write_list(ctx, ctx.key(1)));
  if (lists.source) {
    HEARTH_TRY(lists.destination, write_list(ctx, ctx.key(2)));
  }
  return lists;
}

// Takes `count` items, which exist, off the source; they come in the order in which they are to
// stand in the destination.
std::vector<std::string> take_items(const Change& change, const Move& move, std::uint64_t count) {
  ListValue source(change);
  std::vector<std::string> items;
  items.reserve(count);
  const auto collect = [&items](const ds::Element& item) {
    char scratch[kInt64TextMax];
    items.emplace_back(item.text(scratch));
  };
  if (move.from == ListEnd::kHead)
    source.visit(0, count, collect);
  else
    source.visit_back(source.size() - 1, count, collect);
  source.drop(move.from, count);
  // One by one at the head, the last to come stands first; as a block, all keep their order.
  const bool reversed = move.bulk ? move.from == ListEnd::kTail : move.to == ListEnd::kHead;
  if (reversed) std::reverse(items.begin(), items.end());
  return items;
}

// Moves `count` items, which exist, with the events; returns them in the destination's order. The
// caller logs the effect.
std::vector<std::string> move_items(CommandContext& ctx, const Lists& lists, const Move& move,
                                    std::uint64_t count) {
  const KeyRef source = ctx.key(1);
  const KeyRef destination = ctx.key(2);
  std::vector<std::string> items = take_items(ctx.keys().change(source, lists.source), move, count);
  std::vector<std::string_view> words(items.begin(), items.end());
  if (move.to == ListEnd::kHead) std::reverse(words.begin(), words.end());
  push_items(ctx, destination, lists.destination, move.to, words);
  ctx.effects().event(Notify::kList, push_event(move.to), destination.name);
  ctx.effects().event(Notify::kList, pop_event(move.from), source.name);
  // Making the destination may have moved the source's place.
  const Found rest = ctx.keys().peek(source);
  settle_after_removal(ctx, source, rest);
  return items;
}

// --- one item ---

// False if there is no source.
Result<bool, ReplyError> move_one(CommandContext& ctx, const Move& move) {
  HEARTH_TRY(const Lists lists, find_lists(ctx));
  if (!lists.source) return false;
  ctx.reply().bulk(move_items(ctx, lists, move, 1).front());
  return true;
}

Outcome lmove(CommandContext& ctx) {
  Move move;
  HEARTH_TRY(move.from, list_end(ctx.args(), 3));
  HEARTH_TRY(move.to, list_end(ctx.args(), 4));
  HEARTH_TRY(const bool moved, move_one(ctx, move));
  if (moved)
    ctx.effects().replicate_verbatim();
  else
    ctx.reply().null();
  return {};
}

Outcome rpoplpush(CommandContext& ctx) {
  HEARTH_TRY(const bool moved, move_one(ctx, {.from = ListEnd::kTail, .to = ListEnd::kHead}));
  if (moved)
    ctx.effects().replicate_verbatim();
  else
    ctx.reply().null();
  return {};
}

void wait_for_source(CommandContext& ctx, MonoTime deadline) {
  if (!ctx.may_block()) return ctx.reply().null();
  BlockingControl::KeyWait wait{.keys = ctx.args().words().subspan(1, 1),
                                .type = Type::kList,
                                .deadline = deadline,
                                .again = {}};
  ctx.services().blocking->wait_for_keys(ctx, std::move(wait));
}

Outcome blmove(CommandContext& ctx) {
  Move move;
  HEARTH_TRY(move.from, list_end(ctx.args(), 3));
  HEARTH_TRY(move.to, list_end(ctx.args(), 4));
  HEARTH_TRY(const MonoTime deadline,
             wait_deadline(ctx.args(), 5, TimeUnit::kSeconds, ctx.services().clients->mono_now()));
  HEARTH_TRY(const bool moved, move_one(ctx, move));
  if (moved)
    ctx.effects().replicate_as("LMOVE", ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4));
  else
    wait_for_source(ctx, deadline);
  return {};
}

Outcome brpoplpush(CommandContext& ctx) {
  HEARTH_TRY(const MonoTime deadline,
             wait_deadline(ctx.args(), 3, TimeUnit::kSeconds, ctx.services().clients->mono_now()));
  HEARTH_TRY(const bool moved, move_one(ctx, {.from = ListEnd::kTail, .to = ListEnd::kHead}));
  if (moved)
    ctx.effects().replicate_as("RPOPLPUSH", ctx.arg(1), ctx.arg(2));
  else
    wait_for_source(ctx, deadline);
  return {};
}

// --- several items ---

// LEFT|RIGHT LEFT|RIGHT from word 3 on, and [COUNT|EXACTLY n OBO|BULK] from word `options` on.
Result<Move, ReplyError> parse_move(const ArgReader& args, std::size_t options) {
  Move move;
  HEARTH_TRY(move.from, list_end(args, 3));
  HEARTH_TRY(move.to, list_end(args, 4));
  if (args.size() == options) return move;
  if (args.size() != options + 3) return syntax_error();
  move.exactly = args.is(options, "EXACTLY");
  if (!move.exactly && !args.is(options, "COUNT")) return syntax_error();
  move.bulk = args.is(options + 2, "BULK");
  if (!move.bulk && !args.is(options + 2, "OBO")) return syntax_error();
  HEARTH_TRY(const std::int64_t count,
             args.integer_between(options + 1, 1, INT64_MAX, "ERR count should be greater than 0"));
  move.count = static_cast<std::uint64_t>(count);
  return move;
}

// Replicas and the log need not know the command: they get a pop and a push. `whole`: all
// of a list moved within it. It would be gone in between, with its time to live, so it grows first
// and then loses what it had, at its other end.
void log_move(CommandContext& ctx, const Move& move, const std::vector<std::string>& items,
              bool whole) {
  const auto count = static_cast<std::int64_t>(items.size());
  if (!whole) ctx.effects().replicate_as(pop_command(move.from), ctx.arg(1), count);
  std::vector<std::string> words{move.to == ListEnd::kHead ? "LPUSH" : "RPUSH",
                                 std::string(ctx.arg(2))};
  words.insert(words.end(), items.begin(), items.end());
  if (move.to == ListEnd::kHead) std::reverse(words.begin() + 2, words.end());
  ctx.effects().replicate_words(std::move(words));
  if (!whole) return;
  const ListEnd other = move.to == ListEnd::kHead ? ListEnd::kTail : ListEnd::kHead;
  ctx.effects().replicate_as(pop_command(other), ctx.arg(1), count);
}

// False if there is not enough in the source.
Result<bool, ReplyError> move_several(CommandContext& ctx, const Move& move) {
  HEARTH_TRY(const Lists lists, find_lists(ctx));
  const std::uint64_t have = lists.source ? ListView(*lists.source).size() : 0;
  if (have == 0 || (move.exactly && have < move.count)) return false;
  const std::uint64_t count = std::min(have, move.count);
  const std::vector<std::string> items = move_items(ctx, lists, move, count);
  log_move(ctx, move, items, count == have && ctx.arg(1) == ctx.arg(2));
  ctx.reply().array(items.size());
  for (const std::string& item : items) ctx.reply().bulk(item);
  return true;
}

Outcome lmovem(CommandContext& ctx) {
  HEARTH_TRY(const Move move, parse_move(ctx.args(), 5));
  HEARTH_TRY(const bool moved, move_several(ctx, move));
  if (!moved && move.exactly)
    ctx.reply().null_array();
  else if (!moved)
    ctx.reply().array(0);
  return {};
}

Outcome blmovem(CommandContext& ctx) {
  HEARTH_TRY(const Move move, parse_move(ctx.args(), 6));
  HEARTH_TRY(const MonoTime deadline,
             wait_deadline(ctx.args(), 5, TimeUnit::kSeconds, ctx.services().clients->mono_now()));
  HEARTH_TRY(const bool moved, move_several(ctx, move));
  if (moved) return {};
  if (ctx.may_block())
    wait_for_source(ctx, deadline);
  else
    ctx.reply().null_array();
  return {};
}

constexpr KeySpec kMoveKeys[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kDelete),
                                 KeySpec::one(2, access::kRW | access::kInsert)};
constexpr ArgDoc kSelectors[] = {args::integer("count", "COUNT"),
                                 args::integer("exactly", "EXACTLY")};
constexpr ArgDoc kOrderings[] = {args::token("obo", "OBO"), args::token("bulk", "BULK")};
constexpr ArgDoc kHowMany[] = {args::one_of("selector", kSelectors),
                               args::one_of("ordering", kOrderings)};
constexpr ArgDoc kMoveArgs[] = {args::key("source", 0), args::key("destination", 1),
                                args::one_of("wherefrom", kListEnds),
                                args::one_of("whereto", kListEnds)};
constexpr ArgDoc kBlockingMoveArgs[] = {args::key("source", 0), args::key("destination", 1),
                                        args::one_of("wherefrom", kListEnds),
                                        args::one_of("whereto", kListEnds), args::real("timeout")};
constexpr ArgDoc kMoveMArgs[] = {
    args::key("source", 0), args::key("destination", 1), args::one_of("wherefrom", kListEnds),
    args::one_of("whereto", kListEnds), args::block("how-many", kHowMany).opt()};
constexpr ArgDoc kBlockingMoveMArgs[] = {args::key("source", 0),
                                         args::key("destination", 1),
                                         args::one_of("wherefrom", kListEnds),
                                         args::one_of("whereto", kListEnds),
                                         args::real("timeout"),
                                         args::block("how-many", kHowMany).opt()};
constexpr ArgDoc kPopPushArgs[] = {args::key("source", 0), args::key("destination", 1)};
constexpr ArgDoc kBlockingPopPushArgs[] = {args::key("source", 0), args::key("destination", 1),
                                           args::real("timeout")};
constexpr Flag kMoves = Flag::kWrite | Flag::kDenyOom;

}  // namespace

constexpr CommandSpec kLMove{
    .name = "LMOVE",
    .summary = "Takes an element off one end of a list and adds it at an end of another.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(5),
    .flags = kMoves,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kMoveKeys,
    .args = kMoveArgs,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = lmove,
};
constexpr CommandSpec kRPopLPush{
    .name = "RPOPLPUSH",
    .summary = "Takes the tail of a list and makes it the head of another.",
    .complexity = "O(1)",
    .since = "1.2.0",
    .arity = Arity::exactly(3),
    .flags = kMoves,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kMoveKeys,
    .args = kPopPushArgs,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = rpoplpush,
    .deprecated_since = "6.2.0",
    .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments",
};
constexpr CommandSpec kLMoveM{
    .name = "LMOVEM",
    .summary = "Takes elements off one end of a list and adds them at an end of another.",
    .complexity = "O(N) with N the elements that are moved",
    .since = "8.10.0",
    .arity = Arity::at_least(5),
    .flags = kMoves,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kMoveKeys,
    .args = kMoveMArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = lmovem,
};
constexpr CommandSpec kBLMove{
    .name = "BLMOVE",
    .summary = "Moves an element from one list to another, waiting for it if need be.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(6),
    .flags = kMoves | Flag::kBlocking,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kMoveKeys,
    .args = kBlockingMoveArgs,
    .reply = Shape::kBulk | Shape::kNull | Shape::kNullArray,
    .handler = blmove,
};
constexpr CommandSpec kBRPopLPush{
    .name = "BRPOPLPUSH",
    .summary = "Makes the tail of a list the head of another, waiting for it if need be.",
    .complexity = "O(1)",
    .since = "2.2.0",
    .arity = Arity::exactly(4),
    .flags = kMoves | Flag::kBlocking,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kMoveKeys,
    .args = kBlockingPopPushArgs,
    .reply = Shape::kBulk | Shape::kNull | Shape::kNullArray,
    .handler = brpoplpush,
    .deprecated_since = "6.2.0",
    .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    .history = kBlockingHistory,
};
constexpr CommandSpec kBLMoveM{
    .name = "BLMOVEM",
    .summary = "Moves elements from one list to another, waiting for enough of them if need be.",
    .complexity = "O(N) with N the elements that are moved",
    .since = "8.10.0",
    .arity = Arity::at_least(6),
    .flags = kMoves | Flag::kBlocking,
    .acl = Acl::kList,
    .group = Group::kList,
    .keys = kMoveKeys,
    .args = kBlockingMoveMArgs,
    .reply = Shape::kArray | Shape::kNullArray,
    .handler = blmovem,
};

}  // namespace hearth::commands
