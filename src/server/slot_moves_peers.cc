// Requests of slot moves to other nodes, on connections of their own.
#include <utility>

#include "src/server/slot_moves.h"

namespace hearth {

SlotBalancer::Parts SlotMoves::balancer_parts() {
  SlotBalancer::Parts parts;
  parts.engine = parts_.engine;
  parts.cluster = parts_.cluster;
  parts.published = parts_.published;
  parts.is_moving = [this] { return !exports_.empty() || !imports_.empty(); };
  parts.begin = [this](std::string_view name, const cluster::migration::SlotOrder& order) {
    return request(name, order.target.str(), order.slots);
  };
  parts.goes_on = [this](std::string_view name) {
    const SlotMove* move = find_record(name);
    return move != nullptr && !move->is_over();
  };
  parts.seed = rng_.next();
  return parts;
}

// The owner is asked to send them, under a name of this node's choice.
Result<std::string, ReplyError> SlotMoves::import(const cluster::SlotSet& slots) {
  const cluster::ViewPtr view = parts_.published();
  if (!view->me().is_primary()) return refuse("ERR Only a primary can import slots");
  if (view->draining) return refuse("ERR This node is being drained and takes no slots");
  if (parts_.engine->warm_gate().is_closed()) return refuse("ERR " + std::string(kNodeNotWarm));
  const cluster::NodeView* source = nullptr;
  std::string why;
  slots.for_each([&](Slot slot) {
    const cluster::NodeView* owner = view->owner_of(slot);
    if (owner == nullptr)
      why = "ERR Slot " + std::to_string(slot) + " has no owner";
    else if (owner == &view->me())
      why = "ERR This node is already the owner of slot " + std::to_string(slot);
    else if (source != nullptr && owner != source)
      why = "ERR Slots belong to different source nodes";
    source = owner;
  });
  if (!why.empty()) return refuse(std::move(why));
  if (is_moving(slots)) return refuse("ERR Some slots are part of another move");
  SlotMove move;
  move.name = rng_.hex(NodeId::kLength);
  move.is_import = true;
  move.slots = slots;
  move.source = source->id.view();
  move.target = view->me().id.view();
  move.state = "waiting";
  std::vector<std::string> words{"CLUSTER", "SYNCSLOTS", "REQUEST", move.name, move.target};
  append_ranges(slots, words);
  std::string name = record(std::move(move)).name;
  ask_node(*source, std::move(words),
           [this, alive = alive_, name](const std::string& failure, const std::string& error) {
             if (!*alive || (failure.empty() && error.empty())) return;
             SlotMove* asked = find_record(name);
             if (asked == nullptr || asked->is_over()) return;
             asked->state = "failed";
             asked->failed = true;
             asked->message = failure.empty() ? "the source refused: " + error : failure;
             asked->updated = asked->ended = unix_now();
           });
  return name;
}

// As a replica speaks to its primary.
std::vector<std::vector<std::string>> SlotMoves::credentials() const {
  const config::Settings& s = settings();
  if (s.primaryauth.empty()) return {};
  if (s.primaryuser.empty()) return {{"AUTH", s.primaryauth}};
  return {{"AUTH", s.primaryuser, s.primaryauth}};
}

void SlotMoves::ask_node(const cluster::NodeView& node, std::vector<std::string> words,
                         std::function<void(std::string, std::string)> done) {
  MigrationControl::Job job;
  job.host = node.address.ip;
  job.port = node.address.port;
  job.preamble = credentials();
  job.commands = {std::move(words)};
  job.timeout = milliseconds(2000);
  parts_.requests->start(std::move(job), [done =
                                              std::move(done)](MigrationControl::JobResult result) {
    done(std::move(result.failure), result.errors.empty() ? std::string() : result.errors.front());
  });
}

void append_ranges(const cluster::SlotSet& slots, std::vector<std::string>& words) {
  for (const cluster::SlotRange& range : slots.ranges()) {
    words.push_back(std::to_string(range.first));
    words.push_back(std::to_string(range.last));
  }
}

}  // namespace hearth
