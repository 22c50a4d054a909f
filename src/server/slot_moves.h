// SlotMoves: the moves of slots from and to this node. Decisions are the machines' (Export, Import,
// the bus); here are the links, the data and the list of moves.
//
// A source opens a stream to the target's client port and speaks CLUSTER SYNCSLOTS:
//
//   ESTABLISH name source ranges     may the slots come?
//   DATA chunk                       commands; answered when they were run
//   COMMIT epoch                     take the slots; answered when that is on the disk
//
// A few chunks are under way at a time, and answers come as fast as the target works, so neither
// side keeps more than that. The link speaks at least once a second.
//
// Everything happens in turns of the loop; while there is work a timer makes turns.
#pragma once

#include <uv.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/migration/export.h"
#include "cluster/migration/import.h"
#include "cluster/model/view.h"
#include "src/command/cluster_control.h"
#include "src/command/migration_control.h"
#include "src/command/slot_migration_control.h"
#include "src/engine/engine.h"
#include "src/proto/reply_parser.h"
#include "src/server/slot_balancer.h"
#include "src/server/slot_drops.h"
#include "src/server/slot_source.h"
#include "src/server/slot_target.h"
#include "src/stream/byte_stream.h"

namespace hearth {

class Outgoing;

class SlotMoves final : public SlotMigrationControl, public EffectSink {
 public:
  struct Parts {
    uv_loop_t* loop = nullptr;
    Engine* engine = nullptr;
    ClusterControl* cluster = nullptr;
    MigrationControl* requests = nullptr;  // one request to another node, and its answer
    StreamOpener* streams = nullptr;
    SlotDrops* drops = nullptr;
    const Clock* clock = nullptr;
    std::function<cluster::ViewPtr()> published;  // the view that clients are served by
    std::function<void()> refresh_time;           // before anything is done outside of a command
    std::function<void()> wants_changed;          // effects are wanted, or not any more
    std::uint64_t seed = 0;                       // of the names
  };
  explicit SlotMoves(Parts parts);
  ~SlotMoves() override;
  SlotMoves(const SlotMoves&) = delete;
  SlotMoves& operator=(const SlotMoves&) = delete;

  // At the end of each loop turn, before its replies leave.
  void end_turn();
  // Ten times a second.
  void tick() {
    if (!stopped_) balancer_.tick();
  }
  // Nothing is sent or run any more. The timer closes with the next turn of the loop.
  void stop();
  [[nodiscard]] bool wants_commands() const { return !exports_.empty(); }
  // The next turn may not wait for anybody's bytes.
  [[nodiscard]] bool is_busy() const;

  // --- EffectSink
  void on_commit(const CommittedUnit& unit) override;

  // --- SlotMigrationControl
  [[nodiscard]] Outcome migrate(std::vector<Order> orders) override;
  [[nodiscard]] Result<std::string, ReplyError> import(const cluster::SlotSet& slots) override;
  void for_each(const std::function<void(const SlotMove&)>& fn) const override;
  std::size_t cancel(Which which, std::string_view name) override;
  [[nodiscard]] bool is_moving(const cluster::SlotSet& slots) const override;
  [[nodiscard]] std::string balance_state() const override { return balancer_.state(); }
  [[nodiscard]] Outcome establish(Session& session, std::string_view name, std::string_view source,
                                  const cluster::SlotSet& slots) override;
  [[nodiscard]] Outcome data(Session& session, std::string_view chunk) override;
  [[nodiscard]] Outcome commit(Session& session, std::uint64_t epoch) override;
  [[nodiscard]] Outcome query(std::string_view name, const cluster::SlotSet& slots) override;
  [[nodiscard]] Outcome request(std::string_view name, const std::string& target,
                                const cluster::SlotSet& slots) override;

 private:
  struct Incoming;

  // Why these slots may not be moved to `target` now; empty: they may.
  [[nodiscard]] std::string refusal(const cluster::View& view, const Order& order) const;
  [[nodiscard]] SlotBalancer::Parts balancer_parts();
  void start(std::string name, Order order);
  void pump();
  void step(Incoming& move, const cluster::migration::ImportInput& input);
  void copy(Incoming& move);
  [[nodiscard]] std::size_t copies_needed() const;
  [[nodiscard]] bool is_copied(std::uint64_t offset) const;
  void take_slots(Incoming& move);
  void answer(Incoming& move);
  void run_waiting(Incoming& move);
  void look_at_cluster(const cluster::View& view);
  void check_links();
  void refresh_holds();
  void sweep();
  void arm_timer();
  [[nodiscard]] SlotMove& record(SlotMove move);
  [[nodiscard]] SlotMove* find_record(std::string_view name);
  void trim_log();
  [[nodiscard]] MonoTime mono() const { return parts_.engine->mono_now(); }
  [[nodiscard]] UnixMillis unix_now() const { return parts_.clock->unix_now(); }
  [[nodiscard]] const config::Settings& settings() const { return parts_.engine->settings(); }
  [[nodiscard]] std::vector<std::vector<std::string>> credentials() const;
  void ask_node(const cluster::NodeView& node, std::vector<std::string> words,
                std::function<void(std::string failure, std::string error)> done);

  Parts parts_;
  Rng rng_;
  SlotBalancer balancer_;
  std::unique_ptr<uv_timer_t> timer_;
  bool armed_ = false;
  bool stopped_ = false;
  bool in_turn_ = false;
  cluster::ViewPtr seen_view_;
  std::vector<std::unique_ptr<Outgoing>> exports_;
  std::vector<std::unique_ptr<Incoming>> imports_;
  // By pointers that stay: moves under way write to theirs.
  std::vector<std::unique_ptr<SlotMove>> log_;
  cluster::SlotSet held_written_, held_used_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for answers that come later
};

// "first last" of each range, as words of a command.
void append_ranges(const cluster::SlotSet& slots, std::vector<std::string>& words);

}  // namespace hearth
