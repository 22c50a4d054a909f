#include "src/replication/handover.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::replication {

Handover::Actions Handover::begin(MonoTime now, Order order) {
  state_ = State::kWaiting;
  deadline_ = order.timeout.count() == 0 ? MonoTime{} : now + order.timeout;
  order_ = std::move(order);
  actions_.emplace_back(Note{
      order_.host.empty() ? std::string("FAILOVER requested to any replica.")
                          : fmt::format("FAILOVER requested to {}:{}.", order_.host, order_.port)});
  actions_.emplace_back(HoldWrites{true});
  actions_.emplace_back(AskForAcks{});
  return take();
}

void Handover::end(std::string why) {
  const bool followed = state_ == State::kHandingOver;
  state_ = State::kNone;
  actions_.emplace_back(Note{"Failover ends: " + std::move(why)});
  if (followed) actions_.emplace_back(Lead{});
  actions_.emplace_back(HoldWrites{false});
}

bool Handover::abort() {
  if (state_ == State::kNone) return false;
  end("aborted");
  return true;
}

void Handover::hand_over(const std::string& host, std::uint16_t port) {
  state_ = State::kHandingOver;
  actions_.emplace_back(Note{fmt::format("Failover: handing over to {}:{}.", host, port)});
  actions_.emplace_back(Follow{host, port});
}

Handover::Actions Handover::look(MonoTime now, std::uint64_t offset,
                                 std::span<const Candidate> replicas) {
  if (state_ != State::kWaiting) return {};
  for (const Candidate& replica : replicas) {
    const bool is_meant =
        order_.host.empty() || (replica.host == order_.host && replica.port == order_.port);
    if (!is_meant || replica.confirmed < offset) continue;
    hand_over(replica.host, replica.port);
    return take();
  }
  if (deadline_.us == 0 || now < deadline_) return {};
  if (order_.force)
    hand_over(order_.host, order_.port);
  else
    end("the replica did not catch up in time");
  return take();
}

Handover::Actions Handover::answered(bool accepted) {
  if (state_ != State::kHandingOver) return {};
  if (accepted) {
    state_ = State::kNone;
    actions_.emplace_back(Note{"Failover: the replica has taken over."});
    actions_.emplace_back(HoldWrites{false});
  } else {
    end("the replica refused to take over");
  }
  return take();
}

}  // namespace hearth::replication
