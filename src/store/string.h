// Strings: the verbs of the string type on top of entries.
//
// Three shapes, invisible to callers: integers stand in their entry, values up to kInlineValueMax
// bytes follow their key, longer or growing ones have a RawString with spare room.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/store/keyspace.h"

namespace hearth {

inline constexpr std::uint64_t kStringBytesMax = 512ULL * 1024 * 1024;

// Makes `key` hold `value` with exactly this deadline. `at` is what find() gave for the key; may be
// empty. A value of another type or shape goes to `old` (which the caller frees), or nullptr.
// A canonical integer is stored as one.
void put_string(Database& db, const KeyRef& key, Found at, std::string_view value,
                std::int64_t deadline, std::uint32_t access, Entry** old);

// Makes the key hold an integer; an existing deadline stays. `at` must be empty or a string.
void put_int_keep_deadline(Database& db, const KeyRef& key, Found at, std::int64_t value,
                           std::uint32_t access);

// Appends; the key must exist and be a string. Returns the new length, amortised O(|suffix|).
std::uint64_t append_string(Database& db, const KeyRef& key, Found at, std::string_view suffix);

// Room to write bytes [offset, offset + length) of the value, zero-filled where it was shorter.
// The key must exist and be a string. Valid until the next change.
char* writable_range(Database& db, const KeyRef& key, Found at, std::uint64_t offset,
                     std::uint64_t length);

}  // namespace hearth
