// SlotTarget: keys of slots that move here, on their way in.
//
// Its stream is run in a session of its own, at time 0, so that nothing expires but what the source
// says; effects go to the log and to replicas as those of clients do, events tell nobody. The slots
// are hidden until keep(). What the source sends is not trusted: it may write keys of the slots,
// and nothing else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/model/slot_set.h"
#include "src/engine/engine.h"
#include "src/proto/request_parser.h"

namespace hearth {

class SlotTarget {
 public:
  SlotTarget(Engine& engine, const cluster::SlotSet& slots);
  ~SlotTarget();
  SlotTarget(const SlotTarget&) = delete;
  SlotTarget& operator=(const SlotTarget&) = delete;

  // Runs a chunk of the stream: whole commands, whole transactions. Returns "", or the error that
  // ends the import.
  [[nodiscard]] std::string apply(std::string_view chunk);
  // Clients see the keys from now on.
  void keep();

 private:
  [[nodiscard]] std::string check(std::span<const std::string_view> words);
  [[nodiscard]] bool run();

  Engine& engine_;
  cluster::SlotSet slots_;
  Session* session_;
  RequestBatch batch_;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
