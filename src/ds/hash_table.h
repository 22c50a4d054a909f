// HashTable: the one big hash table. Keyspace, large hashes and large sets are built on it.
//
// A bucket is one cache line: seven one-byte tags, a byte of marks, seven entry pointers. A tag is
// the top byte of the entry's hash. A look-up reads the line, compares all tags with one word
// operation and follows a pointer only where the tag matches. When a bucket is full, its last
// pointer becomes the link to an overflow bucket.
//
// The table grows and shrinks by linear hashing (Litwin 1980). With N = 2^k base buckets, of which
// the first `split` are split, there are N + split buckets. An insertion that passes the load limit
// splits one bucket; a removal that falls below the low limit joins two. So no operation pays for a
// rehash of the whole table, and there are never two tables. Buckets stand in segments of 512; only
// the first one is reallocated, while it is smaller than that.
//
// While resizing is paused (a forked child shares the pages) buckets are split only when chains get
// so long that look-ups suffer, and none are joined.
//
// The table borrows its entries: it stores T* and never frees one.
//
//   Traits::key(const T&) -> std::string_view     the entry's key
//
// A slot (T**) that is returned is valid until the next insert, erase or settle. Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/base/prefetch.h"
#include "src/base/random.h"

namespace hearth::ds {

template <typename T, typename Traits>
class HashTable {
 public:
  // Entries per bucket at which one more bucket is split: 21/4.
  static constexpr std::uint64_t kLoadNumerator = 21, kLoadDenominator = 4;
  // The same while resizing is paused: chains of about four cache lines.
  static constexpr std::uint64_t kPausedLoad = 21;
  static constexpr unsigned kSlots = 7;

  explicit HashTable(std::uint64_t seed = 0) : seed_(seed) {}
  HashTable(const HashTable&) = delete;
  HashTable& operator=(const HashTable&) = delete;
  ~HashTable() { release(); }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint64_t bucket_count() const { return base_ + split_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t hash_of(std::string_view key) const { return hash_bytes(key, seed_); }

  // Bytes of buckets and directory; entries are the owner's.
  [[nodiscard]] std::uint64_t memory_bytes() const {
    if (base_ == 0) return 0;
    return (first_capacity_ + (segment_count_ - 1) * kSegment + overflow_) * sizeof(Bucket) +
           (dir_ != nullptr ? dir_capacity_ * sizeof(Bucket*) : 0);
  }

  [[nodiscard]] T** find(std::string_view key, std::uint64_t hash) const {
    if (base_ == 0) return nullptr;
    const std::uint8_t tag = tag_of(hash);
    for (Bucket* b = bucket_at(index_of(hash)); b != nullptr; b = b->next()) {
      for (std::uint64_t match = b->match(tag); match != 0; match &= match - 1) {
        T** slot = b->slot(static_cast<unsigned>(std::countr_zero(match)) / 8);
        if (same_bytes(Traits::key(**slot), key)) return slot;
      }
    }
    return nullptr;
  }
  [[nodiscard]] T** find(std::string_view key) const { return find(key, hash_of(key)); }

  // Two steps of a look-up that is still to come, for a batch: first the bucket, then (when that
  // has arrived) the entry behind the first matching tag.
  void prefetch_bucket(std::uint64_t hash) const {
    if (base_ != 0) prefetch(bucket_at(index_of(hash)));
  }
  void prefetch_entry(std::uint64_t hash) const {
    if (base_ == 0) return;
    const std::uint8_t tag = tag_of(hash);
    for (Bucket* b = bucket_at(index_of(hash)); b != nullptr; b = b->next()) {
      const std::uint64_t match = b->match(tag);
      if (match == 0) continue;
      const char* entry = reinterpret_cast<const char*>(
          *b->slot(static_cast<unsigned>(std::countr_zero(match)) / 8));
      prefetch(entry);
      prefetch(entry + 64);
      return;
    }
  }

  // The key must not be in the table.
  T** insert(T* entry, std::uint64_t hash, bool marked = false) {
    if (base_ == 0) init();
    ++size_;
    if (size_ * kLoadDenominator > bucket_count() * kLoadNumerator &&
        (pauses_ == 0 || size_ > bucket_count() * kPausedLoad)) {
      split_one();
    }
    return place(index_of(hash), entry, tag_of(hash), marked);
  }

  // `slot` must be valid. Returns the entry, which is the caller's.
  T* erase(T** slot, std::uint64_t hash) {
    T* entry = *slot;
    Bucket* holder = Bucket::of(slot);
    const unsigned at = holder->index_of(slot);
    Bucket* head = bucket_at(index_of(hash));
    // The hole is filled from the end of the chain, so that chains stay dense and end early.
    Bucket* before_last = nullptr;
    Bucket* last = head;
    while (Bucket* n = last->next()) {
      before_last = last;
      last = n;
    }
    if (last != holder || before_last != nullptr) {
      unsigned from = kSlots;
      for (unsigned i = last->capacity(); i-- > 0;) {
        if (last->tags[i] != 0 && !(last == holder && i == at)) {
          from = i;
          break;
        }
      }
      if (from != kSlots) {
        holder->assign(at, last->ptr[from], last->tags[from], last->marked(from));
        last->clear(from);
      } else {
        holder->clear(at);
      }
      if (before_last != nullptr && last->used() == 0) drop_overflow(before_last, last);
    } else {
      holder->clear(at);
    }
    --size_;
    if (bucket_count() > 1 && size_ * 2 < bucket_count() * 3 && pauses_ == 0) join_one();
    return entry;
  }

  // One mark per entry. It stands in the bucket, so reading it does not touch the entry.
  static void set_mark(T** slot, bool on) {
    Bucket* b = Bucket::of(slot);
    b->set_mark(b->index_of(slot), on);
  }

  static bool marked(T** slot) {
    const Bucket* b = Bucket::of(slot);
    return b->marked(b->index_of(slot));
  }

  // Splits or joins up to `budget` buckets until their number fits the entries. Needed for a table
  // that was filled or emptied while it was paused and then stands still. Returns the budget that
  // is left; 0 may mean that there is more to do.
  std::uint64_t settle(std::uint64_t budget) {
    if (base_ == 0 || pauses_ > 0) return budget;
    for (; budget > 0 && size_ * kLoadDenominator > bucket_count() * kLoadNumerator; --budget)
      split_one();
    const bool sparse = bucket_count() > 1 && size_ * 2 < bucket_count() * 3;
    if (!sparse) return budget;
    // Down to the load limit. The gap to the low limit is only for tables whose size swings.
    for (; budget > 0 && bucket_count() > 1 &&
           size_ * kLoadDenominator <= (bucket_count() - 1) * kLoadNumerator;
         --budget) {
      join_one();
    }
    return budget;
  }

  // For reports that assume a table which doubles: the power of two that such a table would have
  // for as many entries as this one has room for. 0 before the first insertion.
  [[nodiscard]] std::uint64_t nominal_size() const {
    if (base_ == 0) return 0;
    const std::uint64_t least = (bucket_count() - 1) * kLoadNumerator / kLoadDenominator + 1;
    const std::uint64_t most = bucket_count() * kLoadNumerator / kLoadDenominator;
    return std::bit_ceil(std::clamp(size_, least, most));
  }

  // Pauses nest. See the top of the file.
  void pause_resize() { ++pauses_; }
  [[nodiscard]] bool is_resize_paused() const { return pauses_ > 0; }
  // A table that was made during a pause is resumed without having been paused.
  void resume_resize() {
    if (pauses_ > 0) --pauses_;
  }

  // Calls fn(T* entry, bool marked) for every entry of one bucket chain. fn must not change the
  // table.
  template <typename F>
  void for_each_in_bucket(std::uint64_t index, F&& fn) const {
    for (Bucket* b = bucket_at(index); b != nullptr; b = b->next()) {
      for (unsigned i = 0; i < b->capacity(); ++i) {
        if (b->tags[i] != 0) fn(static_cast<T*>(b->ptr[i]), b->marked(i));
      }
    }
  }
  [[nodiscard]] bool bucket_has_mark(std::uint64_t index) const {
    for (Bucket* b = bucket_at(index); b != nullptr; b = b->next()) {
      if ((b->marks & 0x7f) != 0) return true;
    }
    return false;
  }
  template <typename F>
  void for_each(F&& fn) const {
    for (std::uint64_t i = 0; i < bucket_count(); ++i)
      for_each_in_bucket(i, [&](T* e, bool) { fn(e); });
  }

  // One step of a scan from `cursor` (0 starts). Returns the next cursor, 0 when the scan is
  // complete. An entry that is in the table from the first to the last step is seen at least once,
  // however the table grows or shrinks in between: the cursor counts the base buckets in
  // bit-reversed order, so that visited buckets count as visited when N doubles or halves.
  // fn must not change the table.
  template <typename F>
  std::uint64_t scan(std::uint64_t cursor, F&& fn) const {
    if (base_ == 0) return 0;
    const std::uint64_t mask = base_ - 1;
    const std::uint64_t low = cursor & mask;
    for_each_in_bucket(low, [&](T* e, bool) { fn(e); });
    if (low < split_) for_each_in_bucket(low + base_, [&](T* e, bool) { fn(e); });
    cursor |= ~mask;
    cursor = reverse_bits(cursor);
    ++cursor;
    return reverse_bits(cursor);
  }

  // A uniformly chosen entry; nullptr when empty. A bucket is accepted in proportion to its
  // population, which makes the choice exact for chains of up to three lines. A table that was
  // emptied while it was paused is walked instead, from a random bucket on.
  [[nodiscard]] T* random(Rng& rng) const {
    if (size_ == 0) return nullptr;
    constexpr unsigned kMost = 3 * kSlots;
    constexpr unsigned kTriesMost = 1000;
    for (unsigned tries = 0;; ++tries) {
      const std::uint64_t index = rng.below(bucket_count());
      if (tries == kTriesMost) return first_from(index);
      unsigned population = 0;
      for (Bucket* b = bucket_at(index); b != nullptr; b = b->next()) population += b->used();
      if (population == 0) continue;
      const auto pick = static_cast<unsigned>(rng.below(population > kMost ? population : kMost));
      if (pick >= population) continue;
      unsigned seen = 0;
      T* chosen = nullptr;
      for_each_in_bucket(index, [&](T* e, bool) {
        if (seen++ == pick) chosen = e;
      });
      return chosen;
    }
  }

  // Takes every entry out through fn(T*), frees the buckets.
  template <typename F>
  void clear(F&& fn) {
    for_each(fn);
    release();
  }

  // Room for n entries without a split: for loads of known size.
  void reserve(std::uint64_t n) {
    if (base_ == 0) init();
    while (bucket_count() * kLoadNumerator < n * kLoadDenominator) split_one();
  }

 private:
  // The first entry of a bucket from `index` on, around the end. The table is not empty.
  [[nodiscard]] T* first_from(std::uint64_t index) const {
    T* found = nullptr;
    for (std::uint64_t i = 0; found == nullptr; ++i) {
      for_each_in_bucket((index + i) % bucket_count(), [&](T* e, bool) { found = e; });
    }
    return found;
  }

  static constexpr std::uint64_t kSegment = 512;  // buckets; 32 KiB
  static constexpr unsigned kChainSlot = kSlots - 1;
  static constexpr std::uint8_t kChained = 0x80;

  struct alignas(64) Bucket {
    std::uint8_t tags[kSlots];
    std::uint8_t marks;  // bit i: entry i is marked; bit 7: the last pointer is the overflow bucket
    void* ptr[kSlots];

    static Bucket* of(T** slot) {
      return reinterpret_cast<Bucket*>(reinterpret_cast<std::uintptr_t>(slot) &
                                       ~std::uintptr_t{63});
    }
    unsigned index_of(T** slot) const {
      return static_cast<unsigned>((reinterpret_cast<std::uintptr_t>(slot) & 63) / sizeof(void*)) -
             1;
    }
    T** slot(unsigned i) { return reinterpret_cast<T**>(&ptr[i]); }
    Bucket* next() const {
      return (marks & kChained) != 0 ? static_cast<Bucket*>(ptr[kChainSlot]) : nullptr;
    }
    unsigned capacity() const { return (marks & kChained) != 0 ? kSlots - 1 : kSlots; }
    bool marked(unsigned i) const { return ((marks >> i) & 1) != 0; }
    void set_mark(unsigned i, bool on) {
      marks = static_cast<std::uint8_t>(on ? marks | (1U << i) : marks & ~(1U << i));
    }
    void assign(unsigned i, void* p, std::uint8_t tag, bool mark) {
      ptr[i] = p;
      tags[i] = tag;
      set_mark(i, mark);
    }
    void clear(unsigned i) { assign(i, nullptr, 0, false); }
    unsigned used() const {
      unsigned n = 0;
      for (unsigned i = 0; i < capacity(); ++i) n += tags[i] != 0 ? 1 : 0;
      return n;
    }
    // Bytes of the first word that equal tag, as 0x80 bits. May also flag a byte right above a
    // true match; the key comparison sorts those out.
    std::uint64_t match(std::uint8_t tag) const {
      std::uint64_t word;
      std::memcpy(&word, this, sizeof word);
      const std::uint64_t x = word ^ (0x0101010101010101ULL * tag);
      std::uint64_t hit = (x - 0x0101010101010101ULL) & ~x & 0x0080808080808080ULL;
      // A flagged empty slot would be followed as a null pointer: drop slots whose tag is zero.
      if (hit != 0) hit &= ((word & 0x7f7f7f7f7f7f7f7fULL) + 0x7f7f7f7f7f7f7f7fULL) | word;
      return hit;
    }
  };
  static_assert(sizeof(Bucket) == 64);

  static std::uint8_t tag_of(std::uint64_t hash) {
    const auto tag = static_cast<std::uint8_t>(hash >> 56);
    return tag == 0 ? 1 : tag;  // zero marks an empty slot
  }
  static std::uint64_t reverse_bits(std::uint64_t v) {
    v = ((v >> 1) & 0x5555555555555555ULL) | ((v & 0x5555555555555555ULL) << 1);
    v = ((v >> 2) & 0x3333333333333333ULL) | ((v & 0x3333333333333333ULL) << 2);
    v = ((v >> 4) & 0x0f0f0f0f0f0f0f0fULL) | ((v & 0x0f0f0f0f0f0f0f0fULL) << 4);
    return __builtin_bswap64(v);
  }

  [[nodiscard]] std::uint64_t index_of(std::uint64_t hash) const {
    const std::uint64_t wide = hash & (2 * base_ - 1);
    return wide < base_ + split_ ? wide : wide & (base_ - 1);
  }
  [[nodiscard]] Bucket* bucket_at(std::uint64_t index) const {
    if (index < kSegment) return first_ + index;
    return dir_[index / kSegment] + index % kSegment;
  }

  static Bucket* make_buckets(std::uint64_t n) {
    auto* p = static_cast<Bucket*>(::operator new (n * sizeof(Bucket), std::align_val_t{64}));
    std::memset(static_cast<void*>(p), 0, n * sizeof(Bucket));
    return p;
  }
  static void free_buckets(Bucket* p, std::uint64_t n) {
    ::operator delete (p, n * sizeof(Bucket), std::align_val_t{64});
  }

  void init() {
    first_ = make_buckets(1);
    first_capacity_ = 1;
    segment_count_ = 1;
    base_ = 1;
    split_ = 0;
  }

  T** place(std::uint64_t index, void* entry, std::uint8_t tag, bool marked) {
    Bucket* b = bucket_at(index);
    for (;;) {
      for (unsigned i = 0; i < b->capacity(); ++i) {
        if (b->tags[i] == 0) {
          b->assign(i, entry, tag, marked);
          return b->slot(i);
        }
      }
      if (Bucket* n = b->next()) {
        b = n;
        continue;
      }
      // Full: the last entry moves to a new overflow bucket, its place becomes the link.
      Bucket* overflow = make_buckets(1);
      ++overflow_;
      overflow->assign(0, b->ptr[kChainSlot], b->tags[kChainSlot], b->marked(kChainSlot));
      b->clear(kChainSlot);
      b->ptr[kChainSlot] = overflow;
      b->marks = static_cast<std::uint8_t>(b->marks | kChained);
      b = overflow;
    }
  }

  void drop_overflow(Bucket* before, Bucket* last) {
    before->marks = static_cast<std::uint8_t>(before->marks & ~kChained);
    before->ptr[kChainSlot] = nullptr;
    free_buckets(last, 1);
    --overflow_;
  }

  // Makes room for the bucket number bucket_count().
  void add_bucket_space() {
    const std::uint64_t index = bucket_count();
    if (index < kSegment) {
      if (index < first_capacity_) return;
      const std::uint32_t capacity = first_capacity_ * 2;
      Bucket* bigger = make_buckets(capacity);
      std::memcpy(static_cast<void*>(bigger), first_, first_capacity_ * sizeof(Bucket));
      free_buckets(first_, first_capacity_);
      first_ = bigger;
      first_capacity_ = capacity;
      return;
    }
    const std::uint64_t segment = index / kSegment;
    if (segment < segment_count_) return;
    if (segment >= dir_capacity_) {
      const std::uint32_t capacity = dir_capacity_ == 0 ? 8 : dir_capacity_ * 2;
      auto** bigger = static_cast<Bucket**>(::operator new(capacity * sizeof(Bucket*)));
      if (dir_ != nullptr)
        std::memcpy(bigger, dir_, segment_count_ * sizeof(Bucket*));
      else
        bigger[0] = first_;
      ::operator delete(dir_);
      dir_ = bigger;
      dir_capacity_ = capacity;
    }
    dir_[segment] = make_buckets(kSegment);
    ++segment_count_;
  }

  void split_one() {
    add_bucket_space();
    Bucket chain = detach(split_);
    ++split_;
    if (split_ == base_) {
      base_ *= 2;
      split_ = 0;
    }
    redistribute(chain);
    // The next split's entries will be read then: their cache misses start now.
    Bucket* next = bucket_at(split_);
    for (unsigned i = 0; i < next->capacity(); ++i) prefetch(next->ptr[i]);
  }

  void join_one() {
    if (split_ == 0) {
      base_ /= 2;
      split_ = base_;
    }
    Bucket chain = detach(base_ + split_ - 1);
    --split_;
    redistribute(chain);
    // A segment is freed only when a whole further one is empty, so that a table that swings
    // around a limit does not allocate each time.
    const std::uint64_t segments_needed = (bucket_count() + kSegment - 1) / kSegment + 1;
    while (segment_count_ > segments_needed) free_buckets(dir_[--segment_count_], kSegment);
    if (first_capacity_ < kSegment && first_capacity_ > 4 &&
        bucket_count() * 4 <= first_capacity_) {
      const std::uint32_t capacity = first_capacity_ / 2;
      Bucket* smaller = make_buckets(capacity);
      std::memcpy(static_cast<void*>(smaller), first_, capacity * sizeof(Bucket));
      free_buckets(first_, first_capacity_);
      first_ = smaller;
      first_capacity_ = capacity;
    }
  }

  // Empties bucket `index`; returns a copy of its head whose chain the caller owns.
  Bucket detach(std::uint64_t index) {
    Bucket* head = bucket_at(index);
    Bucket copy = *head;
    std::memset(static_cast<void*>(head), 0, sizeof(Bucket));
    return copy;
  }

  void redistribute(Bucket& chain) {
    Bucket* b = &chain;
    while (b != nullptr) {
      for (unsigned i = 0; i < b->capacity(); ++i) {
        if (b->tags[i] == 0) continue;
        auto* entry = static_cast<T*>(b->ptr[i]);
        const std::uint64_t hash = hash_of(Traits::key(*entry));
        place(index_of(hash), entry, b->tags[i], b->marked(i));
      }
      Bucket* next = b->next();
      if (b != &chain) {
        free_buckets(b, 1);
        --overflow_;
      }
      b = next;
    }
  }

  void release() {
    if (base_ == 0) return;
    for (std::uint64_t i = 0; i < bucket_count(); ++i) {
      Bucket* b = bucket_at(i)->next();
      while (b != nullptr) {
        Bucket* next = b->next();
        free_buckets(b, 1);
        b = next;
      }
    }
    for (std::uint64_t s = 1; s < segment_count_; ++s) free_buckets(dir_[s], kSegment);
    free_buckets(first_, first_capacity_);
    ::operator delete(dir_);
    first_ = nullptr;
    dir_ = nullptr;
    base_ = split_ = size_ = 0;
    overflow_ = segment_count_ = first_capacity_ = dir_capacity_ = 0;
  }

  Bucket* first_ = nullptr;  // segment 0; doubles from 1 to kSegment buckets
  Bucket** dir_ = nullptr;   // all segments, once there are two
  std::uint64_t base_ = 0;   // N; 0 before the first insertion
  std::uint64_t split_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t seed_;
  std::uint32_t segment_count_ = 0;
  std::uint32_t overflow_ = 0;
  std::uint32_t first_capacity_ = 0;
  std::uint32_t dir_capacity_ = 0;
  std::uint32_t pauses_ = 0;
};

}  // namespace hearth::ds
