// Numbers of the RDB format: object types, versions, length and string encodings.
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth::rdb {

// Type bytes of values this build reads.
enum class ObjectType : std::uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kZset = 3,  // scores as text
  kHash = 4,
  kZset2 = 5,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kZsetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,
  kStreamListpacks = 15,
  kHashListpack = 16,
  kZsetListpack = 17,
  kListQuicklist2 = 18,        // nodes that are a listpack or one long item
  kStreamListpacks2 = 19,      // and the first id, the largest deleted and counts of all time
  kSetListpack = 20,           // from version 11 on
  kStreamListpacks3 = 21,      // and when consumers were active
  kHashExpiryAfterValue = 22,  // versions from 80 on: i64 deadline behind each value, -1 none
  kHashExpiry = 24,            // version 12: earliest deadline, then (delta, field, value)
  kHashListpackExpiry = 25,    // version 12: earliest deadline, then a listpack of triples
};

inline constexpr std::uint16_t kVersionRedis70 = 10;
inline constexpr std::uint16_t kVersionPortable = 11;     // what everybody from 7.2 on loads
inline constexpr std::uint16_t kVersionFieldExpiry = 12;  // only for hashes with field deadlines
// Versions 13 to 79 belong to nobody or hold types of others; from 80 on the type numbers 22 and
// up mean something else.
inline constexpr std::uint16_t kVersionValkeyFirst = 80;
inline constexpr std::uint16_t kVersionValkeyLast = 81;

[[nodiscard]] constexpr bool is_known_version(std::uint16_t version) {
  return version <= kVersionFieldExpiry ||
         (version >= kVersionValkeyFirst && version <= kVersionValkeyLast);
}

// Formats that came later, or from elsewhere: refused, or read as far as their types are known.
enum class VersionCheck : bool { kStrict, kRelaxed };
[[nodiscard]] constexpr bool is_accepted(std::uint16_t version, VersionCheck check) {
  return is_known_version(version) || check == VersionCheck::kRelaxed;
}

// Bytes of a file where a type byte could stand.
// Auxiliary fields of ours that belong to a database. Other servers skip what they don't know.
// In front of a key: its version, in decimal.
inline constexpr std::string_view kVersionField = "hearth-version";
// Tombstones of the database selected last: fingerprint and version of each, u64 LE.
inline constexpr std::string_view kTombstonesField = "hearth-tombstones";
// Tombstones::floor() of it, in decimal.
inline constexpr std::string_view kVersionFloorField = "hearth-version-floor";

enum class Opcode : std::uint8_t {
  kSlotInfo = 244,         // slot, keys, keys with a deadline: three lengths
  kFunction = 245,         // source of a function library
  kModuleAux = 247,        // data of a module, outside of keys
  kIdle = 248,             // length: seconds since the key of the next record was used
  kFrequency = 249,        // one byte: its LFU counter
  kAux = 250,              // two strings
  kResizeDb = 251,         // keys, keys with a deadline: two lengths
  kDeadlineMillis = 252,   // i64 ms since 1970, of the next record's key
  kDeadlineSeconds = 253,  // i32 seconds
  kSelectDb = 254,         // length
  kEnd = 255,
};

// First bytes of a length. The two top bits: 00 six bits, 01 fourteen bits, 10 wide, 11 special.
inline constexpr std::uint8_t kLength32 = 0x80;  // big endian u32 follows
inline constexpr std::uint8_t kLength64 = 0x81;  // big endian u64 follows

// Special string encodings, behind the bits 11.
enum class StringForm : std::uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };

}  // namespace hearth::rdb
