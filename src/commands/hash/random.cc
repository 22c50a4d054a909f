// HRANDFIELD.
#include <algorithm>
#include <limits>

#include "src/base/name_map.h"
#include "src/command/client_control.h"
#include "src/command/common_specs.h"
#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"

namespace hearth::commands {
namespace {

struct Pair {
  std::string field;
  std::string value;
};

class PairReply {
 public:
  PairReply(CommandContext& ctx, bool with_values)
      : reply_(ctx.reply()), with_values_(with_values) {}

  void begin(std::size_t count) {
    const bool flat_pairs = with_values_ && reply_.resp() < 3;
    reply_.array(flat_pairs ? count * 2 : count);
  }
  void add(std::string_view field, std::string_view value) {
    if (with_values_ && reply_.resp() >= 3) reply_.array(2);
    reply_.bulk(field);
    if (with_values_) reply_.bulk(value);
  }

 private:
  ReplyWriter& reply_;
  bool with_values_;
};

// The count is the client's and has no bound: a reply that can't be sent any more is given up.
// Asked now and then, since it costs more than a draw.
bool is_hopeless(CommandContext& ctx, std::uint64_t drawn) {
  return drawn % 4096 == 4095 && ctx.services().clients->is_over_output_limit(ctx.session());
}

// Both texts of all fields that can be seen.
std::vector<Pair> all_pairs(CommandContext& ctx, const Hash& hash) {
  std::vector<Pair> all;
  hash.for_each(ctx.now(), [&](const Hash::Item& item) {
    all.push_back({std::string(item.field), std::string(item.value)});
  });
  return all;
}

// `count` times any field: the same one may come again.
void with_repetition(CommandContext& ctx, const Hash& hash, std::uint64_t count, PairReply& reply) {
  if (hash.encoding() == HashEncoding::kHashtable) {
    Hash::Scratch scratch;
    auto item = hash.random(ctx.rng(), ctx.now(), scratch);
    reply.begin(item ? count : 0);
    if (!item) return;
    for (std::uint64_t i = 0; i < count && !is_hopeless(ctx, i); ++i) {
      if (i > 0) {
        if (const auto next = hash.random(ctx.rng(), ctx.now(), scratch)) item = next;
      }
      reply.add(item->field, item->value);
    }
    return;
  }
  // Drawing from a compact hash walks it: it is read into an array once.
  const std::vector<Pair> all = all_pairs(ctx, hash);
  reply.begin(all.empty() ? 0 : count);
  if (all.empty()) return;
  for (std::uint64_t i = 0; i < count && !is_hopeless(ctx, i); ++i) {
    const Pair& pair = all[ctx.rng().below(all.size())];
    reply.add(pair.field, pair.value);
  }
}

// Few out of many: draws, and draws again if a field was chosen before. Where many fields have
// expired there may be fewer than `count`.
void few_distinct(CommandContext& ctx, const Hash& hash, std::uint64_t count, PairReply& reply) {
  NameViewSet chosen(ctx.keyspace().seed());
  std::vector<Hash::Item> items;
  Hash::Scratch scratch;
  for (std::uint64_t draws = 8 * count + 64; items.size() < count && draws > 0; --draws) {
    const auto item = hash.random(ctx.rng(), ctx.now(), scratch);
    if (!item) break;
    // A table's texts stand in the table, so that views of them last.
    if (chosen.insert(item->field).second) items.push_back(*item);
  }
  reply.begin(items.size());
  for (const Hash::Item& item : items) reply.add(item.field, item.value);
}

// `count` different fields, or all that can be seen. O(count): it is a good part of the size where
// all fields are walked.
void distinct(CommandContext& ctx, const Hash& hash, std::uint64_t count, PairReply& reply) {
  constexpr std::uint64_t kFewRatio = 3;
  if (hash.encoding() == HashEncoding::kHashtable && count < hash.size() / kFewRatio)
    return few_distinct(ctx, hash, count, reply);
  if (count >= hash.size()) {
    reply.begin(hash.visible_size(ctx.now()));
    hash.for_each(ctx.now(), [&](const Hash::Item& item) { reply.add(item.field, item.value); });
    return;
  }
  std::vector<Pair> all = all_pairs(ctx, hash);
  count = std::min<std::uint64_t>(count, all.size());
  reply.begin(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::swap(all[i], all[i + ctx.rng().below(all.size() - i)]);
    reply.add(all[i].field, all[i].value);
  }
}

Outcome one_field(CommandContext& ctx) {
  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  Hash::Scratch scratch;
  const auto item = at ? at->hash()->random(ctx.rng(), ctx.now(), scratch) : std::nullopt;
  if (item)
    ctx.reply().bulk(item->field);
  else
    ctx.reply().null();
  return {};
}

Outcome hrandfield(CommandContext& ctx) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (ctx.args().size() == 2) return one_field(ctx);
  HEARTH_TRY(const std::int64_t count, ctx.args().integer(2));
  if (count < -kMost) {
    return refuse(std::string(kOutOfLongRange));
  }
  const bool with_values = ctx.args().is(3, "WITHVALUES");
  if (ctx.args().size() > (with_values ? 4 : 3)) return syntax_error();
  if (with_values && (count < -kMost / 2 || count > kMost / 2))
    return refuse("ERR value is out of range");

  HEARTH_TRY(const Found at, read_hash(ctx, ctx.key(1)));
  if (!at || count == 0) {
    ctx.reply().array(0);
    return {};
  }
  PairReply reply(ctx, with_values);
  const Hash& hash = *at->hash();
  if (count < 0)
    with_repetition(ctx, hash, static_cast<std::uint64_t>(-count), reply);
  else
    distinct(ctx, hash, static_cast<std::uint64_t>(count), reply);
  return {};
}

constexpr ArgDoc kCountParts[] = {args::integer("count"),
                                  args::token("withvalues", "WITHVALUES").opt()};
constexpr ArgDoc kRandomArgs[] = {args::key(), args::block("options", kCountParts).opt()};

}  // namespace

constexpr CommandSpec kHRandField{
    .name = "HRANDFIELD",
    .summary = "Returns fields of a hash chosen at random.",
    .complexity = "O(N) with the number of fields returned.",
    .since = "6.2.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kReadKey,
    .args = kRandomArgs,
    .reply = Shape::kBulk | Shape::kNull | Shape::kArray,
    .handler = hrandfield,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands
