#include "src/server/slot_moves.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "src/base/log.h"
#include "src/command/client_control.h"
#include "src/command/progress_source.h"
#include "src/command/replication_control.h"
#include "src/server/slot_outgoing.h"

namespace hearth {
namespace {

using cluster::migration::Import;
using cluster::migration::ImportAction;
namespace from = cluster::migration::from;
namespace to = cluster::migration::to;

// A turn removes at most so many keys of slots that are gone.
constexpr std::uint64_t kDropsPerTurn = 512;
constexpr std::size_t kMovesMost = 1024;  // under way, of a kind

}  // namespace

// Slots on their way here.
struct SlotMoves::Incoming {
  Incoming(Engine& engine, const cluster::SlotSet& set, milliseconds silence, MonoTime now)
      : machine(silence, now), slots(set), target(std::make_unique<SlotTarget>(engine, set)) {}

  Import machine;
  cluster::SlotSet slots;
  std::string source;
  ConnId link = 0;
  std::unique_ptr<SlotTarget> target;
  SlotMove* record = nullptr;
  std::string chunk;
  bool has_chunk = false;       // that was not run yet
  std::uint64_t copy_from = 0;  // the stream's offset that a replica is to confirm
  std::deque<cluster::migration::ImportInput> inputs;
  bool flushed = false;
};

SlotMoves::SlotMoves(Parts parts)
    : parts_(std::move(parts)), rng_(parts_.seed), balancer_(balancer_parts()) {
  timer_ = std::make_unique<uv_timer_t>();
  uv_timer_init(parts_.loop, timer_.get());
  timer_->data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(timer_.get()));
}

SlotMoves::~SlotMoves() { stop(); }

void SlotMoves::stop() {
  if (std::exchange(stopped_, true)) return;
  *alive_ = false;
  exports_.clear();
  imports_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(timer_.release()),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

bool SlotMoves::is_busy() const {
  return !parts_.drops->is_empty() ||
         std::any_of(exports_.begin(), exports_.end(),
                     [](const auto& e) { return e->is_busy(); }) ||
         std::any_of(imports_.begin(), imports_.end(),
                     [](const auto& i) { return !i->inputs.empty(); });
}

// Work goes on without anybody's bytes: the timer makes turns, and their ends do the work.
void SlotMoves::arm_timer() {
  const bool busy = is_busy();
  if (busy == armed_) return;
  armed_ = busy;
  if (busy)
    uv_timer_start(
        timer_.get(), [](uv_timer_t*) {}, 1, 1);
  else
    uv_timer_stop(timer_.get());
}

void SlotMoves::end_turn() {
  if (stopped_ || in_turn_) return;
  if (exports_.empty() && imports_.empty() && parts_.drops->is_empty()) {
    if (armed_) arm_timer();
    return;
  }
  // A script that runs for long lets turns happen inside of itself: the data is its own then.
  if (parts_.engine->in_transaction()) return;
  in_turn_ = true;
  parts_.refresh_time();
  pump();
  arm_timer();
  in_turn_ = false;
}

void SlotMoves::pump() {
  if (!parts_.drops->is_empty()) parts_.drops->step(kDropsPerTurn);
  const cluster::ViewPtr view = parts_.published();
  look_at_cluster(*view);
  check_links();
  for (std::size_t i = 0; i < imports_.size(); ++i) run_waiting(*imports_[i]);
  for (std::size_t i = 0; i < exports_.size(); ++i) exports_[i]->turn();
  refresh_holds();
  sweep();
}

void SlotMoves::look_at_cluster(const cluster::View& view) {
  if (seen_view_.get() == &view) return;
  seen_view_ = parts_.published();
  for (const auto& move : exports_) move->look_at(view);
  for (const auto& move : imports_) {
    to::Cluster input;
    move->slots.for_each([&](Slot slot) {
      const cluster::NodeView* owner = view.owner_of(slot);
      if (owner != nullptr && owner->id.view() == move->source) return;
      input.owner = to::Owner::kOther;
    });
    move->inputs.emplace_back(input);
    if (!view.me().is_primary()) move->inputs.emplace_back(to::Spoiled{"this node is a replica"});
  }
}

void SlotMoves::check_links() {
  for (const auto& move : imports_) {
    const Session* session = parts_.engine->sessions().find(move->link);
    if (session == nullptr || session->close_now) move->inputs.emplace_back(to::Closed{});
    if (move->machine.state() == Import::State::kCopying && is_copied(move->copy_from))
      move->inputs.emplace_back(to::Copied{});
    if (std::exchange(move->flushed, false))
      move->inputs.emplace_back(to::Spoiled{"all keys were flushed"});
    move->inputs.emplace_back(to::Tick{});
  }
}

// --- slots that come

// The copies that keys need here before this node takes their slots: as many as answers promise,
// and one where it has replicas at all. One that is out of reach may be elected nevertheless.
std::size_t SlotMoves::copies_needed() const {
  const cluster::ViewPtr view = parts_.published();
  const bool has_replicas =
      std::any_of(view->nodes.begin(), view->nodes.end(),
                  [&](const auto& node) { return node.replica_of == view->me().id; });
  return std::max<std::size_t>(static_cast<std::size_t>(settings().min_replicas_to_ack),
                               has_replicas ? 1 : 0);
}

bool SlotMoves::is_copied(std::uint64_t offset) const {
  const ProgressSource* progress = parts_.engine->services().progress;
  return progress == nullptr || progress->replicas_at(offset, false) >= copies_needed();
}

void SlotMoves::copy(Incoming& move) {
  if (ReplicationControl* replication = parts_.engine->services().replication)
    move.copy_from = replication->offset();
  if (ProgressSource* progress = parts_.engine->services().progress) progress->ask_replicas();
  if (is_copied(move.copy_from)) move.inputs.emplace_back(to::Copied{});
}

void SlotMoves::run_waiting(Incoming& move) {
  if (std::exchange(move.has_chunk, false) && !move.machine.is_over())
    step(move, to::Applied{move.chunk.empty() ? std::string() : move.target->apply(move.chunk)});
  while (!move.inputs.empty()) {
    const cluster::migration::ImportInput input = std::move(move.inputs.front());
    move.inputs.pop_front();
    step(move, input);
  }
}

void SlotMoves::step(Incoming& move, const cluster::migration::ImportInput& input) {
  const Import::State before = move.machine.state();
  for (const ImportAction action : move.machine.step(input, mono())) {
    switch (action) {
      case ImportAction::kCopy: copy(move); break;
      case ImportAction::kTake: take_slots(move); break;
      case ImportAction::kAnswer: answer(move); break;
      case ImportAction::kShow: move.target->keep(); break;
      case ImportAction::kDrop:
        // A replica's keys go by its primary's stream.
        if (parts_.published()->me().is_primary())
          parts_.drops->add(move.slots, SlotDrops::Events::kNone);
        break;
      case ImportAction::kClose:
        if (Session* session = parts_.engine->sessions().find(move.link)) {
          session->close_after_reply = true;
          parts_.engine->sessions().end_soon(*session);
        }
        break;
    }
  }
  SlotMove& record = *move.record;
  record.state = cluster::migration::state_name(move.machine.state());
  record.message = move.machine.message();
  if (std::holds_alternative<to::Applied>(input)) record.heard = unix_now();
  if (move.machine.state() == before) return;
  record.updated = unix_now();
  if (!move.machine.is_over()) return;
  record.ended = unix_now();
  record.failed = move.machine.state() == Import::State::kFailed;
  log::notice("The move {} of {} slots to this node: {} {}", record.name, move.slots.count(),
              record.state, record.message);
}

void SlotMoves::take_slots(Incoming& move) {
  const auto done = [this, alive = alive_,
                     name = move.record->name](const cluster::AdminReply& reply) {
    if (!*alive) return;
    for (const auto& i : imports_) {
      if (i->record->name == name && !i->machine.is_over())
        i->inputs.emplace_back(to::Taken{reply.is_error() ? reply.text : std::string()});
    }
  };
  cluster::admin::TakeSlots request{move.slots, move.source, move.machine.epoch()};
  if (const auto reply = parts_.cluster->administer(std::move(request), done)) done(*reply);
}

// Its link waits for this.
void SlotMoves::answer(Incoming& move) {
  Session* session = parts_.engine->sessions().find(move.link);
  if (session == nullptr || !session->is_waiting()) return;
  const std::size_t reply_from = session->out.size();
  ReplyWriter out(session->out, session->resp);
  if (move.machine.answer().empty())
    out.ok();
  else
    out.error(move.machine.answer());
  parts_.engine->sessions().resume(*session, reply_from);
}

Outcome SlotMoves::establish(Session& session, std::string_view name, std::string_view source,
                             const cluster::SlotSet& slots) {
  const cluster::ViewPtr view = parts_.published();
  if (!view->me().is_primary()) return refuse("ERR this node is a replica");
  if (view->draining) return refuse("ERR this node is being drained and takes no slots");
  if (parts_.engine->warm_gate().is_closed()) return refuse("ERR " + std::string(kNodeNotWarm));
  if (view->state != cluster::ClusterState::kOk)
    return refuse("TRYAGAIN the cluster is down, as this node sees it");
  if (imports_.size() >= kMovesMost) return refuse("ERR too many moves are under way");
  bool owned = true, busy = false, moving = is_moving(slots);
  slots.for_each([&](Slot slot) {
    const cluster::NodeView* owner = view->owner_of(slot);
    owned = owned && owner != nullptr && owner->id.view() == source && !view->in_motion(slot);
    busy = busy || parts_.drops->has(slot);
    for (DbIndex i = 0; i < parts_.engine->keyspace().db_count(); ++i)
      busy = busy || parts_.engine->keyspace().db(i).stored_in_slot(slot) > 0;
  });
  if (!owned) return refuse("TRYAGAIN not all slots are the source's, as this node sees it");
  if (moving) return refuse("ERR some of the slots are part of another move");
  if (busy) return refuse("TRYAGAIN keys that these slots had here are still being removed");
  const ProgressSource* progress = parts_.engine->services().progress;
  if (progress != nullptr && progress->online_replicas() < copies_needed())
    return refuse("ERR too few replicas of this node are online to have copies of the keys");
  const SlotMove* known = find_record(name);
  if (known != nullptr && (known->is_over() || !known->is_import))
    return refuse("ERR the move was cancelled, or has ended");
  auto move = std::make_unique<Incoming>(*parts_.engine, slots, settings().repl_timeout, mono());
  move->source = source;
  move->link = session.id;
  SlotMove fresh;
  fresh.name = name;
  fresh.is_import = true;
  fresh.slots = slots;
  fresh.source = source;
  fresh.target = view->me().id.view();
  SlotMove* asked = find_record(name);
  move->record = asked != nullptr ? asked : &record(std::move(fresh));
  move->record->state = cluster::migration::state_name(move->machine.state());
  move->record->heard = move->record->updated = unix_now();
  imports_.push_back(std::move(move));
  return {};
}

Outcome SlotMoves::data(Session& session, std::string_view chunk) {
  for (const auto& move : imports_) {
    if (move->link != session.id || move->machine.is_over()) continue;
    move->chunk.assign(chunk);
    move->has_chunk = true;
    parts_.engine->sessions().wait(session);
    return {};
  }
  return refuse("ERR no slots are imported by this connection");
}

Outcome SlotMoves::commit(Session& session, std::uint64_t epoch) {
  for (const auto& move : imports_) {
    if (move->link != session.id || move->machine.is_over()) continue;
    move->inputs.emplace_back(to::Commit{epoch});
    parts_.engine->sessions().wait(session);
    return {};
  }
  return refuse("ERR no slots are imported by this connection");
}

// The answer is final: an import that goes on ends here.
Outcome SlotMoves::query(std::string_view name, const cluster::SlotSet& slots) {
  for (const auto& move : imports_) {
    if (move->record->name != name || move->machine.is_over()) continue;
    if (move->machine.state() == Import::State::kTaking)
      return refuse("TRYAGAIN the slots are being taken");
    step(*move, to::Cancel{});
  }
  const cluster::ViewPtr view = parts_.published();
  bool mine = true;
  slots.for_each([&](Slot slot) { mine = mine && view->owner[slot] == view->myself; });
  if (mine && view->me().is_primary()) return {};
  return refuse("NOTTAKEN this node does not own the slots");
}

// --- slots that go

std::string SlotMoves::refusal(const cluster::View& view, const Order& order) const {
  if (!view.me().is_primary()) return "ERR Only a primary can move slots";
  const cluster::NodeIndex target = view.find(NodeId(order.target));
  if (target == cluster::kNoNode) return "ERR Unknown node " + order.target;
  if (target == view.myself) return "ERR The target is this node itself";
  if (!view.nodes[target].is_primary()) return "ERR Target node is not a master";
  if (exports_.size() >= kMovesMost) return "ERR Too many moves are under way";
  std::string why;
  order.slots.for_each([&](Slot slot) {
    if (!why.empty()) return;
    if (view.owner[slot] != view.myself)
      why = "ERR Slot " + std::to_string(slot) + " is not served by this node";
    else if (view.in_motion(slot))
      why = "ERR Slot " + std::to_string(slot) + " is being moved by CLUSTER SETSLOT";
  });
  if (why.empty() && is_moving(order.slots)) why = "ERR Some slots are part of another move";
  return why;
}

Outcome SlotMoves::migrate(std::vector<Order> orders) {
  const cluster::ViewPtr view = parts_.published();
  for (const Order& order : orders) {
    if (std::string why = refusal(*view, order); !why.empty()) return refuse(std::move(why));
  }
  for (Order& order : orders) start(rng_.hex(NodeId::kLength), std::move(order));
  return {};
}

Outcome SlotMoves::request(std::string_view name, const std::string& target,
                           const cluster::SlotSet& slots) {
  Order order{slots, target};
  if (std::string why = refusal(*parts_.published(), order); !why.empty())
    return refuse(std::move(why));
  if (find_record(name) != nullptr) return refuse("ERR there is a move of that name");
  start(std::string(name), std::move(order));
  return {};
}

void SlotMoves::start(std::string name, Order order) {
  SlotMove move;
  move.name = std::move(name);
  move.slots = order.slots;
  move.source = parts_.published()->me().id.view();
  move.target = order.target;
  cluster::migration::ExportSettings limits;
  limits.handoff_lag_bytes = settings().cluster_slot_migration_max_lag_bytes;
  limits.pause_timeout = settings().cluster_slot_migration_write_pause_timeout;
  limits.silence = settings().repl_timeout;
  Outgoing::Parts parts;
  parts.engine = parts_.engine;
  parts.cluster = parts_.cluster;
  parts.streams = parts_.streams;
  parts.clock = parts_.clock;
  parts.refresh_time = parts_.refresh_time;
  parts.credentials = credentials();
  parts.published = parts_.published;
  parts.ask = [this](const cluster::NodeView& node, std::vector<std::string> words,
                     std::function<void(std::string, std::string)> done) {
    ask_node(node, std::move(words), std::move(done));
  };
  exports_.push_back(std::make_unique<Outgoing>(std::move(parts), limits, record(std::move(move))));
  log::notice("The move {} of {} slots to {} begins", exports_.back()->record().name,
              order.slots.count(), order.target);
  parts_.wants_changed();
}

void SlotMoves::on_commit(const CommittedUnit& unit) {
  for (const auto& move : exports_) move->note(unit);
  if (imports_.empty()) return;
  for (const Effect& effect : unit.effects) {
    if (!equals_ignore_case(effect.argv[0], "FLUSHALL") &&
        !equals_ignore_case(effect.argv[0], "FLUSHDB"))
      continue;
    for (const auto& move : imports_) move->flushed = true;
  }
}

void SlotMoves::refresh_holds() {
  cluster::SlotSet written, used;
  for (const auto& move : exports_) {
    if (!move->holds()) continue;
    cluster::SlotSet& set = move->machine().is_handed_over() ? used : written;
    move->record().slots.for_each([&](Slot slot) { set.add(slot); });
  }
  if (written == held_written_ && used == held_used_) return;
  held_written_ = written;
  held_used_ = used;
  parts_.engine->holds().hold_slots(written, used);
}

void SlotMoves::sweep() {
  const std::size_t before = exports_.size();
  std::erase_if(exports_, [](const auto& move) { return move->machine().is_over(); });
  std::erase_if(imports_, [](const auto& move) { return move->machine.is_over(); });
  if (exports_.size() != before) parts_.wants_changed();
  trim_log();
}

// --- the list

SlotMove& SlotMoves::record(SlotMove move) {
  move.created = move.updated = move.heard = unix_now();
  log_.push_back(std::make_unique<SlotMove>(std::move(move)));
  trim_log();
  return *log_.back();
}

SlotMove* SlotMoves::find_record(std::string_view name) {
  const auto at =
      std::find_if(log_.begin(), log_.end(), [&](const auto& move) { return move->name == name; });
  return at == log_.end() ? nullptr : at->get();
}

void SlotMoves::trim_log() {
  const auto over = [](const auto& move) { return move->is_over(); };
  auto surplus =
      std::count_if(log_.begin(), log_.end(), over) - settings().cluster_slot_migration_log_max_len;
  if (surplus <= 0) return;
  const auto in_use = [this](const SlotMove* move) {
    return std::any_of(exports_.begin(), exports_.end(),
                       [&](const auto& e) { return &e->record() == move; }) ||
           std::any_of(imports_.begin(), imports_.end(),
                       [&](const auto& i) { return i->record == move; });
  };
  std::erase_if(log_, [&](const auto& move) {
    return surplus > 0 && over(move) && !in_use(move.get()) && surplus-- > 0;
  });
}

void SlotMoves::for_each(const std::function<void(const SlotMove&)>& fn) const {
  for (const auto& move : log_) fn(*move);
}

bool SlotMoves::is_moving(const cluster::SlotSet& slots) const {
  const auto meets = [&](const cluster::SlotSet& others) {
    cluster::SlotSet both = slots;
    both.intersect(others);
    return !both.empty();
  };
  return std::any_of(
             exports_.begin(), exports_.end(),
             [&](const auto& e) { return !e->machine().is_over() && meets(e->record().slots); }) ||
         std::any_of(imports_.begin(), imports_.end(),
                     [&](const auto& i) { return !i->machine.is_over() && meets(i->slots); });
}

std::size_t SlotMoves::cancel(Which which, std::string_view name) {
  std::size_t count = 0;
  for (const auto& move : exports_) {
    if ((name.empty() || move->record().name == name) && move->cancel()) ++count;
  }
  refresh_holds();
  if (which != Which::kAll) return count;
  for (const auto& move : imports_) {
    if ((!name.empty() && move->record->name != name) || move->machine.is_over()) continue;
    step(*move, to::Cancel{});
    if (move->machine.is_over()) ++count;
  }
  // Those whose source has not called yet: it is refused when it does.
  for (const auto& move : log_) {
    if (!move->is_import || move->is_over() || move->state != "waiting") continue;
    if (!name.empty() && move->name != name) continue;
    move->state = "cancelled";
    move->updated = move->ended = unix_now();
    ++count;
  }
  return count;
}

}  // namespace hearth
