// Zset: the members of one sorted set with their scores.
//
// Two shapes, chosen by size and invisible to callers except as encoding(), which names them as
// clients know them:
//   listpack   members and scores in order, in one allocation (ds::ScorePack)       small sets
//   skiplist   one allocation per member, a counting B+ tree over them and a table   the rest
// A sorted set never goes back to the smaller shape on its own.
//
// Members are ordered by score, then by bytes. A rank is a position in that order, from 0. Every
// range is a window of ranks: count_below() turns a bound into a rank, walk() reads a window in
// either direction, erase_ranks() takes one out. Scores are never NaN; infinities are scores.
//
// Costs: O(log n) in a skiplist and O(n) in a listpack where nothing else is stated. Views that are
// returned point into the set or into `scratch` and end with the next change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include "src/base/format_number.h"
#include "src/base/random.h"
#include "src/ds/listpack.h"
#include "src/ds/score_pack.h"
#include "src/ds/score_tree.h"

namespace hearth {

// Limits of the compact shape, and the seed of the table's hash function.
struct ZsetLimits {
  std::uint64_t listpack_entries = 128;
  std::uint64_t listpack_value = 64;  // bytes of the longest member
  std::uint64_t seed = 0;
};

enum class ZsetEncoding : std::uint8_t { kListpack, kSkiplist };
[[nodiscard]] std::string_view encoding_name(ZsetEncoding encoding) noexcept;

class Zset {
 public:
  struct Item {
    std::string_view member;
    double score = 0;
  };
  struct Scratch {
    char member[kInt64TextMax];
  };

  // Conditions of add(), and what its score means.
  struct AddRule {
    bool only_new = false;       // leave members that are there alone
    bool only_existing = false;  // add no member
    bool only_greater = false;   // change a score only to a greater one
    bool only_less = false;
    bool increment = false;  // the score is added to the one that is there
  };
  enum class Change : std::uint8_t {
    kAdded,
    kChanged,
    kSame,        // it has this score already
    kRefused,     // by the rule
    kNotANumber,  // the sum of infinities of both signs; nothing was done
  };
  struct Added {
    Change change = Change::kSame;
    double score = 0;  // the member's, where it has one and the rule did not refuse
  };

  Zset();
  ~Zset();
  Zset(Zset&& other) noexcept;
  Zset& operator=(Zset&& other) noexcept;
  Zset(const Zset&) = delete;
  Zset& operator=(const Zset&) = delete;
  // O(n).
  [[nodiscard]] Zset clone() const;

  // --- reading ---
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] ZsetEncoding encoding() const {
    return is_large() ? ZsetEncoding::kSkiplist : ZsetEncoding::kListpack;
  }
  // O(1) in a skiplist.
  [[nodiscard]] std::optional<double> score(std::string_view member) const;
  // The score and how many members stand before it.
  struct Ranked {
    std::uint64_t rank;
    double score;
  };
  [[nodiscard]] std::optional<Ranked> rank(std::string_view member) const;
  // How many members have a score below `score`; with or_equal: not above it.
  [[nodiscard]] std::uint64_t count_below(double score, bool or_equal) const;
  // How many members are below `member` in the order of bytes. Means something only where all
  // scores are equal; never more than size().
  [[nodiscard]] std::uint64_t count_below(std::string_view member, bool or_equal) const;
  // The member of this rank, which must exist.
  [[nodiscard]] Item at(std::uint64_t rank, Scratch& scratch) const;
  // Any member, all with exactly the same chance. The set must not be empty.
  [[nodiscard]] Item random(Rng& rng, Scratch& scratch) const {
    return at(rng.below(size()), scratch);
  }

  enum class Direction : bool { kUp, kDown };
  // Reads a window one by one. Ends with the next change of the set.
  class Walk {
   public:
    // False at the end. The view lasts until the next call.
    bool next(Item& out);

   private:
    friend class Zset;
    const ds::ScorePack* pack_ = nullptr;
    ds::ScorePack::Position at_ = ds::ScorePack::kEnd;
    std::vector<ds::ScorePack::Position> backwards_;  // of a pack, which is read forwards only
    ds::ScoreTree::Cursor cursor_;
    std::uint64_t left_ = 0;
    Direction direction_ = Direction::kUp;
    Scratch scratch_;
  };
  // `count` members from that of rank `first` on, upwards or downwards; fewer where the set ends.
  [[nodiscard]] Walk walk(std::uint64_t first, std::uint64_t count,
                          Direction direction = Direction::kUp) const;
  // All of them, upwards.
  [[nodiscard]] Walk walk() const { return walk(0, size()); }

  using Visitor = std::function<void(const Item&)>;
  // One step from `cursor`, 0 first; returns the next cursor, 0 at the end. A listpack is one step.
  // A member that is there from the first to the last step is visited at least once.
  std::uint64_t scan(std::uint64_t cursor, const Visitor& visit) const;

  // --- writing ---
  Added add(std::string_view member, double score, const AddRule& rule, const ZsetLimits& limits);
  // Gives the member this score, whether it is there or not; true if it is new.
  bool set(std::string_view member, double score, const ZsetLimits& limits) {
    return add(member, score, {}, limits).change == Change::kAdded;
  }
  // False if it was not there.
  bool erase(std::string_view member);
  // Takes `count` members out, from rank `first` on; they must exist. O(log n + count).
  void erase_ranks(std::uint64_t first, std::uint64_t count);

  // --- other ---
  // Members and scores in turn, as files have a small sorted set. O(n).
  [[nodiscard]] ds::Listpack to_listpack() const;
  // Bytes of all allocations as the allocator rounds them, itself not counted. O(1); in a skiplist
  // the members' part is estimated from the bytes they hold.
  [[nodiscard]] std::size_t memory_bytes() const;
  // Buckets of the table; 0 in a listpack.
  [[nodiscard]] std::uint64_t bucket_count() const;
  // A look-up of `member` that is still to come, for a batch: fetches the bucket into the cache and
  // returns the hash; then, when the bucket has arrived, the node. Nothing where there is no table.
  [[nodiscard]] std::optional<std::uint64_t> fetch_bucket(std::string_view member) const;
  void fetch_node(std::uint64_t hash) const;

 private:
  friend class ZsetBuilder;
  struct Large;

  [[nodiscard]] bool is_large() const { return (word() & 1) != 0; }
  [[nodiscard]] Large* large() const {
    return reinterpret_cast<Large*>(word() & ~std::uintptr_t{1});
  }
  [[nodiscard]] const ds::ScorePack& pack() const {
    return *std::launder(reinterpret_cast<const ds::ScorePack*>(body_));
  }
  [[nodiscard]] ds::ScorePack& pack() {
    return *std::launder(reinterpret_cast<ds::ScorePack*>(body_));
  }
  [[nodiscard]] std::uintptr_t word() const {
    std::uintptr_t w = 0;
    std::memcpy(&w, body_, sizeof w);
    return w;
  }
  void set_word(std::uintptr_t w) { std::memcpy(body_, &w, sizeof w); }
  void become_large(const ZsetLimits& limits);
  void release();

  // A ScorePack object, or the pointer to a Large with its lowest bit set, which is zero in the
  // pointer a ScorePack is: a small set is one allocation besides these 8 bytes.
  alignas(ds::ScorePack) unsigned char body_[sizeof(ds::ScorePack)];
};

// Collects members in any order and makes a sorted set of them, in the shape that they fit. One
// allocation per member, which a large set keeps.
class ZsetBuilder {
 public:
  explicit ZsetBuilder(std::uint64_t seed);
  ~ZsetBuilder();
  ZsetBuilder(const ZsetBuilder&) = delete;
  ZsetBuilder& operator=(const ZsetBuilder&) = delete;

  [[nodiscard]] std::uint64_t size() const;
  // False, and nothing done, if the member is there.
  bool add(std::string_view member, double score);
  // Adds the member, or gives it combine(its score, score).
  void merge(std::string_view member, double score, double (*combine)(double, double));
  // The builder is empty after it. O(n log n).
  [[nodiscard]] Zset build(const ZsetLimits& limits);

 private:
  std::unique_ptr<Zset::Large> large_;  // its tree is empty until build()
  std::size_t longest_ = 0;
};

}  // namespace hearth
