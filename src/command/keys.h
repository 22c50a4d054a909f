// Keys: a handler's door to one database.
//
// It adds to Database what a command must not forget: expired keys are absent (and removed with
// their effect), accesses are noted for eviction and statistics, new keys are announced, and large
// values are freed in the background. Reading gives a place with a const value; every change goes
// through change(), one of the put verbs, remove() or set_deadline(). In checked builds it refuses
// keys that the command's specs did not declare, and changes by commands that only read.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "src/base/random.h"
#include "src/command/spec.h"
#include "src/effects/effect_log.h"
#include "src/metrics/stats.h"
#include "src/store/eviction.h"
#include "src/store/keyspace.h"

namespace hearth {

class Reclaimer;

// The state that all Keys of one engine share. The engine owns it and refreshes it when settings
// change.
struct KeyEnvironment {
  Keyspace* keyspace = nullptr;
  EffectLog* effects = nullptr;
  Stats* stats = nullptr;
  Rng* rng = nullptr;
  Reclaimer* reclaimer = nullptr;
  UnixMillis now{};
  // The time of this turn, for access fields. `now` is 0 while a log or a primary's stream is
  // replayed, since nothing may expire by itself then.
  UnixMillis clock{};
  bool per_slot = false;  // cluster mode: keys have slots
  bool lfu = false;       // the access field holds LFU counters
  LfuParams lfu_params{};
  bool expire_removes = true;  // false on a replica and under CLIENT PAUSE: expired is only hidden
  bool lazy_expire = false, lazy_server_del = false, lazy_user_del = false, lazy_eviction = false;
};

class Keys {
 public:
  Keys(KeyEnvironment& env, DbIndex db) : env_(&env), database_(&env.keyspace->db(db)), db_(db) {}

  [[nodiscard]] DbIndex index() const { return db_; }
  [[nodiscard]] const Database& database() const { return *database_; }
  [[nodiscard]] UnixMillis now() const { return env_->now; }

  // Hash and slot of a key; computed once for the first key of a request.
  [[nodiscard]] KeyRef ref(std::string_view name) const {
    if (name.data() == first_.name.data() && name.size() == first_.name.size()) return first_;
    return make_ref(name);
  }
  [[nodiscard]] KeyRef make_ref(std::string_view name) const;
  void set_first(const KeyRef& first) { first_ = first; }
  [[nodiscard]] const KeyRef& first() const { return first_; }

  // Removes those of these keys that have expired. A place ends when another key is removed, so a
  // command that looks at several keys calls this once before the first look-up.
  void let_expired_go(std::initializer_list<KeyRef> keys) {
    for (const KeyRef& key : keys) let_expired_go(key);
  }
  void let_expired_go(const KeyRef& key) {
    if (database_->volatile_count() > 0) (void)alive(key);
  }

  // For a command that reads the value: counts a hit or miss and the access.
  [[nodiscard]] Found read(const KeyRef& key);
  // For a command that changes the value: counts the access, not a hit.
  [[nodiscard]] Found write(const KeyRef& key) {
    const Found at = alive(key);
    if (at) touch(at);
    return at;
  }
  // For a command that reads metadata (TTL, EXISTS, TYPE): counts a hit or miss, not the access.
  [[nodiscard]] Found inspect(const KeyRef& key);
  // For looking on the way to something else (OBJECT, a destination): counts nothing.
  [[nodiscard]] Found peek(const KeyRef& key) { return alive(key); }
  [[nodiscard]] bool exists(const KeyRef& key) { return static_cast<bool>(peek(key)); }

  // The same, refusing values of another type with WRONGTYPE. An absent key is an empty Found.
  [[nodiscard]] Result<Found, ReplyError> read(const KeyRef& key, Type type);
  [[nodiscard]] Result<Found, ReplyError> write(const KeyRef& key, Type type);

  // The value for changing in place; see Change. `at` is what read or write gave, not empty.
  [[nodiscard]] Change change(const KeyRef& key, Found at) {
    check_may_write();
    return {*database_, key, at};
  }

  // Makes `key` hold this string. `at` is what read/write gave for it. deadline: kNoDeadline or ms.
  void put_string(const KeyRef& key, Found at, std::string_view value, std::int64_t deadline);
  // Makes `key` hold this integer; a deadline stays. `at` must be empty or a string.
  void put_int(const KeyRef& key, Found at, std::int64_t value);
  // Appends to the string at `at`; returns the new length.
  std::uint64_t append(const KeyRef& key, Found at, std::string_view suffix);
  // Room to write bytes [offset, offset + length) of a string, zero-filled where it was shorter. An
  // absent key is made. Valid until the next change.
  [[nodiscard]] char* writable_range(const KeyRef& key, Found at, std::uint64_t offset,
                                     std::uint64_t length);
  // Stores a new entry; the place must be empty or is replaced. Takes ownership.
  Found put(const KeyRef& key, Found at, Entry* entry);
  // Removes; the value is freed in the background if it is large and `lazy`.
  void remove(const KeyRef& key, Found at, bool lazy);
  void remove(const KeyRef& key, Found at) { remove(key, at, env_->lazy_server_del); }
  [[nodiscard]] bool lazy_user_del() const { return env_->lazy_user_del; }
  // Takes the entry out without an effect, to put it elsewhere; it is the caller's.
  [[nodiscard]] Entry* take(const KeyRef& key, Found at);
  void set_deadline(const KeyRef& key, Found at, std::int64_t deadline);
  // See Database: what the version of a write has to exceed, and what becomes of it.
  [[nodiscard]] std::uint64_t version_of(const KeyRef& key, Found at) const {
    return database_->version_of(key, at);
  }
  void raise_version(const KeyRef& key, Found at, std::uint64_t version) {
    check_may_write();
    database_->raise_version(key, at, version);
  }
  bool forget_version(const KeyRef& key) {
    check_may_write();
    return database_->forget_version(key);
  }
  // Says when and how often the key was accessed (RESTORE). No change of the value.
  void set_access(Found at, std::uint32_t access) { Database::set_access(at, access); }

  // The access field a new entry starts with.
  [[nodiscard]] std::uint32_t new_access() const {
    return env_->lfu ? access_clock::lfu_new(env_->clock) : access_clock::lru(env_->clock);
  }
  [[nodiscard]] bool uses_lfu() const { return env_->lfu; }
  [[nodiscard]] const LfuParams& lfu_params() const { return env_->lfu_params; }

  // Removes a key that is past its deadline, with its effects: DEL to the log, event "expired".
  void expire(const KeyRef& key, Found at);
  // Removes up to `most` fields of a hash that are past their deadline, with their effects: HDEL to
  // the log, event "hexpired", and the key with the last field. Does nothing where expired is only
  // hidden. Returns the place, empty if the key is gone.
  Found expire_fields(const KeyRef& key, Found at, std::uint64_t most);
  // Frees garbage in the background when it is worth it.
  void discard(Entry* entry, bool lazy);

  // Commands run with no_touch sessions leave access fields alone.
  void set_no_touch(bool on) { no_touch_ = on; }
#ifdef HEARTH_CHECKED
  // The names that the command's key specs give, sorted.
  void set_declared(std::span<const std::string_view> declared, bool any, bool may_write) {
    declared_ = declared;
    any_key_ = any;
    may_write_ = may_write;
  }
#endif

 private:
  void touch(Found at) {
    if (no_touch_) return;
    if (env_->lfu) return touch_counter(at);
    const std::uint32_t field = access_clock::lru(env_->clock);
    // An unchanged second leaves the cache line clean.
    if (at->access() != field) Database::set_access(at, field);
  }
  void touch_counter(Found at);
  void announce_new(const KeyRef& key) { env_->effects->event(Notify::kNew, "new", db_, key.name); }
  Found alive(const KeyRef& key) {
    check_declared(key.name);
    const Found at = database_->find(key);
    if (at && at->expired(env_->now)) [[unlikely]]
      return end_expired(key, at);
    return at;
  }
  Found end_expired(const KeyRef& key, Found at);
#ifdef HEARTH_CHECKED
  void check_declared(std::string_view name) const;
  void check_may_write() const;
#else
  void check_declared(std::string_view) const {}
  void check_may_write() const {}
#endif

  KeyEnvironment* env_;
  Database* database_;
  DbIndex db_;
  bool no_touch_ = false;
  KeyRef first_{};
#ifdef HEARTH_CHECKED
  std::span<const std::string_view> declared_;
  bool any_key_ = true;
  bool may_write_ = true;
#endif
};

}  // namespace hearth
