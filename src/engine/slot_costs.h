// SlotCosts: which slot a command's time and bytes count for (cluster-slot-stats-enabled).
//
// A script or a transaction counts as a whole, for the slot of all keys that it named or reached; a
// command without keys, or with keys of several slots, counts for none. MULTI and the queued
// commands count with their EXEC. Sizes are those on the wire. The stream counts once for each
// replica that is fed, a message of a shard channel once for each listener (SPUBLISH's handler).
// A replica counts the stream that it is fed as requests; a log that is loaded counts nothing.
//
// Times are the microseconds by which the call raised its command's `usec` in INFO commandstats, so
// that both sum up to the same, whatever they are rounded to.
#pragma once

#include <optional>
#include <vector>

#include "src/command/key_extract.h"
#include "src/engine/core.h"

namespace hearth {

class SlotCosts {
 public:
  using Words = std::span<const std::string_view>;
  explicit SlotCosts(EngineCore& core) : core_(core) {}

  // A command ran and was added to its command's figures.
  void note_call(Session& session, const Command& command, Words argv, std::uint64_t ns,
                 std::uint64_t reply_bytes);
  // The same for one that waited and is answered without running again; in any unit.
  void note_unserved(Session& session, const Command& command, Words argv, std::uint64_t ns,
                     std::uint64_t reply_bytes);
  void note_queued(Session& session, Words argv, std::uint64_t reply_bytes);
  void note_stream(const CommittedUnit& unit);
  // A unit that was no call ended.
  void forget_nested() { slots_ = {}; }

 private:
  // The slots of the keys that the unit under way reached so far.
  struct Reached {
    std::optional<Slot> slot;
    bool several = false;
  };
  void note_keys(const Command& command, Words argv);
  void add(const Reached& reached, const Command& command, std::uint64_t ns, SlotFigures cost);

  EngineCore& core_;
  Reached slots_;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
