// Entry: one key and its value, in one allocation.
//
//   offset 0   type (low 4 bits) and string encoding (high 4)
//          1   flags: which optional fields follow
//          2   access, 24 bit: LRU seconds or LFU minutes and counter (see eviction.h)
//          5   key length, if below 256 and kWideKey is not set
//          6   length of the in-line value, u16
//          8   [deadline, i64 ms since 1970]              if kHasDeadline
//              [body, 8 bytes: see below]                 unless kInline
//              [key length, u64]                          if kWideKey
//              key bytes, then the value bytes if kInline
//              [version, u64]                             if kHasVersion
//
// The version stands last, so that what every look-up reads stays where it is without it.
//
// The body is an integer, the pointer to a RawString or a Stream, or the List, Set, Zset or Hash
// itself: each of those is one word that may be moved as plain bytes. In line stand short strings
// and small lists (list_value.h).
//
// A 16-byte key with an 8-byte value is 32 bytes; with a 64-byte value 88. An entry that must
// become larger or smaller is replaced by another one (see Database, the only owner).
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/base/time.h"

namespace hearth {

class Hash;
class List;
class Set;
class Stream;
class Zset;

enum class Type : std::uint8_t { kString, kList, kSet, kZset, kHash, kStream };
inline constexpr int kTypeCount = 6;

// As TYPE reports it.
[[nodiscard]] std::string_view type_name(Type type) noexcept;

enum class StringEncoding : std::uint8_t { kInt, kEmbstr, kRaw };

inline constexpr std::int64_t kNoDeadline = -1;
// Versions (SET ... VER n) are 1 and up.
inline constexpr std::uint64_t kNoVersion = 0;
// Longest value that stands inside its entry.
inline constexpr std::size_t kInlineValueMax = 1024;
// Longest string reported as "embstr"; longer ones, and edited ones, are "raw".
inline constexpr std::size_t kEmbstrMax = 44;

// A string of its own allocation: for long values and for values that grow by APPEND or SETRANGE.
struct RawString {
  std::uint64_t size;
  std::uint64_t capacity;
  [[nodiscard]] char* data() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] std::string_view view() const { return {data(), size}; }
  static RawString* make(std::uint64_t size, std::uint64_t capacity);
  static void free(RawString* s);
};

class Entry {
 public:
  // --- making. `access` is the 24-bit access field; deadline may be kNoDeadline. ---
  static Entry* make_string(std::string_view key, std::string_view value, std::int64_t deadline,
                            std::uint32_t access);
  static Entry* make_int(std::string_view key, std::int64_t value, std::int64_t deadline,
                         std::uint32_t access);
  // Takes ownership of `s`.
  static Entry* make_raw(std::string_view key, RawString* s, std::int64_t deadline,
                         std::uint32_t access);
  static Entry* make(std::string_view key, Hash&& value, std::int64_t deadline,
                     std::uint32_t access);
  static Entry* make(std::string_view key, Set&& value, std::int64_t deadline,
                     std::uint32_t access);
  static Entry* make(std::string_view key, Zset&& value, std::int64_t deadline,
                     std::uint32_t access);
  static Entry* make(std::string_view key, std::unique_ptr<Stream> value, std::int64_t deadline,
                     std::uint32_t access);
  // Any list in a body; make_list (list_value.h) puts small ones in line.
  static Entry* make(std::string_view key, List&& value, std::int64_t deadline,
                     std::uint32_t access);
  // A small list in its packed form (list_value.h). To be changed by splice() only.
  static Entry* make_packed_list(std::string_view key, std::string_view packed,
                                 std::int64_t deadline, std::uint32_t access);
  // The same entry with another deadline (or none): key and value move, `old` is freed.
  static Entry* with_deadline(Entry* old, std::int64_t deadline);
  // The same entry with a version, not kNoVersion; `old` is freed if it had none.
  static Entry* with_version(Entry* old, std::uint64_t version);
  // The same value under another key, without a version, which belongs to the key; `old` is freed.
  static Entry* with_key(Entry* old, std::string_view key);
  // The same entry with `inserted` in place of `removed` bytes of its packed list. In place where
  // the allocation has the right size; else `old` is freed.
  static Entry* splice(Entry* old, std::size_t offset, std::size_t removed,
                       std::string_view inserted);
  // A second entry under another key, with a copy of the value and the same deadline and access,
  // without a version. O(size of the value).
  [[nodiscard]] Entry* copy_as(std::string_view key) const;
  // Frees the entry and its value.
  static void free(Entry* e);

  // --- reading ---
  [[nodiscard]] Type type() const { return static_cast<Type>(head_ & 15); }
  [[nodiscard]] StringEncoding string_encoding() const {
    return static_cast<StringEncoding>(head_ >> 4);
  }
  [[nodiscard]] std::string_view key() const {
    const char* p = after_optional() + ((flags_ & kInline) != 0 ? 0 : 8);
    if ((flags_ & kWideKey) != 0) [[unlikely]]
      return {p + 8, load_le<std::uint64_t>(p)};
    return {p, key_length_};
  }
  [[nodiscard]] bool has_deadline() const { return (flags_ & kHasDeadline) != 0; }
  [[nodiscard]] std::int64_t deadline() const {
    return has_deadline() ? load_le<std::int64_t>(fields()) : kNoDeadline;
  }
  [[nodiscard]] bool expired(UnixMillis now) const {
    return has_deadline() && load_le<std::int64_t>(fields()) <= now.ms;
  }

  // kNoVersion: the key was never written with one.
  [[nodiscard]] std::uint64_t version() const {
    return has_version() ? load_le<std::uint64_t>(version_place()) : kNoVersion;
  }

  [[nodiscard]] bool is_int() const {
    return type() == Type::kString && string_encoding() == StringEncoding::kInt;
  }
  [[nodiscard]] std::int64_t int_value() const { return load_le<std::int64_t>(after_optional()); }
  void set_int_value(std::int64_t v) { store_le(mutable_after_optional(), v); }
  [[nodiscard]] bool is_inline() const { return (flags_ & kInline) != 0; }
  // The in-line value; may be overwritten, not resized.
  [[nodiscard]] std::string_view inline_value() const {
    const std::string_view k = key();
    return {k.data() + k.size(), value_length_};
  }
  char* mutable_inline_value() {
    const std::string_view k = key();
    return reinterpret_cast<char*>(this) +
           (k.data() + k.size() - reinterpret_cast<const char*>(this));
  }
  // Values that are not in line; list() of lists only that are not packed.
  [[nodiscard]] RawString* raw() { return load_le<RawString*>(after_optional()); }
  [[nodiscard]] const RawString* raw() const { return load_le<const RawString*>(after_optional()); }
  void set_raw(RawString* s) { store_le(mutable_after_optional(), s); }
  [[nodiscard]] Hash* hash() { return body<Hash>(); }
  [[nodiscard]] const Hash* hash() const { return body<Hash>(); }
  [[nodiscard]] List* list() { return body<List>(); }
  [[nodiscard]] const List* list() const { return body<List>(); }
  [[nodiscard]] Set* set() { return body<Set>(); }
  [[nodiscard]] const Set* set() const { return body<Set>(); }
  [[nodiscard]] Zset* zset() { return body<Zset>(); }
  [[nodiscard]] const Zset* zset() const { return body<Zset>(); }
  [[nodiscard]] Stream* stream() { return load_le<Stream*>(after_optional()); }
  [[nodiscard]] const Stream* stream() const { return load_le<const Stream*>(after_optional()); }

  // The value of a string entry of any encoding; `scratch` (kInt64TextMax bytes) holds integers.
  [[nodiscard]] std::string_view string_value(char* scratch) const;
  [[nodiscard]] std::size_t string_length() const;
  void mark_edited() { set_encoding(StringEncoding::kRaw); }
  void set_encoding(StringEncoding e) {
    head_ = static_cast<std::uint8_t>((head_ & 15) | (static_cast<unsigned>(e) << 4));
  }

  [[nodiscard]] std::uint32_t access() const {
    return access_[0] | static_cast<std::uint32_t>(access_[1]) << 8 |
           static_cast<std::uint32_t>(access_[2]) << 16;
  }
  void set_access(std::uint32_t v) {
    access_[0] = static_cast<std::uint8_t>(v);
    access_[1] = static_cast<std::uint8_t>(v >> 8);
    access_[2] = static_cast<std::uint8_t>(v >> 16);
  }

  // When something of this key expires first, fields of a hash included; kNoDeadline if nothing
  // does.
  [[nodiscard]] std::int64_t first_deadline() const;

  // Bytes this key holds: entry and value, as the allocator rounds them.
  [[nodiscard]] std::size_t memory_bytes() const;
  // How many allocations freeing the value takes, about: decides what is worth a background free.
  [[nodiscard]] std::size_t free_effort() const;

 private:
  static constexpr std::uint8_t kHasDeadline = 1, kInline = 2, kWideKey = 4, kHasVersion = 8;

  struct Shape {
    std::string_view key;
    std::int64_t deadline;
    std::size_t inline_length;
    bool inline_value;
    std::uint64_t version = kNoVersion;
  };
  static Entry* allocate(const Shape& shape, Type type, StringEncoding encoding,
                         std::uint32_t access);
  template <typename V>
  static Entry* make_body(std::string_view key, Type type, V&& value, std::int64_t deadline,
                          std::uint32_t access);
  // Of the same type, with the value moved into it; `old` is freed.
  static Entry* reshaped(Entry* old, std::string_view key, std::int64_t deadline,
                         std::uint64_t version);
  // Bytes in front of an in-line value, or of the whole entry.
  [[nodiscard]] std::size_t head_bytes() const {
    return sizeof(Entry) + (has_deadline() ? 8U : 0U) + (is_inline() ? 0U : 8U) +
           ((flags_ & kWideKey) != 0 ? 8U : 0U) + key().size();
  }
  [[nodiscard]] bool has_version() const { return (flags_ & kHasVersion) != 0; }
  [[nodiscard]] std::size_t tail_bytes() const { return has_version() ? 8U : 0U; }
  [[nodiscard]] const char* version_place() const {
    const std::string_view k = key();
    return k.data() + k.size() + value_length_;
  }
  [[nodiscard]] const char* fields() const { return reinterpret_cast<const char*>(this) + 8; }
  [[nodiscard]] const char* after_optional() const { return fields() + (has_deadline() ? 8 : 0); }
  char* mutable_after_optional() {
    return reinterpret_cast<char*>(this) + 8 + (has_deadline() ? 8 : 0);
  }
  // No std::launder: clang wants complete types for it, and V was made in these very bytes.
  template <typename V>
  [[nodiscard]] V* body() {
    return reinterpret_cast<V*>(mutable_after_optional());
  }
  template <typename V>
  [[nodiscard]] const V* body() const {
    return reinterpret_cast<const V*>(after_optional());
  }

  std::uint8_t head_;
  std::uint8_t flags_;
  std::uint8_t access_[3];
  std::uint8_t key_length_;
  std::uint16_t value_length_;
};
static_assert(sizeof(Entry) == 8);

// The integer a string stores as, if its text is the canonical form of one.
[[nodiscard]] bool as_stored_int(std::string_view value, std::int64_t& out) noexcept;

}  // namespace hearth
