// Keys and the 16384 hash slots.
#pragma once

#include <cstring>
#include <string_view>

#include "src/base/hash.h"
#include "src/base/ids.h"

namespace hearth::cluster {

// The part of a key that decides its slot: what stands between the first '{' and the next '}', if
// that is not empty; otherwise the whole key. Borrowed from the key. O(length), never fails.
// Source: cluster specification, "Hash tags".
[[nodiscard]] inline std::string_view hashed_part(std::string_view key) noexcept {
  if (key.empty()) return key;
  const auto* open = static_cast<const char*>(std::memchr(key.data(), '{', key.size()));
  if (open == nullptr) [[likely]]
    return key;
  const char* tag = open + 1;
  const auto room = static_cast<std::size_t>(key.data() + key.size() - tag);
  if (room == 0) return key;
  const auto* close = static_cast<const char*>(std::memchr(tag, '}', room));
  if (close == nullptr || close == tag) return key;
  return {tag, static_cast<std::size_t>(close - tag)};
}

// Maps a key to the hash slot that owns it.
//
//   key      any bytes, 0 .. 512 MiB, not NUL-terminated
//   returns  CRC16(hashed part) mod 16384; "" -> 0, "foo" -> 12182
//
// O(length). Never fails, never allocates.
[[nodiscard]] inline Slot slot_of(std::string_view key) noexcept {
  return static_cast<Slot>(crc16(hashed_part(key)) & (kSlotCount - 1));
}

}  // namespace hearth::cluster
