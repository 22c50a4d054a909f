// HIMPORT: many hashes with the same fields. The names of the fields are given once for each
// connection; then every hash is a row of values.
#include <algorithm>

#include "src/commands/hash/family.h"
#include "src/commands/hash/hash_key.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kNoFieldSet = "ERR no such fieldset";

Outcome prepare(CommandContext& ctx) {
  const auto words = ctx.args().from(3);
  std::vector<std::string> fields(words.begin(), words.end());
  std::vector<std::string_view> sorted(words.begin(), words.end());
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return refuse("ERR duplicate field name in fieldset");
  ctx.session().field_sets.put(ctx.arg(2), std::move(fields));
  ctx.reply().ok();
  return {};
}

// Everywhere else there is no connection with these names: the log has the whole hash.
void log_import(CommandContext& ctx, const KeyRef& key, const std::vector<std::string>& fields,
                std::span<const std::string_view> values, bool replaced) {
  if (!ctx.effects().wants_commands()) {
    ctx.effects().count_changes(1);
    return;
  }
  if (replaced) ctx.effects().replicate_as("DEL", key.name);
  std::vector<std::string> words = {"HSET", std::string(key.name)};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    words.push_back(fields[i]);
    words.emplace_back(values[i]);
  }
  ctx.effects().replicate_words(std::move(words));
}

Outcome set(CommandContext& ctx) {
  const KeyRef key = ctx.key(2);
  const FieldSets::Fields* found = ctx.session().field_sets.find(ctx.arg(3));
  if (found == nullptr) return refuse(std::string(kNoFieldSet));
  const FieldSets::Fields& fields = *found;
  const auto values = ctx.args().from(4);
  if (values.size() != fields.size()) return refuse("ERR wrong number of values for the fieldset");
  const Found at = ctx.keys().write(key);
  Hash hash;
  const HashLimits limits = hash_limits(ctx);
  for (std::size_t i = 0; i < fields.size(); ++i)
    hash.set(fields[i], values[i], Hash::kNone, ctx.now(), limits);
  ctx.keys().put(key, at,
                 Entry::make(key.name, std::move(hash), kNoDeadline, ctx.keys().new_access()));
  log_import(ctx, key, fields, values, static_cast<bool>(at));
  ctx.effects().event(Notify::kHash, "hset", key.name);
  ctx.reply().ok();
  return {};
}

Outcome discard(CommandContext& ctx) {
  ctx.reply().integer(ctx.session().field_sets.erase(ctx.arg(2)) ? 1 : 0);
  return {};
}

Outcome discard_all(CommandContext& ctx) {
  auto& sets = ctx.session().field_sets;
  ctx.reply().integer(static_cast<std::int64_t>(sets.size()));
  sets.clear();
  return {};
}

constexpr ArgDoc kPrepareArgs[] = {args::string("fieldset-name"), args::string("field").many()};
constexpr ArgDoc kImportSetArgs[] = {args::key(), args::string("fieldset-name"),
                                     args::string("value").many()};
constexpr ArgDoc kDiscardArgs[] = {args::string("fieldset-name")};
constexpr KeySpec kOverwriteKey[] = {KeySpec::one(2, access::kOverwrite)};

constexpr CommandSpec kDiscard{
    .name = "DISCARD",
    .summary = "Forgets a set of field names of this connection.",
    .complexity = "O(N) with the number of fields.",
    .since = "8.10.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kNoScript,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .args = kDiscardArgs,
    .reply = Shape::kInteger,
    .handler = discard,
};
constexpr CommandSpec kDiscardAll{
    .name = "DISCARDALL",
    .summary = "Forgets all sets of field names of this connection.",
    .complexity = "O(N) with the number of sets.",
    .since = "8.10.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kNoScript,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .reply = Shape::kInteger,
    .handler = discard_all,
};
constexpr CommandSpec kPrepare{
    .name = "PREPARE",
    .summary = "Names the fields that hashes made by this connection will have.",
    .complexity = "O(N*log(N)) with the number of fields.",
    .since = "8.10.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kNoScript | Flag::kDenyOom,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .args = kPrepareArgs,
    .reply = Shape::kOk,
    .handler = prepare,
};
constexpr CommandSpec kSetRow{
    .name = "SET",
    .summary = "Makes a hash of values for the fields that were named before.",
    .complexity = "O(N) with the number of fields.",
    .since = "8.10.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kNoScript,
    .acl = Acl::kHash,
    .group = Group::kHash,
    .keys = kOverwriteKey,
    .args = kImportSetArgs,
    .reply = Shape::kOk,
    .handler = set,
};
constexpr const CommandSpec* kSubcommands[] = {&kDiscard, &kDiscardAll, &kPrepare, &kSetRow};

}  // namespace

constexpr CommandSpec kHImport{
    .name = "HIMPORT",
    .summary = "Holds the commands that make many hashes with the same fields.",
    .complexity = "Depends on the subcommand.",
    .since = "8.10.0",
    .arity = Arity::at_least(2),
    .acl = Acl::kHash,
    .group = Group::kHash,
    .reply = Shape::kNone,
    .subcommands = kSubcommands,
};

}  // namespace hearth::commands
