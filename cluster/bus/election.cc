// Votes. A primary with slots gives at most one vote per epoch, and at most one per failed primary
// in twice the node time-out; the vote is on disk before it leaves.
#include <fmt/format.h>

#include <string_view>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr int kVoteSpacingFactor = 2;  // times the node time-out

bool claims_are_current(const State& s, const MessageHeader& request) {
  for (int i = 0; i < kSlotCount; ++i) {
    const auto slot = static_cast<Slot>(i);
    if (!request.slots.has(slot) || s.owner[slot] == nullptr) continue;
    if (s.owner[slot]->config_epoch > request.config_epoch) return false;
  }
  return true;
}

// Why the candidate gets no vote; empty: it does.
std::string_view refusal(State& s, const Node& candidate, const MessageHeader& request) {
  if (request.current_epoch < s.current_epoch) return "its epoch is in the past";
  if (s.last_vote_epoch == s.current_epoch) return "already voted for this epoch";
  if (!candidate.is_replica()) return "it is a primary";
  const Node* primary = s.find(candidate.replica_of);
  if (primary == nullptr) return "I don't know its primary";
  const bool forced = (request.message_flags & message_flag::kForceAck) != 0;
  if (!primary->has(node_flag::kFail) && !forced) return "its primary is up";
  if (s.age(primary->voted_at) < s.timeout() * kVoteSpacingFactor) {
    return "voted for a replica of its primary a moment ago";
  }
  if (!claims_are_current(s, request)) return "a slot it claims has an owner with a greater epoch";
  return {};
}

}  // namespace

void vote_if_due(State& s, Node& candidate, const MessageHeader& request) {
  if (!s.myself->votes()) return;
  if (const auto why = refusal(s, candidate, request); !why.empty()) {
    s.note(log::Level::kWarning, fmt::format("Failover auth denied to {} for epoch {}: {}",
                                             named(candidate), request.current_epoch, why));
    return;
  }
  s.find(candidate.replica_of)->voted_at = s.now_ms;
  s.last_vote_epoch = s.current_epoch;
  s.must_save();
  s.send(candidate, MessageType::kAuthAck);
  s.note(log::Level::kNotice, fmt::format("Failover auth granted to {} for epoch {}",
                                          named(candidate), s.current_epoch));
}

}  // namespace hearth::cluster::bus
