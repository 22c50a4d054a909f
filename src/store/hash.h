// Hash: fields and values of one key, each field with an optional deadline.
//
// Three shapes, chosen by size and invisible to callers except as encoding(), which names them as
// clients know them:
//   listpack     pack of field, value, field, value ...        small hashes
//   listpackex   pack of field, value, deadline (0: none) ...  small hashes with field deadlines
//   hashtable    one allocation per field                      the rest
// A hash never goes back to a smaller shape on its own.
//
// Time: an expired field stays, and size() counts it, until expire_fields() or a write removes it.
// Every reading verb takes `now` and does not see it. min_deadline() says in O(1) whether there can
// be any.
//
// Views that are returned point into the hash or into `scratch` and end with the next change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/format_number.h"
#include "src/base/random.h"
#include "src/base/time.h"
#include "src/ds/listpack.h"
#include "src/ds/pack.h"

namespace hearth {

// Limits of the compact shapes, and the seed of the table's hash function.
struct HashLimits {
  std::uint64_t listpack_entries = 512;
  std::uint64_t listpack_value = 64;  // bytes of the longest field or value
  std::uint64_t seed = 0;
};

enum class HashEncoding : std::uint8_t { kListpack, kListpackEx, kHashtable };
[[nodiscard]] std::string_view encoding_name(HashEncoding encoding) noexcept;

class Hash {
 public:
  // Deadlines are milliseconds since 1970, > 0.
  static constexpr std::int64_t kNone = -1;  // no deadline
  static constexpr std::int64_t kKeep = -2;  // in set(): the field keeps the one it has

  // Room for the text of a number that stands in a listpack.
  struct Scratch {
    char field[kInt64TextMax];
    char value[kInt64TextMax];
  };
  struct Item {
    std::string_view field;
    std::string_view value;
    std::int64_t deadline = kNone;
  };
  enum class Set : std::uint8_t { kCreated, kReplaced };

  Hash();
  ~Hash();
  Hash(Hash&& other) noexcept;
  Hash& operator=(Hash&& other) noexcept;
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  // A hash of this listpack of alternating fields and values, the fields distinct.
  static Hash from_listpack(const ds::Listpack& pairs, const HashLimits& limits);
  [[nodiscard]] Hash clone() const;

  // --- reading: O(1) in a table, O(fields) in a listpack ---
  // Fields that are present, expired ones included. O(1).
  [[nodiscard]] std::uint64_t size() const;
  // Fields that can be seen. O(1) unless may_have_expired(), then O(fields).
  [[nodiscard]] std::uint64_t visible_size(UnixMillis now) const;
  [[nodiscard]] HashEncoding encoding() const;
  // No field has an earlier deadline; kNone if none has any. May be too early, never too late.
  [[nodiscard]] std::int64_t min_deadline() const;
  [[nodiscard]] bool may_have_expired(UnixMillis now) const {
    const std::int64_t earliest = min_deadline();
    return earliest != kNone && earliest <= now.ms;
  }
  [[nodiscard]] std::optional<std::string_view> get(std::string_view field, UnixMillis now,
                                                    Scratch& scratch) const;
  [[nodiscard]] bool exists(std::string_view field, UnixMillis now) const;
  // The field's deadline or kNone; nothing if there is no such field.
  [[nodiscard]] std::optional<std::int64_t> deadline(std::string_view field, UnixMillis now) const;
  // Any visible field, all with the same chance. Nothing if there is none, or if of a large hash so
  // many fields have expired that none was met: the work is bounded.
  [[nodiscard]] std::optional<Item> random(Rng& rng, UnixMillis now, Scratch& scratch) const;

  using Visitor = std::function<void(const Item&)>;
  // All visible fields: in order of insertion in a listpack, in no order in a table.
  void for_each(UnixMillis now, const Visitor& visit) const;
  // One step from `cursor`, 0 first; returns the next cursor, 0 at the end. A listpack is one step.
  // A field that is there from the first to the last step is visited at least once.
  std::uint64_t scan(std::uint64_t cursor, UnixMillis now, const Visitor& visit) const;

  // --- writing ---
  // deadline: kNone (an earlier one ends), kKeep or a time. A field that has expired counts as new.
  Set set(std::string_view field, std::string_view value, std::int64_t deadline, UnixMillis now,
          const HashLimits& limits);
  // False if there was no visible field; an expired one is taken away all the same.
  bool erase(std::string_view field, UnixMillis now);
  // deadline: a time or kNone. False if there is no visible field.
  bool set_deadline(std::string_view field, std::int64_t deadline, UnixMillis now,
                    const HashLimits& limits);
  // Takes up to `most` expired fields away and hands their names to `gone`; returns how many. The
  // work is bounded too: a large table is looked through in steps of about 64 * most fields, each
  // call going on where the last one stopped. min_deadline() is exact after a complete pass.
  std::uint64_t expire_fields(UnixMillis now, std::uint64_t most,
                              const std::function<void(std::string_view)>& gone);

  // --- other ---
  // Fields and values in turn, as files have a small hash. Deadlines are left out. O(fields).
  [[nodiscard]] ds::Listpack to_listpack() const;
  // Bytes of all allocations as the allocator rounds them, itself not counted. O(1); in a table the
  // fields' part is estimated from the bytes they hold.
  [[nodiscard]] std::size_t memory_bytes() const;
  // Buckets of the table; 0 in the other shapes.
  [[nodiscard]] std::uint64_t bucket_count() const;
  // A look-up of `field` that is still to come, for a batch: fetches the bucket into the cache and
  // returns the hash; then, when the bucket has arrived, the node. Nothing where there is no table.
  [[nodiscard]] std::optional<std::uint64_t> fetch_bucket(std::string_view field) const;
  void fetch_node(std::uint64_t hash) const;

 private:
  struct Packed;  // pack with deadlines
  struct Table;   // one allocation per field

  [[nodiscard]] const ds::Pack& pack() const;
  [[nodiscard]] ds::Pack& pack();
  [[nodiscard]] Packed* packed() const;
  [[nodiscard]] Table* table() const;
  [[nodiscard]] unsigned stride() const { return encoding() == HashEncoding::kListpack ? 2 : 3; }
  [[nodiscard]] ds::Pack::Position find_packed(std::string_view field) const;
  [[nodiscard]] std::int64_t packed_deadline(ds::Pack::Position value_at) const;
  [[nodiscard]] Item packed_item(ds::Pack::Position field_at, Scratch& scratch) const;
  Set set_packed(std::string_view field, std::string_view value, std::int64_t deadline,
                 UnixMillis now);
  void become_listpackex();
  void become_table(const HashLimits& limits);
  void release();

  [[nodiscard]] std::uintptr_t word() const;
  void set_word(std::uintptr_t word);

  // A Pack object, or the pointer to a Packed or Table with the encoding in its low bits, which are
  // zero in the pointer a Pack is: an ordinary small hash is one allocation besides these 8 bytes.
  alignas(ds::Pack) unsigned char body_[sizeof(ds::Pack)];
};

}  // namespace hearth
