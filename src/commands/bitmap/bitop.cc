// BITOP.
#include <algorithm>
#include <array>

#include "src/command/repeats.h"
#include "src/commands/bitmap/bit_string.h"
#include "src/commands/bitmap/family.h"
#include "src/store/bits.h"

namespace hearth::commands {
namespace {

using bits::Operation;

struct Name {
  std::string_view word;
  Operation operation;
};
constexpr Name kNames[] = {
    {"AND", Operation::kAnd},     {"OR", Operation::kOr},     {"XOR", Operation::kXor},
    {"NOT", Operation::kNot},     {"DIFF", Operation::kDiff}, {"DIFF1", Operation::kDiff1},
    {"ANDOR", Operation::kAndOr}, {"ONE", Operation::kOne},
};

Result<Operation, ReplyError> parse_operation(const ArgReader& args) {
  const auto* name = std::find_if(std::begin(kNames), std::end(kNames),
                                  [&](const Name& n) { return args.is(1, n.word); });
  if (name == std::end(kNames)) return syntax_error();
  const std::size_t sources = args.size() - 3;
  const Operation o = name->operation;
  if (o == Operation::kNot && sources != 1)
    return refuse("ERR BITOP NOT must be called with a single source key.");
  const bool needs_two = o == Operation::kDiff || o == Operation::kDiff1 || o == Operation::kAndOr;
  if (needs_two && sources < 2) {
    return refuse("ERR BITOP " + std::string(name->word) +
                  " must be called with at least two source keys.");
  }
  return o;
}

// Repeats change nothing, except that a bit that two sources have is not in ONE of them, and that
// pairs end each other in XOR. The first source has a part of its own in some operations, and
// stays.
void drop_repeats_for(Operation operation, std::vector<std::string_view>& sources) {
  const auto most = [operation](std::size_t times) -> std::size_t {
    if (operation == Operation::kXor) return 2 - times % 2;
    return operation == Operation::kOne ? std::min<std::size_t>(times, 2) : 1;
  };
  const bool first_is_special = operation == Operation::kDiff || operation == Operation::kDiff1 ||
                                operation == Operation::kAndOr;
  const std::string_view first = sources.front();
  if (first_is_special) sources.erase(sources.begin());
  keep_of_repeats(
      sources, [](std::string_view source) { return source.data(); }, most);
  if (first_is_special) sources.insert(sources.begin(), first);
}

void store_result(CommandContext& ctx, const KeyRef& key, Operation operation,
                  std::span<const std::string_view> sources, std::uint64_t size) {
  RawString* result = RawString::make(size, size);
  bits::combine(operation, sources, result->data(), size);
  // The sources end here: the destination may be one of them.
  const Found at = ctx.keys().peek(key);
  if (size > kInlineValueMax) {
    ctx.keys().put(key, at,
                   Entry::make_raw(key.name, result, kNoDeadline, ctx.keys().new_access()));
  } else {
    ctx.keys().put(
        key, at,
        Entry::make_string(key.name, result->view(), kNoDeadline, ctx.keys().new_access()));
    RawString::free(result);
  }
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kString, "set", key.name);
}

Outcome bitop(CommandContext& ctx) {
  HEARTH_TRY(const Operation operation, parse_operation(ctx.args()));
  const std::size_t count = ctx.args().size() - 3;
  std::vector<std::string_view> sources(count);
  std::vector<std::array<char, kInt64TextMax>> scratch(count);
  std::uint64_t size = 0;
  ctx.let_expired_go(2, ctx.args().size());
  for (std::size_t i = 0; i < count; ++i) {
    HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(3 + i), Type::kString));
    if (at) sources[i] = at->string_value(scratch[i].data());
    size = std::max<std::uint64_t>(size, sources[i].size());
  }
  drop_repeats_for(operation, sources);
  const KeyRef key = ctx.key(2);
  if (size > 0) {
    store_result(ctx, key, operation, sources, size);
  } else if (const Found at = ctx.keys().peek(key)) {
    ctx.keys().remove(key, at);
    ctx.effects().replicate_verbatim();
    ctx.effects().event(Notify::kGeneric, "del", key.name);
  }
  ctx.reply().integer(static_cast<std::int64_t>(size));
  return {};
}

constexpr ArgDoc kOperations[] = {
    args::token("and", "AND"),
    args::token("or", "OR"),
    args::token("xor", "XOR"),
    args::token("not", "NOT"),
    args::token("diff", "DIFF").from("8.2.0"),
    args::token("diff1", "DIFF1").from("8.2.0"),
    args::token("andor", "ANDOR").from("8.2.0"),
    args::token("one", "ONE").from("8.2.0"),
};
constexpr ArgDoc kBitopArgs[] = {args::one_of("operation", kOperations), args::key("destkey", 0),
                                 args::key("key", 1).many()};
constexpr KeySpec kKeys[] = {KeySpec::one(2, access::kOverwrite),
                             KeySpec::range(3, -1, 1, access::kRead)};
constexpr HistoryNote kHistory[] = {{"8.2.0", "Knows DIFF, DIFF1, ANDOR and ONE."}};

}  // namespace

constexpr CommandSpec kBitOp{
    .name = "BITOP",
    .summary = "Combines strings bit by bit and stores the result.",
    .complexity = "O(N) with the length of the longest string.",
    .since = "2.6.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kBitmap,
    .group = Group::kBitmap,
    .keys = kKeys,
    .args = kBitopArgs,
    .reply = Shape::kInteger,
    .handler = bitop,
    .history = kHistory,
};

}  // namespace hearth::commands
