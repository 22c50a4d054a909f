// Set: the members of one key.
//
// Three shapes, chosen by size and content and invisible to callers except as encoding(), which
// names them as clients know them:
//   intset     integers in ascending order         small sets of nothing but integers
//   listpack   prefix pack, in order of insertion  other small sets
//   hashtable  one allocation per member           the rest
// A set never goes back to a smaller shape on its own; see compact_integers().
//
// Views that are returned point into the set or into `scratch` and end with the next change; those
// that visitors get end with their call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/random.h"
#include "src/ds/intset.h"
#include "src/ds/listpack.h"
#include "src/ds/prefix_pack.h"

namespace hearth {

// Limits of the compact shapes, and the seed of the table's hash function.
struct SetLimits {
  std::uint64_t intset_entries = 512;
  std::uint64_t listpack_entries = 128;
  std::uint64_t listpack_value = 64;  // bytes of the longest member
  std::uint64_t seed = 0;
};

enum class SetEncoding : std::uint8_t { kListpack, kIntset, kHashtable };
[[nodiscard]] std::string_view encoding_name(SetEncoding encoding) noexcept;

class Set {
 public:
  // Room for a member that does not stand as one text.
  struct Scratch {
    std::string text;
  };
  using Visitor = std::function<void(std::string_view)>;
  using Predicate = std::function<bool(std::string_view)>;

  Set();  // an empty intset
  ~Set();
  Set(Set&& other) noexcept;
  Set& operator=(Set&& other) noexcept;
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;
  [[nodiscard]] Set clone() const;

  // An empty set in the shape for `count` members of which this is the first.
  static Set for_members(std::string_view first, std::uint64_t count, const SetLimits& limits);
  // `ints` becomes a table if it has more values than the limit allows.
  static Set from_intset(ds::Intset ints, const SetLimits& limits);

  // --- reading: contains() is O(1) in a table, O(log n) in an intset, O(n) in a listpack ---
  [[nodiscard]] std::uint64_t size() const;  // O(1)
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] SetEncoding encoding() const;
  [[nodiscard]] bool contains(std::string_view member) const;
  // Any member, all with the same chance. The set must not be empty.
  [[nodiscard]] std::string_view random(Rng& rng, Scratch& scratch) const;
  // `count` different members, every choice with the same chance, in no promised order; all of them
  // if there are fewer. O(count) if that is a small part of a table, else O(n).
  void sample(Rng& rng, std::uint64_t count, const Visitor& visit) const;
  void for_each(const Visitor& visit) const;
  // Stops at the first member for which `test` is false; true if there was none.
  bool every(const Predicate& test) const;
  // One step from `cursor`, 0 first; returns the next cursor, 0 at the end. A compact set is one
  // step. A member that is there from the first to the last step is visited at least once.
  std::uint64_t scan(std::uint64_t cursor, const Visitor& visit) const;

  // --- writing. `member` must not point into the set. ---
  // False if it was there already.
  bool add(std::string_view member, const SetLimits& limits);
  // False if it was not there.
  bool erase(std::string_view member);
  // Takes a random member out. The set must not be empty.
  [[nodiscard]] std::string pop(Rng& rng);
  // Takes `count` random members out, fewer than there are, and hands each to `visit`.
  void pop(Rng& rng, std::uint64_t count, const Visitor& visit);
  // So many members are about to be added, if they are all new: a compact set that could not hold
  // as many becomes a table at once.
  void expect(std::uint64_t count, const SetLimits& limits);
  // A set of nothing but integers, few enough, becomes an intset. O(n).
  void compact_integers(const SetLimits& limits);

  // --- other ---
  // The bytes of an intset; only in that shape.
  [[nodiscard]] std::string_view intset_bytes() const;
  // Members as files have a small set. O(n); of a compact set only.
  [[nodiscard]] ds::Listpack to_listpack() const;
  // Bytes of all allocations as the allocator rounds them, itself not counted. O(1); in a table the
  // members' part is estimated from the bytes they hold.
  [[nodiscard]] std::size_t memory_bytes() const;
  // Buckets of the table; 0 in the other shapes.
  [[nodiscard]] std::uint64_t bucket_count() const;
  // A look-up of `member` that is still to come, for a batch: fetches the bucket into the cache and
  // returns the hash; then, when the bucket has arrived, the node. Nothing where there is no table.
  [[nodiscard]] std::optional<std::uint64_t> fetch_bucket(std::string_view member) const;
  void fetch_node(std::uint64_t hash) const;

 private:
  struct Table;

  [[nodiscard]] ds::PrefixPack& pack() const;
  [[nodiscard]] Table* table() const;
  // Moves the intset out and in; in between the set has no body.
  [[nodiscard]] ds::Intset take_ints();
  void set_ints(ds::Intset ints);
  void set_pack(ds::PrefixPack pack);
  bool add_to_table(std::string_view member);
  bool add_to_ints(std::string_view member, const SetLimits& limits);
  void become_table(std::uint64_t room, const SetLimits& limits);
  void become_pack();
  void pop_compact(Rng& rng, std::uint64_t count, const Visitor& visit);
  void release();
  [[nodiscard]] std::uintptr_t word() const;
  void set_word(std::uintptr_t word);

  // A PrefixPack object, or the pointer of an Intset or to a Table with the encoding in its low
  // bits, which are zero in the pointer a PrefixPack is: a small set is one allocation besides
  // these 8 bytes.
  alignas(ds::PrefixPack) unsigned char body_[sizeof(ds::PrefixPack)];
};

}  // namespace hearth
