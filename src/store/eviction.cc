#include "src/store/eviction.h"

#include <algorithm>

namespace hearth {
namespace access_clock {
namespace {
constexpr std::uint32_t kMask24 = 0xffffff;
constexpr std::uint8_t kLfuStart = 5;
std::uint32_t minutes(UnixMillis now) {
  return static_cast<std::uint32_t>(now.ms / 60000) & 0xffff;
}
}  // namespace

std::int64_t lru_idle_ms(std::uint32_t field, UnixMillis now) {
  return static_cast<std::int64_t>((lru(now) - field) & kMask24) * 1000;
}

std::uint32_t lru_from_idle(std::int64_t idle_seconds, UnixMillis now) {
  return (lru(now) - static_cast<std::uint32_t>(std::min<std::int64_t>(idle_seconds, kMask24))) &
         kMask24;
}

std::uint32_t lfu_with_counter(std::uint8_t counter, UnixMillis now) {
  return minutes(now) << 8 | counter;
}
std::uint32_t lfu_new(UnixMillis now) { return lfu_with_counter(kLfuStart, now); }

std::uint8_t lfu_counter(std::uint32_t field, UnixMillis now, const LfuParams& params) {
  const std::uint32_t counter = field & 0xff;
  if (params.decay_minutes == 0) return static_cast<std::uint8_t>(counter);
  const std::uint32_t periods = ((minutes(now) - (field >> 8)) & 0xffff) / params.decay_minutes;
  return static_cast<std::uint8_t>(periods >= counter ? 0 : counter - periods);
}

std::uint32_t lfu_touched(std::uint32_t field, UnixMillis now, const LfuParams& params, Rng& rng) {
  std::uint8_t counter = lfu_counter(field, now, params);
  if (counter < 255) {
    const double base = counter > kLfuStart ? counter - kLfuStart : 0;
    if (rng.unit() < 1.0 / (base * params.log_factor + 1)) ++counter;
  }
  return lfu_with_counter(counter, now);
}

}  // namespace access_clock

namespace {

std::uint64_t score_of(const Entry& e, EvictionPolicy policy, UnixMillis now,
                       const LfuParams& lfu) {
  if (policy == EvictionPolicy::kVolatileTtl) return ~static_cast<std::uint64_t>(e.deadline());
  if (uses_lfu(policy)) return 255U - access_clock::lfu_counter(e.access(), now, lfu);
  return static_cast<std::uint64_t>(access_clock::lru_idle_ms(e.access(), now));
}

}  // namespace

void EvictionPool::offer(std::uint64_t score, DbIndex db, std::string_view key) {
  // A candidate that is drawn again counts as it is now: it may have been used since.
  std::erase_if(pool_, [&](const Candidate& c) { return c.db == db && c.key == key; });
  if (pool_.size() >= kPoolSize) {
    if (score <= pool_.front().score) return;
    pool_.erase(pool_.begin());
  }
  const auto at = std::upper_bound(pool_.begin(), pool_.end(), score,
                                   [](std::uint64_t s, const Candidate& c) { return s < c.score; });
  pool_.insert(at, Candidate{score, db, std::string(key)});
}

bool EvictionPool::pick(Keyspace& keyspace, EvictionPolicy policy, std::size_t samples,
                        UnixMillis now, const LfuParams& lfu, Rng& rng, Candidate& out) {
  if (policy == EvictionPolicy::kNoEviction) return false;
  const bool only_volatile = volatile_only(policy);
  if (policy == EvictionPolicy::kAllKeysRandom || policy == EvictionPolicy::kVolatileRandom) {
    for (DbIndex i = 0; i < keyspace.db_count(); ++i) {
      const DbIndex db = next_db_;
      next_db_ = static_cast<DbIndex>((next_db_ + 1) % keyspace.db_count());
      drawn_.clear();
      keyspace.db(db).sample(rng, 1, only_volatile, drawn_);
      if (drawn_.empty()) continue;
      out = {0, db, std::string(drawn_[0]->key())};
      return true;
    }
    return false;
  }
  for (DbIndex db = 0; db < keyspace.db_count(); ++db) {
    if (keyspace.db(db).size() == 0) continue;
    drawn_.clear();
    keyspace.db(db).sample(rng, samples, only_volatile, drawn_);
    for (const Entry* e : drawn_) offer(score_of(*e, policy, now, lfu), db, e->key());
  }
  if (pool_.empty()) return false;
  out = std::move(pool_.back());
  pool_.pop_back();
  return true;
}

}  // namespace hearth
