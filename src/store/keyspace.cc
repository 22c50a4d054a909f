#include "src/store/keyspace.h"

#include <algorithm>

namespace hearth {
namespace {

// A scan cursor in cluster mode: the slot above, the table's own cursor (always below its bucket
// count) in the lower 48 bits.
constexpr unsigned kSlotShift = 48;

Entry* with_version_at_least(Entry* entry, std::uint64_t version) {
  return version > entry->version() ? Entry::with_version(entry, version) : entry;
}

}  // namespace

Garbage::~Garbage() {
  for (Entry* e : entries) Entry::free(e);
  for (auto& t : tables) t->clear([](Entry* e) { Entry::free(e); });
}

std::uint64_t Garbage::object_count() const {
  std::uint64_t n = entries.size();
  for (const auto& t : tables) n += t->size();
  return n;
}

Database::Database(std::uint64_t seed, bool per_slot)
    : seed_(seed), tombstones_(seed), per_slot_(per_slot) {
  const std::size_t count = per_slot ? static_cast<std::size_t>(kSlotCount) : 1;
  tables_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) tables_.emplace_back(seed);
  if (!per_slot) return;
  counts_.assign(count + 1, 0);
  hidden_.assign(count, false);
}

Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

Database::~Database() {
  for (Table& t : tables_) {
    if (t.entries != nullptr) t.entries->clear([](Entry* e) { Entry::free(e); });
  }
}

std::uint64_t Database::bucket_count() const {
  std::uint64_t n = 0;
  for (const Table& t : tables_) n += t.entries->bucket_count();
  return n;
}

std::uint64_t Database::table_memory_bytes() const {
  std::uint64_t n = 0;
  for (const Table& t : tables_) n += t.entries->memory_bytes();
  return n;
}

std::uint64_t Database::nominal_table_size() const {
  std::uint64_t n = 0;
  for (const Table& t : tables_) n += t.entries->nominal_size();
  return n;
}

void Change::refresh() { db_.refresh_mark(db_.table_info(slot_), at_); }

void Database::add_count(Slot slot, std::int64_t delta) {
  if (!per_slot_) return;
  for (std::size_t i = slot + 1U; i < counts_.size(); i += i & (~i + 1)) counts_[i] += delta;
}

// The counts of all tables together leave hidden ones out.
void Database::count(const Table& t, std::int64_t entries, std::int64_t with_deadline,
                     std::int64_t timed) {
  const auto index = static_cast<std::size_t>(&t - tables_.data());
  if (is_hidden_table(index)) [[unlikely]] {
    hidden_size_ += static_cast<std::uint64_t>(entries);
    return;
  }
  size_ += static_cast<std::uint64_t>(entries);
  volatile_count_ += static_cast<std::uint64_t>(with_deadline);
  timed_count_ += static_cast<std::uint64_t>(timed);
  if (entries != 0) add_count(static_cast<Slot>(index), entries);
}

void Database::set_hidden(Slot slot, bool hidden) {
  if (!per_slot_ || hidden_[slot] == hidden) return;
  const Table& t = tables_[slot];
  const auto entries = static_cast<std::int64_t>(t.entries->size());
  const auto with_deadline = static_cast<std::int64_t>(t.volatile_count);
  const auto timed = static_cast<std::int64_t>(t.timed_count);
  count(t, -entries, -with_deadline, -timed);
  hidden_[slot] = hidden;
  count(t, entries, with_deadline, timed);
}

void Database::note_deadline(Table& t, std::int64_t deadline) {
  t.earliest = std::min(t.earliest, deadline);
  t.round_earliest = std::min(t.round_earliest, deadline);
}

// The mark says that an entry, or a field of it, has a deadline.
void Database::refresh_mark(Table& t, Found at) {
  const std::int64_t deadline = at->first_deadline();
  const bool timed = deadline != kNoDeadline;
  if (timed) note_deadline(t, deadline);
  if (EntryTable::marked(at.slot()) == timed) return;
  EntryTable::set_mark(at.slot(), timed);
  const std::int64_t delta = timed ? 1 : -1;
  t.timed_count += static_cast<std::uint64_t>(delta);
  count(t, 0, 0, delta);
}

Found Database::find_anew(const KeyRef& key) const {
  Entry** const place = table(key.slot).find(key.name, key.hash);
  if (place != nullptr) {
    last_found_ = place;
    last_hash_ = key.hash;
  }
  return at_place(key.slot, place);
}

Found Database::insert(const KeyRef& key, Entry* entry) {
  if (tombstones_.size() > 0) [[unlikely]]
    entry =
        with_version_at_least(entry, tombstones_.take(Tombstones::fingerprint(key.name, key.slot)));
  Table& t = table_info(key.slot);
  end_places(t);
  const bool has_deadline = entry->has_deadline();
  if (has_deadline) ++t.volatile_count;
  count(t, 1, has_deadline ? 1 : 0, 0);
  const Found found = at_place(key.slot, t.entries->insert(entry, key.hash, false));
  refresh_mark(t, found);
  return found;
}

void Database::replace(const KeyRef& key, Found at, Entry* entry, Entry** old) {
  entry = with_version_at_least(entry, at->version());
  const bool was_timed = at->has_deadline();
  const bool timed = entry->has_deadline();
  Table& t = table_info(key.slot);
  const std::int64_t delta = (timed ? 1 : 0) - (was_timed ? 1 : 0);
  t.volatile_count += static_cast<std::uint64_t>(delta);
  count(t, 0, delta, 0);
  if (old != nullptr)
    *old = *at.slot();
  else
    Entry::free(*at.slot());
  *at.slot() = entry;
  refresh_mark(t, at);
}

Entry* Database::take(const KeyRef& key, Found at) {
  Table& t = table_info(key.slot);
  Entry** const place = at.slot();
  end_places(t);
  const bool has_deadline = (*place)->has_deadline();
  const bool timed = EntryTable::marked(place);
  if (has_deadline) --t.volatile_count;
  if (timed) --t.timed_count;
  if (const std::uint64_t version = (*place)->version(); version != kNoVersion) [[unlikely]]
    tombstones_.add(Tombstones::fingerprint(key.name, key.slot), version);
  count(t, -1, has_deadline ? -1 : 0, timed ? -1 : 0);
  const std::uint64_t buckets = t.entries->bucket_count();
  Entry* entry = t.entries->erase(place, key.hash);
  // A join moves entries behind the expiry cursor, unseen: the round has to be run again.
  if (t.entries->bucket_count() < buckets) t.round_earliest = 0;
  return entry;
}

void Database::set_deadline(const KeyRef& key, Found at, std::int64_t deadline) {
  const bool was_timed = at->has_deadline();
  const bool timed = deadline != kNoDeadline;
  *at.slot() = Entry::with_deadline(*at.slot(), deadline);
  Table& t = table_info(key.slot);
  const std::int64_t delta = (timed ? 1 : 0) - (was_timed ? 1 : 0);
  t.volatile_count += static_cast<std::uint64_t>(delta);
  count(t, 0, delta, 0);
  refresh_mark(t, at);
}

void Database::raise_version(const KeyRef& key, Found at, std::uint64_t version) {
  if (!at)
    tombstones_.add(Tombstones::fingerprint(key.name, key.slot), version);
  else
    *at.slot() = with_version_at_least(*at.slot(), version);
}

void Database::for_each_in_slot(Slot slot, std::uint64_t most,
                                const std::function<void(const Entry&)>& fn) const {
  if (!per_slot_) return;
  const EntryTable& t = table(slot);
  std::uint64_t seen = 0;
  for (std::uint64_t b = 0; b < t.bucket_count() && seen < most; ++b) {
    t.for_each_in_bucket(b, [&](Entry* e, bool) {
      if (seen++ < most) fn(*e);
    });
  }
}

void Database::for_each(const std::function<void(const Entry&)>& fn) const {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (!is_hidden_table(i)) tables_[i].entries->for_each([&](Entry* e) { fn(*e); });
  }
}

void Database::for_each_stored(const std::function<void(const Entry&)>& fn) const {
  for (const Table& t : tables_) t.entries->for_each([&](Entry* e) { fn(*e); });
}

std::uint64_t Database::scan(std::uint64_t cursor,
                             const std::function<void(const Entry&)>& fn) const {
  if (!per_slot_) return tables_[0].entries->scan(cursor, [&](Entry* e) { fn(*e); });
  std::size_t slot = cursor >> kSlotShift;
  if (slot >= tables_.size()) return 0;
  const std::uint64_t inner = cursor & ((1ULL << kSlotShift) - 1);
  const bool hidden = is_hidden_table(slot);
  const std::uint64_t next = hidden ? 0 : scan_slot(static_cast<Slot>(slot), inner, fn);
  if (next != 0) return (static_cast<std::uint64_t>(slot) << kSlotShift) | next;
  do {
    ++slot;
  } while (slot < tables_.size() && (tables_[slot].entries->empty() || is_hidden_table(slot)));
  return slot < tables_.size() ? static_cast<std::uint64_t>(slot) << kSlotShift : 0;
}

std::uint64_t Database::scan_slot(Slot slot, std::uint64_t cursor,
                                  const std::function<void(const Entry&)>& fn) const {
  return table(slot).scan(cursor, [&](Entry* e) { fn(*e); });
}

std::size_t Database::random_table(Rng& rng) const {
  if (!per_slot_) return 0;
  auto target = static_cast<std::int64_t>(rng.below(size_));
  std::size_t at = 0;
  for (std::size_t step = std::size_t{1} << 14; step > 0; step >>= 1) {
    if (at + step < counts_.size() && counts_[at + step] <= target) {
      at += step;
      target -= counts_[at];
    }
  }
  return at;
}

const Entry* Database::random(Rng& rng) const {
  return size_ == 0 ? nullptr : tables_[random_table(rng)].entries->random(rng);
}

void Database::sample(Rng& rng, std::size_t most, bool volatile_only,
                      std::vector<const Entry*>& out) {
  if (size_ == 0 || (volatile_only && volatile_count_ == 0)) return;
  const std::size_t before = out.size();
  const std::size_t wanted = before + most;
  const auto draw = [&](const EntryTable& t, std::uint64_t bucket) {
    const std::size_t first = out.size();
    t.for_each_in_bucket(bucket, [&](Entry* e, bool timed) {
      if (!volatile_only || (timed && e->has_deadline())) out.push_back(e);
    });
    // Chance decides which of too many stay: places in a bucket go by age.
    while (out.size() > wanted) {
      out[first + rng.below(out.size() - first)] = out.back();
      out.pop_back();
    }
  };
  for (unsigned tries = 0; tries < 40 && out.size() < wanted; ++tries) {
    const EntryTable& t = *tables_[random_table(rng)].entries;
    const std::uint64_t start = rng.below(t.bucket_count());
    const std::uint64_t run = volatile_only ? std::min<std::uint64_t>(t.bucket_count(), 64) : 1;
    for (std::uint64_t i = 0; i < run && out.size() < wanted; ++i) {
      const std::uint64_t bucket = (start + i) % t.bucket_count();
      if (!volatile_only || t.bucket_has_mark(bucket)) draw(t, bucket);
    }
  }
  if (out.size() > before) return;
  if (!volatile_only) return out.push_back(random(rng));
  // So few have a deadline that chance does not meet them. The walk goes on where the last one
  // ended, so that finding all of them costs one pass, however many calls that takes.
  for (std::size_t visited = 0; visited <= tables_.size() && out.size() == before; ++visited) {
    const Table& t = tables_[sweep_table_];
    for (; !is_hidden_table(sweep_table_) && t.volatile_count > 0 &&
           sweep_bucket_ < t.entries->bucket_count() && out.size() == before;
         ++sweep_bucket_) {
      if (t.entries->bucket_has_mark(sweep_bucket_)) draw(*t.entries, sweep_bucket_);
    }
    if (out.size() > before) break;
    sweep_bucket_ = 0;
    sweep_table_ = (sweep_table_ + 1) % tables_.size();
  }
}

Database::Table Database::renew(Table& t) {
  end_places(t);
  auto old = Table(seed_);
  std::swap(old, t);
  t.generation = old.generation;  // places in the old table have ended
  return old;
}

Garbage Database::take_all() {
  Garbage garbage;
  for (Table& t : tables_) {
    if (!t.entries->empty()) garbage.tables.push_back(renew(t).entries);
  }
  tombstones_.clear();
  size_ = volatile_count_ = timed_count_ = hidden_size_ = 0;
  std::fill(counts_.begin(), counts_.end(), 0);
  average_ttl_ms_ = 0;
  return garbage;
}

Garbage Database::take_slot(Slot slot) {
  Garbage garbage;
  if (!per_slot_ || table(slot).empty()) return garbage;
  Table old = renew(tables_[slot]);
  count(tables_[slot], -static_cast<std::int64_t>(old.entries->size()),
        -static_cast<std::int64_t>(old.volatile_count),
        -static_cast<std::int64_t>(old.timed_count));
  garbage.tables.push_back(std::move(old.entries));
  return garbage;
}

bool Database::expire_in_table(Table& t, UnixMillis now, std::uint64_t& buckets,
                               std::vector<const Entry*>& due, ExpireStep& step) {
  if (t.timed_count == 0) {
    t.earliest = t.round_earliest = kNever;
    t.expire_cursor = 0;
    return true;
  }
  if (t.earliest > now.ms) return true;
  const EntryTable& entries = *t.entries;
  // While a nearly empty table may not shrink, the walk through its buckets can wait.
  if (entries.is_resize_paused() &&
      entries.size() * 100 < entries.bucket_count() * EntryTable::kSlots)
    return true;
  while (buckets > 0) {
    --buckets;
    if (t.expire_cursor >= entries.bucket_count()) {
      // A round is over: what it saw last, and what was set since, bounds the next deadline.
      t.expire_cursor = 0;
      t.earliest = std::max(t.round_earliest, now.ms + 1);
      t.round_earliest = kNever;
      return true;
    }
    const std::uint64_t bucket = t.expire_cursor++;
    if (!entries.bucket_has_mark(bucket)) continue;
    entries.for_each_in_bucket(bucket, [&](Entry* e, bool timed) {
      if (!timed) return;
      ++step.sampled;
      const std::int64_t deadline = e->first_deadline();
      if (deadline <= now.ms) {
        ++step.expired;
        due.push_back(e);
      } else {
        t.round_earliest = std::min(t.round_earliest, deadline);
        step.ttl_sum_ms += deadline - now.ms;
      }
    });
    // The caller removes what was found before more is looked at: entries move when buckets join.
    if (due.size() >= 64) return false;
  }
  return false;
}

Database::ExpireStep Database::expire_step(UnixMillis now, std::uint64_t buckets,
                                           std::vector<const Entry*>& due) {
  ExpireStep step;
  if (timed_count_ == 0) {
    average_ttl_ms_ = 0;
    step.finished_round = true;
    return step;
  }
  std::size_t visited = 0;
  while (visited < tables_.size() && buckets > 0 && due.size() < 64) {
    if (!is_hidden_table(expire_table_) &&
        !expire_in_table(tables_[expire_table_], now, buckets, due, step))
      break;
    expire_table_ = (expire_table_ + 1) % tables_.size();
    ++visited;
  }
  step.finished_round = visited == tables_.size();
  if (step.sampled > step.expired) {
    const std::int64_t mean =
        step.ttl_sum_ms / static_cast<std::int64_t>(step.sampled - step.expired);
    average_ttl_ms_ = average_ttl_ms_ == 0 ? mean : average_ttl_ms_ + (mean - average_ttl_ms_) / 50;
  }
  return step;
}

void Database::pause_resize(bool paused) {
  for (Table& t : tables_) paused ? t.entries->pause_resize() : t.entries->resume_resize();
}

void Database::settle_tables(std::size_t tables, std::uint64_t buckets) {
  tables = std::min(tables, tables_.size());
  for (; tables > 0; --tables) {
    Table& t = tables_[settle_table_];
    const std::uint64_t before = t.entries->bucket_count();
    end_places(t);
    const std::uint64_t left = t.entries->settle(buckets);
    // A join moves entries behind the expiry cursor, unseen: the round has to be run again.
    if (t.entries->bucket_count() < before) t.round_earliest = 0;
    buckets = left;
    if (buckets == 0) return;
    settle_table_ = (settle_table_ + 1) % tables_.size();
  }
}

Keyspace::Keyspace(std::uint64_t seed, int databases, bool per_slot) : seed_(seed) {
  databases_.reserve(static_cast<std::size_t>(databases));
  for (int i = 0; i < databases; ++i) databases_.emplace_back(seed, per_slot);
}

std::uint64_t Keyspace::total_keys() const {
  std::uint64_t n = 0;
  for (const Database& d : databases_) n += d.size();
  return n;
}

}  // namespace hearth
