// WarmEpochs: the epochs that loaders have begun on this node, and what was changed since.
//
// The keys of an epoch stand in a filter of fixed size, so that a busy application costs no memory:
// with more and more changes, more rows are refused that could have been stored.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "src/command/warm_control.h"
#include "src/ds/bloom_filter.h"
#include "src/engine/core.h"

namespace hearth {

class WarmEpochs final : public WarmControl {
 public:
  explicit WarmEpochs(EngineCore& core) : core_(core) {}

  // WarmControl
  Begun begin(std::string_view id, seconds life) override;
  bool end(std::string_view id) override;
  WarmAnswer ask(std::string_view id, DbIndex db, std::uint64_t hash, Slot slot) override;
  void excuse(Excuse which) override;
  void note_write(std::string_view id) override;
  void touch(DbIndex db, std::uint64_t hash) override;
  void lose_slot(Slot slot) override;
  [[nodiscard]] std::vector<WarmStatus> status() const override;

  [[nodiscard]] bool is_on() const { return !epochs_.empty(); }
  // Around every command, while epochs are on: the keys that it names for writing are touched. If
  // it had no effect, replicas hear of them by a message.
  void before_command(const Session& session) {
    before_ = {session.replaying, session.db, core_.effects.recorded()};
  }
  void after_command(const Command& command, std::span<const std::string_view> argv);
  // All keys of a database changed at once.
  void note_database_change();
  // Slots that are not this node's in the newest view are not known from now on.
  void follow_view();
  // The data set is another one.
  void clear();
  // Ends epochs whose loader is gone.
  void end_idle();

 private:
  enum class Excused : std::uint8_t { kNo, kNow, kNext };
  struct Epoch {
    explicit Epoch(std::size_t filter_bytes) : keys(8 * filter_bytes) {}
    std::string id;
    MonoTime began;
    MonoTime used;
    seconds life{};
    std::uint64_t stored = 0, refused = 0, touched = 0;
    bool is_void = false;
    ds::BloomFilter keys;
    std::bitset<kSlotCount> known;  // slots owned since it began
  };

  [[nodiscard]] Epoch* find(std::string_view id);
  [[nodiscard]] std::size_t filter_bytes() const;
  [[nodiscard]] std::bitset<kSlotCount> owned() const;
  struct Before {
    bool is_replayed = false;
    DbIndex db = 0;
    std::size_t effects = 0;  // of the unit
  };
  void touch_all(DbIndex db, const Command& command, std::span<const std::string_view> argv,
                 bool tell_replicas);

  EngineCore& core_;
  std::vector<Epoch> epochs_;
  Excused excused_ = Excused::kNo;
  Before before_;  // of the last command that began; those that run others name no keys to write
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
