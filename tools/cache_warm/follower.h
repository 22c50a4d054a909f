// `cache-warm follow`: loads the cache where it must, then keeps it true by the database's change
// stream until it is told to end.
//
//   connect -> [load -> ] stream --- the connection is lost ---> connect, after a pause
//                 ^         |
//                 +---------+ the log is lost, or a node lost keys: load again
//
// A position is saved when the cache's replicas have all before it, and confirmed to the database
// when they have that as well: what a promoted replica lacks comes again from there. A node that
// lacks more (node_streams.h) has lost keys.
//
// A first load reads everything in the snapshot that the stream begins at. A later one also deletes
// keys whose rows are gone: it compares, and mends. Three loads without a change in between end the
// run, since a fourth would not help.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/cache_warm/follow_machine.h"
#include "tools/cache_warm/follow_state.h"
#include "tools/cache_warm/loader.h"
#include "tools/cache_warm/node_streams.h"
#include "tools/cache_warm/row_finder.h"
#include "tools/warm_source/change_stream.h"

namespace hearth::warm {

enum class FollowLoad : std::uint8_t {
  kIfNeeded,  // when there is no position to go on from
  kFirst,     // at the start in any case
  kNever,     // begins with what changes from now on
};

struct FollowRunOptions {
  std::string name = "cache_warm";
  FollowLoad load = FollowLoad::kIfNeeded;
  RunOptions load_options;
};

// The state of a run, for the progress line and metrics.
struct FollowStatus {
  FollowCounts counts;
  std::vector<MappingTally> tallies;
  std::uint64_t lag_bytes = 0;
  double lag_seconds = 0;
  bool is_streaming = false;
  std::uint64_t loads = 0;
  std::uint64_t reconnects = 0;
  std::string position;
};

class Follower final : private FollowPort {
 public:
  Follower(WarmPlan plan, FollowRunOptions options, const Clock& clock, Progress& progress,
           RejectLog& rejects, const std::atomic<bool>& interrupt, std::uint64_t random_seed);
  ~Follower() override;
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Blocks until the interrupt, which ends it as complete, or a failure that waiting does not mend.
  LoadReport run();
  // Any thread.
  [[nodiscard]] FollowStatus status() const;

 private:
  struct Session;
  // How a session ended.
  enum class Next : std::uint8_t { kEnd, kAgain };

  void work();
  Next session();
  Result<void> connect();
  Result<void> look_at_tables();
  Result<bool> needs_load();
  std::optional<Next> load();
  LoadReport run_load(const FollowStart& start, bool is_again);
  Next stream();
  Result<void> stream_some();
  Result<void> turn_target(milliseconds wait);
  // follower_nodes.cc
  Result<void> look_at_first();
  Result<std::string> find_lost_nodes(const std::string& saved);
  std::optional<std::vector<SlotOwner>> look_at_nodes();
  Result<void> judge_nodes(std::span<const SlotOwner> owners);
  Result<void> save_progress();
  Result<void> save_last_progress();
  Result<void> pass_gate(std::span<const SlotOwner> owners);
  Result<void> save_position();
  Result<void> confirm_saved();

  Result<void> make_pollers();
  Result<void> set_pollers(bool will_load);
  Result<void> poll_tables();
  Result<void> set_shape(std::size_t table);
  void end_session();
  Next after(const Error& error);
  Next end_with(LoadEnd end, std::string reason);
  void pause();
  void publish();
  void tick();
  [[nodiscard]] SourceOptions source_options() const;
  [[nodiscard]] bool is_interrupted() const { return interrupt_.load(std::memory_order_relaxed); }

  // FollowPort
  Result<void> read_rows(std::size_t mapping, const std::vector<std::string>& columns,
                         const std::vector<std::vector<std::string>>& values,
                         std::span<const std::uint64_t> transactions,
                         const std::function<Result<void>(const Unit&)>& take) override;
  Result<std::uint64_t> erase_keys(std::size_t mapping) override;
  void report(std::size_t mapping, std::string_view key, std::string_view reason) override;

  WarmPlan plan_;
  FollowRunOptions options_;
  const Clock& clock_;
  Progress& progress_;
  RejectLog& rejects_;
  const std::atomic<bool>& interrupt_;
  std::uint64_t random_seed_;

  std::unique_ptr<Session> session_;
  LoadReport report_;
  bool has_begun_ = false;      // a session reached its stream
  bool must_load_ = false;      // for another reason than a missing position
  bool is_repair_ = false;      // keys of rows that are gone may be there
  int logs_lost_ = 0;           // by the database, one after the other
  int failures_ = 0;            // sessions that ended early, one after the other
  FollowCounts counts_before_;  // of earlier sessions
  std::vector<MappingTally> tallies_before_;
  std::uint64_t loads_ = 0;
  std::uint64_t reconnects_ = 0;

  std::atomic<bool> is_loading_{false};
  mutable std::mutex mutex_;
  FollowStatus status_;
  std::string waiting_;
};

}  // namespace hearth::warm
