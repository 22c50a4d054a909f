// The things that the workers of one load, or of one comparison, share: chunks, tallies, limits
// and the reason to stop. Every member function may be called from any thread.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "src/base/ids.h"
#include "src/base/time.h"
#include "tools/cache_warm/checkpoint.h"
#include "tools/cache_warm/plan.h"
#include "tools/cache_warm/rejects.h"
#include "tools/cache_warm/report.h"
#include "tools/cache_warm/throttle.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

// A mapping that was looked at before the first row.
struct PreparedMapping {
  const Mapping* mapping = nullptr;
  SelectionShape shape;
  std::vector<std::size_t> key_columns;  // of the primary key, where the rows have all of it
  std::uint64_t expected_rows = 0;       // 0: not known
};

struct ChunkTask {
  std::size_t mapping = 0;
  Chunk chunk;
  bool is_hot = false;  // rows of keys that are used most; they come again with all others
};

struct Stop {
  LoadEnd end = LoadEnd::kComplete;
  std::string reason;
};

class Job {
 public:
  Job(const WarmPlan& plan, const Clock& clock, RejectLog& rejects,
      const std::atomic<bool>& interrupt);

  const WarmPlan& plan;
  const Clock& clock;
  RejectLog& rejects;
  const std::atomic<bool>& interrupt;
  std::vector<PreparedMapping> mappings;
  Throttle rate;                                   // of all rows
  std::vector<std::unique_ptr<Throttle>> rates;    // of each mapping
  Checkpoint* checkpoint = nullptr;                // null: none is kept
  const std::bitset<kSlotCount>* slots = nullptr;  // null: all; else only keys of these are sent

  void add_task(ChunkTask task);
  std::optional<ChunkTask> take_task();
  // So many of the tasks that were taken are read, and every row of them has its answer.
  void settle_tasks(std::size_t mapping, std::size_t count);
  // Whether no task of the mapping is waiting or at work.
  [[nodiscard]] bool is_through(std::size_t mapping) const;

  // The database was lost while the chunk was read: it goes back to the front of the queue.
  void lose_source(ChunkTask task, std::string reason);
  [[nodiscard]] bool has_lost_source() const {
    return has_lost_source_.load(std::memory_order_acquire);
  }
  // The first reason since the last call.
  std::optional<std::string> take_source_loss();
  // The queue as it is; and without its tasks.
  [[nodiscard]] std::deque<ChunkTask> tasks() const;
  void clear_tasks();

  // The first reason counts.
  void stop(LoadEnd end, std::string reason);
  [[nodiscard]] bool is_stopped() const { return is_stopped_.load(std::memory_order_acquire); }
  [[nodiscard]] std::optional<Stop> reason_to_stop() const;
  // Whether a worker should go on: looks at the interrupt and at the number of bad rows.
  bool may_go_on();

  void add(std::size_t mapping, const MappingTally& delta);
  [[nodiscard]] std::vector<MappingTally> tallies() const;
  // A further pass over the same rows begins: its counts take the place of those of the first.
  void count_again();

  // Rows of these slots were refused, since their node does not know the load's epoch any more.
  void lose_slot(Slot slot);
  // Those since the last call.
  std::bitset<kSlotCount> take_lost_slots();

  // The reason why a worker waits at the moment, for people; empty: it does not.
  void tell_waiting(int worker, std::string text);
  [[nodiscard]] std::string waiting() const;

 private:
  mutable std::mutex mutex_;
  std::deque<ChunkTask> tasks_;
  std::vector<std::size_t> open_tasks_;  // of each mapping: in the queue, or taken and not settled
  std::vector<MappingTally> tallies_;
  std::vector<std::pair<MonoTime, MonoTime>> spans_;  // of work on each mapping
  std::optional<Stop> stop_;
  std::bitset<kSlotCount> lost_slots_;
  std::atomic<bool> is_stopped_{false};
  std::optional<std::string> source_loss_;
  std::atomic<bool> has_lost_source_{false};
  std::vector<std::string> waiting_;
};

}  // namespace hearth::warm
