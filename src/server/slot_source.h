// SlotSource: the data of slots that move away, as a stream of commands.
//
// The slots are walked one after the other. How an entry and a write to it meet:
//
//   its slot was not begun      the write is not sent: the walk finds its result
//   its slot is being walked    the key is noted, and when the walk of the slot is through, what
//                               it holds then is sent (or its absence), until nothing is noted
//   its slot is through         the write's effect is sent, as to a replica
//
// When all slots are through, the versions of keys that are gone from them are sent: from then on
// the target refuses what is older, as the source did.
//
// So commands of several keys are sent only where the target has all keys of the slot, exactly as
// they are here. A value that is being changed all the time is sent once or twice, not each time.
//
// The stream is cut into chunks at the ends of units. Nothing is copied for the walk: memory is
// what waits to be sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/model/slot_set.h"
#include "src/effects/command_stream.h"
#include "src/engine/engine.h"

namespace hearth {

class SlotSource {
 public:
  SlotSource(Engine& engine, const CommandTable& commands, const cluster::SlotSet& slots);

  // A unit was committed: its effects join the stream, or their keys are noted. O(effects).
  void note(const CommittedUnit& unit);
  // Adds keys to the stream until about so many bytes are in it that were not taken, or as many
  // keys were looked at.
  void walk(std::size_t bytes_most, std::size_t keys_most);
  // All keys were sent and the versions of those that are gone, and every further effect is.
  [[nodiscard]] bool is_walked() const {
    return at_ == slots_.size() && has_gone_ && gone_.empty();
  }
  // All keys went at once (FLUSHALL): the target can't be told that of some slots.
  [[nodiscard]] bool was_flushed() const { return flushed_; }

  // The next chunk: whole units, about kChunk bytes, more only for a single larger one.
  static constexpr std::size_t kChunk = 128 * 1024;
  [[nodiscard]] bool has_chunk() const { return !chunks_.empty(); }
  [[nodiscard]] std::string take_chunk();
  // Its memory serves for another one: large pieces are not had for nothing.
  void give_back(std::string chunk);
  // In chunks that were not taken.
  [[nodiscard]] std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  void next_slot();
  // A key of the slot that is walked as it is now.
  void send_key(DbIndex db, std::string_view name);
  void send_entry(DbIndex db, const Entry& entry);
  // One look at all tombstones of the node, a few milliseconds for as many as there may be.
  void find_gone();
  void append(const CommittedUnit& unit);
  void note_keys(const Effect& effect);
  [[nodiscard]] bool has_keys(const Effect& effect);
  [[nodiscard]] static bool is_of_epoch(const Effect& effect);

  Engine& engine_;
  const CommandTable& commands_;
  std::vector<Slot> slots_;  // ascending
  cluster::SlotSet through_;
  std::size_t at_ = 0;  // index of the slot that is walked
  DbIndex db_ = 0;      // where the walk stands in it; db_count(): only noted keys are left
  std::uint64_t cursor_ = 0;
  std::set<std::pair<DbIndex, std::string>> noted_;
  struct Gone {
    DbIndex db = 0;
    std::string note;
  };
  std::deque<Gone> gone_;  // to be sent
  bool has_gone_ = false;  // they were looked for
  bool flushed_ = false;
  CommandStream stream_{Effect::kToReplicas};
  std::deque<std::string> chunks_;
  std::string spare_;
  std::size_t waiting_bytes_ = 0;
  std::vector<Effect> passed_;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
