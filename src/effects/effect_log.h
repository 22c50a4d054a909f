// EffectLog: what one unit did to the data.
//
// A unit is one command, or all commands of one EXEC or script. While it runs, its effects are
// recorded here: commands that repeat its changes, and keyspace events. When it ends, the engine
// hands them to the sinks (EffectSink): the append-only file, replicas, keyspace notifications,
// client tracking, WATCH and blocked clients. If no sink wants commands or events, recording one
// costs a branch.
//
// The log knows neither the database nor the request that is being run: whoever records an effect
// says where it belongs. Handlers do so through CommandEffects, Keys by itself.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

// Where an effect belongs. The slot is that of its keys, 0 outside of cluster mode.
struct EffectPlace {
  DbIndex db = 0;
  Slot slot = 0;
};

// A command to replicate. `targets`: the append-only file, replicas or both; a script can switch
// either off (redis.set_repl).
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
  bool of_value = true;  // false: see CommandEffects::side_event

  // True if WATCH and client-side caches must treat the event as a change of the key.
  [[nodiscard]] bool is_change() const {
    return of_value && kind != Notify::kMiss && kind != Notify::kNew;
  }
};

struct CommittedUnit {
  std::span<const Effect> effects;
  std::span<const KeyEvent> events;
  // True: the effects are replicated as one transaction. False: each on its own, like the keys that
  // a SCAN found expired.
  bool together = true;
};

class EffectSink {
 public:
  virtual ~EffectSink() = default;
  // Called once for each unit that has effects or events, in the order of execution.
  virtual void on_commit(const CommittedUnit& unit) = 0;
};

// One word of a replicated command.
class EffectArg {
 public:
  // NOLINTBEGIN(google-explicit-constructor): what a word is made of stands for the word.
  EffectArg(std::string_view text) : text_(text) {}
  EffectArg(const char* text) : text_(text) {}
  EffectArg(const std::string& text) : text_(text) {}
  EffectArg(std::int64_t number) : text_(int64_text(number)) {}
  EffectArg(UnixMillis t) : EffectArg(t.ms) {}
  // NOLINTEND(google-explicit-constructor)
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

class EffectLog {
 public:
  // The wishes of the sinks. `events` is a set of Notify bits (0: none).
  void set_wants(bool commands, std::uint32_t events) {
    wants_commands_ = commands;
    wanted_events_ = events;
  }
  [[nodiscard]] bool wants_commands() const { return wants_commands_; }
  [[nodiscard]] bool wants(Notify kind) const {
    return (wanted_events_ & static_cast<std::uint32_t>(kind)) != 0;
  }
  // Effect::targets of the commands that follow; 0 records none. Events are recorded all the same.
  void set_targets(std::uint8_t targets) { targets_ = targets; }

  // A change was made; running this command elsewhere has the same effect. Relative times must be
  // absolute in it.
  void replicate(EffectPlace place, std::span<const std::string_view> words) {
    ++changes_;
    relay(place, words);
  }
  template <typename... A>
  void replicate_as(EffectPlace place, A&&... words) {
    ++changes_;
    if (records_commands()) [[unlikely]]
      record_words(place, {EffectArg(std::forward<A>(words))...});
  }
  void replicate_words(EffectPlace place, std::vector<std::string> words) {
    ++changes_;
    if (records_commands()) [[unlikely]]
      effects_.push_back({place.db, place.slot, std::move(words), targets_});
  }
  // Replicates a command that changed no data (PUBLISH).
  void relay(EffectPlace place, std::span<const std::string_view> words) {
    if (records_commands()) [[unlikely]]
      record(place, words);
  }
  // The same for these targets alone.
  void relay_to(std::uint8_t targets, EffectPlace place, std::span<const std::string_view> words) {
    const std::uint8_t usual =
        std::exchange(targets_, static_cast<std::uint8_t>(targets_ & targets));
    relay(place, words);
    targets_ = usual;
  }
  // The last replicated command made this many changes more than one.
  void count_changes(std::uint64_t more) { changes_ += more; }

  // name must be a string constant. of_value: see CommandEffects::side_event.
  void event(Notify kind, std::string_view name, DbIndex db, std::string_view key,
             bool of_value = true) {
    if (wants(kind)) [[unlikely]]
      record_event(kind, name, db, key, of_value);
  }

  // Commands of the unit under way.
  [[nodiscard]] std::size_t recorded() const { return effects_.size(); }
  [[nodiscard]] bool empty() const { return effects_.empty() && events_.empty(); }
  [[nodiscard]] CommittedUnit unit() const { return {effects_, events_, together_}; }
  // The effects of this unit are independent of each other; see CommittedUnit::together.
  void keep_apart() { together_ = effects_.empty(); }
  void clear() {
    effects_.clear();
    events_.clear();
    together_ = true;
  }
  // Changes since the server started. INFO's rdb_changes_since_last_save is a difference of it.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

 private:
  [[nodiscard]] bool records_commands() const { return wants_commands_ && targets_ != 0; }
  void record(EffectPlace place, std::span<const std::string_view> words);
  void record_words(EffectPlace place, std::initializer_list<EffectArg> words);
  void record_event(Notify kind, std::string_view name, DbIndex db, std::string_view key,
                    bool of_value);

  bool wants_commands_ = false;
  std::uint32_t wanted_events_ = 0;
  std::uint8_t targets_ = Effect::kToAll;
  std::uint64_t changes_ = 0;
  bool together_ = true;
  std::vector<Effect> effects_;
  std::vector<KeyEvent> events_;
};

// How one command records its effects: the log, with the command's place and words. Cheap to make
// and to copy; the words must outlive it.
class CommandEffects {
 public:
  CommandEffects(EffectLog& log, EffectPlace place, std::span<const std::string_view> request)
      : log_(log), place_(place), request_(request) {}
  // The same for another database (MOVE, COPY).
  [[nodiscard]] CommandEffects in(DbIndex db) const { return {log_, {db, place_.slot}, request_}; }

  [[nodiscard]] bool wants_commands() const { return log_.wants_commands(); }
  // A change was made, and running the request again elsewhere has the same effect.
  void replicate_verbatim() const { log_.replicate(place_, request_); }
  // The request changed no data, but is to run elsewhere too.
  void relay_verbatim() const { log_.relay(place_, request_); }
  // The same for replicas alone: the log of this server has no use for it.
  void relay_to_replicas() const { log_.relay_to(Effect::kToReplicas, place_, request_); }
  // Another command that is to run elsewhere too and changes no data.
  void relay_words(std::initializer_list<std::string_view> words) const {
    log_.relay(place_, {words.begin(), words.size()});
  }
  // The others: as in EffectLog.
  template <typename... A>
  void replicate_as(A&&... words) const {
    log_.replicate_as(place_, std::forward<A>(words)...);
  }
  void replicate_words(std::vector<std::string> words) const {
    log_.replicate_words(place_, std::move(words));
  }
  void count_changes(std::uint64_t more) const { log_.count_changes(more); }
  void event(Notify kind, std::string_view name, std::string_view key) const {
    log_.event(kind, name, place_.db, key);
  }
  // Something beside the value changed, such as a group of a stream. Clients that wait for the key
  // are served; WATCH and client-side caches ignore it.
  void side_event(Notify kind, std::string_view name, std::string_view key) const {
    log_.event(kind, name, place_.db, key, false);
  }

 private:
  EffectLog& log_;
  EffectPlace place_;
  std::span<const std::string_view> request_;
};

// "KEA" and the like -> Notify bits; 'A' stands for "g$lshzxetd". Unknown letters are ignored:
// config refuses them.
[[nodiscard]] std::uint32_t notify_flags(std::string_view letters);

}  // namespace hearth
