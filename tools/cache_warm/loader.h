// A whole run: opens the source, looks at every mapping, reaches the target, and moves or compares
// the rows.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "tools/cache_warm/comparer.h"
#include "tools/cache_warm/job.h"
#include "tools/cache_warm/loss_history.h"
#include "tools/cache_warm/node_watch.h"
#include "tools/cache_warm/progress.h"
#include "tools/cache_warm/sender.h"
#include "tools/client/client.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

enum class RunKind : std::uint8_t {
  kLoad,
  kNull,    // rows are read and encoded, and dropped: measures the loader
  kVerify,  // rows are compared with the cache
};

enum class OrphanPolicy : std::uint8_t { kIgnore, kReport, kDelete };

struct RunOptions {
  RunKind kind = RunKind::kLoad;
  // Of all rows together. 0 without `adapts`: as fast as it goes.
  double rate = 0;
  Throttle::Unit rate_unit = Throttle::Unit::kRows;
  bool adapts = true;            // without a rate: as fast as the target can take it
  std::uint64_t limit = 0;       // rows of each mapping; 0: all
  std::string checkpoint;        // a file; empty: none
  bool resume = false;           // goes on with the checkpoint
  std::string plan_fingerprint;  // of what is loaded, for the checkpoint
  std::string snapshot;          // PostgreSQL: all is read in this one, of another session
  std::string replay;            // a reject file whose rows are read again; empty: none
  bool force = false;            // also where the rows will not fit into memory
  bool is_partial = false;       // of some mappings, or some of their rows
  bool repair = false;           // kVerify: writes what is missing or different
  double sample = 1;             // kVerify: part of the keys
  OrphanPolicy orphans = OrphanPolicy::kIgnore;  // kVerify
};

// The options of the clients of a load.
[[nodiscard]] client::DispatcherOptions client_options(const Target& target,
                                                       std::uint64_t random_seed);

// Describes every mapping and looks up all that it names, so that nothing is wrong later. Errors:
// kInvalid, naming the mapping; kIo, kBusy.
Result<void> prepare_mappings(Source& source, Job& job, std::uint64_t limit);

class Loader {
 public:
  Loader(WarmPlan plan, RunOptions options, const Clock& clock, Progress& progress,
         RejectLog& rejects, const std::atomic<bool>& interrupt, std::uint64_t random_seed);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Blocks. The calling thread draws the progress.
  LoadReport run();

  // For metrics: what is counted so far. Any thread.
  [[nodiscard]] std::vector<MappingTally> tallies() const { return job_.tallies(); }

 private:
  struct Seat;  // of a worker: its reader, its connections, its consumer

  void set_out();
  Result<void> open_source_and_prepare();
  Result<void> reach_target();
  Result<void> begin_epoch();
  void end_epoch();
  Result<void> read_anew();
  void leave_seats();
  Result<void> check_rights();
  Result<void> check_memory();
  Result<void> check_keys();
  Result<void> queue_chunks();
  Result<void> queue_mapping(std::size_t index);
  Result<void> add_seats();
  Result<void> run_pass();
  Result<void> run_pass_over_losses();
  void reach_source_again(const std::string& loss);
  Result<void> go_on_with_source();
  void wait_for(milliseconds pause);
  Result<void> open_source();
  void queue_hot_rows();
  [[nodiscard]] bool reports() const;
  void tell_progress(bool is_over);
  // Keys that nodes acknowledged and may not have any more.
  struct Losses {
    std::string what{};                     // that happened; empty: nothing
    std::vector<client::Endpoint> nodes{};  // that restarted, or were promoted
    std::bitset<kSlotCount> slots{};
  };
  void take_anchors();
  [[nodiscard]] std::optional<std::vector<SlotOwner>> slot_owners() const;
  std::optional<std::vector<SlotOwner>> await_owners();
  Losses find_losses();
  void find_lost_streams(Losses& losses);
  void add_lost(Losses& losses, const Verdict& verdict, const std::vector<SlotOwner>& owners) const;
  bool load_again(const Losses& losses);
  void run_passes();
  void find_orphans();
  void tick();
  [[nodiscard]] std::function<void(const std::optional<client::Dispatcher::Waiting>&)>
  waiting_teller(int worker);
  void stop_for(const Error& error, LoadEnd end);

  WarmPlan plan_;
  RunOptions options_;
  const Clock& clock_;
  Progress& progress_;
  std::uint64_t random_seed_;
  Job job_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Reader> first_reader_;  // of the source, while no seat has it
  std::atomic<bool> has_source_{false};
  std::atomic<bool> is_prepared_{false};
  MonoTime begun_{};
  MonoTime interrupted_at_{};
  std::unique_ptr<client::Client> front_;  // knows the slots
  Sender nobody_;                          // of its answers
  std::unique_ptr<NodeWatch> watch_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<Anchor> anchors_;  // of the nodes, before the rows that are sent
  std::vector<std::bitset<kSlotCount>> anchor_slots_;
  std::bitset<kSlotCount> reload_slots_;
  LossHistory losses_;
  std::string epoch_;  // empty: rows are written without one
  int epochs_ = 0;
  LoadReport report_;
};

}  // namespace hearth::warm
