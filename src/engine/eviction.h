// Eviction: keeps the use of memory below maxmemory, by closing clients and by removing keys.
#pragma once

#include "src/engine/core.h"
#include "src/engine/sessions.h"
#include "src/store/memory.h"

namespace hearth {

class Eviction {
 public:
  Eviction(EngineCore& core, Executor& executor, Sessions& sessions)
      : core_(core), executor_(executor), sessions_(sessions) {}

  [[nodiscard]] bool is_over_limit() const {
    return core_.hot.maxmemory != 0 && memory::used_bytes() > core_.hot.maxmemory;
  }
  // Removes keys until there is room, for the time that maxmemory-eviction-tenacity allows one
  // command. True if there is room now, or a next command may make more.
  bool make_room();
  // Bytes counted against maxmemory: without replica buffers and clients that are being closed.
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] std::uint64_t unsent_to_replicas() const;
  // Time since there was last room; 0 if there is.
  [[nodiscard]] microseconds exceeded_for() const {
    return exceeded_since_.us == 0 ? microseconds{0} : core_.mono - exceeded_since_;
  }
  // There is no limit any more.
  void end_exceeding() { note_room(true); }
  // Another policy judges keys by other scores.
  void set_policy(EvictionPolicy policy);

 private:
  bool evict_until_room();
  void note_room(bool has_room);
  std::uint64_t evict_one(const EvictionPool::Candidate& victim);
  void commit();

  EngineCore& core_;
  Executor& executor_;
  Sessions& sessions_;
  EvictionPool pool_;
  MonoTime exceeded_since_{};  // 0: there is room
};

}  // namespace hearth
