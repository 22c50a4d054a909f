#include "src/engine/hot_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>

#include "src/base/bytes.h"
#include "src/base/hash.h"
#include "src/base/name_map.h"

namespace hearth {
namespace {

constexpr std::uint64_t kKeysPerTick = 1000;
constexpr seconds kSavedCounts{600};
constexpr std::string_view kMagic = "HEARTHK1";
constexpr std::size_t kSumBytes = 8;

constexpr auto kHotter = [](const auto& a, const auto& b) { return a.heat > b.heat; };

}  // namespace

void HotList::follow_settings() {
  limit_ = std::min<std::size_t>(core_.settings().warm_hot_keys, kKeysMost);
  if (limit_ == 0) saved_.clear();
  if (found_.size() > limit_) found_.resize(limit_);
  if (best_.size() > limit_) best_.clear(), db_ = 0, cursor_ = 0;
}

void HotList::tick() {
  if (!is_on()) return;
  if (!saved_.empty() && core_.mono - started_ > kSavedCounts) saved_.clear();
  walk(kKeysPerTick);
}

void HotList::walk_to_the_end(std::uint64_t keys_most) {
  if (is_on()) walk(keys_most);
  // A walk that was not ended: what it has found counts beside the last one.
  if (cursor_ == 0 && db_ == 0) return;
  for (const Key& key : found_) best_.push_back(key);
  std::sort(best_.begin(), best_.end(), kHotter);
  end_walk();
}

// A step of a scan may bring a few keys more than one.
void HotList::walk(std::uint64_t keys_most) {
  // Even empty tables take a step each.
  for (std::uint64_t seen = 0, steps = 0; seen < keys_most && steps < keys_most; ++steps) {
    const Database& db = core_.keyspace.db(db_);
    if (db.size() == 0) {
      cursor_ = 0;
    } else {
      cursor_ = db.scan(cursor_, [&](const Entry& entry) {
        ++seen;
        offer(db_, entry);
      });
    }
    if (cursor_ != 0) continue;
    if (++db_ < core_.keyspace.db_count()) continue;
    std::sort(best_.begin(), best_.end(), kHotter);
    return end_walk();
  }
}

void HotList::offer(DbIndex db, const Entry& entry) {
  if (entry.key().size() > kKeyBytesMost || entry.expired(core_.env.clock)) return;
  std::uint64_t heat = 0;
  if (core_.env.lfu) {
    heat = access_clock::lfu_counter(entry.access(), core_.env.clock, core_.env.lfu_params);
  } else {
    const std::int64_t used =
        core_.env.clock.ms - access_clock::lru_idle_ms(entry.access(), core_.env.clock);
    heat = static_cast<std::uint64_t>(std::max<std::int64_t>(0, used));
  }
  if (best_.size() >= limit_) {
    if (heat <= best_.front().heat) return;
    std::pop_heap(best_.begin(), best_.end(), kHotter);
    best_.pop_back();
  }
  best_.push_back({heat, db, std::string(entry.key())});
  std::push_heap(best_.begin(), best_.end(), kHotter);
}

void HotList::end_walk() {
  found_ = std::move(best_);
  best_.clear();
  if (found_.size() > limit_) found_.resize(limit_);
  db_ = 0;
  cursor_ = 0;
}

std::vector<const HotList::Key*> HotList::all() const {
  std::vector<const Key*> keys;
  NameMap<bool> seen(core_.keyspace.seed());
  for (const std::vector<Key>* list : {&saved_, &found_}) {
    for (const Key& key : *list) {
      if (keys.size() >= limit_) return keys;
      if (seen.emplace(fmt::format("{}:{}", key.db, key.name), true).second) keys.push_back(&key);
    }
  }
  return keys;
}

std::size_t HotList::size() const { return all().size(); }

std::vector<std::string> HotList::hottest(DbIndex db, std::size_t most) const {
  std::vector<std::string> names;
  for (const Key* key : all()) {
    if (names.size() >= most) break;
    if (key->db == db) names.push_back(key->name);
  }
  return names;
}

// The magic, a count, for each key its database, its length and its bytes, and the CRC-64 of all.
std::string HotList::encode() const {
  const std::vector<const Key*> keys = all();
  std::string bytes(kMagic);
  ByteWriter out(bytes);
  out.le(static_cast<std::uint32_t>(keys.size()));
  for (const Key* key : keys) {
    out.le(static_cast<std::uint32_t>(key->db));
    out.le(static_cast<std::uint16_t>(key->name.size()));
    out.bytes(key->name);
  }
  out.le(crc64(bytes));
  return bytes;
}

Result<void> HotList::restore(std::string_view bytes) {
  const auto corrupt = [](std::string_view what) {
    return fail(ErrorCode::kCorrupt, fmt::format("the list of hot keys {}", what));
  };
  if (bytes.size() < kMagic.size() + kSumBytes || !bytes.starts_with(kMagic))
    return corrupt("does not begin as one");
  const std::string_view summed = bytes.substr(0, bytes.size() - kSumBytes);
  if (load_le<std::uint64_t>(bytes.data() + summed.size()) != crc64(summed))
    return corrupt("has another checksum than its bytes");
  ByteReader in(summed.substr(kMagic.size()));
  std::uint32_t count = 0;
  if (!in.le(count) || count > kKeysMost) return corrupt("has an impossible count");
  std::vector<Key> keys;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t db = 0;
    std::uint16_t length = 0;
    std::string_view name;
    if (!in.le(db) || !in.le(length) || length > kKeyBytesMost || !in.take(length, name))
      return corrupt("is cut off");
    if (db >= core_.keyspace.db_count() || keys.size() >= limit_) continue;
    keys.push_back({0, static_cast<DbIndex>(db), std::string(name)});
  }
  saved_ = std::move(keys);
  started_ = core_.mono;
  return {};
}

}  // namespace hearth
