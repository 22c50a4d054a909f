// Keyspace: the databases of one server, and the only owner of entries.
//
// A Database is one hash table, or one per slot in cluster mode, so that "all keys of a slot" is a
// walk of its own table. Deadlines stand in the entries; the tables mark which entries have one,
// and each table knows a lower bound of its earliest, so that a table where nothing is due costs
// the expiry step one comparison.
//
// Look-ups here do not know time: an entry past its deadline is still found. Keys hides and removes
// it, because a removal is an effect that must be logged.
//
// Reading goes through Found, a place that ends with the next change of its table; changing a value
// goes through Change. In checked builds a place that is used after its end stops the process.
//
// Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/ids.h"
#include "src/base/random.h"
#include "src/base/time.h"
#include "src/ds/hash_table.h"
#include "src/store/entry.h"
#include "src/store/tombstones.h"

namespace hearth {

struct EntryTraits {
  static std::string_view key(const Entry& e) { return e.key(); }
};
using EntryTable = ds::HashTable<Entry, EntryTraits>;

// A key with what every table operation needs of it, computed once per request.
struct KeyRef {
  std::string_view name;
  std::uint64_t hash = 0;
  Slot slot = 0;
};

// How often a table has moved or removed entries, and how many values in it are being changed.
// Kept in checked builds only.
struct TableGeneration {
#ifdef HEARTH_CHECKED
  std::uint64_t number = 0;
  std::uint32_t open_changes = 0;
  void raise() {
    HEARTH_CHECK(open_changes == 0);  // a Change would end at a place that is gone
    ++number;
  }
#else
  static void raise() {}
#endif
};

// The place of an entry in its table, for reading; empty if there is no such entry. It ends with
// the next insert, take, join or split in its table.
class Found {
 public:
  Found() = default;
  explicit operator bool() const { return slot_ != nullptr; }
  const Entry* operator->() const { return *slot(); }
  const Entry& operator*() const { return **slot(); }

 private:
  friend class Change;
  friend class Database;
#ifdef HEARTH_CHECKED
  Found(Entry** slot, TableGeneration& generation)
      : slot_(slot), generation_(&generation), number_(generation.number) {}
  [[nodiscard]] Entry** slot() const {
    HEARTH_CHECK(slot_ != nullptr);
    HEARTH_CHECK(generation_->number == number_);  // the place has ended
    return slot_;
  }
#else
  Found(Entry** slot, TableGeneration&) : slot_(slot) {}
  [[nodiscard]] Entry** slot() const { return slot_; }
#endif

  Entry** slot_ = nullptr;
#ifdef HEARTH_CHECKED
  TableGeneration* generation_ = nullptr;
  std::uint64_t number_ = 0;
#endif
};

class Database;

// A value while it is changed in place. Its end refreshes what the table knows of the entry's
// deadlines. Nothing may be inserted into the table or taken from it before that.
//
// Handlers get one from Keys::change(). With Database's insert, replace, take and set_deadline this
// is all that ever changes an entry, so whatever must know of every change goes into these five:
// memory per slot, the export of a slot, snapshots without fork. Versions need no more than insert,
// replace and take.
class Change {
 public:
  Change(Database& db, const KeyRef& key, Found at);
  Change(Change&& other) noexcept
      : db_(other.db_), slot_(other.slot_), at_(std::exchange(other.at_, Found())) {}
  Change& operator=(Change&&) = delete;
  ~Change() {
    if (!at_) return;
#ifdef HEARTH_CHECKED
    --at_.generation_->open_changes;
#endif
    if ((*at_.slot())->type() == Type::kHash) refresh();
  }
  Entry* operator->() const { return *at_.slot(); }
  Entry& operator*() const { return **at_.slot(); }
  // Puts another entry there: same key, deadline and version. The old one is the caller's.
  void become(Entry* entry) const { *at_.slot() = entry; }

 private:
  void refresh();  // only fields of hashes have deadlines that an entry's change can touch

  Database& db_;
  Slot slot_;
  Found at_;
};

// Tables that were taken out of a database as a whole, to be freed in the background.
struct Garbage {
  Garbage() = default;
  Garbage(Garbage&&) = default;
  Garbage& operator=(Garbage&&) = default;
  ~Garbage();
  std::vector<Entry*> entries;
  std::vector<std::unique_ptr<EntryTable>> tables;
  [[nodiscard]] std::uint64_t object_count() const;
};

class Database {
 public:
  // per_slot: one table for each of the 16384 slots instead of one for all.
  Database(std::uint64_t seed, bool per_slot);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // Keys of a hidden slot are there for who names one of them, and for snapshots; nobody else comes
  // across them: they are not counted, listed, scanned, drawn, sampled or expired by a cycle.
  // Cluster mode only. A slot stays hidden when the database is emptied. O(log slots).
  void set_hidden(Slot slot, bool hidden);
  [[nodiscard]] bool is_hidden(Slot slot) const { return per_slot_ && hidden_[slot]; }
  // Hidden ones too.
  [[nodiscard]] std::uint64_t stored_size() const { return size_ + hidden_size_; }
  [[nodiscard]] std::uint64_t stored_in_slot(Slot slot) const {
    return per_slot_ ? table(slot).size() : 0;
  }
  [[nodiscard]] std::uint64_t volatile_count() const { return volatile_count_; }
  // Keys with something that can expire: those with a deadline, and hashes with fields that have
  // one.
  [[nodiscard]] std::uint64_t timed_count() const { return timed_count_; }
  [[nodiscard]] std::uint64_t bucket_count() const;
  [[nodiscard]] std::uint64_t table_memory_bytes() const;
  // The sum of the tables' EntryTable::nominal_size.
  [[nodiscard]] std::uint64_t nominal_table_size() const;

  [[nodiscard]] Found find(const KeyRef& key) const {
    // Pipelines and the steps of one command ask for the same key again and again.
    if (last_found_ != nullptr && last_hash_ == key.hash &&
        same_bytes((*last_found_)->key(), key.name)) {
      return at_place(key.slot, last_found_);
    }
    return find_anew(key);
  }
  void prefetch_bucket(const KeyRef& key) const { table(key.slot).prefetch_bucket(key.hash); }
  void prefetch_entry(const KeyRef& key) const { table(key.slot).prefetch_entry(key.hash); }

  // The key must be absent. Takes ownership.
  Found insert(const KeyRef& key, Entry* entry);
  // Puts another entry for the same key in the place of the found one, which is freed (or handed to
  // `old` when that is given).
  void replace(const KeyRef& key, Found at, Entry* entry, Entry** old = nullptr);
  // Takes the entry out; the caller owns it.
  [[nodiscard]] Entry* take(const KeyRef& key, Found at);
  void erase(const KeyRef& key, Found at) { Entry::free(take(key, at)); }
  void set_deadline(const KeyRef& key, Found at, std::int64_t deadline_or_none);
  // --- versions (SET ... VER n) ---
  // A version belongs to the name of a key. It stays while the value is replaced, is left as a
  // tombstone when the key is removed, and comes back with the key; only take_all forgets it.
  //
  // A write to the key has to exceed this version; kNoVersion: any will do. `at`: find(key).
  [[nodiscard]] std::uint64_t version_of(const KeyRef& key, Found at) const {
    if (at && at->version() != kNoVersion) return at->version();
    if (tombstones_.empty()) return kNoVersion;
    return at ? tombstones_.floor() : tombstones_.of(Tombstones::fingerprint(key.name, key.slot));
  }
  // Gives the key a version, or leaves a tombstone where there is no such key. A higher one stays.
  void raise_version(const KeyRef& key, Found at, std::uint64_t version);
  // Of a key that is gone. False: it had none.
  bool forget_version(const KeyRef& key) {
    return !tombstones_.empty() &&
           tombstones_.take(Tombstones::fingerprint(key.name, key.slot)) != kNoVersion;
  }
  [[nodiscard]] Tombstones& tombstones() { return tombstones_; }
  [[nodiscard]] const Tombstones& tombstones() const { return tombstones_; }

  // The access field is no part of the value: it changes without a Change.
  static void set_access(Found at, std::uint32_t access) { (*at.slot())->set_access(access); }

  [[nodiscard]] std::uint64_t count_in_slot(Slot slot) const {
    return per_slot_ && !hidden_[slot] ? table(slot).size() : 0;
  }
  // fn(Entry&) for the keys of a slot, hidden or not, at most `most`. Cluster mode only.
  void for_each_in_slot(Slot slot, std::uint64_t most,
                        const std::function<void(const Entry&)>& fn) const;
  void for_each(const std::function<void(const Entry&)>& fn) const;
  // Those of hidden slots too.
  void for_each_stored(const std::function<void(const Entry&)>& fn) const;

  // One step over one bucket chain from `cursor`; returns the next cursor, 0 at the end. Every key
  // that exists from the first to the last step is seen at least once.
  std::uint64_t scan(std::uint64_t cursor, const std::function<void(const Entry&)>& fn) const;
  // The same over the keys of one slot only, hidden or not (cluster mode).
  std::uint64_t scan_slot(Slot slot, std::uint64_t cursor,
                          const std::function<void(const Entry&)>& fn) const;

  // nullptr when empty.
  [[nodiscard]] const Entry* random(Rng& rng) const;
  // Up to `most` entries from a random place, for eviction sampling; those with a deadline only on
  // request. At least one if there is any that qualifies. O(most), but where few keys have a
  // deadline a call may have to look through the table for one.
  void sample(Rng& rng, std::size_t most, bool volatile_only, std::vector<const Entry*>& out);

  // Everything, as garbage; the database is empty after it.
  [[nodiscard]] Garbage take_all();
  // All keys of one slot.
  [[nodiscard]] Garbage take_slot(Slot slot);

  struct ExpireStep {
    std::uint64_t sampled =
        0;  // entries with a deadline, their own or of a field, that were looked at
    std::uint64_t expired = 0;    // of them past it
    bool finished_round = false;  // nothing more is due in this database now
    std::int64_t ttl_sum_ms = 0;  // over the sampled that are not expired
  };
  // Looks at up to `buckets` buckets and collects the keys that are past their deadline, and the
  // hashes of which a field is, or none has a deadline any more.
  ExpireStep expire_step(UnixMillis now, std::uint64_t buckets, std::vector<const Entry*>& due);

  void pause_resize(bool paused);
  // One step of background work on tables that are too small or too large for what they hold, over
  // `tables` tables and up to `buckets` buckets.
  void settle_tables(std::size_t tables, std::uint64_t buckets);

  // The mean remaining life the expiry steps have seen, 0 when nothing expires: INFO's avg_ttl.
  [[nodiscard]] std::int64_t average_ttl_ms() const { return average_ttl_ms_; }

 private:
  friend class Change;

  struct Table {
    explicit Table(std::uint64_t seed) : entries(std::make_unique<EntryTable>(seed)) {}
    std::unique_ptr<EntryTable> entries;
    // Mutable, since a const look-up hands out places that a Change opens.
    [[no_unique_address]] mutable TableGeneration generation;
    std::uint64_t volatile_count = 0;
    std::uint64_t timed_count = 0;   // marked entries
    std::int64_t earliest = kNever;  // no deadline of this table is before it
    std::int64_t round_earliest = kNever;
    std::uint64_t expire_cursor = 0;  // bucket where the current expiry round stands
  };
  static constexpr std::int64_t kNever = INT64_MAX;

  [[nodiscard]] Found find_anew(const KeyRef& key) const;
  [[nodiscard]] Found at_place(Slot slot, Entry** place) const {
    return {place, tables_[per_slot_ ? slot : 0].generation};
  }
  // To be called before places in a table change or go.
  void end_places(Table& t) {
    t.generation.raise();
    last_found_ = nullptr;
  }
  [[nodiscard]] EntryTable& table(Slot slot) const {
    return *tables_[per_slot_ ? slot : 0].entries;
  }
  [[nodiscard]] Table& table_info(Slot slot) { return tables_[per_slot_ ? slot : 0]; }
  // Puts an empty table in the place of t; returns the old one.
  Table renew(Table& t);
  void note_deadline(Table& t, std::int64_t deadline);
  void refresh_mark(Table& t, Found at);
  [[nodiscard]] std::size_t random_table(Rng& rng) const;
  bool expire_in_table(Table& t, UnixMillis now, std::uint64_t& buckets,
                       std::vector<const Entry*>& due, ExpireStep& step);

  std::vector<Table> tables_;
  std::uint64_t seed_;
  Tombstones tombstones_;
  std::uint64_t size_ = 0;
  std::uint64_t volatile_count_ = 0;
  std::uint64_t timed_count_ = 0;
  std::size_t expire_table_ = 0;  // where the next expiry step goes on
  std::size_t sweep_table_ = 0;   // where the next search for rare deadlines goes on
  std::uint64_t sweep_bucket_ = 0;
  std::size_t settle_table_ = 0;  // where the next step of settle_tables goes on
  std::int64_t average_ttl_ms_ = 0;
  bool per_slot_;
  // The last place that find() found, nullptr once it may have moved.
  mutable Entry** last_found_ = nullptr;
  mutable std::uint64_t last_hash_ = 0;
  // Per slot: how many keys stand in slots 0 .. i, as a Fenwick tree; picks a random key's slot in
  // O(log slots) and lets a scan jump over empty slots.
  std::vector<std::int64_t> counts_;
  void add_count(Slot slot, std::int64_t delta);
  // The table has so many more, or fewer, than before.
  void count(const Table& t, std::int64_t entries, std::int64_t with_deadline, std::int64_t timed);
  [[nodiscard]] bool is_hidden_table(std::size_t index) const {
    return per_slot_ && hidden_[index];
  }
  std::vector<bool> hidden_;  // by slot, in cluster mode
  std::uint64_t hidden_size_ = 0;
};

inline Change::Change(Database& db, const KeyRef& key, Found at)
    : db_(db), slot_(key.slot), at_(at) {
#ifdef HEARTH_CHECKED
  HEARTH_CHECK(at_.generation_ != nullptr);
  ++at_.generation_->open_changes;
#endif
}

class Keyspace {
 public:
  Keyspace(std::uint64_t seed, int databases, bool per_slot);
  [[nodiscard]] Database& db(DbIndex index) { return databases_[index]; }
  [[nodiscard]] const Database& db(DbIndex index) const { return databases_[index]; }
  [[nodiscard]] DbIndex db_count() const { return static_cast<DbIndex>(databases_.size()); }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t total_keys() const;
  void swap(DbIndex a, DbIndex b) { std::swap(databases_[a], databases_[b]); }

 private:
  std::uint64_t seed_;
  std::vector<Database> databases_;
};

}  // namespace hearth
