// EffectLog: what one execution unit did to the data.
//
// Handlers write it; replication, the append-only file, keyspace events, client tracking, WATCH and
// blocked clients are its readers (EffectSink). A unit is one command, or all of one EXEC or
// script. When no sink wants commands or events, recording costs a branch.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/format_number.h"
#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth {

// Classes of keyspace events: the letters of notify-keyspace-events.
enum class Notify : std::uint32_t {
  kKeyspace = 1U << 0,  // K
  kKeyevent = 1U << 1,  // E
  kGeneric = 1U << 2,   // g
  kString = 1U << 3,    // $
  kList = 1U << 4,      // l
  kSet = 1U << 5,       // s
  kHash = 1U << 6,      // h
  kZset = 1U << 7,      // z
  kExpired = 1U << 8,   // x
  kEvicted = 1U << 9,   // e
  kStream = 1U << 10,   // t
  kMiss = 1U << 11,     // m
  kModule = 1U << 12,   // d
  kNew = 1U << 13,      // n
};

// A command to be repeated elsewhere, in the database and slot that it changes.
// Who is to repeat it: a script may keep changes from one or both of them.
struct Effect {
  static constexpr std::uint8_t kToLog = 1;  // the append-only file
  static constexpr std::uint8_t kToReplicas = 2;
  static constexpr std::uint8_t kToAll = kToLog | kToReplicas;

  DbIndex db = 0;
  Slot slot = 0;
  std::vector<std::string> argv;
  std::uint8_t targets = kToAll;
};

struct KeyEvent {
  Notify kind = Notify::kGeneric;
  DbIndex db = 0;
  std::string_view name;  // a constant: "set", "expire"
  std::string key;
  bool of_value = true;  // see EffectLog::side_event

  // Whether WATCH and client-side caches are to take it for a change of the key.
  [[nodiscard]] bool is_change() const {
    return of_value && kind != Notify::kMiss && kind != Notify::kNew;
  }
};

struct CommittedUnit {
  std::span<const Effect> effects;
  std::span<const KeyEvent> events;
  // Who repeats the effects repeats all of them or none. False: each stands for itself, as the keys
  // that a SCAN came across expired do.
  bool together = true;
};

class EffectSink {
 public:
  virtual ~EffectSink() = default;
  // Called once for each unit that has something to tell, in the order of execution.
  virtual void on_commit(const CommittedUnit& unit) = 0;
};

// One word of a replicated command.
class EffectArg {
 public:
  EffectArg(std::string_view text) : text_(text) {}    // NOLINT(google-explicit-constructor)
  EffectArg(const char* text) : text_(text) {}         // NOLINT(google-explicit-constructor)
  EffectArg(const std::string& text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  EffectArg(std::int64_t number)
      : text_(int64_text(number)) {}            // NOLINT(google-explicit-constructor)
  EffectArg(UnixMillis t) : EffectArg(t.ms) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

class EffectLog {
 public:
  // What the sinks want. `events` is a set of Notify bits (0: none).
  void set_wants(bool commands, std::uint32_t events) {
    wants_commands_ = commands;
    wanted_events_ = events;
  }
  [[nodiscard]] bool wants_commands() const { return wants_commands_; }
  [[nodiscard]] bool wants(Notify kind) const {
    return (wanted_events_ & static_cast<std::uint32_t>(kind)) != 0;
  }

  // The database and slot that what follows belongs to, and the request being run.
  void begin_command(DbIndex db, Slot slot, std::span<const std::string_view> request) {
    db_ = db;
    slot_ = slot;
    request_ = request;
  }
  void set_db(DbIndex db) { db_ = db; }
  // Bits of Effect::targets for what follows; 0 keeps commands out of the log. Events stay.
  void set_targets(std::uint8_t targets) { targets_ = targets; }

  // Something changed, and repeating the request as it came has the same effect.
  void replicate_verbatim() {
    ++changes_;
    if (wants_commands_ && targets_ != 0) [[unlikely]]
      record(request_);
  }
  // The request is to be repeated elsewhere though it changed no data (PUBLISH).
  void relay_verbatim() {
    if (wants_commands_ && targets_ != 0) [[unlikely]]
      record(request_);
  }
  // Something changed, and this command has the same effect. Relative times must be absolute.
  template <typename... A>
  void replicate_as(A&&... words) {
    ++changes_;
    if (wants_commands_ && targets_ != 0) [[unlikely]]
      record_words({EffectArg(std::forward<A>(words))...});
  }
  void replicate_words(std::vector<std::string> words) {
    ++changes_;
    if (wants_commands_ && targets_ != 0) [[unlikely]]
      effects_.push_back({db_, slot_, std::move(words), targets_});
  }
  // More than one change was made by what was replicated.
  void count_changes(std::uint64_t more) { changes_ += more; }

  // name must be a string constant.
  void event(Notify kind, std::string_view name, std::string_view key) {
    if (wants(kind)) [[unlikely]]
      record_event(kind, name, key, true);
  }
  // What happened beside the value: the groups of a stream change what their readers get, not what
  // it holds. Who watches the key is not disturbed, who waits for it is.
  void side_event(Notify kind, std::string_view name, std::string_view key) {
    if (wants(kind)) [[unlikely]]
      record_event(kind, name, key, false);
  }

  [[nodiscard]] bool empty() const { return effects_.empty() && events_.empty(); }
  [[nodiscard]] CommittedUnit unit() const { return {effects_, events_, together_}; }
  // See CommittedUnit::together; holds for the unit that has begun.
  void keep_apart() { together_ = effects_.empty(); }
  void clear() {
    effects_.clear();
    events_.clear();
    together_ = true;
  }
  // Changes since the server started: INFO's rdb_changes_since_last_save is a difference of it.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

 private:
  void record(std::span<const std::string_view> words);
  void record_words(std::initializer_list<EffectArg> words);
  void record_event(Notify kind, std::string_view name, std::string_view key, bool of_value);

  bool wants_commands_ = false;
  std::uint32_t wanted_events_ = 0;
  DbIndex db_ = 0;
  Slot slot_ = 0;
  std::uint8_t targets_ = Effect::kToAll;
  std::span<const std::string_view> request_;
  std::uint64_t changes_ = 0;
  bool together_ = true;
  std::vector<Effect> effects_;
  std::vector<KeyEvent> events_;
};

// "KEA" and the like -> Notify bits; 'A' stands for "g$lshzxetd". The letters are known to be valid
// (config checks them).
[[nodiscard]] std::uint32_t notify_flags(std::string_view letters);

}  // namespace hearth
