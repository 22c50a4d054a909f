#include "src/commands/hash/hash_key.h"

namespace hearth::commands {
namespace {

// Expired fields that one command removes on its way; the rest is left to the background.
constexpr std::uint64_t kExpirePerAccess = 64;

Found without_expired(CommandContext& ctx, const KeyRef& key, Found at) {
  if (!at || !at->hash()->may_have_expired(ctx.now())) return at;
  return ctx.keys().expire_fields(key, at, kExpirePerAccess);
}

}  // namespace

Result<Found, ReplyError> read_hash(CommandContext& ctx, const KeyRef& key) {
  HEARTH_TRY(const Found at, ctx.keys().read(key, Type::kHash));
  return without_expired(ctx, key, at);
}

Result<Found, ReplyError> write_hash(CommandContext& ctx, const KeyRef& key) {
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kHash));
  return without_expired(ctx, key, at);
}

Found made_hash(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at) return at;
  return ctx.keys().put(key, at,
                        Entry::make(key.name, Hash(), kNoDeadline, ctx.keys().new_access()));
}

void remove_if_empty(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at->hash()->size() > 0) return;
  ctx.keys().remove(key, at, false);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
}

void log_if_expired(CommandContext& ctx, const KeyRef& key, const Hash& hash,
                    std::string_view field) {
  if (!hash.may_have_expired(ctx.now())) return;
  if (hash.exists(field, ctx.now()) || !hash.exists(field, UnixMillis{0})) return;
  ctx.effects().replicate_as("HDEL", key.name, field);
}

HashLimits hash_limits(CommandContext& ctx) {
  const config::Settings& s = ctx.settings();
  return {s.hash_max_listpack_entries, s.hash_max_listpack_value, ctx.keyspace().seed()};
}

Result<std::span<const std::string_view>, ReplyError> fields_block(const ArgReader& args,
                                                                   std::size_t at,
                                                                   std::size_t width) {
  if (!args.is(at, "FIELDS", 1)) {
    return refuse("ERR Mandatory argument FIELDS is missing or not at the right position");
  }
  HEARTH_TRY(const std::int64_t count,
             args.integer(at + 1, "ERR Number of fields must be a positive integer"));
  if (count < 1) return refuse("ERR Parameter `numFields` should be greater than 0");
  const auto items = args.from(at + 2);
  if (items.size() % width != 0 || static_cast<std::uint64_t>(count) != items.size() / width) {
    return refuse("ERR The `numfields` parameter must match the number of arguments");
  }
  return items;
}

std::vector<std::string> command_words(std::initializer_list<std::string_view> head,
                                       const std::vector<std::string>& tail) {
  std::vector<std::string> words(head.begin(), head.end());
  words.insert(words.end(), tail.begin(), tail.end());
  return words;
}

}  // namespace hearth::commands
