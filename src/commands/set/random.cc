// Members by chance: SPOP, SRANDMEMBER.
#include <algorithm>
#include <limits>
#include <utility>

#include "src/command/client_control.h"
#include "src/command/common_specs.h"
#include "src/commands/set/family.h"
#include "src/commands/set/set_key.h"

namespace hearth::commands {
namespace {

Outcome pop_one(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kSet));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  const std::string member = ctx.keys().change(key, at)->set()->pop(ctx.rng());
  // Chance is not repeatable: what came out is logged.
  ctx.effects().replicate_as("SREM", key.name, member);
  ctx.effects().event(Notify::kSet, "spop", key.name);
  remove_empty_set(ctx, key, at);
  ctx.reply().bulk(member);
  return {};
}

void pop_all(CommandContext& ctx, const KeyRef& key, Found at) {
  const std::uint64_t size = at->set()->size();
  ctx.reply().set(size);
  at->set()->for_each([&](std::string_view member) { ctx.reply().bulk(member); });
  ctx.effects().event(Notify::kSet, "spop", key.name);
  ctx.keys().remove(key, at);
  ctx.effects().replicate_as(ctx.settings().lazyfree_lazy_server_del ? "UNLINK" : "DEL", key.name);
  ctx.effects().count_changes(size - 1);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
}

// count < size
void pop_some(CommandContext& ctx, const KeyRef& key, Found at, std::uint64_t count) {
  // A logged command stays within what a reader takes as one request.
  constexpr std::size_t kWordsMost = 1024;
  const bool logs = ctx.effects().wants_commands();
  std::uint64_t commands = 0;
  std::vector<std::string> words;
  ctx.reply().set(count);
  ctx.keys().change(key, at)->set()->pop(ctx.rng(), count, [&](std::string_view member) {
    ctx.reply().bulk(member);
    if (!logs) return;
    if (words.size() == kWordsMost) ctx.effects().replicate_words(std::exchange(words, {}));
    if (words.empty()) ++commands;
    if (words.empty()) words = {"SREM", std::string(key.name)};
    words.emplace_back(member);
  });
  if (logs) ctx.effects().replicate_words(std::move(words));
  ctx.effects().count_changes(count - commands);  // each command has counted one
  ctx.effects().event(Notify::kSet, "spop", key.name);
}

Outcome spop(CommandContext& ctx) {
  if (ctx.args().size() == 2) return pop_one(ctx);
  if (ctx.args().size() > 3) return syntax_error();
  HEARTH_TRY(const std::int64_t count,
             ctx.args().integer_between(2, 0, std::numeric_limits<std::int64_t>::max(),
                                        "ERR value is out of range, must be positive"));
  const KeyRef key = ctx.key(1);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kSet));
  if (!at || count == 0)
    ctx.reply().set(0);
  else if (static_cast<std::uint64_t>(count) >= at->set()->size())
    pop_all(ctx, key, at);
  else
    pop_some(ctx, key, at, static_cast<std::uint64_t>(count));
  return {};
}

Outcome one_member(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  Set::Scratch scratch;
  if (at)
    ctx.reply().bulk(at->set()->random(ctx.rng(), scratch));
  else
    ctx.reply().null();
  return {};
}

// `count` times any member: the same one may come again.
void with_repetition(CommandContext& ctx, const Set& set, std::uint64_t count) {
  ctx.reply().array(count);
  // The count is the client's and has no bound: a reply that can't be sent any more is given up.
  const auto is_hopeless = [&](std::uint64_t drawn) {
    return drawn % 4096 == 4095 && ctx.services().clients->is_over_output_limit(ctx.session());
  };
  // Drawing from a listpack walks it; for many draws it is read into an array once.
  if (set.encoding() == SetEncoding::kListpack && count > 2) {
    std::vector<std::string> all;
    all.reserve(set.size());
    set.for_each([&](std::string_view member) { all.emplace_back(member); });
    for (std::uint64_t i = 0; i < count && !is_hopeless(i); ++i)
      ctx.reply().bulk(all[ctx.rng().below(all.size())]);
    return;
  }
  Set::Scratch scratch;
  for (std::uint64_t i = 0; i < count && !is_hopeless(i); ++i)
    ctx.reply().bulk(set.random(ctx.rng(), scratch));
}

Outcome srandmember(CommandContext& ctx) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (ctx.args().size() == 2) return one_member(ctx);
  if (ctx.args().size() > 3) return syntax_error();
  HEARTH_TRY(const std::int64_t count, ctx.args().integer(2));
  if (count < -kMost) {
    return refuse(std::string(kOutOfLongRange));
  }
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
  if (!at || count == 0) {
    ctx.reply().array(0);
    return {};
  }
  const Set& set = *at->set();
  if (count < 0) {
    with_repetition(ctx, set, static_cast<std::uint64_t>(-count));
    return {};
  }
  const std::uint64_t found = std::min(static_cast<std::uint64_t>(count), set.size());
  ctx.reply().array(found);
  set.sample(ctx.rng(), found, [&](std::string_view member) { ctx.reply().bulk(member); });
  return {};
}

constexpr ArgDoc kPopArgs[] = {args::key(), args::integer("count").opt().from("3.2.0")};
constexpr ArgDoc kRandomArgs[] = {args::key(), args::integer("count").opt().from("2.6.0")};
constexpr KeySpec kPopKey[] = {KeySpec::one(1, access::kRW | access::kAccess | access::kDelete)};
constexpr HistoryNote kPopHistory[] = {{"3.2.0", "Accepts a count."}};
constexpr HistoryNote kRandomHistory[] = {{"2.6.0", "Accepts a count."}};

}  // namespace

constexpr CommandSpec kSPop{
    .name = "SPOP",
    .summary = "Removes members of a set chosen at random and returns them.",
    .complexity = "O(N) with the number of members returned.",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kPopKey,
    .args = kPopArgs,
    .reply = Shape::kBulk | Shape::kNull | Shape::kSet,
    .handler = spop,
    .tips = kNondeterministic,
    .history = kPopHistory,
};
constexpr CommandSpec kSRandMember{
    .name = "SRANDMEMBER",
    .summary = "Returns members of a set chosen at random.",
    .complexity = "O(N) with the number of members returned.",
    .since = "1.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kSet,
    .group = Group::kSet,
    .keys = kReadKey,
    .args = kRandomArgs,
    .reply = Shape::kBulk | Shape::kNull | Shape::kArray,
    .handler = srandmember,
    .tips = kNondeterministic,
    .history = kRandomHistory,
};

}  // namespace hearth::commands
