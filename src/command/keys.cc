#include "src/command/keys.h"

#include <algorithm>

#include "cluster/model/slot.h"
#include "src/base/check.h"
#include "src/command/args.h"
#include "src/command/reclaimer.h"
#include "src/store/hash.h"
#include "src/store/string.h"

namespace hearth {
namespace {

// Values that take more than this many frees go to the background thread.
constexpr std::size_t kLazyFreeEffort = 64;

}  // namespace

KeyRef Keys::make_ref(std::string_view name) const {
  return {name, hash_bytes(name, env_->keyspace->seed()),
          env_->per_slot ? cluster::slot_of(name) : Slot{0}};
}

void Keys::touch_counter(Found at) {
  Database::set_access(
      at, access_clock::lfu_touched(at->access(), env_->clock, env_->lfu_params, *env_->rng));
}

Found Keys::end_expired(const KeyRef& key, Found at) {
  if (env_->expire_removes) expire(key, at);
  return {};
}

Found Keys::inspect(const KeyRef& key) {
  Found at = alive(key);
  if (at) {
    ++env_->stats->keyspace_hits;
  } else {
    ++env_->stats->keyspace_misses;
    env_->effects->event(Notify::kMiss, "keymiss", db_, key.name);
  }
  return at;
}

Found Keys::read(const KeyRef& key) {
  Found at = inspect(key);
  if (at) touch(at);
  return at;
}

Result<Found, ReplyError> Keys::read(const KeyRef& key, Type type) {
  const Found at = read(key);
  if (at && at->type() != type) return refuse(std::string(kWrongType));
  return at;
}

Result<Found, ReplyError> Keys::write(const KeyRef& key, Type type) {
  const Found at = write(key);
  if (at && at->type() != type) return refuse(std::string(kWrongType));
  return at;
}

void Keys::put_string(const KeyRef& key, Found at, std::string_view value, std::int64_t deadline) {
  check_may_write();
  if (!at) announce_new(key);
  Entry* old = nullptr;
  hearth::put_string(*database_, key, at, value, deadline, at ? at->access() : new_access(), &old);
  if (old != nullptr) discard(old, env_->lazy_server_del);
}

void Keys::put_int(const KeyRef& key, Found at, std::int64_t value) {
  check_may_write();
  if (!at) announce_new(key);
  put_int_keep_deadline(*database_, key, at, value, new_access());
}

std::uint64_t Keys::append(const KeyRef& key, Found at, std::string_view suffix) {
  check_may_write();
  return append_string(*database_, key, at, suffix);
}

char* Keys::writable_range(const KeyRef& key, Found at, std::uint64_t offset,
                           std::uint64_t length) {
  check_may_write();
  if (!at) at = put(key, at, Entry::make_string(key.name, "", kNoDeadline, new_access()));
  return hearth::writable_range(*database_, key, at, offset, length);
}

Found Keys::put(const KeyRef& key, Found at, Entry* entry) {
  check_may_write();
  if (!at) {
    announce_new(key);
    return database_->insert(key, entry);
  }
  Entry* old = nullptr;
  database_->replace(key, at, entry, &old);
  discard(old, env_->lazy_server_del);
  return at;
}

void Keys::remove(const KeyRef& key, Found at, bool lazy) {
  check_may_write();
  discard(database_->take(key, at), lazy);
}

Entry* Keys::take(const KeyRef& key, Found at) {
  check_may_write();
  return database_->take(key, at);
}

void Keys::set_deadline(const KeyRef& key, Found at, std::int64_t deadline) {
  check_may_write();
  database_->set_deadline(key, at, deadline);
}

void Keys::expire(const KeyRef& key, Found at) {
  discard(database_->take(key, at), env_->lazy_expire);
  ++env_->stats->expired_keys;
  env_->effects->replicate_as({db_, key.slot}, env_->lazy_expire ? "UNLINK" : "DEL", key.name);
  env_->effects->event(Notify::kExpired, "expired", db_, key.name);
}

Found Keys::expire_fields(const KeyRef& key, Found at, std::uint64_t most) {
  if (!env_->expire_removes || at->type() != Type::kHash) return at;
  std::vector<std::string> words{"HDEL", std::string(key.name)};
  const std::uint64_t gone = Change(*database_, key, at)
                                 ->hash()
                                 ->expire_fields(env_->now, most, [&](std::string_view field) {
                                   words.emplace_back(field);
                                 });
  if (gone == 0) return at;
  env_->stats->expired_subkeys += gone;
  env_->effects->replicate_words({db_, key.slot}, std::move(words));
  env_->effects->event(Notify::kHash, "hexpired", db_, key.name);
  if (at->hash()->size() > 0) return at;
  discard(database_->take(key, at), env_->lazy_expire);
  env_->effects->event(Notify::kGeneric, "del", db_, key.name);
  return {};
}

void Keys::discard(Entry* entry, bool lazy) {
  if (lazy && env_->reclaimer != nullptr && entry->free_effort() > kLazyFreeEffort) {
    Garbage garbage;
    garbage.entries.push_back(entry);
    env_->reclaimer->reclaim(std::move(garbage));
    return;
  }
  Entry::free(entry);
}

#ifdef HEARTH_CHECKED
void Keys::check_declared(std::string_view name) const {
  if (any_key_) return;
  HEARTH_CHECK(std::binary_search(declared_.begin(), declared_.end(), name));
}

void Keys::check_may_write() const { HEARTH_CHECK(may_write_); }
#endif

}  // namespace hearth
