// Helpers of the hash commands: finding the hash, removing fields past their deadline, making the
// hash or removing it.
#pragma once

#include <string_view>
#include <vector>

#include "src/command/context.h"
#include "src/store/hash.h"

namespace hearth::commands {

// The hash under a key for reading or changing; nothing if there is none. Fields that are past
// their deadline are removed first, with their effects, up to a bound (the verbs of Hash do not see
// the rest); a hash that loses its last field so goes away.
[[nodiscard]] Result<Found, ReplyError> read_hash(CommandContext& ctx, const KeyRef& key);
[[nodiscard]] Result<Found, ReplyError> write_hash(CommandContext& ctx, const KeyRef& key);

// The same place, with an empty hash made if there was none.
[[nodiscard]] Found made_hash(CommandContext& ctx, const KeyRef& key, Found at);

// Removes the key if its hash has no field left, with the event that goes with it.
void remove_if_empty(CommandContext& ctx, const KeyRef& key, Found at);

// A field that has expired but could not be removed yet is logged as removed before it is changed,
// so that whoever repeats the change finds the same.
void log_if_expired(CommandContext& ctx, const KeyRef& key, const Hash& hash,
                    std::string_view field);

// The limits of the compact encodings, as configured.
[[nodiscard]] HashLimits hash_limits(CommandContext& ctx);

// FIELDS <n> <field> ..., from word `at` on, each item of `width` words, up to the end.
//   returns  the words behind the number
[[nodiscard]] Result<std::span<const std::string_view>, ReplyError> fields_block(
    const ArgReader& args, std::size_t at, std::size_t width = 1);

// "HDEL key field ..." and the like, for the effect log.
[[nodiscard]] std::vector<std::string> command_words(std::initializer_list<std::string_view> head,
                                                     const std::vector<std::string>& tail);

// Largest deadline of a field: what the file formats of all servers have room for.
inline constexpr std::int64_t kFieldDeadlineMax = (std::int64_t{1} << 46) - 1;

}  // namespace hearth::commands
