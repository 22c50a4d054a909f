#include "src/server/handover_driver.h"

#include <algorithm>

#include "src/base/log.h"

namespace hearth {

using replication::Handover;

Outcome HandoverDriver::begin(const Order& order) {
  if (parts_.config->settings().cluster_enabled)
    return refuse("ERR FAILOVER not allowed in cluster mode.");
  if (handover_.state() != Handover::State::kNone)
    return refuse("ERR FAILOVER already in progress.");
  if (parts_.follower->is_replica())
    return refuse("ERR FAILOVER is not valid when server is a replica.");
  const auto replicas = parts_.replication->candidates();
  if (replicas.empty()) return refuse("ERR FAILOVER requires connected replicas.");
  if (order.force && (order.host.empty() || order.timeout.count() == 0)) {
    return refuse("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
  }
  const bool is_there =
      order.host.empty() || std::any_of(replicas.begin(), replicas.end(), [&](const auto& r) {
        return r.host == order.host && r.port == order.port;
      });
  if (!is_there) return refuse("ERR FAILOVER target HOST and PORT is not a replica.");
  perform(handover_.begin(parts_.engine->mono_now(),
                          {order.host, order.port, order.force, order.timeout}));
  return {};
}

bool HandoverDriver::abort() {
  if (!handover_.abort()) return false;
  perform(handover_.take());
  return true;
}

std::string_view HandoverDriver::state() const {
  switch (handover_.state()) {
    case Handover::State::kNone: return "no-failover";
    case Handover::State::kWaiting: return "waiting-for-sync";
    case Handover::State::kHandingOver: break;
  }
  return "failover-in-progress";
}

void HandoverDriver::end_turn() {
  if (const auto answer = parts_.follower->take_answer()) perform(handover_.answered(*answer));
  if (handover_.state() != Handover::State::kWaiting) return;
  // Somebody made this server a replica meanwhile, which is what was wanted, more or less.
  if (parts_.follower->is_replica()) {
    static_cast<void>(abort());
    return;
  }
  // A transaction that is under way still writes.
  if (!parts_.engine->holds().holds_writes(WriteHolder::kFailover)) return;
  const auto replicas = parts_.replication->candidates();
  perform(handover_.look(parts_.engine->mono_now(), parts_.replication->offset(), replicas));
}

void HandoverDriver::perform(const Handover::Actions& actions) {
  for (const Handover::Action& action : actions) {
    if (const auto* hold = std::get_if<Handover::HoldWrites>(&action)) {
      parts_.engine->holds().hold_writes(WriteHolder::kFailover, hold->on);
    } else if (std::holds_alternative<Handover::AskForAcks>(action)) {
      parts_.replication->ask_replicas();
    } else if (const auto* follow = std::get_if<Handover::Follow>(&action)) {
      parts_.follower->hand_over_to(follow->host, follow->port);
    } else if (std::holds_alternative<Handover::Lead>(action)) {
      parts_.follower->promote();
    } else if (const auto* note = std::get_if<Handover::Note>(&action)) {
      log::notice("{}", note->text);
    }
  }
}

}  // namespace hearth
